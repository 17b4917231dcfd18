"""Whether a router is worth asking: its answers on the held-back cases beside the simplest ones.

The opponent of its labels is always naming the value most frequent among these very cases, and of
its probabilities always stating the shares in them: both are given the best constant, so that a
router that passes has read something from the text. A gain counts when the lower end of the 95 %
interval of the paired difference is above zero (normal approximation over cases).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Z = 1.959964
"""Of a two-sided 95 % interval."""
LIKE = 0.05
"""Share of held-back cases whose nearest case may be less similar than `Trial.similar`."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How a router did on held-back `cases`; `usual` is the class most frequent among them.

    `right` and `usual_right` are shares of them; `gain` is the lower end of the interval of their
    difference, `sharper` that of the gain in squared error of the probabilities. `similar` is the
    similarity to the nearest earlier case that 1 − `LIKE` of them reach.
    """

    cases: int
    right: float
    usual: int
    usual_right: float
    gain: float
    sharper: float
    similar: float


def trial_of(probabilities: Floats, labels: NDArray[np.integer], similarity: Floats) -> Trial:
    """The trial of forecasts, case x class, against what the labels were.

    `similarity` is that of some of these cases to the nearest earlier one of each.

    >>> p = np.array([[0.9, 0.1], [0.2, 0.8]] * 10)
    >>> trial_of(p, np.array([0, 1] * 10), np.ones(20)).gain > 0
    True
    >>> trial_of(p, np.array([0, 0] * 10), np.ones(20)).gain > 0
    False
    """
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    usual = int(counts.argmax())
    right, named = probabilities.argmax(axis=1) == labels, labels == usual
    truth = np.eye(probabilities.shape[1])[labels]
    error = ((probabilities - truth) ** 2).sum(axis=1)
    usual_error = ((counts / counts.sum() - truth) ** 2).sum(axis=1)
    return Trial(
        cases=int(labels.size),
        right=float(right.mean()),
        usual=usual,
        usual_right=float(named.mean()),
        gain=_lower_end(right.astype(np.float64) - named),
        sharper=_lower_end(usual_error - error),
        similar=usually_reached(similarity),
    )


def usually_reached(similarity: Floats) -> float:
    """The similarity that all but `LIKE` of these reach."""
    return float(np.quantile(similarity, LIKE))


def _lower_end(differences: Floats) -> float:
    """The lower end of the 95 % interval of their mean; with one case nothing is known."""
    if differences.size < 2:
        return -np.inf
    error = float(differences.std(ddof=1)) / np.sqrt(differences.size)
    return float(differences.mean() - Z * error)
