"""Resolutions and the attempts in which they were tried."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kbagent.model.case import Attempt, AttemptRecord, Resolution, Tried, Verdict
from kbagent.store.cases import chunks
from kbagent.store.moments import to_moment, to_text

_SHOWN = "id, coalesce(name || ': ' || text, text), code, canonical_id"
_VERDICTS = {str(one): one for one in Verdict}
_ATTEMPT = "id, case_id, resolution_id, ordinal, verdict, at, by"


def intern(
    connection: sqlite3.Connection, record: AttemptRecord, text_hash: bytes, now: datetime
) -> int:
    """The id of the resolution with this text; it is stored when it is new."""
    row = connection.execute(
        "SELECT id FROM resolutions WHERE text_hash = ?", (text_hash,)
    ).fetchone()
    if row is not None:
        return int(row[0])
    cursor = connection.execute(
        "INSERT INTO resolutions (text, text_hash, code, canonical_id, steps, recorded_at)"
        " VALUES (?, ?, ?, 0, ?, ?)",
        (
            record.text,
            text_hash,
            record.code,
            json.dumps(record.steps, ensure_ascii=False) if record.steps else None,
            to_text(now),
        ),
    )
    resolution_id = int(cursor.lastrowid or 0)
    connection.execute("UPDATE resolutions SET canonical_id = id WHERE id = ?", (resolution_id,))
    return resolution_id


def by_ids(connection: sqlite3.Connection, resolution_ids: Iterable[int]) -> dict[int, Resolution]:
    """The resolutions with these ids; unknown ids are left out."""
    found: dict[int, Resolution] = {}
    for chunk in chunks(list(resolution_ids)):
        marks = ",".join("?" * len(chunk))
        for row in connection.execute(
            f"SELECT {_SHOWN} FROM resolutions WHERE id IN ({marks})", chunk
        ):
            found[row[0]] = Resolution(*row)
    return found


@dataclass(frozen=True, slots=True)
class Tally:
    """Plain sums over all live outcomes of one approach."""

    tried: float
    reward: float


def tallies(connection: sqlite3.Connection, canonical_ids: Sequence[int]) -> dict[int, Tally]:
    """What the ledger says of these approaches over all issues; approaches never tried are out."""
    found: dict[int, Tally] = {}
    for chunk in chunks(canonical_ids):
        marks = ",".join("?" * len(chunk))
        for row in connection.execute(
            f"""SELECT canonical_id, sum(tried), sum(reward) FROM resolutions
            JOIN tallies ON tallies.resolution_id = resolutions.id
            WHERE canonical_id IN ({marks}) GROUP BY canonical_id""",
            chunk,
        ):
            found[row[0]] = Tally(row[1], row[2])
    return found


def total(connection: sqlite3.Connection) -> Tally:
    """The sum over every approach."""
    row = connection.execute(
        "SELECT coalesce(sum(tried), 0), coalesce(sum(reward), 0) FROM tallies"
    ).fetchone()
    return Tally(row[0], row[1])


def attempts_of(
    connection: sqlite3.Connection, case_ids: Sequence[int], *, as_of: datetime | None = None
) -> list[Attempt]:
    """The attempts on these cases that stand now, or stood at `as_of`, by case and ordinal."""
    horizon = to_text(as_of) or "9999"
    found: list[Attempt] = []
    for chunk in chunks(case_ids):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"SELECT {_ATTEMPT} FROM attempts WHERE case_id IN ({marks}) AND recorded_at <= ?"
            " AND (retired_at IS NULL OR retired_at > ?) ORDER BY case_id, ordinal, id",
            (*chunk, horizon, horizon),
        )
        found.extend(_attempt(row) for row in rows)
    return found


def remedied(connection: sqlite3.Connection, issue_ids: Iterable[int]) -> set[int]:
    """Those of these issues in which something worked, by the attempts of their cases."""
    found: set[int] = set()
    for chunk in chunks(sorted(issue_ids)):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"""SELECT DISTINCT issue_id FROM memberships JOIN attempts USING (case_id)
            WHERE issue_id IN ({marks}) AND verdict IN ('worked', 'partly')
            AND retired_at IS NULL""",
            chunk,
        )
        found.update(row[0] for row in rows)
    return found


def tried_on(
    connection: sqlite3.Connection, case_ids: Sequence[int], *, as_of: datetime | None = None
) -> list[Tried]:
    """The same attempts in the same order, as far as ranking needs them."""
    horizon = to_text(as_of) or "9999"
    found: list[Tried] = []
    for chunk in chunks(case_ids):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            "SELECT case_id, resolution_id, ordinal, verdict FROM attempts"
            f" WHERE case_id IN ({marks}) AND recorded_at <= ?"
            " AND (retired_at IS NULL OR retired_at > ?) ORDER BY case_id, ordinal, id",
            (*chunk, horizon, horizon),
        )
        found.extend(Tried(case, fix, place, _VERDICTS[told]) for case, fix, place, told in rows)
    return found


def insert_attempt(
    connection: sqlite3.Connection,
    case_id: int,
    resolution_id: int,
    ordinal: int,
    record: AttemptRecord,
    now: datetime,
) -> int:
    """Store one attempt; its id."""
    cursor = connection.execute(
        "INSERT INTO attempts (case_id, resolution_id, ordinal, verdict, at, by, external_id,"
        " recorded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            case_id,
            resolution_id,
            ordinal,
            str(record.verdict),
            to_text(record.at),
            record.by,
            record.external_id,
            to_text(now),
        ),
    )
    return int(cursor.lastrowid or 0)


def set_verdict(connection: sqlite3.Connection, attempt_id: int, verdict: Verdict) -> None:
    """What is now known of an attempt; the ledger keeps what was known before."""
    connection.execute("UPDATE attempts SET verdict = ? WHERE id = ?", (str(verdict), attempt_id))


def retire_attempt(connection: sqlite3.Connection, attempt_id: int, now: datetime) -> None:
    """An attempt that the export no longer tells of; it stays stored."""
    connection.execute(
        "UPDATE attempts SET retired_at = ? WHERE id = ?", (to_text(now), attempt_id)
    )


def _attempt(row: tuple[Any, ...]) -> Attempt:
    return Attempt(row[0], row[1], row[2], row[3], _VERDICTS[row[4]], to_moment(row[5]), row[6])


def latest_case(connection: sqlite3.Connection, resolution_id: int) -> int | None:
    """The newest case on which a resolution was tried; None when there is none.

    A case whose export tells of it no longer comes after all others.
    """
    row = connection.execute(
        "SELECT case_id FROM attempts WHERE resolution_id = ?"
        " ORDER BY retired_at IS NOT NULL, case_id DESC LIMIT 1",
        (resolution_id,),
    ).fetchone()
    return row[0] if row else None


def by_hash(connection: sqlite3.Connection, text_hash: bytes) -> int | None:
    """The id of the resolution with this text, None when it was never tried."""
    row = connection.execute(
        "SELECT id FROM resolutions WHERE text_hash = ?", (text_hash,)
    ).fetchone()
    return row[0] if row else None


def texts(connection: sqlite3.Connection, resolution_ids: Iterable[int]) -> dict[int, str]:
    """The text of each of these wordings as it was told, without an approach's short name."""
    found: dict[int, str] = {}
    for chunk in chunks(sorted(set(resolution_ids))):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(f"SELECT id, text FROM resolutions WHERE id IN ({marks})", chunk)
        found.update(rows.fetchall())
    return found


