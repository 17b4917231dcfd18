"""Do the indexes hold every byte that was written, every row that is stored, and find it?"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kbagent.core.text.tokens import TOKENISER, tokens
from kbagent.model.health import Finding, State, damaged, note, sound
from kbagent.store import models, passages
from kbagent.store.index.dense import DenseGeneration, Exact, open_generation, verify_generation
from kbagent.store.index.lexical import LexicalIndex, open_lexical, verify_lexical
from kbagent.store.index.manifests import Unusable
from kbagent.usecases.maintain.checks.patient import Patient, plural
from kbagent.usecases.maintain.indexing import DENSE_NAME, LEXICAL_NAME
from kbagent.usecases.maintain.rebuilding import dense_folders, rebuild_indexes

QUERIES = 8  # stored vectors that are asked for
NEAREST = 10
RECALL = 0.995  # what the index must find of the exact scan's nearest
ROUNDING = 0.05  # how far 8 bits a component may move a similarity; measured below 0.01
DOCUMENTS = 64  # texts that are asked for by their own words
_REBUILD = "It is made anew by itself; `kbagent reindex` does it now."


def dense_bytes(patient: Patient) -> Finding:
    """Every byte of the dense index is what was written, an adapter's too."""
    for folder in dense_folders(patient.kb):
        if folder.name != DENSE_NAME:
            found = _bytes(folder, "manifest.json", verify_generation)
            if found.state is State.DAMAGED:
                return found
    return _bytes(patient.kb.index_folder / DENSE_NAME, "manifest.json", verify_generation)


def lexical_bytes(patient: Patient) -> Finding:
    """Every byte of the lexical index is what was written."""
    return _bytes(patient.kb.index_folder / LEXICAL_NAME, "current.json", verify_lexical)


def mend_indexes(patient: Patient) -> str:
    """Make anew what is broken, from SQLite."""
    rebuild_indexes(patient.kb)
    return "made the indexes anew"


def dense_rows(patient: Patient) -> Finding:
    """Every live vector up to the newest one in the dense index is in it."""
    opened = _dense(patient)
    if not isinstance(opened, DenseGeneration):
        return _closed(opened)
    model = models.active(patient.kb.connection)
    assert model is not None  # noqa: S101 -- an index is opened for a model
    inside = opened.ids()
    stored = np.array(
        [
            row[0]
            for row in patient.rows(
                "SELECT id FROM passages WHERE model_id = ? AND retired = 0 ORDER BY id", model.id
            )
        ],
        dtype=np.int64,
    )
    covered = stored[stored <= opened.last_id]
    missing = len(np.setdiff1d(covered, inside))
    if missing:
        return damaged(f"{plural(missing, 'vector')} are not in the dense index", _REBUILD)
    known = [row[0] for row in patient.rows("SELECT id FROM passages WHERE model_id = ?", model.id)]
    purged = len(np.setdiff1d(inside, np.array(known, dtype=np.int64)))
    if purged:
        return damaged(f"{plural(purged, 'vector')} of purged cases are still in it", _REBUILD)
    newer = len(stored) - len(covered)
    tail = f", {plural(newer, 'newer one')} scanned beside it" if newer else ""
    return sound(f"{plural(len(inside), 'vector')} in the dense index{tail}")


def dense_answers(patient: Patient) -> Finding:
    """The index finds what an exact scan of all stored vectors finds."""
    opened = _dense(patient)
    model = models.active(patient.kb.connection)
    if not isinstance(opened, DenseGeneration) or model is None:
        return _closed(opened)
    ids = opened.ids()
    live = {
        int(str(row[0]))
        for row in patient.rows(
            "SELECT id FROM passages WHERE model_id = ? AND retired = 0 AND id <= ?",
            model.id,
            opened.last_id,
        )
    }
    allowed = np.array([one for one in ids.tolist() if one in live], dtype=np.int64)
    asked = patient.sample(allowed.tolist(), QUERIES)
    if not asked:
        return sound("there is nothing to ask yet")
    known = passages.vectors(patient.kb.connection, asked)
    queries = np.stack([known[one] for one in asked])
    k = min(NEAREST, len(allowed))
    if not _holds_what_is_stored(patient, opened, queries, allowed, k):
        return damaged("its vectors are not those that are stored", _REBUILD)
    _, similar = opened.search(queries, k, allowed, exact=_exact(patient))
    best = _scan(patient, model.id, queries, k, opened.last_id)
    recall = float((similar >= best[:, k - 1 : k] - 1e-4).mean())
    if recall < RECALL:
        return damaged(f"it finds {recall:.1%} of what an exact scan finds", _REBUILD)
    return sound(f"{len(asked)} queries find {recall:.1%} of what an exact scan finds")


