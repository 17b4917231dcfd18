"""Issues that are nearly one: found by their cases, told apart by people, one in a vote."""

import pytest

from kbagent.store import models
from kbagent.usecases.learn import confidence
from kbagent.usecases.retain.relatives import relatives_among, rows_of, told_apart
from kbagent.usecases.revise import families
from kbagent.usecases.revise.rules import Remark, require_human
from kbagent.usecases.solve.problem import Problem
from kbagent.usecases.solve.running import solve
from tests.fakes.desk import Desk
from tests.usecases.review.conftest import BLANK, two_halves


@pytest.fixture
def halves(desk: Desk) -> Desk:
    desk.bring(*two_halves())
    return desk


def issue_of(desk: Desk, case: str) -> int:
    sql = """SELECT issue_id FROM memberships JOIN cases ON cases.id = case_id
        WHERE external_id = ?"""
    return int(desk.one(sql, case))


def both(desk: Desk) -> tuple[int, ...]:
    return tuple(sorted((issue_of(desk, "a0"), issue_of(desk, "b0"))))


def relatives(desk: Desk) -> tuple[tuple[int, int], ...]:
    model = models.active(desk.kb.connection)
    assert model is not None
    placed = desk.rows("SELECT case_id, issue_id FROM memberships ORDER BY case_id")
    rows = rows_of(desk.kb.connection, model.id, [(case, issue) for case, issue in placed])
    assert rows is not None
    return relatives_among(desk.kb.connection, rows, 100)


def test_two_halves_of_one_problem_are_the_only_relatives(halves):
    assert issue_of(halves, "a0") != issue_of(halves, "b0")
    assert relatives(halves) == (both(halves),)


def test_what_people_told_apart_is_never_related(halves):
    families.unlink(halves.kb, "desk:a0", "desk:b0")
    assert frozenset(both(halves)) in told_apart(halves.kb.connection)
    assert relatives(halves) == ()


def test_a_case_recognised_as_a_relative_of_its_issue_is_recognised_rightly(halves):
    related = confidence.replayed(halves.kb)
    families.unlink(halves.kb, "desk:a0", "desk:b0")
    apart = confidence.replayed(halves.kb)
    assert related.kin and not apart.kin
    assert related.right.sum() > apart.right.sum()


def test_the_halves_do_not_vote_against_each_other(halves):
    learned = confidence.learn_confidence(halves.kb, halves.encoder)
    one, other = both(halves)
    assert learned.relatives == {one: {other}, other: {one}}
    sure = solve(halves.kb, halves.encoder, Problem(BLANK), log=False).known
    families.unlink(halves.kb, "desk:a0", "desk:b0")
    assert confidence.certain_of(halves.kb).relatives == {}  # at once
    confidence.learn_confidence(halves.kb, halves.encoder)
    assert confidence.certain_of(halves.kb).relatives == {}
    unsure = solve(halves.kb, halves.encoder, Problem(BLANK), log=False).known
    assert sure is not None and unsure is not None
    assert sure.confidence > unsure.confidence


def test_a_person_is_required_for_a_relative_of_what_people_named(halves):
    confidence.learn_confidence(halves.kb, halves.encoder)
    free = solve(halves.kb, halves.encoder, Problem(BLANK), log=False)
    assert free.known is not None and free.known.issue_id == issue_of(halves, "a0")
    require_human(halves.kb, Remark(queue="legal"), issue=f"i{issue_of(halves, 'b0')}")
    held = solve(halves.kb, halves.encoder, Problem(BLANK), log=False)
    assert (str(held.ending), held.handed_to) == ("hand-over", "legal")


def test_a_relative_with_a_fix_speaks_where_the_winner_has_none(halves):
    confidence.learn_confidence(halves.kb, halves.encoder)
    home = issue_of(halves, "a0")
    halves.kb.connection.execute(
        """UPDATE attempts SET verdict = 'unknown' WHERE case_id IN
            (SELECT case_id FROM memberships WHERE issue_id = ?)""",
        (home,),
    )
    run = solve(halves.kb, halves.encoder, Problem(BLANK), log=False)
    assert run.known is not None and run.known.issue_id == issue_of(halves, "b0")
