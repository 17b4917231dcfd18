"""Which issue each case belongs to: joined to a known one when that is sure enough, else grouped.

Three steps over the *set* of cases, so that the order of an import does not matter (ties break by
row; the caller sorts rows by content, never by arrival):
1. known issues spread over the graph of nearest neighbours (`propagation`), whose similarities
   are sharpened by what the known issues teach (`discriminant`);
2. a case joins the issue that reached it most when the confidence is at or above the threshold;
3. what is left is grouped among itself (`clustering`), and founds new issues.

Known issues are never changed here: explicit links and people's decisions come in as `issues`
and come out as they were. One new case, later, is placed by `place`, from its neighbours alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kbagent.core.linking.clustering import cluster
from kbagent.core.linking.discriminant import Discriminant, fit_discriminant
from kbagent.core.linking.neighbours import (
    Floats,
    Ints,
    Neighbours,
    Vectors,
    density,
    nearest_neighbours,
)
from kbagent.core.linking.propagation import Labels, propagate

METHOD = "propagation-1"  # kept with every assignment; change it when the result may change
NEIGHBOURS = 50  # nearest cases that are looked at
DISCRIMINANT_SHARE = 0.6  # of the learned cosine in a similarity, once it is learned
LEXICAL_SHARE = 0.15  # of the lexical agreement, where it is given
GROUP_THRESHOLD = 0.38  # locally scaled similarity at which two unlinked groups are one issue;
# pair precision ≥ .9 on banking77 (test part), CLINC150 among clutter and StackFAQ
LEAST_SURROUNDINGS = 0.6  # mean similarity that the surroundings of a case are taken to have: among
# a few cases nothing is near, and without it any two of ten would be one issue (precision .22 to
# .93 with 30 cases of StackFAQ, .60 to 1.0 of CLINC150; no difference among a thousand)
DEFAULT_THRESHOLD = 0.9  # confidence; precision .87 to .99 on every development set
VOTE_WIDTH = 0.04  # similarity by which a neighbour's vote for one new case falls to 1/e; wider
# is better where issues are large (CLINC150), narrower keeps rare issues from being outvoted
CENTRE_SHARE = 0.3  # of the centres' vote, beside 1 of the neighbours' (CLINC150: .883 to .894)
CENTRE_WIDTH = 0.05  # likewise
SHARE_WIDTH, SHARE_VOTERS = 0.03, 30  # of the share that confidence is computed from
# Confidence of an assignment: logistic of these with the cosine to the nearest case that is known
# to be of the issue, the issue's share and ln reach. Fitted by logistic regression on CLINC150
# (validation part; validation and test part as issues of 2-60 cases among 12,000 others) with 10
# to 50 % of half of the issues linked, and on half of StackFAQ, each world weighing the same.
LOGIT = (-4.16, 2.99, 5.33, 1.26)
_LEAST_REACH, _MOST_REACH = 0.01, 2.0
_BLOCK = 512  # rows whose neighbours' vectors are held at once


@dataclass(frozen=True, slots=True)
class Assignments:
    """Where each of n cases belongs.

    issues       (n,) the known issue it is in or joins, else -1
    groups       (n,) for those with -1 the lowest row of its new group, else -1
    confidences  (n,) 1 where it was known; that the best known issue is right, where one reached
                 it, joined or not; 0 where none did
    candidates   (n,) the known issue that reached it most, -1 without one
    threshold    confidence from which cases joined
    """

    issues: Ints
    groups: Ints
    confidences: Floats
    candidates: Ints
    threshold: float
    method: str = METHOD


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one new case belongs: the best issue among its neighbours' and how sure that is."""

    issue: int
    confidence: float
    share: float


