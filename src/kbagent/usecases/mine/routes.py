"""`kbagent route`: where a new ticket belongs, whether it will escalate, what to ask at once.

Puts together what the routers say (`guesses`), the issue it is recognised as (`recognition`) with
what its cases say (`handling`), and the patterns it shows (`signs`); and orders a batch by it. Does
not log and does not act.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from functools import partial

import numpy as np

from kbagent.core.patterns.routing import NeededField
from kbagent.core.text.tokens import tokens
from kbagent.model.ticket import Ticket
from kbagent.store import cases
from kbagent.store.encoder.passages import passages as split_passages
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.mine.columns import load_columns
from kbagent.usecases.mine.emerging import Rising
from kbagent.usecases.mine.experience import (
    ESCALATION,
    FEWEST_LABELLED,
    Experience,
    Vectors,
    can_be_learned,
    experience_of,
)
from kbagent.usecases.mine.guesses import Escalation, Guess, HeldOut, escalations_of, guesses_of
from kbagent.usecases.mine.handling import Handling
from kbagent.usecases.mine.patterns import known_signs, level_names
from kbagent.usecases.mine.precedent import Precedent
from kbagent.usecases.mine.recognition import Recogniser
from kbagent.usecases.mine.roles import Column, predicted_roles, queue_role
from kbagent.usecases.mine.routers import router_of
from kbagent.usecases.mine.signs import Sign

CONFIDENT_AT = 0.6
NEIGHBOURS = 3
"""Nearest cases that are named."""
OFTEN = 2.0
"""Times the usual probability of escalation from which a ticket is taken sooner for it."""

__all__ = ["FEWEST_LABELLED", "Guess", "HeldOut", "Routed", "Routes", "Ticket", "routes"]


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
    `names` says what the issues and resolutions that signs speak of are called, `zone` which time
    zone their hours are of.
    """

    learned_from: int
    confident_at: float
    facets: tuple[str, ...]
    routed: tuple[Routed, ...]
    escalation: HeldOut | None = None
    queue: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[tuple[str, tuple[Column, ...]], ...] = ()
    zone: str = "UTC"


def routes(
    kb: KnowledgeBase,
    encoder: Encoder,
    tickets: Sequence[Ticket],
    *,
    by_facet: str | None = None,
    confident_at: float = CONFIDENT_AT,
    zone: tzinfo = UTC,
) -> Routes:
    """Where each ticket belongs; `zone` is that of the hours in patterns. No cases, no prediction.

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
        for own in (guesses_of(kb, one, asked, words, confident_at) for one in routers)
    ]
    escalating = escalations_of(kb, past, asked, words, encode)
    seen = _neighbours(kb, past, asked)
    recogniser = Recogniser(kb, past)
    known = Handling(kb, found, recogniser.relatives, queue.factor if queue else None, confident_at)
    patterned, now = known_signs(kb, found, zone), kb.clock()
    made = [
        _routed(
            known,
            ticket,
            tuple(one[i] for one in guesses),
            escalating.of(i) if escalating else None,
            seen[i],
            recogniser.issue_of(ticket.text, asked[i]),
            patterned.of(ticket.text, ticket.facets, now, zone),
        )
        for i, ticket in enumerate(tickets)
    ]
    made.sort(key=lambda one: -one.urgency)
    learned = max((one.own.size + one.newer.size for one in routers), default=past.size)
    return Routes(
        learned_from=int(learned),
        confident_at=confident_at,
        facets=tuple(one.name for one in roles),
        routed=tuple(made),
        escalation=escalating.held_out if escalating else None,
        queue=queued,
        names=level_names(kb, {(s.consequent, s.level) for one in made for s in one.signs}),
        columns=tuple((one.name, one.columns) for one in roles),
        zone=str(zone),
    )


def _encoded(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    return encoder.encode([split_passages("", text, encoder)[0] for text in texts])


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


def _routed(
    known: Handling,
    ticket: Ticket,
    guesses: tuple[Guess, ...],
    escalating: Escalation | None,
    near: Sequence[tuple[str, str, float]],
    recognised: tuple[int, str, float] | None,
    signs: tuple[Sign, ...],
) -> Routed:
    judged = [one.unlike for one in guesses] + ([escalating.unlike] if escalating else [])
    unlike = bool(judged) and all(judged)
    issue = None if unlike else recognised
    rise = known.rise(issue[0]) if issue else None
    escalation = escalating.probability if escalating and not escalating.unlike else None
    before = known.precedent(issue[0]) if issue else None
    shown = () if unlike else signs
    why, urgency = _order(rise, escalating, before, shown)
    return Routed(
        text=ticket.text,
        guesses=guesses,
        escalation=escalation,
        usual_escalation=escalating.usual if escalating else None,
        issue=issue,
        rise=rise,
        collect=known.collect(issue[0], ticket) if issue else (),
        neighbours=tuple(near),
        why=why,
        urgency=urgency,
        name=ticket.name,
        unlike=unlike,
        precedent=before,
        signs=shown,
    )


def _order(
    rise: Rising | None,
    escalating: Escalation | None,
    before: Precedent | None,
    signs: Sequence[Sign],
) -> tuple[tuple[str, ...], float]:
    """What puts a ticket where it is in a batch, in words, and what the order sorts by."""
    why, likely = [], 0.0
    if rise is not None:
        why.append("its problem is rising now")
    # A probability that was no sharper than the usual share orders nothing.
    told = escalating if escalating and escalating.better and not escalating.unlike else None
    if told is not None:
        likely = told.probability
        if told.usual and likely >= OFTEN * told.usual:
            why.append(f"cases like it escalate {likely / told.usual:.1f} times as often as usual")
    if before is not None and before.escalates_more and before.escalated is not None:
        likely = max(likely, before.escalated.low)
        share = before.escalated
        why.append(f"{share.count} of {share.cases} earlier cases of its problem were escalated")
    goes_with = [
        one.low
        for one in signs
        if one.low and one.consequent == ESCALATION and one.is_more and not one.is_of_moment
    ]
    if goes_with:
        likely = max(likely, *goes_with)
        why.append("it shows a pattern that goes with escalation")
    if told is not None and not why:
        why.append("by how likely it escalates")
    return tuple(why), (1.0 if rise is not None else 0.0) + likely
