"""One score for each candidate case, from its lexical and its dense match with the query.

A convex combination (Bruch, Gai, Ingber 2023, "An Analysis of Fusion Functions for Hybrid
Retrieval", who found it above reciprocal rank fusion), whose parts are normalised absolutely and
not by the best candidate at hand: so 0.7 means the same for every query, and a confidence can be
read from it. Exact tokens (error codes, paths, ticket ids) weigh by their share of the query.

Not here: which tokens are identifiers (`core.text.tokens`), and finding candidates (the indexes).
"""

from collections.abc import Collection, Mapping, Sequence
from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kbagent.core.text.tokens import tokens

Floats = NDArray[np.float64] | NDArray[np.float32]
Ints = NDArray[np.int64]

BM25_K1 = 1.2  # saturation of term frequency; the default of tantivy and Lucene
EXACT_STRENGTH = 0.8  # weight of the exact match when the query is nothing but identifiers


class FusedTerms(NamedTuple):
    """The terms of one case's score, enough to compute it again to the last digit.

    similarity    cosine of query and case, [-1, 1]
    lexical       BM25 divided by the most that any text could score for this query, [0, 1]
    exact         share of the query's identifiers that the case contains, by idf, [0, 1]
    dense_weight  share of the similarity against the lexical part, [0, 1]
    exact_weight  share of the exact match in the whole, [0, 1]; 0 without identifiers
    closeness     to the query by way of the other candidates, [0, 1] (`neighbourhood`)
    closeness_weight  share of the closeness in what is not exact, [0, 1]; 0 when not computed
    """

    case_id: int
    similarity: float
    lexical: float
    exact: float
    dense_weight: float
    exact_weight: float
    closeness: float = 0.0
    closeness_weight: float = 0.0

    @property
    def matched(self) -> float:
        """w·similarity + (1 - w)·lexical: what query and case say of each other alone."""
        return self.dense_weight * self.similarity + (1.0 - self.dense_weight) * self.lexical

    @property
    def standing(self) -> float:
        """(1 - e)·matched + e·exact: the score without closeness, alike from query to query."""
        matched = self.dense_weight * self.similarity + (1.0 - self.dense_weight) * self.lexical
        return (1.0 - self.exact_weight) * matched + self.exact_weight * self.exact

    @property
    def score(self) -> float:
        """(1 - e)·((1 - c)·matched + c·closeness) + e·exact; e and c are the weights.

        >>> FusedTerms(1, similarity=0.5, lexical=0.25, exact=1.0,
        ...            dense_weight=0.8, exact_weight=0.5).score
        0.725
        """
        matched = self.dense_weight * self.similarity + (1.0 - self.dense_weight) * self.lexical
        near = (1.0 - self.closeness_weight) * matched + self.closeness_weight * self.closeness
        return (1.0 - self.exact_weight) * near + self.exact_weight * self.exact


class Candidates(NamedTuple):
    """The terms of many cases as columns of one length; the weights hold for all of them."""

    case_ids: Ints
    similarity: NDArray[np.float64]
    lexical: NDArray[np.float64]
    exact: NDArray[np.float64]
    closeness: NDArray[np.float64]
    dense_weight: float
    exact_weight: float
    closeness_weight: float = 0.0

    @property
    def scores(self) -> NDArray[np.float64]:
        """The score of each case, to the last digit that of its `FusedTerms`."""
        matched = self.dense_weight * self.similarity + (1.0 - self.dense_weight) * self.lexical
        near = (1.0 - self.closeness_weight) * matched + self.closeness_weight * self.closeness
        return (1.0 - self.exact_weight) * near + self.exact_weight * self.exact

    def best_first(self) -> "Candidates":
        """The same cases, best score first, ties by id."""
        order = np.lexsort((self.case_ids, -self.scores))
        return self._replace(
            case_ids=self.case_ids[order],
            similarity=self.similarity[order],
            lexical=self.lexical[order],
            exact=self.exact[order],
            closeness=self.closeness[order],
        )

    def terms(self) -> tuple[FusedTerms, ...]:
        """One entry for each case, in this order."""
        return tuple(
            FusedTerms(
                case,
                cosine,
                match,
                hit,
                self.dense_weight,
                self.exact_weight,
                near,
                self.closeness_weight,
            )
            for case, cosine, match, hit, near in zip(
                self.case_ids.tolist(),
                self.similarity.tolist(),
                self.lexical.tolist(),
                self.exact.tolist(),
                self.closeness.tolist(),
                strict=True,
            )
        )


