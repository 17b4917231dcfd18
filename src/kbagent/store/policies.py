"""Policies and when each was live."""

import json
import sqlite3
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from kbagent.model.policy import Policy, PolicyParameters
from kbagent.store.moments import known, to_text

DEFAULT_VERSION = 1


def add(
    connection: sqlite3.Connection,
    name: str,
    parameters: PolicyParameters,
    now: datetime,
    *,
    parent: int | None = None,
    by: str | None = None,
    evidence: str | None = None,
) -> int:
    """Store a policy; its version. It is not live before `make_live`."""
    cursor = connection.execute(
        "INSERT INTO policies (name, parent, parameters, recorded_at, by, evidence)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (name, parent, json.dumps(asdict(parameters)), to_text(now), by, evidence),
    )
    return int(cursor.lastrowid or 0)


def make_live(
    connection: sqlite3.Connection,
    version: int,
    action: str,
    now: datetime,
    *,
    by: str | None = None,
    reason: str | None = None,
) -> None:
    """From now on lookups use this policy; `action` says how that came about."""
    connection.execute(
        "INSERT INTO policy_log (at, action, version, by, reason) VALUES (?, ?, ?, ?, ?)",
        (to_text(now), action, version, by, reason),
    )


def live(connection: sqlite3.Connection, as_of: datetime | None = None) -> Policy:
    """The policy in force now, or at `as_of` (the default policy before the first entry)."""
    row = connection.execute(
        "SELECT version FROM policy_log WHERE at <= ? AND action NOT IN ('freeze', 'unfreeze')"
        " ORDER BY id DESC LIMIT 1",
        (to_text(as_of) or "9999",),
    ).fetchone()
    policy = by_version(connection, row[0] if row else DEFAULT_VERSION)
    assert policy is not None  # noqa: S101 -- the log refers to policies, version 1 always exists
    return policy


def by_version(connection: sqlite3.Connection, version: int) -> Policy | None:
    """The policy with this version."""
    row = connection.execute(
        "SELECT version, name, parent, parameters FROM policies WHERE version = ?", (version,)
    ).fetchone()
    return _policy(row) if row else None


def everyone(connection: sqlite3.Connection) -> list[Policy]:
    """All policies, oldest first."""
    rows = connection.execute(
        "SELECT version, name, parent, parameters FROM policies ORDER BY version"
    )
    return [_policy(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of the log: `action` is set, promote, rollback, freeze or unfreeze."""

    at: datetime
    action: str
    version: int
    by: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a policy comes from. `evidence` is the JSON of what it was learned from, or None."""

    recorded_at: datetime
    by: str | None
    evidence: dict[str, Any] | None


def log(connection: sqlite3.Connection) -> list[Change]:
    """Everything that changed what is live, oldest first."""
    rows = connection.execute("SELECT at, action, version, by, reason FROM policy_log ORDER BY id")
    return [Change(known(row[0]), *row[1:]) for row in rows]


def is_frozen(connection: sqlite3.Connection) -> bool:
    """Whether people ordered that nothing learned goes live."""
    row = connection.execute(
        "SELECT action FROM policy_log WHERE action IN ('freeze', 'unfreeze')"
        " ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return row is not None and row[0] == "freeze"


def origin(connection: sqlite3.Connection, version: int) -> Origin:
    """Where a stored policy comes from."""
    row = connection.execute(
        "SELECT recorded_at, by, evidence FROM policies WHERE version = ?", (version,)
    ).fetchone()
    return Origin(known(row[0]), row[1], json.loads(row[2]) if row[2] else None)


def note_evaluation(
    connection: sqlite3.Connection, version: int, kind: str, data: dict[str, Any], now: datetime
) -> None:
    """Keep what was said of a policy: `kind` is learn or promote."""
    connection.execute(
        "INSERT INTO policy_evaluations (version, at, kind, data) VALUES (?, ?, ?, ?)",
        (version, to_text(now), kind, json.dumps(data, ensure_ascii=False, default=str)),
    )


def evaluations(
    connection: sqlite3.Connection, version: int
) -> list[tuple[datetime, str, dict[str, Any]]]:
    """(when, kind, what was said) of a policy, oldest first."""
    rows = connection.execute(
        "SELECT at, kind, data FROM policy_evaluations WHERE version = ? ORDER BY id", (version,)
    )
    return [(known(row[0]), row[1], json.loads(row[2])) for row in rows]


def _policy(row: tuple[Any, ...]) -> Policy:
    """A stored policy; parameters added since it was written take their defaults."""
    stored = json.loads(row[3])
    known = {field.name for field in fields(PolicyParameters)}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in stored.items()
        if name in known
    }
    return Policy(row[0], row[1], row[2], PolicyParameters(**values))
