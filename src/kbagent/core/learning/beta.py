"""The Beta distribution: mean, variance, distribution function, quantiles, comparison.

Written out because the path of a search must not import scipy. It does not fit anything and
works on single numbers; `choice` has the vectorised quadrature that ranking needs.

Sources: the incomplete beta function by Lentz's continued fraction, Press et al., *Numerical
Recipes*, 3rd ed., § 6.4; the comparison of two Betas as a one-dimensional integral by
Gauss–Legendre quadrature over the quantiles of the first.
"""

import math
from functools import cache, lru_cache

from kbagent.errors import BadValue

TINY = 1e-300  # keeps Lentz's denominators from zero
PRECISION = 1e-14  # relative change at which the continued fraction has converged
FRACTION_STEPS = 10_000  # the fraction needs about √max(α, β) steps
QUANTILE_STEPS = 200  # Newton needs about 6, bisection in the worst case about 60
INTERVAL_MASS = 0.90  # of the credible intervals that are shown


def mean(alpha: float, beta: float) -> float:
    """Mean α/(α + β), in (0, 1).

    >>> mean(9.0, 1.0)
    0.9
    """
    _check(alpha, beta)
    return alpha / (alpha + beta)


def variance(alpha: float, beta: float) -> float:
    """Variance αβ / ((α + β)²(α + β + 1)), in (0, ¼).

    >>> variance(1.0, 1.0) == 1 / 12
    True
    """
    _check(alpha, beta)
    total = alpha + beta
    return alpha * beta / (total * total * (total + 1.0))


def cdf(x: float, alpha: float, beta: float) -> float:
    """P(X ≤ x), the regularised incomplete beta function I_x(α, β); 0 below 0, 1 above 1.

    >>> round(cdf(0.5, 2.0, 2.0), 12)
    0.5
    >>> round(cdf(0.25, 1.0, 1.0), 12)
    0.25
    """
    _check(alpha, beta)
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(alpha * math.log(x) + beta * math.log1p(-x) - _log_beta(alpha, beta))
    if x < (alpha + 1.0) / (alpha + beta + 2.0):
        return min(1.0, front * _fraction(x, alpha, beta) / alpha)
    return max(0.0, 1.0 - front * _fraction(1.0 - x, beta, alpha) / beta)


def quantile(probability: float, alpha: float, beta: float) -> float:
    """The x with P(X ≤ x) = `probability`, in [0, 1]: Newton, kept inside a shrinking bracket.

    >>> round(quantile(0.5, 3.0, 3.0), 12)
    0.5
    """
    _check(alpha, beta)
    if not 0.0 <= probability <= 1.0:
        raise BadValue(name="probability", value=probability, reason="it must lie in [0, 1]")
    if probability in (0.0, 1.0):
        return probability
    low, high, x = 0.0, 1.0, alpha / (alpha + beta)
    log_beta = _log_beta(alpha, beta)
    for _ in range(QUANTILE_STEPS):
        excess = cdf(x, alpha, beta) - probability
        low, high = (low, x) if excess > 0 else (x, high)
        proposal = x - _newton_step(x, alpha, beta, excess, log_beta)
        following = proposal if low < proposal < high else (low + high) / 2.0
        if abs(following - x) <= 1e-15 + 1e-13 * x or high - low <= 1e-300:
            return following
        x = following
    return x


@lru_cache(maxsize=16384)
def interval(alpha: float, beta: float, mass: float = INTERVAL_MASS) -> tuple[float, float]:
    """Central credible interval that holds `mass` of Beta(α, β).

    >>> low, high = interval(1.0, 1.0)
    >>> round(low, 10), round(high, 10)
    (0.05, 0.95)
    """
    tail = (1.0 - mass) / 2.0
    return quantile(tail, alpha, beta), quantile(1.0 - tail, alpha, beta)


def exceeds(alpha: float, beta: float, other_alpha: float, other_beta: float) -> float:
    """P(X > Y) for independent X ~ Beta(α, β), Y ~ Beta(other_α, other_β).

    Gauss–Legendre quadrature of ∫₀¹ F_Y(F_X⁻¹(u)) du; error below 1e-4 for α, β ≥ 0.5.

    >>> round(exceeds(5.0, 3.0, 5.0, 3.0), 6)
    0.5
    >>> round(exceeds(2.0, 1.0, 1.0, 1.0), 4)    # ∫ 2x·x dx = 2/3
    0.6667
    """
    nodes, weights = _legendre()
    total = sum(
        weight * cdf(quantile(node, alpha, beta), other_alpha, other_beta)
        for node, weight in zip(nodes, weights, strict=True)
    )
    return min(1.0, max(0.0, total))


def _newton_step(x: float, alpha: float, beta: float, excess: float, log_beta: float) -> float:
    """How far Newton would move; 0 where the density is too small or too large to divide by."""
    if not 0.0 < x < 1.0:
        return 0.0
    log_density = (alpha - 1.0) * math.log(x) + (beta - 1.0) * math.log1p(-x) - log_beta
    if not -600.0 < log_density < 600.0:
        return math.inf
    return excess / math.exp(log_density)


def _log_beta(alpha: float, beta: float) -> float:
    return math.lgamma(alpha) + math.lgamma(beta) - math.lgamma(alpha + beta)


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by modified Lentz."""
    c = 1.0
    d = 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, FRACTION_STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        change = 1.0
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            change = c * d
            value *= change
        if abs(change - 1.0) < PRECISION:
            break
    return value


def _away_from_zero(x: float) -> float:
    return x if abs(x) > TINY else TINY


@cache
def _legendre() -> tuple[tuple[float, ...], tuple[float, ...]]:
    import numpy as np  # `worked` needs intervals and cannot wait for numpy

    nodes, weights = np.polynomial.legendre.leggauss(64)
    return tuple(((nodes + 1.0) / 2.0).tolist()), tuple((weights / 2.0).tolist())


def _check(alpha: float, beta: float) -> None:
    if not (alpha > 0.0 and beta > 0.0):
        raise BadValue(
            name="a Beta parameter", value=min(alpha, beta), reason="it must be above zero"
        )
