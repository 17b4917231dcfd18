"""What people vouch for: that a fix still is right for an issue, and up to which version.

It is no outcome (nothing was tried) and moves no ranking. It says that somebody else than the one
who always solved the issue knows it, and that the fix was looked at for a newer version.
"""

import sqlite3
from collections import defaultdict

from kbagent.errors import UnknownHandle, UsageError
from kbagent.store import decisions, issues, resolutions
from kbagent.store.decisions import Decision
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.revise.families import whereabouts

CONFIRM = "confirm"


def confirm(
    kb: KnowledgeBase,
    issue_id: int,
    resolution_id: int,
    *,
    version: str | None = None,
    by: str | None,
) -> int:
    """Somebody vouches for a fix of an issue, for `version` where one is given; the decision's id.

    Raises:
        UsageError: nobody says who vouches.
        UnknownHandle: the issue or the resolution is not known.
    """
    if not by:
        raise UsageError(what="Say who vouches for it: --by NAME, or set KBAGENT_BY.")
    with kb.database.write():
        if not issues.members(kb.connection, issue_id):
            raise UnknownHandle(handle=f"i{issue_id}", hint=whereabouts(kb, issue_id))
        known = resolutions.by_ids(kb.connection, [resolution_id])
        if resolution_id not in known:
            raise UnknownHandle(handle=f"r{resolution_id}", hint="`kbagent show` an issue first.")
        return decisions.add(
            kb.connection,
            CONFIRM,
            kb.clock(),
            by=by,
            issue_id=issue_id,
            resolution_id=known[resolution_id].canonical_id,
            data={"version": version} if version else {},
        )


def undo(kb: KnowledgeBase, change: int, *, by: str | None = None) -> None:
    """Take a confirmation back.

    Raises:
        UnknownHandle: there is no such decision, or it is taken back already.
    """
    with kb.database.write():
        decision = decisions.get(kb.connection, change)
        if decision is None or decision.kind != CONFIRM or decision.undoes is not None:
            raise UnknownHandle(handle=str(change), hint="`kbagent review log` names them.")
        if decisions.is_undone(kb.connection, change):
            raise UnknownHandle(handle=str(change), hint="It is taken back already.")
        decisions.add(kb.connection, f"undo {CONFIRM}", kb.clock(), by=by, undoes=change)


def confirmations(connection: sqlite3.Connection) -> dict[int, list[Decision]]:
    """What people vouch for now, by issue, oldest first."""
    found: dict[int, list[Decision]] = defaultdict(list)
    for one in decisions.standing(connection, CONFIRM):
        if one.issue_id is not None:
            found[one.issue_id].append(one)
    return dict(found)
