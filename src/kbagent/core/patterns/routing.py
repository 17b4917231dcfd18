"""Which queue, priority or escalation a case will have, with a confidence that can be believed.

Three experts read earlier cases: softmax regression on the text's vector, naive Bayes on its
tokens, and the nearest neighbours' vote. Their log-probabilities are pooled with weights that
were fitted, together with the temperature, on the latest part of the history, which the experts
had not seen: so the choice among them and the calibration are one measurement. There the router is
also tried against always naming the most frequent class (`trial`), with weights fitted on one half
of these cases and tried on the other. Then the experts read everything. Recent cases may count
more (`half_life`), because queues change.

Does not act: below `confident_at` the caller abstains; `drift` follows queues that are renamed
between two trainings. Sources: log-linear pooling, Hinton 2002
(products of experts); temperature scaling, Guo et al. 2017; naive Bayes, McCallum and Nigam 1998.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.contingency import wilson
from kbagent.core.patterns.softmax import fit_softmax, log_softmax, minimise
from kbagent.core.patterns.trial import Trial, trial_of

Floats = NDArray[np.float64]
Vectors = NDArray[np.float32]
Ints = NDArray[np.integer]

NEIGHBOURS = 20
VOTE_SHARPNESS = 12.0
"""A neighbour's vote is exp(this · similarity): 0.1 more similar counts three times as much."""
HELD_BACK = 0.25
"""Share of the history, the latest, on which experts are weighed and calibrated."""
RIDGE = 3e-4
"""λ of the softmax regression at `RIDGE_CASES` cases; it falls with the number of cases."""
RIDGES = (1.0, 0.3)
"""Multiples of λ that are tried. Settled on Thunderbird from July 2023 to December 2024, where 1 is
best (4 gains while topics stay, and loses more when they change), and on banking77's training
part, where many evenly frequent classes want less (0.1 gains hardly more than 0.3)."""
RIDGE_CASES = 1000
SMOOTHING = 0.05
"""Pseudo-count of each token in each class."""
MOST_TOKENS = 200_000
HALF_LIVES: tuple[float | None, ...] = (None, 20.0)
"""How fast cases may lose weight; which of these is decided by the held-back cases."""
RECENT = 20.0
"""Half-life in days with which held-back cases count when half-lives are compared."""
POOL_RIDGE = 1e-3
LEAST_CASES = 40
"""Cases below which nothing is held back and the experts count as the defaults say."""
DEFAULT_POOL = np.array([0.8, 0.1, 0.3])
EVERYWHERE = 0.95
"""Share of other cases with a field from which it comes with every ticket."""
MOST_COMPARED = 1000
"""Latest held-back cases whose nearest case says how alike is usual."""


@dataclass(frozen=True, slots=True)
class Past:
    """Earlier cases in the order they came: unit vectors, tokens, class codes, age in days."""

    vectors: Vectors
    tokens: Sequence[Sequence[str]]
    labels: Ints
    ages: Floats

    def part(self, where: slice) -> "Past":
        """Some of them."""
        return Past(self.vectors[where], self.tokens[where], self.labels[where], self.ages[where])


@dataclass(frozen=True, slots=True)
class Route:
    """A prediction: class code, its confidence, the next best, and the neighbours behind it."""

    label: int
    confidence: float
    others: tuple[tuple[int, float], ...]
    neighbours: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Router:
    """A fitted router; `pool` are the experts' weights (regression, naive Bayes, neighbours).

    `trial` says how it did on the held-back cases, None when there were none.
    """

    classes: int
    weights: Floats
    intercept: Floats
    vocabulary: dict[str, int]
    token_weights: Floats
    log_prior: Floats
    past: Past
    pool: Floats
    offsets: Floats
    trial: Trial | None = None


@dataclass(frozen=True, slots=True)
class _Weighed:
    """What the held-back cases say of one half-life: the log loss there, the pool and offsets."""

    loss: float
    pool: Floats
    offsets: Floats
    opinions: list[Floats]


