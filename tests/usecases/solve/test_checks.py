"""What the checks were worth, from runs with an outcome."""

import numpy as np
import pytest

from kbagent.usecases.learn.checks import (
    EXPLAINED,
    check_statistics,
    learn_checks,
    sightings,
)
from kbagent.usecases.solve.problem import Problem
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
