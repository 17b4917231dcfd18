"""What is rising now against its own history: issues, clusters, words.

Each series of daily counts is compared with what its own past, the weekday and the day's overall
volume lead one to expect, by a negative-binomial CUSUM: evidence for "ρ times as many" is added
up, never below zero, and tells once it passes a bar. Also: how fast a rise doubles, which release
it follows, and which features set its cases apart. Does not decide what a series is, does not
phrase anything, and knows no clock: day 0 is the first column.

Sources: Lucas 1985 (Technometrics 27, 129-144) for Poisson CUSUMs; Höhle and Paul 2008 (CSDA 52,
4357-4368) for the negative-binomial form with a seasonal mean; Monroe et al. 2008 (Political
Analysis 16, 372-403) for features.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.casetable import Codes, Features

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAYS_A_WEEK = 7
CALM_RATIO = 1.25
"""A rise is over when a week's cases fall below this multiple of what is expected."""
VOLUME_PRIOR = 20.0
"""Cases of a typical day that the day's volume factor is shrunk by: quiet desks say little."""
DISPERSION_PRIOR = 50.0
"""Weight (in Σμ²) of the pooled dispersion against a series' own."""
RISEN = 2.0
"""Multiple of the usual (and cases on top) up to which a series counts in the day's volume, so
that one that rises does not make the others look quiet."""
RESIDUAL_CAP = 4.0
"""Standard deviations beyond which a residual says 'rise', not 'dispersed'."""
LEAST_DISPERSION = 0.02
MEMORY = 0.99
"""Daily factor by which the dispersion forgets."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How rises are looked for.

    `ratios` ρ that evidence is gathered for; `bar` h in log-likelihood units at which it tells;
    `window` days of history behind the level, ending `guard` days ago so that a rise does not
    hide itself; `older` days' worth that all before the window counts; `warm_up` days before
    anything is told; `prior_cases` and `prior_rate` (cases a day) stand for the history of a
    series that has none.
    """

    ratios: tuple[float, ...] = (2.0, 4.0)
    bar: float = 4.7
    window: int = 84
    guard: int = 10
    older: float = 56.0
    warm_up: int = 28
    prior_cases: float = 0.3
    prior_rate: float = 0.1


@dataclass(frozen=True, slots=True)
class Rise:
    """One alarm: which series, the day it told, the day the rise began, cases since and expected.

    `expected` and `observed` count from `began` to `told`, both inclusive: what the alarm rests
    on. `ended` is the first day that was calm again, None while it lasts. `cases` and `usual` are
    the same two of the whole rise: from `began` to the day before `ended`, or to the last day.
    """

    series: int
    told: int
    began: int
    observed: int
    expected: float
    ended: int | None = None
    cases: int = 0
    usual: float = 0.0

    @property
    def ratio(self) -> float | None:
        """How many times as many cases of the whole rise came as usual; None of under one case."""
        return self.cases / self.usual if self.usual >= 1 else None

    @property
    def shrunk_ratio(self) -> float:
        """Observed over expected when it was told; half a case is added to both.

        Whether a rise is large enough is judged by it; it is no figure to be told.
        """
        return (self.observed + 0.5) / (self.expected + 0.5)


def bar_for(series: int, base: float = 4.7) -> float:
    """The bar at which that many series together give as many false alarms as 100 do at `base`.

    False alarms fall as e^(−bar), so the bar grows with the logarithm of the number of series.

    >>> bar_for(100), round(bar_for(2000), 2)
    (4.7, 7.7)
    """
    return base + max(0.0, math.log(max(series, 1) / 100))


def expectations(counts: Ints, weekdays: Ints, watch: Watch) -> tuple[Floats, Floats]:
    """Expected cases and dispersion κ (variance μ + κμ²) per series and day, from the past only.

    A series is expected to keep its share of the volume, and the volume of a day is what the
    weekday leads one to expect, corrected by what the other series show that day. `counts` is
    series x day, `weekdays` 0 to 6 per day. The same shape comes back twice.
    """
    sums = _cumulative(counts)
    usual = _usual_volume(counts, weekdays, watch)
    exposure = _exposure(counts, sums, usual, watch)
    mean = np.maximum(_shares(sums, exposure, usual, watch) * exposure, 1e-6)
    return mean, _dispersions(counts, mean)


def _cumulative(counts: Ints | Floats) -> Floats:
    zero = np.zeros((counts.shape[0], 1))
    return np.concatenate((zero, counts.cumsum(axis=1, dtype=np.float64)), axis=1)


