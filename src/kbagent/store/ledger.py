"""The append-only ledger of outcomes, and the folding of it into trials.

An outcome that `undoes` another takes its place: with verdict `unknown` it is a plain undo, with
another verdict it is a correction (a reopened case turns *worked* into *failed*). What counts at a
point in time is every entry recorded by then that no entry recorded by then undoes.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from kbagent.model.case import Verdict
from kbagent.model.outcome import Outcome, OutcomeSource, Told
from kbagent.store.cases import chunks
from kbagent.store.moments import known, to_text

_VERDICTS = {str(one): one for one in Verdict}
_SOURCES = {str(one): one for one in OutcomeSource}
_COLUMNS = """outcomes.id, uid, recorded_at, happened_at, case_id, resolution_id, verdict, source,
    lookup_id, by, note, reason, csat, minutes, escalated, undoes"""


def append(connection: sqlite3.Connection, entry: Outcome) -> int | None:
    """Add an entry (its `id` is ignored); the new id, or None when its uid is already there."""
    cursor = connection.execute(
        """INSERT INTO outcomes (uid, recorded_at, happened_at, case_id, resolution_id, verdict,
            source, lookup_id, by, note, reason, csat, minutes, escalated, undoes)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (uid) DO NOTHING""",
        (
            entry.uid,
            to_text(entry.recorded_at),
            to_text(entry.happened_at),
            entry.case_id,
            entry.resolution_id,
            str(entry.verdict),
            str(entry.source),
            entry.lookup_id,
            entry.by,
            entry.note,
            entry.reason,
            entry.csat,
            entry.minutes,
            None if entry.escalated is None else int(entry.escalated),
            entry.undoes,
        ),
    )
    return int(cursor.lastrowid or 0) if cursor.rowcount else None


def get(connection: sqlite3.Connection, outcome_id: int) -> Outcome | None:
    """One entry by its id."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM outcomes WHERE id = ?", (outcome_id,)
    ).fetchone()
    return _outcome(row) if row else None


def standing(
    connection: sqlite3.Connection, case_ids: Sequence[int], *, as_of: datetime | None = None
) -> list[Outcome]:
    """The entries on these cases that count at `as_of` (now when None), by id."""
    found = [_outcome(row) for row in _standing(connection, _COLUMNS, case_ids, as_of)]
    return sorted(found, key=lambda outcome: outcome.id)


def told_on(
    connection: sqlite3.Connection, case_ids: Sequence[int], *, as_of: datetime | None = None
) -> list[Told]:
    """The same entries in the same order, as far as ranking needs them."""
    columns = "id, case_id, resolution_id, verdict, source, happened_at, by, csat, minutes"
    return sorted(
        Told(key, case, fix, _VERDICTS[verdict], _SOURCES[source], known(at), by, csat, minutes)
        for key, case, fix, verdict, source, at, by, csat, minutes in _standing(
            connection, columns, case_ids, as_of
        )
    )


def _standing(
    connection: sqlite3.Connection, columns: str, case_ids: Sequence[int], as_of: datetime | None
) -> Iterator[tuple[Any, ...]]:
    horizon = to_text(as_of) or "9999"
    for chunk in chunks(case_ids):
        marks = ",".join("?" * len(chunk))
        yield from connection.execute(
            f"""SELECT {columns} FROM outcomes WHERE case_id IN ({marks})
            AND verdict != 'unknown' AND recorded_at <= ?
            AND NOT EXISTS (SELECT 1 FROM outcomes AS later
                WHERE later.undoes = outcomes.id AND later.recorded_at <= ?)""",
            (*chunk, horizon, horizon),
        )


def issues_with_outcomes(connection: sqlite3.Connection, issue_ids: Sequence[int]) -> set[int]:
    """Those of these issues on whose cases anything was ever reported."""
    found: set[int] = set()
    for chunk in chunks(issue_ids):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"""SELECT id FROM issues WHERE id IN ({marks}) AND EXISTS (
                SELECT 1 FROM memberships JOIN outcomes ON outcomes.case_id = memberships.case_id
                WHERE memberships.issue_id = issues.id)""",
            chunk,
        )
        found.update(row[0] for row in rows)
    return found


def standing_on(connection: sqlite3.Connection, case_id: int, resolution_id: int) -> Outcome | None:
    """The latest imported or inferred entry on one attempt that counts now."""
    row = connection.execute(
        f"""SELECT {_COLUMNS} FROM outcomes WHERE case_id = ? AND resolution_id = ?
        AND verdict != 'unknown' AND source != 'explicit'
        AND NOT EXISTS (SELECT 1 FROM outcomes AS later WHERE later.undoes = outcomes.id)
        ORDER BY id DESC LIMIT 1""",
        (case_id, resolution_id),
    ).fetchone()
    return _outcome(row) if row else None


