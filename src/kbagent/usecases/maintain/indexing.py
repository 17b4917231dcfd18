"""Keeping the disposable indexes in step with SQLite, which is the truth.

A query opens what is there. Rows newer than an index are scanned exactly; only when they are many,
or an index is missing or broken, is it brought up to date first, and the user is told. Where that
cannot be done (a read-only disk, another writer) the answer is computed without the index.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import numpy as np

from kbagent.core.text.tokens import TOKENISER, tokens
from kbagent.errors import KbagentError
from kbagent.store import passages
from kbagent.store.index import dense, lexical
from kbagent.store.index.dense import (
    DenseGeneration,
    extend_generation,
    open_generation,
)
from kbagent.store.index.lexical import LexicalIndex, open_lexical
from kbagent.store.index.manifests import Unusable
from kbagent.store.index.segments import extend_lexical
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.models import StoredModel
from kbagent.store.passages import Vectors
from kbagent.usecases.maintain.spaces import Space

DENSE_TAIL = 20_000  # passages scanned from SQLite beside the index: about 60 ms
LEXICAL_TAIL = 500  # documents tokenised and scored beside the index: about 50 ms
PATIENCE = 0.5  # seconds a search waits for who is extending an index; it scans the rest itself
DENSE_NAME = "dense"
LEXICAL_NAME = "lexical"

Opened = TypeVar("Opened")


@dataclass(frozen=True, slots=True)
class Indexes:
    """What serves a query. A None is scanned (dense) or left out (lexical), as `notes` say."""

    dense: DenseGeneration | None
    lexical: LexicalIndex | None
    generation: str | None
    notes: tuple[str, ...] = ()


def ready_indexes(kb: KnowledgeBase, model: StoredModel, space: Space | None = None) -> Indexes:
    """The indexes for a query, brought up to date first where a scan would take long."""
    dense, dense_note = _ready_dense(kb, space or Space(model))
    lexical, lexical_note = _ready_lexical(kb)
    generation = f"{model.fingerprint[:12]}:{dense.last_id}" if dense else None
    if generation and space is not None and space.adapter:
        generation += f":{space.adapter}"
    return Indexes(dense, lexical, generation, (*dense_note, *lexical_note))


def nearest_cases(
    kb: KnowledgeBase, model: StoredModel, vectors: Vectors, count: int
) -> list[set[int]]:
    """The cases nearest to each of these vectors, from the index and what is newer than it."""
    indexes = ready_indexes(kb, model)
    near: list[set[int]] = [set() for _ in vectors]  # passages
    covered = 0
    if indexes.dense is not None:
        covered = indexes.dense.last_id
        ids, _ = indexes.dense.search(vectors, count)
        for found, some in zip(near, ids.tolist(), strict=True):
            found.update(one for one in some if one >= 0)
    for ids, matrix in passages.stream(kb.connection, model.id, after=covered):
        similarity = vectors @ matrix.T
        last = min(count, similarity.shape[1])
        nearest = np.argpartition(-similarity, last - 1, axis=1)[:, :last]
        for found, some in zip(near, ids[nearest].tolist(), strict=True):
            found.update(some)
    owner = passages.owners(kb.connection, model.id, sorted(set().union(*near)))
    return [{owner[one] for one in found if one in owner} for found in near]


def refresh_indexes(kb: KnowledgeBase, model: StoredModel) -> None:
    """Bring both indexes up to date."""
    extend_dense(kb, Space(model))
    extend_words(kb)


def extend_dense(
    kb: KnowledgeBase, space: Space, *, lock_timeout: float = dense.LOCK_TIMEOUT
) -> None:
    """Add what is newer to the dense index, making it when it is missing or unusable."""
    rows = passages.stream
    extend_generation(
        _dense_folder(kb, space),
        lambda after: (
            (ids, space.turned(vectors))
            for ids, vectors in rows(kb.connection, space.model.id, after=after)
        ),
        fingerprint=space.model.fingerprint,
        adapter=space.adapter,
        dimension=space.model.dimension,
        notify=lambda rows: kb.notify(f"indexing vectors: {rows:,}") if rows > 100_000 else None,
        lock_timeout=lock_timeout,
    )


def extend_words(kb: KnowledgeBase, *, lock_timeout: float = dense.LOCK_TIMEOUT) -> None:
    """Add what is newer to the lexical index, making it when it is missing or unusable."""
    extend_lexical(
        _lexical_folder(kb),
        lambda after: _token_rows(kb, after),
        tokeniser=TOKENISER,
        notify=lambda rows: kb.notify(f"indexing words: {rows:,}") if rows > 100_000 else None,
        lock_timeout=lock_timeout,
    )


def _ready_dense(kb: KnowledgeBase, space: Space) -> tuple[DenseGeneration | None, tuple[str, ...]]:
    folder, fingerprint = _dense_folder(kb, space), space.model.fingerprint
    opened = _reopened(
        kb,
        folder.name,
        folder / dense.MANIFEST,
        (fingerprint, space.adapter),
        lambda: open_generation(folder, fingerprint, space.adapter),
    )
    newest = passages.last_id(kb.connection, space.model.id)
    if isinstance(opened, DenseGeneration) and newest - opened.last_id <= DENSE_TAIL:
        return opened, ()
    if isinstance(opened, Unusable) and newest <= DENSE_TAIL:
        return None, ()
    _tell_why(kb, opened, "dense")
    try:
        extend_dense(kb, space, lock_timeout=PATIENCE)
    except (KbagentError, OSError) as error:
        usable = opened if isinstance(opened, DenseGeneration) else None
        return usable, (f"the dense index could not be brought up to date ({error})",)
    opened = open_generation(folder, fingerprint, space.adapter)
    return (opened, ()) if isinstance(opened, DenseGeneration) else (None, (opened.reason,))


def _reopened(
    kb: KnowledgeBase, name: str, manifest: Path, key: object, open_it: Callable[[], Opened]
) -> Opened:
    """The index that is open already, if its manifest is still the same file; else opened anew."""
    try:
        found = manifest.stat()
        stamp = (key, found.st_ino, found.st_mtime_ns, found.st_size)
    except OSError:
        return open_it()
    kept = kb.opened.get(name)
    if kept is not None and kept[0] == stamp:
        return cast("Opened", kept[1])
    opened = open_it()
    if not isinstance(opened, Unusable):
        kb.opened[name] = (stamp, opened)
    return opened


def _ready_lexical(kb: KnowledgeBase) -> tuple[LexicalIndex | None, tuple[str, ...]]:
    folder = _lexical_folder(kb)
    opened = _reopened(
        kb,
        LEXICAL_NAME,
        folder / lexical.CURRENT,
        TOKENISER,
        lambda: open_lexical(folder, TOKENISER),
    )
    newest = passages.last_document(kb.connection)
    if isinstance(opened, LexicalIndex) and newest - opened.last_id <= LEXICAL_TAIL:
        return opened, ()
    _tell_why(kb, opened, "lexical")
    try:
        extend_words(kb, lock_timeout=PATIENCE)
    except (KbagentError, OSError) as error:
        usable = opened if isinstance(opened, LexicalIndex) else None
        return usable, (f"the lexical index could not be brought up to date ({error})",)
    opened = open_lexical(_lexical_folder(kb), TOKENISER)
    return (opened, ()) if isinstance(opened, LexicalIndex) else (None, (opened.reason,))


def _tell_why(kb: KnowledgeBase, opened: object, name: str) -> None:
    if isinstance(opened, Unusable):
        if (kb.index_folder / name / "manifest.json").exists() or (
            kb.index_folder / name / "current.json"
        ).exists():
            kb.notify(f"the {name} index cannot be used ({opened.reason}); making it anew …")
    else:
        kb.notify(f"bringing the {name} index up to date …")


def _token_rows(kb: KnowledgeBase, after: int) -> Iterator[tuple[int, list[str]]]:
    for document_id, _case_id, title, body in passages.documents(kb.connection, after):
        yield document_id, tokens(f"{title}\n{body}")


def _dense_folder(kb: KnowledgeBase, space: Space) -> Path:
    name = DENSE_NAME if space.adapter is None else f"{DENSE_NAME}-{space.adapter}"
    return kb.index_folder / name


def _lexical_folder(kb: KnowledgeBase) -> Path:
    return kb.index_folder / LEXICAL_NAME
