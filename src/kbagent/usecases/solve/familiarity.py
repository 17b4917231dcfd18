"""How familiar a problem is: the novelty of a query, against what is stored.

The scatters, densities and word counts that novelty needs are computed once and kept in
`index/acquaintance-*`, a disposable folder; it is made again when the knowledge base has grown by
a fifth. What is newer counts as it was not there, except for its similarity.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kbagent.core.text.tokens import identifiers, tokens
from kbagent.core.verification.calibration import sigmoid
from kbagent.core.verification.kinship import Kinship
from kbagent.core.verification.novelty import (
    DEFAULT_NOVELTY,
    NEAREST,
    Neighbours,
    NoveltyModel,
    fit_novelty,
    observe,
    rescaled,
    threshold_at,
)
from kbagent.core.verification.rehearsal import History, refer, rehearse
from kbagent.core.verification.words import Words
from kbagent.store import cases, issues, models, passages
from kbagent.store.index import acquaintance
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.retrieve.matching import Matches

GROWTH = 1.2  # cases since it was made, before it is made again
FEWEST_CASES = 60  # below, nothing can be said of what is usual here
MOST_REHEARSED = 2_000  # cases of whole issues; a rehearsal of them takes about four seconds
OWN_FROM = 400  # known problems rehearsed, from which the weights are this knowledge base's own
REFUSED = 0.05  # share of known problems that may be called new
_CLOSE = 2 * NEAREST  # neighbours looked at


@dataclass(frozen=True, slots=True)
class Familiarity:
    """What is known of what is usual: the arrays, and the model with its threshold."""

    arrays: Mapping[str, npt.NDArray[Any]]
    model: NoveltyModel
    most: float


@dataclass(frozen=True, slots=True)
class Novelty:
    """p(new) of one query, from which value it is called new, and what each signal adds."""

    probability: float
    most: float
    signals: tuple[tuple[str, float], ...] = ()


UNKNOWN = Novelty(0.0, 1.0)
"""Too little is stored to call anything new."""


def familiarity_of(
    kb: KnowledgeBase, *, refresh: bool = False, make: bool = True
) -> Familiarity | None:
    """What is kept, made first when it is missing or outgrown; None below `FEWEST_CASES`.

    With `make` false nothing is made, and None says that there is nothing to use.
    """
    model = models.active(kb.connection)
    count = _size(kb)
    if model is None or count < FEWEST_CASES:
        return None
    facts = acquaintance.facts_of(kb.index_folder)
    usable = facts is not None and facts["model"] == model.id and count < GROWTH * facts["cases"]
    arrays = acquaintance.load(kb.index_folder, facts) if usable and facts else None
    if arrays is None and not make:
        return None
    if arrays is None or refresh:
        kb.notify("learning what is usual here …")
        facts = _make(kb, model.id)
        arrays = acquaintance.load(kb.index_folder, facts)
        if arrays is None:
            return None
    assert facts is not None  # noqa: S101 -- read or made just now
    stored = facts["novelty"]
    weights, intercept, means, spreads = stored["model"]
    novelty = NoveltyModel(tuple(weights), intercept, tuple(means), tuple(spreads))
    return Familiarity(arrays, novelty, stored["most"])


def _size(kb: KnowledgeBase) -> int:
    """About how many cases there are: the highest id, which costs nothing to look up."""
    row = kb.connection.execute("SELECT coalesce(max(id), 0) FROM cases").fetchone()
    return int(row[0])


def is_ready(kb: KnowledgeBase) -> bool:
    """Whether what is kept is still good enough, or there is too little to learn from."""
    model = models.active(kb.connection)
    count = _size(kb)
    facts = acquaintance.facts_of(kb.index_folder)
    if model is None or count < FEWEST_CASES:
        return True
    return facts is not None and facts["model"] == model.id and count < GROWTH * facts["cases"]


def novelty_of(kb: KnowledgeBase, known: Familiarity | None, found: Matches, text: str) -> Novelty:
    """How new the problem is, from the candidates of a search."""
    if known is None or found.likeness is None or not found.terms:
        return UNKNOWN
    nearest = sorted(found.terms, key=lambda terms: (-terms.similarity, terms.case_id))
    similar = [(terms.case_id, terms.similarity) for terms in nearest]
    return novelty_among(kb, known, found.likeness.query, similar, text)


def novelty_among(
    kb: KnowledgeBase,
    known: Familiarity,
    query: npt.NDArray[np.floating],
    similar: Sequence[tuple[int, float]],
    text: str,
) -> Novelty:
    """How new the problem is: its vector, (1, d), and the cases most similar to it, falling."""
    nearest = similar[:_CLOSE]
    placed = issues.memberships(kb.connection, [case_id for case_id, _ in nearest])
    owners = [placed[case_id].issue_id if case_id in placed else -case_id for case_id, _ in nearest]
    case_ids = np.array([case_id for case_id, _ in nearest], dtype=np.int64)
    near = Neighbours(
        np.array([[similarity for _, similarity in nearest]]),
        np.array([owners], dtype=np.int64),
        _densities(known, case_ids)[None, :],
    )
    wanted = frozenset(identifiers(text))
    words = _words(known, tokens(text), owners)
    signals = observe(
        query[:1].astype(np.float64),
        [sorted(set(tokens(text)))],
        near,
        _kinship(known, owners),
        words,
        [(len(wanted), _identifiers_known(known, wanted, owners))],
    )
    logit = float(known.model.logits(signals)[0])
    most = known.most
    return Novelty(
        probability=float(sigmoid(np.array([logit]))[0]),
        most=float(sigmoid(np.array([most]))[0]),
        signals=tuple(known.model.contributions(signals[0]).items()),
    )


def _densities(known: Familiarity, case_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """How near each is to its own kind; the usual density for cases newer than what is kept."""
    ids, density = known.arrays["cases"], known.arrays["density"]
    place = np.minimum(np.searchsorted(ids, case_ids), len(ids) - 1)
    usual = float(known.arrays["usual_density"][0])
    return np.where(ids[place] == case_ids, density[place], usual)


def _kinship(known: Familiarity, owners: Sequence[int]) -> Kinship:
    arrays = known.arrays
    wanted = np.unique(np.array(owners, dtype=np.int64))
    place = np.minimum(np.searchsorted(arrays["issues"], wanted), len(arrays["issues"]) - 1)
    at = np.unique(place[arrays["issues"][place] == wanted])
    at = at if len(at) else np.array([0])
    return Kinship(
        centre=np.asarray(arrays["centre"]),
        base=np.asarray(arrays["base"]),
        spread=np.asarray(arrays["spread"]),
        issues=np.asarray(arrays["issues"][at]),
        means=np.asarray(arrays["means"][at], dtype=np.float64),
        members=np.asarray(arrays["members"][at]),
    )


def _words(known: Familiarity, asked: Sequence[str], owners: Sequence[int]) -> Words:
    """The counts of the query's words alone."""
    arrays = known.arrays
    keys = {word: _key(word) for word in set(asked)}
    vocabulary = arrays["vocabulary"]
    place = {
        word: at
        for word, key in keys.items()
        if (at := int(np.searchsorted(vocabulary, key))) < len(vocabulary)
        and int(vocabulary[at]) == key
    }
    counts = {}
    for issue in set(owners):
        row = int(np.searchsorted(arrays["issues"], issue))
        if row < len(arrays["issues"]) and int(arrays["issues"][row]) == issue:
            start, end = (int(x) for x in arrays["offsets"][row : row + 2])
            here = dict(
                zip(
                    arrays["held"][start:end].tolist(),
                    arrays["holding"][start:end].tolist(),
                    strict=True,
                )
            )
            held = {word: here[at] for word, at in place.items() if at in here}
            counts[issue] = (int(arrays["members"][row]), held)
    everywhere = {word: int(arrays["everywhere"][at]) for word, at in place.items()}
    return Words(len(arrays["cases"]), everywhere, counts)