def taken_back_on(
    connection: sqlite3.Connection, case_id: int, resolution_id: int
) -> Verdict | None:
    """What the exports last said of an attempt, when a person has taken that back."""
    row = connection.execute(
        """SELECT said.verdict FROM outcomes AS said
        JOIN outcomes AS undo ON undo.undoes = said.id
        WHERE said.case_id = ? AND said.resolution_id = ? AND said.source != 'explicit'
        AND undo.source = 'explicit' AND undo.verdict = 'unknown'
        ORDER BY said.id DESC LIMIT 1""",
        (case_id, resolution_id),
    ).fetchone()
    return Verdict(row[0]) if row else None


def is_undone(connection: sqlite3.Connection, outcome_id: int) -> bool:
    """Whether a later entry took this one's place."""
    row = connection.execute("SELECT 1 FROM outcomes WHERE undoes = ?", (outcome_id,)).fetchone()
    return row is not None


def latest(connection: sqlite3.Connection, limit: int, *, explicit_only: bool) -> list[Outcome]:
    """The newest entries, newest first."""
    where = "WHERE source = 'explicit'" if explicit_only else ""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM outcomes {where} ORDER BY id DESC LIMIT ?", (limit,)
    )
    return [_outcome(row) for row in rows]


def of_lookup(connection: sqlite3.Connection, lookup_id: int) -> list[Outcome]:
    """What was reported about a lookup, by id."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM outcomes WHERE lookup_id = ? ORDER BY id", (lookup_id,)
    )
    return [_outcome(row) for row in rows]


def every(connection: sqlite3.Connection) -> list[Outcome]:
    """All entries, by id; for looking over the whole past, never for one question."""
    return [_outcome(row) for row in connection.execute(f"SELECT {_COLUMNS} FROM outcomes")]


def last_recorded(connection: sqlite3.Connection, *, as_of: datetime | None = None) -> int:
    """The id of the last entry recorded by `as_of` (now when None); 0 before the first."""
    row = connection.execute(
        "SELECT id FROM outcomes WHERE recorded_at <= ? ORDER BY id DESC LIMIT 1",
        (to_text(as_of) or "9999",),
    ).fetchone()
    return int(row[0]) if row else 0


def uid_known(connection: sqlite3.Connection, uid: str) -> bool:
    """Whether an entry with this id of its own is already in the ledger."""
    return connection.execute("SELECT 1 FROM outcomes WHERE uid = ?", (uid,)).fetchone() is not None


def totals_as_of(connection: sqlite3.Connection, as_of: datetime) -> dict[int, tuple[float, float]]:
    """(tried, reward) of each approach from what was recorded by `as_of`; scans the ledger."""
    horizon = to_text(as_of)
    rows = connection.execute(
        """SELECT canonical_id, count(*), sum(CASE verdict WHEN 'worked' THEN 1.0
            WHEN 'partly' THEN 0.5 ELSE 0 END)
        FROM outcomes JOIN resolutions ON resolutions.id = resolution_id
        WHERE verdict != 'unknown' AND outcomes.recorded_at <= ?
        AND NOT EXISTS (SELECT 1 FROM outcomes AS later
            WHERE later.undoes = outcomes.id AND later.recorded_at <= ?)
        GROUP BY canonical_id""",
        (horizon, horizon),
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def record_event(
    connection: sqlite3.Connection,
    lookup_id: int | None,
    kind: str,
    at: datetime,
    by: str | None,
    data: dict[str, Any],
) -> None:
    """Note that something happened; the row id is the event's sequence number."""
    connection.execute(
        "INSERT INTO events (lookup_id, type, at, by, data) VALUES (?, ?, ?, ?, ?)",
        (lookup_id, kind, to_text(at), by, json.dumps(data, ensure_ascii=False)),
    )


def last_event(connection: sqlite3.Connection, kind: str, by_then: datetime) -> str | None:
    """What the newest event of this kind by a moment says, as JSON; None before the first."""
    row = connection.execute(
        "SELECT data FROM events WHERE type = ? AND at <= ? ORDER BY id DESC LIMIT 1",
        (kind, to_text(by_then)),
    ).fetchone()
    return row[0] if row else None


def first_event(connection: sqlite3.Connection, kind: str) -> datetime | None:
    """When the first event of this kind was; None when there was none."""
    row = connection.execute("SELECT min(at) FROM events WHERE type = ?", (kind,)).fetchone()
    return known(row[0]) if row[0] is not None else None


def _outcome(row: tuple[Any, ...]) -> Outcome:
    return Outcome(
        id=row[0],
        uid=row[1],
        recorded_at=known(row[2]),
        happened_at=known(row[3]),
        case_id=row[4],
        resolution_id=row[5],
        verdict=_VERDICTS[row[6]],
        source=_SOURCES[row[7]],
        lookup_id=row[8],
        by=row[9],
        note=row[10],
        reason=row[11],
        csat=row[12],
        minutes=row[13],
        escalated=None if row[14] is None else bool(row[14]),
        undoes=row[15],
    )
