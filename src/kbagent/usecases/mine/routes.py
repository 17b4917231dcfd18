"""`kbagent route`: where a new ticket belongs, whether it will escalate, what to ask at once.

The router of each facet is kept and fitted again when cases have moved on (`routers`). Confidence
is calibrated on the latest quarter of what was fitted, which the experts had not seen. Below the
set confidence nothing is claimed, nor where the router was no better on that quarter than always
naming the most frequent value, nor of a text that is unlike what is stored. Does not log and does
not act.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.casetable import UNRECORDED, Codes, Factor
from kbagent.core.patterns.routing import NeededField, needed_fields
from kbagent.core.text.tokens import tokens
from kbagent.model.ticket import Ticket
from kbagent.store import cases
from kbagent.store.encoder.passages import passages as split_passages
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.mine.columns import (
    CUSTOMER,
    Columns,
    cohort_factors,
    load_columns,
    problem_facets,
)
from kbagent.usecases.mine.emerging import Rising, emerging
from kbagent.usecases.mine.experience import (
    ESCALATION,
    FEWEST_LABELLED,
    Experience,
    Rows,
    can_be_learned,
    escalation_factor,
    experience_of,
)
from kbagent.usecases.mine.patterns import known_signs, level_names
from kbagent.usecases.mine.precedent import Precedent, precedent_of
from kbagent.usecases.mine.recognition import Recogniser
from kbagent.usecases.mine.roles import Column, predicted_roles, queue_role
from kbagent.usecases.mine.routers import Encode, FacetRouter, router_of
from kbagent.usecases.mine.signs import Sign
from kbagent.usecases.retrieve.votes import Relatives

CONFIDENT_AT = 0.6
SHOWN = 4
"""Labels that a guess names, with their probabilities."""
NEIGHBOURS = 3
"""Nearest cases that are named."""
OFTEN = 2.0
"""Times the usual probability of escalation from which a ticket is taken sooner for it."""

__all__ = ["FEWEST_LABELLED", "Guess", "Routed", "Routes", "Ticket", "routes"]

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """How the router did on the latest `cases`, as shares, beside always naming `usual`.

    `better` is whether the gain is beyond chance: of the labels, for escalation of the probability.
    """

    cases: int
    right: float
    usual: str
    usual_right: float
    better: bool


@dataclass(frozen=True, slots=True)
class Guess:
    """A prediction of one thing: the label, or None where nothing is claimed; and the others.

    `neighbours` are the nearest labelled cases, with their labels. `followed` is true when labels
    have changed since the fit, so that the latest cases count more than it. `unlike` is true when
    the text is less similar to the labelled cases than cases usually are. `is_queue` is true of the
    facet that is taken for the queue.
    """

    name: str
    label: str | None
    confidence: float
    others: tuple[tuple[str, float], ...]
    neighbours: tuple[tuple[str, str], ...]
    followed: bool = False
    held_out: HeldOut | None = None
    unlike: bool = False
    is_queue: bool = False


@dataclass(frozen=True, slots=True)
class Routed:
    """One ticket routed. `escalation` is a calibrated probability, None when not recorded.

    `unlike` is true when the text is unlike all that is stored: then nothing is said of it.

    `issue` is (id, title, confidence) when it is recognised; `precedent` what became of its
    earlier cases, which is no forecast; `rise` its ongoing rise; `collect`
    what its earlier cases ended up having and the text does not tell. `signs` are the patterns
    of all cases that the ticket shows, strongest first. `why` says in words what
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
    unlike: bool = False
    precedent: Precedent | None = None
    signs: tuple[Sign, ...] = ()


@dataclass(frozen=True, slots=True)
class Routes:
    """All tickets, the one to take first at the head, and what was learned from.

    `escalation` is how the probabilities of escalation did, None when none could be learned.
    `queue` is the field that is the queue. `columns` are those that each field is read from.
    `names` says what the issues and resolutions that signs speak of are called.
    """

    learned_from: int
    confident_at: float
    facets: tuple[str, ...]
    routed: tuple[Routed, ...]
    escalation: HeldOut | None = None
    queue: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[tuple[str, tuple[Column, ...]], ...] = ()


