"""Frozen issues: nothing learned moves their resolutions or their cases; people still may."""

from datetime import datetime
from typing import Any

import pytest

from kbagent.core.linking.assignment import METHOD
from kbagent.errors import UnknownHandle, UsageError
from kbagent.model.details import IssueDetails
from kbagent.store import decisions, issues
from kbagent.store.issues import Membership
from kbagent.usecases.learn.policies import set_parameters
from kbagent.usecases.maintain.reencoding import use_model
from kbagent.usecases.retrieve.details import details_of
from kbagent.usecases.reuse.boundaries import held_issues
from kbagent.usecases.revise import families, freezing, rules
from kbagent.usecases.revise.rules import Remark
from tests.fakes.desk import Desk, same_as, texts, ticket, tried
from tests.fakes.encoder import FakeEncoder

FIXES = ("replace the toner drum", "reinstall the label driver", "switch the spooler port")
QUERY = "label printer prints blank labels"


@pytest.fixture
def printer(desk: Desk) -> Desk:
    """One issue on which three fixes worked."""
    desk.bring(
        *[
            ticket(
                str(n),
                f"{QUERY}{' today' * n}",
                attempts=[tried(fix)],
                links=same_as("0") if n else [],
            )
            for n, fix in enumerate(FIXES)
        ]
    )
    return desk


def issue_of(desk: Desk, case: str = "0") -> str:
    found = desk.one(
        """SELECT issue_id FROM memberships JOIN cases ON cases.id = case_id
        WHERE external_id = ?""",
        case,
    )
    return f"i{found}"


def handle(desk: Desk, text: str) -> str:
    return f"r{desk.one('SELECT id FROM resolutions WHERE text = ?', text)}"


def shown(desk: Desk, query: str = QUERY, **options: Any) -> list[str]:
    return texts(desk.ask(query, limit=1, **options))


def frozen(desk: Desk) -> list[str]:
    """Freeze the printer's issue; the order that is kept, as texts."""
    _, order = freezing.freeze(desk.kb, issue_of(desk), reason="audited")
    return [desk.one("SELECT text FROM resolutions WHERE id = ?", one) for one in order]


def told(desk: Desk) -> tuple[datetime, tuple[str, ...]] | None:
    found = details_of(desk.kb, issue_of(desk))
    assert isinstance(found, IssueDetails)
    return found.frozen


def overtake(desk: Desk) -> str:
    """Feedback that would put the last one first."""
    last = shown(desk)[-1]
    for number in range(30):
        desk.say("worked", handle(desk, last), by=f"voter {number}")
        for other in set(FIXES) - {last}:
            desk.say("failed", handle(desk, other), by=f"voter {number}")
    return last


def test_the_feedback_moves_an_issue_that_is_not_frozen(printer: Desk) -> None:
    last = overtake(printer)
    assert shown(printer)[0] == last


def test_feedback_does_not_move_a_frozen_issue_and_thawed_it_does(printer: Desk) -> None:
    order = frozen(printer)
    last = overtake(printer)
    found = printer.ask(QUERY, limit=1).issues[0].resolutions
    assert [one.text for one in found] == order
    assert found[0].evidence.tried > 0  # figures are told as they are
    freezing.thaw(printer.kb, issue_of(printer))
    assert shown(printer)[0] == last


def test_whatever_is_asked_and_by_whatever_policy_the_order_stays(printer: Desk) -> None:
    order = frozen(printer)
    assert shown(printer, "labels blank today today") == order
    changed = set_parameters(printer.kb, ["exploration=on", "gate=bold"])
    assert changed.policy.parameters.exploration
    found = printer.ask(QUERY, limit=1).issues[0].resolutions
    assert [one.text for one in found] == order
    assert {one.propensity for one in found} == {1.0}


def test_another_model_does_not_move_a_frozen_issue(printer: Desk) -> None:
    order = frozen(printer)
    printer.encoder = FakeEncoder(name="other")
    use_model(printer.kb, printer.encoder, lambda _done, _total: None)
    assert shown(printer) == order


def test_what_is_tried_later_comes_after_the_frozen_order_even_if_it_always_works(
    printer: Desk,
) -> None:
    order = frozen(printer)
    printer.bring(
        *[
            ticket(f"n{n}", f"{QUERY} again", attempts=[tried("buy it new")], links=same_as("0"))
            for n in range(6)
        ]
    )
    assert shown(printer, everything=True) == [*order, "buy it new"]


