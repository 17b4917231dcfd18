"""Generic files, encodings, limits, bad rows, whole-file errors, and the guessed mapping."""

import gzip
import io
import json
import random
import sys
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pytest

from kbagent.errors import BadMapping, BadValue, UnknownFormat, UnreadableFile
from kbagent.model.case import CaseStatus, Verdict
from kbagent.store.readers import limits, open_export, show_mapping

from .conftest import Reading, facets

GENERIC = (
    "ticket_id,subject,description,status,created_at,resolved_at,resolution,product,version\n"
    "01234,Crash,It crashes,closed,2024-01-05,2024-01-06,Updated the driver,Mail,1.10\n"
    "01235,Hang,It hangs,open,2024-01-05,,Killed it,Mail,007\n"
)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.dat"])
def test_a_generic_table_is_guessed(read: Reading, name: str) -> None:
    got = read(name, GENERIC)
    first, second = got.cases
    assert (got.export.format, first.ref) == ("csv", "t:01234")
    assert (first.title, first.body, first.status) == ("Crash", "It crashes", CaseStatus.RESOLVED)
    assert [(a.text, a.verdict) for a in first.attempts] == [("Updated the driver", Verdict.WORKED)]
    assert second.attempts[0].verdict is Verdict.UNKNOWN
    assert facets(first, "version") == ["1.10"]
    assert facets(second, "version") == ["007"]
    assert first.place == f"{name} line 2"
    assert got.export.bytes_read == got.export.total_bytes


@pytest.mark.parametrize(
    ("delimiter", "layout"), [(";", "csv"), ("\t", "tsv"), ("|", "csv"), (",", "csv")]
)
def test_delimiters(read: Reading, delimiter: str, layout: str) -> None:
    got = read("t.csv", GENERIC.replace(",", delimiter))
    assert got.export.format == layout
    assert [case.external_id for case in got.cases] == ["01234", "01235"]


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
def test_line_ends(read: Reading, newline: str) -> None:
    assert len(read("t.csv", GENERIC.replace("\n", newline)).cases) == 2


def test_json_and_json_lines_give_the_same_cases(read: Reading) -> None:
    rows = [
        {"id": i, "title": f"T{i}", "meta": {"os": "Linux", "tags": ["a", "b"]}, "ok": None}
        for i in range(3)
    ]
    lines = read("t.jsonl", "\n".join(map(json.dumps, rows))).cases
    listed = read("t.json", json.dumps(rows, indent=2)).cases
    nested = read("t.json", json.dumps({"page": 1, "data": {"rows": rows}})).cases
    assert [c.external_id for c in lines] == ["0", "1", "2"]
    assert [(c.title, c.facets) for c in lines] == [(c.title, c.facets) for c in listed]
    assert [c.facets for c in nested] == [c.facets for c in listed]
    assert lines[0].facets == (("meta.os", "Linux"), ("meta.tags", "a"), ("meta.tags", "b"))


def workbook(rows: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_xlsx_keeps_text_and_dates(read: Reading) -> None:
    rows: list[list[object]] = [
        ["id", "title", "created", "build", "share"],
        ["0042", "Broken", datetime(2024, 1, 5, 10, 0), 7, 1.5],  # noqa: DTZ001 (cells have no zone)
        [None, "No id", None, None, None],
    ]
    got = read("t.xlsx", workbook(rows))
    case = got.cases[0]
    assert (got.export.format, case.ref) == ("xlsx", "t:0042")
    assert case.opened_at == datetime(2024, 1, 5, 10, tzinfo=UTC)
    assert (facets(case, "build"), facets(case, "share")) == (["7"], ["1.5"])
    assert [(r.field, r.place) for r in got.rejects] == [("id", "t.xlsx row 3")]


def test_leading_zeros_of_a_number_format_are_kept(read: Reading) -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook([["id", "title"], [42, "Broken"]])))
    book.active["A2"].number_format = "00000"
    out = io.BytesIO()
    book.save(out)
    assert read("t.xlsx", out.getvalue()).only.external_id == "00042"