def assign(
    vectors: Vectors,
    issues: Ints,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    neighbours: Neighbours | None = None,
    lexical: Floats | None = None,
    apart: Sequence[tuple[int, int]] = (),
    taught: NDArray[np.bool_] | None = None,
) -> Assignments:
    """Place every case of `vectors` (n, d; unit length) whose entry in `issues` (n,) is -1.

    `neighbours` are the nearest fifty of each row, computed when not given; `lexical` (n, 50)
    the lexical agreement with each of them, in [0, 1]. `apart` holds pairs of rows that a human
    or an export said are not the same: a case never joins the issue of a row that it is apart
    from. `taught` (n,) marks the known rows that the discriminant may learn from, all when None:
    what was only assigned must not teach itself. Without any known issue, everything is grouped.
    """
    near = neighbours if neighbours is not None else nearest_neighbours(vectors, NEIGHBOURS)
    reached = _reached(vectors, issues, near, lexical, taught)
    candidates = np.where(issues >= 0, issues, _allowed(reached.candidates, issues, apart))
    known = issues >= 0
    confidences = np.where(known, 1.0, np.where(candidates >= 0, reached.confidences, 0.0))
    joined = np.where(confidences >= threshold, candidates, -1)
    joined = np.where(known, issues, joined)
    groups = _groups(vectors, near, np.flatnonzero(joined < 0), apart)
    return Assignments(joined, groups, confidences, candidates, threshold)


def place(
    cosines: Floats,
    issues: Ints,
    *,
    learned: Floats | None = None,
    lexical: Floats | None = None,
    central: Floats | None = None,
) -> Placement | None:
    """The issue of one new case, by the votes of its nearest cases; None without a neighbour.

    All arrays (k,) speak of its k ≤ 50 nearest cases: cosines, their issues (every case has one,
    if only its own), cosines in the discriminating space, lexical agreement, and the cosine to
    the centre of each one's issue (the mean of its members, in the discriminating space where
    there is one). Votes weigh e^((similarity - best)/0.04); ties go to the lower issue id.

    >>> place(np.array([0.9, 0.88, 0.3]), np.array([7, 7, 4])).issue
    7
    """
    if not len(cosines):
        return None
    similarity = _blended(cosines, learned, lexical)
    names, codes = np.unique(issues, return_inverse=True)
    votes = _votes(similarity, codes, VOTE_WIDTH)
    if central is not None:
        nearest_centre = np.full(len(names), -np.inf)
        np.maximum.at(nearest_centre, codes, central)
        votes = votes + CENTRE_SHARE * _votes(nearest_centre, np.arange(len(names)), CENTRE_WIDTH)
    best = int(np.argmax(votes))
    voters = np.argsort(-similarity, kind="stable")[:SHARE_VOTERS]
    shares = _votes(similarity[voters], codes[voters], SHARE_WIDTH, len(names))
    nearest = float(cosines[codes == best].max())
    sure = confidence(np.array([nearest]), shares[best : best + 1], np.array([1.0]))
    return Placement(int(names[best]), float(sure[0]), float(shares[best]))


def _votes(similarity: Floats, codes: Ints, width: float, size: int = 0) -> Floats:
    """Each code's part of the votes, weighing e^((similarity - best)/width); sums to 1."""
    weights = np.exp((similarity - similarity.max()) / width)
    votes = np.bincount(codes, weights=weights, minlength=size)
    result: Floats = votes / votes.sum()
    return result


def confidence(cosines: Floats, shares: Floats, reach: Floats) -> Floats:
    """Calibrated probability that an assignment is right, (n,), from the three it depends on.

    logit = a + b·cosine + c·share + d·ln reach, with reach cut to [0.01, 2].
    """
    constant, per_cosine, per_share, per_reach = LOGIT
    logit = (
        constant
        + per_cosine * cosines
        + per_share * shares
        + per_reach * np.log(np.clip(reach, _LEAST_REACH, _MOST_REACH))
    )
    result: Floats = 1.0 / (1.0 + np.exp(-logit))
    return result


def reached_issues(
    vectors: Vectors, issues: Ints, neighbours: Neighbours, lexical: Floats | None = None
) -> tuple[Ints, Floats]:
    """For each row the known issue that reaches it most (-1: none) and its confidence.

    Rows whose issue is known are treated as the others are; `threshold.choose` uses it to see
    how well hidden links are found again.
    """
    reached = _reached(vectors, issues, neighbours, lexical)
    return reached.candidates, reached.confidences


@dataclass(frozen=True, slots=True)
class _Reached:
    candidates: Ints
    confidences: Floats


