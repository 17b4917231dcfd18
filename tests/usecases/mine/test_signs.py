"""Signs: the patterns behind a routed ticket are kept, followed and overruled by people."""

import os
from datetime import timedelta, timezone

import pytest

from kbagent.cli.page import draw
from kbagent.cli.screens.routes import format_routes, routes_csv, routes_json
from kbagent.store import releases
from kbagent.store.index import keepsakes
from kbagent.usecases.mine import patterns as mining
from kbagent.usecases.mine import signs
from kbagent.usecases.mine.columns import load_columns
from kbagent.usecases.mine.patterns import Asked, known_signs, patterns, say
from kbagent.usecases.mine.routes import Ticket, routes
from tests.cli.conftest import invoke
from tests.fakes.desk import Desk, ticket
from tests.fakes.encoder import FakeEncoder

LOST, HANGS = "mail lost after the move to the gateway", "printer hangs while the labels print"
FRESH = (("version", "4.2"),)


@pytest.fixture
def filled(desk: Desk) -> Desk:
    """Cases about mail escalate on version 4.2 and go to Mail; those of the evening escalate."""
    tickets = []
    for i in range(240):
        mail, new, late = i % 2 == 0, i % 4 < 2, i % 6 >= 4
        tickets.append(
            ticket(
                str(i),
                LOST if mail else HANGS,
                opened_at=f"2026-{1 + i // 120:02d}-{1 + i % 120 // 6:02d}T"
                f"{19 if late else 9}:{i % 60:02d}:00Z",
                escalated=(new and i % 12 < 9) or (late and i % 5 > 1),
                facets={
                    "queue": "Mail" if mail else "Print",
                    "version": "4.2" if new else "4.1",
                },
            )
        )
    desk.bring(*tickets)
    return desk


def known(desk: Desk) -> signs.Signs:
    return known_signs(desk.kb, load_columns(desk.kb.connection))


def is_about_mail(one: signs.Sign) -> bool:
    return any(word in one.antecedent for word in ("mail", "lost", "move", "gateway"))


def claims(shown: tuple[signs.Sign, ...]) -> set[tuple[str, str, str, bool]]:
    return {(one.antecedent, one.consequent, one.level, one.is_more) for one in shown}


def test_a_routed_ticket_shows_the_patterns_that_were_found_on_all_cases(filled):
    mined = {one.handle: one.pattern for one in patterns(filled.kb, Asked()).told}
    (one,) = routes(filled.kb, FakeEncoder(), [Ticket(LOST, facets=FRESH)]).routed
    assert one.signs
    for sign in one.signs:
        pattern = mined[sign.handle]
        assert (sign.antecedent, sign.level) == (pattern.antecedent, pattern.level)
        assert sign.count == pattern.effect.counts.both
        assert sign.cases == pattern.effect.counts.exposed
        assert 0 <= sign.low < sign.count / sign.cases
    assert ("version=4.2", "escalated", "yes", True) in claims(one.signs)
    assert any(s.consequent in ("queue", "issue") and is_about_mail(s) for s in one.signs)
    assert "it shows a pattern that goes with escalation" in one.why


def test_what_a_ticket_does_not_show_is_not_behind_it(filled):
    (old,) = routes(filled.kb, FakeEncoder(), [Ticket(HANGS, facets=(("version", "4.1"),))]).routed
    assert any(s.consequent in ("queue", "issue") for s in old.signs)
    assert not any(is_about_mail(s) for s in old.signs)
    assert not any(s.antecedent == "version=4.2" for s in old.signs)
    assert "it shows a pattern that goes with escalation" not in old.why


def test_a_ticket_with_a_pattern_of_escalation_is_taken_sooner(filled):
    asked = [
        Ticket(HANGS, "old", (("version", "4.1"),)),
        Ticket(HANGS, "new", FRESH),
    ]
    found = routes(filled.kb, FakeEncoder(), asked)
    assert [one.name for one in found.routed] == ["new", "old"]


def test_the_hour_counts_when_it_is_that_hour_and_is_told_once_of_a_batch(filled):
    filled.clock.now = filled.clock.now.replace(hour=20)
    (late,) = routes(filled.kb, FakeEncoder(), [Ticket(HANGS)]).routed
    evening = [s for s in late.signs if s.antecedent == "hour=18-24"]
    assert [(s.consequent, s.is_more) for s in evening] == [("escalated", True)]
    assert "it shows a pattern that goes with escalation" not in late.why  # all tickets do
    screen = draw(
        format_routes(routes(filled.kb, FakeEncoder(), [Ticket(HANGS), Ticket(LOST)])), 80
    )
    assert screen.count("Opened between 18 and 24 h UTC: escalated") == 1
    assert "Opened between" in screen.partition("For every ticket")[2]
    filled.clock.now = filled.clock.now.replace(hour=10)
    (early,) = routes(filled.kb, FakeEncoder(), [Ticket(HANGS)]).routed
    assert not any(s.antecedent == "hour=18-24" for s in early.signs)


def test_people_overrule_a_pattern_from_the_moment_they_say_so(filled):
    ticket_asked = Ticket(LOST, facets=FRESH)

    def shown() -> dict[str, str]:
        (one,) = routes(filled.kb, FakeEncoder(), [ticket_asked]).routed
        return {sign.handle: sign.said for sign in one.signs}

    (handle,) = (s.handle for s in known(filled).every if s.antecedent == "version=4.2")
    assert shown()[handle] == ""
    say(filled.kb, handle, "confirmed")
    assert shown()[handle] == "confirmed"
    for verdict in ("rejected", "muted"):
        say(filled.kb, handle, verdict)
        assert handle not in shown()
    say(filled.kb, handle, "confirmed")
    assert shown()[handle] == "confirmed"


