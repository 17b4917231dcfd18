"""Which cases a request is about: its filters, applied to all cases before anything is ranked."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.core.retrieval.filters import matches, name_key
from kbagent.errors import BadFilter
from kbagent.model.case import CaseStatus
from kbagent.model.filters import Filter, FilterOperator
from kbagent.model.lookup import Request
from kbagent.store import cases
from kbagent.store.moments import to_text

Ids = NDArray[np.int64]

WIDE = 20_000  # cases; to name the passages and documents of more takes longer than a search
DEEPEST = 25_000  # hits to look through for those in scope, before the cases are named after all

COLUMNS = {
    "id": "external_id",
    "external id": "external_id",
    "source": "source",
    "title": "title",
    "body": "body",
    "status": "status",
    "opened": "opened_at",
    "opened at": "opened_at",
    "closed": "closed_at",
    "closed at": "closed_at",
    "csat": "csat",
    "minutes": "minutes",
    "escalated": "escalated",
}  # names of the case's own fields, which are no facets


@dataclass(frozen=True, slots=True)
class Scope:
    """The cases in question: `case_ids` ascending, or None when nothing narrows them.

    `emptied_by` names the first condition after which no case was left; `left_out` holds single
    cases that are not in question whatever else they are.
    """

    case_ids: Ids | None
    emptied_by: str | None = None
    left_out: frozenset[int] = frozenset()

    def depths(self, wanted: int, indexed: int) -> Iterator[int]:
        """How many of all hits to take until `wanted` of them are in scope; none: name the cases.

        Only for a wide scope among so many indexed rows. The first depth suffices where the hits
        fall into the scope as often as any case does.
        """
        if self.case_ids is None or len(self.case_ids) <= WIDE:
            return
        depth = int(1.5 * wanted * indexed / len(self.case_ids))
        while depth <= DEEPEST:
            yield min(depth, indexed)
            depth *= 4

    @property
    def narrows(self) -> bool:
        """Whether any case is out of question."""
        return self.case_ids is not None or bool(self.left_out)

    def admits_each(self, case_ids: Ids) -> NDArray[np.bool_]:
        """Whether each case is in question; a negative id names none."""
        admitted: NDArray[np.bool_] = case_ids > 0
        if self.case_ids is not None:
            if not len(self.case_ids):
                return np.zeros(len(case_ids), dtype=np.bool_)
            places = np.searchsorted(self.case_ids, case_ids)
            places = np.minimum(places, len(self.case_ids) - 1)
            admitted &= self.case_ids[places] == case_ids
        if self.left_out:
            admitted &= ~np.isin(case_ids, list(self.left_out))
        return admitted

    def admitted(self, case_ids: Ids) -> Ids:
        """Those of the cases that are in question, in their order."""
        return case_ids[self.admits_each(case_ids)]

    def admits(self, case_id: int) -> bool:
        """Whether this case is in question."""
        if case_id in self.left_out:
            return False
        if self.case_ids is None:
            return True
        place = int(np.searchsorted(self.case_ids, case_id))
        return place < len(self.case_ids) and int(self.case_ids[place]) == case_id


def scope_of(connection: sqlite3.Connection, request: Request) -> Scope:
    """The cases that satisfy every condition of a request.

    Raises:
        BadFilter: a filter names a facet that no case has.
    """
    found: list[tuple[str, Ids]] = []
    columns = _columns_conditions(request)
    if columns:
        where = " AND ".join(condition for _, condition, _ in columns)
        values = [value for _, _, some in columns for value in some]
        rows = connection.execute(f"SELECT id FROM cases WHERE {where} ORDER BY id", values)
        ids = _ids(rows)
        if len(ids) == 0:
            return Scope(ids, emptied_by=_emptied_by(connection, columns))
        found.append(("", ids))
    found.extend((str(one), _satisfying(connection, one)) for one in request.filters)
    left_out = frozenset(request.exclude)
    if not found:
        return Scope(None, left_out=left_out)
    remaining = found[0][1]
    for name, ids in found:
        remaining = np.intersect1d(remaining, ids, assume_unique=True)
        if len(remaining) == 0:
            return Scope(remaining, emptied_by=name)
    return Scope(remaining, left_out=left_out)


def _columns_conditions(request: Request) -> list[tuple[str, str, list[object]]]:
    """(name on the command line, SQL, values) of each condition on the case's own fields."""
    found: list[tuple[str, str, list[object]]] = []
    if request.as_of is not None:
        known = "recorded_at <= ? AND (withdrawn_at IS NULL OR withdrawn_at > ?)"
        name = "--as-of (no case was in this knowledge base by then; --until goes by opening dates)"
        found.append((name, known, [to_text(request.as_of)] * 2))
    if request.sources:
        marks = ",".join("?" * len(request.sources))
        name = f"--source {','.join(request.sources)}"
        found.append((name, f"source COLLATE NOCASE IN ({marks})", list(request.sources)))
    if request.resolved is not None:
        name, sign = ("--resolved", "=") if request.resolved else ("--unresolved", "!=")
        found.append((name, f"status {sign} ?", [str(CaseStatus.RESOLVED)]))
    if request.since is not None:
        found.append(("--since", "opened_at >= ?", [to_text(request.since)]))
    if request.until is not None:
        found.append(("--until", "opened_at < ?", [to_text(request.until)]))
    return found


