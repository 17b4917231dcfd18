"""Pooling: what the other issues say of a resolution, and how much to believe them.

A cell is one resolution within one issue. Its prior has mean m_r (how the resolution does
everywhere, itself pulled to the overall rate) and strength κ in pseudo-outcomes (how alike the
cells are). Everything is computed from sums, so that the caller keeps tallies and never loads
a million outcomes to answer one search.

Sources: the intra-class correlation of proportions by one-way analysis of variance, Ridout,
Demétrio and Firth 1999, *Biometrics* 55; κ = 1/ρ − 1 is the strength of the beta-binomial
whose intra-class correlation is ρ.
"""

from collections.abc import Iterable
from functools import reduce

from kbagent.model.evidence import Moments, Pool, Tally

POOL_STRENGTH = 10.0  # pseudo-outcomes that pull a resolution to the overall mean (issue 4)
MIN_TRIED = 5  # known outcomes from which a cell says something of κ
MIN_CELLS = 8  # such cells from which κ is estimated at all
DEFAULT_STRENGTH = 4.0  # κ where there are fewer
STRENGTH_RANGE = (2.0, 30.0)  # κ is clipped to this
OVERALL_RANGE = (0.1, 0.8)
"""The overall rate is kept in here when it is lent to a resolution of which nothing is known:
exports record successes far more often than failures, and an untried resolution must not look
better than one that was tried and mostly worked."""


def moments_of(cells: Iterable[Tally]) -> Moments:
    """The sums over cells from which κ is computed; cells with fewer than 5 outcomes are left out.

    >>> moments_of([Tally(10, 5), Tally(5, 5), Tally(2, 0)])
    Moments(cells=2, tried=15.0, tried_squared=125.0, worked=10.0, worked_squared_by_tried=7.5)
    """
    return reduce(_with_cell, (cell for cell in cells if cell.tried >= MIN_TRIED), Moments())


def intra_class_correlation(moments: Moments) -> float | None:
    """ρ by the method of moments, at most 1 and negative where cells differ less than chance.

    With k cells, N = Σn, n₀ = (N − Σn²/N)/(k − 1), the mean squares between (MSB) and within
    (MSW) cells: ρ = (MSB − MSW)/(MSB + (n₀ − 1)·MSW). None where it is not defined.

    >>> intra_class_correlation(moments_of([Tally(10, 10), Tally(10, 0)]))
    1.0
    >>> round(intra_class_correlation(moments_of([Tally(10, 8), Tally(10, 2)])), 4)
    0.4771
    """
    k, total = moments.cells, moments.tried
    if k < 2 or total <= k:
        return None
    between = (moments.worked_squared_by_tried - moments.worked**2 / total) / (k - 1)
    within = (moments.worked - moments.worked_squared_by_tried) / (total - k)
    size = (total - moments.tried_squared / total) / (k - 1)
    divisor = between + (size - 1.0) * within
    return None if divisor <= 0.0 else (between - within) / divisor


def strength(moments: Moments) -> float:
    """κ = 1/ρ − 1 in [2, 30]; 4 where fewer than 8 cells have 5 outcomes or ρ is not defined.

    >>> strength(Moments())
    4.0
    """
    if moments.cells < MIN_CELLS:
        return DEFAULT_STRENGTH
    rho = intra_class_correlation(moments)
    if rho is None:
        return DEFAULT_STRENGTH
    low, high = STRENGTH_RANGE
    return high if rho <= 0.0 else min(high, max(low, 1.0 / rho - 1.0))


def overall_rate(pool: Pool) -> float:
    """ḡ: the rate of all outcomes, smoothed by one success and one failure, kept in [0.1, 0.8].

    >>> overall_rate(Pool()), overall_rate(Pool(overall=Tally(98, 98)))
    (0.5, 0.8)
    """
    low, high = OVERALL_RANGE
    return min(high, max(low, (pool.overall.worked + 1.0) / (pool.overall.tried + 2.0)))


def pooled_mean(pool: Pool, resolution_id: int, strength: float = POOL_STRENGTH) -> float:
    """m_r = (Σ_g s + strength·ḡ)/(Σ_g n + strength), the resolution's rate over all issues.

    >>> pooled_mean(Pool(overall=Tally(98, 49), resolutions={7: Tally(10, 10)}), 7)
    0.75
    """
    own = pool.resolutions.get(resolution_id, Tally())
    return (own.worked + strength * overall_rate(pool)) / (own.tried + strength)


def _with_cell(moments: Moments, cell: Tally) -> Moments:
    return Moments(
        cells=moments.cells + 1,
        tried=moments.tried + cell.tried,
        tried_squared=moments.tried_squared + cell.tried**2,
        worked=moments.worked + cell.worked,
        worked_squared_by_tried=moments.worked_squared_by_tried + cell.worked**2 / cell.tried,
    )