def _trailing(sums: Floats, day: int, watch: Watch) -> Floats:
    """Σ over the window that ends `guard` days before `day`; `sums` is cumulative, 0 first."""
    stop = max(0, day - watch.guard)
    start = max(0, stop - watch.window)
    return np.asarray(sums[..., stop] - sums[..., start])


def _usual_volume(counts: Ints, weekdays: Ints, watch: Watch) -> Floats:
    """Cases over all series that each day leads one to expect: recent mean times weekday factor."""
    totals = counts.sum(axis=0).astype(np.float64)
    usual = np.empty(totals.size)
    for day in range(totals.size):
        past = totals[max(0, day - watch.window) : day]
        mean = past.mean() if past.size else totals[day]
        usual[day] = max(mean * _weekday_factor(totals, weekdays, day, watch.window), 1.0)
    return usual


def _weekday_factor(totals: Floats, weekdays: Ints, day: int, window: int) -> float:
    """This weekday's share of the last weeks over an even one, with a week's worth of evenness."""
    start = max(0, day - window)
    past = totals[start:day]
    if past.size < 2 * DAYS_A_WEEK or past.sum() == 0:
        return 1.0
    same = weekdays[start:day] == weekdays[day]
    mean = past.mean()
    return float((past[same].sum() + mean) / (mean * (np.count_nonzero(same) + 1)))


def _exposure(counts: Ints, sums: Floats, usual: Floats, watch: Watch) -> Floats:
    """Each day's volume as the other series show it; cases a day, series x day."""
    exposure = np.tile(usual, (counts.shape[0], 1))
    for day in range(counts.shape[1]):
        past = _trailing(sums, day, watch)
        if past.sum() == 0:
            continue
        own = past / past.sum() * usual[day]
        capped = np.minimum(counts[:, day], RISEN * own + RISEN)
        others, expected = capped.sum() - capped, own.sum() - own
        exposure[:, day] *= (others + VOLUME_PRIOR) / (expected + VOLUME_PRIOR)
    return exposure


def _shares(sums: Floats, exposure: Floats, usual: Floats, watch: Watch) -> Floats:
    """Each series' share of the volume: the posterior mean over the guarded window.

    What was seen before the window is its prior, worth `older` days: a rare series that happened
    to be silent in the window is not taken for one that cannot occur.
    """
    at_risk = _cumulative(exposure)
    share = np.empty(exposure.shape)
    prior_days = watch.prior_cases / watch.prior_rate
    for day in range(exposure.shape[1]):
        seen, volume = _trailing(sums, day, watch), _trailing(at_risk, day, watch)
        start = max(0, day - watch.guard - watch.window)
        worth = np.minimum(1.0, watch.older * usual[day] / np.maximum(at_risk[:, start], 1e-9))
        seen = seen + worth * sums[:, start]
        volume = volume + worth * at_risk[:, start]
        share[:, day] = (seen + watch.prior_cases) / (volume + prior_days * usual[day])
    return share


def _dispersions(counts: Ints, mean: Floats) -> Floats:
    """κ of the days before, own and pooled, by moments with capped residuals."""
    kappa = np.empty(counts.shape)
    own, weight = np.zeros(counts.shape[0]), np.zeros(counts.shape[0])
    for day in range(counts.shape[1]):
        pooled = max(0.0, own.sum() / max(weight.sum(), 1.0)) if day else 0.1
        now = np.maximum(
            LEAST_DISPERSION, (own + DISPERSION_PRIOR * pooled) / (weight + DISPERSION_PRIOR)
        )
        kappa[:, day] = now
        mu = mean[:, day]
        cap = RESIDUAL_CAP**2 * (mu + now * mu * mu)
        own = MEMORY * own + np.minimum((counts[:, day] - mu) ** 2, cap) - mu
        weight = MEMORY * weight + mu * mu
    return kappa


def evidence(counts: Ints, mean: Floats, kappa: Floats, ratio: float) -> Floats:
    """Log-likelihood ratio of ρ times the mean against the mean, negative binomial.

    x·log(ρ(1 + κμ)/(1 + κρμ)) − log((1 + κρμ)/(1 + κμ))/κ; as κ → 0 it is x·log ρ − μ(ρ − 1).

    >>> one = np.array([[4]])
    >>> value = evidence(one, np.array([[2.0]]), np.array([[1e-9]]), 2.0)
    >>> round(float(value[0, 0]), 4) == round(4 * math.log(2) - 2, 4)
    True
    """
    growth = (1 + kappa * ratio * mean) / (1 + kappa * mean)
    return np.asarray(counts * (math.log(ratio) - np.log(growth)) - np.log(growth) / kappa)


