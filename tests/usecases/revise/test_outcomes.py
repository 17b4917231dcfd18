"""Outcomes: what is named gets the credit, taking back is another entry, the sums always agree."""

import json
import sqlite3
from collections import defaultdict
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kbagent.core.retrieval.filters import parse_filter
from kbagent.errors import BadValue, UnknownHandle, UsageError
from kbagent.model.lookup import LookupResult
from kbagent.model.outcome import REWARD
from kbagent.store import ledger, resolutions
from kbagent.store.encoder.session import load_encoder
from kbagent.usecases.revise.outcomes import undo
from tests.fakes.desk import Desk, refs, same_as, texts, ticket, tried

CASES = (
    ticket("1", "Printer hangs", attempts=[tried("Reset the spooler"), tried("Wait", "failed")]),
    ticket("2", "Device silent", links=same_as("1"), attempts=[tried("Change the cable")]),
    ticket("3", "Mail lost in outbox", attempts=[tried("Compact the folders")]),
)


@pytest.fixture
def stocked(desk: Desk) -> Desk:
    desk.bring(*CASES)
    return desk


def rate(desk: Desk, text: str) -> tuple[float, float, float]:
    found = desk.ask("printer hangs", everything=True, log=False).issues[0].resolutions
    evidence = next(one.evidence for one in found if one.text == text)
    return evidence.tried, evidence.worked, evidence.rate


@pytest.mark.parametrize(("verdict", "reward"), [("worked", 1.0), ("partly", 0.5), ("failed", 0.0)])
def test_a_verdict_counts_for_the_resolution_that_was_named_and_no_other(stocked, verdict, reward):
    other_before = rate(stocked, "Change the cable")[:2]
    stocked.ask("printer hangs")
    given = stocked.say(verdict, "1", by="ana")
    assert (given.text, given.lookup is not None) == ("Reset the spooler", True)
    assert (given.tried, given.worked) == (2.0, 1.0 + reward)
    assert rate(stocked, "Reset the spooler")[:2] == (2.0, 1.0 + reward)
    assert rate(stocked, "Change the cable")[:2] == other_before


def test_without_a_lookup_the_last_one_is_meant_with_one_that_one(stocked):
    first = stocked.ask("printer hangs")
    stocked.ask("mail lost")
    assert stocked.say("worked", "1").text == "Compact the folders"
    assert stocked.say("worked", first.handle, "1").text == "Reset the spooler"
    assert stocked.say("worked", first.handle.upper(), "r3").text == "Change the cable"


def test_a_resolution_that_no_export_tells_of_any_more_can_still_be_named(stocked):
    stocked.bring({**CASES[2], "attempts": []})
    assert stocked.say("worked", "r4").case_ref == "desk:3"


def test_a_resolution_can_be_named_by_its_id_without_any_lookup(stocked):
    given = stocked.say("failed", "R3")
    assert (given.text, given.case_ref, given.lookup) == ("Change the cable", "desk:2", None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("9",), "showed resolutions 1 to 4"),
        (("0",), "showed resolutions 1 to 4"),
        (("zzzz", "1"), "feedback pending"),
        (("r99",), "No resolution has this id"),
        (("first",), "number of a resolution"),
        (("²",), "number of a resolution"),
    ],
)
def test_a_wrong_handle_says_what_would_be_right(stocked, words, message):
    stocked.ask("printer hangs mail")
    before = stocked.dump()
    with pytest.raises(UnknownHandle, match=message):
        stocked.say("worked", *words)
    assert stocked.dump() == before


def test_too_many_words_and_no_lookup_at_all_are_said_so(stocked):
    with pytest.raises(UsageError, match="LOOKUP 2"):
        stocked.say("worked", "a", "b", "c")
    with pytest.raises(UnknownHandle, match="Nothing was looked up yet"):
        stocked.say("worked", "1")


@pytest.mark.parametrize("remark", [{"csat": 1.5}, {"csat": -0.1}, {"minutes": float("inf")}])
def test_values_out_of_range_are_refused(stocked, remark):
    stocked.ask("printer hangs")
    with pytest.raises(BadValue):
        stocked.say("worked", "1", **remark)