def fit_router(past: Past, classes: int, half_lives: Sequence[float | None] = HALF_LIVES) -> Router:
    """A router from earlier cases. A case as old as a half-life (days) counts half; None: all do.

    The half-life, the experts' weights and the calibration are those that predict the held-back
    latest cases best. The ridge is chosen on what lies before these, so that they are unseen by it
    too. With fewer than `LEAST_CASES` cases the defaults are used. Classes without
    a case are possible and get little probability.
    """
    size = past.labels.size
    held = int(size * HELD_BACK)
    if size < LEAST_CASES or not held:
        return _experts(past, classes, None, DEFAULT_POOL, np.zeros(classes), RIDGE)
    early, late = past.part(slice(0, size - held)), past.part(slice(size - held, size))
    ridge = _chosen_ridge(early, classes)
    tried = [_weighed(early, late, classes, half_life, ridge) for half_life in half_lives]
    best = min(range(len(tried)), key=lambda i: tried[i].loss)
    found, half_life = tried[best], half_lives[best]
    forecast = _unseen(found.opinions, late.labels, _counted(late, half_life), classes)
    trial = trial_of(forecast, late.labels, likeness(late.vectors[-MOST_COMPARED:], early.vectors))
    return _experts(past, classes, half_life, found.pool, found.offsets, ridge, trial)


def _chosen_ridge(past: Past, classes: int) -> float:
    """λ with which the regression on earlier cases predicts the latest of these best.

    The latest count more, as when half-lives are compared. With few cases it is `RIDGE`.
    """
    held = int(past.labels.size * HELD_BACK)
    if held < LEAST_CASES:
        return RIDGE
    size = past.labels.size - held
    early, late = past.part(slice(0, size)), past.part(slice(size, None))
    counted, rows = _counted(late, RECENT), np.arange(held)

    def loss(ridge: float) -> float:
        w, b = fit_softmax(early.vectors, early.labels, classes, ridge=ridge * RIDGE_CASES / size)
        return -float(counted @ log_softmax(late.vectors @ w + b)[rows, late.labels])

    return min((RIDGE * one for one in RIDGES), key=loss)


def _weighed(
    early: Past, late: Past, classes: int, half_life: float | None, ridge: float
) -> _Weighed:
    """The pool and offsets fitted on the late cases."""
    experts = _experts(early, classes, half_life, DEFAULT_POOL, np.zeros(classes), ridge)
    opinions = expert_opinions(experts, late.vectors, late.tokens)
    pool, offsets = _fit_pool(opinions, late.labels, _counted(late, half_life), classes)
    log_p = _pooled(opinions, pool, offsets)
    lately = _counted(late, RECENT)
    loss = -float(lately @ log_p[np.arange(late.labels.size), late.labels] / lately.sum())
    return _Weighed(loss, pool, offsets, opinions)


def _unseen(opinions: list[Floats], labels: Ints, counted: Floats, classes: int) -> Floats:
    """P(class) of each held-back case by a pool that was fitted on the other half of them."""
    made = np.empty((labels.size, classes))
    halves = np.array_split(np.arange(labels.size), 2)
    for own, other in (halves, halves[::-1]):
        learned = [one[other] for one in opinions]
        pool, offsets = _fit_pool(learned, labels[other], counted[other], classes)
        made[own] = np.exp(_pooled([one[own] for one in opinions], pool, offsets))
    return made


def _pooled(opinions: Sequence[Floats], pool: Floats, offsets: Floats) -> Floats:
    return log_softmax(np.tensordot(pool, np.stack(opinions), axes=1) + offsets)


def likeness(vectors: Vectors, past: Vectors) -> Floats:
    """The similarity of each vector to the most similar row of `past`."""
    return np.asarray((vectors @ past.T).max(axis=1).astype(np.float64))


def _counted(past: Past, half_life: float | None) -> Floats:
    if half_life is None:
        return np.ones(past.labels.size)
    youngest = float(past.ages.min(initial=np.inf))
    return np.asarray(0.5 ** ((past.ages - youngest) / half_life))


