"""Do the indexes hold every byte that was written, every row that is stored, and find it?"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kbagent.core.text.tokens import TOKENISER, tokens
from kbagent.model.health import Finding, State, damaged, note, sound
from kbagent.store import models, passages
from kbagent.store.index import acquaintance, keepsakes
from kbagent.store.index.dense import DenseGeneration, Exact, open_generation, verify_generation
from kbagent.store.index.lexical import LexicalIndex, open_lexical, verify_lexical
from kbagent.store.index.manifests import Unusable
from kbagent.usecases.maintain.checks.patient import NAMED, Numbers, Patient, plural
from kbagent.usecases.maintain.indexing import DENSE_NAME, LEXICAL_NAME
from kbagent.usecases.maintain.rebuilding import dense_folders, rebuild_indexes
from kbagent.usecases.maintain.spaces import Space, space_of

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
    """Every live vector up to the newest one in a dense index is in it, in each adapter's too."""
    return _of_every_space(patient, _rows_of)


def dense_answers(patient: Patient) -> Finding:
    """The index finds what an exact scan of all stored vectors finds, each adapter's too."""
    return _of_every_space(patient, _answers_of)


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
    live = patient.numbers(
        "SELECT id FROM documents WHERE retired = 0 AND id <= ? ORDER BY id", opened.last_id
    )
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


def usual_bytes(patient: Patient) -> Finding:
    """Every byte of what novelty is judged against is what was written."""
    folder = patient.kb.index_folder
    if not (folder / acquaintance.MANIFEST).exists():
        return sound("none was needed yet")
    problem = acquaintance.verify(folder)
    if problem is None:
        return sound("every byte is what was written")
    if problem.startswith("it is of format"):  # stale, not broken
        return note(f"`kbagent solve` makes it anew: {problem}")
    return damaged(problem, "It is made anew by itself when it is needed.")


def mend_usual(patient: Patient) -> str:
    """Remove it: the next `solve` makes it from the cases."""
    (patient.kb.index_folder / acquaintance.MANIFEST).unlink(missing_ok=True)
    for folder in patient.kb.index_folder.glob(f"{acquaintance.NAME}-*"):
        shutil.rmtree(folder, ignore_errors=True)
    return "removed it, to be made anew when it is needed"


def kept_bytes(patient: Patient) -> Finding:
    """Every byte of routers and patterns that were kept is what was written."""
    files = keepsakes.broken(patient.kb.index_folder)
    if files:
        what = f"{plural(len(files), 'file')} of routers or patterns that cannot be read"
        again = "What was in them is made anew when it is needed."
        return damaged(what, again, tuple(path.name for path in files[:NAMED]))
    return sound("every byte is what was written")


def mend_kept(patient: Patient) -> str:
    """Remove what cannot be read: the next `route` makes it from the cases."""
    files = keepsakes.broken(patient.kb.index_folder)
    for path in files:
        path.unlink(missing_ok=True)
    return f"removed {plural(len(files), 'file')}, to be made anew when needed"


def _of_every_space(
    patient: Patient, look: Callable[[Patient, Space, DenseGeneration], Finding]
) -> Finding:
    """What is found in the plain index; in an adapter's where that is worse."""
    model = models.active(patient.kb.connection)
    if model is None:
        return note("there is none yet", "It is made by the next import or search.")
    found = []
    for folder in dense_folders(patient.kb):
        adapter = folder.name.removeprefix(DENSE_NAME).removeprefix("-") or None
        space = space_of(patient.kb, model, adapter)
        if space.adapter != adapter:
            continue  # of an adapter of another encoder: never opened, see "left-over files"
        opened = open_generation(folder, model.fingerprint, adapter)
        if isinstance(opened, DenseGeneration):
            finding = look(patient, space, opened)
        else:
            finding = _closed(opened)
        if finding.state is State.DAMAGED:
            where = "" if adapter is None else f"the index of adapter {adapter}: "
            return damaged(f"{where}{finding.what}", finding.hint, finding.items)
        found.append(finding)
    if not found:
        return note("there is none yet", "It is made by the next import or search.")
    others = f"; {plural(len(found) - 1, 'adapter')} likewise" if len(found) > 1 else ""
    return replace(found[0], what=f"{found[0].what}{others}")


def _rows_of(patient: Patient, space: Space, opened: DenseGeneration) -> Finding:
    inside = opened.ids()
    stored = _live_ids(patient, space)
    covered = stored[stored <= opened.last_id]
    missing = len(np.setdiff1d(covered, inside, assume_unique=True))
    if missing:
        return damaged(f"{plural(missing, 'vector')} are not in the dense index", _REBUILD)
    known = patient.numbers("SELECT id FROM passages WHERE model_id = ?", space.model.id)
    purged = len(np.setdiff1d(inside, known, assume_unique=True))
    if purged:
        return damaged(f"{plural(purged, 'vector')} of purged cases are still in it", _REBUILD)
    newer = len(stored) - len(covered)
    tail = f", {plural(newer, 'newer one')} scanned beside it" if newer else ""
    return sound(f"{plural(len(inside), 'vector')} in the dense index{tail}")


def _answers_of(patient: Patient, space: Space, opened: DenseGeneration) -> Finding:
    live = _live_ids(patient, space)
    allowed = np.intersect1d(opened.ids(), live[live <= opened.last_id], assume_unique=True)
    if not len(allowed):
        return sound("there is nothing to ask yet")
    asked = patient.sample(allowed, QUERIES)
    exact = _exact(patient, space)
    queries = exact(np.array(asked))
    k = min(NEAREST, len(allowed))
    ids, rough = opened.search(queries, k, allowed)
    true = np.stack([exact(row) @ query for row, query in zip(ids, queries, strict=True)])
    if np.abs(true - rough).max() > ROUNDING:
        return damaged("its vectors are not those that are stored", _REBUILD)
    _, similar = opened.search(queries, k, allowed, exact=exact)
    best = _scan(patient, space, queries, k, opened.last_id)
    recall = float((similar >= best[:, k - 1 : k] - 1e-4).mean())
    if recall < RECALL:
        return damaged(f"it finds {recall:.1%} of what an exact scan finds", _REBUILD)
    return sound(f"{len(asked)} queries find {recall:.1%} of what an exact scan finds")


def _live_ids(patient: Patient, space: Space) -> Numbers:
    query = "SELECT id FROM passages WHERE model_id = ? AND retired = 0 ORDER BY id"
    return patient.numbers(query, space.model.id)


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


def _exact(patient: Patient, space: Space) -> Exact:
    def vectors(ids: Numbers) -> NDArray[np.float32]:
        known = passages.vectors(patient.kb.connection, ids.tolist())
        return space.turned(np.stack([known[one] for one in ids.tolist()]))

    return vectors


def _scan(
    patient: Patient, space: Space, queries: NDArray[np.float32], k: int, upto: int
) -> NDArray[np.float32]:
    """The k highest similarities of each query over every stored vector, highest first."""
    best = np.full((len(queries), 0), -np.inf, dtype=np.float32)
    for ids, matrix in passages.stream(patient.kb.connection, space.model.id):
        found = queries @ space.turned(matrix[ids <= upto]).T
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
