"""Learned matrices by name; a policy names the one that turns its vectors."""

import hashlib
import re
import sqlite3
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from kbagent.errors import Damaged
from kbagent.store.moments import to_text

Matrix = NDArray[np.float32]

_MADE_OF_CONTENT = re.compile(r"a[0-9a-f]{10}")  # what `name_of` gives


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
    """The matrix of this name, (d, d); None without a name, or when it is another encoder's.

    Raises:
        Damaged: it is not what was stored.
    """
    if name is None:
        return None
    row = connection.execute(
        "SELECT dimension, matrix FROM adapters WHERE name = ? AND model_id = ?", (name, model_id)
    ).fetchone()
    if row is None:
        return None
    if not _is_whole(name, *row):
        raise Damaged(
            what=f"the adapter {name} is not what was learned",
            hint="`kbagent policy rollback` leaves it; `kbagent doctor` looks at everything.",
        )
    return np.frombuffer(row[1], dtype=np.float32).reshape(row[0], row[0])


def name_of(matrix: Matrix) -> str:
    """A short name made of the content: the same matrix has the same name."""
    return f"a{_digest(matrix.astype(np.float32).tobytes())}"


def broken(connection: sqlite3.Connection) -> list[str]:
    """The names of matrices that are not what was stored under them."""
    rows = connection.execute("SELECT name, dimension, matrix FROM adapters ORDER BY name")
    return [str(row[0]) for row in rows if not _is_whole(*row)]


def _is_whole(name: str, dimension: int, content: bytes) -> bool:
    """Whether a matrix has its size, and the content that its name says where it says one."""
    if not isinstance(content, bytes) or len(content) != 4 * dimension * dimension:
        return False
    return _MADE_OF_CONTENT.fullmatch(name) is None or name[1:] == _digest(content)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=5).hexdigest()
