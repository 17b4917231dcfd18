"""Answers for scripts: the JSON contract, the other formats, and exit codes."""

import csv
import io
import json
from pathlib import Path

import jsonschema
import pytest

pytestmark = pytest.mark.model

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "search.schema.json").read_text())


def validate(answer: object) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(SCHEMA, format_checker=checker).validate(answer)


def test_a_search_keeps_its_contract(kbagent):
    ran = kbagent("search", "printer hangs after update", "-f", "json")
    validate(ran.json)
    best = ran.json["issues"][0]
    assert [one["case"] for one in best["instances"]] == ["desk:1", "desk:2"]
    assert (best["first_seen"], best["last_seen"]) == (
        "2026-01-05T10:00:00Z",
        "2026-02-07T10:00:00Z",
    )
    assert best["versions"] == ["4.2", "4.2.1"]
    first = best["resolutions"][0]
    assert (first["rank"], first["tried"], first["worked"]) == (1, 2, 2)
    assert first["last_worked"] == "2026-02-08T10:00:00Z"
    assert first["interval"][0] < first["rate"] < first["interval"][1]
    assert ran.err == ""


def test_the_contract_fails_an_answer_that_breaks_it(kbagent):
    answer = kbagent("search", "printer hangs", "-f", "json").json
    for path, value in (("hidden", -1), ("lookup", None), ("confident", "yes")):
        with pytest.raises(jsonschema.ValidationError):
            validate({**answer, path: value})
    answer["issues"][0]["resolutions"][0]["interval"] = [0.5]
    with pytest.raises(jsonschema.ValidationError):
        validate(answer)


@pytest.mark.parametrize(
    "options", [("--all",), ("-n", "1"), ("--offset", "2"), ("--as-of", "2100")]
)
def test_every_way_of_asking_keeps_the_contract(kbagent, options):
    validate(kbagent("search", "labels printer", "-f", "json", *options).json)


def test_an_empty_answer_is_an_object_with_an_empty_list(kbagent):
    ran = kbagent("search", "printer", "--since", "2030", "-f", "json")
    validate(ran.json)
    assert ran.json["issues"] == []
    assert ran.json["notes"] == ["no case is left after the condition --since"]
    assert ran.code == 3
    assert kbagent("search", "x", "--since", "2030", "-f", "jsonl").out == ""
    assert kbagent("feedback", "list", "-f", "json").json == []
    assert kbagent("feedback", "list", "-f", "jsonl").out == ""


def test_what_is_stated_of_a_score_can_be_computed_again(kbagent):
    for issue in kbagent("search", "printer 4.2 labels", "-f", "json").json["issues"]:
        t = issue["terms"]
        w, c, e = t["dense_weight"], t["closeness_weight"], t["exact_weight"]
        matched = w * t["similarity"] + (1.0 - w) * t["lexical"]
        near = (1.0 - c) * matched + c * t["closeness"]
        assert issue["score"] == (1.0 - e) * near + e * t["exact"] + t["evidence"]


def test_explain_prints_every_term_in_full(kbagent):
    asked = ("search", "printer hangs")
    terms = kbagent(*asked, "-f", "json").json["issues"][0]["terms"]
    screen = kbagent(*asked, "--explain").out
    assert all(repr(value) in screen for value in terms.values())


def test_jsonl_is_an_issue_a_line(kbagent):
    issues = kbagent("search", "printer", "-f", "json").json["issues"]
    lines = kbagent("search", "printer", "-f", "jsonl").out.splitlines()
    assert [json.loads(line) for line in lines] == issues


def test_csv_and_markdown_have_a_resolution_a_row(kbagent):
    rows = list(csv.DictReader(io.StringIO(kbagent("search", "printer hangs", "-f", "csv").out)))
    assert (rows[0]["rank"], rows[0]["text"]) == ("1", "Reset the spooler and restart the station.")
    assert [row["issue"] for row in rows].count(rows[-1]["issue"]) >= 1
    table = kbagent("search", "printer hangs", "-f", "md").out.splitlines()
    assert len(table) == len(rows) + 2
    assert table[0].startswith("| lookup | issue |")


