"""Cases, their facets and their earlier versions."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from kbagent.model.case import Case, CaseRecord, CaseStatus
from kbagent.store.moments import known, to_moment, to_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FACET_VALUE_LIMIT = 200  # characters; longer values are kept with the case but not filterable
_CHUNK = 500  # bound values per statement, below SQLite's oldest limit of 999
_T = TypeVar("_T")

_STATUSES = {str(one): one for one in CaseStatus}
_COLONS = 8  # of a reference that are tried as the one between source and id

_COLUMNS = """cases.id, source, external_id, title, body, status, opened_at, closed_at, url, csat,
    minutes, escalated, coalesce(issue_id, -cases.id) AS issue_id, recorded_at, withdrawn_at"""
_FROM = "FROM cases LEFT JOIN memberships ON memberships.case_id = cases.id"


@dataclass(frozen=True, slots=True)
class Stored:
    """What is needed to see whether an imported record is new, changed or the same."""

    id: int
    record_hash: bytes
    status: CaseStatus
    csat: float | None
    title: str
    body: str

    @property
    def is_purged(self) -> bool:
        """Whether it was removed for good; importing it again must not bring it back."""
        return not self.record_hash


def stored(connection: sqlite3.Connection, source: str, external_id: str) -> Stored | None:
    """The stored state of `source:external_id`, or None when it is not known."""
    row = connection.execute(
        "SELECT id, record_hash, status, csat, title, body FROM cases"
        " WHERE source = ? AND external_id = ?",
        (source, external_id),
    ).fetchone()
    if row is None:
        return None
    return Stored(row[0], row[1], CaseStatus(row[2]), row[3], row[4], row[5])


def insert(
    connection: sqlite3.Connection, record: CaseRecord, record_hash: bytes, now: datetime
) -> int:
    """Store a new case with its facets; the new id."""
    cursor = connection.execute(
        """INSERT INTO cases (source, external_id, title, body, status, opened_at, closed_at, url,
            csat, minutes, escalated, facets, record_hash, recorded_at, updated_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            record.source,
            record.external_id,
            *_values(record),
            record_hash,
            to_text(now),
            to_text(now),
        ),
    )
    case_id = int(cursor.lastrowid or 0)
    _write_facets(connection, case_id, record.facets)
    return case_id


def replace(
    connection: sqlite3.Connection,
    case_id: int,
    record: CaseRecord,
    record_hash: bytes,
    now: datetime,
) -> None:
    """Bring a case up to `record`; the earlier version is kept in `case_versions`."""
    _keep_version(connection, case_id, now)
    connection.execute(
        """UPDATE cases SET title = ?, body = ?, status = ?, opened_at = ?, closed_at = ?, url = ?,
            csat = ?, minutes = ?, escalated = ?, facets = ?, record_hash = ?, updated_at = ?
        WHERE id = ?""",
        (*_values(record), record_hash, to_text(now), case_id),
    )
    connection.execute("DELETE FROM case_facets WHERE case_id = ?", (case_id,))
    _write_facets(connection, case_id, record.facets)


def last_version(connection: sqlite3.Connection, case_id: int) -> int:
    """The id of the newest version that is kept of a case; 0 when none is."""
    row = connection.execute(
        "SELECT coalesce(max(id), 0) FROM case_versions WHERE case_id = ?", (case_id,)
    ).fetchone()
    return int(row[0])


def version(connection: sqlite3.Connection, version_id: int) -> dict[str, Any]:
    """An earlier version of a case, by the names of its columns; empty when it is gone."""
    row = connection.execute(
        "SELECT record FROM case_versions WHERE id = ?", (version_id,)
    ).fetchone()
    return dict(json.loads(row[0])) if row else {}


def by_ids(connection: sqlite3.Connection, case_ids: Iterable[int]) -> dict[int, Case]:
    """The cases with these ids; unknown ids are left out."""
    found: dict[int, Case] = {}
    for chunk in chunks(list(case_ids)):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(f"SELECT {_COLUMNS} {_FROM} WHERE cases.id IN ({marks})", chunk)
        found.update((row[0], _case(row)) for row in rows)
    return found


