"""Routes: the queue that cases like it went to, doubt said aloud, nothing claimed without cases."""

from dataclasses import replace

import pytest

from kbagent.cli.page import draw
from kbagent.cli.screens.routes import format_routes, routes_csv, routes_json
from kbagent.errors import UnknownHandle
from kbagent.usecases.mine.routes import Ticket, routes
from tests.fakes.desk import Desk, ticket
from tests.fakes.encoder import FakeEncoder

LOST, HANGS = "mail lost after the move to the gateway", "printer hangs while the labels print"


def fill(desk: Desk) -> None:
    """Two kinds of tickets in two queues; those about mail escalate, every tenth about printers."""
    tickets = []
    for i in range(120):
        mail = i % 2 == 0
        tickets.append(
            ticket(
                str(i),
                LOST if mail else HANGS,
                f"seen {i}",
                opened_at=f"2026-01-{1 + i // 6:02d}T{i % 6 + 8:02d}:00:00Z",
                escalated=mail or i % 20 == 1,
                facets={"queue": "Mail" if mail else "Print", "os": "mac" if i % 3 else "linux"},
            )
        )
    desk.bring(*tickets)


@pytest.fixture
def filled(desk: Desk) -> Desk:
    fill(desk)
    return desk


def test_a_ticket_goes_where_its_like_went(filled):
    found = routes(filled.kb, FakeEncoder(), [Ticket(LOST), Ticket(HANGS)])
    by_text = {one.text: one for one in found.routed}
    assert by_text[LOST].guesses[0].label == "Mail"
    assert by_text[HANGS].guesses[0].label == "Print"
    assert found.facets == ("queue",)
    assert by_text[LOST].escalation > 0.7 > 0.4 > by_text[HANGS].escalation
    assert all(label == "Mail" for _, label in by_text[LOST].guesses[0].neighbours)


def test_what_is_likely_to_escalate_is_taken_first(filled):
    found = routes(filled.kb, FakeEncoder(), [Ticket(HANGS, "p"), Ticket(LOST, "m")])
    assert [one.name for one in found.routed] == ["m", "p"]


def test_below_the_set_confidence_nothing_is_claimed(filled):
    (one,) = routes(filled.kb, FakeEncoder(), [Ticket(LOST)], confident_at=1.0).routed
    assert one.guesses[0].label is None
    assert "not sure enough" in draw(
        format_routes(routes(filled.kb, FakeEncoder(), [Ticket(LOST)], confident_at=1.0)), 80
    )


def test_the_facet_can_be_named(filled):
    found = routes(filled.kb, FakeEncoder(), [Ticket(LOST)], by_facet="OS")
    assert found.facets == ("os",)
    with pytest.raises(UnknownHandle):
        routes(filled.kb, FakeEncoder(), [Ticket(LOST)], by_facet="team")


def fields_asked(desk: Desk, text: str) -> list[str]:
    (one,) = routes(desk.kb, FakeEncoder(), [Ticket(text)]).routed
    assert one.issue is not None
    return [field.name for field in one.collect]