def mend_from_nothing(patient: Patient) -> str:
    """Both indexes from nothing: their bytes are right and their content is not."""
    from kbagent.usecases.maintain.rebuilding import rebuild

    rebuild(patient.kb, patient.encoder(), lambda *_: None, fresh=True)
    return "made both indexes from nothing"


def lexical_answers(patient: Patient) -> Finding:
    """Sampled texts are found in the lexical index by their own words."""
    opened = open_lexical(patient.kb.index_folder / LEXICAL_NAME, TOKENISER)
    if not isinstance(opened, LexicalIndex):
        return _closed(opened)
    live = [
        int(str(row[0]))
        for row in patient.rows(
            "SELECT id FROM documents WHERE retired = 0 AND id <= ? ORDER BY id", opened.last_id
        )
    ]
    asked = patient.sample(live, DOCUMENTS)
    lost = [
        one for one, words in _words(patient, asked) if words and not _finds(opened, one, words)
    ]
    if len(live) > opened.count or lost:
        what = f"{len(lost)} of {len(asked)} sampled texts are not found by their own words"
        return damaged(what, _REBUILD, tuple(f"document {one}" for one in lost[:3]))
    newer = passages.last_document(patient.kb.connection) - opened.last_id
    tail = f", {plural(newer, 'newer one')} beside it" if newer else ""
    return sound(f"{plural(opened.count, 'text')} in the lexical index{tail}")


def _bytes(folder: Path, manifest: str, verify: Callable[[Path], str | None]) -> Finding:
    if not (folder / manifest).exists():
        return note("there is none yet", "It is made by the next import or search.")
    problem = verify(folder)
    if problem is not None:
        return damaged(problem, _REBUILD)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return sound(f"every byte of {size / 1e6:,.1f} MB is what was written")


def _closed(opened: object) -> Finding:
    reason = opened.reason if isinstance(opened, Unusable) else "there is none yet"
    if reason == "there is none yet":
        return note(reason, "It is made by the next import or search.")
    if reason.startswith("it is of "):  # stale, not broken: what made it was replaced
        return note(f"the next search makes it anew: {reason}", "`kbagent reindex` does it now.")
    return damaged(f"it cannot be used: {reason}", _REBUILD)


def _dense(patient: Patient) -> DenseGeneration | Unusable:
    model = models.active(patient.kb.connection)
    if model is None:
        return Unusable("there is none yet")
    return open_generation(patient.kb.index_folder / DENSE_NAME, model.fingerprint)


def _exact(patient: Patient) -> Exact:
    def vectors(ids: NDArray[np.int64]) -> NDArray[np.float32]:
        known = passages.vectors(patient.kb.connection, ids.tolist())
        return np.stack([known[one] for one in ids.tolist()])

    return vectors


def _holds_what_is_stored(
    patient: Patient,
    opened: DenseGeneration,
    queries: NDArray[np.float32],
    allowed: NDArray[np.int64],
    k: int,
) -> bool:
    """Whether the index's own similarities are those of the stored vectors, but for rounding."""
    ids, rough = opened.search(queries, k, allowed)
    exact = _exact(patient)
    true = np.stack([exact(row) @ query for row, query in zip(ids, queries, strict=True)])
    return bool(np.abs(true - rough).max() <= ROUNDING)


def _scan(
    patient: Patient, model_id: int, queries: NDArray[np.float32], k: int, upto: int
) -> NDArray[np.float32]:
    """The k highest similarities of each query over every stored vector, highest first."""
    best = np.full((len(queries), 0), -np.inf, dtype=np.float32)
    for ids, matrix in passages.stream(patient.kb.connection, model_id):
        found = queries @ matrix[ids <= upto].T
        best = -np.sort(-np.concatenate([best, found], axis=1), axis=1)[:, :k]
    return best


def _words(patient: Patient, document_ids: Sequence[int]) -> list[tuple[int, list[str]]]:
    return [
        (one, tokens(f"{row[0]}\n{row[1]}"))
        for one in document_ids
        for row in patient.rows(
            "SELECT title, body FROM documents JOIN cases ON cases.id = case_id"
            " WHERE documents.id = ?",
            one,
        )
    ]


def _finds(index: LexicalIndex, document_id: int, words: Sequence[str]) -> bool:
    ids, _ = index.search(words, 1, np.array([document_id], dtype=np.int64))
    return bool(len(ids) == 1 and ids[0] == document_id)
