"""Deviations: what the checks of a run caught, and what a later outcome contradicted."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kbagent.store.moments import known, to_text


@dataclass(frozen=True, slots=True)
class Deviation:
    """One of them. `correction` was tried against it; `kept` says that the check then held.

    `kind` is `check` for what a run saw itself, `contradiction` for what an outcome told later.
    """

    id: int
    run_id: int
    at: datetime
    kind: str
    step: str
    name: str
    issue_id: int | None
    resolution_id: int | None
    expected: str
    observed: str
    severity: str
    correction: str | None = None
    kept: bool = False


_COLUMNS = """id, run_id, at, kind, step, name, issue_id, resolution_id, expected, observed,
    severity, correction, kept"""


def add(connection: sqlite3.Connection, found: Sequence[Deviation]) -> None:
    """Store deviations; their ids are ignored."""
    connection.executemany(
        """INSERT INTO deviations (run_id, at, kind, step, name, issue_id, resolution_id, expected,
            observed, severity, correction, kept) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        [
            (
                one.run_id,
                to_text(one.at),
                one.kind,
                one.step,
                one.name,
                one.issue_id,
                one.resolution_id,
                one.expected,
                one.observed,
                one.severity,
                one.correction,
                int(one.kept),
            )
            for one in found
        ],
    )


def latest(connection: sqlite3.Connection, limit: int) -> list[tuple[str, Deviation]]:
    """(handle of the run, deviation) of the newest, newest first."""
    columns = ", ".join(f"deviations.{name.strip()}" for name in _COLUMNS.split(","))
    rows = connection.execute(
        f"""SELECT handle, {columns} FROM deviations JOIN runs ON runs.id = run_id
        JOIN lookups ON lookups.id = lookup_id ORDER BY deviations.id DESC LIMIT ?""",
        (limit,),
    )
    return [(row[0], _deviation(row[1:])) for row in rows]


def of_run(connection: sqlite3.Connection, run_id: int) -> list[Deviation]:
    """The deviations of one run, by id."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM deviations WHERE run_id = ? ORDER BY id", (run_id,)
    )
    return [_deviation(row) for row in rows]


def remembered(connection: sqlite3.Connection, issue_id: int, name: str) -> list[str]:
    """Corrections that held when this check failed for this issue, the most frequent first.

    A run that an outcome has blamed since does not count.
    """
    rows = connection.execute(
        """SELECT correction, count(*) FROM deviations JOIN runs ON runs.id = run_id
        WHERE deviations.issue_id = ? AND name = ? AND kept = 1 AND fault IS NULL
        GROUP BY correction ORDER BY count(*) DESC, correction""",
        (issue_id, name),
    )
    return [row[0] for row in rows]


def replacements(connection: sqlite3.Connection, issue_id: int, name: str) -> list[int]:
    """Approaches that took the place of one that failed this check for this issue, and worked.

    The most frequent first; ties go to the lower id. Only runs whose answer somebody said worked,
    and that nothing has blamed since.
    """
    rows = connection.execute(
        """SELECT deviations.resolution_id, count(DISTINCT runs.id) FROM deviations
        JOIN runs ON runs.id = run_id
        JOIN outcomes ON outcomes.lookup_id = runs.lookup_id AND outcomes.verdict = 'worked'
        JOIN resolutions ON resolutions.id = outcomes.resolution_id
            AND resolutions.canonical_id = deviations.resolution_id
        WHERE deviations.issue_id = ? AND deviations.name = ? AND kind = 'check' AND kept = 1
        AND fault IS NULL
        AND NOT EXISTS (SELECT 1 FROM outcomes AS later WHERE later.undoes = outcomes.id)
        GROUP BY deviations.resolution_id ORDER BY 2 DESC, 1""",
        (issue_id, name),
    )
    return [row[0] for row in rows]


def _deviation(row: tuple[Any, ...]) -> Deviation:
    run_id, at, kind, step, name, issue_id, resolution_id, expected, observed = row[1:10]
    return Deviation(
        id=row[0],
        run_id=run_id,
        at=known(at),
        kind=kind,
        step=step,
        name=name,
        issue_id=issue_id,
        resolution_id=resolution_id,
        expected=expected,
        observed=observed,
        severity=row[10],
        correction=row[11],
        kept=bool(row[12]),
    )
