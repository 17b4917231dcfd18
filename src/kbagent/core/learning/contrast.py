"""Contrast: how two different sets of cases differ in a mean or a median, with its interval.

For cases that are not the same on both sides (two periods, two products); the same cases under two
policies are `promotion.paired_bootstrap`'s. A difference here says nothing of its cause: the cases
differ in more than what they were divided by.

Source: Efron and Tibshirani 1993, *An Introduction to the Bootstrap*, ch. 8 (two samples), with
whole groups drawn where cases of one group are alike (ch. 8.3).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kbagent.core.learning.choice import Floats
from kbagent.core.patterns.contingency import Difference

RESAMPLES = 2000
TAIL = 0.025  # on each side of a 95 % interval


def mean_gap(
    one: Floats | Sequence[float],
    other: Floats | Sequence[float],
    rng: np.random.Generator,
    *,
    one_groups: NDArray[np.int64] | None = None,
    other_groups: NDArray[np.int64] | None = None,
) -> Difference | None:
    """Mean of `one` less mean of `other`, with its percentile interval; None when either is empty.

    With groups (integers, as long as the values) whole groups are drawn.

    >>> gap = mean_gap([1, 1, 1, 0], [0, 0, 1, 0], np.random.default_rng(4))
    >>> gap.estimate, gap.low < 0.5 < gap.high
    (0.5, True)
    """
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if not a.size or not b.size:
        return None
    gaps = _means(a, one_groups, rng) - _means(b, other_groups, rng)
    return _told(float(a.mean() - b.mean()), gaps)


def median_gap(
    one: Floats | Sequence[float], other: Floats | Sequence[float], rng: np.random.Generator
) -> Difference | None:
    """Median of `one` less median of `other`, with its interval; None when either is empty.

    >>> gap = median_gap([10.0, 12.0, 11.0], [30.0, 32.0, 31.0], np.random.default_rng(4))
    >>> gap.estimate, gap.high < 0
    (-20.0, True)
    """
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if not a.size or not b.size:
        return None
    gaps = _medians(a, rng) - _medians(b, rng)
    return _told(float(np.median(a) - np.median(b)), gaps)


def _means(
    values: Floats, groups: NDArray[np.int64] | None, rng: np.random.Generator
) -> NDArray[np.float64]:
    label = np.arange(values.size) if groups is None else np.unique(groups, return_inverse=True)[1]
    sums, sizes = np.bincount(label, values), np.bincount(label).astype(np.float64)
    means = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        drawn = np.bincount(rng.integers(0, sums.size, sums.size), minlength=sums.size)
        means[number] = (drawn * sums).sum() / (drawn * sizes).sum()
    return means


def _medians(values: Floats, rng: np.random.Generator) -> NDArray[np.float64]:
    return np.array(
        [np.median(values[rng.integers(0, values.size, values.size)]) for _ in range(RESAMPLES)]
    )


def _told(estimate: float, gaps: NDArray[np.float64]) -> Difference:
    low, high = np.quantile(gaps, [TAIL, 1.0 - TAIL])
    return Difference(estimate, float(low), float(high))
