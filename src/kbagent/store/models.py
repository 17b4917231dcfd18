"""Which encoders this knowledge base has vectors of."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kbagent.store.moments import to_text

_COLUMNS = "id, name, fingerprint, dimension, max_tokens, state"


@dataclass(frozen=True, slots=True)
class StoredModel:
    """An encoder whose vectors are kept; `state` is active, building or retired."""

    id: int
    name: str
    fingerprint: str
    dimension: int
    max_tokens: int
    state: str


def active(connection: sqlite3.Connection) -> StoredModel | None:
    """The encoder that serves queries; None before the first import."""
    return _one(connection, "state = 'active'", ())


def by_fingerprint(connection: sqlite3.Connection, fingerprint: str) -> StoredModel | None:
    """The encoder with these weights, if it was ever used here."""
    return _one(connection, "fingerprint = ?", (fingerprint,))


def by_id(connection: sqlite3.Connection, model_id: int) -> StoredModel | None:
    """The encoder with this id."""
    return _one(connection, "id = ?", (model_id,))


def everyone(connection: sqlite3.Connection) -> list[StoredModel]:
    """All encoders ever used here, oldest first."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM models ORDER BY id")
    return [StoredModel(*row) for row in rows]


def add(
    connection: sqlite3.Connection,
    name: str,
    fingerprint: str,
    dimension: int,
    max_tokens: int,
    state: str,
    now: datetime,
) -> StoredModel:
    """Note a new encoder."""
    connection.execute(
        "INSERT INTO models (name, fingerprint, dimension, max_tokens, state, recorded_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (name, fingerprint, dimension, max_tokens, state, to_text(now)),
    )
    model = by_fingerprint(connection, fingerprint)
    assert model is not None  # noqa: S101 -- inserted a line above, in the same transaction
    return model


def set_state(connection: sqlite3.Connection, model_id: int, state: str) -> None:
    """Make an encoder active, building or retired; there is never more than one active."""
    if state == "active":
        connection.execute("UPDATE models SET state = 'retired' WHERE state = 'active'")
    connection.execute("UPDATE models SET state = ? WHERE id = ?", (state, model_id))


def _one(connection: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> StoredModel | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM models WHERE {where}", values).fetchone()
    return StoredModel(*row) if row else None
