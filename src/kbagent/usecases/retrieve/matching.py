"""Candidates for a query: the best of the dense and of the lexical index, fused.

Each index covers the rows up to some id; what is newer is scanned exactly from SQLite, so a case
is found the moment it is stored. A missing or broken index means that everything is scanned: the
answer is right, only slower, and a note says so.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.core.retrieval.fusion import (
    FusedTerms,
    exact_matches,
    fuse,
    identifier_share,
    normalised_bm25,
)
from kbagent.core.retrieval.neighbourhood import REACH, closeness, with_closeness
from kbagent.core.text.tokens import identifiers, tokens
from kbagent.model.lookup import Request
from kbagent.model.policy import PolicyParameters
from kbagent.store import models, passages
from kbagent.store.encoder.passages import passages as split_passages
from kbagent.store.encoder.session import Encoder
from kbagent.store.index.dense import DenseGeneration
from kbagent.store.index.lexical import LexicalIndex
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.maintain.indexing import Indexes, ready_indexes
from kbagent.usecases.maintain.spaces import Space, space_of
from kbagent.usecases.retrieve.scope import Scope
from kbagent.usecases.retrieve.stopwatch import Stopwatch

CANDIDATES = 200  # from each index; recall@200 of either is near its ceiling (issue 3)
QUERY_PASSAGES = 4  # a pasted ticket of up to about 700 words is read whole
IDENTIFIERS = 8  # of one query that are looked up one by one
COMMON = 5000  # documents from which an identifier (a version, say) tells nothing by itself
_DIGITS = 6  # of a closeness: sums of products differ in the last bits from one machine to another
_SPARE = 50  # more of the index's hits than needed: some may be retired since

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Matches:
    """The candidate cases with the terms of their scores, best first.

    `query` holds the query's passage vectors, so that the similarity of any other case can be
    computed; `generation` names the dense index that served.
    """

    terms: tuple[FusedTerms, ...]
    query: Vectors
    model_id: int
    generation: str | None = None
    notes: tuple[str, ...] = ()
    space: Space | None = None

    def similarities(self, kb: KnowledgeBase, case_ids: Sequence[int]) -> dict[int, float]:
        """The cosine of each case to the query: that of its best passage."""
        if self.space is None:
            return dict.fromkeys(case_ids, 0.0)
        return _case_similarities(kb, self.space, self.query, case_ids)


@dataclass(frozen=True, slots=True)
class _Words:
    """What the words of a query find. `postings` has the cases of each identifier in it."""

    scores: Mapping[int, float]
    ceiling: float
    idf: Mapping[str, float]
    postings: Mapping[str, frozenset[int]]

    def exact_only(self) -> set[int]:
        """Cases that contain a rare identifier; they are candidates whatever else they score."""
        return {
            case_id
            for cases in self.postings.values()
            if len(cases) <= CANDIDATES
            for case_id in cases
        }


def match(
    kb: KnowledgeBase,
    encoder: Encoder,
    request: Request,
    scope: Scope,
    parameters: PolicyParameters,
    watch: Stopwatch,
) -> Matches:
    """The best candidates for a request among the cases in scope."""
    model = models.active(kb.connection)
    if model is None or scope.emptied_by is not None:
        empty = np.zeros((0, encoder.dimension), dtype=np.float32)
        return Matches((), empty, model.id if model else 0)
    pieces = split_passages("", request.query, encoder)[:QUERY_PASSAGES]
    space = space_of(kb, model, parameters.adapter)
    query = space.turned(encoder.encode(pieces))
    watch.lap("encode")
    opened = ready_indexes(kb, model, space)
    watch.lap("open indexes")
    dense = _dense(kb.connection, opened, space, query, scope)
    watch.lap("dense scan")
    words = _words(kb.connection, opened, request, scope)
    watch.lap("lexical search")
    case_ids = sorted({*dense, *words.scores, *words.exact_only()})
    similarity = _case_similarities(kb, space, query, case_ids)
    terms = fuse(
        case_ids,
        [similarity[case_id] for case_id in case_ids],
        # Rounded: a text scores the same in the index (single precision) and before it is there.
        normalised_bm25([words.scores.get(one, 0.0) for one in case_ids], words.ceiling).round(4),
        exact_matches(case_ids, words.postings, words.idf),
        dense_weight=parameters.dense_weight,
        identifier_share=identifier_share(words.idf, set(words.postings)),
    )
    watch.lap("fuse")
    terms = _drawn_together(kb, space, query, terms, parameters.closeness_weight)
    watch.lap("closeness")
    return Matches(terms, query, model.id, opened.generation, opened.notes, space)


def _dense(
    connection: sqlite3.Connection,
    opened: Indexes,
    space: Space,
    query: Vectors,
    scope: Scope,
) -> dict[int, float]:
    """The nearest cases: from the index what it covers, exactly from SQLite what is newer."""
    best: dict[int, float] = {}
    covered = 0
    if opened.dense is not None:
        covered = opened.dense.last_id
        owners = _nearest_owners(connection, opened.dense, space, query, scope)
        exact = passages.vectors(connection, sorted(owners))
        turned = space.turned(np.stack(list(exact.values()))) if exact else ()
        for passage_id, vector in zip(exact, turned, strict=True):
            _keep_best(best, owners[passage_id], float((query @ vector).max()))
    for ids, matrix in passages.stream(connection, space.model.id, after=covered):
        similarity = (query @ space.turned(matrix).T).max(axis=0)
        owners = passages.owners(connection, [int(one) for one in ids])
        for passage_id, value in zip(ids.tolist(), similarity.tolist(), strict=True):
            if passage_id in owners and scope.admits(owners[passage_id]):
                _keep_best(best, owners[passage_id], value)
    nearest = sorted(best, key=lambda case_id: (-best[case_id], case_id))[:CANDIDATES]
    return {case_id: best[case_id] for case_id in nearest}


def _nearest_owners(
    connection: sqlite3.Connection,
    index: DenseGeneration,
    space: Space,
    query: Vectors,
    scope: Scope,
) -> dict[int, int]:
    """The nearest passages of cases in scope, and whose they are.

    A narrow scope is handed to the index. Of a wide one the nearest of all are taken, ever more of
    them until enough are in scope: half of all cases need no list of half a million passages.
    """
    wanted = CANDIDATES + _SPARE + len(scope.left_out)

    def owned(depth: int, allowed: Ids | None) -> dict[int, int]:
        ids, _ = index.search(query, depth, allowed=allowed)
        owners = passages.owners(connection, sorted({int(one) for one in ids.ravel() if one >= 0}))
        return {one: case_id for one, case_id in owners.items() if scope.admits(case_id)}

    for depth in scope.depths(wanted, index.count):
        inside = owned(depth, None)
        if len(inside) >= wanted or depth >= index.count:
            return inside
    if scope.case_ids is None:
        return owned(wanted, None)
    named = passages.ids_of_cases(connection, space.model.id, scope.case_ids.tolist())
    return owned(wanted, named)


def _keep_best(best: dict[int, float], case_id: int, similarity: float) -> None:
    best[case_id] = max(similarity, best.get(case_id, similarity))


def _case_similarities(
    kb: KnowledgeBase, space: Space, query: Vectors, case_ids: Sequence[int]
) -> dict[int, float]:
    owners, matrix = _vectors_of(kb, space, case_ids)
    if not len(owners):
        return dict.fromkeys(case_ids, 0.0)
    best: dict[int, float] = {}
    for owner, value in zip(owners, _cosines(query, matrix).tolist(), strict=True):
        _keep_best(best, owner, value)
    return {case_id: best.get(case_id, 0.0) for case_id in case_ids}


def _vectors_of(
    kb: KnowledgeBase, space: Space, case_ids: Sequence[int]
) -> tuple[list[int], Vectors]:
    """(case of each row, vectors as the space turns them) of all passages of these cases."""
    known: dict[int, Vectors] = kb.memory.of(f"vectors {space.model.id} {space.adapter}")
    missing = [one for one in case_ids if one not in known]
    if missing:
        owners, matrix = passages.of_cases(kb.connection, space.model.id, missing)
        turned = space.turned(matrix) if len(owners) else matrix
        known.update((one, turned[:0]) for one in missing)
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(owners)], strict=True):
            known[int(owners[start])] = turned[start:end]
    parts = [known[one] for one in case_ids if len(known[one])]
    rows = [one for one in case_ids for _ in range(len(known[one]))]
    return rows, np.concatenate(parts) if parts else np.zeros((0, 0), dtype=np.float32)


def _cosines(query: Vectors, matrix: Vectors) -> NDArray[np.float64]:
    """Of each row its cosine with the nearest passage of the query.

    Summed row by row: a matrix product rounds differently with other rows beside it, and a score
    must not depend on which index served or on what else was found.
    """
    exact = matrix.astype(np.float64)
    rows = [(exact * one).sum(axis=1) for one in query.astype(np.float64)]
    nearest: NDArray[np.float64] = np.stack(rows).max(axis=0)
    return nearest


def _drawn_together(
    kb: KnowledgeBase,
    space: Space,
    query: Vectors,
    terms: tuple[FusedTerms, ...],
    weight: float,
) -> tuple[FusedTerms, ...]:
    """The candidates with what they say of each other in their scores (`neighbourhood`)."""
    if weight == 0.0 or not terms:
        return terms
    near = [case.case_id for case in terms[:REACH]]
    owners, matrix = _vectors_of(kb, space, near)
    best: dict[int, int] = {}
    cosines = _cosines(query, matrix)
    for row, owner in enumerate(owners):
        if owner not in best or cosines[row] > cosines[best[owner]]:
            best[owner] = row
    at = [best[case_id] for case_id in near]
    found = closeness(cosines[at], matrix[at]).round(_DIGITS)
    return with_closeness(terms, dict(zip(near, found.tolist(), strict=True)), weight=weight)


def _words(
    connection: sqlite3.Connection, opened: Indexes, request: Request, scope: Scope
) -> _Words:
    """The best cases by BM25, from the index and from the newer documents beside it.

    Looking back at an earlier day, the frequencies of words are those of that day.
    """
    index = opened.lexical
    if index is None:
        return _Words({}, 0.0, {}, {})
    text = request.query
    asked = tokens(text)
    newer = [
        (case_id, tokens(f"{title}\n{body}"))
        for _, case_id, title, body in passages.documents(connection, index.last_id)
        if scope.admits(case_id)
    ]
    tail = [found for _, found in newer]
    later = _later(connection, index, request)
    idf = index.idf(asked, tail, later)
    scores = (
        _scores_then(connection, index, asked, scope, tail, later)
        if later
        else _scores(connection, index, asked, scope)
    )
    for (case_id, _), value in zip(newer, index.score(asked, tail, later).tolist(), strict=True):
        if value > 0.0:
            scores[case_id] = value
    best = sorted(scores, key=lambda case_id: (-scores[case_id], case_id))[:CANDIDATES]
    named = [one for one in identifiers(text) if one in idf][:IDENTIFIERS]
    postings = {
        one: frozenset(_scores(connection, index, [one], scope, limit=COMMON))
        | {case_id for case_id, found in newer if one in found}
        for one in named
    }
    return _Words(
        scores={case_id: scores[case_id] for case_id in best},
        ceiling=index.maximum(asked, tail, later),
        idf=idf,
        postings={one: cases for one, cases in postings.items() if len(cases) < COMMON},
    )


def _later(
    connection: sqlite3.Connection, index: LexicalIndex, request: Request
) -> list[list[str]]:
    """The documents of the index that were not there at the time looked back at."""
    if request.as_of is None:
        return []
    rows = passages.documents_since(connection, request.as_of, index.last_id)
    return [tokens(f"{title}\n{body}") for _, title, body in rows]


def _scores_then(
    connection: sqlite3.Connection,
    index: LexicalIndex,
    asked: Sequence[str],
    scope: Scope,
    tail: Sequence[Sequence[str]],
    later: Sequence[Sequence[str]],
) -> dict[int, float]:
    """The index's best cases, scored again as they would have been without the `later` ones."""
    found = _documents(connection, index, asked, scope, CANDIDATES + _SPARE)
    texts = passages.texts_of_documents(connection, list(found))
    again = [tokens(f"{title}\n{body}") for title, body in texts.values()]
    values = index.score(asked, tail, later, again=again)[len(tail) :].tolist()
    return {found[one][0]: value for one, value in zip(texts, values, strict=True)}


