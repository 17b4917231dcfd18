"""The stored cases as columns: what is known when a case arrives, and what became of it.

Decides which of a case's facets can be an antecedent: names of people, identifiers, moments and
links are none (nearly every value is its own), nor is what is only known afterwards (status,
satisfaction, close codes). Reads by streaming; what stays in memory are numbers.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kbagent.core.learning.facets import VERSION_NAMES
from kbagent.core.patterns.casetable import UNRECORDED, Codes, Factor, Kind
from kbagent.model.case import CaseStatus
from kbagent.store import columns, releases
from kbagent.store.moments import to_moment, to_text
from kbagent.store.releases import Release

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MOST_DISTINCT = 0.3
"""Share of a facet's cases above which its different values make it an identifier."""
MOST_VALUES = 20_000
FEW_SEVERAL = 0.1
"""Share of repeated values up to which a facet counts as having one value per case."""
FEWEST_FIRST = 5
"""Cases of a version before its first case is taken for its release."""
BEFORE_FIRST_DAYS = 28
"""Days from the oldest case on in which a version that is seen was probably out before."""
QUEUE_NAMES = (
    "queue",
    "assignment_group",
    "group",
    "group_name",
    "team",
    "group_id",
    "department",
    "desk",
    "project_key",
)
"""Facets that usually hold the queue, in the order in which they are looked for."""
_WORDS = re.compile(r"(?<=[^\W_A-Z])(?=[A-Z])|[\W_]+")
"""Where one word of a name ends: at a blank, `_`, `-` or `.`, and before a capital."""
_AFTERWARDS = re.compile(
    r"\b(satisf|csat|survey|reopen|escalat|resolv|clos(ed?|ing|ure)\b|solved|updated|comment)"
    r"|\b(ratings?|scores?|metrics?|stats|statistics|spent|minutes|duration|replies|grade|status)\b"
    r"|(?<!screen )(?<!display )(?<!monitor )(?<!image )(?<!video )(?<!camera )(?<!print )"
    r"\bresolutions?\b"
    r"|^(custom fields? )?((cf|u|incident|problem|ticket|case|issue|request|task|change|workflow"
    r"|conversation) )?state( reason)?$"
    r"|\b(notes( html)?|interactions)$|^marks?$|^has incidents|^last update\b"
)
"""What a name says, in lower case and word by word, that is known only afterwards.

A state of somewhere (`us_state`) is none of a case, and a screen's resolution none of a problem.
"""
_PEOPLE = re.compile(
    r"\b(assign(ee|ed)|responder|owner|creator|reporter|requester|submitter|caller|recipient)"
    r"|(?<!user )\bagents?\b(?! (version|build|os|platform)\b)"
    r"|\busers?(?! ?(agent|role|type|plan|language|locale)\b)"
    r"|\bcontacts?\b(?! (type|channel|method|reason)\b)"
    r"|\bauthors?\b(?! association\b)|\bby$"
)
"""Names of people; a browser's user agent and the way of contact are no person."""
_TRIAGE = re.compile(
    r"\b(priorit|urgen|impact|severit)|^((issue|ticket|case|request) )?type$|\b(tags?|labels?)$"
    r"|^((ticket|case|issue|support|current) )?queue( name| id)?$|^(is )?spam$"
)
"""Set while the case is handled: a sign of what became of it, no cause."""
CUSTOMER = re.compile(r"company|organi[sz]ation|account|customer|client|tenant", re.I)
"""Who asks: nested in every cohort, so it can be an antecedent but no confounder."""
ABOUT = 0.8
"""Share of an issue's cases with one value from which a facet says what the issue is about."""
_NO_VALUE = re.compile(r"\d{4}-\d\d-\d\d[T ]|https?://|\d\d/\w+/\d\d")


@dataclass(frozen=True, slots=True)
class There:
    """The cases there are, whatever is asked for: all, the dated ones, first and last opened."""

    cases: int = 0
    dated: int = 0
    first: datetime | None = None
    last: datetime | None = None


NOTHING = There()


