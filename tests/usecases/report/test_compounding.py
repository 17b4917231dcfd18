"""The report: stories and risks that are there, and no number that was not measured."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from kbagent.core.retrieval.filters import parse_filter
from kbagent.errors import BadFilter
from kbagent.model.case import Verdict
from kbagent.store import deviations, runs
from kbagent.store.deviations import Deviation
from kbagent.store.runs import StoredRun
from kbagent.usecases.evaluate.evaluation import LIVE
from kbagent.usecases.report.compounding import EVERYTHING, Report, material_of, report
from kbagent.usecases.report.knowledge import stories_of
from kbagent.usecases.report.slices import Slice
from kbagent.usecases.retain import relatives
from tests.fakes.desk import Desk, odd_words, same_as, ticket, tried

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


def test_a_rare_problem_met_again_is_told_though_its_fix_has_other_words(desk: Desk):
    first, second = rare_pair()
    second["attempts"] = [tried("Turn on glove mode and lock the keys.", at=at(246), by="Bo")]
    desk.bring(first, second)
    (story,) = made(desk).stories
    assert (story.case, story.earlier, story.place) == ("desk:new", "desk:old", None)
    assert story.then.startswith("Calibrate")
    assert story.now.startswith("Turn on glove mode")


@pytest.mark.parametrize("place", [1, 3, 4, 10])
def test_a_fix_further_down_than_the_third_place_is_no_rescue(desk: Desk, place: int):
    desk.bring(*rare_pair())
    questions = material_of(desk.kb, lambda *_: None, [EVERYTHING], None).questions
    assert questions is not None
    known = questions.place[LIVE] > 0
    lower = {**questions.place, LIVE: np.where(known, place, 0)}
    rows = np.flatnonzero(known)
    told = stories_of(desk.kb, replace(questions, place=lower), rows)
    assert [one.place for one in told] == ([place] if place <= 3 else [])


@pytest.mark.parametrize("common", ["issue", "fix", None])
def test_a_piece_of_a_common_problem_is_not_rare(desk: Desk, monkeypatch, common: str | None):
    """Four cases more in an issue of their own: nearly the same one, of the same fix, or other."""
    near = common == "issue"
    fix = "Calibrate the freezer touch panel." if common == "fix" else odd_words(8)
    more = [
        ticket(
            f"m{n}", f"{odd_words(5)} {odd_words(6)}", opened_at=at(10 + n),
            closed_at=at(11 + n), links=same_as("m0") if n else [],
            attempts=[tried(fix, at=at(11 + n))],
        )
        for n in range(4)
    ]  # fmt: skip
    desk.bring(*rare_pair(), *more)
    placed = dict(
        desk.kb.connection.execute(
            "SELECT external_id, issue_id FROM cases JOIN memberships ON case_id = cases.id"
        ).fetchall()
    )
    assert placed["new"] == placed["old"] != placed["m0"]
    pair = tuple(sorted((placed["new"], placed["m0"])))
    monkeypatch.setattr(relatives, "relatives_among", lambda *_: (pair,) if near else ())
    told = [one.case for one in made(desk).stories if one.issue_id == placed["new"]]
    assert told == ([] if common else ["desk:new"])


def test_a_problem_that_is_not_rare_is_no_story(desk: Desk):
    fix = "Calibrate the touch panel of the freezer."
    desk.bring(
        *(
            ticket(
                str(n), f"freezer panel {odd_words(1)}", opened_at=at(30 * n),
                closed_at=at(30 * n + 1), links=same_as("0") if n else [],
                attempts=[tried(fix, at=at(30 * n + 1))],
            )
            for n in range(5)
        )
    )  # fmt: skip
    assert made(desk).stories == ()


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
    assert stopped.stopped.text == fix
    broke = stopped.stopped.broke
    assert abs((broke.at - (START + timedelta(days=30.5))).days) <= 1
    assert (broke.worked_before, broke.worked_since) == (30, 0)
    assert stopped.instead_id is None
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
    found = report(desk.kb, lambda *_: None, Slice(since=START + timedelta(days=100)))
    assert found.cases == 1
    assert [one.month for one in found.months] == ["2025-09"]


def test_what_works_instead_of_a_fix_that_stopped_is_named(desk: Desk):
    old, new = "Reset the spooler port.", "Print through the raster path."
    tickets = [
        ticket(
            str(i), "labels stay blank on the station", opened_at=at(i), closed_at=at(i + 0.5),
            links=same_as("0") if i else [],
            attempts=[tried(old, "worked" if i < 30 else "failed", at=at(i + 0.4))]
            + ([tried(new, at=at(i + 0.5))] if i >= 30 else []),
        )
        for i in range(42)
    ]  # fmt: skip
    desk.bring(*tickets)
    (gone,) = made(desk).stopped
    assert (gone.instead, gone.worked, gone.tried) == (new, 12, 12)


def test_weeks_are_counted_whole_and_without_gaps(desk: Desk):
    """Against the calendar's own weeks; START is a Friday."""
    days = (0, 1, 3, 4, 30)
    desk.bring(*(ticket(str(n), odd_words(n), opened_at=at(day)) for n, day in enumerate(days)))
    found = made(desk)
    named = [f"{START + timedelta(days=day):%G-W%V}" for day in days]
    expected = Counter(named)
    weeks = {one.week: one.cases for one in found.weeks}
    assert {week: count for week, count in weeks.items() if count} == expected
    assert len(found.weeks) == 5
    assert sum(one.fresh for one in found.weeks) == found.issues == 5


