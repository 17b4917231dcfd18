"""Is this a problem that was met before? Signals of novelty, and their weighted sum.

Each signal is one plain fact about a text and what is stored; a logistic line joins them to a
probability that the problem is new. Does not search: neighbours come from retrieval. Does not
set the threshold from which a problem is called new (`abstention` may).

The density signal follows Breunig et al. 2000 (local outlier factor), on similarities and
within issues; kinship is in `kinship`, words in `words`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kbagent.core.verification.calibration import sigmoid
from kbagent.core.verification.kinship import Kinship
from kbagent.core.verification.words import Words

Array = npt.NDArray[np.float64]

SIGNALS = ("kinship", "similarity", "density", "words", "margin", "agreement", "identifiers")
NEAREST = 10  # neighbours looked at, and members that make a case's density
CLOSEST = 5  # neighbours whose similarity is averaged
_RIDGE = 1.0  # of the logistic weights, in cases of each kind after balancing
_STEPS = 50  # Newton steps; ten are usual


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest stored cases of some texts, nearest first.

    similarities  (queries, k), cosine in [−1, 1]
    issues        (queries, k), the issue of each
    density       (queries, k), how near each has its own fellow members (`member_density`)
    """

    similarities: Array
    issues: npt.NDArray[np.int64]
    density: Array


@dataclass(frozen=True, slots=True)
class NoveltyModel:
    """p(new) = sigmoid(intercept + Σ weight · (signal − mean) / spread), over `SIGNALS`.

    `means` and `spreads` are those of known problems, so that the weights learned on one
    knowledge base mean the same on another (`rescaled`).
    """

    weights: tuple[float, ...]
    intercept: float
    means: tuple[float, ...]
    spreads: tuple[float, ...]

    def novelty(self, signals: npt.ArrayLike) -> Array:
        """The probability of being new, (queries,), for signals (queries, len(SIGNALS))."""
        return sigmoid(self.logits(signals))

    def logits(self, signals: npt.ArrayLike) -> Array:
        """The same before the sigmoid, for ranking beyond what a double keeps apart near 1."""
        x = np.atleast_2d(np.asarray(signals, dtype=np.float64))
        scaled = (x - np.array(self.means)) / np.array(self.spreads)
        return np.asarray(self.intercept + scaled @ np.array(self.weights))

    def contributions(self, signals: npt.ArrayLike) -> dict[str, float]:
        """What each signal of one text adds to the logit: the explanation on the screen."""
        x = np.asarray(signals, dtype=np.float64)
        parts = (x - np.array(self.means)) / np.array(self.spreads) * np.array(self.weights)
        return dict(zip(SIGNALS, parts.tolist(), strict=True))


DEFAULT_NOVELTY = NoveltyModel(
    weights=(0.0, 0.75, 0.57, 0.53, 0.81, 0.24, 0.30),
    intercept=-2.56,
    means=(-5.6, -0.81, 0.035, -2.83, -0.20, -0.81, 0.0),
    spreads=(2.07, 0.08, 0.06, 1.47, 0.10, 0.18, 0.50),
)
"""Before a knowledge base has a history of its own: rehearsed on banking77 and StackFAQ, each on
its own scale (means and spreads are the middle of the two). Kinship got no weight, because
its worth differs between the two; that of identifiers is set by hand, as neither set has any.
"""


def observe(
    vectors: npt.ArrayLike,
    texts: Sequence[Sequence[str]],
    near: Neighbours,
    kinship: Kinship,
    words: Words,
    identifiers: Sequence[tuple[int, int]],
) -> Array:
    """The signals of these texts, (queries, len(SIGNALS)); larger always means more novel-like.

    kinship      minus the best issue's log density ratio
    similarity   minus the mean similarity of the `CLOSEST`
    density      how much nearer the neighbours are to their own kind than the text is to them
    words        minus the words' fit to the best issue among the neighbours
    margin       minus the gap between the best and the next issue's nearest case
    agreement    minus the share of the neighbours that belong to the nearest one's issue
    identifiers  share of the text's identifiers unknown to the neighbours' issues, minus one
                 half; 0 when it has none. `identifiers` gives (how many, how many known)
    """
    columns = [
        -kinship.scores(vectors).max(axis=1),
        -near.similarities[:, :CLOSEST].mean(axis=1),
        (near.density - near.similarities)[:, :NEAREST].mean(axis=1),
        np.array([-words.fit(t, i.tolist()) for t, i in zip(texts, near.issues, strict=True)]),
        -margins(near),
        -(near.issues == near.issues[:, :1])[:, :NEAREST].mean(axis=1),
        np.array([0.5 - known / count if count else 0.0 for count, known in identifiers]),
    ]
    return np.column_stack(columns)


