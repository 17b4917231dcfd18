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
QUANTILE_STEPS = 200  # Halley needs about 4, bisection in the worst case about 60
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
    """The x with P(X ≤ x) = `probability`, in [0, 1]: Halley, kept inside a shrinking bracket.

    >>> round(quantile(0.5, 3.0, 3.0), 12)
    0.5
    """
    _check(alpha, beta)
    if not 0.0 <= probability <= 1.0:
        raise BadValue(name="probability", value=probability, reason="it must lie in [0, 1]")
    if probability in (0.0, 1.0):
        return probability
    low, high, x = 0.0, 1.0, _first_guess(probability, alpha, beta)
    log_beta = _log_beta(alpha, beta)
    for _ in range(QUANTILE_STEPS):
        excess = cdf(x, alpha, beta) - probability
        low, high = (low, x) if excess > 0 else (x, high)
        if abs(excess) <= 1e-14 * min(probability, 1.0 - probability):
            return x
        proposal = x - _step(x, alpha, beta, excess, log_beta)
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


def _first_guess(probability: float, alpha: float, beta: float) -> float:
    """A quantile to two or three digits, inside (0, 1): Numerical Recipes, § 6.14.

    For α, β ≥ 1 by way of the normal quantile (Abramowitz and Stegun 26.2.22 and 26.5.22), else
    from the power laws at both ends.
    """
    if alpha >= 1.0 and beta >= 1.0:
        tail = min(probability, 1.0 - probability)
        t = math.sqrt(-2.0 * math.log(tail))
        normal = (2.30753 + 0.27061 * t) / (1.0 + t * (0.99229 + 0.04481 * t)) - t
        normal = -normal if probability < 0.5 else normal
        left, right = 1.0 / (2.0 * alpha - 1.0), 1.0 / (2.0 * beta - 1.0)
        h, least = 2.0 / (left + right), (normal * normal - 3.0) / 6.0
        w = normal * math.sqrt(max(0.0, least + h)) / h
        w -= (right - left) * (least + 5.0 / 6.0 - 2.0 / (3.0 * h))
        guess = alpha / (alpha + beta * math.exp(min(2.0 * w, 600.0)))
    else:
        low = math.exp(alpha * math.log(alpha / (alpha + beta))) / alpha
        high = math.exp(beta * math.log(beta / (alpha + beta))) / beta
        both = low + high
        if probability < low / both:
            guess = (alpha * both * probability) ** (1.0 / alpha)
        else:
            guess = 1.0 - (beta * both * (1.0 - probability)) ** (1.0 / beta)
    return guess if 0.0 < guess < 1.0 else alpha / (alpha + beta)


def _step(x: float, alpha: float, beta: float, excess: float, log_beta: float) -> float:
    """How far Halley would move; 0 where the density is too small or too large to divide by."""
    if not 0.0 < x < 1.0:
        return 0.0
    log_density = (alpha - 1.0) * math.log(x) + (beta - 1.0) * math.log1p(-x) - log_beta
    if not -600.0 < log_density < 600.0:
        return math.inf
    step = excess / math.exp(log_density)
    bend = (alpha - 1.0) / x - (beta - 1.0) / (1.0 - x)  # Halley's correction
    return step / (1.0 - 0.5 * max(-1.0, min(1.0, step * bend)))


def _log_beta(alpha: float, beta: float) -> float:
    return math.lgamma(alpha) + math.lgamma(beta) - math.lgamma(alpha + beta)


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by modified Lentz."""
    c = 1.0
    d = 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, FRACTION_STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        d = 1.0 / ((1.0 + even * d) or TINY)
        c = (1.0 + even / c) or TINY
        value *= c * d
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        d = 1.0 / ((1.0 + odd * d) or TINY)
        c = (1.0 + odd / c) or TINY
        change = c * d
        value *= change
        if -PRECISION < change - 1.0 < PRECISION:
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
