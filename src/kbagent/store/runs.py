"""Runs of `solve`, one for each of its lookups, and where people got stuck in a resolution."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kbagent.store.moments import known, to_text


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One run. `record` is the JSON of all its steps, `fault` the step a later outcome blames.

    `step` counts the steps of the resolution from 1 where the run shows one of them.
    """

    id: int
    lookup_id: int
    at: datetime
    ending: str
    issue_id: int | None
    resolution_id: int | None
    step: int | None
    confidence: float
    continues: int | None
    fault: str | None
    record: str


_COLUMNS = """id, lookup_id, at, ending, issue_id, resolution_id, step, confidence, continues,
    fault, record"""


def add(connection: sqlite3.Connection, run: StoredRun) -> int:
    """Store a run (its `id` is ignored); the new id."""
    cursor = connection.execute(
        """INSERT INTO runs (lookup_id, at, ending, issue_id, resolution_id, step, confidence,
            continues, fault, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            run.lookup_id,
            to_text(run.at),
            run.ending,
            run.issue_id,
            run.resolution_id,
            run.step,
            run.confidence,
            run.continues,
            run.fault,
            run.record,
        ),
    )
    return int(cursor.lastrowid or 0)


def get(connection: sqlite3.Connection, run_id: int) -> StoredRun | None:
    """One run by its id."""
    return _one(connection, "id = ?", run_id)


def of_lookup(connection: sqlite3.Connection, lookup_id: int) -> StoredRun | None:
    """The run that made this lookup."""
    return _one(connection, "lookup_id = ?", lookup_id)


def stored_run(connection: sqlite3.Connection, handle: str) -> StoredRun | None:
    """The run with the handle of its lookup."""
    row = connection.execute(
        "SELECT id FROM lookups WHERE handle = ?", (handle.lower(),)
    ).fetchone()
    return of_lookup(connection, row[0]) if row else None


def chain(connection: sqlite3.Connection, run: StoredRun) -> list[StoredRun]:
    """The runs that this one continues, and itself last."""
    found = [run]
    while (before := found[0].continues) is not None:
        earlier = get(connection, before)
        if earlier is None:
            break
        found.insert(0, earlier)
    return found


def set_fault(connection: sqlite3.Connection, run_id: int, step: str | None) -> None:
    """Blame a step of a run, or none."""
    connection.execute("UPDATE runs SET fault = ? WHERE id = ?", (step, run_id))


def with_outcome(connection: sqlite3.Connection) -> list[StoredRun]:
    """Every run of which an outcome is known, by id."""
    rows = connection.execute(
        f"""SELECT {_COLUMNS} FROM runs WHERE EXISTS
            (SELECT 1 FROM outcomes WHERE outcomes.lookup_id = runs.lookup_id
             AND verdict != 'unknown') ORDER BY id"""
    )
    return [_run(row) for row in rows]


@dataclass(frozen=True, slots=True)
class StepCount:
    """How often people got past a step of a resolution, and how often they were stuck there."""

    ordinal: int
    done: int
    stuck: int


def record_step(
    connection: sqlite3.Connection,
    run_id: int,
    resolution_id: int,
    ordinal: int,
    verdict: str,
    now: datetime,
    by: str | None,
) -> None:
    """Note that a step was `done` or that somebody is `stuck` there; of several the last counts."""
    connection.execute(
        "DELETE FROM step_evidence WHERE run_id = ? AND resolution_id = ? AND ordinal = ?",
        (run_id, resolution_id, ordinal),
    )
    connection.execute(
        "INSERT INTO step_evidence (run_id, resolution_id, ordinal, verdict, at, by)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (run_id, resolution_id, ordinal, verdict, to_text(now), by),
    )


def step_counts(connection: sqlite3.Connection, resolution_ids: Sequence[int]) -> list[StepCount]:
    """The evidence of each step of these wordings of one approach, by ordinal."""
    marks = ",".join("?" * len(resolution_ids))
    rows = connection.execute(
        f"""SELECT ordinal, sum(verdict = 'done'), sum(verdict = 'stuck') FROM step_evidence
        WHERE resolution_id IN ({marks}) GROUP BY ordinal ORDER BY ordinal""",
        tuple(resolution_ids),
    )
    return [StepCount(*row) for row in rows]


def _one(connection: sqlite3.Connection, where: str, value: int) -> StoredRun | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM runs WHERE {where}", (value,)).fetchone()
    return _run(row) if row else None


def _run(row: tuple[Any, ...]) -> StoredRun:
    return StoredRun(row[0], row[1], known(row[2]), *row[3:])
