"""What became of an issue's earlier cases is told as a count, and orders a batch."""

import csv
import io

import pytest

from kbagent.cli.page import draw
from kbagent.cli.screens.routes import format_routes, routes_csv, routes_json, routes_markdown
from kbagent.core.patterns.contingency import wilson
from kbagent.usecases.learn.confidence import Certain
from kbagent.usecases.mine import recognition
from kbagent.usecases.mine.columns import load_columns
from kbagent.usecases.mine.precedent import precedent_of
from kbagent.usecases.mine.roles import queue_factor
from kbagent.usecases.mine.routes import Ticket, routes
from tests.fakes.desk import Desk, ticket
from tests.fakes.encoder import FakeEncoder

ERASE, JAMS = "please erase my personal data", "printer jams in the lower tray"


@pytest.fixture
def rare(desk: Desk) -> Desk:
    """Too few escalations for a router: all six of one problem among thirty others."""
    erase = [ticket(f"e{i}", ERASE, escalated=True, facets={"queue": "Legal"}) for i in range(6)]
    jams = [
        ticket(f"j{i}", JAMS, escalated=i == 0, facets={"queue": "Desk" if i % 2 else "Print"})
        for i in range(30)
    ]
    desk.bring(*erase, *jams)
    return desk


def test_the_escalated_earlier_cases_are_told_and_come_first(rare):
    found = routes(rare.kb, FakeEncoder(), [Ticket(JAMS, "jam"), Ticket(ERASE, "erase")])
    first, second = found.routed
    assert [first.name, second.name] == ["erase", "jam"]
    low, high = wilson(6, 6)
    share = first.precedent.escalated
    assert (share.count, share.cases, share.low, share.high) == (6, 6, low, high)
    assert first.urgency == low > second.urgency == 0.0
    assert first.why == ("6 of 6 earlier cases of its problem were escalated",)
    assert second.precedent.escalated.count == 1
    assert not second.precedent.escalates_more
    screen = " ".join(draw(format_routes(found), 80).split())
    assert "of its 6 earlier cases 6 were escalated; 19 % is usual" in screen
    assert "of its 30 earlier cases 1 was escalated" in screen
    told = routes_json(found)["tickets"][0]["earlier_cases"]
    assert told["escalated"] == {"count": 6, "cases": 6, "low": 0.6097, "high": 1.0}
    assert told["more_than_usual"] is True
    rows = list(csv.DictReader(io.StringIO(routes_csv(found))))
    assert rows[0]["earlier cases"].startswith("of its 6 earlier cases 6 were escalated")
    assert "of its 6 earlier cases 6 were escalated" in routes_markdown(found)


def test_the_queue_of_nearly_all_earlier_cases_is_told_as_a_fact(rare):
    first, second = routes(rare.kb, FakeEncoder(), [Ticket(ERASE), Ticket(JAMS)]).routed
    assert first.precedent.queue[0] == "Legal"
    assert second.precedent.queue is None
    found = routes(rare.kb, FakeEncoder(), [Ticket(ERASE)])
    assert "its 6 earlier cases all went to Legal" in draw(format_routes(found), 80)
    strict = routes(rare.kb, FakeEncoder(), [Ticket(ERASE)], confident_at=0.7)
    assert strict.routed[0].precedent.queue is None


def test_two_cases_tell_nothing(desk: Desk):
    desk.bring(*(ticket(str(i), ERASE, escalated=True, facets={"queue": "L"}) for i in range(2)))
    (one,) = routes(desk.kb, FakeEncoder(), [Ticket(ERASE)]).routed
    assert one.issue is not None
    assert one.precedent is None


def test_issues_that_are_nearly_one_are_counted_together(rare, monkeypatch):
    found = load_columns(rare.kb.connection)
    erase, jams = int(found.issue[found.escalated == 1][-1]), int(found.issue[-1])
    both = sorted({int(one) for one in found.issue})
    assert {erase, jams} <= set(both)
    queue = queue_factor(rare.kb.connection, found)
    pooled = precedent_of(found, both, queue, 0.6)
    assert (pooled.escalated.count, pooled.escalated.cases) == (7, 36)
    kin = {one: frozenset(both) - {one} for one in both}
    plain = recognition.certain_of(rare.kb)
    related = Certain(plain.certainty, plain.threshold, plain.basis, plain.learned, kin)
    monkeypatch.setattr(recognition, "certain_of", lambda _: related)
    one = routes(rare.kb, FakeEncoder(), [Ticket(ERASE)])
    assert "of its 36 earlier cases (with issues like it) 7 were" in draw(format_routes(one), 80)


def test_the_usual_share_stands_beside_the_count_and_not_beside_the_refusal(desk: Desk):
    """A router that reads nothing says nothing; that 50 % is usual is no forecast for the issue."""
    desk.bring(
        *(
            ticket(
                str(i),
                ERASE if i % 2 else JAMS,
                opened_at=f"2026-01-{1 + i // 6:02d}T{i % 6 + 8:02d}:00:00Z",
                escalated=i % 4 < 2,
            )
            for i in range(160)
        )
    )
    screen = " ".join(
        draw(format_routes(routes(desk.kb, FakeEncoder(), [Ticket(ERASE)])), 80).split()
    )
    assert "escalation: nothing claimed, no better" in screen
    assert "of its 80 earlier cases 40 were escalated; 50 % is usual" in screen
    assert screen.count("is usual") == 1