def _experts(
    past: Past,
    classes: int,
    half_life: float | None,
    pool: Floats,
    offsets: Floats,
    ridge: float,
    trial: Trial | None = None,
) -> Router:
    counted = _counted(past, half_life)
    own = ridge * RIDGE_CASES / max(counted.sum(), 1.0)
    w, b = fit_softmax(past.vectors, past.labels, classes, ridge=own, weights=counted)
    vocabulary = _vocabulary(past.tokens)
    prior = np.bincount(past.labels, weights=counted, minlength=classes) + 0.5
    log_prior = np.log(prior / prior.sum())
    tokens = _token_weights(past, vocabulary, counted, classes)
    return Router(classes, w, b, vocabulary, tokens, log_prior, past, pool, offsets, trial)


def _vocabulary(texts: Sequence[Sequence[str]]) -> dict[str, int]:
    """Tokens of two cases or more, the most frequent first."""
    counts: dict[str, int] = {}
    for tokens in texts:
        for token in set(tokens):
            counts[token] = counts.get(token, 0) + 1
    kept = sorted((t for t, c in counts.items() if c > 1), key=lambda t: (-counts[t], t))
    return {token: i for i, token in enumerate(kept[:MOST_TOKENS])}


def _places(tokens: Sequence[str], vocabulary: dict[str, int]) -> list[int]:
    return sorted({vocabulary[t] for t in tokens if t in vocabulary})


def _token_weights(past: Past, vocabulary: dict[str, int], counted: Floats, classes: int) -> Floats:
    """log P(token | class), each token counted once per case."""
    counts = np.full((len(vocabulary), classes), SMOOTHING)
    for i, tokens in enumerate(past.tokens):
        counts[_places(tokens, vocabulary), int(past.labels[i])] += counted[i]
    return np.asarray(np.log(counts / counts.sum(axis=0)))


def expert_opinions(
    router: Router, vectors: Vectors, texts: Sequence[Sequence[str]]
) -> list[Floats]:
    """Each expert's log-probabilities, case x class."""
    regression = log_softmax((vectors @ router.weights) + router.intercept)
    return [regression, _bayes(router, texts), np.log(_votes(router, vectors)[0])]


def _bayes(router: Router, texts: Sequence[Sequence[str]]) -> Floats:
    """Naive Bayes; the evidence of a text is averaged as if it had ten tokens' worth, at most."""
    scores = np.tile(router.log_prior, (len(texts), 1))
    for i, tokens in enumerate(texts):
        places = _places(tokens, router.vocabulary)
        if places:
            scores[i] += router.token_weights[places].sum(axis=0) * min(1.0, 10 / len(places))
    return log_softmax(scores)


def nearest_cases(vectors: Vectors, past: Vectors, count: int) -> NDArray[np.intp]:
    """The `count` most similar rows of `past` for each vector, nearest first, ties by row."""
    return _neighbours(vectors, past, count)[0]


