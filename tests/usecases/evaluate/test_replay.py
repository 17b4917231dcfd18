"""The past is replayed with only what was known then."""

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from kbagent.core.learning.replay import Replayed
from kbagent.model.case import Verdict
from kbagent.store import models, policies
from kbagent.usecases.evaluate.evaluation import NO_FEEDBACK, baselines, contender, evaluate
from kbagent.usecases.evaluate.history import load_history
from kbagent.usecases.evaluate.replay import Replay, question_places, replay
from tests.usecases.learn.conftest import START, Desk

WORKED, FAILED = Verdict.WORKED, Verdict.FAILED
TEXT = "label printer prints blank labels"


def _replayed(desk: Desk, last: int | None = None) -> Replay:
    connection = desk.kb.connection
    model = models.active(connection)
    assert model is not None
    history = load_history(connection, model)
    live = policies.live(connection)
    contenders = [contender(desk.kb, "live", live), *baselines(live.parameters)]
    places = list(question_places(history, last))
    return replay(history, contenders, places, lambda _done, _all: None)


def _by_ref(desk: Desk, ran: Replay, name: str = "live") -> dict[str, Replayed]:
    ids = desk.kb.connection.execute(
        "SELECT external_id FROM cases ORDER BY coalesce(opened_at, recorded_at), id"
    ).fetchall()
    return {
        ids[place][0]: one
        for place, one in zip(ran.places, ran.courses[name].replayed, strict=True)
    }


def _week(desk: Desk, number: int, fix: str, name: str | None = None, text: str = TEXT) -> None:
    opened = START + timedelta(days=7 * number)
    desk.case(name or f"W{number}", text, (fix, WORKED), opened=opened)


def test_what_worked_before_is_found_again(desk: Desk) -> None:
    for number in range(4):
        _week(desk, number, "use the raster path")
    found = _by_ref(desk, _replayed(desk))
    assert found["W0"].worked_at is None
    assert [found[f"W{n}"].worked_at for n in (1, 2, 3)] == [1, 1, 1]


def test_a_fix_that_worked_only_later_brings_nothing(desk: Desk) -> None:
    """The plant: the very answer, on the very text, but a day after the question."""
    _week(desk, 0, "restart the spooler")
    _week(desk, 1, "use the raster path", "question")
    desk.case("leak", TEXT, ("use the raster path", WORKED), opened=START + timedelta(days=8))
    found = _by_ref(desk, _replayed(desk))
    assert found["question"].worked_at is None


def test_a_case_that_was_open_still_had_no_known_fix(desk: Desk) -> None:
    desk.case("open", TEXT, ("use the raster path", WORKED), opened=START)
    soon = START + timedelta(hours=5)  # `open` was closed a day after it was opened
    desk.case("question", TEXT, ("use the raster path", WORKED), opened=soon)
    assert _by_ref(desk, _replayed(desk))["question"].worked_at is None


def test_nothing_of_the_future_changes_an_earlier_answer(desk: Desk) -> None:
    for number, fix in enumerate(("a", "b", "a", "b", "b")):
        text = TEXT if number % 2 else "blank labels again"
        _week(desk, number, f"fix number {fix}", text=text)
    before = _by_ref(desk, _replayed(desk))
    later = START + timedelta(days=100)
    desk.case("L1", TEXT, ("fix number a", FAILED), opened=later, same_as="W0")
    desk.case("L2", TEXT, ("fix number b", WORKED), opened=later, same_as="W1")
    desk.case("L3", TEXT + " rare words", ("fix number c", WORKED), opened=later, same_as="L1")
    desk.case("L4", "blank", ("fix number c", WORKED), opened=later, same_as="L2")
    after = _by_ref(desk, _replayed(desk))
    for name, one in before.items():
        assert after[name].worked_at == one.worked_at, name


def test_an_outcome_that_was_taken_back_counts_until_then(desk: Desk) -> None:
    from kbagent.model.feedback import Remark
    from kbagent.usecases.revise.outcomes import give, undo

    desk.case("A", TEXT, ("first way", Verdict.UNKNOWN), ("second way", Verdict.UNKNOWN))
    ids = dict(desk.kb.connection.execute("SELECT text, id FROM resolutions").fetchall())
    given = [
        give(desk.kb, WORKED, [f"r{ids['second way']}"], Remark(by=f"p{n}")).outcome_id
        for n in range(9)
    ]
    desk.clock.turn(days=20)
    for outcome in given:
        undo(desk.kb, outcome)
    _week(desk, 2, "second way", "before")
    _week(desk, 4, "second way", "after")
    found = _by_ref(desk, _replayed(desk))
    assert found["before"].worked_at == 1


def test_evaluation_compares_with_its_baselines(desk: Desk) -> None:
    _feedback_pays(desk, 30)
    done = evaluate(desk.kb, None, lambda _done, _all: None)
    standings = dict(done.standings)
    assert set(standings) == {"policy 1", NO_FEEDBACK, "BM25 only"}
    gain = dict(done.differences)[NO_FEEDBACK][0]
    assert gain.measure == "success@1"
    assert gain.low > 0.0
    assert standings["policy 1"].success_at_1 > 0.7
    assert all(hasattr(one, "needed") for one in done.off_policy)  # nothing was logged
    shorter = evaluate(desk.kb, None, lambda _done, _all: None, last=5)
    assert shorter.questions == 5
    with pytest.raises(Exception, match="policy 9"):
        evaluate(desk.kb, 9, lambda _done, _all: None)


