"""`kbagent report` at the command line: every format, two sides, and one safe page."""

from dataclasses import fields, is_dataclass, replace

import pytest

from kbagent.cli.screens.report_comparison import comparison_markdown
from kbagent.cli.screens.report_page import comparison_page, report_page
from kbagent.cli.screens.reports import report_csv, report_markdown
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.report.comparison import compare
from kbagent.usecases.report.compounding import Report, report
from kbagent.usecases.report.slices import Slice
from tests.cli.conftest import HOSTILE, invoke, write_export
from tests.cli.pages import Page
from tests.fakes.desk import same_as, ticket, tried

TRICKS = (
    "<script>document.title='owned'</script>",
    "<img src=x onerror=document.title='owned'>",
    "</title></style></svg><b>out</b>",
    '" onload="document.title=1" x="',
    "]]> &lt;script&gt; <!-- never closed",
    HOSTILE,
)


def shop(count: int = 40) -> list[dict[str, object]]:
    """A rare problem with each trick in its title, met again months later; and a usual one."""
    tickets = []
    for number, trick in enumerate(TRICKS):
        for again in (False, True):
            month = 8 if again else 1
            tickets.append(
                ticket(
                    f"{number}{'b' if again else 'a'}", f"{trick} number{number} word{number}",
                    opened_at=f"2025-{month:02}-0{number + 1}T10:00:00Z",
                    closed_at=f"2025-{month:02}-0{number + 1}T12:00:00Z",
                    links=same_as(f"{number}a") if again else [],
                    facets={"product": "A" if again else "B", "trick": trick},
                    attempts=[
                        tried(f"{trick} fix{number}", by=trick,
                              at=f"2025-{month:02}-0{number + 1}T12:00:00Z")
                    ],
                )
            )  # fmt: skip
    for number in range(count):
        day = f"2025-{1 + number // 4:02}-{1 + 7 * (number % 4):02}"
        tickets.append(
            ticket(
                f"u{number}", "labels stay blank", opened_at=f"{day}T08:00:00Z",
                closed_at=f"{day}T09:00:00Z", minutes=60,
                facets={"product": "AB"[number % 2]}, links=same_as("u0") if number else [],
                attempts=[tried("Reset the port.", at=f"{day}T09:00:00Z", by="Ana")],
            )
        )  # fmt: skip
    return tickets


@pytest.fixture(scope="module")
def stocked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    export = write_export(folder / "desk.jsonl", *shop())
    assert invoke("import", str(export), kb=folder / "kb").code == 0
    return folder / "kb"


@pytest.fixture(scope="module")
def page(stocked, tmp_path_factory) -> Page:
    file = tmp_path_factory.mktemp("page") / "report.html"
    assert invoke("report", "--html", str(file), kb=stocked).code == 0
    return Page(file.read_text(encoding="utf-8"))


def test_the_page_is_sound_and_loads_nothing(page: Page):
    assert page.unclosed == []
    assert page.outside == []
    assert not {"script", "img", "link", "iframe", "b", "object", "a"} & set(page.tags)
    assert len(page.ids()) == len(set(page.ids()))
    policy = [value for tag, name, value in page.attributes if (tag, name) == ("meta", "content")]
    assert "default-src 'none'; style-src 'unsafe-inline'" in policy


def hostile(value: object, trick: str) -> object:
    """The same with the trick before every text in it."""
    if type(value) is str:
        return trick + value
    if isinstance(value, tuple):
        return tuple(hostile(one, trick) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: hostile(getattr(value, f.name), trick) for f in fields(value)}
        return replace(value, **changed)
    return value


def reports(stocked) -> Report:
    with open_knowledge_base(stocked, notify=lambda _: None) as kb:
        return report(kb, lambda *_: None)


@pytest.mark.parametrize("trick", TRICKS)
def test_hostile_text_stays_text_wherever_it_stands(stocked, trick):
    found = reports(stocked)
    assert found.stories and found.at_risk
    made = hostile(replace(found, drift=None), trick)  # a drift names months only
    assert isinstance(made, Report)
    page = Page(report_page(made))
    assert (page.unclosed, page.outside) == ([], [])
    assert not {"script", "img", "b"} & set(page.tags)
    assert "\x1b" not in page.source and "\u202e" not in page.source
    if trick is not HOSTILE:
        assert page.text.count(" ".join(trick.split())) > 20
    assert "<script" not in report_markdown(made) and "<img" not in report_markdown(made)
    assert not any(line.startswith(("=", "@")) for line in report_csv(made).splitlines())


