"""Fusion: which share of the dense similarity finds what later turned out to be right.

Fits the one weight of the convex combination on the earlier lookups and accepts it only if it is
no worse on the later ones. It does not touch candidates that neither list found.

Source: Bruch, Gai and Ingber 2023, *ACM TOIS* 42 (convex combination of normalised scores, tuned
from few examples).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kbagent.core.learning.choice import Flags, Floats
from kbagent.core.learning.promotion import paired_bootstrap

GRID = tuple(round(0.05 * step, 2) for step in range(21))  # dense weights that are tried
EARLIER = 0.7  # share of the lookups, in order of time, that the weight is fitted on
MIN_LATER = 30  # later lookups below which nothing is changed


@dataclass(frozen=True, slots=True)
class Looked:
    """One lookup of the past: its candidates' normalised scores, and which were right.

    dense, lexical  (c,) in [0, 1]
    right           (c,) whether the candidate is of the issue that the outcome named
    """

    dense: Floats
    lexical: Floats
    right: Flags


@dataclass(frozen=True, slots=True)
class Fitted:
    """The weight to use, and its mean reciprocal rank on later lookups against the live one's.

    `accepted` is False where the live weight stays, because the other was not shown to be at
    least as good or there was too little to judge by.
    """

    dense_weight: float
    accepted: bool
    lookups: int
    change: float = 0.0
    low: float = 0.0
    high: float = 0.0


def reciprocal_ranks(lookups: Sequence[Looked], dense_weight: float) -> Floats:
    """1/place of the first right candidate at this weight, one for each lookup; 0 without one.

    Ties go to the candidate that stands first.

    >>> one = Looked(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([False, True]))
    >>> reciprocal_ranks([one], 1.0), reciprocal_ranks([one], 0.0)
    (array([0.5]), array([1.]))
    """
    found = np.zeros(len(lookups))
    for place, lookup in enumerate(lookups):
        score = dense_weight * lookup.dense + (1.0 - dense_weight) * lookup.lexical
        order = np.argsort(-score, kind="stable")
        hits = np.flatnonzero(lookup.right[order])
        found[place] = 1.0 / (hits[0] + 1) if hits.size else 0.0
    return found


def fit_dense_weight(lookups: Sequence[Looked], live: float, rng: np.random.Generator) -> Fitted:
    """The best weight of the earlier lookups, if the later ones bear it out.

    `lookups` stand in order of time. Among equally good weights the one nearest to `live` is
    taken. It is accepted if it gains on the later lookups and its 95 % interval does not lie
    below zero by more than it gains.
    """
    cut = round(EARLIER * len(lookups))
    earlier, later = lookups[:cut], lookups[cut:]
    if len(later) < MIN_LATER:
        return Fitted(live, accepted=False, lookups=len(lookups))
    quality = {w: float(reciprocal_ranks(earlier, w).mean()) for w in (*GRID, live)}
    best = max(quality, key=lambda w: (round(quality[w], 6), -abs(w - live)))
    change, low, high = paired_bootstrap(
        reciprocal_ranks(later, best), reciprocal_ranks(later, live), rng
    )
    accepted = best != live and change > 0.0 and -low <= change
    weight = best if accepted else live
    return Fitted(weight, accepted, len(lookups), change, low, high)
