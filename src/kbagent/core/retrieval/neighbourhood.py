"""How well a candidate is connected to the query through the other candidates.

A paraphrase that shares little with the query may be near to three cases that are near to it.
The query and its best candidates form a small graph of nearest neighbours, and what the query
sends out is spread over it: Zhou, Bousquet, Lal, Weston, Schölkopf 2004, "Learning with Local
and Global Consistency", with the query as the only seed; on images known as diffusion for
retrieval (Donoser and Bischof 2013; Iscen et al. 2017). Only the candidates' own vectors are
needed: two hundred of them cost about two milliseconds, whatever the size of the knowledge base.

Measured in `benchmarks/retrieval`: the largest single gain in finding *all* instances when
nothing is linked, without loss for issues of two or three instances among thousands of others.
"""

from collections.abc import Mapping, Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from kbagent.core.retrieval.fusion import Candidates, Floats, FusedTerms

REACH = 200  # candidates in the graph, the best by fused score
NEIGHBOURS = 8  # edges that each node keeps; 5 to 10 differ little
WIDTH = 0.05  # cosine by which an edge's weight falls to 1/e
RETENTION = 0.9  # what each round passes on; the rest starts again at the query
ROUNDS = 10
FLOOR = 1e-4  # share of the best candidate's flow at which the closeness reaches 0
DEFAULT_WEIGHT = 0.25  # share of the closeness in a score; 0.2 to 0.5 differ little


def closeness(similarities: Floats | Sequence[float], vectors: Floats) -> NDArray[np.float64]:
    """How close each candidate is to the query by way of the others, in [0, 1].

    `similarities` (n,) are the cosines of query and candidates, `vectors` (n, d) the candidates'
    unit vectors (of a case with several passages, the one nearest to the query). The best
    connected candidate has 1, one that receives less than `FLOOR` of its flow about 0; on a
    logarithmic scale in between. No candidates: empty.

    >>> chain = np.array([[0.9, 0.436, 0.0], [0.6, 0.8, 0.0], [0.6, 0.0, 0.8]])
    >>> near, linked, alone = closeness([0.9, 0.6, 0.6], chain)
    >>> bool(linked > alone)
    True
    """
    direct = np.asarray(similarities, dtype=np.float64)
    if not len(direct):
        return np.zeros(0)
    flow = _flow(_transitions(_graph(direct, np.asarray(vectors, dtype=np.float64))))
    shares = flow[1:] / flow[1:].max()
    result: NDArray[np.float64] = np.clip(1.0 + np.log(shares + FLOOR) / log(1.0 / FLOOR), 0.0, 1.0)
    return result


def with_closeness(
    terms: Sequence[FusedTerms], closeness_of: Mapping[int, float], *, weight: float
) -> tuple[FusedTerms, ...]:
    """The same cases with this closeness in their scores, best first, ties by id.

    A case without an entry (beyond the graph's reach) has closeness 0.
    """
    moved = [
        case._replace(closeness=float(closeness_of.get(case.case_id, 0.0)), closeness_weight=weight)
        for case in terms
    ]
    return tuple(sorted(moved, key=lambda case: (-case.score, case.case_id)))


def drawn_together(cases: Candidates, closeness: Floats, *, weight: float) -> Candidates:
    """The same with this closeness of the first of them, best score first, ties by id.

    `closeness` (m,) belongs to the first m; those beyond have 0.
    """
    column = np.zeros(len(cases.case_ids))
    column[: len(closeness)] = closeness
    return cases._replace(closeness=column, closeness_weight=weight).best_first()


def _graph(direct: NDArray[np.float64], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosines among the query (row 0) and the candidates, (n + 1, n + 1)."""
    size = len(direct) + 1
    graph = np.empty((size, size))
    graph[0, 1:] = graph[1:, 0] = direct
    graph[1:, 1:] = vectors @ vectors.T
    np.fill_diagonal(graph, -np.inf)
    return graph


def _transitions(graph: NDArray[np.float64]) -> NDArray[np.float64]:
    """D^-½ W D^-½, W holding e^((s - 1)/width) where one is among the other's nearest."""
    kept = min(NEIGHBOURS, len(graph) - 1)
    least = -np.partition(-graph, kept - 1, axis=1)[:, kept - 1]
    weights = np.where(graph >= least[:, None], np.exp((graph - 1.0) / WIDTH), 0.0)
    weights = np.maximum(weights, weights.T)
    scale = 1.0 / np.sqrt(weights.sum(axis=1))
    result: NDArray[np.float64] = scale[:, None] * weights * scale
    return result


def _flow(transitions: NDArray[np.float64]) -> NDArray[np.float64]:
    seed = np.zeros(len(transitions))
    seed[0] = 1.0
    flow = seed
    for _ in range(ROUNDS):
        flow = RETENTION * (transitions @ flow) + (1.0 - RETENTION) * seed
    return flow
