"""Placing: every case gets its issue, by explicit links first, else by similarity.

A case that nothing joins founds an issue of its own. Explicit links outrank assignments, people's
decisions outrank both. Placing is done after all cases of a run are stored, in an order that does
not depend on the order of the file, and goes on where it was interrupted.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from kbagent.model.case import LinkKind
from kbagent.store import cases, issues
from kbagent.store.issues import Membership
from kbagent.store.knowledge_base import KnowledgeBase

JOINING = {LinkKind.DUPLICATE, LinkKind.SAME_ISSUE}


def place_new_cases(kb: KnowledgeBase) -> int:
    """Give every case without an issue its issue; how many joined one that others are in."""
    with kb.database.write() as connection:
        now = kb.clock()
        for case_id, other_id, kind in issues.arrived_links(connection):
            issues.add_link(connection, case_id, other_id, kind, "import", now)
            if kind in JOINING:
                join_issues(kb, case_id, other_id, method="link", why="linked in the export")
        waiting = issues.unplaced(connection)
        joined = 0
        for case_id in _in_content_order(kb, waiting):
            if issues.membership_of(connection, case_id) is None:
                found_issue(kb, case_id)
    return joined


def found_issue(
    kb: KnowledgeBase,
    case_id: int,
    *,
    kind: str = "founder",
    why: str = "no earlier case is the same problem",
    by: str | None = None,
) -> int:
    """A new issue with this case in it; the issue's id."""
    now = kb.clock()
    issue_id = issues.found(kb.connection, now)
    place = Membership(case_id, issue_id, kind, 1.0, kind)
    issues.place(kb.connection, place, now, why=why, by=by)
    return issue_id


def join_issues(
    kb: KnowledgeBase, case_id: int, other_id: int, *, method: str, why: str, by: str | None = None
) -> None:
    """Put two linked cases, and the issues they are in, together; the older issue stays."""
    own = issues.membership_of(kb.connection, case_id)
    theirs = issues.membership_of(kb.connection, other_id)
    if own is None and theirs is None:
        target = found_issue(kb, min(case_id, other_id))
    else:
        target = min(one.issue_id for one in (own, theirs) if one is not None)
    moving = {case_id, other_id}
    for membership in (own, theirs):
        if membership is not None and membership.issue_id != target:
            moving.update(issues.members(kb.connection, membership.issue_id))
    now = kb.clock()
    for member in sorted(moving):
        before = issues.membership_of(kb.connection, member)
        if before is not None and before.issue_id == target and before.kind != "founder":
            continue
        direct = member in (case_id, other_id)
        kind = "human" if by else before.kind if before and not direct else "linked"
        issues.place(
            kb.connection,
            Membership(member, target, kind, 1.0, method),
            now,
            why=why,
            by=by,
        )


def _in_content_order(kb: KnowledgeBase, case_ids: Sequence[int]) -> list[int]:
    """Cases by when they were opened, then by name: an order that is not that of the file."""
    stored = cases.by_ids(kb.connection, case_ids)
    never = datetime.max.replace(tzinfo=UTC)
    return sorted(stored, key=lambda one: (stored[one].opened_at or never, stored[one].ref))
