"""Releases that people told of: a version and the moment it came out."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from kbagent.store.moments import known, to_text


@dataclass(frozen=True, slots=True)
class Release:
    """A version and when it came out; `told` is false where the cases' versions say so."""

    version: str
    at: datetime
    by: str | None = None
    told: bool = True


def put(connection: sqlite3.Connection, release: Release, now: datetime) -> None:
    """Note a release; one that is known gets the new moment."""
    connection.execute(
        """INSERT INTO releases (version, at, by, recorded_at) VALUES (?, ?, ?, ?)
        ON CONFLICT (version) DO UPDATE SET at = excluded.at, by = excluded.by,
            recorded_at = excluded.recorded_at""",
        (release.version, to_text(release.at), release.by, to_text(now)),
    )


def everyone(connection: sqlite3.Connection) -> list[Release]:
    """All of them, oldest first."""
    rows = connection.execute("SELECT version, at, by FROM releases ORDER BY at, version")
    return [Release(row[0], known(row[1]), row[2]) for row in rows]


def remove(connection: sqlite3.Connection, version: str) -> None:
    """Forget a release; whoever does keeps a decision of it."""
    connection.execute("DELETE FROM releases WHERE version = ?", (version,))
