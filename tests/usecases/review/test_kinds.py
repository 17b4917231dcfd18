"""What is asked, kind by kind: the item is there when it should be, and not when it should not."""

from kbagent.store import issues
from kbagent.usecases.report.hazards import at_risk
from kbagent.usecases.retain.fixes import group_fixes
from kbagent.usecases.reuse.boundaries import limits_of
from kbagent.usecases.review.deciding import decide, undo
from kbagent.usecases.review.ground import Ground
from kbagent.usecases.review.items import Item, Kind
from kbagent.usecases.review.queue import assemble
from kbagent.usecases.revise import families, freezing, rules, wordings
from kbagent.usecases.revise.rules import Remark
from tests.fakes.desk import Desk, same_as, ticket, tried
from tests.usecases.review.conftest import (
    BLANK,
    DRIVER,
    NEAR_FIXES,
    day,
    one_issue,
    strangers,
)

RESET = "Reset the spooler port."


def asked(desk: Desk, kind: Kind, since: str | None = None) -> list[Item]:
    return list(assemble(desk.kb, kind=kind, since=since).items)


def only(desk: Desk, kind: Kind, since: str | None = None) -> Item:
    (item,) = asked(desk, kind, since)
    return item


def issue_of(desk: Desk, name: str) -> int:
    return families.named_case(desk.kb, f"desk:{name}").issue_id


class TestLinks:
    def test_two_issues_that_are_nearly_one_are_joined_by_accepting(self, halves: Desk) -> None:
        item = only(halves, Kind.LINK)
        one, other = issue_of(halves, "a0"), issue_of(halves, "b0")
        assert item.key == f"link:i{one}:i{other}"
        decide(halves.kb, item, "accept", by="ana")
        assert issue_of(halves, "b1") == one
        assert asked(halves, Kind.LINK) == []

    def test_rejecting_keeps_them_apart_through_a_later_import(self, halves: Desk) -> None:
        decide(halves.kb, only(halves, Kind.LINK), "reject", by="ana")
        before = (issue_of(halves, "a0"), issue_of(halves, "b0"))
        halves.bring(*strangers(60))
        assert (issue_of(halves, "a0"), issue_of(halves, "b0")) == before
        assert asked(halves, Kind.LINK) == []

    def test_what_a_person_split_is_not_proposed_again(self, desk: Desk) -> None:
        desk.bring(*[ticket(f"a{n}", f"{BLANK} {n}") for n in range(8)], *strangers())
        families.split(desk.kb, issue_of(desk, "a0"), ["desk:a6", "desk:a7"])
        assert not [one for one in asked(desk, Kind.LINK) if one.key.startswith("link:i")]

    def test_nothing_far_is_proposed_however_sure_it_seems(self, desk: Desk) -> None:
        desk.bring(*strangers(30))
        assert asked(desk, Kind.LINK) == []

    def test_a_case_only_just_in_its_issue_is_confirmed_or_taken_out(self, desk: Desk) -> None:
        desk.bring(*[ticket(f"a{n}", f"{BLANK} {n}") for n in range(8)], *strangers())
        families.split(desk.kb, issue_of(desk, "a0"), ["desk:a6", "desk:a7"])
        item = asked(desk, Kind.LINK)[0]
        assert item.key.startswith("link:c")
        case = families.named_case(desk.kb, item.sides[0].handle)
        decide(desk.kb, item, "accept", by="ana")
        membership = issues.membership_of(desk.kb.connection, case.id)
        assert membership is not None
        assert (membership.issue_id, membership.kind) == (case.issue_id, "human")
        undo(desk.kb)
        decide(desk.kb, item, "reject", by="ana")
        assert families.named_case(desk.kb, case.ref).issue_id != case.issue_id

    def test_a_waiting_link_may_mean_the_case_of_another_source(self, desk: Desk) -> None:
        jira = {**ticket("77", f"{BLANK} at site b"), "source": "jira"}
        desk.bring(jira)
        desk.bring(
            ticket(
                "1", f"{BLANK} with grey bar", links=[{"kind": "duplicate", "external_id": "77"}]
            )
        )
        families.split(desk.kb, issue_of(desk, "1"), ["desk:1"])
        item = only(desk, Kind.LINK)
        assert "jira:77" in item.question
        decide(desk.kb, item, "accept")
        assert issue_of(desk, "1") == families.named_case(desk.kb, "jira:77").issue_id


