"""Rises: the release of the sample data is told within days, a calm desk tells of nothing."""

import csv
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kbagent.cli.page import draw
from kbagent.cli.screens.emerging import (
    emerging_csv,
    emerging_json,
    emerging_markdown,
    format_emerging,
    format_releases,
    releases_json,
)
from kbagent.core.patterns.rises import Doubling
from kbagent.errors import BadValue
from kbagent.store import decisions
from kbagent.usecases.mine.emerging import all_releases, emerging, take_back_release, tell_release
from tests.fakes.desk import Desk, odd_words, ticket

RELEASED = datetime(2026, 2, 17, tzinfo=UTC)


def test_the_release_is_told_within_days(shared_sample):
    found = emerging(shared_sample, as_of=RELEASED + timedelta(days=9))
    (one,) = [one for one in found.rising if one.kind == "issue"]
    assert one.name.endswith("csv-decimal-42")
    assert one.is_new
    assert one.told <= RELEASED + timedelta(days=4)
    assert one.release == "4.2"
    assert any("version=4.2" in each.feature for each in one.behind)
    assert one.expected < 1 < one.observed


def test_it_is_calm_before_the_release(shared_sample):
    found = emerging(shared_sample, as_of=RELEASED - timedelta(days=1))
    assert not [one for one in found.rising if "csv-decimal" in one.name]


def test_a_release_told_of_takes_the_place_of_its_guess_and_of_no_other(sample):
    guessed = all_releases(sample)
    assert not any(one.told for one in guessed)
    versions = [one.version for one in guessed]
    assert "4.2" in versions
    tell_release(sample, "v4.2", RELEASED, by="ana")
    known = all_releases(sample)
    assert sorted(one.version.removeprefix("v") for one in known) == sorted(versions)
    assert [(one.version, one.at, one.by) for one in known if one.told] == [
        ("v4.2", RELEASED, "ana")
    ]
    screen = draw(format_releases(known, RELEASED), 80)
    assert "2026-02-17  v4.2\n" in screen
    assert re.search(r"4\.1 +inferred from its first case\n", screen)
    found = emerging(sample, as_of=RELEASED + timedelta(days=9))
    assert "1 as people told, " in draw(format_emerging(found), 80)
    tell_release(sample, "v4.2", RELEASED - timedelta(days=1))
    assert [one.at for one in all_releases(sample) if one.told] == [RELEASED - timedelta(days=1)]
    with pytest.raises(BadValue):
        tell_release(sample, "  ", RELEASED)


def test_the_screen_fits_and_tells(shared_sample):
    found = emerging(shared_sample, as_of=RELEASED + timedelta(days=9))
    screen = draw(format_emerging(found), 80)
    assert max(map(len, screen.splitlines())) <= 80
    assert "begins with release 4.2" in screen
    told = " ".join(screen.split())
    assert "they share " in told
    assert "times as often as in others)" in told
    assert " version 4.2 in " in told
    assert "the first week of a release in " in told
    assert "=" not in told
    assert " at first doubled about every " in told
    assert "?" not in told
    assert emerging_json(found)["rising"][0]["release"] == "4.2"
    assert len(emerging_csv(found).splitlines()) == len(found.rising) + 1


def test_little_history_says_so(desk: Desk):
    assert "no cases yet" in draw(format_emerging(emerging(desk.kb)), 80)
    desk.bring(ticket("1", "printer hangs"))
    found = emerging(desk.kb)
    assert "1 day of history" in draw(format_emerging(found), 80)
    assert found.rising == ()


def test_a_steady_desk_has_no_rise(desk: Desk):
    desk.bring(
        *(
            ticket(
                str(i),
                "printer hangs" if i % 2 else "mail lost",
                status="open",
                opened_at=(RELEASED + timedelta(days=i)).isoformat(),
            )
            for i in range(60)
        )
    )
    found = emerging(desk.kb)
    assert found.rising == ()
    assert "Nothing is rising" in draw(format_emerging(found), 80)


DAY = datetime(2026, 1, 5, 10, tzinfo=UTC)


def newcomers_desk(desk: Desk) -> None:
    """Half a year of problems that are all different, then five alike on one version."""
    old = [
        ticket(
            str(i),
            odd_words(i),
            odd_words(1000 + i),
            opened_at=(DAY + timedelta(days=1.6 * i)).isoformat(),
            facets={"version": "9.0"},
        )
        for i in range(120)
    ]
    new = [
        ticket(
            f"n{i}",
            f"margin of the ledger drifts {odd_words(5000 + i)}",
            "the margin of the ledger drifts after saving",
            opened_at=(DAY + timedelta(days=187 + i)).isoformat(),
            facets={"version": "9.1"},
        )
        for i in range(5)
    ]  # fmt: skip
    desk.bring(*old, *new)
    with desk.kb.database.write() as connection:  # nobody linked them: each is its own issue
        for case_id, ref in connection.execute("SELECT id, external_id FROM cases").fetchall():
            if ref.startswith("n"):
                connection.execute(
                    "INSERT INTO issues (id, recorded_at) VALUES (?, '')", (9000 + case_id,)
                )
                connection.execute(
                    "INSERT OR REPLACE INTO memberships VALUES (?, ?, 'founder', 1.0, 'x')",
                    (case_id, 9000 + case_id),
                )  # fmt: skip


