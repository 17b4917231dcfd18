"""Decisions: stored with their author, taken back whole, never asked twice, and taught from."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kbagent.core.linking.assignment import DEFAULT_THRESHOLD
from kbagent.errors import UnknownHandle, UsageError
from kbagent.store import decisions
from kbagent.usecases.learn import confidence
from kbagent.usecases.retain.thresholds import link_threshold
from kbagent.usecases.review.applying import apply, read_records
from kbagent.usecases.review.deciding import decide, log, undo
from kbagent.usecases.review.items import Answer, Kind
from kbagent.usecases.review.queue import assemble, open_items
from kbagent.usecases.revise import families
from tests.fakes.desk import Desk, odd_words, ticket, tried
from tests.usecases.review.conftest import BLANK, NEAR_FIXES, one_issue, strangers, two_halves

STATE = {
    "memberships": "SELECT * FROM memberships ORDER BY case_id",
    "links": "SELECT case_id, other_id, kind, source FROM links WHERE undone_at IS NULL",
    "groupings": "SELECT id, canonical_id, grouped_by FROM resolutions ORDER BY id",
    "rules": "SELECT kind, issue_id, resolution_id, data, by FROM decisions AS d"
    " WHERE kind NOT LIKE 'undo %' AND undoes IS NULL"
    " AND NOT EXISTS (SELECT 1 FROM decisions WHERE undoes = d.id)",
    "outcomes": "SELECT id, case_id, verdict FROM outcomes",
}


def state(desk: Desk) -> dict[str, list[tuple[Any, ...]]]:
    return {name: sorted(desk.rows(sql), key=str) for name, sql in STATE.items()}


def rich_world(desk: Desk) -> None:
    """Items of several kinds at once."""
    fixes = [(text, "worked") for text in NEAR_FIXES]
    other = one_issue(8, *fixes)
    for case in other:
        case["attempts"][0]["by"] = "Uwe"
    desk.bring(*two_halves(), *other)
    families.split(desk.kb, families.named_case(desk.kb, "desk:a0").issue_id, ["desk:a5"])


def test_a_decision_names_its_author_and_reason_and_holds_no_text(halves: Desk) -> None:
    (item,) = assemble(halves.kb).items
    decide(halves.kb, item, "accept", by="ana", reason="same symptom")
    (entry,) = log(halves.kb, 10)
    assert (entry.decision.by, entry.item, entry.answer) == ("ana", item.key, "accept")
    told = json.dumps(entry.decision.data)
    assert entry.decision.data["reason"] == "same symptom"
    assert BLANK not in told and "spooler" not in told


def test_what_was_decided_is_not_asked_again_after_the_same_import(desk: Desk) -> None:
    rich_world(desk)
    items = assemble(desk.kb).items
    assert {item.kind for item in items} >= {Kind.LINK, Kind.DUPLICATE, Kind.RISK}
    for item in items:
        decide(desk.kb, item, "reject", by="ana")
    decided = {item.key for item in items}
    assert len(decided) == len(items)
    assert decided.isdisjoint(item.key for item in assemble(desk.kb).items)
    fixes = [(text, "worked") for text in NEAR_FIXES]
    desk.bring(*two_halves(), *one_issue(8, *fixes))
    assert decided.isdisjoint(item.key for item in assemble(desk.kb).items)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(answers=st.lists(st.sampled_from(list(Answer)), min_size=1, max_size=12))
def test_undoing_everything_leaves_everything_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, answers: list[Answer]
) -> None:
    desk = Desk(tmp_path_factory.mktemp("undo"))
    rich_world(desk)
    before = state(desk)
    items = assemble(desk.kb).items
    made = []
    for item, answer in zip(items, answers, strict=False):
        desk.clock.tick()
        try:
            made.append(decide(desk.kb, item, answer, by="ana"))
        except UsageError:
            continue
    for _ in made:
        desk.clock.tick()
        undo(desk.kb, by="bea")
    assert state(desk) == before
    assert [one.key for one in assemble(desk.kb).items] == [one.key for one in items]
    desk.kb.close()


def test_a_deed_that_cannot_be_done_leaves_no_decision(desk: Desk) -> None:
    cases = one_issue(4, ("Reset it.", "worked"))
    for case in cases:
        case["attempts"][0]["by"] = "Uwe"
    desk.bring(*cases)
    (item,) = assemble(desk.kb).items
    with pytest.raises(UsageError, match="somebody else has to vouch"):
        decide(desk.kb, item, "accept", by="Uwe")
    with pytest.raises(UsageError, match="--by"):
        decide(desk.kb, item, "accept")
    assert log(desk.kb, 10) == []


def test_an_undo_is_refused_where_a_later_decision_builds_upon_it(halves: Desk) -> None:
    (item,) = assemble(halves.kb).items
    first = decide(halves.kb, item, "accept", by="ana")
    families.split(halves.kb, families.named_case(halves.kb, "desk:a0").issue_id, ["desk:b0"])
    with pytest.raises(UsageError, match="take it back first"):
        undo(halves.kb, first)
    assert not decisions.is_undone(halves.kb.connection, first)


def test_taking_back_twice_or_nothing_is_refused(halves: Desk) -> None:
    with pytest.raises(UnknownHandle):
        undo(halves.kb)
    (item,) = assemble(halves.kb).items
    made = decide(halves.kb, item, "reject")
    undo(halves.kb, made)
    with pytest.raises(UnknownHandle, match="already"):
        undo(halves.kb, made)
    with pytest.raises(UnknownHandle):
        undo(halves.kb, made - 1)  # what the deed left is no decision of a review


def test_what_is_put_off_comes_after_all_others(desk: Desk) -> None:
    rich_world(desk)
    first, *rest = assemble(desk.kb).items
    decide(desk.kb, first, "later", by="ana")
    again = assemble(desk.kb)
    assert [one.key for one in again.items] == [*(one.key for one in rest), first.key]
    assert again.former[first.key].by == "ana"


class TestApply:
    def records(self, desk: Desk, decision: str = "reject", **more: str) -> str:
        return "\n".join(
            json.dumps({"item": one.key, "decision": decision, "state": one.state, **more})
            for one in open_items(desk.kb)
        )

    def test_a_file_is_carried_out_once(self, desk: Desk) -> None:
        rich_world(desk)
        wanted = read_records(self.records(desk, by="bea"))
        first = apply(desk.kb, wanted, by="ana")
        assert all(one.decision is not None for one in first)
        after = state(desk)
        assert [one.decision for one in apply(desk.kb, wanted, by="ana")] == [None] * len(first)
        assert state(desk) == after
        assert {one.decision.by for one in log(desk.kb, 99)} == {"bea"}

    @pytest.mark.parametrize(
        ("record", "why"),
        [
            ({"item": "link:i999:i1000", "decision": "accept"}, "line 2: .*is not asked"),
            ({"item": "nonsense", "decision": "accept"}, "line 2: there is no item 'nonsense'"),
            ({"item": "link:i1:i2", "decision": "maybe"}, "line 2: decision 'maybe' is none of"),
            ({"decision": "accept"}, "line 2: it names no item"),
            ({"item": 5, "decision": "accept"}, "line 2: item must be a text"),
            ({"item": "a", "decision": "accept", "who": "x"}, "line 2: there is no field 'who'"),
            (["accept"], "line 2 is no object"),
        ],
    )
    def test_one_bad_record_and_nothing_is_applied(
        self, halves: Desk, record: object, why: str
    ) -> None:
        before = state(halves)
        text = self.records(halves, "accept") + "\n" + json.dumps(record)
        with pytest.raises(UsageError, match=why):
            apply(halves.kb, read_records(text), by="ana")
        assert state(halves) == before

    def test_a_changed_item_and_a_contrary_decision_are_refused(self, halves: Desk) -> None:
        (item,) = open_items(halves.kb)
        line = {"item": item.key, "decision": "accept"}
        stale = json.dumps([{**line, "state": "00000000"}])
        with pytest.raises(UsageError, match=r"record 1: what .* rests on changed"):
            apply(halves.kb, read_records(stale))
        twice = json.dumps([line, {**line, "decision": "reject"}])
        with pytest.raises(UsageError, match="decided otherwise in record 1"):
            apply(halves.kb, read_records(twice))
        made = decide(halves.kb, item, "reject", by="ana")
        with pytest.raises(UsageError, match=f"reject \\(decision {made}\\)"):
            apply(halves.kb, read_records(json.dumps(line)))

    def test_a_deed_that_fails_takes_the_earlier_ones_back(self, desk: Desk) -> None:
        rich_world(desk)
        before = state(desk)
        text = self.records(desk, "accept", by="Uwe")  # Uwe cannot vouch for himself
        with pytest.raises(UsageError, match=r"line .*Nothing was applied"):
            apply(desk.kb, read_records(text))
        assert state(desk) == before

    @pytest.mark.parametrize("text", ["[" * 9000, '{"a":' * 9000, "[1", "[5]", "nonsense"])
    def test_what_is_no_list_of_decisions_is_refused(self, text: str) -> None:
        with pytest.raises(UsageError, match="Nothing was applied"):
            read_records(text)

    def test_lines_that_are_no_json_are_named(self) -> None:
        with pytest.raises(UsageError, match="line 3 is no object"):
            read_records('\n{"item": "a", "decision": "later"}\n{"item": ')


class TestLessons:
    def test_refused_links_raise_the_bar_and_an_undo_lowers_it_again(self, halves: Desk) -> None:
        (item,) = assemble(halves.kb).items
        assert link_threshold(halves.kb).confidence == DEFAULT_THRESHOLD
        decide(halves.kb, item, "reject")
        refused = link_threshold(halves.kb)
        assert refused.confidence > DEFAULT_THRESHOLD + 0.01
        assert refused.learned_on == 1
        undo(halves.kb)
        assert link_threshold(halves.kb).confidence == DEFAULT_THRESHOLD
        decide(halves.kb, item, "accept")
        assert link_threshold(halves.kb).confidence < DEFAULT_THRESHOLD

    def test_a_bar_that_was_raised_keeps_a_case_out(self, halves: Desk) -> None:
        words = BLANK.split()
        text = " ".join([*words[:7], *odd_words(81).split(), *odd_words(181).split()])
        halves.bring(ticket("before", text))
        home = families.named_case(halves.kb, "desk:before")
        assert home.issue_id == families.named_case(halves.kb, "desk:a0").issue_id
        (item,) = [one for one in assemble(halves.kb).items if one.key.startswith("link:i")]
        decide(halves.kb, item, "reject")
        decide_again = link_threshold(halves.kb).confidence
        sure = halves.one("SELECT confidence FROM memberships WHERE case_id = ?", home.id)
        assert DEFAULT_THRESHOLD < sure < 0.97
        assert decide_again > DEFAULT_THRESHOLD
        for n in range(12):  # more of the same refusals, as a long review gives
            with halves.kb.database.write() as connection:
                lesson = {"confidence": 0.97, "right": False}
                told = {"item": f"link:x{n}", "decision": "reject", "state": "", "lesson": lesson}
                decisions.add(connection, "review", halves.clock(), data=told)
        assert link_threshold(halves.kb).confidence > sure
        halves.bring(ticket("after", text.replace("label", "tag")))
        later = families.named_case(halves.kb, "desk:after")
        assert later.issue_id != families.named_case(halves.kb, "desk:a0").issue_id

    def test_an_answer_said_to_be_wrong_is_a_wrong_label(self, desk: Desk) -> None:
        desk.bring(ticket("a", BLANK, attempts=[tried("Reset it.")]), *strangers(4))
        found = desk.ask("thermal transfer ribbon makes blank streaks on wet stock")
        desk.say("worked", found.handle, "1", by="uwe")
        before = confidence.replayed(desk.kb)
        (item,) = assemble(desk.kb, kind=Kind.ANSWER).items
        decide(desk.kb, item, "reject", by="ana")
        after = confidence.replayed(desk.kb)
        assert (before.right[-1], after.right[-1]) == (1.0, 0.0)
        assert (before.right[:-1] == after.right[:-1]).all()
        undo(desk.kb)
        assert confidence.replayed(desk.kb).right[-1] == 1.0

    def test_an_answer_stays_right_when_its_issue_is_merged_into_another(self, desk: Desk) -> None:
        desk.bring(*strangers(4), ticket("a", BLANK, attempts=[tried("Reset it.")]))
        found = desk.ask("thermal transfer ribbon makes blank streaks on wet stock")
        desk.say("worked", found.handle, "1", by="uwe")
        assert confidence.replayed(desk.kb).right[-1] == 1.0
        families.link(desk.kb, "desk:x0", "desk:a")
        assert confidence.replayed(desk.kb).right[-1] == 1.0

    def test_confidence_falls_when_answers_like_it_were_wrong(self, desk: Desk) -> None:
        desk.bring(*one_issue(60, ("Reset it.", "worked")), *strangers(20))
        asked_for = [f"gate turnstile card {odd_words(300 + n)}" for n in range(8)]
        for query in asked_for:
            found = desk.ask(query)
            assert not found.confident
            desk.say("worked", found.handle, "1", by="uwe")
        before = confidence.learn_confidence(desk.kb)
        for item in assemble(desk.kb, kind=Kind.ANSWER).items:
            decide(desk.kb, item, "reject", by="ana")
        after = confidence.learn_confidence(desk.kb)
        labels = confidence.replayed(desk.kb)
        clear, near = labels.clear[-1], labels.near[-1]
        assert before.learned and after.learned
        assert after.certainty.confidence(clear, near) < before.certainty.confidence(clear, near)