@dataclass(frozen=True)
class Columns:
    """Cases in order of opening, place 0, 1, …; each array counts them all.

    `seconds` is when each was opened, since 1970. `issue` is an issue id or −1, `escalated` and
    `reopened` are 1, 0 or `UNRECORDED`, `csat` and `minutes` are NaN where unknown.
    """

    case_ids: Ints
    seconds: Ints
    system: Factor
    issue: Ints
    escalated: Codes
    reopened: Codes
    csat: Floats
    minutes: Floats

    @property
    def size(self) -> int:
        """How many cases there are."""
        return int(self.case_ids.size)

    @cached_property
    def opened(self) -> list[datetime]:
        """When each was opened; for whoever wants all of them as objects."""
        return [datetime.fromtimestamp(one, UTC) for one in self.seconds.tolist()]

    def at(self, place: int) -> datetime:
        """When this case was opened."""
        return datetime.fromtimestamp(int(self.seconds[place]), UTC)

    @property
    def months(self) -> Codes:
        """Months since the year 0, by which a pattern's period is told."""
        since = self.seconds.astype("datetime64[s]").astype("datetime64[M]").astype(np.int32)
        return np.asarray(since + 12 * 1970, dtype=np.int32)

    @cached_property
    def _place_of(self) -> Ints:
        """Place by case id, −1 where there is none."""
        found = np.full(int(self.case_ids.max(initial=0)) + 1, -1, dtype=np.int64)
        found[self.case_ids] = np.arange(self.size)
        return found

    def places(self, ids: Ints) -> Ints:
        """Where these cases stand; −1 for a case that is no part of the columns."""
        known = self._place_of
        return np.where(ids < known.size, known[np.minimum(ids, known.size - 1)], -1)


def cases_there(connection: sqlite3.Connection) -> There:
    """What there is to ask about."""
    cases, dated, first, last = columns.span(connection)
    return There(cases, dated, to_moment(first), to_moment(last))


def undated_cases(connection: sqlite3.Connection, admitted: Ints | None = None) -> int:
    """How many cases, all or of those `admitted` (ids), are no part of the columns: no date."""
    ids = columns.undated(connection)
    return len(ids) if admitted is None else int(np.isin(ids, admitted).sum())


def load_columns(
    connection: sqlite3.Connection, admitted: Ints | None = None, until: datetime | None = None
) -> Columns:
    """The columns of all cases, or of those `admitted` (ids) or opened before `until`."""
    blocks = [_arrays(block) for block in columns.outlines(connection, to_text(until))]
    if not blocks:
        blocks = [_arrays([])]
    ids, seconds, status, csat, minutes, escalated, issue = (
        np.concatenate(parts) for parts in zip(*(numbers for numbers, _ in blocks), strict=True)
    )
    system = Factor.of("system", [one for _, sources in blocks for one in sources])
    kept = np.ones(ids.size, dtype=bool) if admitted is None else np.isin(ids, admitted)
    return Columns(
        ids[kept].astype(np.int64),
        seconds[kept].astype(np.int64),
        system.restricted(kept),
        issue[kept].astype(np.int64),
        escalated[kept].astype(np.int32),
        status[kept].astype(np.int32),
        csat[kept],
        minutes[kept],
    )


_REOPENED: dict[str, float] = {CaseStatus.REOPENED: 1.0, CaseStatus.RESOLVED: 0.0}


def _arrays(block: Sequence[tuple[Any, ...]]) -> tuple[list[Floats], list[str]]:
    """A block of outlines as one array per number, and its sources; NULL is NaN."""
    if not block:
        return [np.zeros(0) for _ in range(7)], []
    ids, sources, seconds, status, csat, minutes, escalated, issue = zip(*block, strict=True)
    reopened = [_REOPENED.get(one, float(UNRECORDED)) for one in status]
    numbers = (ids, seconds, reopened, csat, minutes, escalated, issue)
    return [np.array(one, dtype=np.float64) for one in numbers], list(sources)


def factor_of(connection: sqlite3.Connection, found: Columns, name: str) -> Factor | None:
    """One facet as a factor, None when more than a few cases have several of its values.

    Those few have all of them as antecedents, and are stratified by the last one (for versions
    the one affected last).
    """
    codes = np.full(found.size, UNRECORDED, dtype=np.int32)
    levels: list[str] = []
    beside: list[Codes] = []
    told = 0
    for value, ids in columns.facet_blocks(connection, name):
        places = found.places(ids)
        places = places[places >= 0]
        if places.size:
            several = places[codes[places] != UNRECORDED]
            beside.append(np.stack((several, codes[several])).astype(np.int32))
            codes[places] = len(levels)
            levels.append(value)
            told += places.size
    if np.count_nonzero(codes != UNRECORDED) < (1 - FEW_SEVERAL) * told:
        return None
    kind = Kind.RELEASE if name.casefold() in VERSION_NAMES else Kind.COHORT
    further = np.hstack(beside) if beside else np.zeros((2, 0), dtype=np.int32)
    return Factor(name, tuple(levels), codes, kind, beside=further)


