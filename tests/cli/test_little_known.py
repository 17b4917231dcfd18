"""With nothing, one case, or no outcome, every command of this part says something sensible."""

import csv
import io

import pytest

from kbagent.store.knowledge_base import create_knowledge_base
from tests.cli.conftest import invoke, write_export
from tests.cli.pages import Page
from tests.fakes.desk import odd_words, ticket

COMMANDS = {
    "report": ("table", "json", "csv", "md"),
    "patterns": ("table", "json", "csv", "md"),
    "emerging": ("table", "json", "csv", "md"),
}
NONSENSE = ("nan", "inf", "None", "Traceback", "-0.0")


@pytest.fixture(scope="module", params=["empty", "one case", "no outcome"])
def little(request, tmp_path_factory):
    """(which, its knowledge base)."""
    folder = tmp_path_factory.mktemp("little")
    create_knowledge_base(folder / "kb").close()
    count = {"empty": 0, "one case": 1, "no outcome": 30}[request.param]
    tickets = [
        ticket(
            str(n), f"printer {odd_words(n % 10)}", opened_at=f"2025-0{1 + n % 6}-11T10:00:00Z",
            status="open", facets={"product": "A"},
        )
        for n in range(count)
    ]  # fmt: skip
    if tickets:
        export = write_export(folder / "desk.jsonl", *tickets)
        assert invoke("import", str(export), kb=folder / "kb").code == 0
    return request.param, folder / "kb"


@pytest.mark.parametrize(
    ("command", "form"), [(name, form) for name, forms in COMMANDS.items() for form in forms]
)
def test_every_format_is_sensible(little, command, form):
    _, kb = little
    ran = invoke(command, "--format", form, kb=kb)
    assert ran.code == 0, ran.err
    words = ran.out.replace(",", " ").replace("|", " ").split()
    assert not set(NONSENSE) & set(words)
    if form == "json":
        assert ran.json is not None
    elif form in ("table", "csv"):
        assert ran.out.strip()
    if form == "table":
        assert max(map(len, ran.out.splitlines())) <= 80


def test_the_report_says_what_is_missing(little):
    which, kb = little
    out = " ".join(invoke("report", kb=kb).out.split())
    if which == "empty":
        assert "There are no cases" in out and "kbagent import" in out
        return
    assert "nothing can be said of time" in out
    assert "no feedback rate can be told" in out
    told = "Nothing could be looked up again" if which == "one case" else "success cannot be told"
    assert told in out
    assert "Better" not in out and "No improvement" not in out


def test_the_page_is_sound(little, tmp_path):
    which, kb = little
    file = tmp_path / "page.html"
    assert invoke("report", "--html", str(file), kb=kb).code == 0
    page = Page(file.read_text(encoding="utf-8"))
    assert (page.unclosed, page.outside) == ([], [])
    assert ("There are no cases" in page.text) == (which == "empty")


def test_nothing_can_be_compared_with_nothing(little):
    which, kb = little
    ran = invoke("report", "--compare", "1999", kb=kb)
    assert ran.code == 0, ran.err
    assert "“from 1999-01-01 to 1999-12-31”" in " ".join(ran.out.split())
    wrong = invoke("report", "--where", "team=A", kb=kb)
    assert wrong.code == 2
    assert which and "team" in wrong.err


def test_route_abstains_and_says_so(little):
    """Nothing is known of queues, so none is named; the exit code says that there is no answer."""
    _, kb = little
    ran = invoke("route", "the printer hangs", "--format", "json", kb=kb)
    assert ran.code in (0, 3), ran.err
    assert "Traceback" not in ran.err
    told = invoke("route", "the printer hangs", kb=kb)
    assert told.code == ran.code
    assert told.out.strip() or told.err.strip()


def test_evaluate_prints_no_number_that_was_not_measured(little):
    which, kb = little
    if which == "empty":
        assert "Bring some in" in invoke("evaluate", kb=kb).out
        return
    screen = invoke("evaluate", kb=kb).out
    assert "0.000" not in screen
    told = invoke("evaluate", "--format", "json", kb=kb).json
    success = {told["standings"]["BM25 only"][one] for one in ("success@1", "success@3", "MRR")}
    assert success == {None}
    assert not {"success@1", "MRR"} & {one for some in told["differences"].values() for one in some}
    assert ("Nothing could be measured" in screen) == (which == "one case")


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate",),
        ("evaluate", "--format", "json"),
        ("evaluate", "--routing"),
        ("evaluate", "--routing", "--format", "json"),
        ("route", "printer hangs"),
        ("route", "printer hangs", "--format", "json"),
        ("route", "printer hangs", "--format", "csv"),
        ("route", "printer hangs", "--format", "md"),
        ("release", "list"),
        ("report", "--since", "2025-01", "--compare", "2024"),
        ("emerging", "--as-of", "2025-03-01"),
    ],
    ids=" ".join,
)
def test_whatever_is_asked_the_answer_is_sensible(little, words):
    _, kb = little
    ran = invoke(*words, kb=kb)
    assert ran.code == 0, ran.err
    assert ran.out.strip()
    assert "is called" not in ran.out + ran.err
    assert not set(NONSENSE) & set(ran.out.replace(",", " ").replace("|", " ").split())
    if "json" in words:
        assert ran.json is not None


def test_an_evaluation_of_nothing_says_that_there_are_no_cases(little):
    which, kb = little
    out = invoke("evaluate", kb=kb).out
    assert ("There are no cases to replay yet" in out) == (which == "empty")
    cases = {"empty": 0, "one case": 1, "no outcome": 30}[which]
    assert invoke("evaluate", "--format", "json", kb=kb).json["cases"] == cases


def test_a_table_of_routes_says_why_a_field_is_empty(little):
    which, kb = little
    (row,) = csv.DictReader(io.StringIO(invoke("route", "printer", "--format", "csv", kb=kb).out))
    assert row["answer"] == row["escalation"] == ""
    if which == "empty":
        assert row["no answer because"] == "there are no cases to learn from yet"
    else:
        assert row["no answer because"].startswith("queue and priority: fewer than")
        assert row["no escalation because"].startswith("too few cases say")
