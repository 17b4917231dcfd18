"""A fix in nearly the same words is right; by words alone, for every policy alike."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from kbagent.store import fixes, models
from kbagent.usecases.evaluate.evaluation import LIVE, NO_FEEDBACK, history_of
from kbagent.usecases.report.compounding import Report, report
from kbagent.usecases.report.replaying import FIRST, Questions, looked_up_again
from kbagent.usecases.report.rewordings import Rewordings
from kbagent.usecases.revise.wordings import keep_apart
from tests.fakes.desk import Desk, odd_words, same_as, ticket, tried

START = datetime(2025, 1, 6, 9, tzinfo=UTC)
FIX = "Clear the print queue of the station and restart the label service."
NEARLY = "Emptied the print queue, restarted the label program afterwards."  # cosine .647
NOT = "Not empty the print queue on that station; restart its label service today, please now."
OTHER = "Replace the print head."


def at(days: float) -> str:
    return (START + timedelta(days=days)).isoformat()


def case(number: int, *told: tuple[str, str]) -> dict[str, object]:
    return ticket(
        f"C{number}",
        f"labels stay blank {odd_words(1)}",
        opened_at=at(30 * number),
        closed_at=at(30 * number + 1),
        links=same_as("C0") if number else [],
        attempts=[tried(text, verdict, at=at(30 * number + 1)) for text, verdict in told],
    )


def asked(desk: Desk) -> Questions:
    ids = history_of(desk.kb).case_ids
    found = looked_up_again(desk.kb, ids, lambda *_: None, 0)
    assert found is not None
    return found


def rewordings(desk: Desk) -> Rewordings:
    model = models.active(desk.kb.connection)
    assert model is not None
    return Rewordings(desk.kb.connection, model.id, history_of(desk.kb))


def number_of(desk: Desk, text: str) -> int:
    return int(desk.one("SELECT canonical_id FROM resolutions WHERE text = ?", text))


def made(desk: Desk) -> Report:
    return report(desk.kb, lambda *_: None)


def test_the_texts_are_two_approaches_and_nearly_one(desk: Desk):
    desk.bring(case(0, (FIX, "worked")), case(1, (NEARLY, "worked")), case(2, (NOT, "worked")))
    assert len({number_of(desk, text) for text in (FIX, NEARLY, NOT)}) == 3
    model = models.active(desk.kb.connection)
    assert model is not None
    some = fixes.vectors(
        desk.kb.connection, model.id, [number_of(desk, one) for one in (FIX, NEARLY, NOT)]
    )
    first, nearly, against = fixes.unit(np.stack(list(some.values())))
    assert 0.6 < first @ nearly < 0.7 and 0.6 < first @ against < 0.7


def test_a_fix_in_nearly_the_same_words_succeeds_for_every_policy_alike(desk: Desk):
    desk.bring(case(0, (FIX, "worked")), case(1, (NEARLY, "worked")))
    found = asked(desk)
    row = found.places.tolist().index(1)
    assert {name: int(place[row]) for name, place in found.place.items()} == dict.fromkeys(
        found.place, 1
    )
    assert {LIVE, NO_FEEDBACK, FIRST} <= set(found.place)
    assert found.possible[row]
    success = made(desk).success
    assert success is not None and success.uplift is not None
    assert (success.at_1, success.without_feedback, success.possible) == (0.5, 0.5, 1)
    assert success.uplift.estimate == 0.0


@pytest.mark.parametrize("other", [OTHER, NOT])
def test_another_fix_or_the_contrary_does_not(desk: Desk, other: str):
    desk.bring(case(0, (FIX, "worked")), case(1, (other, "worked")))
    success = made(desk).success
    assert success is not None
    assert (success.at_1, success.at_3, success.possible) == (0.0, 0.0, 0)


def test_what_failed_on_the_very_case_is_no_success_in_other_words(desk: Desk):
    desk.bring(case(0, (FIX, "worked")), case(1, (FIX, "failed"), (NEARLY, "worked")))
    success = made(desk).success
    assert success is not None
    assert (success.at_1, success.possible) == (0.0, 0)


def test_what_people_told_apart_stays_two(desk: Desk):
    desk.bring(case(0, (FIX, "worked")), case(1, (NEARLY, "worked")))
    first, second = (number_of(desk, text) for text in (FIX, NEARLY))
    assert rewordings(desk).right(1, [first]) == {first}
    keep_apart(desk.kb, f"r{first}", f"r{second}")
    assert rewordings(desk).right(1, [first]) == frozenset()


def test_outcomes_elsewhere_have_no_say(desk: Desk):
    """Whether the fix shown had worked before or always failed: it says the same."""
    desk.bring(case(0, (FIX, "failed")), case(1, (NEARLY, "worked")))
    first = number_of(desk, FIX)
    assert rewordings(desk).right(1, [first]) == {first}
    assert not rewordings(desk).possible([1])[0]  # it had been tried, yet had not worked


def test_where_nothing_is_known_to_have_worked_nothing_is_right(desk: Desk):
    desk.bring(case(0, (FIX, "worked")), case(1, (NEARLY, "failed")))
    assert rewordings(desk).right(1, [number_of(desk, FIX)]) == frozenset()


def test_a_rare_problem_solved_again_in_nearly_the_same_words_is_a_story(desk: Desk):
    desk.bring(case(0, (FIX, "worked")), case(8, (NEARLY, "worked"))
               | {"links": same_as("C0")})  # fmt: skip
    (story,) = made(desk).stories
    assert (story.place, story.then, story.now) == (1, FIX, NEARLY)


def test_without_a_reported_outcome_the_report_says_so(desk: Desk):
    desk.bring(*(case(n, (FIX, "worked")) for n in range(3)))
    asked_for = desk.ask("labels stay blank")
    assert (asked(desk).outcomes, asked(desk).reported) == (3, 0)
    desk.say("worked", asked_for.handle, "1", case="desk:C2")
    assert asked(desk).reported == 1
