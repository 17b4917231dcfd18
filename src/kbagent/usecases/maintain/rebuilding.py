"""Making anew what follows from the truth: vectors that are missing, and both indexes.

Interrupted, the same command goes on where it stopped: vectors are stored batch by batch, an
index counts shard by shard, and what serves meanwhile stays.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kbagent.store import models, passages
from kbagent.store.encoder.session import Encoder
from kbagent.store.index import dense, lexical
from kbagent.store.index.acquaintance import NAME as ACQUAINTANCE
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.maintain.encoding import enrolled
from kbagent.usecases.maintain.indexing import (
    DENSE_NAME,
    LEXICAL_NAME,
    refresh_indexes,
)
from kbagent.usecases.maintain.reencoding import encode_missing

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What is indexed now, and how many cases had to be encoded."""

    passages: int
    documents: int
    encoded: int


def rebuild(
    kb: KnowledgeBase, encoder: Encoder, progress: Progress, *, fresh: bool = False
) -> Rebuilt:
    """Encode cases that lack vectors and bring both indexes up to date.

    An index that is broken is made anew; with `fresh` both are.
    """
    model = enrolled(kb, encoder)
    encoded = encode_missing(
        kb, encoder, model.id, lambda done, total: progress("encoding cases", done, total)
    )
    _document_missing(kb)
    _drop_broken(kb, fresh=fresh)
    refresh_indexes(kb, model)
    return Rebuilt(passages.count(kb.connection, model.id), _live_documents(kb), encoded)


def rebuild_indexes(kb: KnowledgeBase) -> None:
    """Both indexes anew where a byte of them is wrong, and up to date."""
    _drop_broken(kb, fresh=False)
    model = models.active(kb.connection)
    if model is not None:
        refresh_indexes(kb, model)


def rebuild_from_nothing(kb: KnowledgeBase) -> None:
    """Both indexes from nothing; what the former ones held is on no disk afterwards."""
    _drop_broken(kb, fresh=True)
    for manifest in kb.index_folder.glob("*.json"):  # what novelty is judged against
        manifest.unlink(missing_ok=True)
    for folder in kb.index_folder.glob(f"{ACQUAINTANCE}-*"):
        shutil.rmtree(folder, ignore_errors=True)
    model = models.active(kb.connection)
    if model is not None:
        refresh_indexes(kb, model)
    for folder in dense_folders(kb):
        if folder.name != DENSE_NAME:  # of an adapter: the next search makes it anew
            shutil.rmtree(folder, ignore_errors=True)


def dense_folders(kb: KnowledgeBase) -> list[Path]:
    """The folders of the dense index: the plain one, and one for each adapter."""
    return sorted(kb.index_folder.glob(f"{DENSE_NAME}*"))


def _drop_broken(kb: KnowledgeBase, *, fresh: bool) -> None:
    """Let an index that does not hold every byte that was written no longer count."""
    every = [(folder, dense.MANIFEST, dense.verify_generation) for folder in dense_folders(kb)]
    every.append((kb.index_folder / LEXICAL_NAME, lexical.CURRENT, lexical.verify_lexical))
    for folder, manifest, verify in every:
        if folder.exists() and (fresh or verify(folder) is not None):
            # Its files may be open elsewhere; without the manifest they count no more, and
            # whoever extends the index next removes them.
            (folder / manifest).unlink(missing_ok=True)


def _document_missing(kb: KnowledgeBase) -> None:
    """A row for the lexical index for every live case that lacks one."""
    with kb.database.write() as connection:
        rows = connection.execute(
            """SELECT id FROM cases WHERE withdrawn_at IS NULL AND NOT EXISTS
                (SELECT 1 FROM documents WHERE case_id = cases.id AND retired = 0) ORDER BY id"""
        ).fetchall()
        for (case_id,) in rows:
            passages.insert_document(connection, case_id)


def _live_documents(kb: KnowledgeBase) -> int:
    row = kb.connection.execute("SELECT count(*) FROM documents WHERE retired = 0").fetchone()
    return int(row[0])
