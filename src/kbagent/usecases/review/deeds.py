"""Deeds: what an answer does, through the same use cases as the commands that do one of them.

Every deed leaves decisions of its own, which those commands list and take back too; taking a
review back takes them back in reverse. A deed that another decision has done meanwhile does
nothing.
"""

from kbagent.errors import UsageError
from kbagent.store import cases, decisions, issues, resolutions
from kbagent.store.decisions import Decision
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.review.items import (
    Deed,
    Deprecate,
    Item,
    JoinCases,
    JoinFixes,
    KeepPlace,
    LiftRule,
    PartCases,
    PartFixes,
    Vouch,
)
from kbagent.usecases.revise import confirming, families, rules, wordings


def do(kb: KnowledgeBase, deed: Deed | None, *, by: str | None, reason: str | None) -> None:
    """Do what an answer says; within the caller's transaction.

    Raises:
        UsageError: it cannot be done (any more).
    """
    match deed:
        case JoinCases(one, other):
            families.link(kb, _ref(kb, one), _ref(kb, other), by=by)
        case PartCases(stays, leaves):
            families.unlink(kb, _ref(kb, stays), _ref(kb, leaves), by=by)
        case KeepPlace(case, issue):
            families.move(kb, _ref(kb, case), issue, by=by)
        case JoinFixes(kept, absorbed):
            if not _one_approach(kb, kept, absorbed):
                wordings.merge(kb, f"r{kept}", f"r{absorbed}", by=by)
        case PartFixes(one, other):
            wordings.keep_apart(kb, f"r{one}", f"r{other}", by=by)
        case Deprecate(resolution, issue, why, replaced_by):
            remark = rules.Remark(by, reason or why, f"r{replaced_by}" if replaced_by else None)
            rules.deprecate(kb, f"r{resolution}", f"i{issue}", remark)
        case LiftRule(rule):
            rules.undo(kb, rule, by=by)
        case Vouch(issue, resolution, version, alone):
            if by is not None and by == alone:
                raise UsageError(
                    what=f"{by} is the one on whom i{issue} depends; somebody else has to vouch."
                )
            confirming.confirm(kb, issue, resolution, version=version, by=by)


def take_back(kb: KnowledgeBase, made: Decision, *, by: str | None) -> None:
    """Take back one decision that a deed left; nothing happens when that was done already.

    Raises:
        UsageError: a later decision builds upon it; that one has to go first.
    """
    if decisions.is_undone(kb.connection, made.id):
        return
    if made.kind in families.KINDS:
        families.undo(kb, made.id, by=by)
    elif made.kind in wordings.KINDS:
        wordings.undo(kb, made.id, by=by)
    elif made.kind in rules.KINDS:
        rules.undo(kb, made.id, by=by)
    elif made.kind == confirming.CONFIRM:
        confirming.undo(kb, made.id, by=by)
    elif made.undoes is not None:
        _set_again(kb, made.undoes)


def is_settled(kb: KnowledgeBase, item: Item) -> bool:
    """Whether what is asked was decided meanwhile by another answer."""
    match item.accept.deed:
        case JoinCases(one, other):
            homes = issues.memberships(kb.connection, [one, other])
            return len(homes) == 2 and homes[one].issue_id == homes[other].issue_id
        case KeepPlace(case, issue):
            home = issues.membership_of(kb.connection, case)
            return home is None or home.issue_id != issue or home.kind == "human"
        case JoinFixes(kept, absorbed):
            return _one_approach(kb, kept, absorbed)
        case LiftRule(rule):
            return decisions.is_undone(kb.connection, rule)
    return False


def _set_again(kb: KnowledgeBase, rule: int) -> None:
    """A rule that was lifted holds again: the same rule, as a new decision."""
    former = decisions.get(kb.connection, rule)
    if former is not None:
        decisions.add(
            kb.connection,
            former.kind,
            kb.clock(),
            by=former.by,
            issue_id=former.issue_id,
            resolution_id=former.resolution_id,
            data=former.data,
        )


def _one_approach(kb: KnowledgeBase, one: int, other: int) -> bool:
    known = resolutions.by_ids(kb.connection, [one, other])
    return len({found.canonical_id for found in known.values()}) == 1


def _ref(kb: KnowledgeBase, case_id: int) -> str:
    return cases.by_ids(kb.connection, [case_id])[case_id].ref
