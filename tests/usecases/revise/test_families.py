"""People's corrections of issues: whatever they do, evidence and counts stay right."""

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kbagent.errors import KbagentError, UnknownHandle, UsageError
from kbagent.store import issues, ledger
from kbagent.usecases.maintain.reencoding import use_model
from kbagent.usecases.retrieve.details import details_of
from kbagent.usecases.revise import families
from tests.fakes.desk import Desk, ticket, tried
from tests.fakes.encoder import FakeEncoder

CASES = 8
NAMES = [f"desk:{number}" for number in range(CASES)]


def some_tickets() -> list[dict[str, object]]:
    words = ["printer", "mail", "scale", "login"]
    return [
        ticket(str(n), f"{words[n % 4]} broken {n}", attempts=[tried(f"fix {words[n % 4]}")])
        for n in range(CASES)
    ]


def partition(desk: Desk) -> dict[str, int]:
    return dict(
        desk.rows(
            "SELECT 'desk:' || external_id, issue_id FROM cases"
            " JOIN memberships ON case_id = cases.id"
        )
    )


class Corrections(RuleBasedStateMachine):
    """Merge, split, move, link, unlink and undo in any order."""

    @initialize()
    def begin(self) -> None:
        self.scratch = tempfile.TemporaryDirectory()
        self.desk = Desk(Path(self.scratch.name))
        self.desk.bring(*some_tickets())
        self.outcomes = len(ledger.latest(self.desk.kb.connection, 1000, explicit_only=False))
        self.undoable: list[tuple[int, dict[str, int]]] = []

    def attempt(self, action, *arguments: object) -> None:
        before = partition(self.desk)
        self.desk.clock.tick()
        try:
            result = action(self.desk.kb, *arguments)
        except (UsageError, UnknownHandle):
            assert partition(self.desk) == before
            return
        if action in (families.merge, families.move):
            self.undoable.append((result, before))
        if action is families.split:
            self.undoable.append((result[1], before))

    @rule(one=st.sampled_from(NAMES), other=st.sampled_from(NAMES))
    def merge(self, one: str, other: str) -> None:
        placed = partition(self.desk)
        self.attempt(families.merge, placed[one], placed[other])

    @rule(name=st.sampled_from(NAMES))
    def split(self, name: str) -> None:
        self.attempt(families.split, partition(self.desk)[name], [name])

    @rule(name=st.sampled_from(NAMES), other=st.sampled_from(NAMES))
    def move(self, name: str, other: str) -> None:
        self.attempt(families.move, name, partition(self.desk)[other])

    @rule()
    def undo_the_last(self) -> None:
        if self.undoable:
            change, before = self.undoable.pop()
            families.undo(self.desk.kb, change)
            assert partition(self.desk) == before

    @rule()
    def import_again(self) -> None:
        before = partition(self.desk)
        self.desk.bring(*some_tickets())
        assert partition(self.desk) == before

    @invariant()
    def every_case_is_in_one_issue_that_lists_it(self) -> None:
        placed = partition(self.desk)
        assert len(placed) == CASES
        for issue_id, number in Counter(placed.values()).items():
            assert len(issues.members(self.desk.kb.connection, issue_id)) == number

    @invariant()
    def every_issue_of_several_is_called_after_one_of_them(self) -> None:
        placed = partition(self.desk)
        titles = dict(self.desk.rows("SELECT 'desk:' || external_id, title FROM cases"))
        known = issues.titles(self.desk.kb.connection, sorted(set(placed.values())))
        for issue_id, number in Counter(placed.values()).items():
            if number > 1 or issue_id in known:
                assert known[issue_id] in {
                    titles[n] for n, one in placed.items() if one == issue_id
                }

    @invariant()
    def no_evidence_is_lost_or_doubled(self) -> None:
        found = [
            entry
            for issue_id in set(partition(self.desk).values())
            for entry in ledger.standing(
                self.desk.kb.connection, issues.members(self.desk.kb.connection, issue_id)
            )
        ]
        assert len(found) == len({entry.id for entry in found}) == self.outcomes

    def teardown(self) -> None:
        self.desk.kb.close()
        self.scratch.cleanup()


