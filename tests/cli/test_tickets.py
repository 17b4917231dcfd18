"""What `route --batch` takes for tickets, and what becomes of lines that are none."""

import csv
import io
import json

import pytest

from kbagent.cli.tickets import Refused, Ticket, read_tickets
from kbagent.errors import UsageError
from tests.cli.conftest import invoke, write_export

TAX, JAMS = "The invoice shows the wrong tax", "The label printer stops while it prints"


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_line_is_words_or_an_object_with_title_and_body(tmp_path):
    lines = [
        "plain words",
        "",
        json.dumps({"query": "asked", "id": 7}),
        json.dumps({"external_id": "E1", "title": "first", "body": "second\u2028third"}),
        json.dumps({"key": "K-1", "title": "only a title", "body": None}),
        json.dumps({"name": "n", "text": " ", "body": "only a body"}),
        '{"id": "half", "text": "a \\ud800 b"}',
        "[urgent] nothing works",
    ]
    tickets, refused = read_tickets(written(tmp_path, "t.jsonl", "\n".join(lines)))
    assert refused == []
    assert tickets == [
        Ticket("plain words"),
        Ticket("asked", 7),
        Ticket("first\n\nsecond\u2028third", "E1"),
        Ticket("only a title", "K-1"),
        Ticket("only a body", "n"),
        Ticket("a ? b", "half"),
        Ticket("[urgent] nothing works"),
    ]


def test_an_array_holds_a_ticket_an_entry(tmp_path):
    entries = [{"id": 1, "title": "a", "body": "b"}, "words", 3, {"id": "x"}]
    array = json.dumps(entries, indent=1)
    for name in ("t.json", "t.txt"):
        tickets, refused = read_tickets(written(tmp_path, name, array))
        assert tickets == [Ticket("a\n\nb", 1), Ticket("words")]
        assert [(one.place, one.name) for one in refused] == [("entry 3", None), ("entry 4", "x")]
    alone = json.dumps({"title": "alone"}, indent=1)
    assert read_tickets(written(tmp_path, "one.json", alone))[0] == [Ticket("alone")]
    with pytest.raises(UsageError, match="no JSON array"):
        read_tickets(written(tmp_path, "cut.json", array[:-5]))


def test_bad_lines_are_named_by_their_number(tmp_path):
    path = written(tmp_path, "t.jsonl", 'good\n\n{bad\n{"key": "K"}\n' + "{" * 3 + "[" * 99_999)
    tickets, refused = read_tickets(path)
    assert tickets == [Ticket("good")]
    assert [one.place for one in refused] == ["line 3", "line 4", "line 5"]
    assert refused[1] == Refused("line 4", "give the ticket as query, text, or title and body", "K")
    with pytest.raises(UsageError, match="line 1: it is no JSON object"):
        read_tickets(written(tmp_path, "bad.jsonl", "{bad"))


def test_a_line_that_is_a_bare_value_is_no_ticket(tmp_path):
    lines = [
        "12",
        "[1,2]",
        "[urgent] nothing works",
        "null",
        "12 printers jam",
        '"a \\"b\\""',
        '""',
    ]
    tickets, refused = read_tickets(written(tmp_path, "t.txt", "\n".join(lines)))
    assert tickets == [
        Ticket("[urgent] nothing works"),
        Ticket("12 printers jam"),
        Ticket('a "b"'),
    ]
    assert [one.place for one in refused] == ["line 1", "line 2", "line 4", "line 7"]
    assert refused[0].reason == "a ticket is a text or an object"


@pytest.fixture
def billing(tmp_path):
    """A knowledge base in which queues have nothing to do with the text."""
    tickets = [
        ticket_of(i, TAX if i % 2 else JAMS, "Print" if i % 14 in (3, 10) else "Billing")
        for i in range(84)
    ]
    kb = tmp_path / "kb"
    export = write_export(tmp_path / "desk.jsonl", *tickets)
    assert invoke("import", str(export), kb=kb).code == 0
    return kb


