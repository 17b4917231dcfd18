"""The stored cases as a table to be tested: what they were like, and what became of them.

Chooses words and phrases, adds the hour, the releases and the form of the message to the facets,
and makes consequents of issue, resolution, escalation, reopening, satisfaction, time and queue.
Does not test anything.
"""

import sqlite3
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.casetable import (
    UNRECORDED,
    CaseTable,
    Codes,
    Consequent,
    Factor,
    Features,
    Kind,
    features_from,
    features_of,
    joined,
)
from kbagent.core.patterns.contingency import agreement
from kbagent.core.patterns.discovery import Pattern, Settings
from kbagent.core.patterns.messageform import form_features, release_factors, timing_factors
from kbagent.core.patterns.terms import candidates, term_rows, terms_of, words
from kbagent.store import columns
from kbagent.store.releases import Release
from kbagent.usecases.mine.columns import CUSTOMER, Columns, problem_facets
from kbagent.usecases.mine.roles import queue_factor
from kbagent.usecases.mine.texts import texts_of

VOCABULARY_CASES = 100_000
"""Cases, evenly spread, on which words are chosen when there are more."""
FEWEST_SAMPLED = 5
"""Cases of that sample in which a word must occur: fewer are chance, and there are millions."""
MOST_LEVELS = 300
"""Issues, and likewise resolutions, that are consequents of their own: the most frequent ones."""
QUEUE = "queue"
SAME = 0.9
"""Agreement (phi) from which a queue and an outcome are one thing under two names."""
ELSE = "(other)"


def case_table(
    connection: sqlite3.Connection,
    found: Columns,
    factors: Sequence[Factor],
    released: Sequence[Release],
    zone: tzinfo,
) -> tuple[CaseTable, list[Consequent], int]:
    """The table, its consequents, and how many words were looked at and left out."""
    issue = _frequent("issue", [f"i{i}" if i >= 0 else None for i in found.issue.tolist()])
    queues = _where_chosen(queue_factor(connection, found), found.system)
    about = problem_facets(found, factors)
    consequents = _consequents(connection, found, issue, queues, about)
    moments = [(one.version, one.at) for one in released]
    since = _since_releases(found, factors, moments)
    every = [
        replace(found.system, testable=False),
        replace(issue, testable=False),
        *(one for one in factors if not CUSTOMER.search(one.name)),
        *timing_factors(found.seconds, zone),
        *(one for one in since if one.name == "release"),
    ]
    fresh = features_of([one for one in since if one.name != "release"])
    extra, left_out = _words(connection, found, issue, queues)
    customers = features_of([one for one in factors if CUSTOMER.search(one.name)])
    form = joined(joined(_form(connection, found), customers), fresh)
    table = CaseTable.of(every, joined(form, extra), found.months)
    return table, consequents, left_out


def _since_releases(
    found: Columns, factors: Sequence[Factor], moments: Sequence[tuple[str, datetime]]
) -> list[Factor]:
    """How fresh the latest release was, and which it was unless the cases say their version.

    A version and the period in which it was the latest explain each other away; for the same
    reason freshness is an antecedent but no confounder.
    """
    made = release_factors(found.seconds, moments)
    if any(one.kind is Kind.RELEASE for one in factors):
        return [one for one in made if one.name != "release"]
    return made


def is_itself(one: Pattern, consequents: Sequence[Consequent]) -> bool:
    """Whether it says the same twice: an issue's component, or with it the issue's fix or queue.

    A queue follows from the problem, so what cannot be told apart from the problem is that too.
    """
    of = "issue" if one.consequent in ("resolution", QUEUE) else one.consequent
    same = frozenset[str]().union(*(c.not_by for c in consequents if c.name == of))
    also = one.aliases if one.consequent == QUEUE else ()
    return one.antecedent.partition("=")[0] in same or not same.isdisjoint(also)


def _consequents(
    connection: sqlite3.Connection,
    found: Columns,
    issue: Factor,
    queues: Sequence[Factor],
    about: frozenset[str],
) -> list[Consequent]:
    worked = _frequent("resolution", _what_worked(connection, found))
    made = [
        _of_levels(issue, frozenset({"issue"}) | about),
        _of_levels(worked, frozenset()),
        Consequent("escalated", ("no", "yes"), found.escalated, told=(1,)),
        Consequent("reopened", ("no", "yes"), found.reopened, told=(1,)),
        Consequent("satisfaction", values=found.csat),
        Consequent("minutes to resolve", values=found.minutes),
    ]
    made += [_of_levels(one, frozenset()) for one in queues]
    return [one for one in made if one.known.any()]


