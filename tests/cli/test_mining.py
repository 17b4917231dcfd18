"""`patterns`, `emerging`, `release` and `report` on few cases, in every format they write."""

import re

import pytest

from kbagent.cli.options import Format
from kbagent.store import decisions
from kbagent.store.knowledge_base import create_knowledge_base
from tests.cli.conftest import invoke, write_export
from tests.fakes.desk import ticket

COMMANDS = (("patterns",), ("emerging",), ("release", "list"), ("report",))


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("form", ["table", "json", "csv", "md"])
def test_every_format_is_written_and_harmless(kbagent, words, form):
    ran = kbagent(*words, "--format", form)
    assert ran.code == 0, ran.err
    assert ran.out.strip()
    assert "\x1b" not in ran.out
    if form == "json":
        assert ran.json is not None
    if form == "table":
        assert max(map(len, ran.out.splitlines())) <= 80


@pytest.mark.parametrize(
    "words",
    [*COMMANDS, ("evaluate",), ("doctor",), ("issue", "list"), ("rules", "list"), ("search",)],
)
def test_the_help_offers_the_formats_that_are_written_and_no_other(kbagent, words):
    offered = re.search(r"--format <([a-z|]+)>", kbagent(*words, "--help").out)[1].split("|")
    assert offered[:2] == ["table", "json"]
    asked = [*words, "printer"] if words == ("search",) else words
    for form in Format:
        ran = kbagent(*asked, "--format", form)
        assert (ran.code != 2) == (form in offered), ran.err
        if form in offered and form.startswith("json"):
            assert ran.out[0] in "{["
        if form not in offered:
            refused = re.search(r"is not one of (.*)\.", ran.err)[1]
            assert refused.replace("'", "").split(", ") == offered


def test_a_release_is_told_and_listed(kbagent):
    assert kbagent("release", "add", "4.2", "--at", "2026-01-03").code == 0
    (one,) = kbagent("release", "list", "-f", "json").json
    assert (one["version"], one["told"]) == ("4.2", True)
    assert kbagent("release", "add", "4.2", "--at", "soon").code == 2
    planned = kbagent("release", "add", "[red]9\x1b[31m<script>", "--at", "2999-01-01")
    assert planned.out.startswith("[red]9")
    assert "is planned for 2999-01-01; until then kbagent emerging leaves it out" in planned.out
    assert "\x1b" not in planned.out + kbagent("release", "list").out
    removed = kbagent("release", "remove", "v4.2", "--by", "ana")
    assert removed.out == "taken back: 4.2 on 2026-01-03\n"
    (left,) = kbagent("release", "list", "-f", "json").json
    assert left["planned"]
    assert kbagent("release", "remove", "4.2").code == 2


@pytest.mark.parametrize("words", [("--kind", "gossip"), ("--zone", "Atlantis")])
def test_what_cannot_be_understood_is_said(kbagent, words):
    ran = kbagent("patterns", *words)
    assert ran.code == 2
    assert words[1] in ran.err


def test_conditions_of_a_verdict_stand_behind_it(kbagent):
    ran = kbagent("patterns", "--since", "2026-01", "confirm", "p000000")
    assert ran.code == 2
    assert "behind it: kbagent patterns confirm PATTERN" in ran.err
    ran = kbagent("patterns", "confirm", "p000000", "--since", "2026-01", "--where", "os=mac")
    assert ran.code != 0
    assert "p000000" in ran.err


def test_the_page_is_written(kbagent, tmp_path):
    page = tmp_path / "report.html"
    assert kbagent("report", "--html", str(page)).code == 0
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert "<script" not in text
    for bad in (tmp_path, tmp_path / "none" / "x.html"):
        ran = kbagent("report", "--html", str(bad))
        assert ran.code == 1
        assert f"{bad} cannot be written: " in ran.err


@pytest.mark.parametrize("form", ["table", "json"])
def test_routing_is_replayed_or_says_why_not(kbagent, form):
    ran = kbagent("evaluate", "--routing", "--format", form)
    assert ran.code == 0, ran.err
    if form == "json":
        assert ran.json["facets"] == []
        assert {one["facet"] for one in ran.json["missing"]} == {"queue", "escalated"}
    else:
        assert "not replayed" in ran.out
        assert max(map(len, ran.out.splitlines())) <= 80


def test_the_facet_of_the_queue_goes_with_routing(kbagent):
    assert kbagent("evaluate", "--by-facet", "os").code == 2
    ran = kbagent("evaluate", "--routing", "--by-facet", "team")
    assert ran.code != 0
    assert "team" in ran.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("patterns",), "There are no cases yet"),
        (("emerging",), "There are no cases yet"),
        (("release", "list"), "No release is known"),
        (("evaluate", "--routing"), "There are no cases to replay yet"),
    ],
)
def test_an_empty_knowledge_base_says_what_to_do(tmp_path, words, told):
    with create_knowledge_base(tmp_path / "kb"):
        pass
    ran = invoke(*words, kb=tmp_path / "kb")
    assert ran.code == 0, ran.err
    assert told in " ".join(ran.out.split())
    assert invoke(*words, "--format", "json", kb=tmp_path / "kb").json is not None


def test_route_says_when_it_knows_nothing(tmp_path):
    """Queues by chance are not routed by, and what is unlike anything stored is not routed."""
    asked = "The invoice shows the wrong tax for the customer"
    tickets = [
        ticket(
            str(i),
            asked if i % 2 else "The label printer stops and the station must be restarted",
            f"Told by customer {i}.",
            opened_at=f"2026-01-{1 + i // 6:02d}T{i % 6 + 8:02d}:00:00Z",
            facets={"queue": "Print" if i % 14 in (3, 10) else "Billing"},
        )
        for i in range(84)
    ]
    kb = tmp_path / "kb"
    export = write_export(tmp_path / "desk.jsonl", *tickets)
    assert invoke("import", str(export), kb=kb).code == 0
    known = invoke("route", asked, kb=kb)
    assert known.code == 0, known.err
    assert "no better than always naming Billing" in " ".join(known.out.split())
    strange = invoke("route", "which mushrooms grow under old oaks in autumn", kb=kb)
    assert "unlike anything stored" in strange.out
    assert max(map(len, (known.out + strange.out).splitlines())) <= 80
    told = invoke("route", asked, "--format", "json", kb=kb).json["tickets"][0]
    (queue,) = told["predictions"]
    assert (told["unlike"], queue["answer"], queue["held_out"]["better"]) == (False, None, False)


def test_a_verdict_on_a_part_does_not_read_as_its_date(tmp_path):
    """Claims are kept with what they say, so that they can be given again without a look."""
    with create_knowledge_base(tmp_path / "kb") as kb, kb.database.write() as connection:
        data = {
            "pattern": "p76678f",
            "verdict": "muted",
            "since": "2026-01-01",
            "antecedent": "os=mac",
            "consequent": "escalated",
            "level": "yes",
            "kind": "cohort",
            "less": False,
            "reply": False,
        }
        decisions.add(connection, "pattern", kb.clock(), data=data)
    for typed in ("p76678f", "P76678F", " p76678F"):
        ran = invoke("patterns", "confirm", typed, "--since", "2026-01-01", kb=tmp_path / "kb")
        assert ran.code == 0, ran.err
        assert " ".join(ran.out.split()) == (
            "p76678f is confirmed on cases since 2026-01-01; say otherwise:"
            " kbagent patterns mute p76678f --since 2026-01-01"
        )
