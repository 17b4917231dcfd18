"""What is said where no case is looked at: none there, none dated, or none in the time."""

import pytest

from kbagent.cli.screens.figures import nothing_there
from kbagent.store.knowledge_base import create_knowledge_base
from kbagent.usecases.mine.columns import There
from tests.cli.conftest import invoke, write_export
from tests.fakes.desk import ticket

SPAN = "dated cases are of 2025-11-20 to 2026-02-07."


@pytest.mark.parametrize(
    "words",
    [
        ("emerging", "--as-of", "1999-01-01"),
        ("patterns", "--since", "2031"),
        ("report", "--since", "2030"),
        ("report", "--until", "1999"),
        ("report", "--since", "2030", "--compare", "2031"),
        ("report", "--since", "2030", "--format", "md"),
    ],
    ids=" ".join,
)
def test_the_span_there_is_is_named_where_no_case_lies_in_the_time(kbagent, words):
    ran = kbagent(*words)
    told = " ".join(ran.out.split())
    assert ran.code == 0, ran.err
    assert SPAN in told
    assert "no case in" in told
    assert "Bring some in" not in told
    if "--format" not in words:
        assert max(map(len, ran.out.splitlines())) <= 80


def test_the_page_names_it_too(kbagent, tmp_path):
    page = tmp_path / "page.html"
    assert kbagent("report", "--since", "2030", "--html", str(page)).code == 0
    assert SPAN in page.read_text()


def test_conditions_are_named(kbagent):
    told = " ".join(kbagent("patterns", "--since", "2031", "--where", "version=4.2").out.split())
    assert "There is no case in what was asked for (version=4.2)." in told
    assert SPAN in told


@pytest.mark.parametrize("command", [("emerging",), ("patterns",), ("report",)])
@pytest.mark.parametrize(
    ("count", "told"),
    [
        (0, "There are no cases yet. Bring some in: kbagent import FILE"),
        (1, "There is 1 case, and it has no date: nothing can be told by time."),
        (2, "There are 2 cases, and none has a date: nothing can be told by time."),
    ],
)
def test_a_base_without_a_dated_case_says_so(tmp_path, command, count, told):
    with create_knowledge_base(tmp_path / "kb"):
        pass
    tickets = [ticket(str(i), f"printer {i} hangs", status="open") for i in range(count)]
    if count:
        for one in tickets:
            one.pop("opened_at", None)
        export = write_export(tmp_path / "desk.jsonl", *tickets)
        assert invoke("import", str(export), kb=tmp_path / "kb").code == 0
    ran = invoke(*command, kb=tmp_path / "kb")
    assert ran.code == 0, ran.err
    assert told in " ".join(ran.out.split())


@pytest.mark.parametrize(
    "words",
    [
        ("report", "--since", "2025-06-02", "--until", "2025-06-01"),
        ("report", "--compare", "2024-07..2023-01"),
        ("search", "printer", "--since", "2025-06", "--until", "2024"),
    ],
    ids=" ".join,
)
def test_a_period_that_ends_before_it_begins_is_refused(kbagent, words):
    ran = kbagent(*words)
    assert ran.code == 2
    assert words[-1] in ran.err
    assert "end before it begins on 202" in ran.err
    same_day = kbagent("report", "--since", "2025-06-01", "--until", "2025-06-01")
    assert same_day.code == 0, same_day.err


def test_one_dated_case_is_one():
    from datetime import UTC, datetime

    day = datetime(2025, 3, 4, tzinfo=UTC)
    assert nothing_there(There(3, 1, day, day)) == (
        "There is no case in the time asked for. The one dated case is of 2025-03-04."
    )
