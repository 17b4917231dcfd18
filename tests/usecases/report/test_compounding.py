"""The report: stories and risks that are there, no number that was not measured, one safe page."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from kbagent.cli.page import draw
from kbagent.cli.screens.report_page import report_page
from kbagent.cli.screens.reports import (
    format_report,
    report_csv,
    report_json,
    report_markdown,
    verdict,
)
from kbagent.usecases.report.compounding import Difference, Report, Success, report
from tests.fakes.desk import Desk, odd_words, same_as, ticket, tried

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'
START = datetime(2025, 1, 10, 9, tzinfo=UTC)


def made(desk: Desk) -> Report:
    return report(desk.kb, lambda *_: None)


def at(days: float) -> str:
    return (START + timedelta(days=days)).isoformat()


def rare_pair(title: str = "freezer panel") -> list[dict[str, object]]:
    """One rare problem, met again eight months later, solved alike by one person."""
    fix = "Calibrate the touch panel of the freezer."
    return [
        ticket(
            "old", f"{title} {odd_words(1)}", opened_at=at(0), closed_at=at(1),
            attempts=[tried(fix, at=at(1), by="Ana")],
        ),
        ticket(
            "new", f"{title} {odd_words(1)}", opened_at=at(245), closed_at=at(246),
            links=same_as("old"), attempts=[tried(fix, at=at(246), by="Ana")],
        ),
    ]  # fmt: skip


def test_a_rare_problem_solved_again_is_listed(desk: Desk):
    desk.bring(*rare_pair())
    found = made(desk)
    assert [(one.case, one.earlier, one.months_later) for one in found.stories] == [
        ("desk:new", "desk:old", 8)
    ]
    months = {one.month: one for one in found.months}
    assert (months["2025-01"].fresh, months["2025-09"].returning) == (1, 1)
    assert months["2025-09"].success is not None
    assert months["2025-09"].success.at_1 == 1.0
    assert months["2025-09"].minutes == 24 * 60


def test_a_fix_that_stopped_and_a_person_on_whom_all_depends(desk: Desk):
    fix = "Reset the spooler port."
    tickets = [
        ticket(
            str(i),
            "labels stay blank on the station",
            opened_at=at(i),
            closed_at=at(i + 0.5),
            links=same_as("0") if i else [],
            attempts=[tried(fix, "worked" if i < 30 else "failed", at=at(i + 0.5), by="Uwe")],
        )
        for i in range(42)
    ]
    desk.bring(*tickets)
    found = made(desk)
    (stopped,) = found.stopped
    assert stopped.text == fix
    assert abs((stopped.broke.at - (START + timedelta(days=30.5))).days) <= 1
    assert (stopped.broke.worked_before, stopped.broke.worked_since) == (30, 0)
    (risk,) = found.at_risk
    assert (risk.person, risk.solved) == ("Uwe", 30)


def test_lookups_without_an_outcome_count_against_the_feedback_rate(desk: Desk):
    desk.bring(*rare_pair())
    desk.ask("freezer panel")
    asked = desk.ask("freezer panel")
    desk.say("worked", asked.handle, "1", by="ana")
    month = next(one for one in made(desk).months if one.lookups)
    assert (month.lookups, month.with_outcome) == (2, 1)


def test_a_period_narrows_the_report(desk: Desk):
    desk.bring(*rare_pair())
    found = report(desk.kb, lambda *_: None, since=START + timedelta(days=100))
    assert found.cases == 1
    assert [one.month for one in found.months] == ["2025-09"]


@pytest.mark.parametrize("count", [0, 1])
def test_with_little_there_is_no_number(desk: Desk, count):
    if count:
        desk.bring(ticket("1", "printer hangs", status="open"))
    found = made(desk)
    screen = draw(format_report(found), 80)
    expected = "Nothing could be replayed" if count else "There are no cases"
    assert expected in screen
    assert found.success is None
    assert all(one.success is None and one.minutes is None for one in found.months)
    assert report_json(found)["success"] is None
    assert report_page(found).startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.01, 0.1, "made it better"), (-0.1, -0.01, "made it worse"), (-0.1, 0.1, "No improvement")],
)
def test_the_sentence_claims_what_the_interval_shows(low, high, words):
    uplift = Difference((low + high) / 2, low, high)
    assert words in verdict(Success(100, 80, 0.5, 0.6, None, 0.5, uplift))


class Page(HTMLParser):
    """The elements and the links of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


def test_the_page_is_one_file_in_which_hostile_titles_stay_text(desk: Desk):
    desk.bring(*rare_pair())
    found = made(desk)
    story = replace(found.stories[0], title=HOSTILE, case='desk:"><b>')
    page = report_page(replace(found, stories=(story,)))
    parsed = Page(page)
    assert not {"script", "img", "link", "iframe", "b"} & set(parsed.tags)
    assert not [
        name for name in parsed.attributes if name.startswith("on") or name in ("src", "href")
    ]
    assert not re.search(r"https?://|@import|url\(", page)
    assert "&lt;script&gt;" in page
    assert parsed.tags.count("svg") == 2
    assert parsed.tags.count("title") >= 3
    assert "prefers-color-scheme:dark" in page
    assert "@media print" in page


def test_the_screen_fits_and_scripts_get_the_same(desk: Desk):
    desk.bring(*rare_pair())
    found = made(desk)
    screen = draw(format_report(found), 80)
    assert max(map(len, screen.splitlines())) <= 80
    assert "8 months after desk:old" in screen
    assert len(report_csv(found).splitlines()) == len(found.months) + 1
    assert report_markdown(found).startswith(verdict(found.success))
    assert report_json(found)["stories"][0]["case"] == "desk:new"
