"""A small search engine out of the product's own parts: encoder, tokens, indexes, core.

What the use case `retrieve` does, without SQLite: so that a thousand queries take seconds and
every baseline sees the very same vectors and tokens.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.retrieval.sets import Corpus
from kbagent.core.retrieval.fusion import (
    FusedTerms,
    exact_matches,
    fuse,
    identifier_share,
    normalised_bm25,
)
from kbagent.core.retrieval.neighbourhood import DEFAULT_WEIGHT, REACH, closeness, with_closeness
from kbagent.core.text.tokens import TOKENISER, identifiers, tokens
from kbagent.model.policy import PolicyParameters
from kbagent.store.encoder.passages import passages
from kbagent.store.encoder.session import Encoder
from kbagent.store.index.dense import DenseGeneration, extend_generation, open_generation
from kbagent.store.index.lexical import LexicalIndex, open_lexical
from kbagent.store.index.segments import extend_lexical

DEPTH = 200  # candidates from each index
RRF_K = 60  # Cormack et al. 2009
DENSE_WEIGHT = PolicyParameters().dense_weight
SYSTEMS = ("BM25", "dense", "RRF", "fused", "kbagent")

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Rankings:
    """Row numbers, best first, of each system in `SYSTEMS`, and the terms behind the last."""

    of: dict[str, list[int]]
    terms: tuple[FusedTerms, ...]


class Engine:
    """A corpus, encoded and indexed; case i has id i + 1 in the indexes."""

    def __init__(self, corpus: Corpus, encoder: Encoder, cache: Path | None) -> None:
        self.corpus = corpus
        self.owners, self.vectors = encoded(corpus, encoder, cache)
        self.first = np.searchsorted(self.owners, np.arange(len(corpus)))
        self._folder = tempfile.TemporaryDirectory(prefix="kbagent-benchmark-")
        root = Path(self._folder.name)
        self.texts = [f"{t}\n{b}" for t, b in zip(corpus.titles, corpus.bodies, strict=True)]
        self.tokens = [tokens(text) for text in self.texts]
        self.dense = self._dense(root / "dense", encoder)
        self.lexical = self._lexical(root / "lexical")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    @property
    def case_vectors(self) -> Vectors:
        """The first passage's vector of each case: title and beginning."""
        return self.vectors[self.first]

    def search(self, text: str, query: Vectors, without: int | None = None) -> Rankings:
        """All systems' rankings for one query; `without` is the case that asks, if stored."""
        dense = self._dense_candidates(query, without)
        lexical = self._lexical_candidates(text, without)
        named = self._postings(text, without)
        rows = np.array(sorted({*dense, *lexical}.union(*named.values())), dtype=np.int64)
        best_passage, cosines = self._cosines(query, rows)
        terms = self._fused(text, rows, cosines, lexical, named)
        return Rankings(
            {
                "BM25": by_score(lexical),
                "dense": by_score(dense),
                "RRF": reciprocal(by_score(dense), by_score(lexical)),
                "fused": [case.case_id for case in terms],
                "kbagent": [
                    case.case_id for case in self._closer(terms, rows, best_passage, cosines)
                ],
            },
            terms,
        )

    def _postings(self, text: str, without: int | None) -> dict[str, set[int]]:
        """The cases that hold each identifier of the query."""
        return {
            name: {int(i) - 1 for i in self.lexical.search([name], DEPTH)[0]} - {without}
            for name in identifiers(text)
        }

    def _fused(
        self,
        text: str,
        rows: NDArray[np.int64],
        cosines: Vectors,
        lexical: dict[int, float],
        postings: dict[str, set[int]],
    ) -> tuple[FusedTerms, ...]:
        asked = list(dict.fromkeys(tokens(text)))
        idf = self.lexical.idf(asked)
        return fuse(
            rows,
            cosines,
            normalised_bm25([lexical.get(int(r), 0.0) for r in rows], self.lexical.maximum(asked)),
            exact_matches(rows, postings, idf),
            dense_weight=DENSE_WEIGHT,
            identifier_share=identifier_share(idf, set(postings)),
        )

    def _closer(
        self,
        terms: tuple[FusedTerms, ...],
        rows: NDArray[np.int64],
        best_passage: NDArray[np.int64],
        cosines: Vectors,
    ) -> tuple[FusedTerms, ...]:
        near = [case.case_id for case in terms[:REACH]]
        at = np.searchsorted(rows, near)
        found = closeness(cosines[at], self.vectors[best_passage[at]])
        return with_closeness(
            terms, dict(zip(near, found.tolist(), strict=True)), weight=DEFAULT_WEIGHT
        )

    def _dense_candidates(self, query: Vectors, without: int | None) -> dict[int, float]:
        ids, similarities = self.dense.search(query[None], DEPTH + 1, exact=self._exact)
        best: dict[int, float] = {}
        for passage, value in zip(ids[0].tolist(), similarities[0].tolist(), strict=True):
            if passage > 0:
                owner = int(self.owners[passage - 1])
                best[owner] = max(value, best.get(owner, value))
        best.pop(-1 if without is None else without, None)
        return best

    def _lexical_candidates(self, text: str, without: int | None) -> dict[int, float]:
        ids, scores = self.lexical.search(list(dict.fromkeys(tokens(text))), DEPTH + 1)
        found = dict(zip((ids - 1).tolist(), scores.tolist(), strict=True))
        found.pop(-1 if without is None else without, None)
        return found

    def _cosines(
        self, query: Vectors, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], Vectors]:
        ends = np.append(self.first[1:], len(self.owners))
        best = np.empty(len(rows), dtype=np.int64)
        for number, row in enumerate(rows):
            span = slice(self.first[row], ends[row])
            best[number] = self.first[row] + int(np.argmax(self.vectors[span] @ query))
        return best, self.vectors[best] @ query

    def _exact(self, ids: NDArray[np.int64]) -> Vectors:
        return self.vectors[ids - 1]

    def _dense(self, folder: Path, encoder: Encoder) -> DenseGeneration:
        def newer(after: int) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
            yield np.arange(after + 1, len(self.vectors) + 1), self.vectors[after:]

        extend_generation(
            folder, newer, fingerprint=encoder.fingerprint, dimension=encoder.dimension
        )
        opened = open_generation(folder, encoder.fingerprint)
        if not isinstance(opened, DenseGeneration):
            raise SystemExit(f"the dense index cannot be used: {opened.reason}")
        return opened

    def _lexical(self, folder: Path) -> LexicalIndex:
        def newer(after: int) -> Iterator[tuple[int, list[str]]]:
            for number in range(after, len(self.tokens)):
                yield number + 1, self.tokens[number]

        extend_lexical(folder, newer, tokeniser=TOKENISER)
        opened = open_lexical(folder, TOKENISER)
        if not isinstance(opened, LexicalIndex):
            raise SystemExit(f"the lexical index cannot be used: {opened.reason}")
        return opened


