"""Cases that nothing links, grouped by similarity alone: average linkage, locally scaled.

Two groups are one issue when the mean similarity of their pairs, minus what their surroundings
have anyway, is high enough. Average linkage (Sokal and Michener 1958) does not chain as connected
components do; the local scaling is half of cross-domain similarity local scaling (Conneau et al.
2018), since 0.7 is much in one product area and little in another. The result depends on the set
of cases and their order by key alone: ties break by the lower row, and the caller sorts rows by
content, never by arrival.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kbagent.core.linking.neighbours import Floats, Ints, Neighbours, Vectors

LOCAL_SCALING = 0.5  # share of the surroundings' mean similarity that is taken off


@dataclass(slots=True)
class _Groups:
    """The groups while they grow; group g holds row g at first, and merges keep the lower id."""

    sums: Floats
    crowds: Floats
    sizes: Ints
    adjacent: list[set[int]]
    parent: Ints
    version: Ints
    queue: list[tuple[float, int, int, int, int]] = field(default_factory=list)

    def scores(self, group: int, others: Sequence[int]) -> Floats:
        """Mean pair similarity minus the scaled surroundings, with each of `others`."""
        rows = np.asarray(others, dtype=np.int64)
        mean = self.sums[rows] @ self.sums[group] / (self.sizes[rows] * self.sizes[group])
        crowd = self.crowds[rows] / self.sizes[rows] + self.crowds[group] / self.sizes[group]
        result: Floats = mean - LOCAL_SCALING * crowd / 2.0
        return result

    def offer(self, group: int, others: Sequence[int], threshold: float) -> None:
        """Queue the pairs of `group` that reach the threshold, and forget the others.

        What is forgotten cannot come back: a merged group's score with a third is the weighted
        mean of the two scores before, and both being too low keeps it too low.
        """
        if not others:
            return
        for other, score in zip(others, self.scores(group, others).tolist(), strict=True):
            if score < threshold:
                self.adjacent[group].discard(other)
                self.adjacent[other].discard(group)
                continue
            low, high = (group, other) if group < other else (other, group)
            entry = (-score, low, high, int(self.version[low]), int(self.version[high]))
            heapq.heappush(self.queue, entry)


def cluster(
    vectors: Vectors,
    neighbours: Neighbours,
    surroundings: Floats,
    *,
    threshold: float,
    apart: Sequence[tuple[int, int]] = (),
) -> Ints:
    """For each of n rows the lowest row of its group, (n,).

    `surroundings` (n,) is the mean similarity of each row to its nearest twenty (`density`).
    Only neighbours can meet, so every group is connected in their graph. Pairs in `apart`
    never end in one group.
    """
    size = len(vectors)
    groups = _Groups(
        sums=vectors.astype(np.float64),
        crowds=surroundings.astype(np.float64),
        sizes=np.ones(size, dtype=np.int64),
        adjacent=_adjacency(neighbours),
        parent=np.arange(size),
        version=np.zeros(size, dtype=np.int64),
    )
    forbidden = _forbidden(size, apart)
    for row in range(size):
        groups.offer(row, sorted(other for other in groups.adjacent[row] if other > row), threshold)
    while groups.queue:
        _, low, high, low_version, high_version = heapq.heappop(groups.queue)
        if groups.version[low] != low_version or groups.version[high] != high_version:
            continue
        if high in forbidden[low]:
            continue
        _merge(groups, forbidden, low, high)
        groups.offer(low, sorted(groups.adjacent[low]), threshold)
    return groups.parent


def _merge(groups: _Groups, forbidden: list[set[int]], low: int, high: int) -> None:
    groups.sums[low] += groups.sums[high]
    groups.crowds[low] += groups.crowds[high]
    groups.sizes[low] += groups.sizes[high]
    groups.parent[groups.parent == high] = low
    groups.version[low] += 1
    groups.version[high] = -1
    for relation in (groups.adjacent, forbidden):
        for other in relation[high]:
            relation[other].discard(high)
            if other != low:
                relation[other].add(low)
                relation[low].add(other)
        relation[low].discard(high)
        relation[high] = set()


def _adjacency(neighbours: Neighbours) -> list[set[int]]:
    adjacent: list[set[int]] = [set() for _ in neighbours.positions]
    for row, near in enumerate(neighbours.positions.tolist()):
        for other in near:
            if other >= 0:
                adjacent[row].add(other)
                adjacent[other].add(row)
    return adjacent


def _forbidden(size: int, apart: Sequence[tuple[int, int]]) -> list[set[int]]:
    forbidden: list[set[int]] = [set() for _ in range(size)]
    for one, other in apart:
        if one != other:
            forbidden[one].add(other)
            forbidden[other].add(one)
    return forbidden
