"""`case edit|undo` and `resolution edit` as they are called."""

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Ran, invoke

pytestmark = pytest.mark.model


@pytest.fixture
def kb(tmp_path: Path) -> Path:
    done = invoke(
        "add", "Printer hangs", "--id", "S-1", "--body", "It hangs.", "--resolution", "Reset it",
        "--tried", "Wait", "--facet", "version=4.2", kb=tmp_path / "kb",
    )  # fmt: skip
    assert done.code == 0, done.err
    return tmp_path / "kb"


def told(kb: Path) -> dict[str, object]:
    found = json.loads(invoke("show", "local:S-1", "-f", "json", kb=kb).out)
    return {**found["case"], "facets": found["facets"], "corrections": found["corrections"]}


def editor(tmp_path: Path, before: str, after: str) -> str:
    """An editor that replaces one text by another."""
    script = tmp_path / "editor.py"
    script.write_text(
        "import sys, pathlib\npath = pathlib.Path(sys.argv[1])\n"
        f"path.write_text(path.read_text().replace({before!r}, {after!r}))\n"
    )
    return f"{sys.executable} {script}"


def test_a_case_is_put_right_shown_and_taken_back(kb: Path) -> None:
    done = invoke("case", "edit", "local:S-1", "--set", "version=4.3", "--by", "ana", kb=kb)
    assert "column version put right  (take it back: kbagent case undo" in done.out
    assert told(kb)["facets"] == [["version", "4.3"]]
    shown = invoke("show", "local:S-1", kb=kb).out
    assert "edited by ana" in shown
    assert max(map(len, shown.splitlines())) <= 80
    number = told(kb)["corrections"][0]["number"]  # type: ignore[index]
    assert invoke("case", "undo", str(number), kb=kb).code == 0
    assert told(kb)["facets"] == [["version", "4.2"]]


def test_in_an_editor(kb: Path, tmp_path: Path) -> None:
    env = {"EDITOR": editor(tmp_path, "Printer hangs", "Plotter hangs")}
    assert "title put right" in invoke("case", "edit", "local:S-1", kb=kb, **env).out
    assert told(kb)["title"] == "Plotter hangs"
    assert "Nothing is different" in invoke("case", "edit", "local:S-1", kb=kb, EDITOR="true").out


def test_a_draft_that_cannot_be_read_is_kept_and_can_be_gone_on_with(
    kb: Path, tmp_path: Path
) -> None:
    env = {"EDITOR": editor(tmp_path, 'verdict = "worked"', 'verdict = "splendid"')}
    done = invoke("case", "edit", "local:S-1", kb=kb, **env)
    assert done.code == 2
    assert "verdict cannot be 'splendid'" in done.err
    draft = kb / "case-draft.toml"
    assert str(draft) in done.err
    draft.write_text(draft.read_text().replace("splendid", "partly"))
    done = invoke("case", "edit", "local:S-1", "--file", str(draft), kb=kb)
    assert "resolution r2 put right" in done.out
    assert not draft.exists()


def test_a_draft_for_scripts_changes_only_what_it_names(kb: Path) -> None:
    done = invoke("case", "edit", "local:S-1", "--file", "-", kb=kb, stdin="title = 'Plotter'\n")
    assert "title put right" in done.out
    assert (told(kb)["title"], told(kb)["body"]) == ("Plotter", "It hangs.")


def test_a_wording_is_put_right_and_taken_back(kb: Path) -> None:
    done = invoke("resolution", "edit", "r2", "--text", "Reset the spooler", "--name", "R", kb=kb)
    assert "r2 says now: Reset the spooler" in done.out
    assert "R: Reset the spooler" in invoke("show", "r2", kb=kb).out
    number = done.out.rsplit("undo ", 1)[1].rstrip(")\n")
    assert invoke("resolution", "undo", number, kb=kb).code == 0
    assert "R: Reset it" in invoke("show", "r2", kb=kb).out


@pytest.mark.parametrize(
    "words",
    [
        ("case", "edit", "local:none", "--set", "title=x"),
        ("case", "edit", "local:S-1", "--set", "nonsense=x"),
        ("case", "edit", "local:S-1", "--set", "title=x", "--file", "-"),
        ("case", "undo", "99"),
        ("resolution", "edit", "r9", "--text", "x"),
        ("resolution", "edit", "r2", "--text", ""),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(kb: Path, words: tuple[str, ...]) -> None:
    done: Ran = invoke(*words, kb=kb, stdin="")
    assert (done.code, done.out) == (2, "")