def rises(counts: Ints, weekdays: Ints, watch: Watch | None = None) -> list[Rise]:
    """All alarms, by day and series. A rise that lasts is one alarm until it is calm again.

    Fewer days than the warm-up, or no series, give no alarm.
    """
    how = watch or Watch()
    mean, kappa = expectations(counts, weekdays, how)
    steps = [evidence(counts, mean, kappa, ratio) for ratio in how.ratios]
    found: list[Rise] = []
    state = _Cusum.fresh(counts.shape[0], len(steps))
    for day in range(counts.shape[1]):
        state.add([s[:, day] for s in steps], day)
        if day < how.warm_up:
            state.capped(how.bar)
            continue
        for series in state.told(how.bar).tolist():
            state.rising[series] = len(found)
            found.append(_rise(counts, mean, series, int(state.began(series, how.bar)), day))
        _close_calm(counts, mean, state, found, day)
    return [_whole(counts, mean, rise) for rise in found]


@dataclass(slots=True)
class _Cusum:
    """Running sums per ratio and series, since when each is above zero, and which rise is open."""

    sums: Floats
    since: Ints
    rising: Ints

    @classmethod
    def fresh(cls, series: int, ratios: int) -> "_Cusum":
        shape = (ratios, series)
        return cls(np.zeros(shape), np.zeros(shape, dtype=np.int64), np.full(series, -1))

    def add(self, steps: Sequence[Floats], day: int) -> None:
        for i, step in enumerate(steps):
            self.since[i][self.sums[i] <= 0] = day
            self.sums[i] = np.maximum(0.0, self.sums[i] + step)

    def capped(self, bar: float) -> None:
        np.minimum(self.sums, bar / 2, out=self.sums)

    def told(self, bar: float) -> Ints:
        return np.flatnonzero((self.sums.max(axis=0) >= bar) & (self.rising < 0))

    def began(self, series: int, bar: float) -> int:
        over = self.sums[:, series] >= bar
        return int(self.since[over, series].max())


def _rise(counts: Ints, mean: Floats, series: int, began: int, told: int) -> Rise:
    span = slice(began, told + 1)
    return Rise(
        series, told, began, int(counts[series, span].sum()), float(mean[series, span].sum())
    )


def _whole(counts: Ints, mean: Floats, rise: Rise) -> Rise:
    """The rise with what came of it until it was calm again, or until the last day."""
    span = slice(rise.began, rise.ended)
    cases, usual = counts[rise.series, span].sum(), mean[rise.series, span].sum()
    return replace(rise, cases=int(cases), usual=float(usual))


def _close_calm(counts: Ints, mean: Floats, state: _Cusum, found: list[Rise], day: int) -> None:
    """End the open rises whose last week is calm, and let their evidence start anew."""
    opened = np.flatnonzero(state.rising >= 0)
    span = slice(max(0, day - DAYS_A_WEEK + 1), day + 1)
    calm = counts[opened, span].sum(axis=1) <= CALM_RATIO * mean[opened, span].sum(axis=1)
    for series in opened[calm].tolist():
        place = int(state.rising[series])
        if day - found[place].told < DAYS_A_WEEK:
            continue
        found[place] = replace(found[place], ended=day)
        state.rising[series] = -1
        state.sums[:, series] = 0.0


@dataclass(frozen=True, slots=True)
class Doubling:
    """Days until the count has doubled, with a 90 % interval; `high` is infinite when unsure."""

    days: float
    low: float
    high: float