def mail_and_print(**other: object) -> list[dict]:
    """Cases about mail have an os, a channel and a plan; `other` is what those about print have."""
    every = {"queue": "Desk"}
    made = []
    for i in range(80):
        own = {"os": ("mac", "linux")[i % 4 // 2], "channel": "web" if i % 3 else "phone"}
        made.append(ticket(f"m{i}", LOST, facets={**every, **own}))
        filled = {name: own[name] for name in own if i % 100 < other.get(name, 0)}
        made.append(ticket(f"p{i}", HANGS, facets={**every, **filled}))
    return made


def test_fields_that_this_issue_needs_more_often_are_asked_for_unless_told(desk: Desk):
    desk.bring(*mail_and_print(os=20, channel=80))
    assert fields_asked(desk, LOST) == ["os"]
    assert fields_asked(desk, f"{LOST} on linux") == []
    assert fields_asked(desk, HANGS) == []


def test_what_every_ticket_of_a_system_has_is_not_asked_for(desk: Desk):
    """Also when the cases of another system have none of it."""
    elsewhere = [ticket(f"o{i}", HANGS, source="other", facets={}) for i in range(300)]
    desk.bring(*mail_and_print(os=78, channel=80), *elsewhere)
    assert fields_asked(desk, LOST) == []


def test_a_system_with_one_problem_does_not_show_what_it_needs(desk: Desk):
    desk.bring(*(one for one in mail_and_print() if one["title"] == LOST))
    assert fields_asked(desk, LOST) == []


@pytest.mark.parametrize("count", [0, 1])
def test_with_nothing_to_learn_from_nothing_is_predicted(desk: Desk, count):
    if count:
        desk.bring(ticket("1", "printer hangs"))
    found = routes(desk.kb, FakeEncoder(), [Ticket("printer hangs")])
    (one,) = found.routed
    assert one.guesses == ()
    assert one.escalation is None
    expected = "There are no cases" if not count else "escalation: too few cases"
    assert expected in draw(format_routes(found), 80)


def test_the_screen_fits_and_scripts_get_the_same(filled):
    found = routes(filled.kb, FakeEncoder(), [Ticket(LOST), Ticket(HANGS)])
    screen = draw(format_routes(found), 80)
    assert max(map(len, screen.splitlines())) <= 80
    tickets = routes_json(found)["tickets"]
    assert [one["predictions"][0]["answer"] for one in tickets] == ["Mail", "Print"]
    assert len(routes_csv(found).splitlines()) == 3


RECIPE = "quantum soup recipe wants basil"


def fill_by_chance(desk: Desk) -> None:
    """Two kinds of tickets; which queue and whether escalated has nothing to do with the kind."""
    desk.bring(
        *(
            ticket(
                str(i),
                LOST if i % 2 else HANGS,
                f"seen {i}",
                opened_at=f"2026-01-{1 + i // 6:02d}T{i % 6 + 8:02d}:00:00Z",
                escalated=i % 4 < 2,
                facets={"queue": "Print" if i % 14 in (3, 10) else "Billing"},
            )
            for i in range(160)
        )
    )


def test_a_router_that_beats_nothing_claims_nothing(desk: Desk):
    fill_by_chance(desk)
    found = routes(desk.kb, FakeEncoder(), [Ticket(LOST)], confident_at=0.5)
    (one,) = found.routed
    (guess,) = one.guesses
    assert guess.label is None
    assert guess.confidence > 0.5
    assert guess.held_out.usual == "Billing"
    assert guess.held_out.cases == 40
    assert guess.held_out.right <= guess.held_out.usual_right
    screen = " ".join(draw(format_routes(found), 80).split())
    assert "queue: nothing claimed, no better than always naming Billing" in screen
    assert "on the latest 40)" in screen
    (told,) = routes_json(found)["tickets"][0]["predictions"]
    assert told["answer"] is None
    assert told["held_out"]["better"] is False
    assert "no better than always naming Billing" in told["why_silent"]


def test_escalation_that_the_text_does_not_tell_orders_nothing(desk: Desk):
    fill_by_chance(desk)
    found = routes(desk.kb, FakeEncoder(), [Ticket(HANGS, "p"), Ticket(LOST, "m")])
    assert found.escalation.better is False
    assert [one.name for one in found.routed] == ["p", "m"]
    assert all(one.why == () and one.urgency == 0 for one in found.routed)
    assert "escalation: nothing claimed, no better" in draw(format_routes(found), 80)
    assert "no better" in routes_json(found)["tickets"][0]["escalation_why_silent"]


def test_a_router_that_reads_the_text_is_believed_also_when_it_was_kept(filled):
    first, again = (routes(filled.kb, FakeEncoder(), [Ticket(LOST)]) for _ in range(2))
    held = again.routed[0].guesses[0].held_out
    assert held == first.routed[0].guesses[0].held_out
    assert (held.cases, held.right, held.usual_right, held.better) == (30, 1.0, 0.5, True)
    assert again.escalation == first.escalation
    assert again.escalation.better
    assert routes_json(again)["tickets"][0]["predictions"][0]["why_silent"] is None


def test_a_text_that_is_unlike_anything_stored_is_not_routed(filled):
    found = routes(filled.kb, FakeEncoder(), [Ticket(RECIPE), Ticket(LOST)], confident_at=0.0)
    by_text = {one.text: one for one in found.routed}
    strange = by_text[RECIPE]
    assert strange.unlike
    assert (strange.guesses[0].label, strange.escalation, strange.issue) == (None, None, None)
    assert strange.urgency == 0
    assert not by_text[LOST].unlike
    assert by_text[LOST].guesses[0].label == "Mail"
    alone = replace(found, routed=(strange,))
    screen = draw(format_routes(alone), 80)
    assert max(map(len, screen.splitlines())) <= 80
    assert "unlike anything stored: no field, escalation or issue is claimed" in screen
    assert "likely" not in screen
    assert "queue" not in screen
    told = routes_json(alone)["tickets"][0]
    assert told["unlike"] is True
    assert told["escalation"] is None
    assert "unlike anything stored" in told["predictions"][0]["why_silent"]
    assert "unlike anything stored" in told["escalation_why_silent"]


def test_a_line_as_short_as_a_title_is_like_what_is_stored(desk: Desk):
    """Whole cases are much more alike than a title is to them, their bodies being long."""
    body = "sent by the form of the help desk with all the usual questions answered below"
    desk.bring(
        *(
            ticket(
                str(i),
                LOST if i % 2 else HANGS,
                body,
                opened_at=f"2026-01-{1 + i // 6:02d}T{i % 6 + 8:02d}:00:00Z",
                facets={"queue": "Mail" if i % 2 else "Print"},
            )
            for i in range(120)
        )
    )
    found = routes(desk.kb, FakeEncoder(), [Ticket(LOST), Ticket(RECIPE)])
    assert {one.text: one.unlike for one in found.routed} == {LOST: False, RECIPE: True}


def test_the_queue_is_called_queue_whatever_its_column_is_called(desk: Desk):
    desk.bring(
        *(
            ticket(
                str(i),
                LOST if i % 2 else HANGS,
                opened_at=f"2026-01-{1 + i // 6:02d}T{i % 6 + 8:02d}:00:00Z",
                facets={"group_name": "Mail" if i % 2 else "Print", "priority": "PH"[i % 2]},
            )
            for i in range(120)
        )
    )
    found = routes(desk.kb, FakeEncoder(), [Ticket(LOST)])
    screen = draw(format_routes(found), 80)
    assert "queue: Mail (" in screen
    assert "priority: H (" in screen
    assert "group_name:" not in screen
    assert "the queue is the column group_name" in screen
    told = routes_json(found)
    assert told["queue_facet"] == "group_name"
    assert [one["field"] for one in told["tickets"][0]["predictions"]] == ["group_name", "priority"]
    assert "group_name" in routes_csv(found)
    many = draw(format_routes(routes(desk.kb, FakeEncoder(), [Ticket(LOST), Ticket(HANGS)])), 80)
    assert many.count("the queue is the column group_name") == 1
    assert "queue: Print (" in many
