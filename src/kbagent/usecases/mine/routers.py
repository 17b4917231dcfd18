"""A router per facet, fitted once and kept until cases have moved on.

What was fitted is kept in `index/` with the cases and labels it was fitted on. It is fitted again
when the encoder has changed, when some of those labels are others now, or when the labelled cases
have grown by `GROWTH`. Until then the newer cases are followed: their neighbours are a second
forecaster, weighed by how both have fared on the cases since (`core.patterns.drift`), so that a
queue that was renamed yesterday is known today; and confidence follows how often the answers have
come true since (`core.patterns.tempering`). What was learned by following is handed to the next
fit.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.casetable import Factor
from kbagent.core.patterns.drift import (
    RECENT_CASES,
    Trust,
    followed,
    mixed,
    recent_votes,
)
from kbagent.core.patterns.routing import (
    Past,
    Router,
    fit_router,
    likeness,
    nearest_cases,
    probabilities,
)
from kbagent.core.patterns.tempering import Temper, learned, tempered
from kbagent.core.patterns.trial import Trial, usually_reached
from kbagent.store import cases
from kbagent.store.index import keepsakes
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.mine.experience import Experience, Rows, Vectors

GROWTH = 1.05
"""Labelled cases since the fit, as a multiple, before it is fitted again."""
FEW_MORE = 50
"""Labelled cases that never make a new fit by themselves."""
CHANGED = 0.01
"""Share of labels that may be others now."""
LEAST = 1e-6
"""Probability of a label that the fit has not seen."""
STEP = 20
"""Cases followed together: each is forecast by what was known before its step."""
SHOWN = 3
MOST_TITLES = 400
"""Latest held-back cases whose titles are encoded by themselves, a second or two."""
ROUNDING = 1e-5
"""Of a similarity: sums of float32 products differ in the last bits with the number of rows."""

Floats = NDArray[np.float64]
Tokens = Sequence[Sequence[str]]
Encode = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True, slots=True)
class Forecast:
    """Probabilities of every label, text x label; and the nearest labelled cases, rows.

    `unlike` says which texts are less similar to what is stored than cases usually are.
    """

    probabilities: Floats
    nearest: NDArray[np.intp]
    unlike: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FacetRouter:
    """A fitted router with the labels it knows, and the cases since.

    `own` are the rows it was fitted on, `newer` the labelled rows since; `trust` and `temper` what
    the newer ones made of it.
    """

    factor: Factor
    router: Router
    present: NDArray[np.int64]
    past: Experience
    own: Rows
    newer: Rows
    trust: Trust
    temper: Temper

    @property
    def is_followed(self) -> bool:
        """Whether the latest cases count more than the fit: the labels have changed lately."""
        return self.trust.router < 0.5

    def forecast(self, vectors: Vectors, texts: Tokens) -> Forecast:
        """What each text will be, by the fit and by what is newer."""
        fitted = _spread(self.router, self.present, len(self.factor.levels), vectors, texts)
        every = np.concatenate((self.own, self.newer))
        recent = every[-RECENT_CASES:]
        votes = recent_votes(
            vectors, self.past.vectors[recent], _codes(self.past, self.factor, recent),
            len(self.factor.levels),
        )  # fmt: skip
        mix = tempered(self.temper, mixed(self.trust, fitted, votes))
        near = nearest_cases(vectors, self.past.vectors[every], SHOWN)
        return Forecast(mix, every[near], self._unlike(vectors, every))

    def _unlike(self, vectors: Vectors, every: Rows) -> NDArray[np.bool_]:
        trial = self.router.trial
        if trial is None:
            return np.zeros(vectors.shape[0], dtype=bool)
        return likeness(vectors, self.past.vectors[every]) < trial.similar - ROUNDING


def router_of(
    kb: KnowledgeBase, past: Experience, factor: Factor, encode: Encode | None = None
) -> FacetRouter:
    """The router of a facet that can be learned: what is kept, or a new fit.

    With `encode` a new fit also learns how alike texts as short as a title usually are.
    """
    rows = past.labelled(factor.codes)
    kept = _kept(kb, past, factor, rows)
    if kept is not None and not _is_outgrown(kept):
        return kept
    kb.notify(f"learning {factor.name} from {rows.size:,} cases …")
    made = fitted(past, factor, rows, kept)
    made = made if encode is None else _told_by_titles(made, encode)
    _keep(kb, made)
    return made


def fitted(
    past: Experience, factor: Factor, rows: Rows, before: FacetRouter | None = None
) -> FacetRouter:
    """A router fitted on these rows; nothing is newer. `before` is the one that was followed."""
    present, codes = np.unique(_codes(past, factor, rows), return_inverse=True)
    router = fit_router(past.past(rows, codes), present.size)
    trust, temper = (before.trust, before.temper) if before else (Trust(), Temper())
    return FacetRouter(
        factor, router, present.astype(np.int64), past, rows, rows[:0], trust, temper
    )  # fmt: skip


def _is_outgrown(one: FacetRouter) -> bool:
    return one.newer.size > max(FEW_MORE, (GROWTH - 1) * one.own.size)


def _told_by_titles(one: FacetRouter, encode: Encode) -> FacetRouter:
    """The same, a text counting as like the stored ones also when titles are no more like them.

    A ticket is often asked about in a line, which is less similar to whole cases than these are.
    """
    trial, past = one.router.trial, one.past
    if trial is None:
        return one
    early, late = one.own[: -trial.cases], one.own[-trial.cases :][-MOST_TITLES:]
    ids = sorted(past.found.case_ids[past.places[late]].tolist())
    titles = [title for _, title, _ in cases.texts(past.connection, ids) if title.strip()]
    if not titles:
        return one
    usual = usually_reached(likeness(encode(titles), past.vectors[early]))
    found = replace(trial, similar=min(trial.similar, usual))
    return replace(one, router=replace(one.router, trial=found))


def trained_further(one: FacetRouter, newer: Rows) -> FacetRouter:
    """The same fit, having followed these newer labelled rows, in order of time."""
    past, factor, levels = one.past, one.factor, len(one.factor.levels)
    every = np.concatenate((one.own, newer))
    labels, trust, temper = _codes(past, factor, every), one.trust, one.temper
    first = max(one.own.size, every.size - RECENT_CASES)
    for start in range(first, every.size, STEP):
        now = slice(start, min(start + STEP, every.size))
        before = slice(max(0, start - RECENT_CASES), start)
        vectors = past.vectors[every[now]]
        mine = _spread(one.router, one.present, levels, vectors, past.tokens(every[now]))
        votes = recent_votes(vectors, past.vectors[every[before]], labels[before], levels)
        temper = learned(temper, mixed(trust, mine, votes), labels[now])
        trust = followed(trust, mine, votes, labels[now])
    return replace(one, newer=newer, trust=trust, temper=temper)


def _codes(past: Experience, factor: Factor, rows: Rows) -> NDArray[np.integer]:
    return factor.codes[past.places[rows]]


def _spread(
    router: Router, present: NDArray[np.int64], levels: int, vectors: Vectors, texts: Tokens
) -> Floats:
    """The router's probabilities over all labels, those it has not seen included."""
    p = np.full((vectors.shape[0], levels), LEAST)
    p[:, present] += probabilities(router, vectors, texts)
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def _keep(kb: KnowledgeBase, one: FacetRouter) -> None:
    router, past = one.router, one.past
    ordered = sorted(router.vocabulary, key=router.vocabulary.__getitem__)
    facts: dict[str, Any] = {
        "model": past.model_id,
        "vocabulary": ordered,
        "labels": [one.factor.levels[int(code)] for code in one.present],
        "trial": asdict(router.trial) if router.trial is not None else None,
        "trust": asdict(one.trust),
        "temper": asdict(one.temper),
    }
    arrays = {
        "cases": past.found.case_ids[past.places[one.own]],
        "codes": np.asarray(router.past.labels),
        "weights": router.weights,
        "intercept": router.intercept,
        "token_weights": router.token_weights,
        "log_prior": router.log_prior,
        "pool": router.pool,
        "offsets": router.offsets,
    }
    keepsakes.save(kb.index_folder, f"router of {one.factor.name}", arrays, facts)