def _feedback_pays(desk: Desk, cases: int) -> None:
    """The nearest case says one thing, what happened since says another."""
    desk.case("W0", TEXT, ("restart the spooler", WORKED), opened=START)
    for number in range(1, cases):
        desk.case(
            f"W{number}",
            TEXT,
            ("restart the spooler", FAILED),
            ("use the raster path", WORKED),
            opened=START + timedelta(days=7 * number),
            same_as="W0",
        )


def _frozen_courses(desk: Desk, frozen_at: datetime) -> dict[str, list[Replayed]]:
    """The live policy as it is, without later outcomes, and without anything later."""
    connection = desk.kb.connection
    model = models.active(connection)
    assert model is not None
    history = load_history(connection, model)
    live = contender(desk.kb, "live", policies.live(connection))
    learned = dataclasses.replace(live, name="learned", learned_until=frozen_at)
    known = dataclasses.replace(live, name="known", known_until=frozen_at)
    places = list(question_places(history, None))
    asked: list[int] = []

    def judge(terms: Sequence[object], _owner: object, _first: object, margin: float) -> bool:
        asked.append(len(terms))
        return margin > 1e9

    ran = replay(history, [live, learned, known], places, lambda _done, _all: None, judge=judge)
    assert all(len(c.answered) == len(places) and not any(c.answered) for c in ran.courses.values())
    assert asked
    return {name: course.replayed for name, course in ran.courses.items()}


def test_what_is_frozen_learns_nothing_more(desk: Desk) -> None:
    """What worked changes sides at week 15; only who goes on learning follows."""
    desk.case("W0", TEXT, ("restart the spooler", WORKED), opened=START)
    for number in range(1, 40):
        old, new = ("restart the spooler", WORKED), ("use the raster path", FAILED)
        if number >= 15:
            old, new = ("restart the spooler", FAILED), ("use the raster path", WORKED)
        opened = START + timedelta(days=7 * number)
        desk.case(f"W{number}", TEXT, old, new, opened=opened, same_as="W0")
    courses = _frozen_courses(desk, START + timedelta(days=7 * 14))
    assert all(one.worked_at == 1 for one in courses["live"][-5:])
    assert all(one.worked_at == 2 for one in courses["learned"][-5:])
    assert courses["learned"][:14] == courses["live"][:14] == courses["known"][:14]
    assert [one.relevant for one in courses["known"]] == [one.relevant for one in courses["live"]]
    assert courses["known"][-1].found == 14  # it knows the cases of then and no others
    assert courses["live"][-1].found == 39


def test_frozen_in_the_future_is_not_frozen(desk: Desk) -> None:
    _feedback_pays(desk, 12)
    courses = _frozen_courses(desk, START + timedelta(days=9999))
    assert courses["live"] == courses["learned"] == courses["known"]


def test_a_candidate_is_promoted_only_when_shown_better(desk: Desk) -> None:
    from kbagent.core.learning.promotion import Plan, Ruling
    from kbagent.errors import PolicyRefused
    from kbagent.usecases.learn.policies import freeze, roll_back, set_parameters
    from kbagent.usecases.learn.promotion import promote, try_candidate

    _feedback_pays(desk, 60)
    stubborn = dataclasses.replace(policies.live(desk.kb.connection).parameters, gate=9.0)
    with desk.kb.database.write() as connection:
        version = policies.add(connection, "stubborn", stubborn, desk.clock(), parent=1)
        policies.make_live(connection, version, "promote", desk.clock())
    plan = Plan(checkpoints=(20, 40))
    quiet = lambda _done, _all: None  # noqa: E731
    alike = set_parameters(desk.kb, ["choice_bonus=2.5"]).policy.version
    trial = try_candidate(desk.kb, alike, quiet, plan=plan)
    with pytest.raises(PolicyRefused, match="not shown to be better"):
        promote(desk.kb, trial)
    assert policies.live(desk.kb.connection).version == version
    better = set_parameters(desk.kb, ["gate=0.8"]).policy.version
    trial = try_candidate(desk.kb, better, quiet, plan=plan)
    assert trial.decision.ruling is Ruling.PROMOTE
    freeze(desk.kb, frozen=True)
    with pytest.raises(PolicyRefused, match="frozen"):
        promote(desk.kb, trial)
    freeze(desk.kb, frozen=False)
    promote(desk.kb, trial)
    assert policies.live(desk.kb.connection).version == better
    assert policies.evaluations(desk.kb.connection, better)[0][2]["ruling"] == "promote"
    assert roll_back(desk.kb).version == version
    assert roll_back(desk.kb).version == 1
    # 59 questions are too few for the plan that ships
    assert try_candidate(desk.kb, better, quiet).decision.next_look == 500