def _neighbours(
    vectors: Vectors, past: Vectors, count: int
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    k = min(count, past.shape[0])
    similarity = vectors @ past.T
    nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
    near = np.take_along_axis(similarity, nearest, axis=1)
    order = np.lexsort((nearest, -near), axis=1)
    return np.take_along_axis(nearest, order, axis=1), np.take_along_axis(near, order, axis=1)


def _votes(router: Router, vectors: Vectors) -> tuple[Floats, Ints]:
    """Shares of the neighbours' votes, smoothed by the prior, and the neighbours, nearest first."""
    past, k = router.past, min(NEIGHBOURS, router.past.labels.size)
    nearest, similarity = _neighbours(vectors, past.vectors, k)
    near = similarity.astype(np.float64)
    votes = np.exp(VOTE_SHARPNESS * (near - near[:, :1]))
    shares = np.exp(router.log_prior) * np.ones((vectors.shape[0], 1))
    for column in range(k):
        shares[np.arange(vectors.shape[0]), past.labels[nearest[:, column]]] += votes[:, column]
    return shares / shares.sum(axis=1, keepdims=True), nearest


def _fit_pool(
    opinions: list[Floats], labels: Ints, counted: Floats, classes: int
) -> tuple[Floats, Floats]:
    """Weights of the experts and an offset per class that predict the held-back labels best.

    Offsets correct for classes that have become more or less frequent; a ridge keeps them small.
    """
    stacked = np.stack(opinions)
    rows, share = np.arange(labels.size), counted / counted.sum()
    onehot = np.zeros((labels.size, classes))
    onehot[rows, labels] = 1.0
    ridge = np.concatenate((np.full(3, POOL_RIDGE), np.full(classes, 2.0 / labels.size)))
    centre = np.concatenate((DEFAULT_POOL, np.zeros(classes)))

    def objective(flat: Floats) -> tuple[float, Floats]:
        log_p = log_softmax(np.tensordot(flat[:3], stacked, axes=1) + flat[3:])
        error = (np.exp(log_p) - onehot) * share[:, None]
        slope = np.concatenate(((stacked * error).sum(axis=(1, 2)), error.sum(axis=0)))
        away = flat - centre
        loss = -float(share @ log_p[rows, labels]) + float((ridge * away * away).sum()) / 2
        return loss, slope + ridge * away

    flat = minimise(objective, centre, 200, 1e-7)
    return flat[:3], flat[3:]


def probabilities(router: Router, vectors: Vectors, texts: Sequence[Sequence[str]]) -> Floats:
    """Calibrated P(class) per case; rows sum to one."""
    opinions = expert_opinions(router, vectors, texts)
    return np.asarray(np.exp(_pooled(opinions, router.pool, router.offsets)))


def route(
    router: Router, vectors: Vectors, texts: Sequence[Sequence[str]], shown: int = 3
) -> list[Route]:
    """The best class per case with confidence, `shown` other classes and as many neighbours."""
    p = probabilities(router, vectors, texts)
    nearest = _votes(router, vectors)[1]
    order = np.argsort(-p, axis=1, kind="stable")
    return [
        Route(
            int(best[0]),
            float(row[best[0]]),
            tuple((int(c), float(row[c])) for c in best[1 : shown + 1]),
            tuple(int(i) for i in near[:shown]),
        )
        for row, best, near in zip(p, order, nearest, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class NeededField:
    """A field that cases of an issue end up having: in `filled` of `cases`, at least `low`."""

    name: str
    filled: int
    cases: int
    low: float


def needed_fields(
    names: Sequence[str],
    filled: NDArray[np.bool_],
    already: frozenset[str] = frozenset(),
    least: float = 0.7,
    usual: Sequence[float] | None = None,
) -> list[NeededField]:
    """The fields to ask for at once: those that at least `least` of the issue's cases needed.

    `filled` is case x field, over resolved cases of the issue. A field counts when the lower end
    of Wilson's 95 % interval reaches `least`, so few cases never suffice; those `already` known
    are left out. `usual` are the shares of other cases that have each: what these have as often
    (the lower end must be above), or nearly all (`EVERYWHERE`), comes with a ticket and is not
    what this issue needs. Most certain first, ties by name.

    >>> [f.name for f in needed_fields(("os", "log"), np.ones((20, 2), dtype=bool))]
    ['log', 'os']
    >>> needed_fields(("os",), np.ones((3, 1), dtype=bool))
    []
    >>> [f.name for f in needed_fields(("plan", "log"), np.ones((20, 2), bool), usual=(0.99, 0.3))]
    ['log']
    """
    cases = int(filled.shape[0])
    found = [
        NeededField(
            name, int(filled[:, j].sum()), cases, wilson(float(filled[:, j].sum()), cases)[0]
        )
        for j, name in enumerate(names)
        if name not in already
    ]
    others = dict(zip(names, usual or [0.0] * len(names), strict=True))
    kept = [f for f in found if f.low >= least and others[f.name] < min(f.low, EVERYWHERE)]
    return sorted(kept, key=lambda f: (-f.low, f.name))
