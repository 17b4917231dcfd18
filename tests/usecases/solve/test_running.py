"""The steps of a run on small knowledge bases whose every case is known."""

import pytest

from kbagent.errors import BadValue, UnknownHandle, UsageError
from kbagent.model.filters import Filter, FilterOperator
from kbagent.store import deviations, runs
from kbagent.usecases.revise.freezing import freeze
from kbagent.usecases.revise.procedures import edit_steps, steps_of
from kbagent.usecases.revise.rules import Remark, pin
from kbagent.usecases.solve.continuing import go_on
from kbagent.usecases.solve.problem import Problem
from kbagent.usecases.solve.running import solve
from kbagent.usecases.solve.trace import Ending, Run, Stage
from tests.fakes.desk import Desk, same_as, ticket, tried

PRINTER = "printer feeds blank labels after the update of the driver"
MAIL = "mail client loses the connection to the exchange server"
FIX, OTHER = "reinstall the label driver", "replace the print head"


@pytest.fixture
def office(desk: Desk) -> Desk:
    """Two problems of eight cases each; the printer's has two fixes that differ by version."""
    printers = [
        ticket(
            f"P{n}",
            f"{PRINTER} number {n}",
            attempts=[tried(FIX) if n < 6 else tried(OTHER, "partly")],
            links=same_as("P0") if n else [],
            facets={"version": "4.2" if n < 6 else "4.3", "os": "Windows 11"},
        )
        for n in range(8)
    ]
    mails = [
        ticket(
            f"M{n}",
            f"{MAIL} number {n}",
            attempts=[tried("renew the server certificate")],
            links=same_as("M0") if n else [],
            facets={"version": "4.2", "os": "macOS 14"},
        )
        for n in range(8)
    ]
    desk.bring(*printers, *mails)
    return desk


def work(desk: Desk, text: str, **options: object) -> Run:
    return solve(desk.kb, desk.encoder, Problem(text, **options))  # type: ignore[arg-type]


TRIED = f"{PRINTER}. We already reinstalled the label driver."


def check_names(run: Run, stage: Stage, *, caught: bool = False) -> set[str]:
    step = next(one for one in run.steps if one.stage is stage)
    return {one.name for one in (step.caught if caught else step.failed)}


def test_a_known_problem_is_answered_and_the_run_is_a_lookup(office):
    run = work(office, PRINTER)
    assert run.ending is Ending.ANSWER
    assert [str(one.stage) for one in run.steps] == [
        "read",
        "recognise",
        "choose",
        "verify",
        "answer",
    ]
    assert office.one("SELECT kind FROM lookups WHERE handle = ?", run.handle) == "solve"
    assert office.say("worked", run.handle, "1").text == run.chosen.text


def test_the_version_in_the_text_chooses_the_fix_that_worked_on_it(office):
    assert work(office, f"{PRINTER}, version 4.2").chosen.text == FIX
    assert work(office, f"{PRINTER}, version 4.3").chosen.text == OTHER


def test_a_version_nobody_has_seen_is_read_as_the_nearest_known_one(office):
    run = work(office, f"{PRINTER}, version 4.30")
    assert "vocabulary" in check_names(run, Stage.READ, caught=True)
    assert ("version", "4.3") in run.facets
    assert run.chosen.text == OTHER


def test_where_options_contradict_the_text_the_text_is_believed(office):
    wrong = Filter("version", FilterOperator.EQUAL, "4.2")
    run = work(office, f"{PRINTER}, version 4.3", filters=(wrong,))
    assert "contradiction" in check_names(run, Stage.READ, caught=True)
    assert [value for name, value in run.facets if name == "version"] == ["4.3"]
    assert run.chosen.text == OTHER


def test_a_misspelt_filter_becomes_the_known_value(office):
    wrong = Filter("os", FilterOperator.EQUAL, "Windws 11")
    run = work(office, PRINTER, filters=(wrong,))
    assert ("os", "Windows 11") in run.facets
    assert run.ending is Ending.ANSWER


def test_what_the_ticket_says_was_tried_is_not_answered(office):
    run = work(office, TRIED)
    assert run.chosen.text == OTHER
    assert "already-tried" in check_names(run, Stage.CHOOSE, caught=True)


