"""`policy file`, `edit` and `history` as they are called, with an editor of our own."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kbagent.cli.app import app
from tests.fakes.desk import same_as, ticket, tried
from tests.usecases.revise.charter.conftest import QUERY, Office

PIN = '[[pin]]\nissue = "i1"\nresolution = "r3"\n'


@pytest.fixture
def kb(tmp_path: Path) -> Path:
    office = Office(tmp_path)
    office.ask(QUERY)
    office.kb.close()
    return tmp_path / "kb"


def run(kb: Path, *words: object, code: int = 0, stdin: str | None = None, **env: str) -> str:
    env = {"COLUMNS": "80", "NO_COLOR": "1", "KBAGENT_KB": str(kb), **env}
    done = CliRunner().invoke(app, ["policy", *map(str, words)], input=stdin, env=env)
    assert done.exit_code == code, done.output + str(done.exception)
    return done.output


def editor(tmp_path: Path, text: str) -> str:
    """An editor that leaves this text."""
    script = tmp_path / "editor.py"
    script.write_text(
        f"import sys, pathlib\npathlib.Path(sys.argv[1]).write_text({text!r}, encoding='utf-8')\n"
    )
    return f"{sys.executable} {script}"


def test_what_is_printed_is_applied_without_a_change(kb: Path) -> None:
    printed = run(kb, "file")
    assert "Nothing is different" in run(kb, "edit", "--file", "-", stdin=printed)


def test_what_would_change_is_shown_and_without_a_yes_nothing_is_applied(
    kb: Path, tmp_path: Path
) -> None:
    (tmp_path / "f.toml").write_text(PIN)
    shown = run(kb, "edit", "--file", tmp_path / "f.toml", "--dry-run")
    assert "+ pin: issue" in shown
    assert "of the only lookup 1 would change" in shown.lower()
    assert "r1 → r3" in shown
    assert max(map(len, shown.splitlines())) <= 80
    told = run(kb, "edit", "--file", tmp_path / "f.toml", code=2)
    assert "nobody can be asked here. Add --yes" in told
    assert "r3" not in run(kb, "file")
    assert not (kb / "policy-draft.toml").exists()


def test_it_is_applied_shown_as_a_version_and_taken_back(kb: Path) -> None:
    told = run(kb, "edit", "--file", "-", "--yes", "--by", "ana", stdin=PIN)
    assert "version 2 is in force  (take it back: kbagent policy edit --version 1)" in told
    assert 'resolution = "r3"' in run(kb, "file")
    rows = json.loads(run(kb, "history", "-f", "json"))
    assert [(one["version"], one["by"], one["added"]) for one in rows] == [
        (2, "ana", 1),
        (1, None, 0),
    ]
    assert 'resolution = "r3"' not in run(kb, "file", "--version", 1)
    run(kb, "edit", "--version", 1, "--yes")
    assert 'resolution = "r3"' not in run(kb, "file")
    assert max(map(len, run(kb, "history").splitlines())) <= 80


def test_a_mistake_in_the_editor_keeps_the_text_and_says_where(kb: Path, tmp_path: Path) -> None:
    text = PIN + "[[forbid]]\nresolution = 'r99'\n"
    told = run(kb, "edit", code=2, EDITOR=editor(tmp_path, text))
    draft = kb / "policy-draft.toml"
    assert "line 5: there is no resolution 'r99'" in " ".join(told.split())
    assert str(draft) in told.replace("\n", "")
    assert draft.read_text() == text
    assert draft.stat().st_mode & 0o777 == 0o600
    draft.write_text(PIN)
    run(kb, "edit", "--file", draft, "--yes")
    assert not draft.exists()


def test_an_editor_that_changes_nothing_applies_nothing(kb: Path) -> None:
    assert "Nothing is different" in run(kb, "edit", EDITOR="true")
    assert "No policy file was applied yet" in run(kb, "history")


def test_an_empty_file_takes_no_rules_back(kb: Path) -> None:
    run(kb, "edit", "--file", "-", "--yes", stdin=PIN)
    assert "is empty, so nothing was applied" in run(
        kb, "edit", "--file", "-", code=2, stdin="# x\n"
    )
    assert 'resolution = "r3"' in run(kb, "file")
    run(kb, "edit", "--file", "-", "--yes", stdin="[limits]\n")
    assert 'resolution = "r3"' not in run(kb, "file")


def test_what_cannot_be_meant_is_refused(kb: Path) -> None:
    assert "either --file or --version" in run(kb, "edit", "--file", "x", "--version", 1, code=2)
    assert "version 7" in run(kb, "file", "--version", 7, code=2)
    run(kb, "edit", "--file", kb / "absent.toml", code=1)


def test_titles_from_tickets_can_do_no_harm_in_the_file(tmp_path: Path) -> None:
    office = Office(tmp_path)
    evil = 'x\x1b[2J"\n[[forbid]]\nresolution = "r1" \u202e'
    office.bring(
        ticket("e", evil, attempts=[tried(f"{evil} fix")]),
        ticket("f", evil, attempts=[tried(f"{evil} fix")], links=same_as("e")),
    )
    home = office.one(
        "SELECT issue_id FROM memberships JOIN cases ON cases.id = case_id WHERE external_id = 'e'"
    )
    office.kb.close()
    pin = f'[[pin]]\nissue = "i{home}"\nresolution = "r5"\n'
    run(tmp_path / "kb", "edit", "--file", "-", "--yes", stdin=pin)
    printed = run(tmp_path / "kb", "file")
    assert "\x1b" not in printed
    assert "\u202e" not in printed
    assert "Nothing is different" in run(tmp_path / "kb", "edit", "--file", "-", stdin=printed)