def _kept(kb: KnowledgeBase, past: Experience, factor: Factor, rows: Rows) -> FacetRouter | None:
    """What is kept, when it still fits these cases; they may have outgrown it."""
    found = keepsakes.load(kb.index_folder, f"router of {factor.name}")
    if found is None or found[1].get("model") != past.model_id or "temper" not in found[1]:
        return None
    arrays, facts = found
    code = {level: i for i, level in enumerate(factor.levels)}
    if any(label not in code for label in facts["labels"]):
        return None
    present = np.array([code[label] for label in facts["labels"]], dtype=np.int64)
    own = _rows_of(past, arrays["cases"])
    there = own >= 0
    same = np.zeros(own.size, dtype=bool)
    same[there] = _codes(past, factor, own[there]) == present[arrays["codes"][there]]
    newer = rows[rows > own.max(initial=-1)]
    known = np.isin(rows, own).sum() + newer.size
    if same[there].sum() < (1 - CHANGED) * there.sum() or there.sum() < own.size / 2:
        return None
    if known < (1 - CHANGED) * rows.size:
        return None
    router = _router(arrays, facts, past, own[there], arrays["codes"][there])
    trust, temper = Trust(**facts["trust"]), Temper(**facts["temper"])
    one = FacetRouter(factor, router, present, past, own[there], newer, trust, temper)
    return trained_further(one, newer)


def _router(
    arrays: keepsakes.Arrays,
    facts: dict[str, Any],
    past: Experience,
    own: Rows,
    codes: NDArray[np.integer],
) -> Router:
    return Router(
        classes=len(facts["labels"]),
        weights=arrays["weights"],
        intercept=arrays["intercept"],
        vocabulary={token: i for i, token in enumerate(facts["vocabulary"])},
        token_weights=arrays["token_weights"],
        log_prior=arrays["log_prior"],
        past=Past(past.vectors[own], [], codes, np.zeros(own.size)),
        pool=arrays["pool"],
        offsets=arrays["offsets"],
        trial=Trial(**facts["trial"]) if facts["trial"] is not None else None,
    )


def _rows_of(past: Experience, case_ids: NDArray[np.int64]) -> Rows:
    """The row of each case, −1 where it is no longer among the latest."""
    row = np.full(past.found.size + 1, -1, dtype=np.intp)
    row[past.places] = np.arange(past.size)
    return row[past.found.places(case_ids)]
