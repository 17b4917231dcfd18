"""`kbagent route`: where a new ticket belongs, whether it will escalate, what to ask at once.

A router is fitted on the latest cases at every call: there is no model to keep up to date.
Confidence is calibrated on the latest quarter of those cases, which the fit had not seen. Below
the set confidence nothing is claimed. Does not log and does not act.
"""

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.casetable import UNRECORDED, Codes, Factor
from kbagent.core.patterns.routing import (
    NeededField,
    Past,
    Route,
    Router,
    fit_router,
    needed_fields,
    probabilities,
    route,
)
from kbagent.core.text.tokens import tokens
from kbagent.errors import UnknownHandle
from kbagent.store import cases, columns, models, passages
from kbagent.store.encoder.passages import passages as split_passages
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.learn.confidence import certain_of
from kbagent.usecases.mine.columns import (
    CUSTOMER,
    Columns,
    cohort_factors,
    factor_of,
    load_columns,
    problem_facets,
    queue_factor,
)
from kbagent.usecases.mine.emerging import Rising, emerging
from kbagent.usecases.retrieve.details import issue_titles
from kbagent.usecases.retrieve.votes import NEAREST, vote_of

MOST_PAST = 5_000
"""Latest cases that are learned from; more make the wait longer and the answer hardly better."""
FEWEST_LABELLED = 40
"""Cases with a label below which nothing could be calibrated, so nothing is predicted."""
CONFIDENT_AT = 0.6
MOST_CLASSES = 200
_PRIORITY = re.compile(r"^(priority|urgency|severity)$", re.I)

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Guess:
    """A prediction of one thing: the label, or None below the set confidence; and the others.

    `neighbours` are the nearest labelled cases, with their labels.
    """

    name: str
    label: str | None
    confidence: float
    others: tuple[tuple[str, float], ...]
    neighbours: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Routed:
    """One ticket routed. `escalation` is a calibrated probability, None when not recorded.

    `issue` is (id, title, confidence) when it is recognised; `rise` its ongoing rise; `collect`
    what its earlier cases ended up having and the text does not tell. `why` says in words what
    puts it where it is in the order of a batch; `urgency` is what that order sorts by.
    """

    text: str
    guesses: tuple[Guess, ...]
    escalation: float | None
    usual_escalation: float | None
    issue: tuple[int, str, float] | None
    rise: Rising | None
    collect: tuple[NeededField, ...]
    neighbours: tuple[tuple[str, str, float], ...]
    why: tuple[str, ...]
    urgency: float
    name: object | None = None


@dataclass(frozen=True, slots=True)
class Routes:
    """All tickets, the one to take first at the head, and what was learned from."""

    learned_from: int
    confident_at: float
    facets: tuple[str, ...]
    routed: tuple[Routed, ...]


@dataclass(frozen=True, slots=True)
class _Experience:
    """The latest cases with vectors and tokens; all rows count these cases, oldest first."""

    found: Columns
    rows: NDArray[np.intp]
    vectors: Vectors
    tokens: Sequence[Sequence[str]]

    def past(self, codes: Codes) -> tuple[Past, NDArray[np.intp]]:
        """The cases with a label as the core wants them, and their rows."""
        labels = codes[self.rows]
        own = np.flatnonzero(labels != UNRECORDED)
        moments = self.found.seconds[self.rows[own]]
        return (
            Past(
                self.vectors[own],
                [self.tokens[int(i)] for i in own],
                labels[own],
                (moments.max(initial=0) - moments) / 86_400,
            ),
            own,
        )


