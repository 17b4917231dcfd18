"""Candidates for a query: the best of the dense and of the lexical index, fused.

Each index covers the rows up to some id; what is newer is scanned exactly from SQLite, so a case
is found the moment it is stored. A missing or broken index means that everything is scanned: the
answer is right, only slower, and a note says so.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.core.retrieval.fusion import (
    Candidates,
    FusedTerms,
    candidates,
    exact_matches,
    identifier_share,
    normalised_bm25,
)
from kbagent.core.retrieval.neighbourhood import REACH, closeness, drawn_together
from kbagent.core.text.tokens import identifiers, tokens
from kbagent.model.lookup import Request
from kbagent.model.policy import PolicyParameters
from kbagent.store import models, passages
from kbagent.store.encoder.passages import passages as split_passages
from kbagent.store.encoder.session import Encoder
from kbagent.store.index.dense import DenseGeneration
from kbagent.store.index.lexical import LexicalIndex
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.remembered import NONE, IdColumn, distinct
from kbagent.usecases.maintain.indexing import Indexes, ready_indexes
from kbagent.usecases.maintain.spaces import space_of
from kbagent.usecases.retrieve.likeness import Likeness
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
Documents = dict[int, tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Matches:
    """The candidate cases with the terms of their scores, best first.

    `likeness` gives the similarity of any other case; None where there is nothing to compare.
    `generation` names the dense index that served.
    """

    terms: tuple[FusedTerms, ...]
    likeness: Likeness | None = None
    generation: str | None = None
    notes: tuple[str, ...] = ()

    def similarities(self, case_ids: Sequence[int]) -> dict[int, float]:
        """The cosine of each case to the query: that of its best passage."""
        if self.likeness is None:
            return dict.fromkeys(case_ids, 0.0)
        return self.likeness.by_case(case_ids)


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
        return Matches(())
    pieces = split_passages("", request.query, encoder)[:QUERY_PASSAGES]
    space = space_of(kb, model, parameters.adapter)
    likeness = Likeness(kb, space, space.turned(encoder.encode(pieces)))
    watch.lap("encode")
    opened = ready_indexes(kb, model, space)
    watch.lap("open indexes")
    near = _nearest(likeness, opened, scope)
    watch.lap("dense scan")
    words = _words(kb, opened, request, scope)
    watch.lap("lexical search")
    found = _fused(likeness, {*near, *words.scores, *words.exact_only()}, words, parameters)
    watch.lap("fuse")
    found = _drawn_together(likeness, found, parameters.closeness_weight)
    watch.lap("closeness")
    return Matches(found.terms(), likeness, opened.generation, opened.notes)


def _nearest(likeness: Likeness, opened: Indexes, scope: Scope) -> list[int]:
    """The nearest cases, best first: by the index what it covers, what is newer from SQLite."""
    connection, space = likeness.kb.connection, likeness.space
    best: dict[int, float] = {}
    covered = 0
    if opened.dense is not None:
        covered = opened.dense.last_id
        cases = _nearest_indexed(opened.dense, likeness, scope)
        best.update(zip(cases.tolist(), likeness.of(cases).tolist(), strict=True))
    for ids, matrix in passages.stream(connection, space.model.id, after=covered):
        similarity = (likeness.query @ space.turned(matrix).T).max(axis=0)
        owners = _owners(likeness.kb, space.model.id, ids)
        for case_id, value in zip(owners.tolist(), similarity.tolist(), strict=True):
            if case_id != NONE and scope.admits(case_id):
                best[case_id] = max(value, best.get(case_id, value))
    return sorted(best, key=lambda case_id: (-best[case_id], case_id))[:CANDIDATES]


def _nearest_indexed(index: DenseGeneration, likeness: Likeness, scope: Scope) -> Ids:
    """The cases in scope that own the nearest passages, ascending.

    A narrow scope is handed to the index. Of a wide one the nearest of all are taken, ever more of
    them until enough are in scope: half of all cases need no list of half a million passages.
    """
    kb, model_id = likeness.kb, likeness.space.model.id
    wanted = CANDIDATES + _SPARE + len(scope.left_out)

    def owned(depth: int, allowed: Ids | None) -> Ids:
        ids, _ = index.search(likeness.query, depth, allowed=allowed)
        return scope.admitted(_owners(kb, model_id, distinct(ids[ids >= 0])))

    for depth in scope.depths(wanted, index.count):
        inside = owned(depth, None)
        if len(inside) >= wanted or depth >= index.count:
            return distinct(inside)
    if scope.case_ids is None:
        return distinct(owned(wanted, None))
    named = passages.ids_of_cases(kb.connection, model_id, scope.case_ids.tolist())
    return distinct(owned(wanted, named))


def _owners(kb: KnowledgeBase, model_id: int, passage_ids: Ids) -> Ids:
    """The live case of each passage; `NONE` of one that is retired or withdrawn."""
    column = kb.memory.one("owners of passages", IdColumn)
    return column.of(passage_ids, lambda missing: passages.owners(kb.connection, model_id, missing))


def _fused(
    likeness: Likeness, case_ids: Iterable[int], words: _Words, parameters: PolicyParameters
) -> Candidates:
    named = sorted(case_ids)
    columns = np.array(named, dtype=np.int64)
    return candidates(
        columns,
        likeness.of(columns),
        # Rounded: a text scores the same in the index (single precision) and before it is there.
        normalised_bm25([words.scores.get(one, 0.0) for one in named], words.ceiling).round(4),
        exact_matches(named, words.postings, words.idf),
        dense_weight=parameters.dense_weight,
        identifier_share=identifier_share(words.idf, set(words.postings)),
    )


def _drawn_together(likeness: Likeness, found: Candidates, weight: float) -> Candidates:
    """The candidates with what they say of each other in their scores (`neighbourhood`)."""
    if weight == 0.0 or not len(found.case_ids):
        return found
    near = found.case_ids[:REACH]
    at, cosines, vectors = likeness.representatives(near)
    column = np.zeros(len(near))
    column[at] = closeness(cosines, vectors).round(_DIGITS)
    return drawn_together(found, column, weight=weight)


def _words(kb: KnowledgeBase, opened: Indexes, request: Request, scope: Scope) -> _Words:
    """The best cases by BM25, from the index and from the newer documents beside it.

    Looking back at an earlier day, the frequencies of words are those of that day.
    """
    index = opened.lexical
    if index is None:
        return _Words({}, 0.0, {}, {})
    connection = kb.connection
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
        _scores_then(kb, index, asked, scope, tail, later)
        if later
        else _scores(kb, index, asked, scope)
    )
    for (case_id, _), value in zip(newer, index.score(asked, tail, later).tolist(), strict=True):
        if value > 0.0:
            scores[case_id] = value
    best = sorted(scores, key=lambda case_id: (-scores[case_id], case_id))[:CANDIDATES]
    named = [one for one in identifiers(text) if one in idf][:IDENTIFIERS]
    postings = {
        one: frozenset(_scores(kb, index, [one], scope, limit=COMMON))
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
    kb: KnowledgeBase,
    index: LexicalIndex,
    asked: Sequence[str],
    scope: Scope,
    tail: Sequence[Sequence[str]],
    later: Sequence[Sequence[str]],
) -> dict[int, float]:
    """The index's best cases, scored again as they would have been without the `later` ones."""
    found = _documents(kb, index, asked, scope, CANDIDATES + _SPARE)
    texts = passages.texts_of_documents(kb.connection, list(found))
    again = [tokens(f"{title}\n{body}") for title, body in texts.values()]
    values = index.score(asked, tail, later, again=again)[len(tail) :].tolist()
    return {found[one][0]: value for one, value in zip(texts, values, strict=True)}