def ticket_of(i, title, queue):
    return {
        "source": "desk",
        "external_id": str(i),
        "title": title,
        "body": f"Told by customer {i}.",
        "status": "resolved",
        "opened_at": f"2026-01-{1 + i // 6:02d}T{i % 6 + 8:02d}:00:00Z",
        "attempts": [],
        "facets": {"queue": queue},
    }


def test_the_good_tickets_of_a_batch_are_routed_and_the_bad_ones_listed(tmp_path, billing):
    rows = [
        json.dumps({"external_id": "T-1", "title": TAX, "body": "since today"}),
        '{"id": "T-2", "text": ',
        json.dumps({"key": "T-3\x1b[2J", "text": JAMS}),
        json.dumps({"name": "T-4"}),
    ]
    batch = written(tmp_path, "batch.jsonl", "\n".join(rows))
    screen = invoke("route", "--batch", batch, kb=billing)
    assert screen.code == 4, screen.err
    assert "T-1 · The invoice" in screen.out
    assert "T-3 · The label" in screen.out
    assert "\x1b[2J" not in screen.out
    assert screen.out.index("line 2: it is no JSON object") > screen.out.index("learned from")
    assert "line 4 (T-4): give the ticket as" in screen.out
    assert max(map(len, screen.out.splitlines())) <= 80
    said = " ".join(screen.out.split())
    assert said.count("no better than always naming Billing") == 1
    assert said.count("escalation:") == 1
    told = invoke("route", "--batch", batch, "--format", "json", kb=billing)
    assert told.code == 4
    assert sorted(one["id"] for one in told.json["tickets"]) == ["T-1", "T-3\x1b[2J"]
    assert [one["place"] for one in told.json["refused"]] == ["line 2", "line 4"]
    table = invoke("route", "--batch", batch, "--format", "csv", kb=billing)
    last = list(csv.DictReader(io.StringIO(table.out)))[-1]
    assert (last["id"], last["place"]) == ("T-4", "")
    assert last["no answer because"].startswith("line 4: give")
    assert (
        "line 2: it is no JSON"
        in invoke("route", "--batch", batch, "--format", "md", kb=billing).out
    )


def test_a_batch_without_a_bad_line_ends_well(tmp_path, billing):
    batch = written(tmp_path, "batch.json", json.dumps([{"id": "T-1", "title": TAX}, JAMS]))
    ran = invoke("route", "--batch", batch, kb=billing)
    assert ran.code == 0, ran.err
    assert "Not routed" not in ran.out


def test_a_ticket_tells_what_is_known_of_it(tmp_path):
    lines = [
        json.dumps({"text": "a", "facets": {"version": 4.2, "os": ["mac", "ios"], "new": True}}),
        json.dumps({"text": "b", "facets": {"none": None, "deep": {"x": 1}}}),
        json.dumps({"text": "c", "id": 3, "facets": ["version"]}),
    ]
    tickets, refused = read_tickets(written(tmp_path, "t.jsonl", "\n".join(lines)))
    known = (("version", "4.2"), ("os", "mac"), ("os", "ios"), ("new", "true"))
    assert tickets == [Ticket("a", facets=known), Ticket("b")]
    assert [(one.place, one.name) for one in refused] == [("line 3", 3)]


def test_a_batch_takes_no_facet_beside_it(tmp_path):
    path = written(tmp_path, "t.txt", "a ticket")
    result = invoke("route", "--batch", path, "--facet", "version=4", kb=tmp_path / "kb")
    assert result.code == 2
    assert "tells its own facets" in result.err


def test_what_was_learned_from_one_case_says_so(tmp_path):
    kb = tmp_path / "kb"
    export = write_export(tmp_path / "desk.jsonl", ticket_of(1, TAX, "Billing"))
    assert invoke("import", str(export), kb=kb).code == 0
    screen = invoke("route", TAX, kb=kb)
    assert "learned from the latest case; silent below" in screen.out, screen.err
