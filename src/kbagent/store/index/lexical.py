"""The lexical index: BM25 over texts that were cut into tokens elsewhere; disposable.

Each state of the index is a folder of its own that never changes once it counts (`segments` makes
them); `current.json` names the one that does. Texts come as tokens and queries are sums of term
queries: no character of a user's text is syntax.

score = Σ_t idf(t)·(k1 + 1)·f / (f + k1·(1 − b + b·l/avg)),  idf(t) = ln(1 + (N − n + ½)/(n + ½))

with f how often t occurs in a document, l its length, avg the mean length, n documents that hold
t, N documents (Robertson and Zaragoza 2009, as in Lucene). tantivy keeps lengths above 40 in
one byte; `score` rounds them likewise, so that a document scores the same before it is indexed.

Does not tokenise, and knows no words: see `core.text.tokens`.
"""

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tantivy
from numpy.typing import NDArray

from kbagent.errors import Damaged
from kbagent.store.index.manifests import (
    Footprint,
    Unusable,
    deep_mismatch,
    mismatch,
    read_json,
)

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

Ids = NDArray[np.int64]
Scores = NDArray[np.float64]
Allowed = NDArray[np.bool_] | NDArray[np.int64]
Rows = Callable[[int], Iterable[tuple[int, Sequence[str]]]]

K1 = 1.2  # tantivy's, Robertson and Zaragoza 2009
B = 0.75  # likewise
FORMAT = 1
MOST_QUERY_TOKENS = 96  # the rarest of a query; a pasted ticket's common words change nothing
CHECKED_WHOLE_UP_TO = 64 << 20  # bytes, 3 ms; larger indexes are sampled at open
FEW_ALLOWED = 4_000  # ids that are handed to tantivy as a filter; more are filtered from its hits
CURRENT = "current.json"
ANALYSER = "split"


@dataclass(frozen=True, slots=True)
class LexicalManifest:
    """What a state of the index is.

    tokeniser   version of the code that cut the texts into tokens
    count       documents; `tokens` of them all together
    last_id     the largest id in it: newer documents are not; 0 when it is empty
    """

    tokeniser: str
    state: str
    count: int
    tokens: int
    last_id: int
    files: tuple[tuple[str, Footprint], ...]
    format: int = FORMAT

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(print_.size for _, print_ in self.files)