def _scores(
    kb: KnowledgeBase,
    index: LexicalIndex,
    asked: Sequence[str],
    scope: Scope,
    limit: int = CANDIDATES + _SPARE,
) -> dict[int, float]:
    return dict(_documents(kb, index, asked, scope, limit).values())


def _documents(
    kb: KnowledgeBase,
    index: LexicalIndex,
    asked: Sequence[str],
    scope: Scope,
    limit: int,
) -> Documents:
    """(case, score) of the index's best documents of cases in scope, as with the dense index."""
    wanted = limit + len(scope.left_out)
    column = kb.memory.one("owners of documents", IdColumn)

    def owned(depth: int, allowed: Ids | None) -> tuple[Documents, int]:
        ids, values = index.search(asked, depth, allowed)
        owners = column.of(ids, lambda missing: passages.document_owners(kb.connection, missing))
        inside = scope.admits_each(owners)
        pairs = zip(owners[inside].tolist(), values[inside].tolist(), strict=True)
        return dict(zip(ids[inside].tolist(), pairs, strict=True)), len(ids)

    for depth in scope.depths(wanted, index.count):
        found, reached = owned(depth, None)
        if len(found) >= wanted or reached < depth:
            return found
    if scope.case_ids is None:
        return owned(wanted, None)[0]
    named = passages.documents_of_cases(kb.connection, scope.case_ids.tolist())
    return owned(wanted, named)[0]