def test_worked_tells_a_script_what_it_changed(kbagent):
    lookup = kbagent("search", "printer hangs", "-f", "json").json["lookup"]
    ran = kbagent("worked", lookup, "1", "--by", "ana", "--csat", "4/5", "-f", "json")
    told = {
        "verdict": "worked",
        "resolution": "r1",
        "new_case": False,
        "lookup": lookup,
        "tried": 3.0,
        "worked": 3.0,
    }
    assert told.items() <= ran.json.items()
    assert (ran.json["case"], ran.json["outcome"]) == ("desk:1", 5)
    listed = kbagent("feedback", "list", "-f", "json").json
    assert [(one["by"], one["csat"], one["verdict"]) for one in listed] == [("ana", 0.8, "worked")]
    assert listed[0]["recorded_at"].endswith("Z")


def test_a_case_of_ones_own_makes_the_knowledge_base_grow_by_one(kbagent):
    kbagent("search", "labels remain in the printer queue")
    ran = kbagent("worked", "1", "--case", "jira:OPS-7", "-f", "json")
    assert (ran.json["case"], ran.json["new_case"]) == ("jira:OPS-7", True)
    shown = kbagent("show", "jira:OPS-7", "-f", "json").json
    assert shown["case"]["title"] == "labels remain in the printer queue"
    found = kbagent("search", "printer hangs after update", "--all", "-f", "json").json["issues"][0]
    assert "jira:OPS-7" in [one["case"] for one in found["instances"]]


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "r1", "-f", "csv"),
        ("worked", "r1", "-f", "md"),
        ("feedback", "import", "x.csv", "-f", "jsonl"),
    ],
)
def test_a_format_that_is_not_written_is_refused(kbagent, arguments):
    ran = kbagent(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert f"'{arguments[-1]}' is not one of 'table', 'json'" in ran.err


def test_outcomes_can_be_had_as_a_table_for_a_spreadsheet(kbagent):
    kbagent("search", "printer hangs")
    kbagent("failed", "1", "--note", "=1+1")
    rows = list(csv.DictReader(io.StringIO(kbagent("feedback", "list", "-f", "csv").out)))
    assert (rows[0]["verdict"], rows[0]["note"]) == ("failed", "'=1+1")


def test_outcomes_of_a_closing_script_come_in_once(kbagent, tmp_path):
    file = tmp_path / "outcomes.csv"
    file.write_text("\ufeffid,case,resolution,outcome\na,desk:1,r1,worked\nb,desk:1,r1,great\n")
    first = kbagent("feedback", "import", str(file), "-f", "json")
    assert (first.code, first.json["recorded"], first.json["rejects"][0][:2]) == (
        4,
        1,
        [3, "outcome"],
    )
    again = kbagent("feedback", "import", str(file), "-f", "json")
    assert (again.json["recorded"], again.json["known"]) == (0, 1)


def test_taking_back_twice_is_wrong_usage(kbagent):
    kbagent("search", "printer hangs")
    outcome = str(kbagent("worked", "1", "-f", "json").json["outcome"])
    assert kbagent("feedback", "undo", outcome).code == 0
    assert kbagent("feedback", "undo", outcome).code == 2


def test_not_leaves_a_case_out_and_similar_leaves_out_the_case_itself(kbagent):
    def found(*arguments):
        issues = kbagent(*arguments, "-f", "json").json["issues"]
        return {one["case"] for issue in issues for one in issue["instances"]}

    assert "desk:1" in found("search", "printer hangs")
    assert "desk:1" not in found("search", "printer hangs", "--not", "desk:1")
    assert "desk:1" not in found("similar", "desk:1")


def test_no_confident_answer_is_exit_code_three(kbagent):
    assert (
        kbagent("search", "printer hangs after the update to 4.2, labels stay in queue").code == 0
    )
    assert kbagent("search", "the coffee machine in the kitchen leaks").code == 3