def set_text(connection: sqlite3.Connection, resolution_id: int, text: str) -> None:
    """Put a wording right. Its hash stays that of what exports tell, so they still mean it; the
    vector of its former text goes.
    """
    connection.execute("UPDATE resolutions SET text = ? WHERE id = ?", (text, resolution_id))
    connection.execute("DELETE FROM fix_vectors WHERE resolution_id = ?", (resolution_id,))


def wordings(connection: sqlite3.Connection, canonical_id: int) -> list[Resolution]:
    """Every text that counts as one approach, by id."""
    rows = connection.execute(
        f"SELECT {_SHOWN} FROM resolutions WHERE canonical_id = ? ORDER BY id",
        (canonical_id,),
    )
    return [Resolution(*row) for row in rows]


def cases_of(connection: sqlite3.Connection, resolution_ids: Sequence[int]) -> list[int]:
    """The cases on which any of these was tried, newest first."""
    found: set[int] = set()
    for chunk in chunks(resolution_ids):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"SELECT case_id FROM attempts WHERE resolution_id IN ({marks}) AND retired_at IS NULL",
            chunk,
        )
        found.update(row[0] for row in rows)
    return sorted(found, reverse=True)


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which approach a wording counts as, and who or what says so (None: it is its own)."""

    resolution_id: int
    canonical_id: int
    grouped_by: str | None


def groupings(connection: sqlite3.Connection, resolution_ids: Iterable[int]) -> list[Grouping]:
    """The grouping of each of these wordings, by id."""
    found: list[Grouping] = []
    for chunk in chunks(sorted(resolution_ids)):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"SELECT id, canonical_id, grouped_by FROM resolutions WHERE id IN ({marks})"
            " ORDER BY id",
            chunk,
        )
        found.extend(Grouping(*row) for row in rows)
    return found


def regroup(connection: sqlite3.Connection, grouping: Grouping) -> None:
    """Let a wording count as another approach; its evidence counts there from now on."""
    connection.execute(
        "UPDATE resolutions SET canonical_id = ?, grouped_by = ? WHERE id = ?",
        (grouping.canonical_id, grouping.grouped_by, grouping.resolution_id),
    )


def set_name(connection: sqlite3.Connection, resolution_id: int, name: str | None) -> None:
    """Give an approach a short name, or take it away."""
    connection.execute("UPDATE resolutions SET name = ? WHERE id = ?", (name, resolution_id))


def name_of(connection: sqlite3.Connection, resolution_id: int) -> str | None:
    """The short name that a person gave an approach."""
    row = connection.execute(
        "SELECT name FROM resolutions WHERE id = ?", (resolution_id,)
    ).fetchone()
    return row[0] if row else None