def routes(
    kb: KnowledgeBase,
    encoder: Encoder,
    tickets: Sequence[Ticket],
    *,
    by_facet: str | None = None,
    confident_at: float = CONFIDENT_AT,
) -> Routes:
    """Where each ticket belongs. An empty knowledge base predicts nothing.

    Raises:
        UnknownHandle: `by_facet` is no facet that a case has one value of.
    """
    connection = kb.connection
    found = load_columns(connection)
    encode = partial(_encoded, encoder)
    texts = [one.text for one in tickets]
    asked = encode(texts)
    words = [tokens(text) for text in texts]
    past = experience_of(connection, found)
    queue = queue_role(connection, found, by_facet)
    roles = [
        one
        for one in predicted_roles(connection, found, by_facet)
        if can_be_learned(one.factor.codes, past)
    ]
    routers = [router_of(kb, past, one.factor, encode) for one in roles]
    queued = queue.name if queue is not None else None
    guesses = [
        [replace(made, is_queue=made.name == queued) for made in own]
        for own in (_guesses(kb, one, asked, words, confident_at) for one in routers)
    ]
    escalating = _escalation(kb, past, asked, words, encode)
    seen = _neighbours(kb, past, asked)
    recogniser = Recogniser(kb, past)
    known = _Issues(kb, found, recogniser.relatives, queue.factor if queue else None, confident_at)
    patterned, now = known_signs(kb, found), kb.clock()
    made = [
        _routed(
            known,
            ticket,
            tuple(one[i] for one in guesses),
            escalating.of(i) if escalating else None,
            seen[i],
            recogniser.issue_of(ticket.text, asked[i]),
            patterned.of(ticket.text, ticket.facets, now),
        )
        for i, ticket in enumerate(tickets)
    ]
    made.sort(key=lambda one: -one.urgency)
    learned = max((one.own.size + one.newer.size for one in routers), default=past.size)
    return Routes(
        int(learned),
        confident_at,
        tuple(one.name for one in roles),
        tuple(made),
        escalating.held_out if escalating else None,
        queued,
        level_names(kb, {(s.consequent, s.level) for one in made for s in one.signs}),
        tuple((one.name, one.columns) for one in roles),
    )


