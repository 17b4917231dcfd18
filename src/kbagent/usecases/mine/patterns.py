"""`kbagent patterns`: what of a case goes with what became of it, on the stored cases.

Puts together what `core.patterns` needs (facets, hour, weekday, releases, words and the form of
the message; issue, queue, escalation, reopening, satisfaction, time to resolve, the resolution
that worked) and says afterwards what people said of a pattern. Does not test anything itself.
"""

import hashlib
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo

import numpy as np

from kbagent.core.patterns.casetable import (
    UNRECORDED,
    Codes,
    Consequent,
    Factor,
    Features,
    Kind,
    joined,
)
from kbagent.core.patterns.discovery import Apparent, LevelEffect, Pattern, Settings, discover
from kbagent.core.patterns.openings import opening_features
from kbagent.core.patterns.phrasing import Formulation, formulations, way_features
from kbagent.errors import BadValue, UnknownHandle
from kbagent.model.lookup import Request
from kbagent.store import cases, columns, decisions, models, resolutions
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.releases import Release
from kbagent.usecases.mine import signs
from kbagent.usecases.mine.columns import (
    NOTHING,
    Columns,
    There,
    cases_there,
    cohort_factors,
    known_releases,
    load_columns,
)
from kbagent.usecases.mine.signs import NO_SIGNS, Signs
from kbagent.usecases.mine.table import (
    case_table,
    is_itself,
    same_facts,
    without_same,
)
from kbagent.usecases.retain.relatives import problems_of
from kbagent.usecases.retrieve.details import issue_titles
from kbagent.usecases.retrieve.scope import scope_of

FEWEST_CASES = 40
"""Cases below which no pattern could be told from chance; the same as twice the support."""
FEWEST_ISSUES = 5
"""Issues in whose replies a formulation occurs, to be one."""
DECISION = "pattern"
MOST_AT_ONCE = 20_000
"""Cases up to which patterns are looked for while a new ticket waits: some seconds."""
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
    """A pattern with its handle, what people said of it, and its examples by name."""

    handle: str
    pattern: Pattern | Formulation
    said: str
    cases: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """What the antecedent is made of."""
        return self.pattern.kind if isinstance(self.pattern, Pattern) else Kind.PHRASING


@dataclass(frozen=True, slots=True)
class Gone:
    """A confirmed pattern that is not found any more, and what it said."""

    handle: str
    words: str


