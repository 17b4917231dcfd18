"""When to answer: a threshold on confidence that keeps what people stated.

`max-error`: of the answers given, at most this share is wrong. `min-coverage`: at least this
share of questions is answered. The promise comes with what it rests on. Does not calibrate,
and promises nothing when the outcomes are too few: then it says how many are needed.

Fixed-sequence testing (Angelopoulos et al. 2021, "Learn then test"; Geifman and El-Yaniv
2017): thresholds are tried from stricter to laxer, each needs its exact test, and the first failure
ends the walk. Because the order is fixed beforehand and the error of the answered falls with
confidence, a walk breaks its promise with no more than the probability of one test, without paying
for the number of thresholds. One error among the few most confident answers would end a single walk
before it began, so there are several, which begin at `_STARTS` and share `doubt` evenly.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kbagent.core.verification.bounds import (
    binomial_cdf,
    chance_if_broken,
    fewest_trials,
    upper_bound,
)
from kbagent.errors import BadValue

DOUBT = 0.05  # probability that a promise may fail
_STEPS = 100  # thresholds tried: every hundredth of the outcomes
_STARTS = (0.1, 0.3, 0.6)  # shares of the most confident answers with which a walk begins


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which confidence to answer, and what the promise rests on.

    confidence  answer at or above it; above 1 means never
    promise     `max-error` or `min-coverage`
    target      the stated value, [0, 1]
    kept        whether the outcomes bear the promise
    outcomes    how many it was set on
    needed      how many are needed at the least
    coverage    share of the outcomes that it answers
    error       share of the answered that were wrong; 0 when none is answered
    bound       upper Clopper–Pearson bound of that error; 1 when none is answered
    """

    confidence: float
    promise: str
    target: float
    kept: bool
    outcomes: int
    needed: int
    coverage: float
    error: float
    bound: float

    def basis(self) -> str:
        """One sentence for the screen: what the promise rests on."""
        said = f"{self.promise} {self.target:g} set on {self.outcomes} outcomes"
        if self.outcomes < self.needed:
            return f"{said}; too few for a promise below {self.needed}"
        if not self.kept:
            return f"{said}; no threshold keeps it"
        return (
            f"{said}: {self.coverage:.0%} answered, {self.error:.1%} of them wrong "
            f"(at most {self.bound:.1%})"
        )


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """One row of the risk–coverage table."""

    coverage: float
    confidence: float
    error: float
    bound: float


def threshold_for_error(
    confidence: npt.ArrayLike,
    outcomes: npt.ArrayLike,
    max_error: float,
    *,
    doubt: float = DOUBT,
    horizon: int | None = None,
) -> Threshold:
    """The lowest threshold whose answers are wrong at most `max_error` of the time.

    `outcomes` are 1 for right, 0 for wrong (0.5 counts as wrong: a promise is strict).
    `horizon` None promises the long-run rate; a number promises the rate that this many
    further questions will show, which is stricter, because chance adds to it (of these, as
    large a share is taken to be answered as of the outcomes). Both with probability
    1 − `doubt`. Equal confidences are answered together or not at all.
    """
    p, wrong = _sorted(confidence, outcomes)
    needed = fewest_trials(max_error, doubt=doubt)
    starts = _starts(len(p), needed)
    level = doubt / len(starts)
    best = 0
    for start in starts:
        for count in _answered_counts(p, needed, start):
            errors = int(wrong[count - 1])
            ahead = None if horizon is None else max(1, round(horizon * count / len(p)))
            if chance_if_broken(errors, count, max_error, ahead) > level:
                break
            best = max(best, count)
    return _threshold(p, wrong, best, "max-error", max_error, needed, kept=best > 0, doubt=doubt)


