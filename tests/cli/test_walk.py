"""Walking through a problem, a key for each turn."""

from collections.abc import Callable, Iterator

import pytest

from kbagent.cli.walk import Walk
from kbagent.usecases.revise.procedures import edit_steps
from kbagent.usecases.solve.problem import Problem
from kbagent.usecases.solve.running import solve
from kbagent.usecases.solve.trace import Ending, Run
from tests.cli.conftest import invoke
from tests.fakes.desk import Desk, same_as, ticket, tried

PRINTER = "printer in the hall feeds blank labels"
FIRST, SECOND = "restart the spooler on the print host", "swap the worn thermal head for a new one"
STEPS = """
[requires]
[[step]]
do = "stop the spooler"
expect = "its light goes out"
[[step]]
do = "start the spooler"
expect = "a label is printed"
"""


@pytest.fixture
def office(tmp_path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    desk.bring(
        *[
            ticket(f"P{n}", f"{PRINTER} {n}", attempts=[tried(fix)], links=same_as("P0"))
            for n, fix in enumerate([FIRST] * 5 + [SECOND] * 3)
        ]
    )
    yield desk
    desk.kb.close()


def typed(*keys: str) -> Callable[..., str]:
    left = iter(keys)

    def one(_prompt: str = "") -> str:
        return next(left)

    return one


def walk(desk: Desk, keys: str, *lines: str) -> Run:
    first = solve(desk.kb, desk.encoder, Problem(PRINTER))
    assert first.ending is Ending.ANSWER
    return Walk(desk.kb, desk.encoder, "ana", typed(*keys), typed(*lines)).run(first)


def verdicts(desk: Desk) -> list[tuple[str, str]]:
    return desk.rows(
        """SELECT text, verdict FROM outcomes JOIN resolutions ON resolutions.id = resolution_id
        WHERE source = 'explicit' ORDER BY outcomes.id"""
    )


def test_a_fix_that_fails_is_followed_by_the_next_and_both_are_told(office, capsys):
    last = walk(office, "fw", "")
    assert last.chosen is not None
    assert [verdict for _, verdict in verdicts(office)] == ["failed", "worked"]
    assert {text for text, _ in verdicts(office)} == {FIRST, SECOND}
    shown = capsys.readouterr().out
    assert "[w] it worked" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_the_outcome_sits_on_the_case_that_is_named(office):
    walk(office, "w", "desk:P3")
    on = """SELECT external_id FROM outcomes JOIN cases ON cases.id = case_id
        WHERE outcomes.source = 'explicit'"""
    assert office.rows(on) == [("P3",)]


def test_each_step_is_done_or_stuck_and_counted_once(office):
    for (fix,) in office.rows("SELECT id FROM resolutions"):
        edit_steps(office.kb, f"r{fix}", STEPS, by="ana")
    walk(office, "dw", "")
    walk(office, "dsq")
    counted = office.rows(
        "SELECT ordinal, verdict, count(*) FROM step_evidence GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert counted == [(1, "done", 2), (2, "done", 1), (2, "stuck", 1)]


def test_leaving_says_how_to_go_on_and_tells_nothing(office, capsys):
    last = walk(office, "q")
    assert f"kbagent solve --continue {last.handle}" in capsys.readouterr().out
    assert verdicts(office) == []


def test_other_keys_are_asked_again(office, capsys):
    walk(office, "xzq")
    assert capsys.readouterr().out.count("[q] leave") == 3


def test_ctrl_c_leaves_as_q_does(office, capsys):
    first = solve(office.kb, office.encoder, Problem(PRINTER))

    def interrupted() -> str:
        raise KeyboardInterrupt

    assert Walk(office.kb, office.encoder, None, interrupted, typed()).run(first) == first
    assert "--continue" in capsys.readouterr().out


def test_without_a_terminal_it_says_what_to_do_instead(tmp_path):
    ran = invoke("solve", "--walk", "anything", kb=tmp_path)
    assert ran.code == 2
    assert "needs a terminal" in ran.err and "--continue RUN" in ran.err


def test_a_file_that_is_no_text_is_refused(tmp_path, office):
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\x00\x01\x02")
    ran = invoke("solve", "--file", str(path), kb=office.folder / "kb")
    assert ran.code == 1
    assert "no UTF-8 text" in ran.err and ran.out == ""
