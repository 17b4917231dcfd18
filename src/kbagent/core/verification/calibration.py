"""From a score to a confidence: the share of answers with this score that are right.

Platt's sigmoid below about a thousand labels, isotonic regression above; the table and the
figures (ECE, Brier) that show whether confidence means what it says. Does not decide when to
abstain (`abstention`) and knows nothing of what the score is made of.

Platt 1999; Lin, Lin and Weng 2007 (a Newton method that does not overflow); Ayer et al. 1955
(pool adjacent violators); Niculescu-Mizil and Caruana 2005 (Platt for few labels); Kumar,
Liang and Ma 2019 (the bias of the plug-in calibration error).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from kbagent.errors import BadValue

Array = npt.NDArray[np.float64]

PLATT_BELOW = 1000  # labels; Niculescu-Mizil and Caruana 2005, figure 6
BINS = 15  # of the calibration error; the usual number since Guo et al. 2017
_STEPS = 100  # Newton steps; ten are usual
_RIDGE = 1e-12  # keeps the Hessian invertible (Lin et al. 2007)


@dataclass(frozen=True, slots=True)
class Platt:
    """confidence = 1 / (1 + exp(−(slope · score + intercept)))."""

    slope: float
    intercept: float

    def confidence(self, scores: npt.ArrayLike) -> Array:
        """Confidences in [0, 1], of the shape of `scores`."""
        return sigmoid(self.slope * np.asarray(scores, dtype=np.float64) + self.intercept)


@dataclass(frozen=True, slots=True)
class Isotonic:
    """A rising line through (score, confidence) points; flat beyond its ends."""

    scores: tuple[float, ...]
    values: tuple[float, ...]

    def confidence(self, scores: npt.ArrayLike) -> Array:
        """Confidences in [0, 1], of the shape of `scores`."""
        asked = np.asarray(scores, dtype=np.float64)
        line = np.interp(asked, np.array(self.scores), np.array(self.values))
        return np.asarray(line, dtype=np.float64)


Calibrator = Platt | Isotonic


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One row of the reliability table: answers of similar confidence and how they fared."""

    lowest: float
    highest: float
    count: int
    confidence: float
    accuracy: float


def sigmoid(x: Array) -> Array:
    """1 / (1 + e⁻ˣ), without overflow.

    >>> sigmoid(np.array([0.0, -1000.0])).tolist()
    [0.5, 0.0]
    """
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1.0, small) / (1.0 + small))


def fit_platt(scores: npt.ArrayLike, outcomes: npt.ArrayLike) -> Platt:
    """Platt's sigmoid of these scores; `outcomes` in [0, 1], of the same length.

    The targets are smoothed: (n₊ + 1) / (n₊ + 2) for a right answer, 1 / (n₋ + 2) for a wrong
    one, so that a perfectly separated history still gives no certainty. Scores that are all
    equal give the smoothed base rate everywhere. No data gives confidence one half.

    >>> fit = fit_platt([0.0, 0.0, 1.0, 1.0], [0, 0, 1, 1])  # targets 1/4 and 3/4
    >>> [round(float(x), 4) for x in fit.confidence([0.0, 1.0])]
    [0.25, 0.75]
    """
    x, y = _pair(scores, outcomes)
    if not len(x):
        return Platt(0.0, 0.0)
    right, wrong = float(y.sum()), float((1 - y).sum())
    target = y * (right + 1) / (right + 2) + (1 - y) / (wrong + 2)
    centre, spread = float(x.mean()), float(x.std())
    if spread <= 1e-12 * max(1.0, abs(centre)):
        rate = (right + 1) / (right + wrong + 2)
        return Platt(0.0, math.log(rate / (1 - rate)))
    slope, intercept = _newton((x - centre) / spread, target)
    return Platt(slope / spread, intercept - slope * centre / spread)


def _newton(x: Array, target: Array) -> tuple[float, float]:
    """Maximum likelihood of a logistic line, by Newton's method with backtracking."""
    mean = float(target.mean())
    weights = np.array([0.0, math.log(mean / (1 - mean))])
    design = np.column_stack([x, np.ones_like(x)])
    loss = _log_loss(design @ weights, target)
    for _ in range(_STEPS):
        p = sigmoid(design @ weights)
        gradient = design.T @ (p - target)
        if float(np.abs(gradient).max()) < 1e-9 * len(x):
            break
        hessian = (design * (p * (1 - p))[:, None]).T @ design + _RIDGE * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-10:
            moved = _log_loss(design @ (weights - size * step), target)
            if moved <= loss - 1e-4 * size * float(gradient @ step):
                break
            size /= 2
        else:
            break
        weights, loss = weights - size * step, moved
    return float(weights[0]), float(weights[1])


def _log_loss(logits: Array, target: Array) -> float:
    return float((np.logaddexp(0.0, logits) - target * logits).sum())


def fit_isotonic(scores: npt.ArrayLike, outcomes: npt.ArrayLike) -> Isotonic:
    """The rising step function nearest to the outcomes, joined by lines between block centres.

    Pool adjacent violators; equal scores are pooled first, so their order does not matter.
    Each block stands at the mean of its scores. The end blocks are pulled in by Laplace's
    rule, (k + 1) / (n + 2), when all or none of their answers were right: a history can not
    show certainty. No data gives one half.

    >>> fit = fit_isotonic([1, 2, 3, 4], [0, 1, 0, 1])
    >>> fit.scores, [round(v, 3) for v in fit.values]
    ((1.0, 2.5, 4.0), [0.333, 0.5, 0.667])
    """
    x, y = _pair(scores, outcomes)
    if not len(x):
        return Isotonic((0.0,), (0.5,))
    blocks = _pooled(x, y)
    size, total, place = blocks[:, 0], blocks[:, 1], blocks[:, 2] / blocks[:, 0]
    values = total / size
    certain = (values <= 0.0) | (values >= 1.0)
    values = np.where(certain, (total + 1) / (size + 2), values)
    values = np.maximum.accumulate(values)
    return Isotonic(tuple(place.tolist()), tuple(values.tolist()))


