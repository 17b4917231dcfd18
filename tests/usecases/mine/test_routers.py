"""A router is fitted once, again when its labels changed, and newer cases are followed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from kbagent.core.patterns.tempering import Temper
from kbagent.core.text.tokens import tokens
from kbagent.store.index import keepsakes
from kbagent.usecases.mine import routers
from kbagent.usecases.mine.columns import load_columns
from kbagent.usecases.mine.experience import experience_of
from kbagent.usecases.mine.roles import predicted_roles
from kbagent.usecases.mine.routers import FacetRouter, router_of
from tests.fakes.desk import Desk, ticket

LOST, HANGS = "mail lost after the move to the gateway", "printer hangs while the labels print"
BEGIN = datetime(2026, 1, 1, 8, tzinfo=UTC)


def bring(
    desk: Desk, first: int, count: int, mail: str = "Mail", *, only_mail: bool = False
) -> None:
    def is_mail(i: int) -> bool:
        return only_mail or i % 2 == 1

    desk.bring(
        *(
            ticket(
                str(i),
                LOST if is_mail(i) else HANGS,
                f"seen {i}",
                opened_at=(BEGIN + timedelta(hours=6 * i)).isoformat(),
                facets={"queue": mail if is_mail(i) else "Print"},
            )
            for i in range(first, first + count)
        )
    )


@pytest.fixture
def told(desk: Desk) -> list[str]:
    """What the knowledge base says while it works."""
    said: list[str] = []
    desk.kb.notify = said.append
    return said


def queue_router(desk: Desk) -> FacetRouter:
    found = load_columns(desk.kb.connection)
    past = experience_of(desk.kb.connection, found)
    (queue,) = predicted_roles(desk.kb.connection, found, None)
    return router_of(desk.kb, past, queue.factor)


def likeliest(desk: Desk, text: str) -> tuple[str, float]:
    router = queue_router(desk)
    p = router.forecast(desk.encoder.encode([text]), [tokens(text)]).probabilities[0]
    return router.factor.levels[int(p.argmax())], float(p.max())


def fits(said: list[str]) -> int:
    return sum(one.startswith("learning queue") for one in said)


def test_it_is_fitted_once(desk, told):
    bring(desk, 0, 120)
    first = likeliest(desk, LOST)
    again = likeliest(desk, LOST)
    assert first[0] == again[0] == "Mail"
    assert first[1] == pytest.approx(again[1], abs=1e-9)
    assert fits(told) == 1


def test_a_broken_file_is_made_again(desk, told):
    bring(desk, 0, 120)
    queue_router(desk)
    (path,) = (desk.kb.index_folder / keepsakes.FOLDER).iterdir()
    path.write_bytes(path.read_bytes()[:200])
    assert likeliest(desk, HANGS)[0] == "Print"
    assert fits(told) == 2


def test_it_is_fitted_again_when_its_labels_are_others(desk, told):
    bring(desk, 0, 120)
    queue_router(desk)
    with desk.kb.database.write() as connection:
        connection.execute("UPDATE facet_values SET value = 'Post' WHERE value = 'Mail'")
    assert likeliest(desk, LOST)[0] == "Post"
    assert fits(told) == 2


def test_it_is_fitted_again_when_there_are_many_more(desk, told):
    bring(desk, 0, 120)
    queue_router(desk)
    bring(desk, 120, 20)
    queue_router(desk)
    assert fits(told) == 1
    bring(desk, 140, 40)
    queue_router(desk)
    assert fits(told) == 2


def test_a_queue_that_was_renamed_is_followed_without_a_new_fit(desk, told):
    bring(desk, 0, 120)
    assert likeliest(desk, LOST)[0] == "Mail"
    bring(desk, 120, routers.FEW_MORE, mail="Messages", only_mail=True)
    assert likeliest(desk, LOST)[0] == "Messages"
    assert likeliest(desk, HANGS)[0] == "Print"
    assert queue_router(desk).is_followed
    assert fits(told) == 1


def test_confidence_follows_what_has_come_true_and_outlives_a_new_fit(desk, told):
    bring(desk, 0, 120)
    before = likeliest(desk, LOST)
    # From here on what the text says is right every second time: the queue is no longer in it.
    for i in range(120, 120 + routers.FEW_MORE):
        bring(desk, i, 1, mail="Mail" if i % 4 < 2 else "Print", only_mail=True)
    after = likeliest(desk, LOST)
    assert fits(told) == 1
    assert before[1] > 0.9
    assert after[1] < 0.8
    followed = queue_router(desk).temper
    assert followed.slope < 1
    bring(desk, 120 + routers.FEW_MORE, 1)
    again = queue_router(desk)
    assert fits(told) == 2
    assert again.temper.slope_doubt <= followed.slope_doubt + 1e-3
    assert again.temper.slope == pytest.approx(followed.slope, abs=0.1)
    assert queue_router(desk).temper == again.temper


def test_a_forecast_is_as_confident_as_the_temper_says(desk):
    bring(desk, 0, 120)
    router = queue_router(desk)
    asked = desk.encoder.encode([LOST]), [tokens(LOST)]
    before = router.forecast(*asked).probabilities[0]
    doubtful = replace(router, temper=Temper(shift=-4.0))
    after = doubtful.forecast(*asked).probabilities[0]
    assert after.argmax() == before.argmax()
    odds = np.log(before.max() / before.min())
    assert np.log(after.max() / after.min()) == pytest.approx(odds - 4.0, abs=1e-3)