def test_a_pin_comes_before_and_a_prohibition_out_of_the_frozen_order(printer: Desk) -> None:
    order = frozen(printer)
    rules.pin(printer.kb, issue_of(printer), handle(printer, order[-1]), Remark())
    rules.forbid(printer.kb, handle(printer, order[0]), None, Remark())
    assert shown(printer) == [order[-1], order[1]]


def test_new_cases_join_a_frozen_issue(printer: Desk) -> None:
    frozen(printer)
    printer.bring(ticket("20", f"{QUERY} today"), ticket("21", QUERY, links=same_as("1")))
    assert issue_of(printer, "20") == issue_of(printer, "21") == issue_of(printer)


def test_a_link_of_an_export_moves_no_placed_case_in_or_out(printer: Desk) -> None:
    frozen(printer)
    printer.bring(ticket("30", "mail gateway refuses attachments", attempts=[tried("allow zip")]))
    mail = issue_of(printer, "30")
    printer.bring(ticket("0", f"{QUERY}", attempts=[tried(FIXES[0])], links=same_as("30")))
    assert (issue_of(printer, "30"), issue_of(printer, "0")) == (mail, issue_of(printer, "1"))


def test_grouping_everything_anew_moves_nothing_in_or_out(printer: Desk) -> None:
    frozen(printer)
    one, home = printer.one("SELECT id FROM cases WHERE external_id = '2'"), issue_of(printer)
    printer.bring(ticket("40", "mail gateway refuses attachments"))
    place = Membership(one, int(home[1:]), "assigned", 0.6, METHOD)  # now only likeness holds it
    with printer.kb.database.write() as connection:
        issues.place(connection, place, printer.clock(), why="test")
    mail = [ticket(f"5{n}", f"{QUERY} today today", attempts=[tried("x")]) for n in range(30)]
    printer.bring(*mail)  # enough to have all placed again
    assert issue_of(printer, "2") == home
    assert issue_of(printer, "40") != home


def test_people_may_move_cases_and_a_rule_follows_its_cases(printer: Desk) -> None:
    order = frozen(printer)
    printer.bring(ticket("60", "mail gateway refuses attachments", attempts=[tried("allow zip")]))
    kept, absorbed = (int(issue_of(printer, one)[1:]) for one in ("60", "0"))
    families.merge(printer.kb, kept, absorbed)
    assert issue_of(printer) == f"i{kept}"
    assert shown(printer)[: len(order)] == order
    assert held_issues(printer.kb.connection) == (frozenset({kept}), frozenset({kept}))


def test_it_is_told_and_taken_back_by_its_author_and_twice_is_refused(printer: Desk) -> None:
    frozen(printer)
    assert told(printer) is not None
    with pytest.raises(UsageError, match="frozen already"):
        freezing.freeze(printer.kb, issue_of(printer))
    freezing.thaw(printer.kb, issue_of(printer), by="ana")
    assert decisions.latest(printer.kb.connection, 1)[0].by == "ana"
    assert told(printer) is None
    with pytest.raises(UsageError, match="not frozen"):
        freezing.thaw(printer.kb, issue_of(printer))
    with pytest.raises(UnknownHandle):
        freezing.freeze(printer.kb, "i999")


def test_a_look_back_sees_it_frozen_only_from_then_on(printer: Desk) -> None:
    before = shown(printer)
    then = printer.clock.tick()
    printer.clock.tick()
    order = frozen(printer)
    rules.pin(printer.kb, issue_of(printer), handle(printer, order[-1]), Remark())
    assert shown(printer, as_of=then) == before


@pytest.mark.parametrize("forbidden", [False, True])
def test_wordings_that_a_rule_names_are_not_grouped_by_likeness(
    printer: Desk, *, forbidden: bool
) -> None:
    if forbidden:
        rules.forbid(printer.kb, handle(printer, FIXES[0]), None, Remark())
    printer.bring(ticket("70", QUERY, attempts=[tried(f"{FIXES[0]} now")]))
    named = printer.one("SELECT canonical_id FROM resolutions WHERE text = ?", FIXES[0])
    alike = printer.one("SELECT count(*) FROM resolutions WHERE canonical_id = ?", named)
    assert alike == (1 if forbidden else 2)
