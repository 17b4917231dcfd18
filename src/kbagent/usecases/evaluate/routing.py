"""`kbagent evaluate --routing`: would each case of the later half have gone where it went?

Goes forward in time in blocks: fitted on what lay before a block, it answers that block's cases,
of which the earlier ones are followed as in `kbagent route`. Each fit reads the latest
`FEWEST_PAST` cases before it, fewer than `route` does, so that it is done in minutes. A label
counts as known from the part of a block after its own, though a queue may have been set right
later than that, which is not recorded. Beside it what the most frequent label so far would have
got.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.casetable import Factor
from kbagent.core.patterns.marking import Answers, Marks, marks
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.evaluate.replay import Progress
from kbagent.usecases.mine.columns import load_columns
from kbagent.usecases.mine.experience import (
    FEWEST_LABELLED,
    FEWEST_PAST,
    MOST_CLASSES,
    Experience,
    Rows,
    escalation_factor,
    experience_of,
)
from kbagent.usecases.mine.roles import Column, predicted_roles
from kbagent.usecases.mine.routers import FacetRouter, fitted, trained_further

CONFIDENT_AT = 0.6
EARLIER = 0.5
"""Share of the history that is only learned from."""
BLOCKS = 4
"""How many times it is fitted again on the way."""
STEPS = 4
"""Parts of a block: the cases of the parts before are followed."""
FEWEST_ASKED = 20


@dataclass(frozen=True, slots=True)
class Replayed:
    """One facet replayed: how good the answers were, and those of the most frequent label.

    `columns` are those that it is read from, none for escalation.
    """

    name: str
    labels: int
    learned_from: int
    first: datetime
    last: datetime
    marks: Marks
    majority: Marks
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class Missing:
    """A facet that cannot be replayed, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class RoutingReplay:
    """All facets; `cases` is how many have a vector, `confident_at` where answers begin."""

    cases: int
    confident_at: float
    replayed: tuple[Replayed, ...]
    missing: tuple[Missing, ...]


def _untold(done: int, total: int) -> None:
    """Nobody is told how far it is."""


def replay_routing(
    kb: KnowledgeBase,
    by_facet: str | None = None,
    confident_at: float = CONFIDENT_AT,
    progress: Progress = _untold,
) -> RoutingReplay:
    """Every facet that can be predicted, and escalation. `progress` is told of the cases asked.

    Raises:
        UnknownHandle: `by_facet` is no facet that a case has one value of.
    """
    found = load_columns(kb.connection)
    past = experience_of(kb.connection, found)
    roles = predicted_roles(kb.connection, found, by_facet)
    fields = [(one.factor, one.columns) for one in roles] + [(escalation_factor(found), ())]
    missing = [] if roles else [Missing("queue", "no facet of the cases names one")]
    asked = []
    for factor, columns in fields:
        rows = _labelled(past, factor)
        why = _too_little(past, factor, rows)
        if why:
            missing.append(Missing(factor.name, why))
        else:
            asked.append((factor, columns, rows))
    if asked:
        named = ", ".join(factor.name for factor, *_ in asked)
        kb.notify(f"replaying {named} over {max(rows.size for *_, rows in asked):,} cases …")
    total = sum(rows.size - _begin(rows) for *_, rows in asked)
    replayed: list[Replayed] = []
    done = 0

    def told(count: int) -> None:
        progress(count, total)

    if asked:
        told(0)  # from here on it is counted how long it takes, not from when reading began
    for factor, columns, rows in asked:
        made = _replayed(past, factor, rows, confident_at, partial(_further, told, done))
        replayed.append(replace(made, columns=columns))
        done += rows.size - _begin(rows)
    return RoutingReplay(past.size, confident_at, tuple(replayed), tuple(missing))


def _further(told: Callable[[int], None], before: int, done: int) -> None:
    told(before + done)


def _begin(rows: Rows) -> int:
    """How many of these cases are only learned from."""
    return int(rows.size * EARLIER)


def _labelled(past: Experience, factor: Factor) -> Rows:
    return np.flatnonzero(factor.codes[past.places] >= 0)


def _too_little(past: Experience, factor: Factor, rows: Rows) -> str:
    """Why this facet cannot be replayed, "" when it can."""
    least = int((FEWEST_LABELLED + FEWEST_ASKED) / EARLIER)
    if rows.size < least:
        return f"{rows.size} cases say it, {least} are needed"
    classes = np.unique(factor.codes[past.places[rows]]).size
    if classes < 2:
        return "all cases say the same"
    return f"{classes} values are too many" if classes > MOST_CLASSES else ""


def _replayed(
    past: Experience,
    factor: Factor,
    rows: Rows,
    confident_at: float,
    told: Callable[[int], None],
) -> Replayed:
    begin = _begin(rows)
    blocks = [b for b in np.array_split(np.arange(begin, rows.size), BLOCKS) if b.size]
    ours, usual, router = [], [], None
    for block in blocks:
        before = rows[: int(block[0])]
        learned = before[-FEWEST_PAST:]
        usual.append(_most_frequent(past, factor, learned, rows[block]))
        if np.unique(factor.codes[past.places[learned]]).size < 2:
            ours.append(usual[-1])
            continue
        now = fitted(past, factor, learned, router)
        answers, router = _block(now, rows[block], partial(_further, told, int(block[0]) - begin))
        ours += answers
    at = past.found.at
    return Replayed(
        factor.name,
        int(np.unique(factor.codes[past.places[rows]]).size),
        begin,
        at(int(past.places[rows[begin]])),
        at(int(past.places[rows[-1]])),
        marks(Answers.joined(ours), confident_at),
        marks(Answers.joined(usual), confident_at),
    )


def _block(
    router: FacetRouter, asked: Rows, told: Callable[[int], None]
) -> tuple[list[Answers], FacetRouter]:
    """The parts of the block answered in turn, and the router that has followed all of them."""
    past, made, followed = router.past, [], router
    for part in np.array_split(np.arange(asked.size), STEPS):
        if not part.size:
            continue
        rows = asked[part]
        p = followed.forecast(past.vectors[rows], past.tokens(rows)).probabilities
        made.append(_answers(past, router.factor, rows, p.argmax(axis=1), p.max(axis=1)))
        followed = trained_further(router, asked[: int(part[-1]) + 1])
        told(int(part[-1]) + 1)
    return made, followed


def _most_frequent(past: Experience, factor: Factor, learned: Rows, asked: Rows) -> Answers:
    counts = np.bincount(factor.codes[past.places[learned]], minlength=len(factor.levels))
    best, share = int(counts.argmax()), float(counts.max() / max(counts.sum(), 1))
    answer = np.full(asked.size, best, dtype=np.int64)
    return _answers(past, factor, asked, answer, np.full(asked.size, share))


def _answers(
    past: Experience,
    factor: Factor,
    rows: Rows,
    answer: NDArray[np.integer],
    confidence: NDArray[np.float64],
) -> Answers:
    return Answers(factor.codes[past.places[rows]], answer, confidence)