def test_patterns_are_looked_for_once_until_cases_have_moved_on(filled, monkeypatch):
    first = known(filled)
    assert first.every
    mined = []
    real = mining.patterns
    monkeypatch.setattr(mining, "patterns", lambda kb, asked: mined.append(1) or real(kb, asked))
    assert known(filled) == first
    assert not mined
    more = [ticket(f"n{i}", HANGS, opened_at="2026-02-27T10:00:00Z") for i in range(signs.FEW_MORE)]
    filled.bring(*more)
    assert known(filled) == first
    assert not mined
    filled.bring(ticket("one more", HANGS, opened_at="2026-02-27T10:00:00Z"))
    known(filled)
    assert mined


@pytest.mark.parametrize(
    ("what", "value"), [("issue", 9999), ("escalated", -1), ("reopened", 7), ("csat", 3.0)]
)
def test_patterns_of_cases_that_are_otherwise_now_are_looked_for_anew(filled, what, value):
    known(filled)
    found = load_columns(filled.kb.connection)
    assert signs.kept(filled.kb, found, "UTC")[1]
    getattr(found, what)[:4] = value
    assert not signs.kept(filled.kb, found, "UTC")[1]


def test_a_release_that_was_told_since_counts(filled):
    assert signs.kept(filled.kb, load_columns(filled.kb.connection), "UTC") is None
    known(filled)
    assert signs.kept(filled.kb, load_columns(filled.kb.connection), "UTC")[1]
    with filled.kb.database.write() as connection:
        told = releases.Release("9.0", filled.clock.now - timedelta(days=2))
        releases.put(connection, told, filled.clock.now)
    assert not signs.kept(filled.kb, load_columns(filled.kb.connection), "UTC")[1]


def test_the_hours_are_those_of_the_time_zone(filled):
    """19 h UTC is 21 h in the zone, and so is the evening; 16 h UTC is evening only there."""
    east = timezone(timedelta(hours=2))
    filled.clock.now = filled.clock.now.replace(hour=16)
    there = routes(filled.kb, FakeEncoder(), [Ticket(HANGS)], zone=east)
    assert any(s.antecedent == "hour=18-24" for s in there.routed[0].signs)
    assert "Opened between 18 and 24 h UTC+02:00: escalated" in draw(format_routes(there), 80)
    (here,) = routes(filled.kb, FakeEncoder(), [Ticket(HANGS)]).routed
    assert not any(s.antecedent == "hour=18-24" for s in here.signs)


def test_what_the_command_patterns_finds_is_kept_for_the_command_route(filled, monkeypatch):
    ran = invoke("patterns", kb=filled.kb.folder)
    assert ran.code == 0
    monkeypatch.setattr(mining, "MOST_AT_ONCE", 10)
    (one,) = routes(filled.kb, FakeEncoder(), [Ticket(HANGS)]).routed
    assert one.signs


def test_where_there_are_too_many_cases_what_was_kept_last_counts(filled, monkeypatch):
    said: list[str] = []
    object.__setattr__(filled.kb, "notify", said.append)
    monkeypatch.setattr(mining, "MOST_AT_ONCE", 10)
    assert known(filled).every == ()
    assert "`kbagent patterns`" in said[-1]
    patterns(filled.kb, Asked())
    first = known(filled)
    assert first.every
    filled.bring(*(ticket(f"n{i}", HANGS) for i in range(signs.FEW_MORE + 1)))
    assert known(filled) == first


@pytest.mark.parametrize("facts", [{}, {"signs": [{"odd": 1}], "releases": []}, {"signs": 3}])
def test_what_another_version_kept_is_found_anew(filled, facts):
    first = known(filled)
    keepsakes.save(filled.kb.index_folder, signs.NAME.format("UTC"), {}, facts)
    assert known(filled) == first


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_keeps_nobody_from_routing(filled):
    filled.kb.index_folder.chmod(0o500)
    try:
        assert known(filled).every
    finally:
        filled.kb.index_folder.chmod(0o700)


def test_keeping_that_fails_is_no_failure(filled, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keepsakes, "save", full)
    assert known(filled).every


def test_too_few_cases_show_nothing_and_keep_nothing(desk):
    desk.bring(*(ticket(str(i), LOST) for i in range(5)))
    assert known(desk).every == ()
    assert signs.kept(desk.kb, load_columns(desk.kb.connection), "UTC") is None


def test_the_screen_the_table_and_scripts_name_the_patterns(filled):
    found = routes(filled.kb, FakeEncoder(), [Ticket(LOST, facets=FRESH)])
    screen = draw(format_routes(found), 80)
    assert max(map(len, screen.splitlines())) <= 80
    told = routes_json(found)["tickets"][0]["patterns"]
    assert {one["id"] for one in told} == {one.handle for one in found.routed[0].signs}
    (version,) = (one for one in told if one["antecedent"] == "version=4.2")
    flat = " ".join(screen.split())
    assert f"version 4.2 {version['lift']:.1f}× ({version['id']})" in flat
    assert "escalated more often: " in flat
    assert version["id"] in routes_csv(found)
    alone = draw(format_routes(routes(filled.kb, FakeEncoder(), [Ticket(HANGS, facets=FRESH)])), 80)
    often = f"version is 4.2: escalated {version['lift']:.1f} times as often as usual"
    assert f"{often}, {version['count']} of {version['cases']}" in " ".join(alone.split())