def test_new_problems_without_an_issue_are_named(desk: Desk):
    newcomers_desk(desk)
    found = emerging(desk.kb)
    (one,) = found.newcomers
    assert (one.size, one.alone) == (5, 5)
    assert one.title.startswith("margin of the ledger")
    assert any("margin" in word for word in one.words)
    assert one.first == DAY + timedelta(days=187)
    assert "version=9.1" in [each.feature for each in one.behind]
    screen = draw(format_emerging(found), 80)
    assert "New problems without an issue" in screen
    assert "5 of them stand alone" in screen
    assert max(map(len, screen.splitlines())) <= 80
    assert emerging_json(found)["new_problems"][0]["cases"] == 5
    assert "new problem" in emerging_csv(found)


def test_as_of_a_day_before_them_there_are_none(desk: Desk):
    newcomers_desk(desk)
    assert emerging(desk.kb, as_of=DAY + timedelta(days=186)).newcomers == ()


def test_only_what_had_worked_by_then_counts(sample):
    day = RELEASED + timedelta(days=9)
    (one,) = [one for one in emerging(sample, as_of=day).rising if one.kind == "issue"]
    later = [one for one in emerging(sample, as_of=day, within=90).rising if one.kind == "issue"]
    assert later[0].worked == one.worked
    counted = sum(count for _, _, count in one.worked)
    until = day.isoformat()
    known = sample.connection.execute(
        """SELECT count(DISTINCT case_id) FROM outcomes JOIN memberships USING (case_id)
        WHERE verdict = 'worked' AND happened_at < ? AND issue_id = ?""",
        (until, one.issue_id),
    ).fetchone()[0]
    ever = sample.connection.execute(
        """SELECT count(DISTINCT case_id) FROM outcomes JOIN memberships USING (case_id)
        WHERE verdict = 'worked' AND issue_id = ?""",
        (one.issue_id,),
    ).fetchone()[0]
    assert counted <= known < ever


def test_releases_told_later_are_not_known_before(sample):
    tell_release(sample, "4.9", RELEASED + timedelta(days=300))
    found = emerging(sample, as_of=RELEASED + timedelta(days=9))
    assert "4.9" not in [one.version for one in found.releases]


@pytest.mark.parametrize("days", [5, 9, 16, 40])
def test_the_counts_as_of_a_date_are_those_of_the_stored_cases(sample, days):
    """Against SQL: cases from the beginning of the rise up to the date, and what had worked."""
    day = RELEASED + timedelta(days=days)
    told = [one for one in emerging(sample, as_of=day).rising if one.kind == "issue"]
    assert told or days == 40
    for one in told:
        period = one.began.isoformat(), day.isoformat()
        counted = sample.connection.execute(
            """SELECT count(*) FROM cases JOIN memberships ON case_id = cases.id
            WHERE issue_id = ? AND opened_at >= ? AND opened_at < ?""",
            (one.issue_id, *period),
        ).fetchone()[0]
        assert one.observed == counted
        for fix, _, count in one.worked:
            worked = sample.connection.execute(
                """SELECT count(DISTINCT case_id) FROM outcomes JOIN memberships USING (case_id)
                JOIN resolutions ON resolutions.id = resolution_id
                JOIN cases ON cases.id = case_id WHERE issue_id = ? AND canonical_id = ?
                AND verdict = 'worked' AND happened_at < ? AND opened_at < ?""",
                (one.issue_id, fix, period[1], period[1]),
            ).fetchone()[0]
            assert count == worked


def rise_of_the_release(kb):
    found = emerging(kb, as_of=RELEASED + timedelta(days=7))
    (one,) = [one for one in found.rising if one.name.endswith("csv-decimal-42")]
    return one


def test_a_release_after_the_beginning_explains_nothing(sample):
    tell_release(sample, "3.2", RELEASED + timedelta(days=1))
    one = rise_of_the_release(sample)
    assert one.began == RELEASED
    assert (one.release, one.days_after) == ("4.2", 0)
    assert emerging_json(emerging(sample, as_of=RELEASED + timedelta(days=7)))["rising"][0][
        "days_after_release"
    ] == 0  # fmt: skip


