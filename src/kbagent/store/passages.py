"""Passages and their vectors: the truth from which every dense index is made.

A case's text is encoded as one or more passages. A changed text gets new rows and the old ones
are retired, so that a passage id always means the same vector and an index made earlier stays
right for what it covers. Vectors are kept as float16, unit length: half the space, and a
similarity changed by less than 1e-3.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from kbagent.store.cases import chunks
from kbagent.store.moments import to_text

_BLOCK = 20_000  # rows read at a time when all vectors are streamed

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]


def text_hash(text: str) -> bytes:
    """The key under which a text's vector is found again."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def to_blob(vector: Vectors) -> bytes:
    """One vector as it is stored."""
    return vector.astype(np.float16).tobytes()


def from_blobs(blobs: Sequence[bytes]) -> Vectors:
    """Stored vectors as (n, dimension) float32."""
    if not blobs:
        return np.zeros((0, 0), dtype=np.float32)
    matrix = np.frombuffer(b"".join(blobs), dtype=np.float16)
    return matrix.reshape(len(blobs), -1).astype(np.float32)


def insert(
    connection: sqlite3.Connection,
    model_id: int,
    case_id: int,
    hashes: Sequence[bytes],
    blobs: Sequence[bytes],
) -> None:
    """Store the passages of one case in their order."""
    connection.executemany(
        "INSERT INTO passages (model_id, case_id, ordinal, text_hash, vector)"
        " VALUES (?, ?, ?, ?, ?)",
        [
            (model_id, case_id, ordinal, text_hash, blob)
            for ordinal, (text_hash, blob) in enumerate(zip(hashes, blobs, strict=True))
        ],
    )


def retire(connection: sqlite3.Connection, case_id: int) -> None:
    """The text of this case changed: its passages and document no longer count."""
    connection.execute("UPDATE passages SET retired = 1 WHERE case_id = ?", (case_id,))
    connection.execute("UPDATE documents SET retired = 1 WHERE case_id = ?", (case_id,))


def insert_document(connection: sqlite3.Connection, case_id: int) -> int:
    """A new row for the lexical index; its id grows with every text that is stored."""
    cursor = connection.execute("INSERT INTO documents (case_id) VALUES (?)", (case_id,))
    return int(cursor.lastrowid or 0)


def blobs_by_hash(
    connection: sqlite3.Connection, model_id: int, hashes: Sequence[bytes]
) -> dict[bytes, bytes]:
    """Vectors already known for these texts, so that identical texts are encoded once."""
    found: dict[bytes, bytes] = {}
    for start in range(0, len(hashes), 500):
        part = hashes[start : start + 500]
        marks = ",".join("?" * len(part))
        rows = connection.execute(
            f"SELECT text_hash, vector FROM passages WHERE text_hash IN ({marks}) AND model_id = ?",
            (*part, model_id),
        )
        found.update(rows)
    return found


def last_id(connection: sqlite3.Connection, model_id: int) -> int:
    """The highest passage id of a model, 0 when it has none."""
    row = connection.execute(
        "SELECT coalesce(max(id), 0) FROM passages WHERE model_id = ?", (model_id,)
    ).fetchone()
    return int(row[0])


def count(connection: sqlite3.Connection, model_id: int) -> int:
    """How many live passages a model has."""
    row = connection.execute(
        "SELECT count(*) FROM passages WHERE model_id = ? AND retired = 0", (model_id,)
    ).fetchone()
    return int(row[0])


def stream(
    connection: sqlite3.Connection, model_id: int, after: int = 0, block: int = _BLOCK
) -> Iterator[tuple[Ids, Vectors]]:
    """Live vectors newer than passage `after`, by id, in blocks of (ids, (n, dimension))."""
    while True:
        rows = connection.execute(
            "SELECT id, vector FROM passages WHERE model_id = ? AND id > ? AND retired = 0"
            " ORDER BY id LIMIT ?",
            (model_id, after, block),
        ).fetchall()
        if not rows:
            return
        after = rows[-1][0]
        yield (
            np.array([row[0] for row in rows], dtype=np.int64),
            from_blobs([row[1] for row in rows]),
        )


def vectors(connection: sqlite3.Connection, passage_ids: Sequence[int]) -> dict[int, Vectors]:
    """The exact vectors of these passages."""
    found: dict[int, Vectors] = {}
    for chunk in chunks(passage_ids):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"SELECT id, vector FROM passages WHERE id IN ({marks})", chunk
        ).fetchall()
        matrix = from_blobs([row[1] for row in rows])
        found.update((row[0], matrix[index]) for index, row in enumerate(rows))
    return found


