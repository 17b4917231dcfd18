"""Placing: every case gets its issue, by explicit links first, else by what it is like.

Explicit links outrank assignments, people's decisions outrank both: those cases are never moved
here, nor is a case moved out of an issue for which people set a rule; into a frozen issue only new
cases come. Everything else is placed from the *set* of cases, sorted by content, so that the order
of an import does not matter. After a large import all automatic placements are worked out again,
with what was learned since; a few new cases are placed one by one among the issues there are. A
case that nothing joins founds an issue of its own.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from kbagent.core.linking import assignment
from kbagent.core.linking.joint import JOINT_CONFIDENCE, JOINT_METHOD, joint_groups
from kbagent.core.linking.neighbours import nearest_neighbours
from kbagent.model.case import LinkKind
from kbagent.store import cases, fixes, issues, passages
from kbagent.store.encoder.session import Encoder
from kbagent.store.issues import Membership
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.models import StoredModel
from kbagent.usecases.maintain.indexing import nearest_cases
from kbagent.usecases.retain.fixes import encode_fixes, group_fixes
from kbagent.usecases.retain.naming import name_issues
from kbagent.usecases.retain.thresholds import link_threshold, refresh_threshold
from kbagent.usecases.reuse.boundaries import held_issues

JOINING = {LinkKind.DUPLICATE, LinkKind.SAME_ISSUE}
EXPLICIT = {"linked", "human"}
REGROUP_SHARE = 0.02  # of all cases that must be new before all are placed again
REGROUP_LEAST = 25  # new cases likewise
REGROUP_MOST = 60_000  # cases; beyond, new ones are placed among what is there
DERIVED_THRESHOLD = 0.97  # confidence for joining a group that nobody linked: it may be wrong too
TOGETHER = 300  # new cases placed as one set, among at most fifty neighbours of each
_COMPARED = 2_400  # new cases whose neighbours are looked up together
GROUP_CONFIDENCE = 0.9  # of a group found by text alone: pair precision on the development sets

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Set:
    """Cases with their vectors, sorted by content; `issue` is -1 for those to be placed."""

    ids: list[int]
    vectors: NDArray[np.float32]
    issue: Ints
    apart: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Placed:
    """Where each row of a set goes: an issue, or the lowest row of a new group."""

    issue: Ints
    group: Ints
    confidence: NDArray[np.float64]
    method: list[str]


def place_new_cases(kb: KnowledgeBase, encoder: Encoder, model: StoredModel) -> int:
    """Give every case without an issue its issue; how many joined one that others are in."""
    encode_fixes(kb, encoder, model.id)
    with kb.database.write() as connection:
        now, joined = kb.clock(), set[int]()
        for case_id, other_id, kind in issues.arrived_links(connection):
            issues.add_link(connection, case_id, other_id, kind, "import", now)
            if kind in JOINING:
                joined |= join_issues(kb, case_id, other_id, why="linked in the export")
        name_issues(kb, joined)
    waiting = issues.unplaced(kb.connection)
    total = cases.count(kb.connection)
    if len(waiting) >= max(REGROUP_LEAST, REGROUP_SHARE * total) and total <= REGROUP_MOST:
        refresh_threshold(kb, model)
        rows = _set_of(kb.connection, model, _all_cases(kb.connection), keep_placed=False)
        _keep(kb, model, rows, _work_out(kb, model, rows))
    else:
        _among_what_is_there(kb, model, _in_content_order(kb.connection, waiting))
    homes = issues.memberships(kb.connection, waiting)
    sizes = issues.spans(kb.connection, sorted({one.issue_id for one in homes.values()}))
    return sum(sizes[one.issue_id].instances > 1 for one in homes.values())


def _among_what_is_there(kb: KnowledgeBase, model: StoredModel, waiting: Sequence[int]) -> None:
    """Place new cases, given by content, a few at a time: each meets those placed before it.

    What is placed is kept, so that a run that is cut off goes on with the same few.
    """
    later = set(waiting)
    for start in range(0, len(waiting), _COMPARED):
        part = waiting[start : start + _COMPARED]
        near = _neighbours(kb, model, part)
        for first in range(0, len(part), TOGETHER):
            few = part[first : first + TOGETHER]
            later.difference_update(few)
            chosen = {one for case in few for one in near.get(case, ())} - later
            rows = _set_of(kb.connection, model, sorted(chosen.union(few)), keep_placed=True)
            _keep(kb, model, rows, _one_by_one(kb, rows))
            if len(waiting) > TOGETHER:
                done = start + first + len(few)
                kb.notify(f"finding the issues of new cases: {done:,} of {len(waiting):,}")


def _keep(kb: KnowledgeBase, model: StoredModel, rows: _Set, placed: _Placed) -> None:
    with kb.database.write():
        touched = _write(kb, rows, placed)
        group_fixes(kb, model.id, touched)
        name_issues(kb, touched)


def join_issues(kb: KnowledgeBase, case_id: int, other_id: int, *, why: str) -> set[int]:
    """Put two linked cases, and the issues they are in, together; the older issue stays.

    The issues that changed.

    Cases that a person placed stay where they are; so does everything when one of two issues is
    frozen, or both are held by people's rules.
    """
    own = issues.membership_of(kb.connection, case_id)
    theirs = issues.membership_of(kb.connection, other_id)
    placed = [one for one in (own, theirs) if one is not None]
    now = kb.clock()
    held, frozen = held_issues(kb.connection)
    homes = {one.issue_id for one in placed}
    if len(homes) > 1 and (homes & frozen or homes <= held):
        return set()
    target = (
        min(
            placed, key=lambda one: (one.issue_id not in held, one.kind != "human", one.issue_id)
        ).issue_id
        if placed
        else issues.found(kb.connection, now)
    )
    moving = {case_id, other_id}
    for membership in placed:
        if membership.issue_id != target:
            moving.update(_explicit_members(kb.connection, membership.issue_id))
    for member in sorted(moving):
        before = issues.membership_of(kb.connection, member)
        if before is not None and before.kind == "human":
            continue
        place = Membership(member, target, "linked", 1.0, "link")
        issues.place(kb.connection, place, now, why=why)
    return {*homes, target}


def _explicit_members(connection: sqlite3.Connection, issue_id: int) -> list[int]:
    members = issues.members(connection, issue_id)
    placed = issues.memberships(connection, members)
    return [one for one in members if placed[one].kind == "linked"]


def _all_cases(connection: sqlite3.Connection) -> list[int]:
    rows = connection.execute("SELECT id FROM cases WHERE withdrawn_at IS NULL")
    return [row[0] for row in rows]


def _neighbours(
    kb: KnowledgeBase, model: StoredModel, waiting: Sequence[int]
) -> dict[int, set[int]]:
    """The cases nearest to each of these, by the index and what is newer than it."""
    owners, matrix = passages.of_cases(kb.connection, model.id, waiting)
    found: dict[int, set[int]] = defaultdict(set)
    if len(owners):
        near = nearest_cases(kb, model, matrix, assignment.NEIGHBOURS)
        for owner, some in zip(owners.tolist(), near, strict=True):
            found[owner] |= some
    return found


def _set_of(
    connection: sqlite3.Connection,
    model: StoredModel,
    chosen: Sequence[int],
    *,
    keep_placed: bool,
) -> _Set:
    """The chosen cases by content; `keep_placed` takes every placement as known."""
    held, _ = held_issues(connection)
    owners, matrix = passages.of_cases(connection, model.id, sorted(chosen))
    first = {int(one): row for row, one in reversed(list(enumerate(owners.tolist())))}
    ids = _in_content_order(connection, list(first))
    placed = issues.memberships(connection, ids)
    known = [
        placed[one].issue_id
        if one in placed
        and (keep_placed or placed[one].kind in EXPLICIT or placed[one].issue_id in held)
        else -1
        for one in ids
    ]
    row_of = {one: row for row, one in enumerate(ids)}
    apart = tuple(
        (row_of[link.case_id], row_of[link.other_id])
        for link in issues.all_links(connection, LinkKind.NOT_SAME)
        if link.case_id in row_of and link.other_id in row_of
    )
    vectors = fixes.unit(matrix[[first[one] for one in ids]]) if ids else matrix
    return _Set(ids, vectors, np.array(known, dtype=np.int64), apart)


def _in_content_order(connection: sqlite3.Connection, case_ids: Sequence[int]) -> list[int]:
    """Cases by when they were opened, then by name: an order that is not that of the file."""
    keys = cases.content_keys(connection, case_ids)
    never = datetime.max.replace(tzinfo=UTC).isoformat()
    return sorted(keys, key=lambda one: (keys[one][0] or never, keys[one][1]))


def _work_out(kb: KnowledgeBase, model: StoredModel, rows: _Set) -> _Placed:
    """Everything that is not explicit, anew.

    First to explicit issues; then cases with a known fix by problem and fix together; then the
    rest to either of those, and at last among itself. Labels up to `offset` are issues, from there
    on they are groups, named by their lowest row.
    """
    size = len(rows.ids)
    near = nearest_neighbours(rows.vectors, min(assignment.NEIGHBOURS, max(size - 1, 0)))
    threshold = link_threshold(kb).confidence
    offset = int(rows.issue.max(initial=0)) + 1
    labels, confidence = rows.issue.copy(), np.ones(size)
    method = [assignment.METHOD] * size
    if (labels >= 0).any():
        found = assignment.assign(
            rows.vectors, labels, threshold=threshold, neighbours=near, apart=rows.apart
        )
        labels, confidence = found.issues, found.confidences
    joint = _joint(kb, model, rows, labels)
    for row in np.flatnonzero(joint >= 0).tolist():
        labels[row], confidence[row] = offset + joint[row], JOINT_CONFIDENCE
        method[row] = JOINT_METHOD
    rest = assignment.assign(
        rows.vectors,
        labels,
        threshold=max(threshold, DERIVED_THRESHOLD),
        neighbours=near,
        apart=rows.apart,
    )
    late = labels < 0
    late_confidence = np.where(rest.issues >= 0, rest.confidences, GROUP_CONFIDENCE)
    return _Placed(
        issue=np.where(rest.issues < offset, rest.issues, -1),
        group=np.where(rest.issues >= offset, rest.issues - offset, rest.groups),
        confidence=np.where(late, late_confidence, confidence),
        method=method,
    )


def _joint(kb: KnowledgeBase, model: StoredModel, rows: _Set, issue: Ints) -> Ints:
    """Groups of cases with a known fix, as lowest rows; -1 for all others and for singles."""
    fixed = fixes.of_cases(kb.connection, model.id, rows.ids)
    where = [row for row, one in enumerate(rows.ids) if one in fixed and issue[row] < 0]
    group = np.full(len(rows.ids), -1, dtype=np.int64)
    if len(where) < 2:
        return group
    place_of = {row: place for place, row in enumerate(where)}
    apart = tuple(
        (place_of[one], place_of[other])
        for one, other in rows.apart
        if one in place_of and other in place_of
    )
    roots = joint_groups(
        rows.vectors[where],
        fixes.unit(np.stack([fixed[rows.ids[row]] for row in where])),
        apart,
    )
    sizes = Counter(roots.tolist())
    for row, root in zip(where, roots.tolist(), strict=True):
        if sizes[root] > 1:
            group[row] = where[root]
    return group


def _one_by_one(kb: KnowledgeBase, rows: _Set) -> _Placed:
    """New cases among the issues there are: each joins one, else they are grouped together."""
    size = len(rows.ids)
    near = nearest_neighbours(rows.vectors, min(assignment.NEIGHBOURS, max(size - 1, 0)))
    found = assignment.assign(
        rows.vectors,
        rows.issue,
        threshold=link_threshold(kb).confidence,
        neighbours=near,
        apart=rows.apart,
        taught=_explicit_rows(kb.connection, rows),
    )
    confidence = np.where(found.issues >= 0, found.confidences, GROUP_CONFIDENCE)
    return _Placed(found.issues, found.groups, confidence, [assignment.METHOD] * size)


def _explicit_rows(connection: sqlite3.Connection, rows: _Set) -> NDArray[np.bool_]:
    placed = issues.memberships(connection, rows.ids)
    return np.array([one in placed and placed[one].kind in EXPLICIT for one in rows.ids])


def _write(kb: KnowledgeBase, rows: _Set, placed: _Placed) -> set[int]:
    """Store every placement that changed; the issues that won or lost a case."""
    now = kb.clock()
    before = issues.memberships(kb.connection, rows.ids)
    held, frozen = held_issues(kb.connection)
    target = _targets(kb, rows, placed, before, now)
    for row, case_id in enumerate(rows.ids):
        home = before[case_id].issue_id if case_id in before else None
        if home is not None and (home in held or target[row] in frozen):
            target[row] = home
    sizes = Counter(target.values())
    founders = _founders(target)
    touched: set[int] = set()
    for row, case_id in enumerate(rows.ids):
        former = before.get(case_id)
        if former is not None and former.kind in EXPLICIT:
            continue
        issue_id = target[row]
        if sizes[issue_id] == 1 or founders.get(issue_id) == row:
            place = Membership(case_id, issue_id, "founder", 1.0, "founder")
        else:
            sure = round(float(placed.confidence[row]), 4)
            place = Membership(case_id, issue_id, "assigned", sure, placed.method[row])
        if former is not None and former.issue_id == issue_id:
            continue  # where it was; a small change of confidence is no news
        why = "founded" if place.kind == "founder" else f"alike, sure {place.confidence:.2f}"
        issues.place(kb.connection, place, now, why=why if former is None else f"moved: {why}")
        touched.add(issue_id)
        if former is not None:
            touched.add(former.issue_id)
    return touched


def _targets(
    kb: KnowledgeBase,
    rows: _Set,
    placed: _Placed,
    before: dict[int, Membership],
    now: datetime,
) -> dict[int, int]:
    """The issue of each row. A group keeps the issue that most of its cases were in."""
    target = {row: int(one) for row, one in enumerate(placed.issue.tolist()) if one >= 0}
    members: dict[int, list[int]] = defaultdict(list)
    for row, root in enumerate(placed.group.tolist()):
        if row not in target:
            members[root if root >= 0 else row].append(row)
    taken = set(target.values())
    claims = sorted(
        (
            (-number, issue_id, root)
            for root, some in members.items()
            for issue_id, number in Counter(
                before[rows.ids[row]].issue_id for row in some if rows.ids[row] in before
            ).items()
        ),
    )
    chosen: dict[int, int] = {}
    for _, issue_id, root in claims:
        if root not in chosen and issue_id not in taken:
            chosen[root] = issue_id
            taken.add(issue_id)
    for root in sorted(members):
        issue_id = chosen.get(root) or issues.found(kb.connection, now)
        target.update(dict.fromkeys(members[root], issue_id))
    return target


def _founders(target: dict[int, int]) -> dict[int, int]:
    """The first row, by content, of each issue."""
    first: dict[int, int] = {}
    for row in sorted(target):
        first.setdefault(target[row], row)
    return first