@dataclass(frozen=True, slots=True)
class Patterns:
    """All that was found. `names` says what an issue or a resolution is called.

    `tested` pairs were looked at, `supported` is what a side needed; `told` are those of the
    `found` patterns that are as strong and of the kind asked for. `gone` are patterns that a
    person confirmed and that are not found on these cases now. `zone` is the one that hours are of.
    `signs` are what they say of a new ticket, whatever people said of them.
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
    there: There = NOTHING
    where: tuple[str, ...] = ()


def patterns(kb: KnowledgeBase, asked: Asked) -> Patterns:
    """Everything that goes with something, strongest first.

    Raises:
        BadFilter: a filter names a facet that no case has.
    """
    connection = kb.connection
    found = load_columns(connection, scope_of(connection, asked.request).case_ids)
    factors = cohort_factors(connection, found)
    released = known_releases(connection, found, factors)
    settings = Settings()
    discovery_patterns: Sequence[Pattern] = ()
    phrased: Sequence[Formulation] = ()
    tested = 0
    apparent: tuple[Apparent, ...] = ()
    same: tuple[tuple[str, str], ...] = ()
    if found.size >= FEWEST_CASES:
        table, consequents, considered = case_table(
            connection, found, factors, released, asked.zone
        )
        same = same_facts(consequents)
        consequents = [without_same(one, same) for one in consequents]
        result = discover(table, consequents, settings, considered)
        discovery_patterns = [one for one in result.patterns if not is_itself(one, consequents)]
        tested, apparent = result.tested, result.apparent
        phrased = _phrasing(connection, found, settings)
    every: list[Pattern | Formulation] = [*discovery_patterns, *phrased]
    zone = str(asked.zone)
    handled = ((handle_of(one, zone), one) for one in discovery_patterns)
    foretold = signs.signs_from(handled, released)
    everything = asked.request == Request("") and asked.zone == UTC
    if everything and found.size >= FEWEST_CASES:
        signs.keep(kb, found, foretold)
    every.sort(key=lambda one: (-abs(one.z), handle_of(one, zone)))
    told, muted, gone = _with_what_was_said(connection, found, every, zone)
    if asked.request != Request(""):
        gone = ()  # a part of the cases proves nothing gone
    shown = [one for one in told if asked.kind in (None, one.kind)]
    shown = [one for one in shown if _has_lift(one.pattern, asked.min_lift)]
    if asked.kind is not None:
        apparent = tuple(one for one in apparent if one.kind is asked.kind)
    spoken_of = {(one.consequent, one.level) for one in discovery_patterns}
    spoken_of |= {(one.consequent, one.level) for one in apparent}
    return Patterns(
        cases=found.size,
        with_outcome=_with_outcome(found),
        tested=tested,
        supported=settings.min_support,
        found=len(told),
        told=tuple(shown),
        apparent=apparent,
        names=level_names(kb, spoken_of),
        releases=tuple(released),
        muted=muted,
        gone=gone,
        signs=foretold,
        zone=zone,
        same=same,
        there=cases_there(connection),
        where=tuple(str(one) for one in asked.request.filters),
    )


def known_signs(kb: KnowledgeBase, found: Columns) -> Signs:
    """What the patterns of these cases, all there are, say of new tickets; not what people deny.

    As kept, or found now; where there are too many cases to wait for it, what was kept last counts
    however old it is.
    """
    known, fits = signs.kept(kb, found) or (None, False)
    if not fits and found.size <= MOST_AT_ONCE:
        if found.size >= FEWEST_CASES:
            kb.notify(f"looking for patterns in {found.size:,} cases …")
        known = patterns(kb, Asked()).signs
    if known is None:
        kb.notify("patterns are not known yet: `kbagent patterns` finds and keeps them")
        return NO_SIGNS
    return known.with_verdicts({key: one.verdict for key, one in _said(kb.connection).items()})


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
    kb: KnowledgeBase, handle: str, verdict: str, *, by: str | None = None, zone: tzinfo = UTC
) -> None:
    """Note what a person thinks of a pattern: confirmed, rejected or muted.

    `zone` is the one in which the pattern was seen.

    Raises:
        UnknownHandle: no such pattern is found in this knowledge base.
    """
    known = _said(kb.connection).get(handle)
    words, seen_in = (
        (known.words, known.zone) if known else (_words_of(kb, handle, zone), str(zone))
    )
    if words is None:
        raise UnknownHandle(handle=handle, hint="`kbagent patterns` shows them; mind its --zone.")
    with kb.database.write() as connection:
        data = {"pattern": handle, "verdict": verdict, "words": words, "zone": seen_in}
        decisions.add(connection, DECISION, kb.clock(), by=by, data=data)


def _words_of(kb: KnowledgeBase, handle: str, zone: tzinfo) -> str | None:
    """What it says, if it is found."""
    told = patterns(kb, Asked(zone=zone)).told
    return next((claim_of(one.pattern) for one in told if one.handle == handle), None)


def claim_of(one: Pattern | Formulation) -> str:
    """What a pattern claims, in a few words without figures: version=4.2, issue i94."""
    if isinstance(one, Pattern):
        rarely = ", more rarely" if one.z < 0 else ""
        return f"{one.antecedent}, {f'{one.consequent} {one.level}'.strip()}{rarely}"
    return f"replies with {one.phrase}, {one.consequent}{', lower' if one.z < 0 else ''}"


def handle_of(one: Pattern | Formulation, zone: str = "UTC") -> str:
    """`p` and six digits that stand for what goes with what which way, whatever the counts are.

    The same hours in another time zone are other hours.
    """
    if isinstance(one, Pattern):
        text = f"{one.antecedent}\0{one.consequent}\0{one.level}"
        text += f"\0{zone}" if one.kind is Kind.TIMING and zone != "UTC" else ""
    else:
        text = f"{one.phrase}\0{one.consequent}\0reply"
    text += "\0less" if one.z < 0 else ""
    return "p" + hashlib.blake2b(text.encode(), digest_size=3).hexdigest()


def _has_lift(one: Pattern | Formulation, least: float) -> bool:
    """Whether the lift that is told, or its inverse, is as high; numbers and replies have none."""
    if not isinstance(one, Pattern) or not isinstance(one.effect, LevelEffect):
        return True
    if least <= LEAST_LIFT:
        return True
    return max(one.effect.lift, 1 / max(one.effect.lift, 1e-9)) >= least


@dataclass(frozen=True, slots=True)
class _Said:
    """The latest verdict on a pattern, what it says, and the time zone it was seen in."""

    verdict: str
    words: str
    zone: str


def _said(connection: sqlite3.Connection) -> dict[str, _Said]:
    return {
        one.data["pattern"]: _Said(
            one.data["verdict"], one.data.get("words", ""), one.data.get("zone", "UTC")
        )
        for one in decisions.standing(connection, DECISION)
    }


def _with_what_was_said(
    connection: sqlite3.Connection,
    found: Columns,
    every: Sequence[Pattern | Formulation],
    zone: str,
) -> tuple[list[Told], int, tuple[Gone, ...]]:
    said = _said(connection)
    verdicts = {handle: one.verdict for handle, one in said.items()}
    by_handle = {handle_of(one, zone): one for one in every}
    shown = {h: p for h, p in by_handle.items() if verdicts.get(h) not in ("muted", "rejected")}
    wanted = [int(found.case_ids[row]) for one in shown.values() for row in one.examples]
    refs = {key: case.ref for key, case in cases.by_ids(connection, wanted).items()}
    told = [
        Told(h, one, verdicts.get(h, ""), tuple(refs[int(found.case_ids[r])] for r in one.examples))
        for h, one in shown.items()
    ]
    gone = tuple(
        Gone(handle, one.words)
        for handle, one in sorted(said.items())
        if one.verdict == "confirmed" and handle not in by_handle and one.zone == zone
    )
    return told, len(by_handle) - len(shown), gone


def _with_outcome(found: Columns) -> int:
    """Cases of which satisfaction, time, escalation or reopening is known."""
    some = (found.escalated != UNRECORDED) | (found.reopened != UNRECORDED)
    return int((some | ~np.isnan(found.csat) | ~np.isnan(found.minutes)).sum())


def _phrasing(
    connection: sqlite3.Connection, found: Columns, settings: Settings
) -> list[Formulation]:
    """Formulations of replies that go with satisfaction and reopening, within issues."""
    replies = _replies(connection, found)
    rows = np.array(sorted(replies), dtype=np.int64)
    rows = rows[found.issue[rows] >= 0] if rows.size else rows
    if not rows.size:
        return []
    texts = [replies[row] for row in rows.tolist()]
    features = joined(way_features(texts), opening_features(texts, settings.min_support))
    asked = [
        Consequent("satisfaction", values=found.csat[rows]),
        Consequent("reopened", ("no", "yes"), found.reopened[rows], told=(1,)),
    ]
    model = models.active(connection)
    problems = found.issue
    if model is not None:
        problems = problems_of(connection, model.id, found.case_ids, found.issue)
    _, issues = np.unique(problems[rows], return_inverse=True)
    features = _across_issues(features, issues.astype(np.int32))
    system = Factor("system", found.system.levels, found.system.codes[rows])
    made = [
        one
        for consequent in asked  # each is a question of its own, corrected for by itself
        for one in formulations(
            features,
            issues.astype(np.int32),
            [consequent],
            [system],
            min_support=settings.min_support,
            false_discovery=settings.false_discovery,
        )
    ]
    return [replace(one, examples=tuple(int(rows[r]) for r in one.examples)) for one in made]


def _across_issues(features: Features, issues: Codes) -> Features:
    """Those that are used for several issues: else they are what is said, not how."""
    spread = [np.unique(issues[features.column(j)]).size for j in range(len(features))]
    return features.chosen([j for j, count in enumerate(spread) if count >= FEWEST_ISSUES])


def _replies(connection: sqlite3.Connection, found: Columns) -> dict[int, str]:
    """What was answered on each case, by place."""
    rows = list(columns.replies(connection))
    places = found.places(np.array([row[0] for row in rows], dtype=np.int64))
    texts: dict[int, str] = {}
    for place, (_, text) in zip(places.tolist(), rows, strict=True):
        if place >= 0:
            before = texts.get(place)
            texts[place] = text if before is None else f"{before}\n{text}"
    return texts


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
