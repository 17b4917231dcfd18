"""What people say about which wordings are one approach; it outranks what similarity says.

The evidence of all wordings of an approach is added up; a wording is never rewritten, so every
grouping can be undone.
"""

from kbagent.errors import UnknownHandle, UsageError
from kbagent.model.case import Resolution
from kbagent.store import decisions, resolutions
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.resolutions import Grouping
from kbagent.usecases.revise.rewording import EDIT, put_back
from kbagent.usecases.revise.targets import resolution_number

HUMAN = "human"
KEEP_APART = "keep resolutions apart"
KINDS = ("merge resolutions", "split resolution", "rename resolution", KEEP_APART, EDIT)


def merge(kb: KnowledgeBase, kept: str, absorbed: str, *, by: str | None = None) -> int:
    """Two resolutions are one approach; the decision's id.

    Raises:
        UnknownHandle: one is not known, or they are one approach already.
    """
    with kb.database.write():
        one, other = _named(kb, kept), _named(kb, absorbed)
        if one.canonical_id == other.canonical_id:
            raise UnknownHandle(handle=absorbed, hint=f"It counts as {kept} already.")
        moved = [w.id for w in resolutions.wordings(kb.connection, other.canonical_id)]
        return _regroup(kb, "merge resolutions", one, moved, one.canonical_id, by)


def split(kb: KnowledgeBase, handle: str, *, by: str | None = None) -> int:
    """A wording is an approach of its own; the decision's id.

    Raises:
        UnknownHandle: it is not known.
        UsageError: it is one already.
    """
    with kb.database.write():
        one = _named(kb, handle)
        wordings = resolutions.wordings(kb.connection, one.canonical_id)
        if len(wordings) == 1:
            raise UsageError(what=f"r{one.id} is an approach of its own already.")
        if one.canonical_id != one.id:
            return _regroup(kb, "split resolution", one, [one.id], one.id, by)
        # The head leaves: the others keep together under the oldest of them.
        rest = [wording.id for wording in wordings if wording.id != one.id]
        return _regroup(kb, "split resolution", one, rest, rest[0], by)


def keep_apart(kb: KnowledgeBase, first: str, second: str, *, by: str | None = None) -> int:
    """Two resolutions are two approaches and are never grouped by likeness; the decision's id.

    Raises:
        UnknownHandle: one is not known.
        UsageError: they count as one approach now; that has to be split first.
    """
    with kb.database.write():
        one, other = _named(kb, first), _named(kb, second)
        if one.canonical_id == other.canonical_id:
            raise UsageError(
                what=f"{first} and {second} count as one approach now; take one out of it first:"
                f" `kbagent resolution split {second}`."
            )
        return decisions.add(
            kb.connection,
            KEEP_APART,
            kb.clock(),
            by=by,
            resolution_id=one.id,
            data={"other": other.id},
        )


def rename(kb: KnowledgeBase, handle: str, name: str, *, by: str | None = None) -> int:
    """Give an approach a short name that is shown before its text; the decision's id.

    Raises:
        UnknownHandle: it is not known.
        UsageError: the name is empty.
    """
    if not name.strip():
        raise UsageError(what="The name is empty.")
    with kb.database.write():
        one = _named(kb, handle)
        before = resolutions.name_of(kb.connection, one.canonical_id)
        change = decisions.add(
            kb.connection,
            "rename resolution",
            kb.clock(),
            by=by,
            resolution_id=one.canonical_id,
            data={"name": name.strip(), "before": before},
        )
        resolutions.set_name(kb.connection, one.canonical_id, name.strip())
    return change


def undo(kb: KnowledgeBase, change: int, *, by: str | None = None) -> None:
    """Take a decision about resolutions back.

    Raises:
        UnknownHandle: there is no such decision, or it is taken back already.
        UsageError: a wording was regrouped again since; that decision has to go first.
    """
    with kb.database.write():
        decision = decisions.get(kb.connection, change)
        if decision is None or decision.kind not in KINDS or decision.undoes is not None:
            raise UnknownHandle(handle=str(change), hint="`kbagent resolution history` names them.")
        if decisions.is_undone(kb.connection, change):
            raise UnknownHandle(handle=str(change), hint="It is taken back already.")
        if decision.kind == "rename resolution":
            assert decision.resolution_id is not None  # noqa: S101 -- always stored with it
            resolutions.set_name(kb.connection, decision.resolution_id, decision.data["before"])
        elif decision.kind == EDIT:
            assert decision.resolution_id is not None  # noqa: S101 -- always stored with it
            put_back(kb, decision.resolution_id, decision.data)
        elif decision.kind != KEEP_APART:
            _put_back(kb, change, decision.data)
        decisions.add(kb.connection, f"undo {decision.kind}", kb.clock(), by=by, undoes=change)


def _put_back(kb: KnowledgeBase, change: int, data: dict[str, list[list[object]]]) -> None:
    before = [
        Grouping(int(str(i)), int(str(c)), None if g is None else str(g))
        for i, c, g in data["before"]
    ]
    after = {int(str(i)): int(str(c)) for i, c in data["after"]}
    now = resolutions.groupings(kb.connection, [one.resolution_id for one in before])
    if any(one.canonical_id != after[one.resolution_id] for one in now):
        raise UsageError(
            what=f"Some wording was grouped again since decision {change}; take the later decision"
            " back first (`kbagent resolution history`)."
        )
    for grouping in before:
        resolutions.regroup(kb.connection, grouping)


def _regroup(
    kb: KnowledgeBase,
    kind: str,
    subject: Resolution,
    wording_ids: list[int],
    canonical_id: int,
    by: str | None,
) -> int:
    touched = sorted({*wording_ids, subject.id})
    before = resolutions.groupings(kb.connection, touched)
    for one in before:
        target = canonical_id if one.resolution_id in wording_ids else one.canonical_id
        regrouped = Grouping(one.resolution_id, target, HUMAN)
        resolutions.regroup(kb.connection, regrouped)
    after = resolutions.groupings(kb.connection, touched)
    return decisions.add(
        kb.connection,
        kind,
        kb.clock(),
        by=by,
        resolution_id=subject.id,
        data={
            "before": [[one.resolution_id, one.canonical_id, one.grouped_by] for one in before],
            "after": [[one.resolution_id, one.canonical_id] for one in after],
        },
    )


def _named(kb: KnowledgeBase, handle: str) -> Resolution:
    number = resolution_number(handle)
    found = resolutions.by_ids(kb.connection, [number]) if number is not None else {}
    if number is None or number not in found:
        raise UnknownHandle(handle=handle, hint="Name a resolution as a search shows it, like r17.")
    return found[number]