def _identifiers_known(known: Familiarity, wanted: frozenset[str], owners: Sequence[int]) -> int:
    """How many of these identifiers are on record in the neighbours' issues (all are tokens)."""
    words = _words(known, sorted(wanted), owners)
    held = {word for _, holding in words.issues.values() for word in holding}
    return len(wanted & held)


def _key(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=7).digest())


def history_of(kb: KnowledgeBase, model_id: int) -> tuple[npt.NDArray[np.int64], History]:
    """Every placed case with its first vector and its words: (case ids, history)."""
    placed = dict(
        kb.connection.execute(
            """SELECT case_id, issue_id FROM memberships JOIN cases ON cases.id = case_id
            WHERE withdrawn_at IS NULL ORDER BY case_id"""
        ).fetchall()
    )
    owners, matrix = passages.of_cases(kb.connection, model_id, sorted(placed))
    ids, first = np.unique(owners, return_index=True)
    vectors = matrix[first].astype(np.float64)
    texts = {i: f"{t}\n{b}" for i, t, b in cases.texts(kb.connection, ids.tolist())}
    history = History(
        vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12),
        np.array([placed[i] for i in ids.tolist()], dtype=np.int64),
        tuple(frozenset(tokens(texts[i])) for i in ids.tolist()),
        tuple(frozenset(identifiers(texts[i])) for i in ids.tolist()),
    )
    return ids, history


