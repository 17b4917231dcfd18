"""Known issues spread from linked cases to the others over the graph of nearest neighbours.

Zhou, Bousquet, Lal, Weston, Schölkopf 2004: F ← α·S·F + (1 - α)·Y, with S = D^-½ W D^-½ and one
row of Y per linked case. Kept sparse: each case remembers its few strongest issues only, so that
thousands of issues cost no more than ten. What a case that belongs to none of them should do is
not decided here (`assignment`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.core.linking.neighbours import Floats, Ints, Neighbours

EDGES = 20  # nearest neighbours of a case that its issue is spread over
WIDTH = 0.05  # similarity by which an edge's weight falls to 1/e
RETENTION = 0.7  # α; 0.5 when half is linked and 0.8 when a tenth is are best (CLINC150)
ROUNDS = 10
REMEMBERED = 6  # issues that a case keeps between rounds


@dataclass(frozen=True, slots=True)
class Labels:
    """For each of n cases its strongest issues, strongest first, -1 where none is left.

    issues  (n, REMEMBERED)
    shares  (n, REMEMBERED) each issue's part of all that reached the case, rows sum to 1 or 0
    reach   (n,) how much of a random walk from the case meets linked cases, relative to what a
            linked case's walk meets beside itself; about 1 inside a known issue, near 0 far off
    """

    issues: Ints
    shares: Floats
    reach: Floats


@dataclass(frozen=True, slots=True)
class _Edges:
    """Directed edges of the symmetric graph: plain weights (W) and normalised ones (S)."""

    start: Ints
    end: Ints
    walk: Floats
    weight: Floats


def propagate(neighbours: Neighbours, issues: Ints) -> Labels:
    """The issues that reach each case, from the cases whose issue is known (≥ 0; others -1)."""
    size = len(issues)
    edges = _edges(neighbours)
    seeds = np.flatnonzero(issues >= 0)
    names, codes, counts = np.unique(issues[seeds], return_inverse=True, return_counts=True)
    start = (seeds, codes.astype(np.int64), 1.0 / np.sqrt(counts[codes]))
    rows, labels, values = start
    for _ in range(ROUNDS if len(seeds) else 0):
        order = np.argsort(rows, kind="stable")
        messages = _spread(edges, rows[order], labels[order], values[order], size)
        rows, labels, values = _strongest(
            np.concatenate([messages[0], start[0]]),
            np.concatenate([messages[1], start[1]]),
            np.concatenate([RETENTION * messages[2], (1.0 - RETENTION) * start[2]]),
        )
    issues_reached, shares = _table(rows, labels, values, names, size)
    return Labels(issues_reached, shares, _reach(edges, issues >= 0))


def _reach(edges: _Edges, linked: NDArray[np.bool_]) -> Floats:
    size = len(linked)
    met: Floats = np.zeros(size)
    if not linked.any():
        return met
    out = np.bincount(edges.start, weights=edges.walk, minlength=size)
    step = edges.walk / np.maximum(out, 1e-300)[edges.start]
    seed = linked.astype(np.float64)
    for _ in range(ROUNDS):
        passed = step * (RETENTION * met + seed)[edges.end]
        met = np.bincount(edges.start, weights=passed, minlength=size).astype(np.float64)
    result: Floats = met / max(float(met[linked].mean()), 1e-12)
    return result


def _edges(neighbours: Neighbours) -> _Edges:
    near = neighbours.positions[:, :EDGES]
    size, width = near.shape
    start = np.repeat(np.arange(size), width)
    end = near.ravel()
    weight = np.exp((neighbours.similarities[:, :EDGES].ravel() - 1.0) / WIDTH)
    known = end >= 0
    start, end, weight = start[known], end[known], weight[known]
    # Either one's neighbour is an edge in both directions, once, with the greater weight.
    keys = np.concatenate([start * size + end, end * size + start])
    both = np.concatenate([weight, weight])
    order = np.lexsort((-both, keys))
    keys, both = keys[order], both[order]
    first = np.concatenate([[True], keys[1:] != keys[:-1]]) if len(keys) else np.zeros(0, bool)
    keys, both = keys[first], both[first]
    start, end = keys // max(size, 1), keys % max(size, 1)
    degree = np.bincount(start, weights=both, minlength=size)
    scale = 1.0 / np.sqrt(np.maximum(degree, 1e-300))
    return _Edges(start, end, both, both * scale[start] * scale[end])


def _spread(
    edges: _Edges, rows: Ints, labels: Ints, values: Floats, size: int
) -> tuple[Ints, Ints, Floats]:
    """What each case tells its neighbours: one entry per edge and issue remembered."""
    held = np.bincount(rows, minlength=size)
    offset = np.concatenate([[0], np.cumsum(held)])
    repeat = held[edges.start]
    receiver = np.repeat(edges.end, repeat)
    weight = np.repeat(edges.weight, repeat)
    within = np.arange(repeat.sum()) - np.repeat(np.cumsum(repeat) - repeat, repeat)
    told = np.repeat(offset[edges.start], repeat) + within
    return receiver, labels[told], weight * values[told]


def _strongest(rows: Ints, labels: Ints, values: Floats) -> tuple[Ints, Ints, Floats]:
    """Entries added up per case and issue, the `REMEMBERED` greatest of each case."""
    span = int(labels.max(initial=0)) + 1
    keys, inverse = np.unique(rows * span + labels, return_inverse=True)
    total = np.bincount(inverse, weights=values, minlength=len(keys)).astype(np.float64)
    rows, labels = keys // span, keys % span
    order = np.lexsort((labels, -total, rows))
    rows, labels, total = rows[order], labels[order], total[order]
    kept = _rank_in_row(rows) < REMEMBERED
    return rows[kept], labels[kept], total[kept]


def _rank_in_row(rows: Ints) -> NDArray[np.int64]:
    """Place of each entry among those of its row, from 0; `rows` is sorted."""
    if not len(rows):
        return np.zeros(0, dtype=np.int64)
    begins = np.flatnonzero(np.concatenate([[True], rows[1:] != rows[:-1]]))
    lengths = np.diff(np.concatenate([begins, [len(rows)]]))
    return np.arange(len(rows)) - np.repeat(begins, lengths)


def _table(rows: Ints, labels: Ints, values: Floats, names: Ints, size: int) -> tuple[Ints, Floats]:
    issues = np.full((size, REMEMBERED), -1, dtype=np.int64)
    shares = np.zeros((size, REMEMBERED))
    order = np.lexsort((labels, -values, rows))
    rows, labels, values = rows[order], labels[order], values[order]
    place = _rank_in_row(rows)
    kept = place < REMEMBERED
    issues[rows[kept], place[kept]] = names[labels[kept]]
    shares[rows[kept], place[kept]] = values[kept]
    total = shares.sum(axis=1, keepdims=True)
    return issues, shares / np.where(total > 0.0, total, 1.0)
