"""Which pattern is explained by a stronger one about the same consequent.

A claim folds under a stronger one when its own effect vanishes among cases that agree on the
stronger antecedent: it is no longer shown at 5 %, and less than half of the excess remains.
Strata are the stronger antecedent (has it or not) crossed with the weaker claim's own strata.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]

VANISHED_Z = 1.96
LEFT_OVER = 0.5
"""Share of the excess that may remain for a claim to count as explained."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The cases of an antecedent and the strata within which its effect was found."""

    rows: Codes
    strata: Codes


def excess_within(rows: Codes, strata: NDArray[np.integer], scores: Floats) -> tuple[float, float]:
    """Σ scores over `rows` minus its expectation within strata, and its variance."""
    sizes = np.maximum(np.bincount(strata), 1).astype(np.float64)
    mean = np.bincount(strata, weights=scores) / sizes
    square = np.bincount(strata, weights=scores * scores) / sizes
    taken = np.bincount(strata[rows], minlength=sizes.size)
    spread = np.maximum(square - mean * mean, 0.0) / np.maximum(sizes - 1, 1)
    variance = float((taken * (sizes - taken) * spread).sum())
    return float(scores[rows].sum() - (taken * mean).sum()), variance


def folded(claims: Sequence[Claim], scores: Floats) -> list[int]:
    """For each claim the place of the claim it folds under, or −1; claims come strongest first.

    Only claims that stand themselves explain others. `scores` is 1 for cases with the consequent
    (or any number per case).
    """
    under = [-1] * len(claims)
    for i, claim in enumerate(claims):
        standing = (j for j in range(i) if under[j] < 0)
        under[i] = next((j for j in standing if _explained(claim, claims[j], scores)), -1)
    return under


def _explained(claim: Claim, by: Claim, scores: Floats) -> bool:
    before, _ = excess_within(claim.rows, claim.strata, scores)
    crossed = claim.strata.astype(np.int64) * 2
    crossed[by.rows] += 1
    left, variance = excess_within(claim.rows, crossed, scores)
    if variance <= 0:
        return True
    vanished = left * np.sign(before) < VANISHED_Z * variance**0.5
    return bool(vanished and left * np.sign(before) < LEFT_OVER * abs(before))