def test_a_condition_narrows_everything_but_not_the_lookups(desk: Desk):
    fix = "Calibrate the touch panel."
    desk.bring(
        *(
            ticket(
                f"{product}{n}", f"panel {odd_words(1)}", opened_at=at(20 * n),
                closed_at=at(20 * n + 1), facets={"product": product},
                links=same_as("A0") if (product, n) != ("A", 0) else [],
                attempts=[tried(fix, at=at(20 * n + 1), by=f"person of {product}")],
            )
            for product in "AB" for n in range(4)
        )
    )  # fmt: skip
    desk.ask("panel")
    found = report(desk.kb, lambda *_: None, Slice(where=(parse_filter("product=B"),)))
    assert (found.cases, found.kept.cases) == (4, 8)
    assert sum(one.fresh for one in found.months) == 0  # the problem was met with product A
    assert all(one.lookups is None for one in found.months)
    (risk,) = found.at_risk
    assert (risk.person, risk.solved) == ("person of B", 4)
    assert made(desk).at_risk == ()
    with pytest.raises(BadFilter, match="produkt"):
        report(desk.kb, lambda *_: None, Slice(where=(parse_filter("produkt=B"),)))


def test_contradictions_are_those_that_review_asks_about(desk: Desk):
    from kbagent.usecases.review.ground import Ground
    from kbagent.usecases.review.kinds import contradictions

    both = ("Enable the sync option in settings.", "Disable the sync option in settings.")
    tickets = [
        ticket(
            str(n), "stock is not synchronised", opened_at=at(n), closed_at=at(n + 0.5),
            links=same_as("0") if n else [], attempts=[tried(both[n % 2], at=at(n + 0.5))],
        )
        for n in range(6)
    ]  # fmt: skip
    desk.bring(*tickets)
    asked = {one.key for one in contradictions.items(Ground(desk.kb))}
    found = made(desk).contradictions
    assert {one.key for one in found} == asked
    assert any("contrary" in " ".join(one.evidence) for one in found)


def test_what_a_check_prevented_is_told_by_the_outcome_that_came(desk: Desk):
    desk.bring(*rare_pair())
    asked = desk.ask("freezer panel")
    lookup = desk.one("SELECT id FROM lookups WHERE handle = ?", asked.handle)
    with desk.kb.database.write() as connection:
        run = StoredRun(0, lookup, desk.clock(), "answer", 1, 1, None, 0.9, None, None, "{}")
        number = runs.add(connection, run)
        one = Deviation(
            0, number, desk.clock(), "check", "choose", "version", 1, 1,
            "worked on 4.2", "never tried on 4.2", "stop", "the fix for 4.2", kept=True,
        )  # fmt: skip
        deviations.add(connection, [one])
    (before,) = made(desk).prevented
    assert before.verdict is None
    desk.say("worked", asked.handle, "1", by="ana")
    (after,) = made(desk).prevented
    assert (after.verdict, after.correction) == (Verdict.WORKED, "the fix for 4.2")
    assert made(desk).deviations == (("check", "version", 1, 1),)
    later = report(desk.kb, lambda *_: None, Slice(since=desk.clock() + timedelta(days=1)))
    assert later.prevented == ()


