"""What people decided about an issue's resolutions; nothing learned crosses it."""

import json
import sqlite3
from datetime import datetime

from kbagent.model.policy import Limits
from kbagent.store import decisions
from kbagent.store.moments import to_text

TRUST = "trust"


def trust(connection: sqlite3.Connection, *, as_of: datetime | None = None) -> dict[str, float]:
    """How much the votes of a source count, where people set it; everybody else's count 1."""
    return {
        str(decision.data["source"]): float(decision.data["weight"])
        for decision in decisions.standing(connection, TRUST, as_of=as_of)
    }


def limits_of(
    connection: sqlite3.Connection, issue_id: int, *, as_of: datetime | None = None
) -> Limits:
    """The decisions in force for an issue, now or at `as_of`."""
    horizon = to_text(as_of) or "9999"
    rows = connection.execute(
        """SELECT kind, resolution_id, data FROM decisions
        WHERE (issue_id = ? OR issue_id IS NULL) AND at <= ? AND undoes IS NULL
        AND NOT EXISTS (SELECT 1 FROM decisions AS later
            WHERE later.undoes = decisions.id AND later.at <= ?)
        ORDER BY id""",
        (issue_id, horizon, horizon),
    ).fetchall()
    displacement = [
        int(json.loads(data)["places"]) for kind, _, data in rows if kind == "max-displacement"
    ]
    return Limits(
        pinned=tuple(one for kind, one, _ in rows if kind == "pin"),
        forbidden=frozenset(one for kind, one, _ in rows if kind == "forbid"),
        deprecated=frozenset(one for kind, one, _ in rows if kind == "deprecate"),
        max_displacement=displacement[-1] if displacement else None,
    )
