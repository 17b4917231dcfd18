"""Rules that people set: nothing learned, imported or re-encoded crosses them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kbagent.errors import UnknownHandle, UsageError
from kbagent.usecases.maintain.reencoding import use_model
from kbagent.usecases.reuse.boundaries import limits_of
from kbagent.usecases.revise import rules, wordings
from kbagent.usecases.revise.rules import Remark
from tests.fakes.desk import Desk, same_as, texts, ticket, tried
from tests.fakes.encoder import FakeEncoder

FIXES = ("replace the toner drum", "reinstall the label driver", "switch the spooler port")
QUERY = "label printer prints blank labels"


def a_desk(desk: Desk) -> Desk:
    """One issue on which three fixes worked, in this order of similarity."""
    desk.bring(
        *[
            ticket(
                str(n),
                f"{QUERY}{' today' * n}",
                attempts=[tried(fix)],
                links=same_as("0") if n else [],
            )
            for n, fix in enumerate(FIXES)
        ],
        *[
            ticket(f"9{n}", f"{QUERY} again", attempts=[tried(FIXES[0])], links=same_as("0"))
            for n in range(3)
        ],
    )
    return desk


def issue_of(desk: Desk) -> str:
    return f"i{desk.one('SELECT issue_id FROM memberships LIMIT 1')}"


def handle(desk: Desk, text: str) -> str:
    return f"r{desk.one('SELECT id FROM resolutions WHERE text = ?', text)}"


def test_the_desk_has_one_issue_with_three_approaches(desk: Desk) -> None:
    a_desk(desk)
    assert desk.one("SELECT count(DISTINCT issue_id) FROM memberships") == 1
    assert set(texts(desk.ask(QUERY, limit=1))) == set(FIXES)


def test_a_pinned_resolution_comes_first(desk: Desk) -> None:
    a_desk(desk)
    assert texts(desk.ask(QUERY))[0] != FIXES[2]
    rules.pin(desk.kb, issue_of(desk), handle(desk, FIXES[2]), Remark())
    assert texts(desk.ask(QUERY))[0] == FIXES[2]


def test_a_forbidden_one_is_never_shown_and_a_deprecated_one_comes_last(desk: Desk) -> None:
    a_desk(desk)
    first = texts(desk.ask(QUERY))[0]
    rules.deprecate(desk.kb, handle(desk, first), None, Remark(reason="outdated"))
    assert texts(desk.ask(QUERY))[-1] == first
    rules.forbid(desk.kb, handle(desk, first), None, Remark())
    assert first not in texts(desk.ask(QUERY, everything=True))


def test_a_deprecation_ends_after_its_last_day(desk: Desk) -> None:
    a_desk(desk)
    first = texts(desk.ask(QUERY))[0]
    over = Remark(until=datetime.now(UTC) - timedelta(days=1))
    rules.deprecate(desk.kb, handle(desk, first), None, over)
    assert texts(desk.ask(QUERY))[0] == first


def test_a_rule_for_one_issue_leaves_the_others_alone(desk: Desk) -> None:
    a_desk(desk)
    desk.bring(ticket("50", "mail gateway refuses attachments", attempts=[tried(FIXES[0])]))
    rules.forbid(desk.kb, handle(desk, FIXES[0]), issue_of(desk), Remark())
    assert FIXES[0] not in texts(desk.ask(QUERY, limit=1, everything=True))
    assert FIXES[0] in texts(desk.ask("mail gateway refuses attachments", limit=1))


def test_a_rule_holds_for_every_wording_of_an_approach(desk: Desk) -> None:
    a_desk(desk)
    desk.bring(ticket("60", f"{QUERY} loudly", attempts=[tried("drum out, new drum in")]))
    rules.forbid(desk.kb, handle(desk, FIXES[0]), None, Remark())
    wordings.merge(desk.kb, handle(desk, "drum out, new drum in"), handle(desk, FIXES[0]))
    shown = texts(desk.ask(QUERY, everything=True, limit=1))
    assert not {FIXES[0], "drum out, new drum in"} & set(shown)


def test_only_what_was_tried_on_an_issue_can_be_pinned(desk: Desk) -> None:
    a_desk(desk)
    desk.bring(ticket("70", "mail gateway refuses attachments", attempts=[tried("allow zip")]))
    with pytest.raises(UsageError, match="never tried"):
        rules.pin(desk.kb, issue_of(desk), handle(desk, "allow zip"), Remark())


def test_a_limit_of_the_issue_outranks_the_general_one_whenever_it_was_set(desk: Desk) -> None:
    a_desk(desk)
    issue = issue_of(desk)
    rules.limit(desk.kb, Remark(), places=0, issue=issue)
    rules.limit(desk.kb, Remark(), places=2)
    assert limits_of(desk.kb.connection, int(issue[1:])).max_displacement == 0
    assert limits_of(desk.kb.connection, 999).max_displacement == 2


def test_a_rule_can_be_taken_back_once(desk: Desk) -> None:
    a_desk(desk)
    before = texts(desk.ask(QUERY))
    rule = rules.forbid(desk.kb, handle(desk, before[0]), None, Remark())
    rules.undo(desk.kb, rule)
    assert texts(desk.ask(QUERY)) == before
    with pytest.raises(UnknownHandle):
        rules.undo(desk.kb, rule)


def test_a_look_back_follows_the_rules_of_that_day(desk: Desk) -> None:
    a_desk(desk)
    before = texts(desk.ask(QUERY))
    then = desk.clock.tick()
    desk.clock.tick()
    rules.forbid(desk.kb, handle(desk, before[0]), None, Remark())
    assert texts(desk.ask(QUERY, as_of=then)) == before


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    votes=st.lists(st.tuples(st.sampled_from(["worked", "failed"]), st.integers(0, 2)), max_size=25)
)
def test_no_feedback_import_or_model_moves_what_people_set(tmp_path_factory, votes) -> None:
    desk = a_desk(Desk(tmp_path_factory.mktemp("desk")))
    rules.pin(desk.kb, issue_of(desk), handle(desk, FIXES[2]), Remark())
    rules.forbid(desk.kb, handle(desk, FIXES[1]), None, Remark())
    for number, (verdict, which) in enumerate(votes):
        desk.say(verdict, handle(desk, FIXES[which]), by=f"voter {number}")
    desk.bring(*[ticket(f"8{n}", f"{QUERY} again", attempts=[tried(FIXES[1])]) for n in range(4)])
    desk.encoder = FakeEncoder(name="other")
    use_model(desk.kb, desk.encoder, lambda _done, _total: None)
    shown = texts(desk.ask(QUERY, limit=1, everything=True))
    assert shown[0] == FIXES[2]
    assert FIXES[1] not in shown
    desk.kb.close()


def test_what_is_forbidden_cannot_be_pinned(desk: Desk) -> None:
    a_desk(desk)
    rule = rules.forbid(desk.kb, handle(desk, FIXES[1]), None, Remark())
    with pytest.raises(UsageError, match=f"rules undo {rule}"):
        rules.pin(desk.kb, issue_of(desk), handle(desk, FIXES[1]), Remark())
    rules.undo(desk.kb, rule)
    assert rules.pin(desk.kb, issue_of(desk), handle(desk, FIXES[1]), Remark()) > rule


def test_forbidding_what_is_pinned_is_done_and_says_so(desk: Desk) -> None:
    a_desk(desk)
    said: list[str] = []
    desk.kb.notify = said.append
    rule = rules.pin(desk.kb, issue_of(desk), handle(desk, FIXES[1]), Remark())
    rules.forbid(desk.kb, handle(desk, FIXES[0]), None, Remark())
    assert said == []
    rules.forbid(desk.kb, handle(desk, FIXES[1]), issue_of(desk), Remark())
    assert f"rule {rule}" in said[0] and "outranks" in said[0]
    assert FIXES[1] not in texts(desk.ask(QUERY))
