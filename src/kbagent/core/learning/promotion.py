"""Promotion: whether a candidate has been shown to be better than what is live.

A sequential test on paired differences (candidate less live, one for each replayed outcome, in
order of time). The checkpoints are declared before anything is seen, the permitted error is split
over them, and between checkpoints nobody looks: the same answer is given however often it is
asked. It decides; it changes nothing.

Sources: the union bound over declared looks (Bonferroni), as an error-spending rule in the sense
of Lan and DeMets 1983, *Biometrika* 70; cluster-robust variance, Liang and Zeger 1986,
*Biometrika* 73.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from kbagent.core.learning.choice import Floats
from kbagent.errors import BadValue


class Ruling(StrEnum):
    """What the test says of a candidate."""

    PROMOTE = "promote"
    REFUSE = "refuse"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Plan:
    """What was declared before the first look.

    checkpoints  numbers of outcomes at which one looks, rising
    error        probability of promoting a candidate that is not better, over all looks
    margin       what the candidate must exceed live by, in points of reward; below zero
                 allows a candidate that is at most that much worse (non-inferiority)
    """

    checkpoints: tuple[int, ...] = (500, 1000, 2500, 5000, 10_000)
    error: float = 0.05
    margin: float = 0.0

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.checkpoints, self.checkpoints[1:], strict=False))
        if not self.checkpoints or not rising or self.checkpoints[0] < 2:
            raise BadValue(
                name="checkpoints", value=self.checkpoints, reason="they must rise, from 2 on"
            )


@dataclass(frozen=True, slots=True)
class Decision:
    """The ruling, and what it rests on: the looks up to it.

    `difference` is the mean at the last look, `bound` the lower confidence bound that has to
    exceed the margin. `next_look` is the checkpoint to wait for; None when it is decided.
    """

    ruling: Ruling
    seen: int
    difference: float
    bound: float
    next_look: int | None = None


def decide(differences: Floats, plan: Plan, groups: NDArray[np.int64] | None = None) -> Decision:
    """Promote at the first checkpoint whose lower bound exceeds the margin.

    differences  (n,) in order of time, each in [−1, 1]
    groups       (n,) integers; differences of one group (an issue) may depend on each other

    Refused at a checkpoint where the candidate is worse beyond the same error, and at the last
    one; before the first or between two, the ruling is to wait.

    >>> decide(np.array([0.0, 1.0] * 250), Plan(checkpoints=(500,))).ruling
    <Ruling.PROMOTE: 'promote'>
    >>> decide(np.zeros(400), Plan()).next_look
    500
    """
    z = NormalDist().inv_cdf(1.0 - plan.error / len(plan.checkpoints))
    mean = bound = float("nan")
    seen = 0
    for look in plan.checkpoints:
        if look > len(differences):
            return Decision(Ruling.WAIT, seen, mean, bound, next_look=look)
        seen = look
        mean, spread = mean_and_error(differences[:look], None if groups is None else groups[:look])
        bound = mean - z * spread
        if bound > plan.margin:
            return Decision(Ruling.PROMOTE, seen, mean, bound)
        if mean + z * spread < plan.margin:
            break
    return Decision(Ruling.REFUSE, seen, mean, bound)


def mean_and_error(values: Floats, groups: NDArray[np.int64] | None = None) -> tuple[float, float]:
    """Mean and its standard error; with groups, the larger of plain and cluster-robust error."""
    size = len(values)
    mean = float(values.mean())
    plain = float(values.std(ddof=1)) / size**0.5
    if groups is None:
        return mean, plain
    _, label = np.unique(groups, return_inverse=True)
    sums = np.bincount(label, values - mean)
    count = len(sums)
    if count < 2:
        return mean, plain
    robust = float(np.sqrt((sums**2).sum() * count / (count - 1.0))) / size
    return mean, max(plain, robust)


def paired_bootstrap(
    candidate: Floats | Sequence[float],
    live: Floats | Sequence[float],
    rng: np.random.Generator,
    *,
    groups: NDArray[np.int64] | None = None,
    resamples: int = 2000,
    confidence: float = 0.95,
) -> tuple[float, float, float]:
    """Mean of candidate − live with its percentile interval: (difference, low, high).

    Both hold one value for each replayed lookup, in the same order. With `groups` whole groups
    are drawn. Source: Efron and Tibshirani 1993, ch. 13. Empty input gives zeros.
    """
    difference = np.asarray(candidate, dtype=np.float64) - np.asarray(live, dtype=np.float64)
    if not difference.size:
        return 0.0, 0.0, 0.0
    label = (
        np.arange(difference.size) if groups is None else np.unique(groups, return_inverse=True)[1]
    )
    sums, sizes = np.bincount(label, difference), np.bincount(label).astype(np.float64)
    means = np.empty(resamples)
    for number in range(resamples):
        drawn = np.bincount(rng.integers(0, len(sums), len(sums)), minlength=len(sums))
        means[number] = (drawn * sums).sum() / (drawn * sizes).sum()
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return float(difference.mean()), float(low), float(high)