def _make(kb: KnowledgeBase, model_id: int) -> dict[str, Any]:
    """Compute and keep everything; the manifest's facts."""
    ids, history = history_of(kb, model_id)
    reference = refer(history)
    kinship, words = reference.kinship, reference.words
    rng = np.random.default_rng(0)
    model, most = _learned(history, rng)
    vocabulary, place = _vocabulary(words)
    held, holding, offsets = _postings(words, kinship.issues.tolist(), place)
    everywhere = np.zeros(len(vocabulary), dtype=np.int32)
    for word, at in place.items():
        everywhere[at] = words.holding[word]
    acquaintance.save(
        kb.index_folder,
        {
            "cases": ids,
            "density": reference.density,
            "usual_density": np.array([float(reference.density.mean())]),
            "centre": kinship.centre,
            "base": kinship.base,
            "spread": kinship.spread,
            "issues": kinship.issues,
            "means": kinship.means.astype(np.float32),
            "members": kinship.members,
            "vocabulary": vocabulary,
            "everywhere": everywhere,
            "held": held,
            "holding": holding,
            "offsets": offsets,
        },
        {
            "model": model_id,
            "cases": _size(kb),
            "stamp": f"{model_id}-{len(ids)}-{kb.clock():%Y%m%d%H%M%S%f}",
            "novelty": {
                "model": [model.weights, model.intercept, model.means, model.spreads],
                "most": most,
            },
        },
    )
    facts = acquaintance.facts_of(kb.index_folder)
    assert facts is not None  # noqa: S101 -- written just now
    return facts


def _learned(history: History, rng: np.random.Generator) -> tuple[NoveltyModel, float]:
    """The model for this knowledge base, and the logit above which a problem is called new."""
    known, new = rehearse(_sample(history, rng), rng)
    if len(known) < FEWEST_CASES or not len(new):
        return DEFAULT_NOVELTY, 3.0
    model = fit_novelty(known, new) if len(known) >= OWN_FROM else rescaled(DEFAULT_NOVELTY, known)
    return model, threshold_at(model.logits(known), REFUSED)


def _sample(history: History, rng: np.random.Generator) -> History:
    """Whole issues, at random, until there are enough cases."""
    if len(history.issues) <= MOST_REHEARSED:
        return history
    ids, counts = np.unique(history.issues, return_counts=True)
    order = rng.permutation(len(ids))
    enough = int(np.searchsorted(np.cumsum(counts[order]), MOST_REHEARSED)) + 1
    return history.at(np.flatnonzero(np.isin(history.issues, ids[order[:enough]])))


def _vocabulary(words: Words) -> tuple[npt.NDArray[np.uint64], dict[str, int]]:
    """The words' keys, ascending, and the place of each word among them."""
    keys = {word: _key(word) for word in words.holding}
    vocabulary = np.array(sorted(set(keys.values())), dtype=np.uint64)
    place = {key: at for at, key in enumerate(vocabulary.tolist())}
    return vocabulary, {word: place[key] for word, key in keys.items()}


def _postings(
    words: Words, ordered: Sequence[int], place: Mapping[str, int]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """For each issue its words and in how many of its cases each occurs, one after another."""
    held: list[int] = []
    holding: list[int] = []
    offsets = [0]
    for issue in ordered:
        counts: Counter[int] = Counter()
        for word, count in words.issues[issue][1].items():
            counts[place[word]] += count
        held.extend(counts.keys())
        holding.extend(counts.values())
        offsets.append(len(held))
    return (
        np.array(held, dtype=np.int32),
        np.array(holding, dtype=np.int32),
        np.array(offsets, dtype=np.int64),
    )