def by_ref(connection: sqlite3.Connection, ref: str) -> Case | None:
    """The case called `source:external_id`, or by its external id alone when that is unique."""
    places = [place for place, sign in enumerate(ref) if sign == ":"]
    for place in places[:_COLONS]:  # either part may hold colons of its own
        row = connection.execute(
            f"SELECT {_COLUMNS} {_FROM} WHERE source = ? AND external_id = ?",
            (ref[:place], ref[place + 1 :]),
        ).fetchone()
        if row is not None:
            return _case(row)
    rows = connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE external_id = ? LIMIT 2", (ref,)
    ).fetchall()
    return _case(rows[0]) if len(rows) == 1 else None


def facets(connection: sqlite3.Connection, case_id: int) -> list[tuple[str, str]]:
    """All columns that a case keeps, in the order of its export."""
    row = connection.execute("SELECT facets FROM cases WHERE id = ?", (case_id,)).fetchone()
    return [(name, value) for name, value in json.loads(row[0])] if row else []


def facets_of(
    connection: sqlite3.Connection, case_ids: Sequence[int]
) -> dict[int, tuple[tuple[str, str], ...]]:
    """The facets of several cases at once."""
    found: dict[int, tuple[tuple[str, str], ...]] = {}
    for chunk in chunks(case_ids):
        marks = ",".join("?" * len(chunk))
        for case_id, text in connection.execute(
            f"SELECT id, facets FROM cases WHERE id IN ({marks})", chunk
        ):
            found[case_id] = tuple((name, value) for name, value in json.loads(text))
    return found


def span(
    connection: sqlite3.Connection, case_ids: Sequence[int]
) -> tuple[datetime | None, datetime | None]:
    """When the first and the last of these cases were opened; None where none tells."""
    found: list[str] = []
    for chunk in chunks(case_ids):
        marks = ",".join("?" * len(chunk))
        row = connection.execute(
            "SELECT min(opened_at), max(opened_at) FROM cases INDEXED BY cases_outlined"
            f" WHERE id IN ({marks})",
            chunk,
        ).fetchone()
        found.extend(one for one in row if one is not None)
    return to_moment(min(found, default=None)), to_moment(max(found, default=None))


def values_among(
    connection: sqlite3.Connection, case_ids: Sequence[int], names: Sequence[str]
) -> set[str]:
    """The values that these cases have of the facets of these names.

    `+name` keeps SQLite from looking up every value of the name for every case.
    """
    found: set[str] = set()
    for chunk in chunks(case_ids if names else ()):
        marks, named = ",".join("?" * len(chunk)), ",".join("?" * len(names))
        rows = connection.execute(
            f"""SELECT value FROM facet_values
            WHERE id IN (SELECT facet_id FROM case_facets WHERE case_id IN ({marks}))
            AND +name IN ({named}) AND value != ''""",
            (*chunk, *names),
        )
        found.update(row[0] for row in rows)
    return found


def facets_named(
    connection: sqlite3.Connection, case_ids: Sequence[int], names: Sequence[str]
) -> dict[int, tuple[tuple[str, str], ...]]:
    """The facets of these names of several cases, by name and value; without any: left out."""
    found: dict[int, list[tuple[str, str]]] = {}
    for chunk in chunks(case_ids if names else ()):
        marks, named = ",".join("?" * len(chunk)), ",".join("?" * len(names))
        rows = connection.execute(
            f"""SELECT case_id, name, value
            FROM case_facets JOIN facet_values ON facet_values.id = facet_id
            WHERE case_id IN ({marks}) AND name IN ({named}) ORDER BY case_id, name, value""",
            (*chunk, *names),
        )
        for case_id, name, value in rows:
            found.setdefault(case_id, []).append((name, value))
    return {case_id: tuple(pairs) for case_id, pairs in found.items()}


def texts(
    connection: sqlite3.Connection, case_ids: Sequence[int]
) -> Iterator[tuple[int, str, str]]:
    """(id, title, body) of these cases, by id."""
    for chunk in chunks(sorted(case_ids)):
        marks = ",".join("?" * len(chunk))
        yield from connection.execute(
            f"SELECT id, title, body FROM cases WHERE id IN ({marks}) ORDER BY id", chunk
        )


