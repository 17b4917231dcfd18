"""Learned matrices by name; a policy names the one that turns its vectors."""

import sqlite3
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from kbagent.store.moments import to_text

Matrix = NDArray[np.float32]


def add(
    connection: sqlite3.Connection, name: str, model_id: int, matrix: Matrix, now: datetime
) -> None:
    """Keep a matrix; one of the same name stays as it is."""
    connection.execute(
        "INSERT INTO adapters (name, model_id, dimension, matrix, recorded_at)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (name, model_id, len(matrix), matrix.astype(np.float32).tobytes(), to_text(now)),
    )


def load(connection: sqlite3.Connection, name: str | None, model_id: int) -> Matrix | None:
    """The matrix of this name, (d, d); None without a name, or when it is another encoder's."""
    if name is None:
        return None
    row = connection.execute(
        "SELECT dimension, matrix FROM adapters WHERE name = ? AND model_id = ?", (name, model_id)
    ).fetchone()
    if row is None:
        return None
    return np.frombuffer(row[1], dtype=np.float32).reshape(row[0], row[0])