def test_two_problems_in_one_ticket_are_told_apart_or_asked_about(office):
    run = work(office, f"{PRINTER} number 3. Also {MAIL} number 2.")
    seen = check_names(run, Stage.RECOGNISE) | check_names(run, Stage.RECOGNISE, caught=True)
    assert "one-problem" in seen


def test_without_checks_nothing_is_corrected(office):
    run = work(office, TRIED, checked=False)
    assert run.chosen.text == FIX
    assert all(not one.corrections for one in run.steps)


def test_a_stored_case_is_no_evidence_for_itself(office):
    case_id = office.one("SELECT id FROM cases WHERE external_id = 'P3'")
    run = work(office, f"{PRINTER} number 3", case_id=case_id)
    assert run.chosen.tried == 5.0
    assert "desk:P3" not in run.known.instances


def test_an_empty_knowledge_base_hands_over(desk):
    run = work(desk, PRINTER)
    assert (run.ending, run.known, run.chosen) == (Ending.HAND_OVER, None, None)


def test_failed_checks_are_rows_with_their_corrections(office):
    run = work(office, TRIED)
    stored = runs.stored_run(office.kb.connection, run.handle)
    found = {one.name: one for one in deviations.of_run(office.kb.connection, stored.id)}
    assert (found["already-tried"].correction, found["already-tried"].kept) == ("next-best", True)


def test_a_later_success_of_another_issue_blames_recognition(office):
    run = work(office, PRINTER)
    other = office.one("SELECT id FROM resolutions WHERE text LIKE 'renew%'")
    office.say("worked", run.handle, f"r{other}")
    assert runs.stored_run(office.kb.connection, run.handle).fault == "recognise"


STEPS = """
[[step]]
do = "Uninstall the driver"
expect = "The printer is gone"

[[step]]
do = "Install it again"
expect = "A test label prints"
"""


def test_the_steps_of_a_resolution_are_walked_and_counted(office):
    fix = f"r{office.one('SELECT id FROM resolutions WHERE text = ?', FIX)}"
    assert edit_steps(office.kb, fix, STEPS, by="ana") == 2
    first = work(office, f"{PRINTER}, version 4.2")
    assert first.chosen.step == 1
    second = go_on(office.kb, office.encoder, first.handle)
    assert (second.chosen.step, second.continues) == (2, first.handle)
    assert second.chosen.steps[1] == ("Install it again", "A test label prints")
    go_on(office.kb, office.encoder, first.handle)  # told twice, counted once
    third = go_on(office.kb, office.encoder, second.handle, [("step", "stuck")])
    assert third.chosen is None or third.chosen.text != FIX
    assert [one[2:] for one in steps_of(office.kb, fix).steps] == [(1, 0), (0, 1)]
    assert office.say("worked", second.handle, "1").text == FIX


def test_steps_that_are_no_toml_are_refused(office):
    fix = f"r{office.one('SELECT id FROM resolutions WHERE text = ?', FIX)}"
    with pytest.raises(BadValue):
        edit_steps(office.kb, fix, "[[step]\n")
    with pytest.raises(BadValue):
        edit_steps(office.kb, fix, "[[todo]]\nx = 1\n")
    edit_steps(office.kb, fix, STEPS)
    for mistyped in ('text = "Open it"', 'expect = "it opens"', 'do = "Open"\nexpects = "it"'):
        with pytest.raises(BadValue, match="step 1"):
            edit_steps(office.kb, fix, f"[[step]]\n{mistyped}\n")
    assert len(steps_of(office.kb, fix).steps) == 2


def test_a_question_must_be_answered_and_a_run_must_exist(office):
    run = work(office, "broken")
    assert run.ending is Ending.ASK
    with pytest.raises(UsageError):
        go_on(office.kb, office.encoder, run.handle)
    with pytest.raises(UnknownHandle):
        go_on(office.kb, office.encoder, "nosuch")
    again = go_on(office.kb, office.encoder, run.handle, [("text", PRINTER)])
    assert again.ending is Ending.ANSWER


