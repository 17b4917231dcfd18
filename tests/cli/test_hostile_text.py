"""Ticket text may try anything: it is found, shown and exported as text only."""

import csv
import io
import json
import re

import pytest
from rich.cells import cell_len

from tests.cli.conftest import HOSTILE, spawn, write_export
from tests.fakes.desk import ticket, tried

pytestmark = pytest.mark.model

ACTS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
QUERIES = [
    '"unbalanced',
    "a AND NOT (b OR",
    "NEAR/3 col:umn ^caret *",
    "title:x -y +z ~2",
    "'; DROP TABLE cases; --",
    "[red]paid[/red] \x1b[2J",
    "\\ / | & % _ * ? { } [ ]",
    "😀" * 50,
    "\u202e\u0000\ufeff x",
    HOSTILE,
]


@pytest.mark.parametrize("query", QUERIES)
def test_no_query_is_a_command(kbagent, query):
    ran = kbagent("search", query)
    assert ran.code in (0, 3)
    assert not ACTS.search(ran.out.replace("\n", ""))


def test_a_terminal_sees_no_escape_and_markup_stays_text(kbagent):
    ran = kbagent("search", "paid HYPERLINK evil", "--all", "--full")
    assert "desk:4" in ran.out
    assert "[red]paid[/red] =HYPERLINK" in ran.out
    assert not ACTS.search(ran.out.replace("\n", ""))


@pytest.mark.parametrize("handle", ["desk:4", "r4"])
def test_show_is_as_harmless(kbagent, handle):
    ran = kbagent("show", handle)
    assert ran.code == 0
    assert not ACTS.search(ran.out.replace("\n", ""))
    assert "[red]paid[/red]" in ran.out


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_json_keeps_the_text_and_escapes_what_a_terminal_would_act_on(kbagent, form):
    out = kbagent("search", "paid HYPERLINK evil", "-n", "1", "-f", form).out
    assert not ACTS.search(out.replace("\n", ""))
    answer = json.loads(out)
    issue = answer["issues"][0] if form == "json" else answer
    assert issue["instances"][0]["title"] == HOSTILE


def test_a_spreadsheet_sees_text_and_no_formula(kbagent, kb, tmp_path):
    export = write_export(
        tmp_path / "f.jsonl",
        ticket("f", "=HYPERLINK(1) zebra", attempts=[tried("@SUM(1+9)*cmd|' /C calc'!A0")]),
    )
    kbagent("import", str(export))
    out = kbagent("search", "zebra hyperlink", "-n", "1", "-f", "csv").out
    row = next(csv.DictReader(io.StringIO(out)))
    assert row["title"].startswith("'=HYPERLINK") and row["text"].startswith("'@SUM")


def test_markdown_cells_stay_cells(kbagent, tmp_path):
    export = write_export(
        tmp_path / "m.jsonl", ticket("m", "zebra | <script>alert(1)</script> [x](javascript:y)")
    )
    kbagent("import", str(export))
    line = kbagent("search", "zebra script", "-n", "1", "-f", "md").out.splitlines()[2]
    assert "<script" not in line and "[x]" not in line.replace("\\[x]", "")
    assert len(re.findall(r"(?<!\\)\|", line)) == 14


def test_a_word_of_a_megabyte_nul_and_half_surrogates_come_in_and_are_found(kb, tmp_path):
    """In a process of its own, because there text is really encoded on its way out."""
    long = ticket("long", "megaword zebra", "x" * 1_000_000, attempts=[tried("cut " + "y" * 10**6)])
    broken = json.dumps(ticket("half", "zebra half surrogate AAA and nul BBB"))
    broken = broken.replace("AAA", "\\ud83d").replace("BBB", "\\u0000")
    export = write_export(tmp_path / "odd.jsonl", long, broken)
    assert spawn("import", str(export), kb=kb).code == 0
    for form in ("table", "json", "csv"):
        ran = spawn("search", "zebra half surrogate", "-n", "2", "-f", form, kb=kb)
        assert ran.code in (0, 3), ran.err
        assert "half surrogate" in ran.out
    found = spawn("search", "megaword zebra", kb=kb).out
    assert "desk:long" in found
    assert max(map(len, found.splitlines())) <= 80
    assert spawn("show", "desk:half", kb=kb).code == 0


@pytest.mark.parametrize("columns", [80, 140])
@pytest.mark.parametrize(
    "arguments",
    [
        ("search", "labels stay in the printer queue", "-n", "9"),
        ("search", "labels", "--all", "--full", "--explain"),
        ("show", "desk:1"),
        ("show", "desk:4"),
        ("show", "desk:5"),
        ("show", "r1"),
        ("show", "i1"),
        ("worked", "r1"),
        ("feedback", "list", "--all"),
        ("feedback", "pending"),
    ],
)
def test_no_line_is_wider_than_the_terminal(kbagent, arguments, columns):
    kbagent("search", "印刷できません " * 20)
    ran = kbagent(*arguments, COLUMNS=str(columns))
    assert ran.code == 0
    assert max(cell_len(line) for line in ran.out.splitlines()) <= columns