def _where_chosen(queue: Factor | None, system: Factor) -> list[Factor]:
    """The queue among the cases that could have come into it, a factor per set of queues.

    Ticket systems that share a queue are one set: between others nobody chose, and a case of one
    says nothing of the queues of another. A system with one queue is no part of any.
    """
    if queue is None:
        return []
    sets: list[tuple[set[int], list[int]]] = []
    for level in range(len(system.levels)):
        held = np.unique(queue.codes[system.codes == level])
        own = {int(code) for code in held if code != UNRECORDED}
        if len(own) < 2:
            continue
        sharing = [one for one in sets if one[0] & own]
        merged = (
            own.union(*(one[0] for one in sharing)),
            [level] + [s for o in sharing for s in o[1]],
        )
        sets = [one for one in sets if one not in sharing] + [merged]
    return [_among(queue, np.isin(system.codes, systems)) for _, systems in sets]


def _among(queue: Factor, own: NDArray[np.bool_]) -> Factor:
    """The queue of these cases, with the levels that they have."""
    own = own & (queue.codes != UNRECORDED)
    present, dense = np.unique(queue.codes[own], return_inverse=True)
    codes = np.full(queue.codes.size, UNRECORDED, dtype=np.int32)
    codes[own] = dense
    return Factor(QUEUE, tuple(queue.levels[int(code)] for code in present), codes)


def _of_levels(factor: Factor, not_by: frozenset[str]) -> Consequent:
    told = tuple(i for i, level in enumerate(factor.levels) if level != ELSE)
    # None tells only what makes a level likelier; that is what is wanted of many levels.
    whole = None if len(told) == len(factor.levels) else told
    return Consequent(factor.name, factor.levels, factor.codes, not_by=not_by, told=whole)


def _frequent(name: str, values: Sequence[str | None]) -> Factor:
    """A factor of the most frequent values; the others share one level."""
    counted = Counter(value for value in values if value is not None)
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    kept = {value for value, _ in ordered[:MOST_LEVELS]}
    return Factor.of(name, [v if v is None or v in kept else ELSE for v in values])


def _what_worked(connection: sqlite3.Connection, found: Columns) -> list[str | None]:
    """The approach that worked on each case, the latest where several did."""
    rows = list(columns.worked(connection))
    places = found.places(np.array([row[0] for row in rows], dtype=np.int64))
    values: list[str | None] = [None] * found.size
    for place, row in zip(places.tolist(), rows, strict=True):
        if place >= 0:
            values[place] = f"r{row[1]}"
    return values


def _form(connection: sqlite3.Connection, found: Columns) -> Features:
    return form_features(texts_of(connection, found))


def _words(
    connection: sqlite3.Connection, found: Columns, issue: Factor, queues: Sequence[Factor]
) -> tuple[Features, int]:
    """Words and phrases worth testing, and how many eligible ones were left out."""
    least = Settings().min_support
    step = -(-found.size // VOCABULARY_CASES)
    sample = (words(text) for i, text in enumerate(texts_of(connection, found)) if i % step == 0)
    rows = term_rows(sample, least if step == 1 else max(FEWEST_SAMPLED, least // step))
    if step > 1:
        rows = _rows_of(set(rows), texts_of(connection, found))
    flags = [(found.escalated, 2), (found.reopened, 2)]
    flags += [(one.codes, len(one.levels)) for one in queues if len(one.levels) <= MOST_LEVELS]
    chosen = candidates(rows, issue.codes, len(issue.levels), flags)
    return chosen.features, max(0, chosen.considered - len(chosen.features))


def term_features(connection: sqlite3.Connection, found: Columns, antecedent: str) -> Features:
    """The cases with the term that a name like “printer” stands for; nothing for other names."""
    term = antecedent[1:-1]
    if antecedent != f"“{term}”":
        return features_from([])
    rows = _rows_of({term}, texts_of(connection, found))
    return features_from([(antecedent, Kind.KEYWORD, cases) for cases in rows.values()])


def _rows_of(vocabulary: set[str], texts: Iterator[str]) -> dict[str, Codes]:
    """The cases of each known term, in one pass."""
    where = {term: array("i") for term in sorted(vocabulary)}
    for i, text in enumerate(texts):
        for term in terms_of(words(text)) & vocabulary:
            where[term].append(i)
    return {term: np.frombuffer(r, dtype=np.int32) for term, r in where.items() if len(r)}


def same_facts(consequents: Sequence[Consequent]) -> tuple[tuple[str, str], ...]:
    """The levels of queues that are other names of an outcome: (queue …, escalated).

    A queue into which cases come by being escalated foretells nothing that escalation does not.
    """
    flags = [one for one in consequents if one.told == (1,)]
    return tuple(
        (f"{queue.name} {level}", flag.name if phi > 0 else f"not {flag.name}")
        for queue in consequents
        if queue.name == QUEUE and queue.codes is not None
        for flag in flags
        if flag.codes is not None
        for place, level in enumerate(queue.levels)
        if abs(phi := agreement(queue.codes, place, flag.codes, 1)) >= SAME
    )


def without_same(one: Consequent, same: Sequence[tuple[str, str]]) -> Consequent:
    """The consequent without the levels that are told under another name."""
    gone = {name for name, _ in same}
    if one.name != QUEUE or not gone:
        return one
    kept = range(len(one.levels)) if one.told is None else one.told
    return replace(one, told=tuple(i for i in kept if f"{QUEUE} {one.levels[i]}" not in gone))
