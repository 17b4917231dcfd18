"""Following queues that are renamed, split or merged between two trainings of a router.

Two forecasters run side by side: the trained router, and the neighbours among the most recent
labelled cases (which know a new queue from its first case). Their weights follow what each said
of the cases that have come in since, by Bayes' rule with a fixed share that flows back, so that
either can recover. Where nothing changes the router keeps nearly all the weight.

Does not retrain anything. Source: Herbster and Warmuth 1998 (Machine Learning 32, 151-178).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Vectors = NDArray[np.float32]
Ints = NDArray[np.integer]

SHARE = 0.01
"""Weight that changes hands at every case: a change is expected once in a hundred cases."""
RECENT_CASES = 400
"""Labelled cases that the second forecaster looks at."""
SHARPNESS = 16.0
"""A neighbour's vote is exp(this · similarity)."""
FRESHNESS = 150.0
"""Cases after which a vote counts 1/e of the latest one's."""
UNSEEN = 0.5
"""Votes, spread over all classes, for what no recent case shows."""


def recent_votes(vectors: Vectors, recent: Vectors, labels: Ints, classes: int) -> Floats:
    """Class probabilities per case from the recent labelled cases, oldest first.

    Near and late cases count more; without recent cases every class is as likely as any other.
    """
    votes = np.full((vectors.shape[0], classes), UNSEEN / classes)
    if labels.size:
        similarity = (vectors @ recent.T).astype(np.float64)
        fresh = np.exp((np.arange(labels.size) + 1 - labels.size) / FRESHNESS)
        nearest = similarity.max(axis=1, keepdims=True)
        weight = np.exp(SHARPNESS * (similarity - nearest)) * fresh
        onehot = np.zeros((labels.size, classes))
        onehot[np.arange(labels.size), labels] = 1.0
        votes += weight @ onehot
    return np.asarray(votes / votes.sum(axis=1, keepdims=True))


@dataclass(frozen=True, slots=True)
class Trust:
    """Weight of the trained router in [0, 1]; the recent neighbours have the rest."""

    router: float = 0.95


def mixed(trust: Trust, router: Floats, recent: Floats) -> Floats:
    """The two forecasts weighed: case x class, rows sum to one."""
    return trust.router * router + (1 - trust.router) * recent


def followed(trust: Trust, router: Floats, recent: Floats, labels: Ints) -> Trust:
    """The trust after these labelled cases, in order; the forecasts are those made before.

    >>> right, wrong = np.array([[0.9, 0.1]]), np.array([[0.1, 0.9]])
    >>> after = followed(Trust(0.5), right, wrong, np.array([0]))
    >>> round(after.router, 3)  # 0.9 of the evidence, of which 1 % flows to the other side
    0.892
    """
    weight = trust.router
    for i, label in enumerate(labels.tolist()):
        mine = weight * float(router[i, label])
        total = mine + (1 - weight) * float(recent[i, label])
        posterior = mine / total if total > 0 else 0.5
        weight = (1 - SHARE) * posterior + SHARE * (1 - posterior)
    return Trust(weight)
