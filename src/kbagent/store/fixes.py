"""Vectors of fixes: resolution texts of which an outcome is known."""

import sqlite3
from collections.abc import Sequence

import numpy as np

from kbagent.store.cases import chunks
from kbagent.store.passages import Vectors, from_blobs, to_blob


def without_vector(
    connection: sqlite3.Connection, model_id: int, limit: int
) -> list[tuple[int, str]]:
    """(id, text) of fixes that no vector of this model is kept of, by id."""
    return connection.execute(
        """SELECT id, text FROM resolutions WHERE EXISTS
            (SELECT 1 FROM attempts WHERE resolution_id = resolutions.id
             AND verdict != 'unknown' AND retired_at IS NULL)
        AND NOT EXISTS (SELECT 1 FROM fix_vectors
             WHERE resolution_id = resolutions.id AND model_id = ?)
        ORDER BY id LIMIT ?""",
        (model_id, limit),
    ).fetchall()


def insert(
    connection: sqlite3.Connection, model_id: int, ids: Sequence[int], vectors: Vectors
) -> None:
    """Keep the vectors of these fixes."""
    connection.executemany(
        "INSERT OR IGNORE INTO fix_vectors (resolution_id, model_id, vector) VALUES (?, ?, ?)",
        [(one, model_id, to_blob(vector)) for one, vector in zip(ids, vectors, strict=True)],
    )


def vectors(
    connection: sqlite3.Connection, model_id: int, resolution_ids: Sequence[int]
) -> dict[int, Vectors]:
    """The vectors of these fixes, as far as they are kept."""
    found: dict[int, Vectors] = {}
    for chunk in chunks(resolution_ids):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"SELECT resolution_id, vector FROM fix_vectors"
            f" WHERE model_id = ? AND resolution_id IN ({marks})",
            (model_id, *chunk),
        ).fetchall()
        matrix = from_blobs([row[1] for row in rows])
        found.update((row[0], matrix[index]) for index, row in enumerate(rows))
    return found


def of_cases(
    connection: sqlite3.Connection, model_id: int, case_ids: Sequence[int]
) -> dict[int, Vectors]:
    """For each of these cases the vector of the last fix that worked on it at least partly."""
    found: dict[int, Vectors] = {}
    for chunk in chunks(case_ids):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"""SELECT case_id, vector FROM attempts
            JOIN fix_vectors ON fix_vectors.resolution_id = attempts.resolution_id
            WHERE model_id = ? AND case_id IN ({marks}) AND verdict IN ('worked', 'partly')
            AND retired_at IS NULL ORDER BY case_id, ordinal, attempts.id""",
            (model_id, *chunk),
        ).fetchall()
        matrix = from_blobs([row[1] for row in rows])
        found.update((row[0], matrix[index]) for index, row in enumerate(rows))
    return found


def unit(matrix: Vectors) -> Vectors:
    """Rows scaled to unit length again (half precision rounds them); zero rows stay zero."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    scaled: Vectors = (matrix / np.where(lengths > 0.0, lengths, 1.0)).astype(np.float32)
    return scaled
