"""The review at a terminal of 80 columns, and without one."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kbagent.cli.review import KINDS
from kbagent.usecases.review.items import Kind
from tests.cli.conftest import HOSTILE, Ran, invoke
from tests.fakes.desk import Desk
from tests.usecases.review.conftest import NEAR_FIXES, one_issue, two_halves

PATIENCE = 60  # seconds until a screen must be there, on whatever machine
PROMPT = "? help"


class Terminal:
    """`kbagent` at a terminal of 80 by 24, typed at key by key."""

    def __init__(self, kb: Path, *arguments: str) -> None:
        self.screen, tty = pty.openpty()
        termios.tcsetwinsize(tty, (24, 80))
        self.before = termios.tcgetattr(tty)
        self.tty = tty
        environment = {**os.environ, "KBAGENT_KB": str(kb), "NO_COLOR": "1", "KBAGENT_BY": "ana"}
        environment.pop("COLUMNS", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kbagent", "review", *arguments],
            stdin=tty,
            stdout=tty,
            stderr=tty,
            env=environment,
            start_new_session=True,
        )

    def wait_for(self, words: str) -> str:
        """Everything written until `words` are, and no more for a moment."""
        told = ""
        end = time.monotonic() + PATIENCE
        while words not in told:
            ready, _, _ = select.select([self.screen], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"no {words!r} in {told!r}"
            told += os.read(self.screen, 65536).decode()
        while not self._listens():
            time.sleep(0.01)
        return told.replace("\r\n", "\n")

    def type(self, key: str, until: str = PROMPT) -> str:
        os.write(self.screen, key.encode())
        return self.wait_for(until)

    def end(self) -> int:
        code = self.process.wait(PATIENCE)
        assert termios.tcgetattr(self.tty) == self.before  # the terminal is as it was
        os.close(self.tty)
        os.close(self.screen)
        return code

    def _listens(self) -> bool:
        """Whether it waits for a key, or has ended."""
        raw = not termios.tcgetattr(self.tty)[3] & termios.ICANON
        return raw or self.process.poll() is not None


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A knowledge base with a link, a duplicate and a risk to decide, and a hostile title."""
    desk = Desk(tmp_path_factory.mktemp("doubtful"))
    other = one_issue(8, *((f"{text} {HOSTILE}", "worked") for text in NEAR_FIXES))
    for case in other:
        case["attempts"][0]["by"] = "Uwe"
    halves = two_halves()
    halves[0]["body"] = halves[6]["body"] = HOSTILE
    desk.bring(*halves, *other)
    desk.kb.close()
    return desk.folder / "kb"


@pytest.fixture
def kb(doubtful: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(doubtful, tmp_path / "kb"))