def test_what_goes_with_a_verdict_is_kept(stocked):
    stocked.ask("printer hangs")
    at = datetime(2026, 2, 1, tzinfo=UTC)
    stocked.say("worked", "1", by="ana", note="n", csat=0.8, minutes=5.0, escalated=True, at=at)
    entry = ledger.latest(stocked.kb.connection, 1, explicit_only=True)[0]
    assert (entry.by, entry.note, entry.csat) == ("ana", "n", 0.8)
    assert (entry.minutes, entry.escalated, entry.happened_at) == (5.0, True, at)
    assert entry.recorded_at == stocked.clock.now


def test_a_case_of_ones_own_is_kept_as_a_new_instance_of_the_issue(stocked):
    from kbagent.model.case import CaseRecord
    from kbagent.usecases.retain.addition import store_record

    record = CaseRecord("jira", "X-1", "Printer hangs since monday")
    store_record(stocked.kb, record, encoder=stocked.encoder)
    stocked.ask("printer hangs")
    given = stocked.say("worked", "1", case="jira:X-1")
    assert (given.case_ref, given.tried) == ("jira:X-1", 2.0)
    found = stocked.ask("printer hangs", everything=True).issues[0]
    assert "jira:X-1" in {hit.ref for hit in found.instances}
    assert stocked.rows(
        "SELECT verdict FROM attempts JOIN cases ON cases.id = case_id"
        " WHERE cases.external_id = 'X-1'"
    ) == [("worked",)]


def test_a_failure_on_ones_own_case_is_no_proof_that_it_is_the_same_issue(stocked):
    stocked.ask("printer hangs")
    stocked.say("failed", "1", case="desk:3")
    assert stocked.rows("SELECT kind FROM memberships WHERE case_id = 3") == [("assigned",)]
    assert stocked.one("SELECT count(*) FROM links WHERE source = 'outcome'") == 0


def test_a_case_that_is_not_known_needs_a_lookup_for_its_text(stocked):
    with pytest.raises(UnknownHandle, match="no text to"):
        stocked.say("worked", "r1", case="jira:NEW")


def test_taking_back_is_another_entry_and_counts_at_once(stocked):
    before = rate(stocked, "Reset the spooler")
    stocked.ask("printer hangs")
    given = stocked.say("failed", "1")
    assert rate(stocked, "Reset the spooler") != before
    undo(stocked.kb, given.outcome_id, by="ben")
    assert rate(stocked, "Reset the spooler") == before
    entries = ledger.latest(stocked.kb.connection, 2, explicit_only=True)
    assert [(one.verdict, one.undoes, one.by) for one in entries] == [
        ("unknown", given.outcome_id, "ben"),
        ("failed", None, None),
    ]


def test_what_is_taken_back_cannot_be_taken_back_again(stocked):
    stocked.ask("printer hangs")
    outcome = stocked.say("failed", "1").outcome_id
    undo(stocked.kb, outcome)
    with pytest.raises(UnknownHandle, match="already"):
        undo(stocked.kb, outcome)
    with pytest.raises(UnknownHandle, match="feedback list"):
        undo(stocked.kb, outcome + 1)
    with pytest.raises(UnknownHandle, match="feedback list"):
        undo(stocked.kb, 999)


def test_the_ledger_refuses_to_be_changed(stocked):
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        stocked.kb.connection.execute("UPDATE outcomes SET verdict = 'failed' WHERE id = 1")


def test_enough_feedback_changes_the_order_and_a_lookup_changes_none(stocked):
    assert texts(stocked.ask("printer hangs"))[0] == "Reset the spooler"
    for person in ("ana", "ben", "chi", "dee"):
        lookup = stocked.ask("printer hangs")
        stocked.say("failed", lookup.handle, "r1", by=person)
        stocked.say("worked", lookup.handle, "r3", by=person)
    assert texts(stocked.ask("printer hangs"))[0] == "Change the cable"
    assert texts(stocked.ask("printer hangs"))[0] == "Change the cable"


def test_evidence_moves_an_issue_by_no_more_than_the_policy_allows(stocked):
    for person in range(30):
        stocked.ask("mail printer")
        stocked.say("worked", "r4", by=f"p{person}")
    for issue in stocked.ask("mail printer").issues:
        assert abs(issue.terms.evidence) <= 0.03


