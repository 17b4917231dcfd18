"""BM25 over documents in order of time, asked with only the first so many of them.

For replaying the past: word frequencies and lengths are those of the documents that were there,
so that nothing later changes a score. Postings are kept once; a question cuts them at the
moment it was asked. It does not tokenise, and is no index for serving (`store.index.lexical`).

score = Σ_t idf(t)·(k1 + 1)·f / (f + k1·(1 − b + b·l/avg)),  idf(t) = ln(1 + (N − n + ½)/(n + ½))
(Robertson and Zaragoza 2009, as in Lucene).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import log1p

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

K1 = 1.2  # as in the serving index
B = 0.75  # likewise
MOST_QUERY_TOKENS = 96  # the rarest of a question, likewise


@dataclass(frozen=True, slots=True)
class Found:
    """Scores of the documents known then, (known,), the bound none reaches, and the idf used."""

    scores: Floats
    ceiling: float
    idf: dict[str, float]


class Chronicle:
    """Tokenised documents in order of time."""

    def __init__(self, documents: Sequence[Sequence[str]]) -> None:
        postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for place, document in enumerate(documents):
            for token, count in Counter(document).items():
                postings[token].append((place, count))
        self._places = {t: np.array([p for p, _ in some]) for t, some in postings.items()}
        self._counts = {
            t: np.array([c for _, c in some], dtype=np.float64) for t, some in postings.items()
        }
        self._lengths = np.array([len(document) for document in documents], dtype=np.float64)
        self._total = np.concatenate([[0.0], np.cumsum(self._lengths)])

    def ask(self, tokens: Sequence[str], known: int) -> Found:
        """BM25 of the first `known` documents; zeros where no word is shared.

        >>> found = Chronicle([["mail", "lost"], ["mail"], ["lost", "lost"]]).ask(["lost"], 2)
        >>> found.scores.round(3), round(found.ceiling, 3)
        (array([0.61, 0.  ]), 1.525)
        """
        scores = np.zeros(known)
        idf = self._idf(tokens, known)
        average = self._total[known] / known if known else 1.0
        norm = K1 * (1.0 - B + B * self._lengths[:known] / max(average, 1e-9))
        for token, weight in idf.items():
            places = self.holders(token, known)
            counts = self._counts[token][: len(places)]
            scores[places] += weight * (K1 + 1.0) * counts / (counts + norm[places])
        return Found(scores, sum(idf.values()) * (K1 + 1.0), idf)

    def holders(self, token: str, known: int) -> Ints:
        """Places of the documents among the first `known` that hold a token, ascending."""
        places = self._places.get(token)
        if places is None:
            return np.zeros(0, dtype=np.int64)
        return places[: int(np.searchsorted(places, known))]

    def _idf(self, tokens: Sequence[str], known: int) -> dict[str, float]:
        found = {}
        for token in dict.fromkeys(tokens):
            holders = len(self.holders(token, known))
            if holders:
                found[token] = log1p((known - holders + 0.5) / (holders + 0.5))
        if len(found) > MOST_QUERY_TOKENS:
            rarest = sorted(found, key=lambda token: -found[token])[:MOST_QUERY_TOKENS]
            found = {token: found[token] for token in rarest}
        return found