@pytest.fixture
def items(kb: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = invoke("review", "-f", "json", kb=kb).json["items"]
    return found


def decided(kb: Path) -> list[tuple[str, str, bool]]:
    log = invoke("review", "log", "-f", "json", kb=kb).json
    return [(one["item"], one["decision"], one["undone"]) for one in log]


def test_a_session_with_every_key(kb: Path, items: list[dict[str, object]]) -> None:
    keys = [str(one["item"]) for one in items]
    terminal = Terminal(kb)
    first = terminal.wait_for(PROMPT)
    assert f"1 of {len(items)}" in first and str(items[0]["question"]) in first
    lines = first.split("\n")
    assert max(map(len, lines)) <= 80 and len(lines) <= 24
    assert "accept: " in terminal.type("?")
    assert "desk:" in terminal.type("o")
    assert "2 of" in terminal.type("l")
    assert "nothing decided" not in terminal.type("u")  # the putting off is taken back
    assert "2 of" in terminal.type("y")
    assert "1 of" in terminal.type("u")
    assert "2 of" in terminal.type("n")
    assert "1 decided" in terminal.type("q", "decided")
    assert terminal.end() == 0
    said = [("reject", False), ("accept", True), ("later", True)]
    assert decided(kb) == [(keys[0], answer, undone) for answer, undone in said]


def test_it_goes_on_where_it_was_left(kb: Path, items: list[dict[str, object]]) -> None:
    terminal = Terminal(kb)
    terminal.wait_for(PROMPT)
    terminal.type("n")
    terminal.type("\x03", "left")  # Ctrl-C
    assert terminal.end() == 0
    again = Terminal(kb)
    shown = again.wait_for(PROMPT)
    assert str(items[1]["question"]).split()[0] in shown
    assert f"1 of {len(items) - 1}" in shown
    again.type("q", "left")
    assert again.end() == 0


def test_what_is_put_off_comes_once_more_at_the_end(kb: Path, items: list[object]) -> None:
    terminal = Terminal(kb)
    terminal.wait_for(PROMPT)
    for _ in items[1:]:
        terminal.type("l")
    assert f"put off: 1 of {len(items)}" in terminal.type("l")
    for _ in items[1:]:
        terminal.type("l")
    assert f"0 decided, {len(items)} put off.  go on" in terminal.type("l", "kbagent review")
    assert terminal.end() == 0


def test_what_another_person_decides_meanwhile_is_passed_over(
    kb: Path, items: list[dict[str, object]]
) -> None:
    terminal = Terminal(kb)
    terminal.wait_for(PROMPT)
    line = json.dumps({"item": items[0]["item"], "decision": "reject", "by": "bea"})
    assert invoke("review", "apply", "-", kb=kb, stdin=line).code == 0
    shown = terminal.type("y", "2 of")
    assert "was decided meanwhile by bea" in shown
    terminal.type("q", "left")
    assert terminal.end() == 0
    assert decided(kb) == [(str(items[0]["item"]), "reject", False)]


def test_the_kinds_that_can_be_asked_for_are_all() -> None:
    assert tuple(Kind) == KINDS


def test_a_kill_leaves_the_terminal_as_it_was(kb: Path) -> None:
    terminal = Terminal(kb)
    terminal.wait_for(PROMPT)
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end() == 128 + signal.SIGTERM


def test_unknown_keys_and_arrows_decide_nothing(kb: Path) -> None:
    terminal = Terminal(kb)
    terminal.wait_for(PROMPT)
    for key in ("x", "\x1b[A", "\t", "ü"):
        terminal.type(key)
    terminal.type("\x04", "left")  # the end of input
    assert terminal.end() == 0
    assert decided(kb) == []


def test_hostile_text_stays_text(kb: Path) -> None:
    terminal = Terminal(kb)
    shown = terminal.wait_for(PROMPT)
    for _ in range(3):
        shown += terminal.type("o")
    shown += terminal.type("q", "left")
    terminal.end()
    assert "paid[/red]" in shown
    assert "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown
    listed = invoke("review", "-f", "json", kb=kb).out
    assert "\x1b" not in listed and "\u202e" not in listed


def test_without_a_terminal_it_says_what_to_do_instead(kb: Path) -> None:
    ran = invoke("review", kb=kb)
    assert ran.code == 2
    assert "review --format json" in ran.err and "review apply" in ran.err


def test_the_list_says_what_each_answer_will_do(items: list[dict[str, object]]) -> None:
    assert {str(one["kind"]) for one in items} >= {"link", "duplicate", "risk"}
    for one in items:
        assert set(one) == {
            "item", "kind", "question", "about", "evidence", "state", "decisions", "before",
        }  # fmt: skip
        assert isinstance(one["decisions"], dict)
        assert set(one["decisions"]) == {"accept", "reject", "later"}


def test_kind_and_limit_narrow_the_list(kb: Path) -> None:
    found = invoke("review", "--kind", "duplicate", "-f", "json", kb=kb).json["items"]
    assert {one["kind"] for one in found} == {"duplicate"}
    assert len(invoke("review", "--limit", "1", "-f", "jsonl", kb=kb).out.splitlines()) == 1
    assert invoke("review", "--kind", "nonsense", "-f", "json", kb=kb).code == 2


def apply(kb: Path, records: object, *more: str) -> Ran:
    return invoke("review", "apply", "-", *more, kb=kb, stdin=json.dumps(records))


def test_decisions_come_from_a_file_and_go_back(kb: Path, items: list[dict[str, object]]) -> None:
    records = [
        {"item": one["item"], "decision": "reject", "state": one["state"], "reason": "looked"}
        for one in items
    ]
    assert apply(kb, records, "--by", "bea").out == f"{len(items)} decided\n"
    assert "decided so before" in apply(kb, records).out
    assert invoke("review", "-f", "json", kb=kb).json["items"] == []
    log = invoke("review", "log", kb=kb).out
    assert "by bea  (looked)".replace("  ", " ") in log
    for _ in items:
        assert invoke("review", "undo", kb=kb).code == 0
    assert invoke("review", "undo", kb=kb).code == 2
    again = invoke("review", "-f", "json", kb=kb).json["items"]
    assert [one["item"] for one in again] == [one["item"] for one in items]


def test_a_bad_file_names_its_line_and_changes_nothing(
    kb: Path, items: list[dict[str, object]], tmp_path: Path
) -> None:
    file = tmp_path / "decisions.jsonl"
    good = json.dumps({"item": items[0]["item"], "decision": "accept"})
    file.write_text(f"{good}\n\n{{oops\n", encoding="utf-8")
    ran = invoke("review", "apply", str(file), kb=kb)
    assert ran.code == 2 and "line 3" in ran.err and "Nothing was applied" in ran.err
    assert decided(kb) == []


def test_nothing_to_review_is_an_empty_list(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.kb.close()
    ran = invoke("review", "-f", "json", kb=tmp_path / "kb")
    assert ran.json["items"] == [] and ran.code == 0


@pytest.fixture(autouse=True)
def login() -> Iterator[None]:
    """Decisions of these tests are Ana's unless they say otherwise."""
    former = os.environ.get("KBAGENT_BY")
    os.environ["KBAGENT_BY"] = "ana"
    yield
    if former is None:
        del os.environ["KBAGENT_BY"]
    else:
        os.environ["KBAGENT_BY"] = former