def routes(
    kb: KnowledgeBase,
    encoder: Encoder,
    texts: Sequence[str],
    *,
    names: Sequence[object | None] | None = None,
    by_facet: str | None = None,
    confident_at: float = CONFIDENT_AT,
) -> Routes:
    """Where each text belongs. An empty knowledge base predicts nothing.

    Raises:
        UnknownHandle: `by_facet` is no facet that a case has one value of.
    """
    connection = kb.connection
    found = load_columns(connection)
    asked = _encoded(encoder, texts)
    past = _experience(connection, found)
    factors = _factors(connection, found, by_facet)
    guesses = [_guesses(kb, past, factor, asked, texts, confident_at) for factor in factors]
    escalations, usual = _escalation(past, asked, texts)
    seen = _neighbours(kb, past, asked)
    known = _Issues(kb, found)
    made = [
        _routed(
            known,
            text,
            tuple(one[i] for one in guesses if one),
            escalations[i] if escalations is not None else None,
            usual,
            seen[i],
            names[i] if names else None,
        )
        for i, text in enumerate(texts)
    ]
    made.sort(key=lambda one: -one.urgency)
    facets = tuple(factor.name for factor, some in zip(factors, guesses, strict=True) if some)
    return Routes(int(past.rows.size), confident_at, facets, tuple(made))