def content_keys(
    connection: sqlite3.Connection, case_ids: Sequence[int]
) -> dict[int, tuple[str | None, str]]:
    """(when it was opened, its name) of each case: an order that is not that of arrival."""
    found: dict[int, tuple[str | None, str]] = {}
    for chunk in chunks(case_ids):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"SELECT id, opened_at, source || ':' || external_id FROM cases WHERE id IN ({marks})",
            chunk,
        )
        found.update((row[0], (row[1], row[2])) for row in rows)
    return found


def count(connection: sqlite3.Connection) -> int:
    """How many cases are kept, withdrawn ones left out."""
    row = connection.execute("SELECT count(*) FROM cases WHERE withdrawn_at IS NULL").fetchone()
    return int(row[0])


def facet_names(connection: sqlite3.Connection) -> list[str]:
    """Every name by which cases can be filtered, sorted."""
    rows = connection.execute(
        """WITH RECURSIVE names(name) AS (
            SELECT min(name) FROM facet_values UNION ALL
            SELECT (SELECT min(name) FROM facet_values WHERE name > names.name)
            FROM names WHERE name IS NOT NULL)
        SELECT name FROM names WHERE name IS NOT NULL"""
    )  # from one name to the next, past its values: there may be a million of them
    return [row[0] for row in rows]


def facet_values(connection: sqlite3.Connection, name: str) -> list[tuple[int, str, str]]:
    """(facet id, name, value) of each value of a facet, whatever the name's letter case."""
    return connection.execute(
        "SELECT id, name, value FROM facet_values WHERE name = ? COLLATE NOCASE ORDER BY value",
        (name,),
    ).fetchall()


def with_facets(connection: sqlite3.Connection, facet_ids: Sequence[int]) -> "NDArray[np.int64]":
    """Ids of the cases that have one of these facet values, ascending, without repeats."""
    import numpy as np  # here: most commands read cases and no facets

    parts = []
    for chunk in chunks(facet_ids):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"SELECT case_id FROM case_facets WHERE facet_id IN ({marks})", chunk
        )
        parts.append(np.fromiter((row[0] for row in rows), dtype=np.int64))
    return np.unique(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.int64)


def chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """`values` in pieces small enough to be bound to one statement."""
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def _values(record: CaseRecord) -> tuple[Any, ...]:
    return (
        record.title,
        record.body,
        str(record.status),
        to_text(record.opened_at),
        to_text(record.closed_at),
        record.url,
        record.csat,
        record.minutes,
        None if record.escalated is None else int(record.escalated),
        json.dumps(record.facets, ensure_ascii=False),
    )


def _write_facets(
    connection: sqlite3.Connection, case_id: int, pairs: Sequence[tuple[str, str]]
) -> None:
    for name, value in pairs:
        if len(value) > FACET_VALUE_LIMIT:
            continue
        connection.execute(
            "INSERT INTO facet_values (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (name, value),
        )
        connection.execute(
            "INSERT OR IGNORE INTO case_facets (facet_id, case_id)"
            " SELECT id, ? FROM facet_values WHERE name = ? AND value = ?",
            (case_id, name, value),
        )


def _keep_version(connection: sqlite3.Connection, case_id: int, now: datetime) -> None:
    connection.execute(
        """INSERT INTO case_versions (case_id, replaced_at, record)
        SELECT id, ?, json_object('title', title, 'body', body, 'status', status,
            'opened_at', opened_at, 'closed_at', closed_at, 'url', url, 'csat', csat,
            'minutes', minutes, 'escalated', escalated, 'facets', json(facets))
        FROM cases WHERE id = ?""",
        (to_text(now), case_id),
    )


def _case(row: tuple[Any, ...]) -> Case:
    return Case(
        id=row[0],
        source=row[1],
        external_id=row[2],
        title=row[3],
        body=row[4],
        status=_STATUSES[row[5]],
        opened_at=to_moment(row[6]),
        closed_at=to_moment(row[7]),
        url=row[8],
        csat=row[9],
        minutes=row[10],
        escalated=None if row[11] is None else bool(row[11]),
        issue_id=row[12],
        recorded_at=known(row[13]),
        withdrawn_at=to_moment(row[14]),
    )
