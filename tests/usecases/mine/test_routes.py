"""Routes: the queue that cases like it went to, doubt said aloud, nothing claimed without cases."""

import pytest

from kbagent.cli.page import draw
from kbagent.cli.screens.routes import format_routes, routes_csv, routes_json
from kbagent.errors import UnknownHandle
from kbagent.usecases.mine.routes import routes
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
    found = routes(filled.kb, FakeEncoder(), [LOST, HANGS])
    by_text = {one.text: one for one in found.routed}
    assert by_text[LOST].guesses[0].label == "Mail"
    assert by_text[HANGS].guesses[0].label == "Print"
    assert found.facets == ("queue",)
    assert by_text[LOST].escalation > 0.7 > 0.4 > by_text[HANGS].escalation
    assert all(label == "Mail" for _, label in by_text[LOST].guesses[0].neighbours)


def test_what_is_likely_to_escalate_is_taken_first(filled):
    found = routes(filled.kb, FakeEncoder(), [HANGS, LOST], names=["p", "m"])
    assert [one.name for one in found.routed] == ["m", "p"]


def test_below_the_set_confidence_nothing_is_claimed(filled):
    (one,) = routes(filled.kb, FakeEncoder(), [LOST], confident_at=1.0).routed
    assert one.guesses[0].label is None
    assert "not sure enough" in draw(
        format_routes(routes(filled.kb, FakeEncoder(), [LOST], confident_at=1.0)), 80
    )


def test_the_facet_can_be_named(filled):
    found = routes(filled.kb, FakeEncoder(), [LOST], by_facet="OS")
    assert found.facets == ("os",)
    with pytest.raises(UnknownHandle):
        routes(filled.kb, FakeEncoder(), [LOST], by_facet="team")


def test_fields_of_the_issue_are_asked_for_unless_told(filled):
    (silent,) = routes(filled.kb, FakeEncoder(), [LOST]).routed
    if silent.issue is None:
        pytest.skip("the fake encoder recognises nothing")
    assert [one.name for one in silent.collect] == ["os"]
    (telling,) = routes(filled.kb, FakeEncoder(), [f"{LOST} on linux"]).routed
    assert telling.collect == ()


@pytest.mark.parametrize("count", [0, 1])
def test_with_nothing_to_learn_from_nothing_is_predicted(desk: Desk, count):
    if count:
        desk.bring(ticket("1", "printer hangs"))
    found = routes(desk.kb, FakeEncoder(), ["printer hangs"])
    (one,) = found.routed
    assert one.guesses == ()
    assert one.escalation is None
    expected = "There are no cases" if not count else "escalation: too few cases"
    assert expected in draw(format_routes(found), 80)


def test_the_screen_fits_and_scripts_get_the_same(filled):
    found = routes(filled.kb, FakeEncoder(), [LOST, HANGS])
    screen = draw(format_routes(found), 80)
    assert max(map(len, screen.splitlines())) <= 80
    tickets = routes_json(found)["tickets"]
    assert [one["predictions"][0]["answer"] for one in tickets] == ["Mail", "Print"]
    assert len(routes_csv(found).splitlines()) == 3