def test_a_workbook_with_entities_is_refused(read: Reading, tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "evil.xlsx"
    with zipfile.ZipFile(path, "w") as parts:
        parts.writestr("xl/workbook.xml", '<!DOCTYPE x [<!ENTITY a "b">]><workbook>&a;</workbook>')
    with pytest.raises(UnreadableFile, match="entities"):
        open_export([path])


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GENERIC.encode())))
    export = open_export(["-"])
    assert (export.source, export.total_bytes) == ("stdin", None)
    assert len(list(export)) == 2


@pytest.mark.parametrize(
    ("codec", "note"),
    [
        ("utf-8-sig", "byte order mark"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16-LE"),
        ("cp1252", "Windows-1252"),
    ],
)
def test_encodings_are_read_and_said(read: Reading, codec: str, note: str) -> None:
    text = "id,title,resolution\n1,Müller’s café – 5 €,neu\n2,x,y\n"
    got = read("t.csv", text.encode(codec))
    assert got.cases[0].title == "Müller’s café – 5 €"
    assert any(note in said for said in got.export.notes)


def test_utf8_and_cp1252_glued_together(read: Reading) -> None:
    data = b"id,title\n1," + "Größe".encode() + b"\n2," + "Größe".encode("cp1252") + b"\n"
    assert [case.title for case in read("t.csv", data).cases] == ["Größe", "Größe"]


def test_nul_characters_are_removed_and_said(read: Reading) -> None:
    got = read("t.csv", b"id,title\n1,a\x00b\n2,cd\n")
    assert got.cases[0].title == "ab"
    assert any("NUL" in note for note in got.export.notes)


def test_half_a_surrogate_pair_does_not_survive(read: Reading) -> None:
    title = read("t.jsonl", '{"id": 1, "title": "a \\ud83d b"}\n').only.title
    assert title.encode("utf-8").decode() == "a \N{REPLACEMENT CHARACTER} b"


def test_one_bad_date_in_a_small_file_costs_its_row_and_not_the_column(read: Reading) -> None:
    got = read("t.csv", "id,title,opened_at\n1,a,2025-01-01\n2,b,someday\n3,c,2025-01-03\n")
    assert [case.opened_at.day for case in got.cases if case.opened_at] == [1, 3]
    assert [reject.field for reject in got.rejects] == ["opened_at"]


def test_bad_rows_are_rejected_and_the_rest_is_read(read: Reading) -> None:
    text = (
        "id,title,created_at\n1,good,2024-01-05\n,no id,2024-01-05\n2,,2024-01-05\n3,a,b,c,d\n"
        "4,bad date,someday\n5,short\n" + "".join(f"{i},good,2024-01-05\n" for i in range(6, 40))
    )
    got = read("t.csv", text)
    assert [case.external_id for case in got.cases][:3] == ["1", "5", "6"]
    assert [(r.field, r.place) for r in got.rejects] == [
        ("id", "t.csv line 3"),
        ("title", "t.csv line 4"),
        ("row", "t.csv line 5"),
        ("opened_at", "t.csv line 6"),
    ]
    assert "someday" in got.rejects[3].reason
    assert "bad date" in got.rejects[3].row


def test_an_unclosed_quote_costs_one_line(read: Reading) -> None:
    text = 'id,title\n1,one\n2,"two\n3,three\n4,four\n'
    got = read("t.csv", text)
    assert [case.external_id for case in got.cases] == ["1", "3", "4"]
    assert [(r.place, r.row) for r in got.rejects] == [("t.csv line 3", '2,"two\n')]


def test_a_broken_item_of_a_list_costs_one_item(read: Reading) -> None:
    text = '[{"id": 1, "title": "a"},\n{"id": 2, "title": nope},\n[1],\n{"id": 3, "title": "c"}]'
    got = read("t.json", text)
    assert [case.external_id for case in got.cases] == ["1", "3"]
    assert [r.place for r in got.rejects] == ["t.json line 2", "t.json line 3"]


def test_a_list_that_ends_early_gives_what_is_complete(read: Reading) -> None:
    got = read("t.json", '[{"id": 1, "title": "a"}, {"id": 2, "ti')
    assert [case.external_id for case in got.cases] == ["1"]
    assert got.rejects[0].field == "file"


def test_gzip_that_ends_early_gives_what_is_complete(tmp_path: Path) -> None:
    rows = "".join(f"{i},{random.Random(i).randbytes(150).hex()}\n" for i in range(20_000))
    data = gzip.compress(f"id,title\n{rows}".encode())
    path = tmp_path / "t.csv.gz"
    path.write_bytes(data[: len(data) // 2])
    found = list(open_export([path]))
    assert len(found) > 1000
    assert "damaged" in getattr(found[-1], "reason", "")


def test_a_small_gzip_that_ends_early_gives_what_is_complete_too(tmp_path: Path) -> None:
    rows = "".join(f"{i},{random.Random(i).randbytes(150).hex()}\n" for i in range(2_000))
    data = gzip.compress(f"id,title\n{rows}".encode())
    path = tmp_path / "t.csv.gz"
    path.write_bytes(data[: len(data) // 2])
    found = list(open_export([path]))
    assert len(found) > 100
    assert "damaged" in getattr(found[-1], "reason", "")


def test_a_first_row_of_a_megabyte_does_not_hide_the_format(read: Reading) -> None:
    long = json.dumps({"id": 1, "title": "x " * 600_000})
    got = read("t.jsonl", f'{long}\n{{"id": 2, "title": "fine"}}\n')
    assert [case.external_id for case in got.cases] == ["1", "2"]


def test_oversized_and_deep_rows_are_rejected(
    read: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ROW_BYTES", 1 << 16)
    long, deep = json.dumps({"id": 1, "title": "x" * 70_000}), '{"id":2,"title":' + "[" * 500
    good, other = '{"id": 3, "title": "fine"}', '{"id": 4, "title": "too"}'
    lines = read("t.jsonl", "\n".join([good, long, deep + "]" * 500 + "}", other]))
    assert [r.place for r in lines.rejects] == ["t.jsonl line 2", "t.jsonl line 3"]
    listed = read("t.json", "[" + ",".join([good, long, deep + "]" * 500 + "}", other]) + "]")
    assert (len(listed.cases), len(listed.rejects)) == (2, 2)
    table = read("t.csv", "id,title\n1,a\n2," + "x" * 70_000 + "\n3,c\n")
    assert [case.external_id for case in table.cases] == ["1", "3"]
    assert len(table.rejects) == 1


def test_a_gzip_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GZIP_FREE_BYTES", 1 << 20)
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"id,title\n" + (b"1," + b"a" * 20_000 + b"\n") * 1_500))
    last = list(open_export([path]))[-1]
    assert "times its size" in getattr(last, "reason", "")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", UnreadableFile),
        (b"   \n\n", UnreadableFile),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, UnreadableFile),
        (b"PK\x03\x04 not really", UnreadableFile),
        (b"\x1f\x8b\x08 not really", UnreadableFile),
        (b"Dear all,\nplease find the tickets attached.\n", UnknownFormat),
        (b"[]", UnknownFormat),
        (b"[1, 2, 3]", UnknownFormat),
        (b'{"a": {"b": 1}', UnknownFormat),
        (b"a,b\n1,2\n3,4\n", UnknownFormat),
    ],
)
def test_whole_files_that_cannot_be_read(
    tmp_path: Path, content: bytes, error: type[Exception]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(error, match="file"):
        open_export([path])


def test_no_such_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.csv", tmp_path):
        with pytest.raises(UnreadableFile):
            open_export([path])


def test_formats_can_be_forced_and_must_exist(read: Reading) -> None:
    assert read("t.csv", GENERIC, format="freshservice", source="mine").cases[0].ref == "mine:01234"
    with pytest.raises(BadValue, match="zendesk"):
        read("t.csv", GENERIC, format="lotus")


def test_a_file_that_only_completes_cases_is_refused(read: Reading) -> None:
    comments = [{"id": 1, "ticket_id": 2, "author_id": 3, "body": "x"}]
    with pytest.raises(UnknownFormat, match="together"):
        read("c.json", json.dumps({"comments": comments}))


def test_rows_without_id_are_known_by_their_text(read: Reading) -> None:
    text = "question,answer\nHow so?,Thus\nWhy now?,Because\n"
    first, again = read("t.csv", text).cases, read("t.csv", text).cases
    assert [c.external_id for c in first] == [c.external_id for c in again]
    assert len({c.external_id for c in first}) == 2


def test_the_shown_mapping_does_what_the_guess_does(read: Reading, tmp_path: Path) -> None:
    guessed = read("t.csv", GENERIC)
    shown = show_mapping([tmp_path / "t.csv"])
    mapped = read("t.csv", GENERIC, mapping=shown)
    assert mapped.cases == guessed.cases
    assert "#" in shown


def test_the_shown_mapping_of_a_preset_is_the_preset(read: Reading, tmp_path: Path) -> None:
    read("j.csv", "Issue key,Issue id,Summary\nA-1,1,Broken\n")
    assert "[[attempts]]" in show_mapping([tmp_path / "j.csv"])


def test_own_json_lines(read: Reading) -> None:
    record = {
        "source": "jira", "external_id": "A-1", "title": "T", "body": "B", "status": "reopened",
        "opened_at": "2024-01-05T10:00:00.000000Z", "csat": 0.5, "minutes": 12.5,
        "facets": [["version", "1.10"], ["tag", "a"], ["tag", "b"]],
        "attempts": [
            {"text": "one", "verdict": "worked", "steps": ["a", "b"], "code": "X"},
            {"text": "two", "verdict": "partly"},
        ],
        "links": [{"kind": "related", "external_id": "A-2"}],
    }  # fmt: skip
    case = read("k.jsonl", json.dumps(record)).only
    assert case.ref == "jira:A-1"
    assert case.facets == (("version", "1.10"), ("tag", "a"), ("tag", "b"))
    assert [a.verdict for a in case.attempts] == [Verdict.WORKED, Verdict.FAILED]
    assert case.attempts[0].steps == ("a", "b")
    assert (case.csat, case.minutes, case.links[0].external_id) == (0.5, 12.5, "A-2")


FORUM = """
name = "forum"
[case]
id = "id"
title = "title"
[[attempts]]
each = "answers[?!by_asker || is_solution]"
text = "text"
worked = "is_solution"
"""


def test_answers_become_attempts_by_mapping(read: Reading) -> None:
    answers = [
        {"text": "try", "by_asker": False, "is_solution": False},
        {"text": "thanks", "by_asker": True, "is_solution": False},
        {"text": "found it", "by_asker": True, "is_solution": True},
    ]
    row = {"id": 1, "title": "T", "answers": answers, "solved": True}
    got = read("t.jsonl", json.dumps(row), mapping=FORUM)
    assert (got.export.format, got.only.ref) == ("forum", "forum:1")
    assert [(a.text, a.verdict) for a in got.only.attempts] == [
        ("try", Verdict.UNKNOWN),
        ("found it", Verdict.WORKED),
    ]


def test_the_thunderbird_mapping_of_the_docs_loads(read: Reading) -> None:
    text = (Path(__file__).parents[3] / "docs/mappings/thunderbird.toml").read_text()
    row = {"id": "7", "title": "T", "description": "D", "solved": False, "version": "115.0"}
    case = read("t.jsonl", json.dumps(row), mapping=text).only
    assert (case.status, facets(case, "version")) == (CaseStatus.OPEN, ["115.0"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense", "not TOML"),
        ("[case]\nid = 'id'", "neither title nor body"),
        ("[case]\ntitle = 'a['", "not JMESPath"),
        ("[case]\ntitel = 'a'", "titel"),
        ("[case]\ntitle = 7", "expression in quotes"),
        ("[case]\ntitle = 'a'\n[csat]\nscale = [5, 1]", "scale"),
        ("[case]\ntitle = 'a'\n[dates]\nzone = 'Mars/Base'", "time zone"),
        ("[case]\ntitle = 'a'\n[[attempts]]\nat = 'b'", "needs text"),
        ("[case]\ntitle = 'a'\n[[links]]\nkind = 'friend'\nid = 'b'", "friend"),
    ],
)
def test_a_bad_mapping_says_what_is_wrong(read: Reading, text: str, reason: str) -> None:
    with pytest.raises(BadMapping, match=reason):
        read("t.csv", GENERIC, mapping=text)


def test_dates_of_the_other_order_are_found_out_and_said(read: Reading) -> None:
    text = "id,title,created\n1,a,03/04/2025 10:00\n2,b,25/04/2025 10:00\n"
    got = read("t.csv", text)
    assert [c.opened_at.day if c.opened_at else None for c in got.cases] == [3, 25]
    american = read("t.csv", text.replace("25/04", "04/25")).cases
    assert [c.opened_at.month if c.opened_at else None for c in american] == [3, 4]