def cohort_factors(connection: sqlite3.Connection, found: Columns) -> list[Factor]:
    """The facets that can be antecedents: known on arrival, shared by cases, of several values."""
    names = [
        name
        for name, values in columns.facet_names(connection)
        if 1 < values <= min(MOST_VALUES, found.size) and is_known_on_arrival(name)
    ]
    loaded = [factor_of(connection, found, name) for name in names]
    return [factor for factor in loaded if factor is not None and _is_shared(factor)]


def is_known_on_arrival(name: str) -> bool:
    """Whether a facet of this name can be a cause: no person, no queue, nothing told later.

    >>> [is_known_on_arrival(one) for one in ("operating_system", "us_state", "userAgent")]
    [True, True, True]
    >>> [is_known_on_arrival(one) for one in ("csat_rating", "state", "closedBy", "Issue Type")]
    [False, False, False, False]
    """
    if name.casefold() in QUEUE_NAMES:
        return False
    words = " ".join(_WORDS.split(name)).strip().casefold()
    return not any(one.search(words) for one in (_AFTERWARDS, _PEOPLE, _TRIAGE))


def _is_shared(factor: Factor) -> bool:
    """Whether cases share its values, so that it is no identifier, moment or link."""
    held = int((factor.codes != UNRECORDED).sum())
    if len(factor.levels) < 2 or len(factor.levels) > MOST_DISTINCT * held:
        return False
    return not any(_NO_VALUE.match(level) for level in factor.levels[:5])


def problem_facets(found: Columns, factors: Sequence[Factor]) -> frozenset[str]:
    """Facets that name the problem in other words (a component): nearly fixed by the issue.

    Cases of issues with five cases or more are looked at; a facet that is the same for nearly
    everybody says nothing about issues and is none.
    """
    return frozenset(factor.name for factor in factors if _names_the_problem(found, factor))


def _names_the_problem(found: Columns, factor: Factor) -> bool:
    there = (factor.codes != UNRECORDED) & (found.issue >= 0)
    if there.sum() < FEWEST_FIRST:
        return False
    _, issues, sizes = np.unique(found.issue[there], return_inverse=True, return_counts=True)
    width = len(factor.levels)
    pairs = issues.astype(np.int64) * width + factor.codes[there]
    pair, counts = np.unique(pairs, return_counts=True)
    most = np.zeros(sizes.size, dtype=np.int64)
    np.maximum.at(most, pair // width, counts)
    large = sizes >= FEWEST_FIRST
    overall = float(np.bincount(factor.codes[there]).max() / there.sum())
    if not large.any():
        return False
    within = float(most[large].sum() / sizes[large].sum())
    return within >= ABOUT and within - overall > (1 - overall) / 2


def known_releases(
    connection: sqlite3.Connection,
    found: Columns,
    factors: Sequence[Factor],
    until: datetime | None = None,
) -> list[Release]:
    """The releases that people told of, and those that the version facet shows; oldest first.

    From a facet a release is the first case of a version, where the version was not there from
    the beginning. What people say of a version takes the place of what its cases show, also
    where they say that it came out only after `until`.
    """
    told = releases.everyone(connection)
    stated = {plain_version(one.version) for one in told}
    shown = [one for one in _shown(found, factors) if plain_version(one.version) not in stated]
    made = [*(one for one in told if until is None or one.at < until), *shown]
    return sorted(made, key=lambda one: (one.at, one.version))


def plain_version(version: str) -> str:
    """A version however it is spelt: v4.2 and 4.2 are one."""
    return version.strip().casefold().removeprefix("v")


def _shown(found: Columns, factors: Sequence[Factor]) -> Iterator[Release]:
    """The releases that the first cases of versions stand for."""
    versions = [factor for factor in factors if factor.name.casefold() in VERSION_NAMES]
    if not versions or not found.size:
        return
    for level, name in enumerate(versions[0].levels):
        rows = versions[0].with_it(level)
        first = found.at(int(rows[0])) if rows.size >= FEWEST_FIRST else None
        if first is not None and (first - found.at(0)).days >= BEFORE_FIRST_DAYS:
            yield Release(name, first, told=False)
