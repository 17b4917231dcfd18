"""Rises: the release of the sample data is told within days, a calm desk tells of nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from kbagent.cli.page import draw
from kbagent.cli.screens.emerging import emerging_csv, emerging_json, format_emerging
from kbagent.errors import BadValue
from kbagent.usecases.mine.emerging import all_releases, emerging, tell_release
from tests.fakes.desk import Desk, ticket

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


def test_releases_told_by_people_take_the_place_of_guesses(sample):
    guessed, told = all_releases(sample)
    assert not told
    assert "4.2" in [one.version for one in guessed]
    tell_release(sample, "4.2", RELEASED, by="ana")
    assert all_releases(sample)[0][0].at == RELEASED
    tell_release(sample, "4.2", RELEASED - timedelta(days=1))
    known, told = all_releases(sample)
    assert told
    assert [(one.version, one.at) for one in known] == [("4.2", RELEASED - timedelta(days=1))]
    with pytest.raises(BadValue):
        tell_release(sample, "  ", RELEASED)


def test_the_screen_fits_and_tells(shared_sample):
    found = emerging(shared_sample, as_of=RELEASED + timedelta(days=9))
    screen = draw(format_emerging(found), 80)
    assert max(map(len, screen.splitlines())) <= 80
    assert "begins with release 4.2" in screen
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
