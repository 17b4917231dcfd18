"""Series with known rises: clusters with their own rate, weekday pattern and overdispersion."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

CLUSTERS, DAYS = 100, 240
RATES = (1.0, 10.0)
"""Cases a day of a cluster, log-uniform."""
DISPERSION = (0.0, 0.25)
"""κ of variance μ + κμ², uniform per cluster."""
WEEKEND = 0.35
"""Weekend volume against a weekday's."""


@dataclass(frozen=True)
class Series:
    """Counts (cluster x day), weekdays, and for each risen cluster the first day of its rise."""

    counts: Ints
    weekdays: Ints
    onset: dict[int, int]


def series(ratio: float, seed: int, risen: int = 20) -> Series:
    """100 clusters over 240 days; `risen` of them step to `ratio` times their rate and stay."""
    rng = np.random.default_rng([seed, int(ratio * 100)])
    rate = np.exp(rng.uniform(*np.log(RATES), CLUSTERS))
    kappa = rng.uniform(*DISPERSION, CLUSTERS)
    weekdays = np.arange(DAYS) % 7
    common = np.array([1.15, 1.05, 1.0, 1.0, 0.9, WEEKEND, WEEKEND])[weekdays]
    own = np.exp(rng.normal(0, 0.1, (CLUSTERS, 7)))[:, weekdays]
    mean = rate[:, None] * common * own
    chosen, first = (
        rng.permutation(CLUSTERS)[:risen].tolist(),
        rng.integers(80, 200, risen).tolist(),
    )
    onset = dict(zip(chosen, first, strict=True))
    for cluster, day in onset.items():
        mean[cluster, day:] *= ratio
    shape = 1 / np.maximum(kappa, 1e-6)[:, None]
    intensity = mean * rng.gamma(shape, 1 / shape, mean.shape)
    return Series(rng.poisson(intensity).astype(np.int64), weekdays, onset)


def weekly_doubling(counts: Ints, least: int = 5) -> list[tuple[int, int]]:
    """The usual rule: this week's cases at least twice last week's, and at least `least`.

    A series tells once until the rule has been false for a week. Returns (series, day).
    """
    told = []
    quiet_since = np.full(counts.shape[0], 7)
    for day in range(28, counts.shape[1]):
        week = counts[:, day - 6 : day + 1].sum(axis=1)
        before = counts[:, day - 13 : day - 6].sum(axis=1)
        rule = (week >= least) & (week >= 2 * before)
        told += [(int(c), day) for c in np.flatnonzero(rule & (quiet_since >= 7))]
        quiet_since = np.where(rule, 0, quiet_since + 1)
    return told
