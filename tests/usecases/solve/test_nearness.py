"""An issue that holds two problems, by a wrong link: the fix of the other one is not answered."""

import json

import pytest

from kbagent.core.verification.checks import tried_nearby
from kbagent.store.encoder.session import load_encoder
from kbagent.usecases.solve.problem import Problem, Thresholds, keep_thresholds
from kbagent.usecases.solve.running import solve
from kbagent.usecases.solve.trace import Run, Stage
from tests.fakes.desk import Desk, same_as, ticket, tried

PRINTER, MAIL = "printer feeds blank labels", "mail gateway refuses attachments"
DRUM, ZIP = "replace the toner drum", "allow zip files"


@pytest.fixture
def mixed(desk: Desk) -> Desk:
    """Five printers, on three of which the drum helped, and twelve mails, all linked together."""
    printers = [
        ticket(
            f"p{n}",
            f"{PRINTER} in room {n}",
            attempts=[tried(DRUM, "worked" if n < 3 else "failed")],
            facets={"version": "4.2"},
            links=same_as("p0") if n else [],
        )
        for n in range(5)
    ]
    mails = [
        ticket(f"m{n}", f"{MAIL} of {n}", attempts=[tried(ZIP)], facets={"version": "4.3"},
               links=same_as("p0"))
        for n in range(12)
    ]  # fmt: skip
    desk.bring(*printers, *mails)
    assert desk.one("SELECT count(DISTINCT issue_id) FROM memberships") == 1
    return desk


def ask(desk: Desk, text: str) -> Run:
    return solve(desk.kb, desk.encoder, Problem(text))


def chosen(run: Run) -> str | None:
    return None if run.chosen is None else run.chosen.text


def test_the_fix_of_the_problem_at_hand_is_chosen_and_the_alarm_is_told(mixed: Desk) -> None:
    assert chosen(solve(mixed.kb, mixed.encoder, Problem(PRINTER, checked=False))) == ZIP
    run = ask(mixed, PRINTER)
    step = next(one for one in run.steps if one.stage is Stage.CHOOSE)
    assert chosen(run) == DRUM
    assert [one.name for one in step.caught] == ["tried-nearby"]


def test_what_worked_on_this_version_for_the_other_problem_does_not_count(mixed: Desk) -> None:
    told = Problem(PRINTER, told=(("version", "4.3"),))
    assert chosen(solve(mixed.kb, mixed.encoder, told)) == DRUM


def test_the_threshold_changes_the_choice(mixed: Desk) -> None:
    keep_thresholds(mixed.kb, Thresholds(nearness=0.0))
    assert chosen(ask(mixed, PRINTER)) == ZIP


@pytest.mark.parametrize(
    ("mine", "nearest", "other", "ok"),
    [(0.37, 0.9, 7, True), (0.35, 0.9, 7, False), (0.0, 0.9, None, True), (0.0, 0.0, 7, True)],
)
def test_near_is_four_tenths_of_the_nearest_success_where_another_worked(
    mine: float, nearest: float, other: int | None, *, ok: bool
) -> None:
    assert tried_nearby(mine, nearest, other).ok is ok


@pytest.mark.model
def test_a_case_kept_from_a_run_has_what_was_read_and_nothing_that_was_guessed(desk: Desk) -> None:
    desk.encoder = load_encoder()  # type: ignore[assignment]
    facets = {"version": "4.3", "os": "Windows 11"}
    desk.bring(*[ticket(str(n), f"{PRINTER} {n}", attempts=[tried(DRUM)], facets=facets,
                        links=same_as("0") if n else []) for n in range(6)])  # fmt: skip
    for case, version in (("read", "4.3"), ("guessed", "4.31")):
        run = ask(desk, f"{PRINTER}. Version {version} on Windows 11.")
        assert ("version", "4.3") in run.facets
        desk.say("worked", run.handle, "r1", case=f"desk:{case}")
    found = dict(desk.rows("SELECT external_id, facets FROM cases WHERE source = 'desk'"))
    assert dict(json.loads(found["read"])) == facets
    assert dict(json.loads(found["guessed"])) == {"os": "Windows 11"}