def of_cases(
    connection: sqlite3.Connection, model_id: int, case_ids: Sequence[int]
) -> tuple[Ids, Vectors]:
    """(case id of each row, vectors) of all live passages of these cases."""
    owners: list[int] = []
    blobs: list[bytes] = []
    for chunk in chunks(case_ids):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"SELECT case_id, vector FROM passages WHERE model_id = ? AND case_id IN ({marks})"
            " AND retired = 0 ORDER BY case_id, ordinal",
            (model_id, *chunk),
        )
        for owner, blob in rows:
            owners.append(owner)
            blobs.append(blob)
    return np.array(owners, dtype=np.int64), from_blobs(blobs)


def owners(
    connection: sqlite3.Connection, model_id: int, passage_ids: Sequence[int]
) -> dict[int, int]:
    """Which live case each passage belongs to; retired and withdrawn ones are left out."""
    rows = "passages AS row INDEXED BY passages_in_order"
    return _owners(connection, rows, passage_ids, "AND model_id = ?", model_id)


def document_owners(connection: sqlite3.Connection, document_ids: Sequence[int]) -> dict[int, int]:
    """Which live case each document belongs to; retired and withdrawn ones are left out."""
    return _owners(connection, "documents AS row", document_ids)


def _owners(
    connection: sqlite3.Connection,
    rows: str,
    ids: Sequence[int],
    condition: str = "",
    *values: int,
) -> dict[int, int]:
    """By way of indexes alone: the rows themselves are long and lie far apart."""
    found: dict[int, int] = {}
    for chunk in chunks(ids):
        marks = ",".join("?" * len(chunk))
        found.update(
            connection.execute(
                f"""SELECT row.id, case_id FROM {rows}
                CROSS JOIN cases INDEXED BY cases_outlined ON cases.id = case_id
                WHERE row.id IN ({marks}) AND retired = 0 AND withdrawn_at IS NULL {condition}""",
                (*chunk, *values),
            )
        )
    return found


def ids_of_cases(connection: sqlite3.Connection, model_id: int, case_ids: Sequence[int]) -> Ids:
    """The live passage ids of these cases, ascending."""
    found: list[int] = []
    for chunk in chunks(case_ids):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"SELECT id FROM passages WHERE model_id = ? AND case_id IN ({marks}) AND retired = 0",
            (model_id, *chunk),
        )
        found.extend(row[0] for row in rows)
    return np.array(sorted(found), dtype=np.int64)


def documents_of_cases(connection: sqlite3.Connection, case_ids: Sequence[int]) -> Ids:
    """The live document ids of these cases, ascending."""
    found: list[int] = []
    for chunk in chunks(case_ids):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"SELECT id FROM documents WHERE case_id IN ({marks}) AND retired = 0", chunk
        )
        found.extend(row[0] for row in rows)
    return np.array(sorted(found), dtype=np.int64)


def documents(connection: sqlite3.Connection, after: int) -> Iterator[tuple[int, int, str, str]]:
    """(document id, case id, title, body) of live documents newer than `after`, by id."""
    yield from connection.execute(
        """SELECT documents.id, cases.id, title, body FROM documents
        JOIN cases ON cases.id = case_id
        WHERE documents.id > ? AND retired = 0 ORDER BY documents.id""",
        (after,),
    )


def documents_since(
    connection: sqlite3.Connection, moment: datetime, upto: int
) -> Iterator[tuple[int, str, str]]:
    """(document id, title, body) up to document `upto` of cases recorded after `moment`, by id."""
    yield from connection.execute(
        """SELECT documents.id, title, body FROM documents JOIN cases ON cases.id = case_id
        WHERE documents.id <= ? AND cases.recorded_at > ? ORDER BY documents.id""",
        (upto, to_text(moment)),
    )


def texts_of_documents(
    connection: sqlite3.Connection, document_ids: Sequence[int]
) -> dict[int, tuple[str, str]]:
    """(title, body) of these documents."""
    found: dict[int, tuple[str, str]] = {}
    for chunk in chunks(document_ids):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"""SELECT documents.id, title, body FROM documents JOIN cases ON cases.id = case_id
            WHERE documents.id IN ({marks})""",
            chunk,
        )
        found.update((row[0], (row[1], row[2])) for row in rows)
    return found


def last_document(connection: sqlite3.Connection) -> int:
    """The highest document id, 0 when there is none."""
    row = connection.execute("SELECT coalesce(max(id), 0) FROM documents").fetchone()
    return int(row[0])
