"""Are the texts still those whose fingerprints were stored beside them?

SQLite keeps no checksum of what is in a row: a bit that flips inside a text leaves every page
readable. A fingerprint of each passage and of each resolution is kept for other reasons, and a
text that changed by itself does not fit it any more. Cases of several passages are looked at by
sample (`vectors: of the text`), since cutting a text needs the encoder.
"""

from collections.abc import Iterator

from kbagent.model.health import Finding, damaged, sound
from kbagent.store import adapters, models, passages, resolutions
from kbagent.store.encoder.passages import joined
from kbagent.store.purge import GONE
from kbagent.usecases.maintain.checks.database import RESTORE
from kbagent.usecases.maintain.checks.patient import NAMED, Patient, plural
from kbagent.usecases.retain.attempts import resolution_hash
from kbagent.usecases.revise.rewording import reworded


def fingerprints(patient: Patient) -> Finding:
    """Every text of one passage, and every resolution, fits the fingerprint beside it."""
    cases = list(_changed_cases(patient))
    wordings = list(_changed_resolutions(patient))
    items = tuple([f"case {one}" for one in cases] + [f"r{one}" for one in wordings])
    if items:
        hint = f"{RESTORE} Or import the export again."
        what = f"{plural(len(items), 'text')} changed without kbagent"
        return damaged(what, hint, items[:NAMED])
    return sound("they are what was stored")


def mend_fingerprints(patient: Patient) -> str:
    """Take the texts as they are: their vectors are made anew from them."""
    from kbagent.usecases.maintain.checks.vectors import encode_again

    changed = set(_changed_cases(patient))
    encode_again(patient, changed)
    edited = reworded(patient.kb.connection)
    with patient.kb.database.write() as connection:
        for one in list(_changed_resolutions(patient)):
            if one in edited:  # what a person wrote is kept with the decision
                resolutions.set_text(connection, one, edited[one])
                continue
            text = patient.rows("SELECT text FROM resolutions WHERE id = ?", one)[0][0]
            connection.execute(
                "UPDATE OR IGNORE resolutions SET text_hash = ? WHERE id = ?",
                (resolution_hash(str(text)), one),
            )
    return f"took {plural(len(changed), 'text')} of cases as they are"


def matrices(patient: Patient) -> Finding:
    """Every adapter is the matrix that was learned."""
    wrong = adapters.broken(patient.kb.connection)
    if wrong:
        what = f"{plural(len(wrong), 'adapter')} that are not what was learned"
        hint = f"`kbagent policy rollback` leaves it; `kbagent learn` learns another. {RESTORE}"
        return damaged(what, hint, tuple(wrong[:NAMED]))
    count = patient.number("SELECT count(*) FROM adapters")
    return sound(plural(count, "adapter"))


def _changed_cases(patient: Patient) -> Iterator[int]:
    model = models.active(patient.kb.connection)
    if model is None:
        return
    rows = patient.kb.connection.execute(
        """SELECT cases.id, title, body, text_hash FROM passages
        JOIN cases ON cases.id = case_id
        WHERE model_id = ? AND retired = 0 AND withdrawn_at IS NULL
        GROUP BY case_id HAVING count(*) = 1""",
        (model.id,),
    )
    for case_id, title, body, kept in rows:
        if passages.text_hash(joined(str(title), str(body), model.max_tokens)) != kept:
            yield int(case_id)


def _changed_resolutions(patient: Patient) -> Iterator[int]:
    edited = reworded(patient.kb.connection)
    rows = patient.kb.connection.execute("SELECT id, text, text_hash FROM resolutions")
    for resolution_id, text, kept in rows:
        if resolution_id in edited:  # the fingerprint is that of what exports tell
            if text != edited[resolution_id]:
                yield int(resolution_id)
        elif text != GONE and resolution_hash(str(text)) != kept:
            yield int(resolution_id)
