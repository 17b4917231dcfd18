"""What people decided: append-only, each with its author, each undoable by another entry."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kbagent.store.moments import known, to_text

_COLUMNS = "id, at, by, kind, issue_id, resolution_id, data, undoes"


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision. `data` is what it needs beside issue and resolution, as JSON values."""

    id: int
    at: datetime
    by: str | None
    kind: str
    issue_id: int | None
    resolution_id: int | None
    data: dict[str, Any]
    undoes: int | None


def add(
    connection: sqlite3.Connection,
    kind: str,
    now: datetime,
    *,
    by: str | None = None,
    issue_id: int | None = None,
    resolution_id: int | None = None,
    data: dict[str, Any] | None = None,
    undoes: int | None = None,
) -> int:
    """Append a decision; its id."""
    cursor = connection.execute(
        "INSERT INTO decisions (at, by, kind, issue_id, resolution_id, data, undoes)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            to_text(now),
            by,
            kind,
            issue_id,
            resolution_id,
            json.dumps(data or {}, ensure_ascii=False),
            undoes,
        ),
    )
    return int(cursor.lastrowid or 0)


def get(connection: sqlite3.Connection, decision_id: int) -> Decision | None:
    """One decision by its id."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM decisions WHERE id = ?", (decision_id,)
    ).fetchone()
    return _decision(row) if row else None


def is_undone(connection: sqlite3.Connection, decision_id: int) -> bool:
    """Whether a later decision took this one back."""
    row = connection.execute("SELECT 1 FROM decisions WHERE undoes = ?", (decision_id,)).fetchone()
    return row is not None


def standing(
    connection: sqlite3.Connection, *kinds: str, as_of: datetime | None = None
) -> list[Decision]:
    """Decisions of these kinds that are in force now, or were at `as_of`, oldest first."""
    horizon = to_text(as_of) or "9999"
    marks = ",".join("?" * len(kinds))
    rows = connection.execute(
        f"""SELECT {_COLUMNS} FROM decisions WHERE kind IN ({marks}) AND undoes IS NULL
        AND at <= ? AND NOT EXISTS (SELECT 1 FROM decisions AS later
            WHERE later.undoes = decisions.id AND later.at <= ?) ORDER BY id""",
        (*kinds, horizon, horizon),
    )
    return [_decision(row) for row in rows]


def latest(connection: sqlite3.Connection, limit: int, *kinds: str) -> list[Decision]:
    """The newest decisions of these kinds (of any, when none is named), newest first."""
    where = f"WHERE kind IN ({','.join('?' * len(kinds))})" if kinds else ""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM decisions {where} ORDER BY id DESC LIMIT ?", (*kinds, limit)
    )
    return [_decision(row) for row in rows]


def last_id(connection: sqlite3.Connection) -> int:
    """The id of the newest decision, 0 before the first."""
    row = connection.execute("SELECT coalesce(max(id), 0) FROM decisions").fetchone()
    return int(row[0])


def ids_after(connection: sqlite3.Connection, decision_id: int) -> list[int]:
    """The ids of all decisions newer than this one, oldest first."""
    rows = connection.execute("SELECT id FROM decisions WHERE id > ? ORDER BY id", (decision_id,))
    return [row[0] for row in rows]


def _decision(row: tuple[Any, ...]) -> Decision:
    return Decision(
        id=row[0],
        at=known(row[1]),
        by=row[2],
        kind=row[3],
        issue_id=row[4],
        resolution_id=row[5],
        data=json.loads(row[6]),
        undoes=row[7],
    )
