"""What the checks were worth, from runs with an outcome."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from kbagent.usecases.learn.checks import (
    EXPLAINED,
    NOT_LEARNED,
    check_statistics,
    learn_checks,
    sightings,
)
from kbagent.usecases.solve.problem import NAMES, Problem, Thresholds, thresholds_of
from kbagent.usecases.solve.running import solve
from tests.fakes.desk import Desk, same_as, ticket, tried

PRINTER = "printer feeds blank labels"
FIX, OTHER = "reinstall the label driver", "replace the print head"


@pytest.fixture
def office(desk: Desk) -> Desk:
    desk.bring(
        *[
            ticket(
                str(n),
                f"{PRINTER} in room {n}",
                attempts=[tried(FIX) if n < 5 else tried(OTHER, "partly")],
                links=same_as("0") if n else [],
            )
            for n in range(7)
        ]
    )
    return desk


def run(desk: Desk, text: str) -> str:
    return solve(desk.kb, desk.encoder, Problem(text)).handle


def test_a_run_without_outcome_tells_nothing(office):
    run(office, PRINTER)
    assert sightings(office.kb) == []


def test_a_false_alarm_counts_against_its_check(office):
    handle = run(office, f"{PRINTER}. We already reinstalled the label driver.")
    office.say("worked", handle, "1")
    one = next(s for s in check_statistics(office.kb) if s.check == "already-tried")
    assert (one.alarms, one.right) == (1, 0)


def test_a_wrong_answer_is_a_miss_of_every_check_that_held(office):
    handle = run(office, PRINTER)
    office.say("failed", handle, "1")
    seen = [s for s in sightings(office.kb) if s.check == "margin"]
    assert [(s.alarm, s.wrong) for s in seen] == [(False, True)]


def test_an_outcome_taken_back_no_longer_counts(office):
    handle = run(office, PRINTER)
    given = office.say("failed", handle, "1")
    from kbagent.usecases.revise.outcomes import undo

    undo(office.kb, given.outcome_id)
    assert sightings(office.kb) == []
    assert office.one("SELECT fault FROM runs") is None


def test_a_purged_case_takes_the_runs_on_it_along(office):
    from kbagent.store.purge import purge

    case_id = office.one("SELECT id FROM cases WHERE external_id = '3'")
    problem = Problem(f"{PRINTER} in room 3", case_id=case_id)
    solve(office.kb, office.encoder, problem)
    run(office, PRINTER)
    with office.kb.database.write() as connection:
        purge(connection, case_id, office.clock.now)
    assert office.one("SELECT count(*) FROM runs") == 1
    assert "room 3" not in str(office.rows("SELECT query FROM lookups"))


def test_few_outcomes_move_no_threshold(office):
    office.say("worked", run(office, PRINTER), "1")
    done = learn_checks(office.kb, office.encoder, np.random.default_rng(0))
    assert done.runs == 1
    assert not any(one.adopted for one in done.checks)


def test_every_check_that_occurs_is_explained(office):
    office.say("worked", run(office, f"{PRINTER}, version 4.2 on Windows 11"), "1")
    assert {one.check for one in sightings(office.kb)} <= set(EXPLAINED)


def test_every_check_has_a_threshold_that_is_learned_or_a_reason_why_not():
    assert set(NAMES) | set(NOT_LEARNED) == set(EXPLAINED)
    assert not set(NAMES) & set(NOT_LEARNED)
    assert set(NAMES.values()) == {field.name for field in dataclasses.fields(Thresholds)}


THIN, SOLID, THIRD = "scanner pages are black", "mail stays in the outbox", "badge is refused"


@pytest.fixture
def three(desk: Desk) -> Desk:
    """Fixes that worked 4 of 5 times for two problems, 12 of 12 for a third."""
    fixes = ((THIN, "swap the lamp", 5, 1), (SOLID, "compact", 12, 0), (THIRD, "new chip", 5, 1))
    desk.bring(
        *[
            ticket(
                f"{title[0]}{n}",
                f"{title} number {n}",
                attempts=[tried(fix, "worked" if n >= failed else "failed")],
                links=same_as(f"{title[0]}0") if n else [],
            )
            for title, fix, count, failed in fixes
            for n in range(count)
        ]
    )
    return desk


def reported(desk: Desk, thin: Callable[[int], bool], runs: int = 60) -> None:
    """Runs in turn on the thin and the solid one; all are reported on afterwards."""
    handles = []
    for number in range(runs):
        desk.clock.tick()
        handles.append(run(desk, (THIN, SOLID)[number % 2]))
    for number, handle in enumerate(handles):
        works = number % 2 == 1 or thin(number)
        desk.say("worked" if works else "failed", handle, "1", by=f"engineer {number}")


def doubts(desk: Desk, text: str) -> set[str]:
    found = solve(desk.kb, desk.encoder, Problem(text))
    return {check.name for step in found.steps for check in step.failed}


def test_a_threshold_moves_when_later_runs_prove_it_and_changes_what_comes_after(three):
    reported(three, lambda _number: False)
    assert "evidence" not in doubts(three, THIRD)
    done = learn_checks(three.kb, three.encoder, np.random.default_rng(0))
    (moved,) = [one for one in done.checks if one.check == "evidence"]
    assert moved.adopted
    assert moved.proposed > moved.current == Thresholds().evidence
    assert moved.interval[0] > 0
    assert thresholds_of(three.kb).evidence == moved.proposed
    assert "evidence" in doubts(three, THIRD)


def test_a_threshold_stays_when_later_runs_do_not_bear_it_out(three):
    reported(three, lambda number: number >= 30)  # the thin fix failed only in the earlier half
    done = learn_checks(three.kb, three.encoder, np.random.default_rng(0))
    (kept,) = [one for one in done.checks if one.check == "evidence"]
    assert not kept.adopted
    assert kept.proposed > kept.current
    assert "not shown to cost less" in kept.reason
    assert thresholds_of(three.kb) == Thresholds()
    assert "evidence" not in doubts(three, THIRD)
