"""The replay of routing: better than the most frequent label where text tells; silent without."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kbagent.cli.page import draw
from kbagent.cli.screens.routing import NO_BETTER, format_routing, routing_json
from kbagent.errors import UnknownHandle
from kbagent.usecases.evaluate.routing import BLOCKS, STEPS, replay_routing
from tests.fakes.desk import Desk, ticket

BEGIN = datetime(2026, 1, 1, 8, tzinfo=UTC)
TEXTS = ("mail lost after the move to the gateway", "printer hangs while the labels print")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def bring(desk: Desk, count: int, *, queue: bool = True, renamed_from: int = 10_000) -> None:
    def named(i: int) -> str:
        return ("Messages" if i >= renamed_from else "Mail") if i % 3 else "Print"

    desk.bring(
        *(
            ticket(
                str(i),
                TEXTS[0 if i % 3 else 1],
                f"seen {i}",
                opened_at=(BEGIN + timedelta(hours=6 * i)).isoformat(),
                facets={"queue": named(i)} if queue else {},
            )
            for i in range(count)
        )
    )


def test_what_the_text_tells_is_foretold(desk: Desk):
    bring(desk, 240)
    found = replay_routing(desk.kb)
    (queue,) = found.replayed
    assert (queue.name, queue.labels, queue.marks.cases) == ("queue", 2, 120)
    assert queue.marks.accuracy > 0.95 > 0.75 > queue.majority.accuracy > 0.6
    assert queue.marks.macro_f1 > 0.95
    assert [one.name for one in found.missing] == ["escalated"]
    screen = draw(format_routing(found), 80)
    assert "the most frequent value 67 %" in screen
    assert NO_BETTER not in screen
    assert max(map(len, screen.splitlines())) <= 80
    told = routing_json(found)["facets"][0]
    assert told["router"]["accuracy"] > told["majority"]["accuracy"]


def test_it_sees_only_what_lay_before(desk: Desk):
    """A queue is renamed within the half that is replayed: before, its new name is never said."""
    bring(desk, 240, renamed_from=150)
    (queue,) = replay_routing(desk.kb).replayed
    assert queue.labels == 3
    assert 0.7 < queue.marks.accuracy < 1.0


def test_without_queues_it_says_so(desk: Desk):
    bring(desk, 200, queue=False)
    found = replay_routing(desk.kb)
    assert found.replayed == ()
    screen = draw(format_routing(found), 80)
    assert "queue: not replayed; no facet of the cases names one" in screen
    assert "--by-facet" in screen
    with pytest.raises(UnknownHandle):
        replay_routing(desk.kb, "team")


@pytest.mark.parametrize(
    ("count", "words"), [(0, "no cases to replay"), (1, "0 cases say it, 120 are needed")]
)
def test_with_little_it_says_what_is_missing(desk: Desk, count, words):
    if count:
        bring(desk, count)
    assert words in draw(format_routing(replay_routing(desk.kb)), 80)


def test_a_router_that_beats_nothing_is_called_so(desk: Desk):
    bring(desk, 240)
    found = replay_routing(desk.kb)
    (queue,) = found.replayed
    useless = replace(queue, marks=replace(queue.marks, accuracy=queue.majority.accuracy))
    assert NO_BETTER in draw(format_routing(replace(found, replayed=(useless,))), 80)


def test_progress_is_told_until_all_cases_are_asked(desk: Desk):
    bring(desk, 240)
    told: list[tuple[int, int]] = []
    replay_routing(desk.kb, progress=lambda done, total: told.append((done, total)))
    assert told[0] == (0, 120)
    assert told[-1] == (120, 120)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert len(told) == 1 + BLOCKS * STEPS


def test_an_interruption_leaves_nothing_behind(desk: Desk):
    """Replaying writes nothing, so nothing can be half-written."""
    bring(desk, 240)

    def kept() -> dict[Path, bytes]:
        files = (one for one in desk.folder.rglob("*") if one.is_file())
        return {one: one.read_bytes() for one in files if not one.name.endswith(("-wal", "-shm"))}

    def stop(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    before = kept()
    with pytest.raises(KeyboardInterrupt):
        replay_routing(desk.kb, progress=stop)
    assert kept() == before
    assert replay_routing(desk.kb).replayed[0].marks.cases == 120
