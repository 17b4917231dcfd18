"""What people say about which cases belong together; it outranks links and assignments.

Members are linked, never merged: joining two issues moves memberships, and every move is logged
with the decision behind it, so that undoing a decision puts each case back where it was. Evidence
sits on cases and moves along by itself.
"""

from collections.abc import Sequence

from kbagent.errors import UnknownHandle, UsageError
from kbagent.model.case import Case, LinkKind
from kbagent.store import cases, decisions, issues
from kbagent.store.decisions import Decision
from kbagent.store.issues import Membership
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.revise.parting import part_relatives

PERSON = "person"
KINDS = ("link", "unlink", "merge", "split", "move", "rename")


def link(kb: KnowledgeBase, first: str, second: str, *, by: str | None = None) -> int:
    """Two cases are the same issue: their issues become one; its id.

    Raises:
        UnknownHandle: a case is not known.
        UsageError: both are the same case.
    """
    one, other = named_case(kb, first), named_case(kb, second)
    if one.id == other.id:
        raise UsageError(what=f"{first} and {second} are one case; name another one.")
    with kb.database.write():
        now = kb.clock()
        target, source = _older_first(kb, one, other)
        change = decisions.add(
            kb.connection, "link", now, by=by, issue_id=target, data={"cases": [one.id, other.id]}
        )
        issues.undo_links(kb.connection, one.id, other.id, now)
        issues.add_link(kb.connection, one.id, other.id, LinkKind.SAME_ISSUE, PERSON, now, by=by)
        if source != target:
            members = issues.members(kb.connection, source)
            _move(kb, members, target, change, "a person linked two of the cases", by)
        _move(kb, [one.id, other.id], target, change, "a person linked them", by)
    return target


def unlink(kb: KnowledgeBase, first: str, second: str, *, by: str | None = None) -> int:
    """Two cases are not the same issue: the second gets an issue of its own; its id.

    Raises:
        UnknownHandle: a case is not known.
    """
    one, other = named_case(kb, first), named_case(kb, second)
    with kb.database.write():
        now = kb.clock()
        issues.undo_links(kb.connection, one.id, other.id, now)
        issues.add_link(kb.connection, one.id, other.id, LinkKind.NOT_SAME, PERSON, now, by=by)
        change = decisions.add(
            kb.connection, "unlink", now, by=by, data={"cases": [one.id, other.id]}
        )
        if one.issue_id != other.issue_id:
            part_relatives(kb, one.issue_id, other.issue_id)
            return other.issue_id
        own = issues.found(kb.connection, now)
        _move(kb, [other.id], own, change, "a person took it apart", by)
    return own


def merge(kb: KnowledgeBase, kept: int, absorbed: int, *, by: str | None = None) -> int:
    """All cases of one issue belong to another; the decision's id.

    Raises:
        UnknownHandle: an issue is not known.
        UsageError: both are the same.
    """
    if kept == absorbed:
        raise UsageError(what=f"i{kept} cannot join itself; name another issue.")
    with kb.database.write():
        _members(kb, kept)
        members = _members(kb, absorbed)
        change = decisions.add(
            kb.connection, "merge", kb.clock(), by=by, issue_id=kept, data={"absorbed": absorbed}
        )
        _move(kb, members, kept, change, f"a person merged i{absorbed} into i{kept}", by)
    return change


def split(
    kb: KnowledgeBase, issue_id: int, refs: Sequence[str], *, by: str | None = None
) -> tuple[int, int]:
    """Some cases of an issue become an issue of their own; (its id, the decision's id).

    Raises:
        UnknownHandle: the issue or a case is not known.
        UsageError: a case is not in the issue, or none would be left in it.
    """
    with kb.database.write():
        members = set(_members(kb, issue_id))
        chosen = [named_case(kb, ref).id for ref in refs]
        outside = [ref for ref, one in zip(refs, chosen, strict=True) if one not in members]
        if outside:
            raise UsageError(what=f"{', '.join(outside)}: not in issue i{issue_id}.")
        if not chosen or set(chosen) == members:
            raise UsageError(what=f"Name some of the cases of i{issue_id}, not all of them.")
        now = kb.clock()
        own = issues.found(kb.connection, now)
        change = decisions.add(kb.connection, "split", now, by=by, issue_id=issue_id)
        _move(kb, chosen, own, change, f"a person split it from i{issue_id}", by)
    return own, change


def move(kb: KnowledgeBase, ref: str, issue_id: int, *, by: str | None = None) -> int:
    """A case belongs to another issue; the decision's id.

    Raises:
        UnknownHandle: the case or the issue is not known.
    """
    with kb.database.write():
        case = named_case(kb, ref)
        _members(kb, issue_id)
        change = decisions.add(kb.connection, "move", kb.clock(), by=by, issue_id=issue_id)
        _move(kb, [case.id], issue_id, change, f"a person moved it to i{issue_id}", by)
        if case.issue_id is not None:
            part_relatives(kb, case.issue_id, issue_id)
    return change


