"""Counts in two-by-two tables, alone and in strata: differences, lifts and their tests.

Does: risk difference with Newcombe's interval, the Cochran-Mantel-Haenszel test (normal, or exact
with mid-p where counts are small), the Mantel-Haenszel pooled difference with Sato's variance,
observed over expected within strata (the adjusted lift), shrinkage, Simpson reversals.
Does not choose what to stratify by (`screening`), nor correct for many tests (`multiplicity`).

In every table: `both` cases have antecedent and consequent, `exposed` have the antecedent,
`affected` the consequent, `total` is all. A stratified table holds the four as equal-length
arrays, one entry per stratum.

Sources: Newcombe 1998 (Statistics in Medicine 17, 873-890, method 10); Mantel and Haenszel 1959;
Sato 1989 (Biometrics 45, 1323-1324); Lancaster 1961 for mid-p; Agresti 2013, chapters 3 and 6.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Z_95 = 1.959963984540054
"""The 97.5 % point of the normal distribution."""
EXACT_BELOW = 100.0
"""Variance of the count below which tails are computed exactly. At a standard deviation of 10 the
skewness of a count still moves a tail near 10⁻³ by a third."""
NEGLIGIBLE = 1e-14
"""Probabilities below this share of the mode are cut off in exact distributions."""
PRIOR_SD = 0.5
"""Standard deviation of the log lift before any data: two thirds of lifts lie in 0.6 to 1.65."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two proportions, in [-1, 1], with its 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Counts:
    """A two-by-two table: `both` ≤ min(`exposed`, `affected`), all ≤ `total`."""

    both: int
    exposed: int
    affected: int
    total: int


@dataclass(frozen=True, slots=True)
class Strata:
    """One two-by-two table per stratum, as four equal-length arrays of counts."""

    both: Floats
    exposed: Floats
    affected: Floats
    total: Floats

    @property
    def crude(self) -> Counts:
        """The table that results when the strata are ignored."""
        return Counts(*(round(float(x.sum())) for x in _columns(self)))


@dataclass(frozen=True, slots=True)
class StratifiedTest:
    """Observed and expected `both`, its variance under no association, z, two-sided p."""

    observed: float
    expected: float
    variance: float
    z: float
    p: float


def lift(counts: Counts) -> float:
    """P(consequent | antecedent) / P(consequent); 1 when either margin is empty.

    >>> lift(Counts(both=30, exposed=100, affected=150, total=1000))
    2.0
    """
    expected = counts.exposed * counts.affected / counts.total if counts.total else 0.0
    return counts.both / expected if expected else 1.0


