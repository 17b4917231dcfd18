"""Measures of rankings and of partitions, and their bootstrap intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2000
SEED = 20250101

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % bootstrap interval over queries."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def interval(values: ArrayLike) -> Interval:
    """The mean of the values and its percentile bootstrap interval."""
    plain = np.asarray(values, dtype=np.float64)
    if not len(plain):
        return Interval(float("nan"), float("nan"), float("nan"))
    rng = np.random.default_rng(SEED)
    picks = rng.integers(len(plain), size=(RESAMPLES, len(plain)))
    means = np.array([plain[pick].mean() for pick in picks])
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(plain.mean()), float(low), float(high))


def recall_at(ranking: Sequence[int], relevant: set[int], depth: int) -> float:
    """Share of the relevant ones among the first `depth`."""
    return len(relevant.intersection(ranking[:depth])) / len(relevant)


def b_cubed(groups: Ints, truth: Ints) -> float:
    """B-cubed F (Bagga and Baldwin 1998): harmonic mean of precision and recall per case."""
    both, ours, theirs = _tables(groups, truth)
    precision = (both.counts**2 / ours[both.rows]).sum() / len(truth)
    recall = (both.counts**2 / theirs[both.columns]).sum() / len(truth)
    return float(2 * precision * recall / (precision + recall))


def pairwise(groups: Ints, truth: Ints) -> tuple[float, float, float]:
    """(precision, recall, F1) over pairs of cases; precision 1 when no pair is joined."""
    both, ours, theirs = _tables(groups, truth)

    def pairs(counts: Floats) -> float:
        return float((counts * (counts - 1) / 2).sum())

    right = pairs(both.counts)
    precision = right / pairs(ours) if pairs(ours) else 1.0
    recall = right / pairs(theirs)
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    return precision, recall, f1


@dataclass(frozen=True, slots=True)
class _Table:
    rows: Ints
    columns: Ints
    counts: Floats


def _tables(groups: Ints, truth: Ints) -> tuple[_Table, Floats, Floats]:
    _, ours = np.unique(groups, return_inverse=True)
    _, theirs = np.unique(truth, return_inverse=True)
    width = int(theirs.max()) + 1
    keys, counts = np.unique(ours * width + theirs, return_counts=True)
    table = _Table(keys // width, keys % width, counts.astype(np.float64))
    return table, np.bincount(ours).astype(np.float64), np.bincount(theirs).astype(np.float64)