def test_hostile_names_of_sides_stay_text(stocked):
    with open_knowledge_base(stocked, notify=lambda _: None) as kb:
        both = compare(kb, lambda *_: None, Slice(), Slice())
    made = replace(both, one=replace(both.one, name=TRICKS[0]))
    page = Page(comparison_page(made))
    assert (page.unclosed, page.outside) == ([], [])
    assert "script" not in page.tags
    assert TRICKS[0] in page.text
    assert "<script" not in comparison_markdown(made)


def test_titles_of_real_tickets_stay_text(page: Page):
    assert "word3" in page.text
    assert "\x1b" not in page.source
    assert "\u202e" not in page.source


def test_every_chart_is_told_in_words_and_in_a_table(page: Page):
    charts = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "role")]
    assert charts == ["img"] * 4
    named = {
        one
        for tag, name, value in page.attributes
        if (tag, name) == ("svg", "aria-labelledby")
        for one in value.split()
    }
    assert named == {
        f"{c}-{part}" for c in ("success", "answered", "cases", "weeks") for part in "td"
    }
    assert named <= set(page.ids())
    assert all(data.strip() for tag, data in page.texts if tag in ("title", "desc"))
    months = [data for tag, data in page.texts if tag == "td" and data.startswith("2025-")]
    assert {f"2025-{month:02}" for month in range(1, 11)} <= set(months)
    headers = [value for tag, name, value in page.attributes if (tag, name) == ("th", "scope")]
    assert headers and set(headers) == {"col"}


def test_it_follows_the_scheme_and_prints(page: Page):
    assert "prefers-color-scheme:dark" in page.source
    assert "@media print" in page.source
    assert "width=device-width" in page.source


@pytest.mark.parametrize("form", ["table", "json", "csv", "md"])
def test_two_sides_in_every_format(stocked, form):
    ran = invoke("report", "--where", "product=A", "--compare", "product=B", "-f", form, kb=stocked)
    assert ran.code == 0, ran.err
    if form == "json":
        assert ran.json["one"]["name"] == "product=A"
        assert ran.json["other"]["cases"] == 26
        assert ran.json["shared"] == 0
    else:
        assert "success@1" in ran.out
    if form == "table":
        assert max(map(len, ran.out.splitlines())) <= 80


def test_two_periods_and_their_page(stocked, tmp_path):
    file = tmp_path / "both.html"
    words = ("--until", "2025-05", "--compare", "2025-06..2025-12", "--html", str(file))
    ran = invoke("report", *words, "-f", "json", kb=stocked)
    assert (ran.json["one"]["cases"], ran.json["other"]["cases"]) == (26, 26)
    assert ran.json["one"]["name"] == "to 2025-05-31"
    assert ran.json["other"]["name"] == "from 2025-06-01 to 2025-12-31"
    page = Page(file.read_text(encoding="utf-8"))
    assert (page.unclosed, page.outside) == ([], [])
    assert "gaps-t" in page.ids()


def test_what_is_compared_takes_the_place_of_its_like(stocked):
    words = ("--where", "product=A", "--where", "product!=C", "--since", "2025-02")
    ran = invoke("report", *words, "--compare", "Product=B", "-f", "json", kb=stocked)
    assert ran.json["other"]["name"] == "Product=B from 2025-02-01"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--compare", "..2024"), "2024-07..2024-12"),
        (("--compare", "yesterday"), "yesterday"),
        (("--where", "prodct=A"), "product"),
        (("--where", "product"), "operator"),
        (("--most", "-1"), "--most"),
        (("--since", "soon"), "soon"),
    ],
)
def test_what_cannot_be_understood_is_said(stocked, words, told):
    ran = invoke("report", *words, kb=stocked)
    assert ran.code == 2
    assert told in ran.err


def test_a_page_that_cannot_be_written_leaves_nothing(stocked, tmp_path):
    kept = tmp_path / "kept.html"
    kept.write_text("as it was")
    ran = invoke("report", "--html", str(tmp_path / "nowhere" / "r.html"), kb=stocked)
    assert ran.code == 1
    assert "nowhere" in ran.err
    assert invoke("report", "--html", str(tmp_path), kb=stocked).code == 1
    assert [one.name for one in tmp_path.iterdir()] == ["kept.html"]


def test_a_wide_terminal_gets_no_wider_lines_than_it_has(stocked):
    for columns in ("60", "140"):
        ran = invoke("report", "--most", "10", kb=stocked, COLUMNS=columns)
        assert max(map(len, ran.out.splitlines())) <= min(int(columns), 120)