class LexicalIndex:
    """An open state of the index. Safe to use from several threads."""

    def __init__(
        self,
        manifest: LexicalManifest,
        index: tantivy.Index,
        beside: "TemporaryDirectory[str] | None" = None,
    ) -> None:
        self.manifest = manifest
        self._beside = beside  # kept as long as its files are read
        self._schema = index.schema
        self._searcher = index.searcher()

    @property
    def count(self) -> int:
        """Documents in the index."""
        return self.manifest.count

    @property
    def last_id(self) -> int:
        """The largest id in the index: newer documents are not in it; 0 when it is empty."""
        return self.manifest.last_id

    def search(
        self, tokens: Sequence[str], k: int, allowed: Allowed | None = None
    ) -> tuple[Ids, Scores]:
        """(ids, BM25 scores) of at most k documents that share a token, best first, ties by id.

        allowed   None for all documents, else an ascending int64 array of ids, or a boolean
                  mask by id (ids beyond its end are not allowed); applied before ranking
        """
        weights = self.idf(tokens)
        known = [token for token in weights if self._frequency(token)]
        size = _size(allowed, self.count)
        if not known or k <= 0 or size == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.float64)
        if allowed is None:
            return self._hits(self._any_of(known), min(k, self.count))
        if size <= FEW_ALLOWED:
            query = self._restricted(self._any_of(known), allowed)
            return self._hits(query, min(k, size))
        return self._filtered(self._any_of(known), min(k, size), allowed, size)

    def maximum(
        self,
        tokens: Sequence[str],
        documents: Sequence[Sequence[str]] = (),
        without: Sequence[Sequence[str]] = (),
    ) -> float:
        """The bound Σ idf·(k1 + 1) that no document's score for this query reaches.

        Over those query tokens that occur in the index or in `documents` (those that `score` is
        asked about), so that scores divided by it lie in [0, 1) and mean the same from query to
        query (Bruch et al. 2023); 0 when none occurs.
        """
        return sum(self.idf(tokens, documents, without).values()) * (K1 + 1)

    def score(
        self,
        tokens: Sequence[str],
        documents: Sequence[Sequence[str]],
        without: Sequence[Sequence[str]] = (),
        *,
        again: Sequence[Sequence[str]] = (),
    ) -> Scores:
        """BM25 scores of documents that are not in the index yet, then of those scored `again`.

        The statistics are the index's and the new documents' together, less those of `without`:
        documents of the index that were not there at the time in question. O(total length).
        """
        weights = self.idf(tokens, documents, without)
        count = max(1, self.count + len(documents) - len(without))
        total = self.manifest.tokens + sum(map(len, documents)) - sum(map(len, without))
        return np.array(
            [_bm25(weights, document, total / count) for document in (*documents, *again)],
            dtype=np.float64,
        )

    def idf(
        self,
        tokens: Sequence[str],
        documents: Sequence[Sequence[str]] = (),
        without: Sequence[Sequence[str]] = (),
    ) -> dict[str, float]:
        """Inverse document frequency of the query's distinct tokens that occur at all.

        Over the index and `documents`, less `without` (documents of the index). Of more than
        `MOST_QUERY_TOKENS` the rarest, ties in the order of the query.
        """
        here = Counter(token for document in documents for token in set(document))
        gone = Counter(token for document in without for token in set(document))
        count = self.count + len(documents) - len(without)
        found = {}
        for token in dict.fromkeys(tokens):
            holders = self._frequency(token) + here[token] - gone[token]
            if holders > 0:
                found[token] = math.log1p((count - holders + 0.5) / (holders + 0.5))
        if len(found) > MOST_QUERY_TOKENS:
            rarest = sorted(found, key=lambda token: -found[token])[:MOST_QUERY_TOKENS]
            found = {token: found[token] for token in rarest}
        return found

    def _frequency(self, token: str) -> int:
        return int(self._searcher.doc_freq("text", token))

    def _any_of(self, tokens: Sequence[str]) -> tantivy.Query:
        terms = [tantivy.Query.term_query(self._schema, "text", token, "freq") for token in tokens]
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, term) for term in terms])

    def _restricted(self, query: tantivy.Query, allowed: Allowed) -> tantivy.Query:
        ids = np.flatnonzero(allowed) if allowed.dtype == np.bool_ else allowed
        among = tantivy.Query.term_set_query(self._schema, "id", ids.tolist())
        return tantivy.Query.boolean_query(
            [
                (tantivy.Occur.Must, query),
                (tantivy.Occur.Must, tantivy.Query.const_score_query(among, 0.0)),
            ]
        )

    def _filtered(
        self, query: tantivy.Query, k: int, allowed: Allowed, size: int
    ) -> tuple[Ids, Scores]:
        """The best k of the allowed, by taking ever more hits until enough of them are."""
        depth = min(int(1.5 * k * self.count / size) + k, self.count)
        while True:
            ids, scores = self._hits(query, depth)
            inside = _is_allowed(ids, allowed)
            if inside.sum() >= k or len(ids) < depth or depth == self.count:
                return ids[inside][:k], scores[inside][:k]
            depth = min(depth * 4, self.count)

    def _hits(self, query: tantivy.Query, k: int) -> tuple[Ids, Scores]:
        try:
            hits = self._searcher.search(query, k, count=False).hits
            ids = self._searcher.fast_field_values("id", [address for _, address in hits])
        except BaseException as error:
            # A Rust panic (damage in a page that was not sampled at open) is no Exception.
            if type(error).__name__ != "PanicException":
                raise
            raise Damaged(
                what=f"the lexical index {self.manifest.state} cannot be read",
                hint="`kbagent reindex` makes it anew; nothing is lost.",
            ) from error
        found = np.array(ids, dtype=np.int64)
        scores = np.array([score for score, _ in hits], dtype=np.float64)
        order = np.lexsort((found, -scores))
        return found[order], scores[order]


def open_lexical(folder: Path, tokeniser: str) -> LexicalIndex | Unusable:
    """The lexical index in `folder`, if it is whole and made with this tokeniser.

    Checks manifest, length and checksum of every file (of a large index sampled pages;
    `verify_lexical` reads all).
    """
    for _attempt in range(3):  # a writer may remove a former state between two of our steps
        manifest = read_manifest(folder)
        if isinstance(manifest, Unusable):
            return manifest
        if manifest.tokeniser != tokeniser:
            return Unusable(f"it is of tokeniser {manifest.tokeniser}, not {tokeniser}")
        opened = _open_state(folder, manifest)
        if isinstance(opened, LexicalIndex) or read_manifest(folder) == manifest:
            return opened
    return Unusable("it keeps changing while it is read")


