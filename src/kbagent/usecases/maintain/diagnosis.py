"""`kbagent doctor`: open, load and query everything; with `repair`, mend what follows from it.

To add a check: write a function `Patient -> Finding` in a module of `checks`, and append a `Check`
to `CHECKS`. Give it a `mend` only when what it changes can be computed from what is whole; when
it touches anything else, `asks` is the question that is put first. Checks are run in order, the
ones that others rest on first; a mended check is run again, and only counts as mended when it
then finds nothing. Control-C is heard within a check too, and a check that takes long says so.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np

from kbagent.errors import KbagentError
from kbagent.model.health import Checked, Finding, Health, State, damaged
from kbagent.store.database import explained
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.maintain.checks import database, files, indexes, ledger, texts, vectors
from kbagent.usecases.maintain.checks.patient import Patient

Confirm = Callable[[str], bool]
Told = Callable[[str], None]

_CACHE_KIB = 262_144  # of database pages: with 32 MB SQLite's own check of 2 GB takes four times
_CACHE_BEFORE = 32_768
_HEED = 500_000  # steps of SQLite's machine between two looks around: about ten milliseconds
_PATIENCE = 10.0  # seconds between two words about the same check


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that doctor looks at, and how it is mended."""

    name: str
    examine: Callable[[Patient], Finding]
    mend: Callable[[Patient], str] | None = None
    asks: str | None = None


CHECKS: tuple[Check, ...] = (
    Check("database pages", database.pages, database.mend_pages),
    Check("database schema", database.schema),
    Check(
        "references",
        database.references,
        database.mend_references,
        asks="Remove the rows that refer to nothing? They cannot be made again.",
    ),
    Check("file modes", files.modes, files.mend_modes),
    Check("left-over files", files.leftovers, files.mend_leftovers),
    Check("waiting lookups", files.waiting),
    Check("ledger", ledger.sequence),
    Check("approaches", ledger.approaches, ledger.mend_approaches),
    Check("tallies", ledger.tallies, ledger.mend_tallies),
    Check("issues", ledger.memberships, ledger.mend_memberships),
    Check("link threshold", ledger.threshold),
    Check("encoder", vectors.encoder_found, vectors.mend_encoder),
    Check("vectors: all there", vectors.complete, vectors.mend_complete),
    Check(
        "texts",
        texts.fingerprints,
        texts.mend_fingerprints,
        asks="Take the changed texts as they are now? What they were cannot be computed.",
    ),
    Check("adapters", texts.matrices),
    Check("vectors: shape", vectors.unit_length, vectors.mend_misshapen),
    Check("vectors: of the text", vectors.reencoded, vectors.mend_reencoded),
    Check("dense index: bytes", indexes.dense_bytes, indexes.mend_indexes),
    Check("dense index: rows", indexes.dense_rows, indexes.mend_from_nothing),
    Check("dense index: answers", indexes.dense_answers, indexes.mend_from_nothing),
    Check("lexical index: bytes", indexes.lexical_bytes, indexes.mend_indexes),
    Check("lexical index: answers", indexes.lexical_answers, indexes.mend_from_nothing),
    Check("what is usual: bytes", indexes.usual_bytes, indexes.mend_usual),
    Check("kept routers: bytes", indexes.kept_bytes, indexes.mend_kept),
)


def diagnose(
    kb: KnowledgeBase,
    encoder: Callable[[], Encoder],
    *,
    repair: bool = False,
    confirm: Confirm = lambda _question: False,
    told: Told = lambda _name: None,
    seed: int = 0,
) -> Health:
    """Run every check; with `repair`, mend what can be, asking `confirm` where a check says so.

    `told` hears the name of each check before it is run. Samples follow from `seed`.
    """
    rng = np.random.default_rng(seed)
    patient = Patient(kb, cache(encoder), rng)
    checked = []
    for check in CHECKS:
        told(check.name)
        started = time.perf_counter()
        with _attentive(kb.connection, check.name, told):
            finding = _examined(check, patient)
        mended = ""
        if repair and finding.state is State.DAMAGED:
            finding, mended = _treated(check, patient, finding, confirm)
        checked.append(Checked(check.name, finding, time.perf_counter() - started, mended))
    return Health(str(kb.folder), tuple(checked))


@contextmanager
def _attentive(connection: sqlite3.Connection, name: str, told: Told) -> Iterator[None]:
    """More memory for database pages, and an ear for Control-C while SQLite works."""
    started = spoken = time.monotonic()

    def look_around() -> int:
        nonlocal spoken
        if time.monotonic() - spoken > _PATIENCE:
            spoken = time.monotonic()
            told(f"{name}, for {spoken - started:.0f} s")
        return 0

    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.set_progress_handler(look_around, _HEED)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)
        connection.execute(f"PRAGMA cache_size = -{_CACHE_BEFORE}")


def _treated(
    check: Check, patient: Patient, finding: Finding, confirm: Confirm
) -> tuple[Finding, str]:
    """What a check finds after it was mended, and what was done."""
    if check.mend is None or (check.asks is not None and not confirm(check.asks)):
        return finding, ""
    try:
        done = check.mend(patient)
    except (KbagentError, sqlite3.Error, OSError) as error:
        return damaged(f"{finding.what}; mending failed: {error}", finding.hint), ""
    again = _examined(check, patient)
    if again.state is State.DAMAGED:
        return again, done
    return Finding(State.MENDED, again.what), done


def _examined(check: Check, patient: Patient) -> Finding:
    """What a check finds; that it could not look is a finding too."""
    try:
        return check.examine(patient)
    except sqlite3.Error as error:
        if str(error) == "interrupted":  # how Control-C comes out of SQLite
            raise KeyboardInterrupt from error
        return damaged(
            f"it cannot be read: {explained(error, patient.kb.database.path)}", database.RESTORE
        )
    except (KbagentError, OSError, ValueError) as error:
        return damaged(f"it cannot be looked at: {error}")
