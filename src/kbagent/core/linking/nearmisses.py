"""Near misses: issues that are nearly one, and cases that are only just in theirs.

Asks for each case, itself left out, where its neighbours would place it, as a new case is placed
(`assignment.place`), once among all issues and once among all but its own. It moves nothing: what
comes out is put before people. How many cases are asked is for the caller to choose.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kbagent.core.linking.assignment import place
from kbagent.core.linking.neighbours import Floats, Ints

NEAR_JOIN = 0.7  # mean confidence at which two issues are put before people, and
LEAST_ALIKE = 0.6  # similarity that their nearest cases must have; on sample_data 40 of 44 such
# pairs are one problem, of the others from a confidence of .5 on none of 12
FEWEST_CASES = 12  # below, everything is near everything


@dataclass(frozen=True, slots=True)
class Home:
    """Where its neighbours would place one case that is left out.

    row      the case's row
    own      confidence that its own issue is right; 0 when another one wins
    other    the best issue but its own, -1 without one; `sure` is the confidence in it
    nearest  row of the nearest case of the other issue, `cosine` the similarity to it
    sibling  row of the nearest case of its own issue, -1 without one; `likeness` that similarity
    """

    row: int
    own: float
    other: int
    sure: float
    nearest: int
    cosine: float
    sibling: int
    likeness: float


@dataclass(frozen=True, slots=True)
class NearJoin:
    """Two issues that are nearly one, the lower id first.

    `confidence` is the mean over the `asked` cases of one of them that they belong to the other;
    `case` and `nearest` are the rows of their most similar pair, `cosine` its similarity.
    """

    low: int
    high: int
    confidence: float
    asked: int
    case: int
    nearest: int
    cosine: float


def homes(asked: Ints, near: Ints, cosines: Floats, issues: Ints) -> list[Home]:
    """The home of each asked row, in the order asked.

    `near` (m, k) are rows of the nearest others of the m asked rows, `cosines` (m, k) how similar
    they are, `issues` (n,) is the issue of every row, none of them negative. Ties: the lower issue.
    """
    found = []
    for row, neighbours, similar in zip(asked.tolist(), near, cosines, strict=True):
        owners = issues[neighbours]
        mine = owners == issues[row]
        placed = place(similar, owners)
        own = placed.confidence if placed and placed.issue == issues[row] else 0.0
        elsewhere = place(similar[~mine], owners[~mine])
        other = elsewhere.issue if elsewhere else -1
        nearest, cosine = _nearest(neighbours, similar, owners == other)
        sibling, likeness = _nearest(neighbours, similar, mine)
        sure = elsewhere.confidence if elsewhere else 0.0
        found.append(Home(row, own, other, sure, nearest, cosine, sibling, likeness))
    return found


def near_joins(found: Sequence[Home], issues: Ints, *, least: float = NEAR_JOIN) -> list[NearJoin]:
    """Pairs of issues whose cases belong together with mean confidence ≥ `least`, surest first.

    Their most similar cases must be alike by `LEAST_ALIKE`: where nothing is near, the nearest
    issue is the surest however far it lies. Each issue speaks for the one other issue that most
    of its asked cases point to; of two that point to each other the surer one counts. Ties: the
    lower ids.
    """
    pointing: dict[int, list[Home]] = defaultdict(list)
    for home in found:
        pointing[int(issues[home.row])].append(home)
    best: dict[tuple[int, int], NearJoin] = {}
    for issue, own in pointing.items():
        sums: dict[int, float] = defaultdict(float)
        for home in own:
            if home.other >= 0:
                sums[home.other] += home.sure
        if not sums:
            continue
        other = min(sums, key=lambda one: (-sums[one], one))
        sure = sums[other] / len(own)
        closest = max((h for h in own if h.other == other), key=lambda h: (h.cosine, -h.row))
        pair = (min(issue, other), max(issue, other))
        near_enough = sure >= least and closest.cosine >= LEAST_ALIKE
        if near_enough and (pair not in best or sure > best[pair].confidence):
            best[pair] = NearJoin(
                *pair, sure, len(own), closest.row, closest.nearest, closest.cosine
            )
    return sorted(best.values(), key=lambda one: (-one.confidence, one.low, one.high))


def _nearest(
    rows: Ints, cosines: Floats, chosen: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
) -> tuple[int, float]:
    places = np.flatnonzero(chosen)
    if not len(places):
        return -1, 0.0
    best = places[int(np.argmax(cosines[places]))]
    return int(rows[best]), float(cosines[best])
