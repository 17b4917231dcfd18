"""How good predictions with a confidence were: accuracy, macro-F1, calibration, abstention.

Does not predict. Calibration error is `core.verification.calibration`'s, debiased.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.contingency import wilson
from kbagent.core.verification.calibration import calibration_error

Ints = NDArray[np.integer]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answers:
    """Per case the true class, the class answered, and the confidence in it, in [0, 1]."""

    truth: Ints
    answer: Ints
    confidence: Floats

    @property
    def size(self) -> int:
        """How many cases there are."""
        return int(self.truth.size)

    @staticmethod
    def joined(parts: Sequence["Answers"]) -> "Answers":
        """All of them, one after another; at least one."""
        return Answers(
            np.concatenate([p.truth for p in parts]),
            np.concatenate([p.answer for p in parts]),
            np.concatenate([p.confidence for p in parts]),
        )


@dataclass(frozen=True, slots=True)
class Marks:
    """What the answers were worth.

    `low` and `high` are Wilson's 95 % interval of the accuracy. `answered` is the share at or
    above the confidence asked for, `answered_right` the accuracy among these (NaN when none is).
    """

    cases: int
    accuracy: float
    low: float
    high: float
    macro_f1: float
    calibration_error: float
    answered: float
    answered_right: float


def marks(answers: Answers, confident_at: float) -> Marks:
    """The marks of at least one answer.

    >>> given = Answers(np.array([0, 1, 1]), np.array([0, 1, 0]), np.array([0.9, 0.8, 0.5]))
    >>> found = marks(given, 0.6)
    >>> round(found.accuracy, 3), round(found.answered, 3), found.answered_right
    (0.667, 0.667, 1.0)
    """
    right = answers.truth == answers.answer
    told = answers.confidence >= confident_at
    hits = float(right.sum())
    low, high = wilson(hits, answers.size)
    return Marks(
        answers.size,
        hits / answers.size,
        low,
        high,
        macro_f1(answers.truth, answers.answer),
        calibration_error(answers.confidence, right),
        float(told.mean()),
        float(right[told].mean()) if told.any() else float("nan"),
    )


def macro_f1(truth: Ints, answer: Ints) -> float:
    """Mean F1 over the classes that occur in the truth: each counts the same.

    F1 = 2·hits / (answered + true). NaN without cases.

    >>> macro_f1(np.array([0, 0, 1]), np.array([0, 0, 0]))  # 4/5 and 0
    0.4
    """
    scores = []
    for label in np.unique(truth):
        hit = float(((answer == label) & (truth == label)).sum())
        total = float((answer == label).sum() + (truth == label).sum())
        scores.append(2 * hit / total)
    return float(np.mean(scores)) if scores else float("nan")
