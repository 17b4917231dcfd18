"""New problems before they have a name: recent cases that are near each other and far from before.

The nearest neighbours of each recent case are looked for among recent and earlier cases alike. If
recent cases were like any others, a neighbour would be recent as often as cases are; a group of
recent cases whose nearest neighbours are each other says that something new has begun. Groups are
joined by mutual neighbours, counted, and told at a stated rate of false ones. Does not decide that
they are one issue: it says that somebody should look.

Source: Jacquez 1996 (Statistics in Medicine 15, 1935-1949), the k-nearest-neighbour test for
space-time interaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.rises import binomial_upper

Vectors = NDArray[np.float32]
Ints = NDArray[np.int64]

FEWEST = 3
"""Cases of a group."""
NEIGHBOURS = 6
"""Nearest cases that are looked at."""
UNRELATED = 0.99
"""Share of recent-earlier pairs that are less alike than members of a group must be."""
LEAST_SIMILARITY = 0.4
FALSE = 0.01
"""Groups by chance that are accepted, over all groups of one look."""
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Group:
    """Recent cases by row, the most central first; p over all groups; similarity to the centre."""

    members: tuple[int, ...]
    p: float
    similarity: float


def groups(recent: Vectors, earlier: Vectors) -> list[Group]:
    """The groups among the recent cases, the least accidental first, ties by first member.

    Rows are unit vectors. Fewer than `FEWEST` recent cases, or no more earlier ones than recent
    ones, give none: then nothing says what is usual.
    """
    m, n = len(recent), len(earlier)
    if m < FEWEST or n <= m:
        return []
    nearest, floor = _nearest(recent, earlier)
    kept = [_told(rows, recent, nearest, m / (m + n)) for rows in _joined(nearest, recent, floor)]
    found = [one for one in kept if one is not None and one.p <= FALSE]
    return sorted(found, key=lambda one: (one.p, one.members))


def _nearest(recent: Vectors, earlier: Vectors) -> tuple[Ints, float]:
    """Per recent case its nearest cases (a recent row, or −1), nearest first; and the floor."""
    m, k = len(recent), min(NEIGHBOURS, len(recent) + len(earlier) - 1)
    found = np.empty((m, k), dtype=np.int64)
    usual = []
    for start in range(0, m, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, m))
        before = recent[rows] @ earlier.T
        usual.append(np.quantile(before, UNRELATED, axis=1))
        now = recent[rows] @ recent.T
        now[np.arange(rows.size), rows] = -np.inf
        both = np.concatenate((now, before), axis=1)
        best = np.argsort(-np.take_along_axis(both, top := _top(both, k), axis=1), axis=1)
        order = np.take_along_axis(top, best, axis=1)
        found[rows] = np.where(order < m, order, -1)
    return found, max(LEAST_SIMILARITY, float(np.median(np.concatenate(usual))))


def _top(similarity: Vectors, k: int) -> NDArray[np.intp]:
    return np.argpartition(-similarity, k - 1, axis=1)[:, :k]


def _joined(nearest: Ints, recent: Vectors, floor: float) -> list[Ints]:
    """Groups of cases that are each other's neighbours, without those far from the centre."""
    m = len(nearest)
    near = np.zeros((m, m), dtype=bool)
    rows, columns = np.nonzero(nearest >= 0)
    near[rows, nearest[rows, columns]] = True
    label = np.arange(m)
    for a, b in np.argwhere(near & near.T).tolist():
        if a < b and float(recent[a] @ recent[b]) >= floor and label[a] != label[b]:
            label[label == label[b]] = label[a]
    found = []
    for one in np.unique(label):
        members = np.flatnonzero(label == one)
        alike = recent[members] @ recent[members].T
        centre = int(alike.sum(axis=1).argmax())
        members = members[alike[centre] >= floor]
        order = np.argsort(-(recent[members] @ recent[members].T).sum(axis=1), kind="stable")
        if members.size >= FEWEST:
            found.append(members[order])
    return found


def _told(members: Ints, recent: Vectors, nearest: Ints, share: float) -> Group | None:
    """The group with its p: recent cases among the nearest s − 1 of its s members.

    Two members that are each other's neighbours are one fact, not two, so half of the slots count.
    The p of one group is multiplied by the number of recent cases, of which each could have
    begun one.
    """
    k = min(members.size - 1, nearest.shape[1])
    slots, inside = members.size * k, int(np.isin(nearest[members, :k], members).sum())
    p = binomial_upper(inside // 2, max(slots // 2, 1), share) * len(recent)
    alike = recent[members] @ recent[members[0]]
    return Group(tuple(int(i) for i in members), min(1.0, p), float(alike[1:].mean()))


def resembled(
    members: Vectors, earlier: Vectors, issues: Sequence[int]
) -> tuple[int, float] | None:
    """The earlier issue whose cases are most like these: (issue, similarity of its nearest case).

    The similarity is the mean over the members. `issues[i]` is the issue of earlier case i, −1
    for none. Ties go to the lower issue.

    >>> same = np.array([[1.0, 0.0]], dtype=np.float32)
    >>> resembled(same, np.array([[0.0, 1.0], [0.6, 0.8]], dtype=np.float32), [7, 9])[0]
    9
    """
    owners = np.array(issues, dtype=np.int64)
    if not len(earlier) or not (owners >= 0).any():
        return None
    similarity = (members @ earlier[owners >= 0].T).mean(axis=0)
    own = owners[owners >= 0]
    best = int(np.lexsort((own, -similarity))[0])
    return int(own[best]), float(similarity[best])