def empty_lexical(tokeniser: str) -> LexicalIndex:
    """An index of no documents, in memory: `score` and `maximum` work while there is none."""
    return LexicalIndex(LexicalManifest(tokeniser, "", 0, 0, 0, ()), tantivy.Index(schema()))


def verify_lexical(folder: Path) -> str | None:
    """What is wrong with the index, reading every byte; None when it is whole."""
    manifest = read_manifest(folder)
    if isinstance(manifest, Unusable):
        return manifest.reason
    state = folder / manifest.state
    problems = (deep_mismatch(state / name, expected) for name, expected in manifest.files)
    return next((problem for problem in problems if problem), None)


def read_manifest(folder: Path) -> LexicalManifest | Unusable:
    """What `current.json` says, or why there is no index."""
    raw = read_json(folder / CURRENT)
    if isinstance(raw, Unusable):
        return raw
    if raw.get("format") != FORMAT:
        return Unusable(f"it is of format {raw.get('format')}, not {FORMAT}")
    try:
        files = tuple((name, Footprint(**print_)) for name, print_ in raw.pop("files"))
        manifest = LexicalManifest(**raw, files=files)
        named_well = Path(manifest.state).name == manifest.state
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Unusable(f"its manifest cannot be read ({error})")
    return manifest if named_well else Unusable("its manifest points out of its folder")


def _open_state(folder: Path, manifest: LexicalManifest) -> LexicalIndex | Unusable:
    state = folder / manifest.state
    whole = manifest.size <= CHECKED_WHOLE_UP_TO
    for name, expected in manifest.files:
        problem = mismatch(state / name, expected, whole=whole)
        if problem is not None:
            return Unusable(problem)
    try:
        return LexicalIndex(manifest, tantivy.Index.open(str(state)))
    except (ValueError, OSError) as error:
        if os.access(state, os.W_OK):
            return Unusable(f"tantivy cannot open it ({error})")
    try:
        beside = _beside(state, manifest)
        return LexicalIndex(manifest, tantivy.Index.open(beside.name), beside)
    except (ValueError, OSError) as error:
        return Unusable(f"tantivy cannot open it ({error})")


def _beside(state: Path, manifest: LexicalManifest) -> "TemporaryDirectory[str]":
    """A folder with links to the state's files: tantivy writes a lock where it reads, which a
    read-only file system refuses. It goes when nobody holds the result any more.
    """
    from tempfile import TemporaryDirectory

    folder = TemporaryDirectory(prefix="kbagent-words-", ignore_cleanup_errors=True)
    for name, _print in manifest.files:
        (Path(folder.name) / name).symlink_to((state / name).resolve())
    return folder


def schema() -> tantivy.Schema:
    """The fields of a document: its id, and its tokens with how often each occurs."""
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("id", indexed=True, fast=True)
    builder.add_text_field("text", tokenizer_name=ANALYSER, index_option="freq")
    return builder.build()


def _size(allowed: Allowed | None, count: int) -> int:
    if allowed is None:
        return count
    return int(np.count_nonzero(allowed)) if allowed.dtype == np.bool_ else len(allowed)


def _is_allowed(ids: Ids, allowed: Allowed) -> NDArray[np.bool_]:
    if allowed.dtype == np.bool_:
        known = ids < len(allowed)
        inside: NDArray[np.bool_] = (allowed[np.where(known, ids, 0)] != 0) & known
        return inside
    places = np.minimum(np.searchsorted(allowed, ids), len(allowed) - 1)
    found: NDArray[np.bool_] = allowed[places] == ids
    return found


def _bm25(weights: Mapping[str, float], document: Sequence[str], mean_length: float) -> float:
    """The score of one document; `weights` are idf by query token.

    >>> round(_bm25({"mail": 1.0}, ["mail", "mail", "lost"], mean_length=3.0), 6)  # 2·2.2/3.2
    1.375
    """
    if not document:
        return 0.0
    length = 1 - B + B * _rounded_length(len(document)) / mean_length
    counts = Counter(token for token in document if token in weights)
    return sum(
        weights[token] * (K1 + 1) * often / (often + K1 * length) for token, often in counts.items()
    )


def _rounded_length(length: int) -> int:
    """`length` as tantivy keeps it in one byte: exact to 40, then eight steps per doubling.

    >>> [_rounded_length(n) for n in (40, 41, 43, 57, 63, 1000)]
    [40, 40, 42, 56, 60, 984]
    """
    start, step = 40, 2
    while length >= start + 8 * step:
        start, step = start + 8 * step, step * 2
    return length if length < start or length <= 40 else start + (length - start) // step * step
