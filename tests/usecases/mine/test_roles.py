"""The queue and the priority are learned from all systems, whatever each calls them."""

from typing import Any

import numpy as np
import pytest

from kbagent.cli.page import draw
from kbagent.cli.screens.routes import format_routes, routes_json
from kbagent.cli.screens.routing import format_routing, routing_json
from kbagent.core.patterns.casetable import UNRECORDED
from kbagent.errors import UnknownHandle
from kbagent.usecases.evaluate.routing import replay_routing
from kbagent.usecases.mine.columns import cohort_factors, load_columns
from kbagent.usecases.mine.roles import Column, Role, predicted_roles, queue_factor, queue_role
from kbagent.usecases.mine.routes import Ticket, routes
from kbagent.usecases.mine.table import case_table
from tests.fakes.desk import Desk, ticket
from tests.fakes.encoder import FakeEncoder

LOST, HANGS, ERASE = "mail lost on the gateway", "printer hangs while printing", "erase my data"


def at(i: int) -> str:
    return f"2026-01-{1 + i // 8:02d}T{i % 8 + 8:02d}:00:00Z"


def bring(desk: Desk, source: str, count: int, title: Any, facets: Any) -> None:
    """That many cases of a system, all over the same two weeks."""
    desk.bring(
        *(
            ticket(
                str(i), title(i), source=source, opened_at=at(i * 120 // count), facets=facets(i)
            )
            for i in range(count)
        )
    )


@pytest.fixture
def two(desk: Desk) -> Desk:
    """Two systems: one knows of mail and printers, the other of the law, each in its own words."""
    bring(
        desk, "alpha", 120, lambda i: LOST if i % 2 else HANGS,
        lambda i: {"group_name": "Mail" if i % 2 else "Print", "urgency": "High"},
    )  # fmt: skip
    bring(
        desk, "beta", 60, lambda i: ERASE,
        lambda i: {"team": "Legal", "priority": "high" if i % 2 else "low"},
    )  # fmt: skip
    return desk


def roles_of(desk: Desk, by_facet: str | None = None) -> list[Role]:
    return predicted_roles(desk.kb.connection, load_columns(desk.kb.connection), by_facet)


def told(role: Role) -> dict[str, int]:
    """How many cases have each value."""
    there = role.factor.codes[role.factor.codes != UNRECORDED]
    counts = np.bincount(there, minlength=len(role.factor.levels)).tolist()
    return dict(zip(role.factor.levels, counts, strict=True))


def test_each_case_has_the_value_of_its_own_system(two: Desk):
    queue, priority = roles_of(two)
    assert queue.name == "queue"
    assert queue.columns == (Column("group_name", ("alpha",)), Column("team", ("beta",)))
    assert told(queue) == {"Legal": 60, "Mail": 60, "Print": 60}
    assert priority.name == "priority"
    assert told(priority) == {"High": 150, "low": 30}  # capitals do not make another value


def test_a_facet_that_is_named_is_taken_alone(two: Desk):
    queue, _ = roles_of(two, "Group_Name")
    assert (queue.name, told(queue)) == ("group_name", {"Mail": 60, "Print": 60})
    assert queue.columns == (Column("group_name", ("alpha",)),)
    with pytest.raises(UnknownHandle):
        roles_of(two, "shelf")


def test_one_column_keeps_its_name(desk: Desk):
    bring(desk, "alpha", 20, lambda i: LOST, lambda i: {"team": "AB"[i % 2]})
    bring(desk, "beta", 20, lambda i: HANGS, lambda i: {"team": "C"})
    (queue,) = roles_of(desk)
    assert (queue.name, queue.columns) == ("team", (Column("team", ("alpha", "beta")),))


def test_of_a_system_the_column_with_a_choice_is_read_unless_it_is_sparse(desk: Desk):
    """`queue` is looked for first, but says nothing here; `desk` is hardly ever filled."""
    bring(
        desk, "alpha", 40, lambda i: LOST,
        lambda i: {"queue": "all", "team": "AB"[i % 2], **({"desk": f"d{i}"} if i < 6 else {})},
    )  # fmt: skip
    (queue,) = roles_of(desk)
    assert (queue.name, told(queue)) == ("team", {"A": 20, "B": 20})


def test_one_queue_for_everybody_is_none(desk: Desk):
    bring(desk, "alpha", 20, lambda i: LOST, lambda i: {"team": "all"})
    bring(desk, "beta", 20, lambda i: LOST, lambda i: {"group": "All"})
    assert roles_of(desk) == []
    assert queue_role(desk.kb.connection, load_columns(desk.kb.connection)) is None


def test_a_ticket_is_routed_into_another_systems_queue_and_the_screen_names_the_columns(two: Desk):
    found = routes(two.kb, FakeEncoder(), [Ticket(ERASE), Ticket(HANGS)])
    answers = {one.text: one.guesses[0].label for one in found.routed}
    assert answers == {ERASE: "Legal", HANGS: "Print"}
    assert found.routed[0].guesses[0].is_queue
    screen = draw(format_routes(found), 80)
    assert "the queue is the column group_name (alpha), team (beta)" in screen
    assert "the priority is the column priority (beta), urgency (alpha)" in screen
    assert max(map(len, screen.splitlines())) <= 80
    columns = routes_json(found)["columns"]["queue"]
    assert columns[1] == {"column": "team", "systems": ["beta"]}
    alone = routes(two.kb, FakeEncoder(), [Ticket(ERASE)], by_facet="group_name")
    assert set(dict(alone.routed[0].guesses[0].others)) == {"Mail", "Print"}
    assert "the queue is the column group_name\n" in draw(format_routes(alone), 80)


def test_the_replay_of_routing_names_the_columns(two: Desk):
    found = replay_routing(two.kb)
    assert (found.replayed[0].name, found.replayed[0].marks.cases) == ("queue", 90)
    screen = " ".join(draw(format_routing(found), 80).split())
    assert "put together from group_name (alpha), team (beta)" in screen
    columns = routing_json(found)["facets"][0]["columns"]
    assert columns[0] == {"column": "group_name", "systems": ["alpha"]}
    alone = draw(format_routing(replay_routing(two.kb, "group_name")), 80)
    assert "put together from group_name" not in alone


def queues_tested(desk: Desk) -> list[tuple[tuple[str, ...], int]]:
    """The queues among which patterns are looked for: their levels, and how many cases."""
    connection = desk.kb.connection
    found = load_columns(connection)
    factors = cohort_factors(connection, found)
    _, consequents, _ = case_table(connection, found, factors, [], found.at(0).tzinfo)
    return [(one.levels, int(one.known.sum())) for one in consequents if one.name == "queue"]


def test_patterns_compare_a_queue_with_those_it_could_have_been(two: Desk):
    """Beta has one queue, so nobody chose; gamma chooses among its own, delta shares one of them.

    A printer case of alpha is no sign that gamma's are not for its own queues.
    """
    assert queues_tested(two) == [(("Mail", "Print"), 120)]
    bring(two, "gamma", 40, lambda i: HANGS, lambda i: {"desk": "FG"[i % 2]})
    bring(two, "delta", 30, lambda i: HANGS, lambda i: {"queue": "GH"[i % 2]})
    assert sorted(queues_tested(two)) == [(("F", "G", "H"), 70), (("Mail", "Print"), 120)]
    assert queue_factor(two.kb.connection, load_columns(two.kb.connection)).name == "queue"