def test_the_day_of_a_release_may_come_late(sample):
    """The first case of a version comes after its release, and what people tell can be a day off,
    where the cases are of that version; not by more, and not of another version."""
    with sample.database.write() as connection:  # the version of the first cases is not recorded
        connection.execute(
            """DELETE FROM case_facets WHERE case_id IN (SELECT id FROM cases WHERE opened_at < ?)
            AND facet_id IN (SELECT id FROM facet_values WHERE value = '4.2')""",
            ((RELEASED + timedelta(days=1)).isoformat(),),
        )
    (guessed,) = [one.at for one in all_releases(sample) if one.version == "4.2"]
    assert guessed >= RELEASED + timedelta(days=1)
    one = rise_of_the_release(sample)
    assert one.began == RELEASED
    assert (one.release, one.days_after) == ("4.2", 0)
    for late in (1, 2):
        tell_release(sample, "4.2", RELEASED + timedelta(days=late))
        one = rise_of_the_release(sample)
        assert (one.release, one.days_after) == ("4.2", -late)
    screen = draw(format_emerging(emerging(sample, as_of=RELEASED + timedelta(days=7))), 80)
    assert "begins 2 days before the day told of release 4.2" in screen
    tell_release(sample, "4.2", RELEASED + timedelta(days=3))
    assert rise_of_the_release(sample).release == ""


def test_of_two_releases_of_a_day_that_of_the_cases_version_is_told(sample):
    tell_release(sample, "4.2", RELEASED - timedelta(days=3))
    tell_release(sample, "99", RELEASED)
    assert rise_of_the_release(sample).release == "4.2"
    tell_release(sample, "4.2", RELEASED - timedelta(days=30))
    assert rise_of_the_release(sample).release == "99"


def test_a_release_is_taken_back_and_that_is_kept(sample):
    before = all_releases(sample)
    tell_release(sample, "v4.2", RELEASED, by="ana")
    tell_release(sample, "9.0", RELEASED)
    gone, inferred = take_back_release(sample, "4.2", by="bo")
    assert [(one.version, one.at) for one in gone] == [("v4.2", RELEASED)]
    assert inferred in before
    assert take_back_release(sample, "9.0")[1] is None
    assert all_releases(sample) == before
    kept = decisions.standing(sample.connection, "release removed")
    assert [(one.by, one.data["version"], one.data["told_by"]) for one in kept] == [
        ("bo", "v4.2", "ana"),
        (None, "9.0", None),
    ]
    assert kept[0].data["at"].startswith("2026-02-17")
    with pytest.raises(BadValue, match="only its cases tell of it"):
        take_back_release(sample, "4.2")
    with pytest.raises(BadValue, match="nobody told of this release"):
        take_back_release(sample, "9.0")


def test_what_is_planned_is_marked(sample):
    tell_release(sample, "9.0", RELEASED + timedelta(days=400))
    now = RELEASED + timedelta(days=399)
    screen = draw(format_releases(all_releases(sample), now), 80)
    assert re.search(r"2027-03-24  9\.0 +planned\n", screen)
    assert screen.count("planned") == 1
    planned = [one["version"] for one in releases_json(all_releases(sample), now) if one["planned"]]
    assert planned == ["9.0"]
    later = draw(format_releases(all_releases(sample), now + timedelta(days=1)), 80)
    assert "planned" not in later


def test_a_planned_release_is_left_out_until_its_day(sample):
    before = emerging(sample)
    tell_release(sample, "9.0", before.now + timedelta(days=1))
    assert emerging(sample) == before
    tell_release(sample, "9.0", before.now)
    assert len(emerging(sample).releases) == len(before.releases) + 1


def test_a_rise_that_is_over_is_counted_until_it_was_calm(sample):
    """Against SQL, and every format alike: cases, the expected ones and the features behind."""
    found = emerging(sample, within=250)
    (one,) = [one for one in found.rising if one.name.endswith("csv-decimal-42")]
    assert one.ended is not None

    def counted(more: str = "") -> int:
        query = f"""SELECT count(*) FROM cases JOIN memberships ON case_id = cases.id
            WHERE issue_id = ? AND opened_at >= ? AND opened_at < ? {more}"""
        period = one.began.isoformat(), one.ended.isoformat()
        return sample.connection.execute(query, (one.issue_id, *period)).fetchone()[0]

    assert one.observed == counted()
    ever = sample.connection.execute(
        "SELECT count(*) FROM memberships WHERE issue_id = ?", (one.issue_id,)
    ).fetchone()[0]
    assert one.observed < ever
    inside = {each.feature: each.inside for each in one.behind}
    assert inside["version=4.2"] == counted(
        """AND '4.2' IN (SELECT value FROM case_facets JOIN facet_values ON id = facet_id
        WHERE case_facets.case_id = cases.id AND name = 'version')"""
    )
    assert max(inside.values()) <= one.observed
    until = one.ended - timedelta(days=1)
    screen = " ".join(draw(format_emerging(found), 80).split())
    assert f"{one.observed} cases from {one.began:%Y-%m-%d} to {until:%Y-%m-%d}, " in screen
    assert f"calm since {one.ended:%Y-%m-%d}" in screen
    (row,) = [row for row in emerging_json(found)["rising"] if row["name"] == one.name]
    assert (row["cases"], row["expected"]) == (one.observed, round(one.expected, 2))
    (cells,) = [row for row in csv.DictReader(emerging_csv(found).splitlines())
                if row["name"] == one.name]  # fmt: skip
    assert (int(cells["cases"]), float(cells["expected"])) == (one.observed, row["expected"])
    assert f"| {one.observed} | {cells['expected']} |" in emerging_markdown(found)


