"""How certain it is that the recognised issue is the right one: two facts in one score.

A vote can be unanimous among cases that are all far away, and the nearest case can be near while
its neighbours disagree; so the score is a logistic line over both. Whether the score means what
it says is left to `calibration`, on other outcomes than the line was fitted to.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kbagent.core.verification.calibration import Calibrator, Platt, fit_calibrator
from kbagent.core.verification.novelty import logistic_line

Array = npt.NDArray[np.float64]

FEWEST = 60  # labels from which a line of one's own is fitted: twenty for each of its numbers
_RIDGE = 1e-3  # of the line's weights, on a scale of one standard deviation


@dataclass(frozen=True, slots=True)
class Certainty:
    """score = clear · clearness + near · match + intercept; confidence = calibrator(score).

    clearness  softened log odds of the winner's share of votes (`recognition.clearness`)
    match      the fused score of the nearest case, about [0, 1]
    """

    clear: float
    near: float
    intercept: float
    calibrator: Calibrator = Platt(1.0, 0.0)  # noqa: RUF009 -- frozen

    def scores(self, clearness: npt.ArrayLike, match: npt.ArrayLike) -> Array:
        """The score before calibration, of the shape of the inputs."""
        first = np.asarray(clearness, dtype=np.float64)
        second = np.asarray(match, dtype=np.float64)
        return np.asarray(self.clear * first + self.near * second + self.intercept)

    def confidence(self, clearness: npt.ArrayLike, match: npt.ArrayLike) -> Array:
        """The calibrated probability of being right, in [0, 1]."""
        return self.calibrator.confidence(self.scores(clearness, match))


DEFAULT_CERTAINTY = Certainty(clear=0.7, near=3.0, intercept=-2.4)
"""Before a knowledge base has a history of its own: near the lines fitted on the sample data with
and without titles asked; what is reported is measured elsewhere."""


def fit_certainty(
    clearness: npt.ArrayLike, match: npt.ArrayLike, outcomes: npt.ArrayLike
) -> Certainty:
    """The line fitted on the earlier half of the labels, calibrated on the later half.

    The three have one length n and are in order of time; `outcomes` are 1 for right, 0 for
    wrong. Below `FEWEST` labels the default line is kept and calibrated on all of them; so it
    is when the earlier half knows one kind of outcome only. No labels: the default.
    """
    x = np.column_stack(
        [np.asarray(clearness, dtype=np.float64), np.asarray(match, dtype=np.float64)]
    )
    y = np.asarray(outcomes, dtype=np.float64)
    if not len(y):
        return DEFAULT_CERTAINTY
    half = len(y) // 2
    if len(y) < FEWEST or not 0.0 < float(y[:half].mean()) < 1.0:
        return _calibrated(DEFAULT_CERTAINTY, x, y)
    return _calibrated(_line(x[:half], y[:half]), x[half:], y[half:])


def _line(x: Array, y: Array) -> Certainty:
    centre, spread = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    scaled = np.column_stack([(x - centre) / spread, np.ones(len(x))])
    weights = logistic_line(scaled, y, np.full(len(y), 1.0 / len(y)), _RIDGE)
    clear, near = (float(w) for w in weights[:2] / spread)
    intercept = float(weights[2]) - clear * float(centre[0]) - near * float(centre[1])
    return Certainty(clear, near, intercept)


def _calibrated(line: Certainty, x: Array, y: Array) -> Certainty:
    scores = line.scores(x[:, 0], x[:, 1])
    return Certainty(line.clear, line.near, line.intercept, fit_calibrator(scores, y))