def wilson(successes: float, trials: float, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval of a proportion; (0, 1) without trials.

    >>> low, high = wilson(81, 263)
    >>> round(low, 4), round(high, 4)
    (0.2553, 0.3662)
    """
    if trials <= 0:
        return 0.0, 1.0
    share = successes / trials
    centre = share + z * z / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def risk_difference(counts: Counts, z: float = Z_95) -> Difference:
    """P(consequent | antecedent) − P(consequent | no antecedent), with Newcombe's interval.

    Newcombe's method 10 combines two Wilson intervals. 56/70 against 48/80 is his example (a):

    >>> d = risk_difference(Counts(both=56, exposed=70, affected=104, total=150))
    >>> round(d.estimate, 4), round(d.low, 4), round(d.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    unexposed, rest = counts.total - counts.exposed, counts.affected - counts.both
    p1 = counts.both / counts.exposed if counts.exposed else 0.0
    p2 = rest / unexposed if unexposed else 0.0
    low1, high1 = wilson(counts.both, counts.exposed, z)
    low2, high2 = wilson(rest, unexposed, z)
    return Difference(
        p1 - p2,
        max(-1.0, p1 - p2 - math.hypot(p1 - low1, high2 - p2)),
        min(1.0, p1 - p2 + math.hypot(high1 - p1, p2 - low2)),
    )


def normal_two_sided(z: Floats) -> Floats:
    """P(|Z| ≥ |z|) for a standard normal Z, elementwise.

    >>> float(np.round(normal_two_sided(np.array([1.959964]))[0], 6))
    0.05
    """
    flat = np.abs(np.asarray(z, dtype=np.float64)).ravel() / math.sqrt(2)
    return np.array([math.erfc(x) for x in flat.tolist()]).reshape(np.shape(z))


def chi_square_tail(value: Floats, degrees: Floats | float) -> Floats:
    """P(X ≥ value) for a chi-square X, by Wilson and Hilferty's cube root (1931).

    For `degrees` ≥ 2 the error is below 0.006 in tails under 0.2: enough to screen, not to report.
    Zero degrees of freedom give 1.
    """
    df = np.maximum(np.asarray(degrees, dtype=np.float64), 1e-9)
    spread = 2 / (9 * df)
    root = (np.cbrt(np.asarray(value) / df) - (1 - spread)) / np.sqrt(spread)
    upper = normal_two_sided(root) / 2
    tail = np.where(root > 0, upper, 1 - upper)
    return np.where(np.asarray(degrees) < 0.5, 1.0, tail)


def hypergeometric(exposed: int, affected: int, total: int) -> tuple[int, Floats]:
    """The distribution of `both` given its margins: smallest possible value, probabilities.

    Computed by the ratio of neighbouring terms, so that no factorial is needed.

    >>> start, p = hypergeometric(exposed=2, affected=2, total=4)
    >>> start, [round(float(x), 4) for x in p]
    (0, [0.1667, 0.6667, 0.1667])
    """
    start, stop = max(0, exposed + affected - total), min(exposed, affected)
    k = np.arange(start, stop, dtype=np.float64)
    ratio = (exposed - k) * (affected - k) / ((k + 1) * (total - exposed - affected + k + 1))
    logs = np.concatenate(([0.0], np.cumsum(np.log(ratio))))
    weights = np.exp(logs - logs.max())
    return start, weights / weights.sum()


def _trimmed(start: int, p: Floats) -> tuple[int, Floats]:
    kept = np.flatnonzero(p > NEGLIGIBLE * p.max())
    return start + int(kept[0]), p[kept[0] : kept[-1] + 1]


def exact_distribution(exposed: Floats, affected: Floats, total: Floats) -> tuple[int, Floats]:
    """The distribution of Σ `both` over strata given all margins, by convolution.

    Returns its smallest value and the probabilities from there on; tails below 10⁻¹⁴ are cut.
    """
    start, p = 0, np.ones(1)
    informative = (exposed > 0) & (affected > 0)
    for a, m, n in zip(
        exposed[informative], affected[informative], total[informative], strict=True
    ):
        s, q = _trimmed(*hypergeometric(int(a), int(m), int(n)))
        start, p = _trimmed(start + s, np.convolve(p, q))
    return start, p


def exact_mid_p(observed: float, exposed: Floats, affected: Floats, total: Floats) -> float:
    """Two-sided mid-p of the exact stratified test: twice the smaller tail, at most 1.

    The observed value itself counts half in each tail (Lancaster 1961). For the tea-tasting
    table (3 of 4, total 8, all margins 4) the upper tail is 1/70 + 16/70/2:

    >>> m = np.array([4.0])
    >>> round(exact_mid_p(3, m, m, np.array([8.0])), 6) == round(2 * (1 + 8) / 70, 6)
    True
    """
    start, p = exact_distribution(exposed, affected, total)
    place = round(observed) - start
    if place < 0 or place >= p.size:
        return 2 * NEGLIGIBLE
    half = float(p[place]) / 2
    tail = min(float(p[:place].sum()), float(p[place + 1 :].sum())) + half
    return min(1.0, 2 * tail)


def cmh(strata: Strata) -> StratifiedTest:
    """The Cochran-Mantel-Haenszel test without continuity correction, exact where counts are small.

    z = Σ(o − e) / √Σv with e = a·m/n and v = a(n−a)m(n−m) / (n²(n−1)) in each stratum. Below a
    variance of `EXACT_BELOW` p comes from the exact distribution (mid-p). Without information
    (no stratum with both margins) z is 0 and p is 1.

    >>> one = Strata(*(np.array([x]) for x in (30.0, 100.0, 150.0, 1000.0)))
    >>> t = cmh(one)
    >>> t.expected, round(t.variance, 4), round(t.z, 3)
    (15.0, 11.4865, 4.426)
    """
    a, m, n = strata.exposed, strata.affected, strata.total
    observed = float(strata.both.sum())
    used = n > 1
    a, m, n = a[used], m[used], n[used]
    single = float(strata.both[~used].sum())
    expected = float((a * m / n).sum()) + single
    variance = float((a * (n - a) * m * (n - m) / (n * n * (n - 1))).sum())
    if variance <= 0:
        return StratifiedTest(observed, expected, 0.0, 0.0, 1.0)
    z = (observed - expected) / math.sqrt(variance)
    if variance < EXACT_BELOW:
        p = exact_mid_p(observed - single, a, m, n)
    else:
        p = math.erfc(abs(z) / math.sqrt(2))
    return StratifiedTest(observed, expected, variance, z, p)


def pooled_difference(strata: Strata, z: float = Z_95) -> Difference:
    """The Mantel-Haenszel pooled risk difference with Sato's interval.

    RD = Σ (o·n₀ − c·n₁)/n / Σ n₁n₀/n with c the affected among the n₀ unexposed. Sato's variance
    holds for few large and for many small strata. Strata without both groups do not count;
    without any that does the result is 0 with the interval (−1, 1).
    """
    n1, n = strata.exposed, strata.total
    n0, o, c = n - n1, strata.both, strata.affected - strata.both
    used = (n1 > 0) & (n0 > 0)
    if not used.any():
        return Difference(0.0, -1.0, 1.0)
    n1, n0, n, o, c = n1[used], n0[used], n[used], o[used], c[used]
    weight = float((n1 * n0 / n).sum())
    estimate = float(((o * n0 - c * n1) / n).sum()) / weight
    p = (n1 * n1 * c - n0 * n0 * o + n1 * n0 * (n0 - n1) / 2) / (n * n)
    q = (o * (n0 - c) + c * (n1 - o)) / (2 * n)
    variance = max(0.0, (estimate * float(p.sum()) + float(q.sum())) / weight**2)
    half = z * math.sqrt(variance)
    return Difference(estimate, max(-1.0, estimate - half), min(1.0, estimate + half))


def adjusted_lift(strata: Strata) -> float:
    """Observed over expected `both`, expectation within strata; 1 when nothing is expected.

    With one stratum this is the plain lift.
    """
    used = strata.total > 0
    expected = float((strata.exposed[used] * strata.affected[used] / strata.total[used]).sum())
    return float(strata.both.sum()) / expected if expected else 1.0


def shrunk_lift(observed: float, expected: float, variance: float) -> float:
    """The lift pulled toward 1 by as much as it is uncertain: the posterior mode of its log.

    log(o/e) has standard error √v/o; the prior is normal around 0 with `PRIOR_SD`. ½ is added
    to both counts so that a zero is no infinity.

    >>> round(shrunk_lift(30, 15, 11.5), 2)
    1.91
    >>> round(shrunk_lift(3, 1, 0.9), 2)
    1.92
    """
    if expected <= 0:
        return 1.0
    log_lift = math.log((observed + 0.5) / (expected + 0.5))
    error = max(variance, 1e-12) / (observed + 0.5) ** 2
    return math.exp(log_lift * PRIOR_SD**2 / (PRIOR_SD**2 + error))


def agreement(
    one: NDArray[np.integer], level: int, other: NDArray[np.integer], other_level: int
) -> float:
    """How far two levels are the same cases: the correlation phi, in [−1, 1].

    Cases of which either code is below 0 (unrecorded) do not count. 0 when nothing varies.

    >>> agreement(np.array([0, 0, 1, 1]), 1, np.array([0, 0, 1, -1]), 1)
    1.0
    """
    known = (one >= 0) & (other >= 0)
    a, b = one[known] == level, other[known] == other_level
    if not a.size or a.all() or b.all() or not a.any() or not b.any():
        return 0.0
    return float(np.corrcoef(a, b)[0, 1].round(12))


def is_reversal(strata: Strata, z_bar: float = Z_95) -> bool:
    """Whether the association turns round once stratified: Simpson's reversal.

    True when crude and stratified z lie on opposite sides and both exceed `z_bar`.
    """
    whole = Strata(*(np.array([x.sum()]) for x in _columns(strata)))
    crude, adjusted = cmh(whole).z, cmh(strata).z
    return crude * adjusted < 0 and min(abs(crude), abs(adjusted)) >= z_bar


def _columns(strata: Strata) -> tuple[Floats, Floats, Floats, Floats]:
    return strata.both, strata.exposed, strata.affected, strata.total