def _scores(
    connection: sqlite3.Connection,
    index: LexicalIndex,
    asked: Sequence[str],
    scope: Scope,
    limit: int = CANDIDATES + _SPARE,
) -> dict[int, float]:
    return dict(_documents(connection, index, asked, scope, limit).values())


def _documents(
    connection: sqlite3.Connection,
    index: LexicalIndex,
    asked: Sequence[str],
    scope: Scope,
    limit: int,
) -> dict[int, tuple[int, float]]:
    """(case, score) of the index's best documents of cases in scope, as with the dense index."""
    wanted = limit + len(scope.left_out)

    def owned(depth: int, allowed: Ids | None) -> tuple[dict[int, tuple[int, float]], int]:
        ids, values = index.search(asked, depth, allowed)
        owners = passages.document_owners(connection, ids.tolist())
        inside = {
            one: (owners[one], value)
            for one, value in zip(ids.tolist(), values.tolist(), strict=True)
            if one in owners and scope.admits(owners[one])
        }
        return inside, len(ids)

    for depth in scope.depths(wanted, index.count):
        inside, reached = owned(depth, None)
        if len(inside) >= wanted or reached < depth:
            return inside
    if scope.case_ids is None:
        return owned(wanted, None)[0]
    named = passages.documents_of_cases(connection, scope.case_ids.tolist())
    return owned(wanted, named)[0]
