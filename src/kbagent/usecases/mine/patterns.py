"""`kbagent patterns`: what of a case goes with what became of it, on the stored cases.

Puts together what `core.patterns` needs (facets, hour, weekday, releases, words and the form of
the message; issue, queue, escalation, reopening, satisfaction, time to resolve, the resolution
that worked) and says afterwards what people said of a pattern. Does not test anything itself.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo

import numpy as np

from kbagent.core.patterns.casetable import UNRECORDED, Factor, Kind
from kbagent.core.patterns.discovery import Apparent, LevelEffect, Pattern, Settings, discover
from kbagent.core.patterns.phrasing import Formulation
from kbagent.errors import BadValue, UnknownHandle
from kbagent.model.lookup import Request
from kbagent.store import cases, decisions, resolutions
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.releases import Release
from kbagent.usecases.mine import signs
from kbagent.usecases.mine.claims import Claim
from kbagent.usecases.mine.columns import (
    NOTHING,
    Columns,
    There,
    cases_there,
    cohort_factors,
    known_releases,
    load_columns,
    undated_cases,
)
from kbagent.usecases.mine.fates import Fate, Gone, Looked
from kbagent.usecases.mine.replies import replies_of
from kbagent.usecases.mine.signs import NO_SIGNS, Signs
from kbagent.usecases.mine.table import case_table, is_itself, same_facts, without_same
from kbagent.usecases.mine.verdicts import (
    ALL_CASES,
    DECISION,
    MUTED,
    REJECTED,
    Conditions,
    Verdict,
    Verdicts,
    verdicts_of,
)
from kbagent.usecases.retrieve.details import issue_titles
from kbagent.usecases.retrieve.scope import scope_of

FEWEST_CASES = 40
"""Cases below which no pattern could be told from chance; the same as twice the support."""
MOST_AT_ONCE = 20_000
"""Cases up to which patterns are looked for while a new ticket waits: some seconds."""
HOW_TO_FIND = "`kbagent patterns` shows them; give its --where, --since and --zone here too."
LEAST_LIFT = 1.1
"""Lift up to which nothing is left out; the shrunk one reaches it in every pattern anyhow."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: which cases, how strong, of which kind (None: all), in which time zone.

    Strength and kind choose what is shown; what is tested depends on the cases and the zone only.
    """

    request: Request = field(default_factory=lambda: Request(""))
    min_lift: float = LEAST_LIFT
    kind: Kind | None = None
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True)
class Told:
    """A pattern with its handle, what people said of it, and its examples by name.

    `under` are the conditions under which they said so.
    """

    handle: str
    pattern: Pattern | Formulation
    said: str
    cases: tuple[str, ...]
    under: Conditions = ALL_CASES

    @property
    def kind(self) -> Kind:
        """What the antecedent is made of."""
        return self.pattern.kind if isinstance(self.pattern, Pattern) else Kind.PHRASING


@dataclass(frozen=True, slots=True)
class Patterns:
    """All that was found. `names` says what an issue or a resolution is called.

    `tested` pairs were looked at, `supported` is what a side needed; `told` are those of the
    `found` patterns that are as strong and of the kind asked for. `gone` are patterns that a
    person confirmed under these conditions and that are not found now; those confirmed on a part
    of the cases, where all are looked at, are `elsewhere`. `zone` is the one that hours are of.
    `signs` are what they say of a new ticket, whatever people said of them.
    `undated` cases were asked for too and are left out, since none of it can be told by time.
    `there` tells of all cases, `where` the conditions on those that were looked at.
    `same` are levels that say nothing else than another consequent: (queue 7, escalated).
    """

    cases: int
    with_outcome: int
    tested: int
    supported: int
    found: int
    told: tuple[Told, ...]
    apparent: tuple[Apparent, ...]
    names: Mapping[str, str]
    releases: tuple[Release, ...]
    muted: int
    gone: tuple[Gone, ...]
    signs: Signs = NO_SIGNS
    zone: str = "UTC"
    same: tuple[tuple[str, str], ...] = ()
    elsewhere: tuple[Verdict, ...] = ()
    there: There = NOTHING
    where: tuple[str, ...] = ()
    undated: int = 0


def patterns(kb: KnowledgeBase, asked: Asked) -> Patterns:
    """Everything that goes with something, strongest first.

    Raises:
        BadFilter: a filter names a facet that no case has.
    """
    connection = kb.connection
    admitted = scope_of(connection, asked.request).case_ids
    found = load_columns(connection, admitted)
    factors = cohort_factors(connection, found)
    released = known_releases(connection, found, factors)
    zone = str(asked.zone)
    tested, looked = 0, None
    apparent: tuple[Apparent, ...] = ()
    if found.size >= FEWEST_CASES:
        tested, apparent, looked = _look(connection, found, factors, released, asked.zone)
    every = sorted(
        looked.found if looked else (), key=lambda one: (-abs(one.z), handle_of(one, zone))
    )
    by_handle = {handle_of(one, zone): one for one in every}
    foretelling = {key: one for key, one in by_handle.items() if isinstance(one, Pattern)}
    foretold = signs.signs_from(foretelling.items(), released)
    if asked.request == Request("") and looked is not None:
        signs.keep(kb, found, foretold, zone)
    said, here = verdicts_of(connection), Conditions.of(asked.request)
    told = _told(connection, found, by_handle, said, here)
    gone = _gone(said, by_handle, looked, zone, here) if here.say_all_of(asked.request) else ()
    shown = [one for one in told if asked.kind in (None, one.kind)]
    if asked.kind is not None:
        apparent = tuple(one for one in apparent if one.kind is asked.kind)
    alone = [one.alone for one in gone if isinstance(one.alone, Pattern)]
    spoken_of: list[Pattern | Apparent] = [*foretelling.values(), *alone, *apparent]
    return Patterns(
        cases=found.size,
        with_outcome=_with_outcome(found),
        tested=tested,
        supported=Settings().min_support,
        found=len(told),
        told=tuple(one for one in shown if _has_lift(one.pattern, asked.min_lift)),
        apparent=apparent,
        names=level_names(kb, {(one.consequent, one.level) for one in spoken_of}),
        releases=tuple(released),
        muted=len(by_handle) - len(told),
        gone=gone,
        elsewhere=tuple(
            one
            for one in said.confirmed()
            if one.conditions and not here and one.handle not in by_handle
        ),
        signs=foretold,
        zone=zone,
        same=tuple(looked.same) if looked else (),
        there=cases_there(connection),
        where=tuple(str(one) for one in asked.request.filters),
        undated=undated_cases(connection, admitted),
    )


def _look(
    connection: sqlite3.Connection,
    found: Columns,
    factors: Sequence[Factor],
    released: Sequence[Release],
    zone: tzinfo,
) -> tuple[int, tuple[Apparent, ...], Looked]:
    """How many pairs were tested, what only seemed to be a pattern, and all that was looked at."""
    settings = Settings()
    table, consequents, left_out = case_table(connection, found, factors, released, zone)
    same = same_facts(consequents)
    consequents = [without_same(one, same) for one in consequents]
    result = discover(table, consequents, settings, left_out)
    replies = replies_of(connection, found, settings)
    every: list[Pattern | Formulation] = [
        one for one in result.patterns if not is_itself(one, consequents)
    ]
    every += replies.found(settings) if replies else []
    looked = Looked(connection, found, table, consequents, replies, every, same, settings)
    return result.tested, result.apparent, looked


def known_signs(kb: KnowledgeBase, found: Columns, zone: tzinfo = UTC) -> Signs:
    """What the patterns of these cases, all there are, say of new tickets; not what people deny.

    As kept, or found now; where there are too many cases to wait for it, what was kept last counts
    however old it is.
    """
    known, fits = signs.kept(kb, found, str(zone)) or (None, False)
    if not fits and found.size <= MOST_AT_ONCE:
        if found.size >= FEWEST_CASES:
            kb.notify(f"looking for patterns in {found.size:,} cases …")
        known = patterns(kb, Asked(zone=zone)).signs
    if known is None:
        kb.notify("patterns are not known yet: `kbagent patterns` finds and keeps them")
        return NO_SIGNS
    return known.with_verdicts(verdicts_of(kb.connection).on_all_cases())


def kind_named(text: str | None) -> Kind | None:
    """The kind of antecedent with this name; None stays None.

    Raises:
        BadValue: there is no such kind.
    """
    if text is None:
        return None
    try:
        return Kind(text)
    except ValueError as error:
        names = ", ".join(Kind)
        raise BadValue(name="--kind", value=text, reason=f"write one of {names}") from error


def say(
    kb: KnowledgeBase,
    handle: str,
    verdict: str,
    *,
    by: str | None = None,
    zone: tzinfo = UTC,
    request: Request | None = None,
) -> None:
    """Note what a person thinks of a pattern: confirmed, rejected or muted.

    `zone` and the conditions of `request` are those under which the pattern was seen.

    Raises:
        UnknownHandle: no such pattern is found in this knowledge base.
    """
    request = request or Request("")
    here = Conditions.of(request)
    known = verdicts_of(kb.connection).exactly(handle, here)
    if known is None or known.claim is None:
        told = patterns(kb, Asked(request, zone=zone)).told
        claim = next((Claim.of(one.pattern) for one in told if one.handle == handle), None)
        if claim is not None:
            known = Verdict(handle, verdict, claim.words, str(zone), claim, here)
    if known is None:
        raise UnknownHandle(handle=handle, hint=HOW_TO_FIND)
    data = replace(known, verdict=verdict).data
    with kb.database.write() as connection:
        decisions.add(connection, DECISION, kb.clock(), by=by, data=data)


def handle_of(one: Pattern | Formulation, zone: str = "UTC") -> str:
    """`p` and six digits that stand for what goes with what which way, whatever the counts are.

    The same hours in another time zone are other hours.
    """
    return Claim.of(one).handle(zone)


def _has_lift(one: Pattern | Formulation, least: float) -> bool:
    """Whether the lift that is told, or its inverse, is as high; numbers and replies have none."""
    if not isinstance(one, Pattern) or not isinstance(one.effect, LevelEffect):
        return True
    if least <= LEAST_LIFT:
        return True
    return max(one.effect.lift, 1 / max(one.effect.lift, 1e-9)) >= least


def _told(
    connection: sqlite3.Connection,
    found: Columns,
    by_handle: Mapping[str, Pattern | Formulation],
    said: Verdicts,
    here: Conditions,
) -> list[Told]:
    """The patterns that people did not ask to hide, with what they said and the examples' names."""
    verdicts = {handle: said.on(handle, here) for handle in by_handle}
    hidden = {h for h, one in verdicts.items() if one and one.verdict in (MUTED, REJECTED)}
    shown = {handle: one for handle, one in by_handle.items() if handle not in hidden}
    wanted = [int(found.case_ids[row]) for one in shown.values() for row in one.examples]
    refs = {key: case.ref for key, case in cases.by_ids(connection, wanted).items()}
    made = []
    for handle, pattern in shown.items():
        names = tuple(refs[int(found.case_ids[row])] for row in pattern.examples)
        one = verdicts[handle]
        told = Told(handle, pattern, "", names)
        made.append(replace(told, said=one.verdict, under=one.conditions) if one else told)
    return made