def test_rising_words_are_counted_as_long_as_they_rise(desk: Desk):
    """Against the messages: the cases that say the word, from its beginning until it was calm."""
    desk.bring(
        *(
            ticket(
                f"{day}-{n}",
                f"{'supernova ' if 90 <= day < 110 and n < 4 else ''}{odd_words(10 * day + n)}",
                odd_words(3000 + 10 * day + n),
                opened_at=(DAY + timedelta(days=day, minutes=n)).isoformat(),
            )
            for day in range(150)
            for n in range(6)
        )
    )
    (one,) = [one for one in emerging(desk.kb, within=100).rising if "supernova" in one.name]
    assert one.kind == "words"
    assert one.ended is not None
    assert (one.began, one.observed) == (DAY.replace(hour=0) + timedelta(days=90), 80)
    (early,) = [
        one
        for one in emerging(desk.kb, within=100, as_of=DAY + timedelta(days=100)).rising
        if "supernova" in one.name
    ]
    assert early.ended is None
    assert early.observed == 40


def test_a_version_that_rises_twice_is_named_once(sample):
    found = emerging(sample, within=250)
    (version, *_) = [one for one in found.rising if one.kind == "version"]
    screen = draw(format_emerging(replace(found, rising=(version, version))), 80)
    assert screen.count(version.name.split(", ")[0]) == 1


def test_growth_is_told_as_sure_as_it_is(sample):
    one = rise_of_the_release(sample)

    def told(days, low, high):
        rise = replace(one, doubling=Doubling(days, low, high))
        found = replace(emerging(sample), rising=(rise,))
        return " ".join(draw(format_emerging(found), 80).split())

    assert "at first doubled about every 2 days (probably 1 to 5) " in told(2.2, 1.1, 5.2)
    assert "about every day; too few cases to be sure" in told(0.4, 0.2, float("inf"))


@pytest.mark.parametrize(
    ("expected", "ratio", "words"),
    [
        (0.33, None, "where 0.3 were to be expected"),
        (0.01, None, "where none were to be expected"),
        (4.0, 7.5, "4.0 expected: 7.5 times as many"),
        (1.2, 25.0, "1.2 expected: 25 times as many"),
    ],
)
def test_a_multiple_is_told_where_a_case_was_to_be_expected(sample, expected, ratio, words):
    rise = replace(rise_of_the_release(sample), observed=30, expected=expected, ratio=ratio)
    found = replace(emerging(sample), rising=(rise,))
    screen = " ".join(draw(format_emerging(found), 80).split())
    assert f"30 cases since 2026-02-17, {words} " in screen
    assert ("times as many" in screen) == (ratio is not None)
    assert emerging_json(found)["rising"][0]["ratio"] == ratio


def test_the_multiple_is_that_of_the_figures_beside_it(sample):
    every = [one for day in (9, 40, 90, 200) for one in
             emerging(sample, as_of=RELEASED + timedelta(days=day), within=400).rising]  # fmt: skip
    assert any(one.ratio is None for one in every)
    assert any(one.ratio is not None for one in every)
    for one in every:
        wanted = one.observed / one.expected if one.expected >= 1 else None
        assert one.ratio == (wanted and pytest.approx(wanted))


def test_a_day_without_a_case_is_not_called_that_of_the_newest(shared_sample):
    days = {
        row[0]
        for row in shared_sample.connection.execute("SELECT substr(opened_at, 1, 10) FROM cases")
    }
    free, busy = (
        next(
            day
            for day in (datetime(2025, 6, 1, tzinfo=UTC) + timedelta(days=n) for n in range(60))
            if (f"{day:%Y-%m-%d}" in days) == wanted
        )
        for wanted in (False, True)
    )
    of = {
        day: draw(format_emerging(emerging(shared_sample, as_of=day + timedelta(days=1))), 80)
        for day in (free, busy)
    }
    assert "the day of the newest case" in of[busy]
    assert "the day of the newest case" not in of[free]
    assert "by the cases until" in of[free]
