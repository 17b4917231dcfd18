"""Changing the encoder: every case and fix is encoded again while the old vectors serve.

Interrupted, the same command goes on where it stopped: what is encoded is stored batch by batch.
The new encoder takes over in the transaction in which nothing is left to encode, so no case that
was added meanwhile is missed. The old vectors stay, so that going back costs nothing.
"""

import sqlite3
from collections.abc import Callable, Sequence

from kbagent.store import models, passages
from kbagent.store.encoder.passages import passages as split_passages
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.models import StoredModel
from kbagent.usecases.maintain.encoding import enrolled
from kbagent.usecases.maintain.indexing import refresh_indexes
from kbagent.usecases.retain.fixes import encode_fixes

BATCH = 256  # cases a transaction

Progress = Callable[[int, int], None]


def use_model(kb: KnowledgeBase, encoder: Encoder, progress: Progress) -> StoredModel:
    """Make an encoder the one that serves; `progress` is told cases done and cases in all."""
    model = enrolled(kb, encoder)
    if model.state == "active":
        encode_fixes(kb, encoder, model.id)
        refresh_indexes(kb, model)  # it may have been stopped between the switch and this
        return model
    while True:
        encode_missing(kb, encoder, model.id, progress)
        encode_fixes(kb, encoder, model.id)
        with kb.database.write() as connection:
            if not _not_encoded(connection, model.id, 1):
                models.set_state(connection, model.id, "active")
                break
    refresh_indexes(kb, model)
    return models.by_id(kb.connection, model.id) or model


def encode_missing(kb: KnowledgeBase, encoder: Encoder, model_id: int, progress: Progress) -> int:
    """Encode every case that has no vectors of this model; how many there were."""
    total = _count_cases(kb.connection)
    encoded = 0
    while waiting := _not_encoded(kb.connection, model_id, BATCH):
        encoded += _encode(kb, encoder, model_id, waiting)
        progress(total - _left(kb.connection, model_id), total)
    return encoded


def _encode(
    kb: KnowledgeBase, encoder: Encoder, model_id: int, waiting: Sequence[tuple[int, str, str]]
) -> int:
    texts = {case_id: split_passages(title, body, encoder) for case_id, title, body in waiting}
    flat = [text for some in texts.values() for text in some]
    vectors = dict(zip(flat, encoder.encode(flat), strict=True))
    stored = 0
    with kb.database.write() as connection:
        for case_id, title, body in waiting:
            if _has_vectors(connection, model_id, case_id):
                continue  # another process was first
            if _text_of(connection, case_id) != (title, body):
                continue  # changed meanwhile; it comes round again
            hashes = [passages.text_hash(text) for text in texts[case_id]]
            blobs = [passages.to_blob(vectors[text]) for text in texts[case_id]]
            passages.insert(connection, model_id, case_id, hashes, blobs)
            stored += 1
    return stored


def _not_encoded(
    connection: sqlite3.Connection, model_id: int, limit: int
) -> list[tuple[int, str, str]]:
    """Cases without live passages of this model, by id."""
    return connection.execute(
        """SELECT id, title, body FROM cases WHERE withdrawn_at IS NULL AND NOT EXISTS
            (SELECT 1 FROM passages
             WHERE model_id = ? AND case_id = cases.id AND retired = 0)
        ORDER BY id LIMIT ?""",
        (model_id, limit),
    ).fetchall()


def _has_vectors(connection: sqlite3.Connection, model_id: int, case_id: int) -> bool:
    row = connection.execute(
        "SELECT 1 FROM passages WHERE model_id = ? AND case_id = ? AND retired = 0 LIMIT 1",
        (model_id, case_id),
    ).fetchone()
    return row is not None


def _left(connection: sqlite3.Connection, model_id: int) -> int:
    row = connection.execute(
        """SELECT count(*) FROM cases WHERE withdrawn_at IS NULL AND NOT EXISTS
            (SELECT 1 FROM passages
             WHERE model_id = ? AND case_id = cases.id AND retired = 0)""",
        (model_id,),
    ).fetchone()
    return int(row[0])


def _count_cases(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM cases WHERE withdrawn_at IS NULL").fetchone()
    return int(row[0])


def _text_of(connection: sqlite3.Connection, case_id: int) -> tuple[str, str] | None:
    row: tuple[str, str] | None = connection.execute(
        "SELECT title, body FROM cases WHERE id = ?", (case_id,)
    ).fetchone()
    return row
