"""`doctor`, `backup`, `restore`, `export` as they are called: exit codes, contracts, screens."""

import csv
import io
import json

import pytest
from typer.testing import CliRunner

from kbagent.cli.app import app
from kbagent.store.knowledge_base import create_knowledge_base, open_knowledge_base
from kbagent.usecases.maintain.diagnosis import CHECKS
from tests.fakes.bases import bring_in, filled


@pytest.fixture
def run():
    def call(*words, code=0):
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == code, result.output + str(result.exception)
        return result.stdout

    return call


@pytest.fixture
def empty(tmp_path):
    create_knowledge_base(tmp_path / "kb").close()
    return tmp_path / "kb"


def test_doctor_on_a_sound_one(run, empty):
    shown = run("doctor", "--kb", empty)
    assert "Everything is whole." in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_doctor_for_a_script(run, empty):
    told = json.loads(run("doctor", "--kb", empty, "--format", "json"))
    assert told["damaged"] is False
    assert [one["name"] for one in told["checks"]] == [check.name for check in CHECKS]
    assert {one["state"] for one in told["checks"]} <= {"sound", "note"}


def test_doctor_exits_with_6_while_damage_remains(run, empty):
    with open_knowledge_base(empty) as kb:
        kb.connection.execute("CREATE TRIGGER evil AFTER INSERT ON cases BEGIN SELECT 1; END")
    assert "trigger evil is not ours" in run("doctor", "--repair", "--kb", empty, code=6)


def test_doctor_on_no_database_exits_with_6(run, empty):
    (empty / "kb.db").write_bytes(b"x" * 9000)
    run("doctor", "--kb", empty, code=6)


def test_backup_and_restore(run, empty, tmp_path):
    assert "Backed up" in run("backup", tmp_path / "b.gz", "--kb", empty)
    run("restore", tmp_path / "b.gz", "--kb", empty, code=2)
    run("restore", tmp_path / "b.gz", "--kb", empty, "--force")
    told = run("restore", tmp_path / "b.gz", "--kb", tmp_path / "new", "--format", "json")
    assert json.loads(told)["cases"] == 0
    run("restore", tmp_path / "absent", "--kb", tmp_path / "other", code=1)


def test_export_and_restore(run, tmp_path):
    filled(tmp_path / "kb", 6).close()
    assert "6 cases" in run("export", "kb", tmp_path / "all.jsonl.gz", "--kb", tmp_path / "kb")
    assert "6 cases" in run("restore", tmp_path / "all.jsonl.gz", "--kb", tmp_path / "new")


def test_exported_cases_can_be_imported_again(run, tmp_path):
    filled(tmp_path / "kb", 8).close()
    lines = run("export", "cases", "--kb", tmp_path / "kb")
    (tmp_path / "cases.jsonl").write_text(lines)
    with create_knowledge_base(tmp_path / "again") as kb:
        bring_in(kb, tmp_path / "cases.jsonl")
    assert run("export", "cases", "--kb", tmp_path / "again") == lines


def test_formulas_are_text_in_a_csv_and_markup_in_markdown(run, tmp_path):
    row = {
        "source": "desk",
        "external_id": "1",
        "title": '=HYPERLINK("http://x")',
        "body": "+1 <b>\x1b[31m|",
        "attempts": [{"text": "@SUM(A1)", "verdict": "worked"}],
        "facets": [],
    }
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    with create_knowledge_base(tmp_path / "kb") as kb:
        bring_in(kb, tmp_path / "rows.jsonl")
    shown = run("export", "cases", "-f", "csv", "--kb", tmp_path / "kb")
    (cells,) = list(csv.DictReader(io.StringIO(shown)))
    assert cells["title"].startswith("'=")
    assert cells["tried"] == "'@SUM(A1)"
    assert cells["body"] == "'+1 |"
    assert "\x1b" not in shown
    assert "<b>" not in run("export", "cases", "-f", "md", "--kb", tmp_path / "kb")
    run("export", "cases", "-f", "table", "--kb", tmp_path / "kb", code=2)