def encoded(
    corpus: Corpus, encoder: Encoder, cache: Path | None
) -> tuple[NDArray[np.int64], Vectors]:
    """(owner row of each passage, passage vectors); kept in `cache` under the texts' hash."""
    cut = [passages(t, b, encoder) for t, b in zip(corpus.titles, corpus.bodies, strict=True)]
    owners = np.repeat(np.arange(len(cut)), [len(pieces) for pieces in cut])
    texts = [piece for pieces in cut for piece in pieces]
    digest = hashlib.sha256("\0".join([encoder.fingerprint, *texts]).encode()).hexdigest()[:24]
    kept = cache / f"{digest}.npy" if cache else None
    if kept and kept.exists():
        return owners, np.load(kept)
    vectors = encoder.encode(texts)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, vectors)
    return owners, vectors


def by_score(scores: dict[int, float]) -> list[int]:
    """Rows by descending score, ties by row."""
    return sorted(scores, key=lambda row: (-scores[row], row))


def reciprocal(*lists: list[int]) -> list[int]:
    """Reciprocal rank fusion of several rankings."""
    total: dict[int, float] = {}
    for ranking in lists:
        for place, row in enumerate(ranking, start=1):
            total[row] = total.get(row, 0.0) + 1.0 / (RRF_K + place)
    return by_score(total)