def _encoded(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    return encoder.encode([split_passages("", text, encoder)[0] for text in texts])


def _guesses(
    kb: KnowledgeBase,
    router: FacetRouter,
    asked: Vectors,
    words: Sequence[Sequence[str]],
    confident_at: float,
) -> list[Guess]:
    """One guess per text."""
    forecast = router.forecast(asked, words)
    factor, past = router.factor, router.past
    held_out = _held_out(router)
    believed = held_out is None or held_out.better
    places = past.places[forecast.nearest]
    ids = past.found.case_ids[places]
    refs = {key: one.ref for key, one in cases.by_ids(kb.connection, ids.ravel().tolist()).items()}

    def level(code: int) -> str:
        return factor.levels[code]

    made = []
    for p, near, own, unlike in zip(
        forecast.probabilities, places, ids, forecast.unlike.tolist(), strict=True
    ):
        order = np.argsort(-p, kind="stable")[:SHOWN]
        likely = tuple((level(int(code)), float(p[code])) for code in order)
        label, confidence = likely[0]
        named = tuple(
            (refs[int(one)], level(int(factor.codes[place])))
            for one, place in zip(own, near, strict=True)
        )
        told = label if confidence >= confident_at and believed and not unlike else None
        made.append(
            Guess(
                factor.name, told, confidence, likely, named, router.is_followed, held_out, unlike
            )
        )
    return made


def _held_out(router: FacetRouter, *, of_probabilities: bool = False) -> HeldOut | None:
    """How the router did on the cases it was tried on."""
    trial = router.router.trial
    if trial is None:
        return None
    usual = router.factor.levels[int(router.present[trial.usual])]
    better = (trial.sharper if of_probabilities else trial.gain) > 0
    return HeldOut(trial.cases, trial.right, usual, trial.usual_right, better)


@dataclass(frozen=True, slots=True)
class _Escalation:
    """Of one text: the probability that it escalates, the usual one, whether it tells anything."""

    probability: float
    usual: float
    better: bool
    unlike: bool


@dataclass(frozen=True, slots=True)
class _Escalations:
    """Of all texts, with how the probabilities did on the cases they were tried on."""

    probabilities: Sequence[float]
    unlike: Sequence[bool]
    usual: float
    held_out: HeldOut | None

    def of(self, i: int) -> _Escalation:
        better = self.held_out is None or self.held_out.better
        return _Escalation(self.probabilities[i], self.usual, better, self.unlike[i])


def _escalation(
    kb: KnowledgeBase,
    past: Experience,
    asked: Vectors,
    words: Sequence[Sequence[str]],
    encode: Encode,
) -> _Escalations | None:
    """The probability that each escalates, and the share that usually does."""
    factor = escalation_factor(past.found)
    if not can_be_learned(factor.codes, past):
        return None
    router = router_of(kb, past, factor, encode)
    found = router.forecast(asked, words)
    own = factor.codes[past.places[past.labelled(factor.codes)]]
    return _Escalations(
        found.probabilities[:, 1].tolist(),
        found.unlike.tolist(),
        float((own == 1).mean()),
        _held_out(router, of_probabilities=True),
    )


def _neighbours(
    kb: KnowledgeBase, past: Experience, asked: Vectors
) -> list[list[tuple[str, str, float]]]:
    """(name, title, similarity) of the cases nearest to each text."""
    if not past.size:
        return [[] for _ in asked]
    similarity = asked @ past.vectors.T
    made = []
    for row in similarity:
        best = np.argsort(-row, kind="stable")[:NEIGHBOURS]
        ids = past.found.case_ids[past.places[best]].tolist()
        kept = cases.by_ids(kb.connection, ids)
        made.append(
            [
                (kept[key].ref, kept[key].title, float(row[i]))
                for key, i in zip(ids, best.tolist(), strict=True)
            ]
        )
    return made


class _Issues:
    """What is known of issues, read when the first text is recognised as one of them."""

    def __init__(
        self,
        kb: KnowledgeBase,
        found: Columns,
        relatives: Relatives,
        queue: Factor | None,
        confident_at: float,
    ) -> None:
        self._kb = kb
        self._found = found
        self._relatives = relatives
        self._queue = queue
        self._confident_at = confident_at
        self._rising: list[Rising] | None = None
        self._fields: list[Factor] | None = None

    def precedent(self, issue_id: int) -> Precedent | None:
        """What became of its earlier cases and those of its relatives."""
        near = self._relatives.get(issue_id, frozenset()) - {issue_id}
        pooled = (issue_id, *sorted(near))
        return precedent_of(self._found, pooled, self._queue, self._confident_at)

    def rise(self, issue_id: int) -> Rising | None:
        """Its rise, if it lasts."""
        if self._rising is None:
            self._rising = list(emerging(self._kb, only_issues=True).rising)
        own = [one for one in self._rising if one.issue_id == issue_id and one.ended is None]
        return own[0] if own else None

    def collect(self, issue_id: int, ticket: Ticket) -> tuple[NeededField, ...]:
        """The fields that its resolved cases have, others less often; not what is told already."""
        if self._fields is None:
            every = cohort_factors(self._kb.connection, self._found)
            about = problem_facets(self._found, every)
            self._fields = [
                one for one in every if one.name not in about and not CUSTOMER.search(one.name)
            ]
        closed = self._found.reopened >= 0
        rows = np.flatnonzero((self._found.issue == issue_id) & closed)
        names = [one.name for one in self._fields]
        if not rows.size or not names:
            return ()
        filled = np.stack([one.codes[rows] != UNRECORDED for one in self._fields], axis=1)
        told, given = ticket.text.casefold(), {name.casefold() for name, _ in ticket.facets}
        already = {
            one.name for one in self._fields if one.name.casefold() in given or _is_told(one, told)
        }
        other = np.flatnonzero((self._found.issue != issue_id) & closed)
        usual = [
            _usually_filled(self._found.system.codes, one, rows, other) for one in self._fields
        ]
        return tuple(needed_fields(names, filled, frozenset(already), usual=usual))


def _usually_filled(system: Codes, factor: Factor, rows: Rows, other: Rows) -> float:
    """The share of other cases with this field, in the systems that these cases came from.

    A system fills its own fields, whatever the problem. Where it has no other cases nothing shows
    that these needed the field: 1.
    """
    width = int(system.max(initial=0)) + 1
    cases = np.bincount(system[other], minlength=width)
    filled = np.bincount(system[other[factor.codes[other] != UNRECORDED]], minlength=width)
    shares = np.where(cases > 0, filled / np.maximum(cases, 1), 1.0)
    return float(shares[system[rows]].mean())


def _is_told(factor: Factor, text: str) -> bool:
    """Whether one of its values stands in the text as a word of its own."""
    return any(
        re.search(rf"(?<!\w){re.escape(level.casefold())}(?!\w)", text) for level in factor.levels
    )


def _routed(
    known: _Issues,
    ticket: Ticket,
    guesses: tuple[Guess, ...],
    escalating: _Escalation | None,
    near: Sequence[tuple[str, str, float]],
    recognised: tuple[int, str, float] | None,
    signs: tuple[Sign, ...],
) -> Routed:
    judged = [one.unlike for one in guesses] + ([escalating.unlike] if escalating else [])
    unlike = bool(judged) and all(judged)
    issue = None if unlike else recognised
    rise = known.rise(issue[0]) if issue else None
    # A probability that was no sharper than the usual share orders nothing.
    told = escalating is not None and escalating.better and not escalating.unlike
    escalation = escalating.probability if escalating and not escalating.unlike else None
    usual = escalating.usual if escalating else None
    before = known.precedent(issue[0]) if issue else None
    likely = escalation if told and escalation else 0.0
    why = []
    if rise is not None:
        why.append("its problem is rising now")
    if told and escalation is not None and usual and escalation >= OFTEN * usual:
        why.append(f"cases like it escalate {escalation / usual:.1f} times as often as usual")
    if before is not None and before.escalates_more and before.escalated is not None:
        likely = max(likely, before.escalated.low)
        share = before.escalated
        why.append(f"{share.count} of {share.cases} earlier cases of its problem were escalated")
    goes_with = [
        one.low
        for one in signs
        if one.low and one.consequent == ESCALATION and one.is_more and not one.is_of_moment
    ]
    if goes_with and not unlike:
        likely = max(likely, *goes_with)
        why.append("it shows a pattern that goes with escalation")
    if told and not why:
        why.append("by how likely it escalates")
    return Routed(
        text=ticket.text,
        guesses=guesses,
        escalation=escalation,
        usual_escalation=usual,
        issue=issue,
        rise=rise,
        collect=known.collect(issue[0], ticket) if issue else (),
        neighbours=tuple(near),
        why=tuple(why),
        urgency=(1.0 if rise is not None else 0.0) + likely,
        name=ticket.name,
        unlike=unlike,
        precedent=before,
        signs=() if unlike else signs,
    )
