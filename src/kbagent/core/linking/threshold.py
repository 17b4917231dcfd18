"""The confidence from which a case joins a known issue, learned from the links that are known.

Some known links are hidden and looked for again: every fifth linked case must come home, and the
cases of every fifth issue, hidden as a whole, must join none. How much the second kind counts
depends on how many unlinked cases belong to no known issue: their mean confidence lies between
those of the two kinds, and where it lies says how many (adjusted counting, Forman 2008). The
threshold is the lowest at which the share of right joins reaches the precision asked for. With
too few links nothing can be learned, and a documented default stands. What people then say of
single placements moves the threshold, by as much as their words bear (`judged_threshold`).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.core.linking.assignment import DEFAULT_THRESHOLD, NEIGHBOURS, reached_issues
from kbagent.core.linking.neighbours import Floats, Ints, Neighbours, Vectors, nearest_neighbours

HIDDEN = 5  # one in five is hidden
LEAST_HIDDEN = 30  # cases that must come home before their share says anything
DEFAULT_PRECISION = 0.9
NEVER = 1.01  # a threshold that no confidence reaches
SCEPTICISM = 0.5  # standard deviation, in log odds, of how wrong the confidence may be beforehand;
# one refusal at .9 makes .92 of a threshold of .9, ten in a row .98
LOWEST, HIGHEST = 0.5, 0.995  # where people's words can move a threshold to
_STEPS = 50  # of Newton's method, which needs about five


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold and where it comes from.

    confidence  from which a case joins, [0, 1], or `NEVER`
    precision   share of right joins it was set for
    learned_on  hidden cases it was learned on; 0 for the documented default
    """

    confidence: float
    precision: float
    learned_on: int


def choose_threshold(
    vectors: Vectors,
    issues: Ints,
    *,
    precision: float = DEFAULT_PRECISION,
    neighbours: Neighbours | None = None,
) -> Threshold:
    """The threshold for `vectors` (n, d) of which some have a known issue (`issues`, else -1)."""
    near = neighbours if neighbours is not None else nearest_neighbours(vectors, NEIGHBOURS)
    hidden_issues, hidden_cases = _hidden(issues)
    if hidden_cases.sum() < LEAST_HIDDEN or hidden_issues.sum() < LEAST_HIDDEN:
        return Threshold(DEFAULT_THRESHOLD, precision, 0)
    shown = np.where(hidden_issues | hidden_cases, -1, issues)
    found, confidences = reached_issues(vectors, shown, near)
    tried = hidden_issues | hidden_cases
    at_home = _share_at_home(
        confidences[issues < 0], confidences[hidden_cases], confidences[hidden_issues]
    )
    right = (found == issues) & hidden_cases
    weights = np.where(
        hidden_cases, at_home / hidden_cases.sum(), (1.0 - at_home) / hidden_issues.sum()
    )
    chosen = lowest_threshold(confidences[tried], right[tried], weights[tried], precision)
    return Threshold(chosen, precision, int(tried.sum()))


def lowest_threshold(
    confidences: Floats, right: NDArray[np.bool_], weights: Floats, precision: float
) -> float:
    """The lowest confidence from which on the weighted share of right ones is ≥ `precision`.

    `NEVER` when there is none.

    >>> lowest_threshold(np.array([0.9, 0.8, 0.7]), np.array([True, True, False]), np.ones(3), 0.9)
    0.8
    """
    order = np.argsort(-confidences, kind="stable")
    total = np.cumsum(weights[order])
    correct = np.cumsum(np.where(right, weights, 0.0)[order])
    sorted_confidences = confidences[order]
    last_of_ties = np.append(sorted_confidences[1:] != sorted_confidences[:-1], True)
    enough = (correct >= precision * total) & last_of_ties & (total > 0.0)
    if not enough.any():
        return NEVER
    return float(sorted_confidences[np.flatnonzero(enough)[-1]])


def judged_threshold(threshold: float, confidences: Floats, right: NDArray[np.bool_]) -> float:
    """The threshold after people said of some placements whether they were right.

    Their confidences p (n,) were off by b in log odds: P(right) = σ(logit p + b), b ~ N(0, ½²). The
    threshold becomes the stated confidence whose corrected one is the former threshold,
    σ(logit t - b) with the most probable b, within [0.5, 0.995]. Without a judgement, or where
    nothing may join (`NEVER`), it stays. (Platt scaling with slope 1 and a prior on the shift.)

    >>> judged_threshold(0.9, np.zeros(0), np.zeros(0, dtype=bool))
    0.9
    >>> refused = judged_threshold(0.9, np.full(5, 0.9), np.zeros(5, dtype=bool))
    >>> agreed = judged_threshold(0.9, np.full(5, 0.9), np.ones(5, dtype=bool))
    >>> round(refused, 3), round(agreed, 3)
    (0.959, 0.889)
    """
    if not len(confidences) or not LOWEST <= threshold <= HIGHEST:
        return threshold
    odds = _logit(np.clip(confidences, 0.001, 0.999))
    shift = 0.0
    for _ in range(_STEPS):
        said = 1.0 / (1.0 + np.exp(-(odds + shift)))
        slope = float((right - said).sum()) - shift / SCEPTICISM**2
        step = slope / (float((said * (1.0 - said)).sum()) + 1.0 / SCEPTICISM**2)
        shift += step
        if abs(step) < 1e-12:
            break
    moved = 1.0 / (1.0 + math.exp(shift - math.log(threshold / (1.0 - threshold))))
    return min(max(moved, LOWEST), HIGHEST)


def _logit(shares: Floats) -> Floats:
    result: Floats = np.log(shares / (1.0 - shares))
    return result


def _share_at_home(unlinked: Floats, at_home: Floats, abroad: Floats) -> float:
    """The share of unlinked cases that belong to a known issue, within [0.05, 0.95]."""
    if not len(unlinked):
        return 0.5
    span = float(at_home.mean() - abroad.mean())
    if span <= 0.0:
        return 0.05
    return float(np.clip((unlinked.mean() - abroad.mean()) / span, 0.05, 0.95))


def _hidden(issues: Ints) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Rows of every fifth issue, and every fifth row of the other issues that keeps a sibling.

    Fifths are counted in row order, so the choice depends on the set alone.
    """
    names, first, codes, counts = np.unique(
        issues, return_index=True, return_inverse=True, return_counts=True
    )
    real = (names >= 0) & (counts >= 2)
    by_first = np.flatnonzero(real)[np.argsort(first[real], kind="stable")]
    whole = np.zeros(len(names), dtype=bool)
    whole[by_first[HIDDEN - 1 :: HIDDEN]] = True
    rest = real & ~whole
    rows = np.flatnonzero(rest[codes])
    hidden_cases = np.zeros(len(issues), dtype=bool)
    hidden_cases[rows[HIDDEN - 1 :: HIDDEN]] = True
    return whole[codes], hidden_cases
