"""Issues that are nearly one: how they are found, and what people said against it.

Placing is cautious, so one problem often has several issues, each with its own words. The newest
cases are asked again, each left out in turn, where their neighbours would place them
(`core.linking.nearmisses`). `review` puts such pairs before people; confidence takes them for
relatives, whose votes count as one. Nothing is moved here.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.core.linking.assignment import NEIGHBOURS
from kbagent.core.linking.families import families
from kbagent.core.linking.nearmisses import FEWEST_CASES, Home, homes, near_joins
from kbagent.model.case import LinkKind
from kbagent.store import decisions, fixes, issues, passages

MOST_COMPARED = 20_000
"""Cases up to which issues are compared with each other, to find those that are nearly one."""
_BLOCK = 512  # cases compared at once

Vectors = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Every case with a vector and an issue: ids, vectors, issues, by opening."""

    ids: Ints
    vectors: Vectors
    issues: Ints


def rows_of(
    connection: sqlite3.Connection, model_id: int, placed: Sequence[tuple[int, int]]
) -> Rows | None:
    """The rows of these (case, issue), in their order; None when none of them has a vector."""
    owners, matrix = passages.of_cases(connection, model_id, [case for case, _ in placed])
    if not len(owners):
        return None
    kept, first = np.unique(owners, return_index=True)
    place = {int(one): row for row, one in enumerate(kept)}
    known = [(case, issue) for case, issue in placed if case in place]
    return Rows(
        np.array([case for case, _ in known], dtype=np.int64),
        fixes.unit(matrix[first[[place[case] for case, _ in known]]]),
        np.array([issue for _, issue in known], dtype=np.int64),
    )


def homes_of(rows: Rows, most: int) -> list[Home]:
    """The home of each of the newest `most` cases, each among all others."""
    size = len(rows.ids)
    count = min(NEIGHBOURS, size - 1)
    found: list[Home] = []
    for start in range(max(0, size - most), size, _BLOCK):
        asked = np.arange(start, min(start + _BLOCK, size))
        similar = rows.vectors[asked] @ rows.vectors.T
        similar[np.arange(len(asked)), asked] = -np.inf
        near = np.argpartition(-similar, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(similar, near, axis=1)
        order = np.lexsort((near, -values), axis=1)
        found += homes(
            asked,
            np.take_along_axis(near, order, axis=1),
            np.take_along_axis(values, order, axis=1).astype(np.float64),
            rows.issues,
        )
    return found


def relatives_among(
    connection: sqlite3.Connection, rows: Rows, most: int
) -> tuple[tuple[int, int], ...]:
    """Pairs of issues that are nearly one, the lower first, without those told apart."""
    if len(rows.ids) < FEWEST_CASES:
        return ()
    against = told_apart(connection)
    pairs = near_joins(homes_of(rows, most), rows.issues)
    found = ((one.low, one.high) for one in pairs)
    return tuple(sorted(pair for pair in found if frozenset(pair) not in against))


def problems_of(connection: sqlite3.Connection, model_id: int, case_ids: Ints, issue: Ints) -> Ints:
    """The issue of each case, issues that are nearly one under the lowest of them; −1 for none.

    One problem often has several issues. Among more than `MOST_COMPARED` cases issues are large
    enough, and are not compared.
    """
    placed = issue >= 0
    pairs = list(zip(case_ids[placed].tolist(), issue[placed].tolist(), strict=True))
    if not pairs or len(pairs) > MOST_COMPARED:
        return issue
    rows = rows_of(connection, model_id, pairs)
    if rows is None:
        return issue
    names, codes = np.unique(issue[placed], return_inverse=True)
    near = np.searchsorted(names, relatives_among(connection, rows, MOST_COMPARED))
    result = issue.copy()
    result[placed] = names[families(names.size, near.tolist())][codes]
    return result


def told_apart(connection: sqlite3.Connection) -> set[frozenset[int]]:
    """Pairs of issues that people told apart.

    They said that a case of one is not the same as one of the other, or took a case out of one
    into the other.
    """
    return set(_told_apart(connection))


def _told_apart(connection: sqlite3.Connection) -> Iterator[frozenset[int]]:
    said = issues.all_links(connection, LinkKind.NOT_SAME)
    told = {case for one in said for case in (one.case_id, one.other_id)}
    moved = [
        former
        for one in decisions.standing(connection, "split", "move")
        for former in issues.before_change(connection, one.id)
    ]
    placed = issues.memberships(connection, told | {one.case_id for one in moved})
    home = {one: membership.issue_id for one, membership in placed.items()}
    pairs = [(home.get(one.case_id), home.get(one.other_id)) for one in said]
    pairs += [(one.issue_id, home.get(one.case_id)) for one in moved]
    for one, other in pairs:
        if one is not None and other is not None:
            yield frozenset((one, other))