class TestDuplicates:
    def near(self, desk: Desk) -> Item:
        desk.bring(*one_issue(6, *((text, "worked") for text in NEAR_FIXES)))
        return only(desk, Kind.DUPLICATE)

    def test_two_near_wordings_count_as_one_after_accepting(self, desk: Desk) -> None:
        item = self.near(desk)
        assert item.key == "duplicate:r1:r2"
        decide(desk.kb, item, "accept", by="ana")
        assert desk.rows("SELECT DISTINCT canonical_id FROM resolutions") == [(1,)]
        undo(desk.kb)
        assert desk.rows("SELECT canonical_id FROM resolutions ORDER BY 1") == [(1,), (2,)]

    def test_rejecting_outlasts_automatic_grouping(self, desk: Desk) -> None:
        decide(desk.kb, self.near(desk), "reject", by="ana")
        vector = desk.one("SELECT vector FROM fix_vectors WHERE resolution_id = 1")
        with desk.kb.database.write() as connection:  # now they are as near as can be
            connection.execute("UPDATE fix_vectors SET vector = ?", (vector,))
            assert group_fixes(desk.kb, 1, [issue_of(desk, "p0")]) == 0
            undo(desk.kb)
            assert group_fixes(desk.kb, 1, [issue_of(desk, "p0")]) == 1

    def test_fixes_that_surely_fare_differently_are_not_asked_about(self, desk: Desk) -> None:
        verdicts = ("worked", "failed")
        desk.bring(*one_issue(10, *zip(NEAR_FIXES, verdicts, strict=True)))
        assert asked(desk, Kind.DUPLICATE) == []


class TestContradictions:
    def test_a_case_that_gainsays_all_others_on_its_version(self, desk: Desk) -> None:
        cases = one_issue(8, (RESET, "worked"), facets={"version": "4.2"})
        cases[5]["attempts"] = [
            tried(RESET, "failed", at=day(5)),
            tried("swap the head", at=day(6)),
        ]
        desk.bring(*cases)
        item = only(desk, Kind.CONTRADICTION)
        assert item.key.endswith(":r1")
        assert item.evidence[0].endswith("on 7 others of i1 it worked")
        assert "swap the head" in item.evidence[-1]
        decide(desk.kb, item, "accept", by="ana")
        assert issue_of(desk, "p5") != issue_of(desk, "p0")
        assert asked(desk, Kind.CONTRADICTION) == []

    def test_another_version_is_a_reason_and_no_contradiction(self, desk: Desk) -> None:
        cases = one_issue(8, (RESET, "worked"), facets={"version": "4.2"})
        cases[5] |= {"attempts": [tried(RESET, "failed")], "facets": {"version": "4.3"}}
        desk.bring(*cases)
        assert asked(desk, Kind.CONTRADICTION) == []

    def test_a_case_is_asked_about_once_and_not_after_an_alarm(self, desk: Desk) -> None:
        cases = one_issue(12, (RESET, "worked"))
        desk.bring(*cases, ticket("odd", "badge reader dead", links=same_as("p0")))
        for n in range(2):
            desk.say("failed", "r1", case="desk:odd", by=f"p{n}", at=desk.clock.tick())
        assert only(desk, Kind.CONTRADICTION).key.endswith(":r1")
        for n in range(9):
            desk.say("failed", "r1", case="desk:odd", by=f"q{n}", at=desk.clock.tick())
        assert len(asked(desk, Kind.ALARM)) == 1
        assert asked(desk, Kind.CONTRADICTION) == []

    def test_a_few_outcomes_contradict_nothing(self, desk: Desk) -> None:
        cases = one_issue(6, (RESET, "worked"))
        cases[5]["attempts"] = [tried(RESET, "failed")]
        desk.bring(*cases)
        assert asked(desk, Kind.CONTRADICTION) == []

    def test_two_fixes_that_exclude_each_other(self, desk: Desk) -> None:
        told = ("enable the sync option in the settings", "disable the sync option in the settings")
        desk.bring(*one_issue(5, (told[0], "worked"), (told[0], "worked"), (told[1], "worked")))
        item = only(desk, Kind.CONTRADICTION)
        decide(desk.kb, item, "accept", by="ana")
        better, weaker = (int(side.handle[1:]) for side in item.sides[:2])
        assert limits_of(desk.kb.connection, issue_of(desk, "p0")).deprecated == {weaker}
        assert rules.standing(desk.kb)[0].data["replaced_by"] == f"r{better}"

    def test_a_deprecated_fix_that_works_on_is_given_back(self, desk: Desk) -> None:
        desk.bring(*one_issue(2, (RESET, "worked")))
        rule = rules.deprecate(desk.kb, "r1", None, Remark("uwe", "old"))
        for n in range(5):
            assert asked(desk, Kind.CONTRADICTION) == []
            desk.clock.tick()
            desk.say("worked", "r1", by=f"p{n}", at=desk.clock.tick())
        item = only(desk, Kind.CONTRADICTION)
        assert item.key == f"contradiction:rule{rule}"
        decide(desk.kb, item, "accept", by="ana")
        assert rules.standing(desk.kb) == []
        undo(desk.kb)
        (again,) = rules.standing(desk.kb)
        assert (again.by, again.data["reason"]) == ("uwe", "old")

    def test_a_pinned_fix_that_only_fails(self, desk: Desk) -> None:
        desk.bring(*one_issue(2, (RESET, "worked")))
        rules.pin(desk.kb, f"i{issue_of(desk, 'p0')}", "r1", Remark())
        for n in range(5):
            desk.say("failed", "r1", by=f"p{n}", at=desk.clock.tick())
        assert "pinned" in only(desk, Kind.CONTRADICTION).question