class LedgerMachine(RuleBasedStateMachine):
    """Outcomes, undos, imports and reopenings in any order: tallies are the fold of the ledger."""

    @initialize()
    def begin(self):
        import tempfile
        from pathlib import Path

        self.scratch = tempfile.TemporaryDirectory()
        self.desk = Desk(Path(self.scratch.name))
        self.desk.bring(*CASES)

    @rule(
        verdict=st.sampled_from(["worked", "failed", "partly"]),
        resolution=st.integers(1, 4),
        case=st.sampled_from([None, "desk:1", "desk:3"]),
    )
    def say(self, verdict, resolution, case):
        self.desk.say(verdict, f"r{resolution}", case=case)

    @rule(number=st.integers(0, 50))
    def take_back(self, number):
        connection = self.desk.kb.connection
        able = [
            one.id
            for one in ledger.latest(connection, 200, explicit_only=False)
            if one.verdict != "unknown" and not ledger.is_undone(connection, one.id)
        ]
        if able:
            undo(self.desk.kb, able[number % len(able)])

    @rule(status=st.sampled_from(["resolved", "reopened", "open"]), keep=st.booleans())
    def import_again(self, status, keep):
        attempts = CASES[0]["attempts"] if keep else []
        self.desk.clock.tick()
        self.desk.bring({**CASES[0], "status": status, "attempts": attempts})

    @invariant()
    def tallies_are_the_fold_of_the_ledger(self):
        if not hasattr(self, "desk"):
            return
        entries = self.desk.rows("SELECT id, resolution_id, verdict, undoes FROM outcomes")
        undone = {undoes for *_, undoes in entries}
        tried, reward = defaultdict(float), defaultdict(float)
        for number, resolution, verdict, _ in entries:
            if number not in undone and verdict != "unknown":
                tried[resolution] += 1
                reward[resolution] += REWARD[verdict]
        kept = resolutions.tallies(self.desk.kb.connection, [1, 2, 3, 4])
        assert {k: (v.tried, v.reward) for k, v in kept.items() if v.tried} == {
            k: (tried[k], reward[k]) for k in tried
        }
        whole = resolutions.total(self.desk.kb.connection)
        assert (whole.tried, whole.reward) == (sum(tried.values()), sum(reward.values()))
        then = ledger.totals_as_of(self.desk.kb.connection, self.desk.clock.now)
        assert then == {k: (tried[k], reward[k]) for k in tried}

    def teardown(self):
        if hasattr(self, "desk"):
            self.desk.kb.close()
            self.scratch.cleanup()


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(
    max_examples=5, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_every_propensity_lies_above_zero_and_at_most_at_one(stocked):
    from dataclasses import replace as with_values

    from kbagent.model.policy import PolicyParameters
    from kbagent.store import policies

    exploring = with_values(PolicyParameters(), exploration=True)
    with stocked.kb.database.write() as connection:
        version = policies.add(connection, "curious", exploring, stocked.clock.now)
    stocked.say("failed", "r1")
    for number in range(20):
        found = stocked.ask(f"printer hangs {number}", policy=version, everything=True)
        shares = [one.propensity for issue in found.issues for one in issue.resolutions]
        assert shares and all(0.0 < share <= 1.0 for share in shares)
    assert stocked.one("SELECT count(*) FROM showings WHERE propensity <= 0 OR propensity > 1") == 0
    assert set(refs(stocked.ask("printer hangs", policy=version))) >= {"desk:1"}


@pytest.mark.model
def test_a_case_of_ones_own_keeps_what_the_lookup_told_of_it(desk: Desk) -> None:
    desk.encoder = load_encoder()  # type: ignore[assignment]
    desk.bring(ticket("1", "Printer hangs", attempts=[tried("Reset")], facets={"version": "4.3"}))
    found = search_with(desk, "printer hangs", "Version=4.3", "title~printer")
    desk.say("worked", found.handle, "1", case="desk:own")
    case = "SELECT facets FROM cases WHERE external_id = 'own'"
    assert json.loads(desk.one(case)) == [["version", "4.3"]]


def search_with(desk: Desk, query: str, *where: str) -> LookupResult:
    return desk.ask(query, filters=tuple(parse_filter(text) for text in where))
