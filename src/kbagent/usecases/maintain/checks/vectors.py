"""Do the stored vectors follow from the stored texts?"""

import hashlib
from dataclasses import dataclass

import numpy as np

from kbagent.errors import KbagentError
from kbagent.model.health import Finding, damaged, note, sound
from kbagent.store import models, passages
from kbagent.store.cases import texts
from kbagent.store.encoder import cache
from kbagent.store.encoder.export import LEAST_AGREEMENT
from kbagent.store.encoder.passages import passages as split_passages
from kbagent.store.models import StoredModel
from kbagent.usecases.maintain.checks.patient import NAMED, Numbers, Patient, plural
from kbagent.usecases.maintain.reencoding import encode_missing

UNIT = 5e-3  # how far a float16 vector's length may be from 1: 384 roundings of 2⁻¹¹ each
AGREEMENT = 0.999  # least cosine of a stored vector to one made now; float16 costs under 1e-3
STRAYS = 1 / 16  # share of vectors that may not be bit for bit as made now if one engine made all
SAMPLE = 32  # cases encoded again: about a second
_MODELS = "Run `kbagent model use NAME` to encode the cases with a model that is there."


def encoder_found(patient: Patient) -> Finding:
    """The encoder that made the vectors can be loaded, and its files are what was exported."""
    model = models.active(patient.kb.connection)
    if model is None:
        return sound("none was needed yet")
    folder = cache.folder_of(model.name)
    problem = cache.verify(folder) if folder.exists() else None
    if problem is not None:
        return damaged(f"its files in the cache: {problem}", "It is exported anew when needed.")
    try:
        encoder = patient.encoder()
    except KbagentError as error:
        return damaged(str(error), _MODELS)
    if encoder.fingerprint != model.fingerprint:
        return damaged(f"{model.name} is not the one that made the vectors", _MODELS)
    found = f"{model.name}, {model.dimension} components, is the one that made the vectors"
    older = cache.superseded(model.name)
    if older:
        names = ", ".join(path.name for path in older[:NAMED])
        return note(
            f"{found}; exports for older versions of kbagent are left: {names}",
            f"Remove them from {older[0].parent} once no older version is in use.",
        )
    return sound(found)


def mend_encoder(patient: Patient) -> str:
    """Set broken files of the cache aside and export the model anew."""
    model = models.active(patient.kb.connection)
    if model is not None:
        folder = cache.folder_of(model.name)
        if folder.exists() and cache.verify(folder) is not None:
            cache.set_aside(folder)
    patient.encoder()
    return "exported the encoder anew"


def complete(patient: Patient) -> Finding:
    """Every case has a vector of the active model and a row for the lexical index."""
    model = models.active(patient.kb.connection)
    cases = patient.number("SELECT count(*) FROM cases WHERE withdrawn_at IS NULL")
    if model is None:
        if cases:
            return damaged(f"{plural(cases, 'case')} and no encoder that made vectors")
        return sound("there is no case yet")
    without = {
        "no vector": patient.number(
            f"{_LIVE} (SELECT 1 FROM passages WHERE case_id = cases.id AND model_id = ?"
            " AND retired = 0)",
            model.id,
        ),
        "no text for the words' index": patient.number(
            f"{_LIVE} (SELECT 1 FROM documents WHERE case_id = cases.id AND retired = 0)"
        ),
    }
    wrong = [f"{plural(number, 'case')} with {what}" for what, number in without.items() if number]
    if wrong:
        return damaged("; ".join(wrong), "`kbagent reindex` makes them too.")
    return sound(f"{plural(passages.count(patient.kb.connection, model.id), 'vector')}")


_LIVE = "SELECT count(*) FROM cases WHERE withdrawn_at IS NULL AND NOT EXISTS"


def mend_complete(patient: Patient) -> str:
    """Encode what has no vector."""
    from kbagent.usecases.maintain.rebuilding import rebuild

    done = rebuild(patient.kb, patient.encoder(), lambda *_: None)
    return f"encoded {plural(done.encoded, 'case')}"


def unit_length(patient: Patient) -> Finding:
    """Every vector of every model has its dimension, finite components and length one."""
    wrong: list[int] = []
    count = 0
    for model in models.everyone(patient.kb.connection):
        bad, checked = _misshapen(patient, model)
        wrong += bad
        count += checked
    if wrong:
        items = tuple(f"passage {one}" for one in wrong[:NAMED])
        return damaged(f"{plural(len(wrong), 'vector')} cannot be right", "", items)
    return sound(f"{plural(count, 'vector')} of their dimension and of unit length")


def mend_misshapen(patient: Patient) -> str:
    """Retire the passages of cases with such vectors, and encode those cases again."""
    wrong = [
        one
        for model in models.everyone(patient.kb.connection)
        for one in _misshapen(patient, model)[0]
    ]
    owners = {
        int(str(row[0]))
        for one in wrong
        for row in patient.rows("SELECT case_id FROM passages WHERE id = ?", one)
    }
    encode_again(patient, owners)
    _forget(patient, wrong)
    return f"encoded {plural(len(owners), 'case')} again"