TestCorrections = Corrections.TestCase
TestCorrections.settings = settings(
    max_examples=10,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_corrections_survive_a_change_of_the_encoder(desk: Desk) -> None:
    desk.bring(*some_tickets())
    families.link(desk.kb, "desk:0", "desk:1")
    before = partition(desk)
    use_model(desk.kb, FakeEncoder(name="other", dimension=32), lambda _done, _total: None)
    assert partition(desk) == before


def test_a_decision_under_a_later_one_cannot_be_undone_first(desk: Desk) -> None:
    desk.bring(*some_tickets())
    placed = partition(desk)
    first = families.move(desk.kb, "desk:0", placed["desk:1"])
    families.move(desk.kb, "desk:0", placed["desk:2"])
    with pytest.raises(UsageError, match="came later"):
        families.undo(desk.kb, first)


def test_a_name_that_a_person_gave_stays(desk: Desk) -> None:
    desk.bring(*some_tickets())
    issue = partition(desk)["desk:0"]
    families.rename(desk.kb, issue, "Printers of the north wing")
    desk.bring(*[ticket(f"9{n}", f"printer broken {n}") for n in range(30)])
    assert issues.name_of(desk.kb.connection, issue)[0] == "Printers of the north wing"


@pytest.mark.parametrize("handle", ["", "x5", "i", "i-1", "iöö", "i99999999999999999999"])
def test_an_issue_handle_that_is_none_is_refused(handle: str) -> None:
    with pytest.raises(KbagentError):
        families.issue_number(handle)


def test_an_issue_that_joined_another_says_where_its_cases_are(desk: Desk) -> None:
    desk.bring(*some_tickets())
    placed = partition(desk)
    kept, gone = placed["desk:0"], placed["desk:1"]
    families.merge(desk.kb, kept, gone)
    for ask in (lambda: details_of(desk.kb, f"i{gone}"), lambda: families.merge(desk.kb, gone, 1)):
        with pytest.raises(UnknownHandle, match=f"are in i{kept} now"):
            ask()


def test_the_history_of_a_case_says_why_it_was_moved(desk: Desk) -> None:
    desk.bring(*some_tickets())
    target = partition(desk)["desk:1"]
    families.move(desk.kb, "desk:0", target, by="ana")
    last = issues.history(desk.kb.connection, families.named_case(desk.kb, "desk:0").id)[-1]
    assert (last.issue_id, last.kind, last.by) == (target, "human", "ana")
    assert last.why == f"a person moved it to i{target}"


def standing_links(desk: Desk) -> set[str]:
    return {kind for (kind,) in desk.rows("SELECT kind FROM links WHERE undone_at IS NULL")}


def test_what_was_said_of_cases_that_were_apart_already_is_undone_too(desk: Desk) -> None:
    related = [{"kind": "related", "external_id": "0"}]
    desk.bring(ticket("0", "printer broken"), ticket("1", "mail lost", links=related))
    desk.clock.tick()
    families.unlink(desk.kb, "desk:0", "desk:1", by="ana")
    assert standing_links(desk) == {"not_same"}
    desk.clock.tick()
    families.undo(desk.kb, desk.one("SELECT max(id) FROM decisions"))
    assert standing_links(desk) == {"related"}


def test_an_earlier_word_about_two_cases_is_not_undone_under_a_later_one(desk: Desk) -> None:
    desk.bring(*some_tickets())
    families.unlink(desk.kb, "desk:0", "desk:1")
    first = desk.one("SELECT max(id) FROM decisions")
    desk.clock.tick()
    families.unlink(desk.kb, "desk:1", "desk:0")
    with pytest.raises(UsageError, match="take it back first"):
        families.undo(desk.kb, first)
