"""The queue and the priority of a case, whatever its ticket system calls them.

A knowledge base is often fed by several systems, and each names the column of its queue as it
likes. What plays the same part is one factor here: each case has the value of its own system's
column, unchanged, so that all of them can be learned from together. Spellings that differ in
capitals only are one value. Does not translate values: 'urgent' here and '1' there stay two.
"""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kbagent.core.patterns.casetable import UNRECORDED, Codes, Factor
from kbagent.errors import UnknownHandle
from kbagent.store import columns
from kbagent.usecases.mine.columns import QUEUE_NAMES, Columns, factor_of

QUEUE = "queue"
PRIORITY = "priority"
PRIORITY_NAMES = ("priority", "urgency", "severity", "impact")
"""Facets that usually hold the priority, in the order in which they are looked for."""
SPARSE = 0.5
"""Share of the fullest such column of a system below which a column of it is left aside."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an export, and the systems in which it plays the part."""

    name: str
    systems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Role:
    """What plays one part in all systems, and each column that it is read from.

    `name` is the column's own name where there is only one, else that of the part.
    """

    factor: Factor
    columns: tuple[Column, ...]

    @property
    def name(self) -> str:
        """The name of the factor."""
        return self.factor.name


def queue_role(
    connection: sqlite3.Connection, found: Columns, named: str | None = None
) -> Role | None:
    """The queue: the facet `named`, in whatever systems it is, else each system's own column.

    None where there is no such column, or all cases are in one queue and nobody named it.
    """
    if named is None:
        return _pooled(connection, found, QUEUE, QUEUE_NAMES)
    alike = [one for one in _facets(connection, found, (named,)) if one.levels]
    if not alike:
        return None
    best = max(alike, key=lambda one: np.count_nonzero(one.codes != UNRECORDED))
    return Role(best, (Column(best.name, _systems(found, best)),))


def queue_factor(connection: sqlite3.Connection, found: Columns) -> Factor | None:
    """The queue of each case as a factor."""
    role = queue_role(connection, found)
    return role.factor if role is not None else None


def predicted_roles(
    connection: sqlite3.Connection, found: Columns, by_facet: str | None
) -> list[Role]:
    """What can be predicted: the queue, and the priority where one is recorded.

    Raises:
        UnknownHandle: `by_facet` is no facet that a case has one value of.
    """
    queue = queue_role(connection, found, by_facet)
    if queue is None and by_facet is not None and found.size:
        raise UnknownHandle(handle=by_facet, hint="`kbagent show CASE` lists a case's columns.")
    taken = {one.name for one in queue.columns} if queue is not None else set()
    priority = _pooled(connection, found, PRIORITY, PRIORITY_NAMES, taken)
    return [one for one in (queue, priority) if one is not None]


def _pooled(
    connection: sqlite3.Connection,
    found: Columns,
    part: str,
    names: Sequence[str],
    taken: set[str] | frozenset[str] = frozenset(),
) -> Role | None:
    """The value of each case in the column that plays this part in its system."""
    facets = [one for one in _facets(connection, found, names) if one.name not in taken]
    chosen: dict[str, list[int]] = {}
    for system in range(len(found.system.levels)):
        own = _column_of(found, system, facets)
        if own is not None:
            chosen.setdefault(own.name, []).append(system)
    read = [(one, chosen[one.name]) for one in facets if one.name in chosen]
    if not read:
        return None
    codes, levels = _values(found, read)
    if len(levels) < 2:
        return None
    name = read[0][0].name if len(read) == 1 else part
    told = tuple(Column(one.name, tuple(found.system.levels[s] for s in of)) for one, of in read)
    return Role(Factor(name, levels, codes), told)


def _facets(connection: sqlite3.Connection, found: Columns, names: Sequence[str]) -> list[Factor]:
    """The facets of these names, however they are capitalised, that a case has one value of."""
    have = [name for name, _ in columns.facet_names(connection)]
    alike = [own for name in names for own in have if own.casefold() == name.casefold()]
    loaded = [factor_of(connection, found, own) for own in alike]
    return [one for one in loaded if one is not None]


def _column_of(found: Columns, system: int, facets: Sequence[Factor]) -> Factor | None:
    """The column that a system keeps it in: one with a choice, then the fullest, then the first."""
    own = found.system.codes == system
    held = [one.codes[own] for one in facets]
    held = [codes[codes != UNRECORDED] for codes in held]
    fullest = max((codes.size for codes in held), default=0)
    if not fullest:
        return None
    ranked = [
        (np.unique(codes).size > 1, codes.size, -place)
        for place, codes in enumerate(held)
        if codes.size >= SPARSE * fullest
    ]
    return facets[-max(ranked)[2]]


def _values(
    found: Columns, read: Sequence[tuple[Factor, Sequence[int]]]
) -> tuple[Codes, tuple[str, ...]]:
    """The codes of all cases and the levels, sorted; each bears its most frequent spelling."""
    kept = [
        (one, np.where(np.isin(found.system.codes, of), one.codes, UNRECORDED)) for one, of in read
    ]
    spelt: Counter[str] = Counter()
    for one, codes in kept:
        counts = np.bincount(codes[codes != UNRECORDED], minlength=len(one.levels)).tolist()
        spelt.update({level: n for level, n in zip(one.levels, counts, strict=True) if n})
    shown: dict[str, str] = {}
    for level, _ in sorted(spelt.items(), key=lambda item: (-item[1], item[0])):
        shown.setdefault(level.casefold(), level)
    levels = tuple(sorted(shown.values()))
    code = {level.casefold(): i for i, level in enumerate(levels)}
    pooled = np.full(found.size, UNRECORDED, dtype=np.int32)
    for one, codes in kept:
        there = codes != UNRECORDED
        names = np.array([code.get(level.casefold(), UNRECORDED) for level in one.levels], np.int32)
        pooled[there] = names[codes[there]]
    return pooled, levels


def _systems(found: Columns, one: Factor) -> tuple[str, ...]:
    there = np.unique(found.system.codes[one.codes != UNRECORDED])
    return tuple(found.system.levels[int(code)] for code in there)
