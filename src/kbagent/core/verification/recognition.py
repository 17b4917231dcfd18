"""Which issue the nearest cases speak for, and how clearly.

A vote in which nearer cases count for more. The share of the winner is a score, not yet a
confidence: `calibration` makes it one, on outcomes. Does not search and does not decide.

Dudani 1976 (distance-weighted neighbours), with an exponential weight.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kbagent.core.verification.novelty import Neighbours

Array = npt.NDArray[np.float64]

# Cosine: a case this much farther away counts 1/e. The middle of what was best of .02–.1 on
# CLINC150 validation (.10), StackFAQ (.03) and a split of banking77 train (.03–.05).
WIDTH = 0.05
_SOFTENING = 0.01  # added to both shares; best of .001–.5 on CLINC150 and StackFAQ


@dataclass(frozen=True, slots=True)
class Recognised:
    """The winner of one vote: `share` in (0, 1], `runner_up` 0 shares when it stands alone."""

    issue: int
    share: float
    runner_up: int | None
    runner_up_share: float

    @property
    def margin(self) -> float:
        """Share of the winner minus that of the next, in [0, 1]."""
        return self.share - self.runner_up_share


def recognise(near: Neighbours, *, width: float = WIDTH) -> list[Recognised]:
    """The winner for each text: weight exp((similarity − best) / width); ties go to the lower id.

    A text without neighbours cannot be asked about: `near` has at least one column.

    >>> near = Neighbours(np.array([[0.9, 0.9, 0.85]]), np.array([[4, 7, 7]]), np.zeros((1, 3)))
    >>> [(r.issue, round(r.share, 3), r.runner_up) for r in recognise(near)]
    [(7, 0.578, 4)]
    """
    weights = np.exp((near.similarities - near.similarities.max(axis=1, keepdims=True)) / width)
    rows = zip(weights.tolist(), near.issues.tolist(), strict=True)
    return [_winner(w, issues) for w, issues in rows]


def clearness(shares: npt.ArrayLike) -> Array:
    """Softened log odds of shares, which a logistic line calibrates well; finite at 0 and 1.

    log((share + ε) / (1 − share + ε)) with ε = 0.01. Many shares are exactly 1, and without
    the softening these few places would bend the line for all others.
    """
    p = np.asarray(shares, dtype=np.float64)
    return np.asarray(np.log((p + _SOFTENING) / (1 - p + _SOFTENING)))


def _winner(weights: list[float], issues: list[int]) -> Recognised:
    votes: defaultdict[int, float] = defaultdict(float)
    for weight, issue in zip(weights, issues, strict=True):
        votes[issue] += weight
    total = sum(votes.values())
    ranked = sorted(votes, key=lambda issue: (-votes[issue], issue))
    first, second = ranked[0], ranked[1] if len(ranked) > 1 else None
    return Recognised(
        first,
        votes[first] / total,
        second,
        votes[second] / total if second is not None else 0.0,
    )
