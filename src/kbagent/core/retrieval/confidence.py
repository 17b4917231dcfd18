"""How sure we are that the best issue shown is the same problem as the query's.

A logistic curve over a score (Platt 1999), so that every knowledge base can move it by two
numbers kept in its policy. Whether it is calibrated is checked by `core.verification`.
"""

from math import exp

DEFAULT_PLATT = (14.0, -8.0)  # provisional until the figures of benchmarks/retrieval are in


def confidence(score: float, platt: tuple[float, float] = DEFAULT_PLATT) -> float:
    """1 / (1 + e^-(slope·score + intercept)), in [0, 1].

    >>> confidence(0.5, (2.0, -1.0))
    0.5
    """
    slope, intercept = platt
    return logistic(slope * score + intercept)


def logistic(logit: float) -> float:
    """1 / (1 + e^-x) without overflow, in [0, 1]."""
    if logit >= 0.0:
        return 1.0 / (1.0 + exp(-logit))
    return exp(logit) / (1.0 + exp(logit))
