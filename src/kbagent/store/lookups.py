"""Lookups: what was asked, what was shown at which place, with which propensity."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kbagent.model.case import Verdict
from kbagent.store.moments import known, to_text


@dataclass(frozen=True, slots=True)
class Showing:
    """One thing shown: an issue's resolution, or an issue of which none is known.

    `place` counts everything shown from 1, `rank` only resolutions. `propensity` is the
    probability in (0, 1] that the policy put this resolution at this place. `alternatives` are
    all (resolution, propensity) that could have stood there; together they make 1.
    """

    place: int
    rank: int | None
    issue_id: int
    case_id: int
    resolution_id: int | None
    score: float
    similarity: float
    confidence: float
    propensity: float | None
    explored: bool = False
    alternatives: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Lookup:
    """A stored lookup. `candidates` is the JSON of everything that was weighed."""

    id: int
    handle: str
    kind: str
    at: datetime
    query: str
    request: str
    policy_version: int
    confident: bool
    confidence: float | None
    hidden: int
    by: str | None
    candidates: str


_COLUMNS = """id, handle, kind, at, query, request, policy_version, confident, confidence, hidden,
    by, candidates"""


def add(
    connection: sqlite3.Connection,
    lookup: Lookup,
    showings: Sequence[Showing],
    *,
    model_id: int | None,
    generation: str | None,
) -> int:
    """Store a lookup (its `id` is ignored) with what it showed; the new id."""
    cursor = connection.execute(
        """INSERT INTO lookups (handle, kind, at, query, request, policy_version, model_id,
            index_generation, by, confident, confidence, hidden, candidates)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            lookup.handle,
            lookup.kind,
            to_text(lookup.at),
            lookup.query,
            lookup.request,
            lookup.policy_version,
            model_id,
            generation,
            lookup.by,
            int(lookup.confident),
            lookup.confidence,
            lookup.hidden,
            lookup.candidates,
        ),
    )
    lookup_id = int(cursor.lastrowid or 0)
    _show(connection, lookup_id, showings)
    return lookup_id


def _show(connection: sqlite3.Connection, lookup_id: int, showings: Sequence[Showing]) -> None:
    connection.executemany(
        """INSERT INTO showings (lookup_id, place, rank, issue_id, case_id, resolution_id, score,
            similarity, confidence, propensity, explored, alternatives)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        [
            (
                lookup_id,
                showing.place,
                showing.rank,
                showing.issue_id,
                showing.case_id,
                showing.resolution_id,
                showing.score,
                showing.similarity,
                showing.confidence,
                showing.propensity,
                int(showing.explored),
                as_json_list(showing.alternatives) if showing.alternatives else None,
            )
            for showing in showings
        ],
    )


def last(connection: sqlite3.Connection) -> Lookup | None:
    """The newest lookup."""
    return _one(connection, "1 ORDER BY id DESC LIMIT 1", ())


def by_handle(connection: sqlite3.Connection, handle: str) -> Lookup | None:
    """The lookup with this handle."""
    return _one(connection, "handle = ?", (handle.lower(),))


def by_id(connection: sqlite3.Connection, lookup_id: int) -> Lookup | None:
    """The lookup with this id."""
    return _one(connection, "id = ?", (lookup_id,))


def handle_taken(connection: sqlite3.Connection, handle: str) -> bool:
    """Whether a lookup is already called this."""
    return by_handle(connection, handle) is not None


def showings(connection: sqlite3.Connection, lookup_id: int) -> list[Showing]:
    """What a lookup showed, by place."""
    rows = connection.execute(
        """SELECT place, rank, issue_id, case_id, resolution_id, score, similarity, confidence,
            propensity, explored, alternatives
        FROM showings WHERE lookup_id = ? ORDER BY place""",
        (lookup_id,),
    )
    return [Showing(*(*row[:9], bool(row[9]), _pairs(row[10]))) for row in rows]


def without_outcome(connection: sqlite3.Connection, limit: int) -> list[Lookup]:
    """Lookups that showed a resolution and of which nobody said what came of it, newest first."""
    rows = connection.execute(
        f"""SELECT {_COLUMNS} FROM lookups WHERE NOT EXISTS
            (SELECT 1 FROM outcomes WHERE lookup_id = lookups.id)
        AND EXISTS (SELECT 1 FROM showings WHERE lookup_id = lookups.id AND rank IS NOT NULL)
        ORDER BY id DESC LIMIT ?""",
        (limit,),
    )
    return [_lookup(row) for row in rows]


def since(connection: sqlite3.Connection, moment: datetime | None) -> list[Lookup]:
    """The lookups from a moment on (all when None), oldest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM lookups WHERE at >= ? ORDER BY id", (to_text(moment) or "",)
    )
    return [_lookup(row) for row in rows]


def latest(connection: sqlite3.Connection, limit: int) -> list[Lookup]:
    """The newest lookups, newest first."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM lookups ORDER BY id DESC LIMIT ?", (limit,))
    return [_lookup(row) for row in rows]


def verdicts_by_lookup(connection: sqlite3.Connection) -> dict[int, dict[int, Verdict]]:
    """For each lookup with an outcome that stands: what became of which approach, by lookup id."""
    rows = connection.execute(
        """SELECT lookup_id, canonical_id, verdict FROM outcomes
        JOIN resolutions ON resolutions.id = resolution_id
        WHERE lookup_id IS NOT NULL AND verdict != 'unknown'
        AND NOT EXISTS (SELECT 1 FROM outcomes AS later WHERE later.undoes = outcomes.id)
        ORDER BY lookup_id, outcomes.id"""
    )
    found: dict[int, dict[int, Verdict]] = {}
    for lookup_id, approach, verdict in rows:
        found.setdefault(lookup_id, {})[approach] = Verdict(verdict)
    return found


def as_json_list(pairs: Sequence[tuple[int, float]]) -> str:
    """(resolution, propensity) pairs as showings keep them."""
    return json.dumps(pairs, separators=(",", ":"))


def _pairs(text: str | None) -> tuple[tuple[int, float], ...]:
    return tuple((int(one), float(share)) for one, share in json.loads(text)) if text else ()


def as_json(values: dict[str, Any]) -> str:
    """A JSON text as lookups keep them: compact, in the order given."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _one(connection: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> Lookup | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM lookups WHERE {where}", values).fetchone()
    return _lookup(row) if row else None


def _lookup(row: tuple[Any, ...]) -> Lookup:
    return Lookup(
        id=row[0],
        handle=row[1],
        kind=row[2],
        at=known(row[3]),
        query=row[4],
        request=row[5],
        policy_version=row[6],
        confident=bool(row[7]),
        confidence=row[8],
        hidden=row[9],
        by=row[10],
        candidates=row[11],
    )


def latest_moment(connection: sqlite3.Connection, query: str, request: str) -> datetime | None:
    """When just this was last asked; None when it never was."""
    row = connection.execute(
        "SELECT max(at) FROM lookups WHERE query = ? AND request = ?", (query, request)
    ).fetchone()
    return known(row[0]) if row[0] is not None else None