def threshold_for_coverage(
    confidence: npt.ArrayLike,
    outcomes: npt.ArrayLike,
    min_coverage: float,
    *,
    doubt: float = DOUBT,
) -> Threshold:
    """The highest threshold that answers at least `min_coverage` of future questions.

    With the k-th highest of n confidences as threshold, the share answered in future is at
    least Beta(k, n + 1 − k); the smallest k is taken for which it falls below `min_coverage`
    with probability ≤ `doubt`, that is P(Binomial(n, min_coverage) ≥ k) ≤ doubt. When no k
    does, everything is answered and the promise counts as not kept (unless it is 0 or less).
    """
    p, wrong = _sorted(confidence, outcomes)
    n = len(p)
    needed = 1 if min_coverage <= 0 else _fewest_for_coverage(min_coverage, doubt)
    ranks = range(max(1, math.floor(min_coverage * n)), n + 1)
    found = next((k for k in ranks if 1 - binomial_cdf(k - 1, n, min_coverage) <= doubt), None)
    best = found if found is not None else n
    while 0 < best < n and p[best] == p[best - 1]:
        best += 1
    kept = found is not None or min_coverage <= 0
    return _threshold(p, wrong, best, "min-coverage", min_coverage, needed, kept=kept, doubt=doubt)


def risk_coverage(
    confidence: npt.ArrayLike,
    outcomes: npt.ArrayLike,
    *,
    steps: int = 10,
    doubt: float = DOUBT,
) -> tuple[RiskPoint, ...]:
    """Error and its upper bound at rising coverage, `steps` rows at most; empty without data."""
    p, wrong = _sorted(confidence, outcomes)
    counts = sorted({_with_ties(p, math.ceil(len(p) * i / steps)) for i in range(1, steps + 1)})
    return tuple(
        RiskPoint(
            coverage=k / len(p),
            confidence=float(p[k - 1]),
            error=float(wrong[k - 1]) / k,
            bound=upper_bound(int(wrong[k - 1]), k, doubt=doubt),
        )
        for k in counts
        if k
    )


def _sorted(
    confidence: npt.ArrayLike, outcomes: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Confidences falling, and the number of errors among the first 1, 2, … of them."""
    p = np.asarray(confidence, dtype=np.float64).ravel()
    y = np.asarray(outcomes, dtype=np.float64).ravel()
    if len(p) != len(y):
        raise BadValue(name="outcomes", value=len(y), reason=f"there are {len(p)} scores")
    order = np.argsort(-p, kind="stable")
    return p[order], np.cumsum(y[order] < 1.0).astype(np.int64)


def _starts(outcomes: int, needed: int) -> tuple[float, ...]:
    """With which shares walks begin: those that hold more than `needed`; one walk if just one."""
    able = tuple(share for share in _STARTS if share * outcomes > needed)
    return able if len(able) > 1 else _STARTS[:1]


def _answered_counts(p: npt.NDArray[np.float64], needed: int, start: float) -> list[int]:
    """How many are answered at each threshold of a walk, rising; the first could keep a promise."""
    n = len(p)
    first = max(needed, math.ceil(start * n))
    grid = sorted({first, *(math.ceil(n * i / _STEPS) for i in range(1, _STEPS + 1))})
    return sorted({_with_ties(p, k) for k in grid if first <= k <= n})


def _with_ties(p: npt.NDArray[np.float64], count: int) -> int:
    """`count` enlarged to take in every confidence equal to the last one."""
    if count <= 0:
        return 0
    return int(np.searchsorted(-p, -p[count - 1], side="right"))


def _fewest_for_coverage(min_coverage: float, doubt: float) -> int:
    """How many outcomes bear a promise of coverage: all n answered, min_coverageⁿ ≤ doubt."""
    if min_coverage >= 1.0:
        return 1
    return math.ceil(math.log(doubt) / math.log(min_coverage))


def _threshold(
    p: npt.NDArray[np.float64],
    wrong: npt.NDArray[np.int64],
    count: int,
    promise: str,
    target: float,
    needed: int,
    *,
    kept: bool,
    doubt: float,
) -> Threshold:
    errors = int(wrong[count - 1]) if count else 0
    return Threshold(
        confidence=float(p[count - 1]) if count else math.inf,
        promise=promise,
        target=target,
        kept=kept,
        outcomes=len(p),
        needed=needed,
        coverage=count / len(p) if len(p) else 0.0,
        error=errors / count if count else 0.0,
        bound=upper_bound(errors, count, doubt=doubt),
    )