def doubling(counts: Ints, exposure: Floats | None = None) -> Doubling | None:
    """Doubling time of a run of daily counts by Poisson regression on the day; None if falling.

    The slope b is fitted by Newton steps; the time is ln 2 / b. Fewer than three days, or fewer
    than three cases, give None.

    >>> found = doubling(np.array([2, 4, 8, 16, 32]))
    >>> round(found.days, 6)
    1.0
    """
    if counts.size < 3 or counts.sum() < 3:
        return None
    offset = np.log(np.maximum(np.ones(counts.size) if exposure is None else exposure, 1e-9))
    x = np.stack((np.ones(counts.size), np.arange(counts.size) - (counts.size - 1) / 2), axis=1)
    beta = np.array([math.log(counts.mean()) - float(offset.mean()), 0.0])
    for _ in range(50):
        mu = np.exp(np.clip(x @ beta + offset, -30, 30))
        information = x.T @ (x * mu[:, None]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(information, x.T @ (counts - mu))
        beta = beta + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-10:
            break
    slope, error = float(beta[1]), math.sqrt(float(np.linalg.inv(information)[1, 1]))
    if slope <= 0:
        return None
    slowest = slope - 1.645 * error
    high = math.log(2) / slowest if slowest > 0 else math.inf
    return Doubling(math.log(2) / slope, math.log(2) / (slope + 1.645 * error), high)


@dataclass(frozen=True, slots=True)
class Behind:
    """A feature that sets the cases of a rise apart: counts there and elsewhere, lift, z."""

    feature: str
    inside: int
    outside: int
    lift: float
    z: float


def behind(inside: Codes, outside: Codes, features: Features, most: int = 3) -> list[Behind]:
    """The features most typical of the cases `inside` against those `outside`, strongest first.

    z is the log odds ratio with an informative prior (the shares over all, worth ten cases) in
    standard errors. Only features of at least two inside cases and z ≥ 2 are named; ties by name.
    """
    size = int(max(inside.max(initial=-1), outside.max(initial=-1), features.rows.max(initial=-1)))
    where = np.zeros(size + 1, dtype=np.int8)
    where[outside], where[inside] = 1, 2
    found = []
    for j, name in enumerate(features.names):
        side = np.bincount(where[features.column(j)], minlength=3)
        row = _behind(name, int(side[2]), inside.size, int(side[1]), outside.size)
        if row.inside >= 2 and row.z >= 2:
            found.append(row)
    found.sort(key=lambda b: (-b.z, b.feature))
    return found[:most]


def _behind(name: str, a: int, n1: int, b: int, n0: int) -> Behind:
    prior = 10.0
    share = (a + b + 0.5) / (n1 + n0 + 1)
    w1, w0 = a + prior * share, b + prior * share
    log_odds = math.log(w1 / max(n1 + prior - w1, 1e-9)) - math.log(w0 / max(n0 + prior - w0, 1e-9))
    lift = (a / max(n1, 1)) / max(b / n0 if n0 else 0.0, 0.5 / max(n0, 1))
    return Behind(name, a, b, lift, log_odds / math.sqrt(1 / w1 + 1 / w0))


@dataclass(frozen=True, slots=True)
class Attribution:
    """The release a rise follows: its place, days from it to the beginning, cases a day before
    and after it, and p of the two rates being one (conditional binomial, one-sided)."""

    release: int
    days_after: int
    rate_before: float
    rate_after: float
    p: float


def attribute(
    counts: Ints,
    began: int,
    told: int,
    releases: Sequence[int],
    within: int = 14,
    named: Sequence[int] = (),
) -> Attribution | None:
    """The release that a rise follows: of the day it began or at most `within` days before.

    `counts` are the series' daily cases, `releases` their days. What came out after
    the rise began cannot be its cause. Of several the first of `named` (places of releases whose
    version sets the cases apart, the most typical first) that fits, else the nearest one before.
    None when no release fits.
    """
    fitting = [i for i, day in enumerate(releases) if began - within <= day <= began]
    if not fitting:
        return None
    place = next((i for i in named if i in fitting), max(fitting, key=lambda i: (releases[i], i)))
    day = releases[place]
    start = max(0, day - 28)
    before, after = int(counts[start:day].sum()), int(counts[day : told + 1].sum())
    n_before, n_after = max(day - start, 1), told + 1 - day
    p = binomial_upper(after, before + after, n_after / (n_before + n_after))
    return Attribution(place, began - day, before / n_before, after / n_after, p)


def binomial_upper(k: int, n: int, share: float) -> float:
    """P(X ≥ k) for X binomial(n, share), by summing terms in log space.

    >>> round(binomial_upper(2, 2, 0.5), 4)
    0.25
    """
    if k <= 0:
        return 1.0
    i = np.arange(k, n + 1, dtype=np.float64)
    log_choose = np.array(
        [math.lgamma(n + 1) - math.lgamma(x + 1) - math.lgamma(n - x + 1) for x in i]
    )
    logs = (
        log_choose + i * math.log(share) + (n - i) * math.log1p(-share)
        if share < 1
        else np.zeros(1)
    )
    return float(min(1.0, np.exp(logs).sum()))