def _encoded(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    return encoder.encode([split_passages("", text, encoder)[0] for text in texts])


def _experience(connection: sqlite3.Connection, found: Columns) -> _Experience:
    model = models.active(connection)
    latest = found.case_ids[-MOST_PAST:]
    if model is None or not latest.size:
        return _Experience(found, np.zeros(0, np.intp), np.zeros((0, 1), np.float32), [])
    owners, vectors = passages.of_cases(connection, model.id, sorted(latest.tolist()))
    ids, firsts = np.unique(owners, return_index=True)
    places = found.places(ids)
    order = np.argsort(places, kind="stable")
    wanted = ids[order].tolist()
    texts = {key: f"{title}\n{body}" for key, title, body in cases.texts(connection, wanted)}
    return _Experience(
        found, places[order], vectors[firsts[order]], [tokens(texts[key]) for key in wanted]
    )


def _factors(connection: sqlite3.Connection, found: Columns, by_facet: str | None) -> list[Factor]:
    """What is predicted: the queue, and the priority where one is recorded."""
    queue = queue_factor(connection, found, by_facet)
    if queue is None and by_facet is not None and found.size:
        raise UnknownHandle(handle=by_facet, hint="`kbagent show CASE` lists a case's columns.")
    made = [queue] if queue is not None else []
    for name, _ in columns.facet_names(connection):
        if _PRIORITY.match(name) and (queue is None or name != queue.name):
            factor = factor_of(connection, found, name)
            if factor is not None:
                made.append(factor)
    return made


def _guesses(
    kb: KnowledgeBase,
    past: _Experience,
    factor: Factor,
    asked: Vectors,
    texts: Sequence[str],
    confident_at: float,
) -> list[Guess]:
    """One guess per text; none when too few cases have a label or all have the same."""
    labelled, own = past.past(factor.codes)
    present, codes = np.unique(labelled.labels, return_inverse=True)
    if labelled.labels.size < FEWEST_LABELLED or not 1 < present.size <= MOST_CLASSES:
        return []
    router = _fitted(labelled, codes, present.size)
    made = route(router, asked, [tokens(text) for text in texts])
    wanted = [int(past.found.case_ids[past.rows[own[i]]]) for one in made for i in one.neighbours]
    refs = {key: case.ref for key, case in cases.by_ids(kb.connection, wanted).items()}

    def level(code: int) -> str:
        return factor.levels[int(present[code])]

    def guess(one: Route) -> Guess:
        near = [
            (refs[int(past.found.case_ids[past.rows[own[i]]])], level(int(codes[i])))
            for i in one.neighbours
        ]
        return Guess(
            factor.name,
            level(one.label) if one.confidence >= confident_at else None,
            one.confidence,
            tuple(
                (level(code), share) for code, share in ((one.label, one.confidence), *one.others)
            ),
            tuple(near),
        )

    return [guess(one) for one in made]


def _fitted(past: Past, codes: NDArray[np.integer], classes: int) -> Router:
    return fit_router(Past(past.vectors, past.tokens, codes, past.ages), classes)


def _escalation(
    past: _Experience, asked: Vectors, texts: Sequence[str]
) -> tuple[list[float] | None, float | None]:
    """The probability that each escalates, and the share that usually does."""
    labelled, _ = past.past(past.found.escalated)
    if labelled.labels.size < FEWEST_LABELLED or np.unique(labelled.labels).size < 2:
        return None, None
    router = _fitted(labelled, labelled.labels, 2)
    found = probabilities(router, asked, [tokens(text) for text in texts])
    return [float(p) for p in found[:, 1]], float(labelled.labels.mean())


def _neighbours(
    kb: KnowledgeBase, past: _Experience, asked: Vectors
) -> list[list[tuple[str, str, float, int]]]:
    """(name, title, similarity, issue id) of the cases nearest to each text."""
    if not past.rows.size:
        return [[] for _ in asked]
    similarity = asked @ past.vectors.T
    made = []
    for row in similarity:
        best = np.argsort(-row, kind="stable")[:NEAREST]
        ids = past.found.case_ids[past.rows[best]].tolist()
        kept = cases.by_ids(kb.connection, ids)
        made.append(
            [
                (kept[key].ref, kept[key].title, float(row[i]), kept[key].issue_id)
                for key, i in zip(ids, best.tolist(), strict=True)
            ]
        )
    return made


class _Issues:
    """What is known of issues, read when the first text is recognised as one of them."""

    def __init__(self, kb: KnowledgeBase, found: Columns) -> None:
        self._kb = kb
        self._found = found
        self._rising: list[Rising] | None = None
        self._fields: list[Factor] | None = None
        self._certain = certain_of(kb)

    def recognised(
        self, near: Sequence[tuple[str, str, float, int]]
    ) -> tuple[int, str, float] | None:
        """The issue that the neighbours speak for, when that is confident."""
        if not near:
            return None
        votes = vote_of([one[2] for one in near], [one[3] for one in near])
        confidence = self._certain.confidence(votes)
        issue_id = votes.winner.issue
        if confidence < self._certain.threshold or issue_id < 0:
            return None
        return issue_id, issue_titles(self._kb, [issue_id]).get(issue_id, ""), confidence

    def rise(self, issue_id: int) -> Rising | None:
        """Its rise, if it lasts."""
        if self._rising is None:
            self._rising = list(emerging(self._kb, only_issues=True).rising)
        own = [one for one in self._rising if one.issue_id == issue_id and one.ended is None]
        return own[0] if own else None

    def collect(self, issue_id: int, text: str) -> tuple[NeededField, ...]:
        """The fields that its resolved cases have and that this text does not tell."""
        if self._fields is None:
            every = cohort_factors(self._kb.connection, self._found)
            about = problem_facets(self._found, every)
            self._fields = [
                one for one in every if one.name not in about and not CUSTOMER.search(one.name)
            ]
        rows = np.flatnonzero((self._found.issue == issue_id) & (self._found.reopened >= 0))
        names = [one.name for one in self._fields]
        if not rows.size or not names:
            return ()
        filled = np.stack([one.codes[rows] != UNRECORDED for one in self._fields], axis=1)
        told = text.casefold()
        already = {one.name for one in self._fields if _is_told(one, told)}
        return tuple(needed_fields(names, filled, frozenset(already)))


def _is_told(factor: Factor, text: str) -> bool:
    """Whether one of its values stands in the text as a word of its own."""
    return any(
        re.search(rf"(?<!\w){re.escape(level.casefold())}(?!\w)", text) for level in factor.levels
    )


def _routed(
    known: _Issues,
    text: str,
    guesses: tuple[Guess, ...],
    escalation: float | None,
    usual: float | None,
    near: Sequence[tuple[str, str, float, int]],
    name: object | None,
) -> Routed:
    issue = known.recognised(near)
    rise = known.rise(issue[0]) if issue else None
    why = []
    if rise is not None:
        why.append("belongs to a problem that is rising now")
    if escalation is not None and usual and escalation >= 2 * usual:
        why.append(f"escalates {escalation / usual:.1f} times as often as usual")
    return Routed(
        text=text,
        guesses=guesses,
        escalation=escalation,
        usual_escalation=usual,
        issue=issue,
        rise=rise,
        collect=known.collect(issue[0], text) if issue else (),
        neighbours=tuple(one[:3] for one in near[:3]),
        why=tuple(why),
        urgency=(1.0 if rise is not None else 0.0) + (escalation or 0.0),
        name=name,
    )