def reencoded(patient: Patient) -> Finding:
    """A sample of texts, encoded now, gives the vectors that are stored.

    Int8 kernels differ between versions of onnxruntime (1.25, 1.29 and 1.32: cosine .995 on the
    sample data) and between processors. Where a different one made the vectors, hardly any is bit
    for bit what is made now; then a vector must be as near as an export must be to its model.
    """
    model = models.active(patient.kb.connection)
    if model is None:
        return sound("there is no vector yet")
    try:
        chosen = patient.sample(_with_vectors(patient, model), SAMPLE)
        compared = _compared(patient, model, chosen)
    except KbagentError as error:
        return note(f"no text could be encoded ({error})")
    wrong = _wrong(compared)
    if wrong:
        items = tuple(f"case {one}" for one in wrong[:NAMED])
        what = f"{len(wrong)} of {len(chosen)} sampled cases have vectors of another text"
        return damaged(what, "", items)
    again = f"{plural(len(chosen), 'sampled case')} encoded again"
    if _of_another_engine(compared):
        least = min(one.cosine for one in compared)
        return note(
            f"{again}: vectors of these texts (least cosine {least:.4f}), made by another version"
            " of onnxruntime or on another processor"
        )
    return sound(f"{again}: the same vectors")


def mend_reencoded(patient: Patient) -> str:
    """Compare every case's vectors with its text, and store anew those that differ."""
    model = models.active(patient.kb.connection)
    assert model is not None  # noqa: S101 -- else nothing was found
    wrong = _wrong(_compared(patient, model, _with_vectors(patient, model).tolist()))
    encode_again(patient, set(wrong))
    return f"encoded {plural(len(wrong), 'case')} again"


def _misshapen(patient: Patient, model: StoredModel) -> tuple[list[int], int]:
    """(ids of vectors that cannot be right, number looked at) among the live ones of a model."""
    length = 2 * model.dimension
    wrong = [
        int(str(row[0]))
        for row in patient.rows(
            "SELECT id FROM passages WHERE model_id = ? AND retired = 0"
            " AND (typeof(vector) != 'blob' OR length(vector) != ?)",
            model.id,
            length,
        )
    ]
    checked = len(wrong)
    if wrong:
        return wrong, checked  # the others can be looked at when all are of one length
    for ids, matrix in passages.stream(patient.kb.connection, model.id):
        lengths = np.linalg.norm(matrix.astype(np.float64), axis=1)
        off = ~(np.abs(lengths - 1.0) <= UNIT)
        wrong += ids[off].tolist()
        checked += len(ids)
    return wrong, checked


def _with_vectors(patient: Patient, model: StoredModel) -> Numbers:
    return patient.numbers(
        "SELECT DISTINCT case_id FROM passages JOIN cases ON cases.id = case_id"
        " WHERE model_id = ? AND retired = 0 AND withdrawn_at IS NULL ORDER BY case_id",
        model.id,
    )


@dataclass(frozen=True, slots=True)
class _Compared:
    """A case's stored vectors beside those made now.

    cosine   the least of its passages; -1 when they are not as many, or of another text
    equal    whether they are the same bit for bit
    """

    case_id: int
    cosine: float
    equal: bool


def _compared(patient: Patient, model: StoredModel, chosen: list[int]) -> list[_Compared]:
    encoder = patient.encoder()
    found = []
    for case_id, title, body in texts(patient.kb.connection, chosen):
        pieces = split_passages(title, body, encoder)
        made = encoder.encode(pieces)
        _, stored = passages.of_cases(patient.kb.connection, model.id, [case_id])
        hashes = [passages.text_hash(piece) for piece in pieces]
        if stored.shape != made.shape or _hashes(patient, model, case_id) != hashes:
            found.append(_Compared(case_id, -1.0, equal=False))
            continue
        cosine = float((stored * made).sum(axis=1).min(initial=1.0))
        kept = passages.from_blobs([passages.to_blob(vector) for vector in made])
        equal = np.array_equal(stored, kept)
        found.append(_Compared(case_id, cosine, equal=equal))
    return found


def _of_another_engine(compared: list[_Compared]) -> bool:
    """Whether so many vectors differ from those made now that one cause must be behind it."""
    of_text = [one for one in compared if one.cosine >= LEAST_AGREEMENT]
    return sum(not one.equal for one in of_text) > STRAYS * len(of_text)


def _wrong(compared: list[_Compared]) -> list[int]:
    """The cases whose vectors are not of their text."""
    least = LEAST_AGREEMENT if _of_another_engine(compared) else AGREEMENT
    return [one.case_id for one in compared if not one.cosine >= least]


def _hashes(patient: Patient, model: StoredModel, case_id: int) -> list[bytes]:
    rows = patient.rows(
        "SELECT text_hash FROM passages WHERE model_id = ? AND case_id = ? AND retired = 0"
        " ORDER BY ordinal",
        model.id,
        case_id,
    )
    return [row[0] for row in rows if isinstance(row[0], bytes)]


def _forget(patient: Patient, passage_ids: list[int]) -> None:
    """No identical text may find a vector again that cannot be right."""
    with patient.kb.database.write() as connection:
        for one in passage_ids:
            key = hashlib.blake2b(f"retired {one}".encode(), digest_size=16).digest()
            connection.execute("UPDATE passages SET text_hash = ? WHERE id = ?", (key, one))


def encode_again(patient: Patient, case_ids: set[int]) -> None:
    """Retire all passages of these cases and encode them anew for the active model."""
    model = models.active(patient.kb.connection)
    if model is None:
        return
    with patient.kb.database.write() as connection:
        stale = [
            row[0]
            for case_id in sorted(case_ids)
            for row in connection.execute("SELECT id FROM passages WHERE case_id = ?", (case_id,))
        ]
        for case_id in sorted(case_ids):
            connection.execute("UPDATE passages SET retired = 1 WHERE case_id = ?", (case_id,))
        _forget(patient, stale)
    encode_missing(patient.kb, patient.encoder(), model.id, lambda *_: None)