def _gone(
    said: Verdicts,
    by_handle: Mapping[str, Pattern | Formulation],
    looked: Looked | None,
    zone: str,
    here: Conditions,
) -> tuple[Gone, ...]:
    """What was confirmed of these cases and is not found; hours only in their own time zone."""
    made = []
    for one in said.confirmed(here):
        claim = one.claim
        anywhere = claim is not None and claim.kind is not Kind.TIMING
        if one.handle in by_handle or not (anywhere or one.zone == zone):
            continue
        if claim is None:
            made.append(Gone(one.handle, one.words))
        elif looked is None:
            made.append(Gone(one.handle, one.words, Fate.UNTESTED))
        else:
            made.append(looked.gone(one.handle, claim))
    return tuple(made)


def _with_outcome(found: Columns) -> int:
    """Cases of which satisfaction, time, escalation or reopening is known."""
    some = (found.escalated != UNRECORDED) | (found.reopened != UNRECORDED)
    return int((some | ~np.isnan(found.csat) | ~np.isnan(found.minutes)).sum())


def level_names(kb: KnowledgeBase, spoken_of: Collection[tuple[str, str]]) -> dict[str, str]:
    """What the issues and resolutions among these (consequent, level) are called, by level."""
    issues = sorted({int(level[1:]) for name, level in spoken_of if name == "issue"})
    approaches = {int(level[1:]) for name, level in spoken_of if name == "resolution"}
    named = {f"i{key}": title for key, title in issue_titles(kb, issues).items()}
    texts = resolutions.by_ids(kb.connection, approaches)
    return {**named, **{f"r{key}": one.text for key, one in texts.items()}}


def month_of(ordinal: int) -> datetime:
    """The first moment of a month of `Columns.months`."""
    return datetime(ordinal // 12, ordinal % 12 + 1, 1, tzinfo=UTC)