def printers(desk: Desk, *told: tuple[str, str, str]) -> None:
    """Cases of the printer's issue: (fix, verdict, version) each, in this order of time."""
    desk.bring(
        *(
            ticket(
                f"P{n}",
                f"{PRINTER} number {n}",
                attempts=[
                    tried(fix, verdict, at=f"2025-{1 + n // 25:02}-{1 + n % 25:02}T10:00:00Z")
                ],
                links=same_as("P0") if n else [],
                facets={"version": version},
            )
            for n, (fix, verdict, version) in enumerate(told)
        )
    )


def test_a_fix_that_fails_on_a_later_version_is_answered_on_the_earlier_one(desk):
    printers(
        desk,
        *[(FIX, "worked", "4.1")] * 12,
        *[("renew the certificate", "worked", "4.1")] * 2,
        *[(FIX, "failed", "4.3")] * 6,
        *[(OTHER, "worked", "4.3")] * 3,
    )
    assert work(desk, f"{PRINTER}, version 4.1").chosen.text == FIX
    late = work(desk, f"{PRINTER}, version 4.3")
    assert late.chosen is None or late.chosen.text == OTHER


def test_that_other_fixes_worked_too_says_nothing_against_the_choice(desk):
    """The nearest case's fix is chosen on every other case too, where another one was tried."""
    others = [fix for fix in (FIX, OTHER) for _ in range(2)]
    printers(desk, *[(fix, "worked", "4.1") for fix in ("restart the print server", *others)])
    run = work(desk, f"{PRINTER} number 0")
    assert [one.output for one in run.steps if one.stage is Stage.VERIFY] == [
        "its choice was not tried on these 4"
    ]
    assert run.ending is Ending.ANSWER, run.reason
    assert "known-good" not in check_names(run, Stage.VERIFY)


THIRD = "exchange the network cable of the printer"


def test_what_replaced_a_failed_fix_and_worked_is_tried_first_the_next_time(desk):
    """The ranking prefers what worked more often; here it was the other that helped."""
    printers(
        desk,
        *[(FIX, "worked", "4.3")] * 9,
        *[(OTHER, "worked", "4.3")] * 6,
        *[(THIRD, "worked", "4.3")] * 2,
    )
    text = f"{PRINTER}, version 4.3. We already tried to {FIX}."
    first = work(desk, text)
    assert first.chosen is not None and first.chosen.text == OTHER
    second = go_on(desk.kb, desk.encoder, first.handle)
    assert second.chosen is not None and second.chosen.text == THIRD
    desk.say("worked", second.handle, "1")
    again = work(desk, text)
    assert again.chosen is not None and again.chosen.text == THIRD
    choice = next(one for one in again.steps if one.stage is Stage.CHOOSE)
    assert [one.remembered for one in choice.corrections if one.check == "already-tried"] == [True]
    fix = desk.one("SELECT id FROM resolutions WHERE text = ?", OTHER)
    pin(desk.kb, f"i{again.known.issue_id}", f"r{fix}", Remark(by="ana"))
    assert work(desk, text).chosen.text == OTHER  # people outrank what is remembered


def test_a_number_speaks_only_of_what_the_run_showed(office):
    answered = work(office, PRINTER)
    with pytest.raises(UsageError, match=r"showed one resolution, \[1\]"):
        office.say("worked", answered.handle, "2")
    unsure = work(office, "strange noises come out of the aquarium")
    assert unsure.ending is not Ending.ANSWER
    with pytest.raises(UsageError, match="showed no resolution"):
        office.say("worked", unsure.handle, "1")
    assert office.one("SELECT count(*) FROM outcomes WHERE source = 'explicit'") == 0


def test_a_frozen_order_is_said_with_the_rule_that_froze_it(office):
    run = work(office, PRINTER)
    assert not any("frozen" in one.text for one in run.explanation)
    rule, _ = freeze(office.kb, f"i{run.known.issue_id}", by="ana")
    said = [one for one in work(office, PRINTER).explanation if "frozen" in one.text]
    assert [one.refs for one in said] == [(f"i{run.known.issue_id}", f"rule {rule}")]