def _pooled(x: Array, y: Array) -> Array:
    """Blocks (size, sum of outcomes, sum of scores) after pooling adjacent violators."""
    places, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    sums = np.bincount(inverse, weights=y)
    stack: list[tuple[float, float, float]] = []
    for place, size, total in zip(places.tolist(), counts.tolist(), sums.tolist(), strict=True):
        block = (float(size), float(total), place * size)
        while stack and stack[-1][1] * block[0] >= block[1] * stack[-1][0]:
            size_, total_, place_ = stack.pop()
            block = (block[0] + size_, block[1] + total_, block[2] + place_)
        stack.append(block)
    return np.array(stack)


def fit_calibrator(scores: npt.ArrayLike, outcomes: npt.ArrayLike) -> Calibrator:
    """Platt below `PLATT_BELOW` labels or when only one kind of outcome is known, else isotonic."""
    x, y = _pair(scores, outcomes)
    if len(x) < PLATT_BELOW or float(y.min()) == float(y.max()):
        return fit_platt(x, y)
    return fit_isotonic(x, y)


def brier_score(confidence: npt.ArrayLike, outcomes: npt.ArrayLike) -> float:
    """Mean squared distance of confidence and outcome, in [0, 1]; NaN without data.

    >>> round(brier_score([0.9, 0.4], [1, 0]), 3)  # (0.01 + 0.16) / 2
    0.085
    """
    p, y = _pair(confidence, outcomes)
    return float(np.mean((p - y) ** 2)) if len(p) else math.nan


def reliability_table(
    confidence: npt.ArrayLike, outcomes: npt.ArrayLike, *, bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Bins of equal mass, rising in confidence; at most `bins`, never an empty one.

    Equal confidences always share a bin (ties would otherwise be dealt out by chance), so
    there may be fewer bins than asked for. Empty without data.
    """
    p, y = _pair(confidence, outcomes)
    order = np.argsort(p, kind="stable")
    p, y = p[order], y[order]
    cuts = [round(i * len(p) / bins) for i in range(1, bins)]
    cuts = sorted({int(np.searchsorted(p, p[c])) for c in cuts if 0 < c < len(p)} - {0})
    parts = zip(np.split(p, cuts), np.split(y, cuts), strict=True)
    return tuple(
        ReliabilityBin(float(a[0]), float(a[-1]), len(a), float(a.mean()), float(b.mean()))
        for a, b in parts
        if len(a)
    )


def calibration_error(
    confidence: npt.ArrayLike,
    outcomes: npt.ArrayLike,
    *,
    bins: int = BINS,
    debiased: bool = True,
) -> float:
    """The expected calibration error over bins of equal mass, in [0, 1]; NaN without data.

    ECE = Σ_b (n_b / n) · |d_b| with d_b = accuracy − confidence of bin b. The plug-in value is
    too high even for perfect calibration, by what chance adds to |d_b|; debiased, each |d_b|
    becomes 2|d_b| − E|N(d_b, s_b²)| with s_b² = accuracy (1 − accuracy) / n_b (Kumar et al.
    2019, in closed form: the mean of a folded normal), and the sum is cut at 0. Under perfect
    calibration that takes off two fifths of the bias, not all of it.

    >>> round(calibration_error([0.8] * 10, [1] * 6 + [0] * 4, debiased=False), 6)
    0.2
    """
    table = reliability_table(confidence, outcomes, bins=bins)
    if not table:
        return math.nan
    whole = sum(row.count for row in table)
    gap = sum(row.count / whole * _gap(row, debiased=debiased) for row in table)
    return max(0.0, gap)


def _gap(row: ReliabilityBin, *, debiased: bool) -> float:
    d = abs(row.accuracy - row.confidence)
    s = math.sqrt(row.accuracy * (1 - row.accuracy) / row.count)
    if not debiased or s == 0.0:
        return d
    z = d / s
    folded = s * math.sqrt(2 / math.pi) * math.exp(-z * z / 2) + d * math.erf(z / math.sqrt(2))
    return 2 * d - folded


def time_split(
    moments: Sequence[datetime], *, share: float = 0.5
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Positions of the earlier `share` and of the rest, each in order of time.

    Equal moments never straddle the border: they all go to the later part, so that nothing is
    learned from what happened at the same time. Ties keep their order in the input.
    """
    order = np.array(sorted(range(len(moments)), key=lambda i: moments[i]), dtype=np.intp)
    cut = math.floor(share * len(order))
    while 0 < cut < len(order) and moments[order[cut - 1]] == moments[order[cut]]:
        cut -= 1
    return order[:cut], order[cut:]


def _pair(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[Array, Array]:
    x = np.asarray(first, dtype=np.float64).ravel()
    y = np.asarray(second, dtype=np.float64).ravel()
    if len(x) != len(y):
        raise BadValue(name="outcomes", value=len(y), reason=f"there are {len(x)} scores")
    return x, y