@pytest.mark.parametrize("count", [0, 1])
def test_with_little_there_is_no_number(desk: Desk, count):
    if count:
        desk.bring(ticket("1", "printer hangs", status="open"))
    found = made(desk)
    assert found.cases == count
    assert found.success is None
    assert (found.uplifts, found.drift, found.helped, found.alone) == ((), None, None, None)
    assert all(one.success is None and one.minutes is None for one in found.months)


def test_a_sample_says_of_how_many_it_is(desk: Desk):
    desk.bring(
        *(
            ticket(
                str(n), "labels stay blank", opened_at=at(n), closed_at=at(n + 0.5),
                links=same_as("0") if n else [], attempts=[tried("Reset it.", at=at(n + 0.5))],
            )
            for n in range(40)
        )
    )  # fmt: skip
    sample = report(desk.kb, lambda *_: None, most=10)
    assert sample.success is not None
    assert (sample.success.questions, sample.eligible) == (10, 40)
    assert report(desk.kb, lambda *_: None, most=10) == sample
    whole = report(desk.kb, lambda *_: None, most=0)
    assert whole.success is not None and whole.success.questions == 40


def test_whoever_interrupts_it_leaves_no_trace(desk: Desk):
    desk.bring(*rare_pair())
    before = desk.dump()

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        report(desk.kb, interrupt)
    assert desk.dump() == before
    assert made(desk).cases == 2
    assert desk.dump() == before


def lone_problem(by: str = "712020:ab", **facets: str) -> list[dict[str, object]]:
    """Three cases of one problem that one person solved."""
    return [
        ticket(
            f"a{n}", f"despatch advice {odd_words(1)}", opened_at=at(n), closed_at=at(n + 1),
            links=same_as("a0") if n else [], facets=facets,
            attempts=[tried("Add the retailer segment to the map.", at=at(n + 1), by=by)],
        )
        for n in range(3)
    ]  # fmt: skip


def elsewhere(by: str, fix: str) -> list[dict[str, object]]:
    """Three cases of another issue, in words that have nothing in common with it."""
    return [
        ticket(
            f"b{n}", f"{odd_words(5)} {odd_words(6)}", opened_at=at(10 + n),
            closed_at=at(11 + n), links=same_as("b0") if n else [],
            attempts=[tried(fix, at=at(11 + n), by=by)],
        )
        for n in range(3)
    ]  # fmt: skip


def test_a_person_is_named_though_outcomes_bear_an_account_number(desk: Desk):
    desk.bring(*lone_problem(assignee_id="712020:ab", assignee="Imbali Khoza"))
    (risk,) = made(desk).at_risk
    assert (risk.person, risk.solved) == ("Imbali Khoza", 3)


def test_an_account_whose_cases_tell_several_names_stays_a_number(desk: Desk):
    first, *rest = lone_problem(assignee_id="712020:ab", assignee="Imbali Khoza")
    first["facets"] = {"assignee_id": "712020:ab", "assignee": "Somebody Else"}
    desk.bring(first, *rest)
    (risk,) = made(desk).at_risk
    assert risk.person == "712020:ab"


def test_what_another_knows_from_another_issue_is_not_at_risk(desk: Desk):
    """The fix is known elsewhere, in nearly the same words."""
    same = elsewhere("Bo", "Add the retailer segment to the map there.")
    desk.bring(*lone_problem("Ana"), *same)
    assert made(desk).at_risk == ()


def test_another_fix_of_another_person_takes_no_risk_away(desk: Desk):
    desk.bring(*lone_problem("Ana"), *elsewhere("Bo", odd_words(9)))
    assert {(one.person, one.solved) for one in made(desk).at_risk} == {("Ana", 3), ("Bo", 3)}


def test_issues_that_are_one_problem_of_one_person_are_one_risk(desk: Desk):
    desk.bring(
        *lone_problem("Ana"), *elsewhere("Ana", "Add the retailer segment to the map there.")
    )
    (risk,) = made(desk).at_risk
    assert (risk.person, risk.solved) == ("Ana", 6)
    assert risk.title.startswith("despatch advice")
