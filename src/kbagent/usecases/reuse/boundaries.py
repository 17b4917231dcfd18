"""What people decided about an issue's resolutions; nothing learned crosses it."""

import sqlite3
from datetime import datetime

from kbagent.model.policy import Limits
from kbagent.store import decisions, resolutions
from kbagent.store.knowledge_base import utc_now

TRUST = "trust"
LIMITING = ("pin", "forbid", "deprecate", "max-displacement")


def trust(connection: sqlite3.Connection, *, as_of: datetime | None = None) -> dict[str, float]:
    """How much the votes of a source count, where people set it; everybody else's count 1."""
    return {
        str(decision.data["source"]): float(decision.data["weight"])
        for decision in decisions.standing(connection, TRUST, as_of=as_of)
    }


def limits_of(
    connection: sqlite3.Connection, issue_id: int, *, as_of: datetime | None = None
) -> Limits:
    """The decisions in force for an issue, now or at `as_of`.

    Resolutions are the approaches they count as by now; a deprecation ends after its last day.
    """
    held = [
        one
        for one in decisions.standing(connection, *LIMITING, as_of=as_of)
        if one.issue_id in (issue_id, None) and not _is_over(one, as_of or utc_now())
    ]
    known = resolutions.by_ids(
        connection, {one.resolution_id for one in held if one.resolution_id is not None}
    )

    def named(kind: str) -> list[int]:
        return [
            known[one.resolution_id].canonical_id
            for one in held
            if one.kind == kind and one.resolution_id in known
        ]

    places = [int(one.data["places"]) for one in held if one.kind == "max-displacement"]
    return Limits(
        pinned=tuple(dict.fromkeys(named("pin"))),
        forbidden=frozenset(named("forbid")),
        deprecated=frozenset(named("deprecate")),
        max_displacement=places[-1] if places else None,
    )


def _is_over(decision: decisions.Decision, now: datetime) -> bool:
    until = decision.data.get("until")
    return until is not None and datetime.fromisoformat(until) <= now