class TestAlarms:
    def test_a_fix_that_stopped_comes_last_after_accepting(self, desk: Desk) -> None:
        cases = one_issue(42, (RESET, "worked"))
        for case in cases[30:]:
            case["attempts"] = [{**case["attempts"][0], "verdict": "failed"}]
        desk.bring(*cases)
        item = only(desk, Kind.ALARM)
        assert item.evidence[0].startswith("it worked 30 of 30 times until 2025-02-0")
        decide(desk.kb, item, "accept", by="ana")
        assert limits_of(desk.kb.connection, issue_of(desk, "p0")).deprecated == {1}
        assert asked(desk, Kind.ALARM) == []
        undo(desk.kb)
        assert [one.key for one in asked(desk, Kind.ALARM)] == [item.key]


class TestAnswers:
    def unsure(self, desk: Desk) -> Item:
        desk.bring(*two_halves_and_odd())
        asked_for = desk.ask("thermal transfer ribbon makes blank streaks on wet stock")
        assert not asked_for.confident
        desk.bring(ticket("new", "thermal transfer ribbon", status="open"))
        desk.say("worked", asked_for.handle, "1", case="desk:new", by="uwe")
        return only(desk, Kind.ANSWER)

    def test_rejecting_takes_the_case_out_of_the_issue(self, desk: Desk) -> None:
        item = self.unsure(desk)
        before = issue_of(desk, "new")
        assert item.issues == (before,)
        decide(desk.kb, item, "reject", by="ana")
        assert issue_of(desk, "new") != before
        undo(desk.kb)
        assert issue_of(desk, "new") == before

    def test_accepting_keeps_it_there_by_a_persons_word(self, desk: Desk) -> None:
        decide(desk.kb, self.unsure(desk), "accept", by="ana")
        case = families.named_case(desk.kb, "desk:new")
        membership = issues.membership_of(desk.kb.connection, case.id)
        assert membership is not None and membership.kind == "human"

    def test_an_outcome_taken_back_is_not_asked_about(self, desk: Desk) -> None:
        self.unsure(desk)
        from kbagent.usecases.revise import outcomes

        outcomes.undo(desk.kb, desk.one("SELECT max(id) FROM outcomes"))
        assert asked(desk, Kind.ANSWER) == []


def two_halves_and_odd() -> list[dict[str, object]]:
    return [ticket("a", BLANK, attempts=[tried(DRIVER)]), *strangers(4)]


class TestRisks:
    def test_what_one_person_solved_is_safe_when_another_vouches(self, desk: Desk) -> None:
        cases = one_issue(4, (RESET, "worked"))
        for case in cases:
            case["attempts"][0]["by"] = "Uwe"
        desk.bring(*cases)
        item = only(desk, Kind.RISK)
        decide(desk.kb, item, "accept", by="ana")
        assert at_risk(desk.kb, Ground(desk.kb).columns) == ()
        undo(desk.kb)
        assert len(at_risk(desk.kb, Ground(desk.kb).columns)) == 1

    def test_a_fix_not_known_to_work_on_the_versions_met_now(self, desk: Desk) -> None:
        cases = one_issue(3, (RESET, "worked"), facets={"version": "4.1"})
        newer = one_issue(6, (RESET, "unknown"), facets={"version": "4.10"})[4:]
        desk.bring(*cases, *newer)
        item = only(desk, Kind.RISK)
        assert item.evidence == (
            "no fix is known to work after version 4.1",
            "2 cases came on later versions, up to 4.10",
        )
        decide(desk.kb, item, "accept", by="ana")
        assert asked(desk, Kind.RISK) == []

    def test_a_given_version_asks_for_every_fix_not_confirmed_since(self, desk: Desk) -> None:
        cases = one_issue(3, (RESET, "worked"), facets={"version": "4.1"})
        newer = one_issue(5, (RESET, "unknown"), facets={"version": "4.3"})[4:]
        desk.bring(*cases, *newer)
        assert asked(desk, Kind.RISK) == []
        assert only(desk, Kind.RISK, since="4.2").key.endswith(":version")
        assert asked(desk, Kind.RISK, since="4.0") == []


def test_nothing_is_asked_about_a_frozen_issue(halves: Desk) -> None:
    assert len(asked(halves, Kind.LINK)) == 1
    freezing.freeze(halves.kb, f"i{issue_of(halves, 'a0')}")
    assert asked(halves, Kind.LINK) == []


def test_fixes_kept_apart_by_hand_are_not_asked_about(desk: Desk) -> None:
    desk.bring(*one_issue(6, *((text, "worked") for text in NEAR_FIXES)))
    wordings.keep_apart(desk.kb, "r1", "r2")
    assert asked(desk, Kind.DUPLICATE) == []


def test_an_empty_knowledge_base_has_nothing_to_ask(desk: Desk) -> None:
    assert assemble(desk.kb).items == ()