def candidates(
    case_ids: Ints | Sequence[int],
    similarities: Floats | Sequence[float],
    lexical: Floats | Sequence[float],
    exact: Floats | Sequence[float] | None = None,
    *,
    dense_weight: float,
    identifier_share: float = 0.0,
) -> Candidates:
    """The columns that `fuse` puts together, best score first, ties by id."""
    size = len(case_ids)
    return Candidates(
        np.asarray(case_ids, dtype=np.int64),
        np.asarray(similarities, dtype=np.float64),
        np.asarray(lexical, dtype=np.float64),
        np.zeros(size) if exact is None else np.asarray(exact, dtype=np.float64),
        np.zeros(size),
        dense_weight,
        EXACT_STRENGTH * float(identifier_share),
    ).best_first()


def fuse(
    case_ids: Ints | Sequence[int],
    similarities: Floats | Sequence[float],
    lexical: Floats | Sequence[float],
    exact: Floats | Sequence[float] | None = None,
    *,
    dense_weight: float,
    identifier_share: float = 0.0,
) -> tuple[FusedTerms, ...]:
    """The terms of every candidate, best score first, ties by id.

    All sequences have one length n and belong together. A case that only the lexical list
    returned still needs its true cosine (it is one dot product); a case that only the dense
    list returned has `lexical` 0. `lexical` is normalised (`normalised_bm25`), and
    `identifier_share` and `exact` come from the functions of these names. No candidates: empty.
    """
    columns = candidates(
        case_ids,
        similarities,
        lexical,
        exact,
        dense_weight=dense_weight,
        identifier_share=identifier_share,
    )
    return columns.terms()


def inverse_frequency(document_frequency: int, documents: int) -> float:
    """idf = ln(1 + (N - n + ½) / (n + ½)), as tantivy and Lucene compute it; above 0.

    n of N documents contain the term.

    >>> round(inverse_frequency(1, 3), 4)
    0.9808
    """
    return log(1.0 + (documents - document_frequency + 0.5) / (document_frequency + 0.5))


def bm25_ceiling(frequencies: Sequence[float], *, k1: float = BM25_K1) -> float:
    """The most that any text can score for a query of terms with these idfs: (k₁+1)·Σ idf.

    tf·(k₁+1)/(tf + k₁·…) grows towards k₁+1 whatever the length of the text.

    >>> bm25_ceiling([1.0, 0.5])
    3.3000000000000003
    """
    return (k1 + 1.0) * sum(frequencies)


def normalised_bm25(scores: Floats | Sequence[float], ceiling: float) -> NDArray[np.float64]:
    """BM25 scores as shares of their ceiling, in [0, 1]; all 0 when the query has no term."""
    plain = np.asarray(scores, dtype=np.float64)
    if ceiling <= 0.0:
        return np.zeros_like(plain)
    return np.clip(plain / ceiling, 0.0, 1.0)


def identifier_share(idf: Mapping[str, float], identifiers: Collection[str]) -> float:
    """The share of the query's idf that lies in its identifiers and their parts, in [0, 1].

    `idf` has every distinct query term that occurs in the knowledge base: an error code that
    nobody has met yet cannot tell cases apart, and is left out with its parts. A query that is
    one known identifier has 1; one without terms 0.

    >>> identifier_share({"printer": 2.0, "0x80070035": 6.0}, {"0x80070035", "tb-1"})
    0.75
    >>> identifier_share({"tb": 1.0, "7": 2.0, "tb-7": 5.0}, {"tb-7"})
    1.0
    """
    total = sum(idf[term] for term in sorted(idf))
    if total <= 0.0:
        return 0.0
    known = {part for name in identifiers if name in idf for part in (name, *tokens(name))}
    return sum(idf[term] for term in sorted(idf) if term in known) / total


def exact_matches(
    case_ids: Ints | Sequence[int],
    postings: Mapping[str, Collection[int]],
    idf: Mapping[str, float],
) -> NDArray[np.float64]:
    """For each case the share of the query's identifiers that it contains, by idf, in [0, 1].

    `postings` gives the cases that contain each identifier of the query; identifiers without
    any case, or without an idf, do not count. All 0 when the query has no identifier.

    >>> exact_matches([1, 2], {"ora-01555": {1}, "tb-7": {1, 2}}, {"ora-01555": 3.0, "tb-7": 1.0})
    array([1.  , 0.25])
    """
    known = {term: set(cases) for term, cases in sorted(postings.items()) if cases and term in idf}
    total = sum(idf[term] for term in known)
    if total <= 0.0:
        return np.zeros(len(case_ids))
    return (
        np.array(
            [sum(idf[t] for t, cases in known.items() if int(case) in cases) for case in case_ids],
            dtype=np.float64,
        )
        / total
    )
