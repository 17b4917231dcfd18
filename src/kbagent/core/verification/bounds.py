"""Exact bounds on a rate: Clopper–Pearson, and a bound on what the next cases will show.

Does not pick thresholds (`abstention` does) and never approximates by a normal distribution:
errors are rare here, which is where the normal is wrong.

Clopper and Pearson 1934, Biometrika 26; the predictive test is Fisher's exact (hypergeometric)
argument: calibration and future answers are exchangeable, so their errors are dealt out at
random between them.
"""

import math

from kbagent.core.learning.beta import cdf, quantile


def log_choose(n: int, k: int) -> float:
    """Natural logarithm of the number of ways to choose `k` of `n`; −inf outside 0 ≤ k ≤ n.

    >>> round(math.exp(log_choose(5, 2)), 6)
    10.0
    """
    if k < 0 or k > n:
        return -math.inf
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P(X ≤ k) for X ~ Binomial(n, p), in [0, 1]; 0 for k < 0, 1 for k ≥ n.

    The tail of a Beta: P(X ≤ k) = P(Beta(k + 1, n − k) > p).

    >>> round(binomial_cdf(1, 3, 0.5), 6)  # (1 + 3) / 8
    0.5
    """
    if k < 0:
        return 0.0
    if k >= n:
        return 1.0
    return cdf(1.0 - p, float(n - k), float(k + 1))


def hypergeometric_cdf(k: int, drawn: int, marked: int, total: int) -> float:
    """P(X ≤ k), X the marked among `drawn` taken without return from `total` with `marked`.

    >>> round(hypergeometric_cdf(0, 2, 1, 4), 6)  # the one marked is among the two left: 2/4
    0.5
    """
    lowest = max(0, drawn + marked - total)
    if k < lowest:
        return 0.0
    if k >= min(drawn, marked):
        return 1.0
    whole = log_choose(total, drawn)
    terms = [
        log_choose(marked, j) + log_choose(total - marked, drawn - j) - whole
        for j in range(lowest, k + 1)
    ]
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def upper_bound(errors: int, trials: int, *, doubt: float = 0.05) -> float:
    """The Clopper–Pearson upper bound of an error rate, in [0, 1]; 1 without trials.

    With probability ≥ 1 − `doubt` the true rate lies at or below it: the p at which
    P(Binomial(trials, p) ≤ errors) = doubt, which is a quantile of Beta(k + 1, n − k).

    >>> round(upper_bound(0, 59), 4)  # 1 − 0.05^(1/59): the rule of three
    0.0495
    """
    if errors >= trials:
        return 1.0
    return quantile(1.0 - doubt, float(errors + 1), float(trials - errors))


def lower_bound(successes: int, trials: int, *, doubt: float = 0.05) -> float:
    """The Clopper–Pearson lower bound of a success rate, in [0, 1]; 0 without trials.

    >>> round(lower_bound(59, 59), 4)
    0.9505
    """
    return 1.0 - upper_bound(trials - successes, trials, doubt=doubt)


def chance_if_broken(errors: int, trials: int, max_error: float, horizon: int | None) -> float:
    """The probability of so few errors if the promise `max_error` were about to be broken.

    Small means that the promise is safe. With `horizon` None the promise is about the long-run
    rate: P(Binomial(trials, max_error) ≤ errors). With a number it is about the error rate
    that the next `horizon` answers will show: the smallest number of errors that breaks it is
    ⌊max_error · horizon⌋ + 1, and the value is the hypergeometric chance that no more than
    `errors` of all these fell among the `trials` seen. The second tends to the first as the
    horizon grows.

    >>> round(chance_if_broken(0, 59, 0.05, None), 4)
    0.0485
    >>> round(chance_if_broken(0, 59, 0.05, 59), 4)  # C(59, 3) / C(118, 3)
    0.1218
    """
    if trials == 0:
        return 1.0
    if horizon is None:
        return binomial_cdf(errors, trials, max_error)
    breaking = errors + math.floor(max_error * horizon + 1e-9) + 1
    return hypergeometric_cdf(errors, trials, breaking, trials + horizon)


def fewest_trials(max_error: float, *, doubt: float = 0.05) -> int:
    """How many outcomes without a single error a promise of `max_error` needs.

    The smallest n with (1 − max_error)ⁿ ≤ doubt. `max_error` and `doubt` lie in (0, 1).

    >>> fewest_trials(0.05)
    59
    """
    return math.ceil(math.log(doubt) / math.log1p(-max_error))