def _emptied_by(
    connection: sqlite3.Connection, conditions: list[tuple[str, str, list[object]]]
) -> str:
    """The first condition after which, with those before it, no case is left."""
    where: list[str] = []
    values: list[object] = []
    for name, condition, some in conditions:
        where.append(f"({condition})")
        values.extend(some)
        left = f"SELECT 1 FROM cases WHERE {' AND '.join(where)} LIMIT 1"
        if connection.execute(left, values).fetchone() is None:
            return name
    return conditions[-1][0]


def _satisfying(connection: sqlite3.Connection, condition: Filter) -> Ids:
    key = name_key(condition.name)
    names = [name for name in cases.facet_names(connection) if name_key(name) == key]
    if names and key not in COLUMNS:
        return _by_facet(connection, condition, names)
    if not names and key in COLUMNS:
        return _by_column(connection, condition, COLUMNS[key])
    if names:  # a column of the export that is called as a field of the case: either may satisfy
        own = _by_column(connection, condition, COLUMNS[key])
        told = _by_facet(connection, condition, names)
        negated = condition.operator is FilterOperator.NOT_EQUAL
        return np.intersect1d(own, told) if negated else np.union1d(own, told)
    raise BadFilter(text=str(condition), reason=_unknown_name(connection, condition.name))


def _by_facet(connection: sqlite3.Connection, condition: Filter, names: list[str]) -> Ids:
    """Cases of which a value satisfies; for `!=` those of which no value is equal."""
    negated = condition.operator is FilterOperator.NOT_EQUAL
    wanted = Filter(condition.name, FilterOperator.EQUAL, condition.value) if negated else condition
    facet_ids = [
        facet_id
        for name in names
        for facet_id, _, value in cases.facet_values(connection, name)
        if matches(wanted, [value])
    ]
    found = cases.with_facets(connection, facet_ids)
    if not negated:
        return found
    everyone = _ids(connection.execute("SELECT id FROM cases ORDER BY id"))
    return np.setdiff1d(everyone, found, assume_unique=True)


def _by_column(connection: sqlite3.Connection, condition: Filter, column: str) -> Ids:
    rows = connection.execute(f"SELECT id, {column} FROM cases ORDER BY id")
    return np.array(
        [row[0] for row in rows if matches(condition, [] if row[1] is None else [str(row[1])])],
        dtype=np.int64,
    )


def _unknown_name(connection: sqlite3.Connection, name: str) -> str:
    import difflib

    known = [*cases.facet_names(connection), *COLUMNS]
    near = difflib.get_close_matches(name, known, n=3)
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    return f"no case has a column '{name}'{hint}"


def _ids(rows: sqlite3.Cursor) -> Ids:
    return np.fromiter((row[0] for row in rows), dtype=np.int64)