def margins(near: Neighbours) -> Array:
    """Similarity of the nearest case minus that of the nearest of another issue, (queries,).

    When all neighbours belong to one issue, the last neighbour stands for the other issue.
    """
    other = near.issues != near.issues[:, :1]
    at = np.where(other.any(axis=1), other.argmax(axis=1), near.issues.shape[1] - 1)
    rows = np.arange(len(at))
    return np.asarray(near.similarities[:, 0] - near.similarities[rows, at])


def member_density(vectors: npt.ArrayLike, issues: npt.ArrayLike) -> Array:
    """For each case the mean similarity to its `NEAREST` fellow members, (n,).

    Members of small issues take all the fellows they have; a case that is alone in its issue
    gets the mean over the others, or 0 when every case is alone.
    """
    x = np.asarray(vectors, dtype=np.float64)
    ids = np.asarray(issues)
    density = np.full(len(x), np.nan)
    order = np.argsort(ids, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(ids[order])) + 1):
        if len(members) > 1:
            alike = x[members] @ x[members].T
            np.fill_diagonal(alike, -np.inf)
            count = min(NEAREST, len(members) - 1)
            top = -np.partition(-alike, count - 1, axis=1)[:, :count]
            density[members] = top.mean(axis=1)
    alone = np.isnan(density)
    density[alone] = density[~alone].mean() if not alone.all() else 0.0
    return density


def fit_novelty(known: npt.ArrayLike, new: npt.ArrayLike) -> NoveltyModel:
    """The logistic line between signals of known and of new problems, each (n, len(SIGNALS)).

    Both kinds weigh the same however many they are, and the weights are drawn to 0 by a
    ridge, so a signal that does not vary gets none. Novelty is therefore relative to even
    odds; the threshold is for `abstention` or for a share of known problems to set.
    """
    a, b = np.asarray(known, dtype=np.float64), np.asarray(new, dtype=np.float64)
    means, spreads = _scale(a)
    x = (np.concatenate([a, b]) - means) / spreads
    y = np.concatenate([np.zeros(len(a)), np.ones(len(b))])
    weight = np.concatenate([np.full(len(a), 0.5 / len(a)), np.full(len(b), 0.5 / len(b))])
    ridge = _RIDGE / (len(a) + len(b))
    line = logistic_line(np.column_stack([x, np.ones(len(x))]), y, weight, ridge)
    return NoveltyModel(
        tuple(line[:-1].tolist()), float(line[-1]), tuple(means.tolist()), tuple(spreads.tolist())
    )


def rescaled(model: NoveltyModel, known: npt.ArrayLike) -> NoveltyModel:
    """The model with the scale of another knowledge base's known problems, same weights."""
    means, spreads = _scale(np.asarray(known, dtype=np.float64))
    return NoveltyModel(
        model.weights, model.intercept, tuple(means.tolist()), tuple(spreads.tolist())
    )


def threshold_at(logits_of_known: npt.ArrayLike, refused: float) -> float:
    """The logit above which at most `refused` of these known problems lie (exactly, no ties)."""
    values = np.sort(np.asarray(logits_of_known, dtype=np.float64))[::-1]
    return float(values[int(np.floor(refused * len(values)))])


def _scale(known: Array) -> tuple[Array, Array]:
    spreads = known.std(axis=0)
    return known.mean(axis=0), np.where(spreads > 1e-9, spreads, 1.0)


def logistic_line(x: Array, y: Array, weight: Array, ridge: float) -> Array:
    """Weighted ridge logistic regression by Newton's method; the last column is not drawn to 0."""
    line = np.zeros(x.shape[1])
    pull = np.full(x.shape[1], ridge)
    pull[-1] = 0.0
    for _ in range(_STEPS):
        p = sigmoid(x @ line)
        gradient = x.T @ (weight * (p - y)) + pull * line
        curvature = (x * (weight * np.maximum(p * (1 - p), 1e-6))[:, None]).T @ x
        step = np.linalg.solve(curvature + np.diag(pull + 1e-12), gradient)
        size = min(1.0, 5.0 / max(1e-12, float(np.abs(step).max())))
        line = line - size * step
        if float(np.abs(step).max()) < 1e-8:
            break
    return line