def _reached(
    vectors: Vectors,
    issues: Ints,
    near: Neighbours,
    lexical: Floats | None,
    taught: NDArray[np.bool_] | None = None,
) -> _Reached:
    known = (issues >= 0) if taught is None else (issues >= 0) & taught
    learned = fit_discriminant(vectors[known], issues[known])
    sharp = sharpened(vectors, near, learned, lexical)
    labels = propagate(sharp, issues)
    cosines = _nearest_of_issue(near, issues, labels.issues[:, 0])
    sure = confidence(cosines, labels.shares[:, 0], labels.reach)
    return _Reached(labels.issues[:, 0], np.where(labels.issues[:, 0] >= 0, sure, 0.0))


def sharpened(
    vectors: Vectors,
    near: Neighbours,
    learned: Discriminant | None,
    lexical: Floats | None = None,
) -> Neighbours:
    """The same neighbours by blended similarity, nearest first."""
    if learned is None and lexical is None:
        return near
    own = learned.transform(vectors) if learned is not None else None
    similarities = np.full(near.positions.shape, -1.0)
    for start in range(0, len(vectors), _BLOCK):
        rows = slice(start, start + _BLOCK)
        cosines = (
            np.einsum("nd,nkd->nk", own[rows], own[near.positions[rows]])
            if own is not None
            else None
        )
        words = lexical[rows] if lexical is not None else None
        similarities[rows] = _blended(near.similarities[rows], cosines, words)
    similarities[near.positions < 0] = -1.0
    order = np.lexsort((near.positions, -similarities), axis=1)
    return replace(
        near,
        positions=np.take_along_axis(near.positions, order, axis=1),
        similarities=np.take_along_axis(similarities, order, axis=1),
    )


def _blended(
    cosines: Floats, learned: NDArray[np.floating] | None, lexical: Floats | None
) -> Floats:
    similarity: Floats = np.asarray(cosines, dtype=np.float64)
    if learned is not None:
        similarity = (1.0 - DISCRIMINANT_SHARE) * similarity + DISCRIMINANT_SHARE * learned
    if lexical is not None:
        similarity = (1.0 - LEXICAL_SHARE) * similarity + LEXICAL_SHARE * lexical
    return similarity


def _nearest_of_issue(near: Neighbours, issues: Ints, wanted: Ints) -> Floats:
    """Cosine to the nearest neighbour known to be of the wanted issue, else to the farthest."""
    width = near.positions.shape[1]
    if width == 0:
        return np.zeros(len(wanted))
    of_issue = (issues[near.positions] == wanted[:, None]) & (near.positions >= 0)
    nearest = np.where(of_issue, near.similarities, -np.inf).max(axis=1)
    farthest = near.similarities[:, -1]
    return np.where(np.isfinite(nearest), nearest, farthest)


def _allowed(candidates: Ints, issues: Ints, apart: Sequence[tuple[int, int]]) -> Ints:
    allowed = candidates.copy()
    for one, other in apart:
        for row, against in ((one, other), (other, one)):
            if issues[against] >= 0 and allowed[row] == issues[against]:
                allowed[row] = -1
    return allowed


def _groups(
    vectors: Vectors, near: Neighbours, left: Ints, apart: Sequence[tuple[int, int]]
) -> Ints:
    """The new groups of the rows left over; a row's surroundings are those among all cases."""
    groups = np.full(len(vectors), -1, dtype=np.int64)
    if not len(left):
        return groups
    place_of = np.full(len(vectors) + 1, -1, dtype=np.int64)  # the last entry is for "no row"
    place_of[left] = np.arange(len(left))
    inner = Neighbours(place_of[near.positions[left]], near.similarities[left])
    pairs = [(int(place_of[one]), int(place_of[other])) for one, other in apart]
    groups[left] = left[
        cluster(
            vectors[left],
            inner,
            np.maximum(density(near)[left], LEAST_SURROUNDINGS),
            threshold=GROUP_THRESHOLD,
            apart=[(one, other) for one, other in pairs if one >= 0 and other >= 0],
        )
    ]
    return groups


__all__ = [
    "DEFAULT_THRESHOLD",
    "METHOD",
    "Assignments",
    "Labels",
    "Placement",
    "assign",
    "confidence",
    "place",
    "reached_issues",
    "sharpened",
]