def rename(kb: KnowledgeBase, issue_id: int, title: str, *, by: str | None = None) -> int:
    """A person names an issue; the decision's id.

    Raises:
        UnknownHandle: the issue is not known.
        UsageError: the title is empty.
    """
    if not title.strip():
        raise UsageError(what="The title is empty.")
    with kb.database.write():
        _members(kb, issue_id)
        before = issues.name_of(kb.connection, issue_id)
        change = decisions.add(
            kb.connection,
            "rename",
            kb.clock(),
            by=by,
            issue_id=issue_id,
            data={"title": title.strip(), "before": list(before)},
        )
        issues.set_title(kb.connection, issue_id, title.strip(), by or PERSON)
    return change


def undo(kb: KnowledgeBase, change: int, *, by: str | None = None) -> int:
    """Take a decision about issues back: each case returns to where it was; how many did.

    Raises:
        UnknownHandle: there is no such decision, or it is taken back already.
        UsageError: a later decision concerns the same cases; that one has to go first.
    """
    with kb.database.write():
        decision = decisions.get(kb.connection, change)
        if decision is None or decision.kind not in KINDS or decision.undoes is not None:
            raise UnknownHandle(handle=str(change), hint="`kbagent issue history` names them.")
        if decisions.is_undone(kb.connection, change):
            raise UnknownHandle(handle=str(change), hint="It is taken back already.")
        later = issues.later_changes(kb.connection, change) or _later_words(kb, decision)
        if later:
            raise UsageError(
                what=f"Decision {later[0]} came later and concerns the same cases; take it back"
                f" first: `kbagent issue undo {later[0]}`."
            )
        now = kb.clock()
        back = decisions.add(kb.connection, f"undo {decision.kind}", now, by=by, undoes=change)
        former = issues.before_change(kb.connection, change)
        moved = issues.memberships(kb.connection, [one.case_id for one in former])
        for membership in former:
            issues.place(
                kb.connection, membership, now, why=f"decision {change} undone", by=by, change=back
            )
        _name_again(kb, {one.issue_id for one in (*former, *moved.values())})
        if decision.kind in ("link", "unlink"):
            one, other = decision.data["cases"]
            issues.undo_links(kb.connection, one, other, now)
            issues.restore_links(kb.connection, one, other, decision.at)
        if decision.kind == "rename" and decision.issue_id is not None:
            issues.reset_title(kb.connection, decision.issue_id, *decision.data["before"])
    return len(former)


def _later_words(kb: KnowledgeBase, decision: Decision) -> list[int]:
    """Later decisions in force about whether just these two cases are the same, newest first."""
    pair = sorted(decision.data.get("cases", ()))
    told = decisions.standing(kb.connection, "link", "unlink") if pair else []
    return [
        one.id
        for one in reversed(told)
        if one.id > decision.id and sorted(one.data["cases"]) == pair
    ]


def named_case(kb: KnowledgeBase, ref: str) -> Case:
    """The case called `ref`.

    Raises:
        UnknownHandle: there is none.
    """
    case = cases.by_ref(kb.connection, ref)
    if case is None:
        raise UnknownHandle(handle=ref, hint="Name a case as SOURCE:ID, as a search shows it.")
    return case


def issue_number(handle: str) -> int:
    """5 for `i5` or `5`.

    Raises:
        UnknownHandle: it is neither.
    """
    digits = handle.removeprefix("i").removeprefix("I")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 19):
        raise UnknownHandle(handle=handle, hint="Name an issue as a search shows it, like i5.")
    return int(digits)


def _members(kb: KnowledgeBase, issue_id: int) -> list[int]:
    members = issues.members(kb.connection, issue_id)
    if not members:
        raise UnknownHandle(handle=f"i{issue_id}", hint=whereabouts(kb, issue_id))
    return members


def whereabouts(kb: KnowledgeBase, issue_id: int) -> str:
    """Where the cases of an issue went that has none any more, as a hint."""
    now = issues.successors(kb.connection, issue_id)
    if not now:
        return "`kbagent issue list` names the issues."
    return f"Its cases are in {', '.join(f'i{one}' for one in now)} now."


def _older_first(kb: KnowledgeBase, one: Case, other: Case) -> tuple[int, int]:
    """(the issue that stays, the one that joins it); the older one stays."""
    known = [case.issue_id for case in (one, other) if case.issue_id > 0]
    if not known:
        fresh = issues.found(kb.connection, kb.clock())
        return fresh, fresh
    return min(known), max(known)


def _move(
    kb: KnowledgeBase,
    case_ids: Sequence[int],
    issue_id: int,
    change: int,
    why: str,
    by: str | None,
) -> None:
    now = kb.clock()
    left = {one.issue_id for one in issues.memberships(kb.connection, case_ids).values()}
    for case_id in case_ids:
        place = Membership(case_id, issue_id, "human", 1.0, "human")
        issues.place(kb.connection, place, now, why=why, by=by, change=change)
    _name_again(kb, {*left, issue_id})


def _name_again(kb: KnowledgeBase, issue_ids: set[int]) -> None:
    from kbagent.usecases.retain.naming import name_issues  # loads NumPy: only where cases move

    name_issues(kb, issue_ids)
