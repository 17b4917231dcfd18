"""Cases read column by column, in order of opening, for whoever looks at all of them.

Everything is streamed; nothing here holds a text longer than a moment. Withdrawn cases and cases
of which the day they were opened is not known are no part of it.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any

_THERE = "withdrawn_at IS NULL AND opened_at IS NOT NULL"
_ORDER = "ORDER BY opened_at, cases.id"


def outlines(connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """(id, source, opened_at, status, csat, minutes, escalated, issue id or None), by opening."""
    yield from connection.execute(
        f"""SELECT cases.id, source, opened_at, status, csat, minutes, escalated, issue_id
        FROM cases LEFT JOIN memberships ON memberships.case_id = cases.id
        WHERE {_THERE} {_ORDER}"""
    )


def messages(connection: sqlite3.Connection) -> Iterator[tuple[int, str, str]]:
    """(id, title, body) of the same cases in the same order."""
    yield from connection.execute(f"SELECT id, title, body FROM cases WHERE {_THERE} {_ORDER}")


def facet_names(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    """(name, number of different values) of every facet, by name."""
    return connection.execute(
        "SELECT name, count(*) FROM facet_values GROUP BY name ORDER BY name"
    ).fetchall()


def facet_column(connection: sqlite3.Connection, name: str) -> Iterator[tuple[int, str]]:
    """(case id, value) of every case that has this facet; several rows where it has several."""
    yield from connection.execute(
        """SELECT case_id, value FROM facet_values
        JOIN case_facets ON case_facets.facet_id = facet_values.id WHERE name = ?
        ORDER BY value, case_id""",
        (name,),
    )


def worked(connection: sqlite3.Connection) -> Iterator[tuple[int, int, int, str | None]]:
    """(case id, approach, wording, by) of each outcome `worked` that counts now, by entry."""
    yield from connection.execute(
        """SELECT outcomes.case_id, canonical_id, resolution_id,
            coalesce(outcomes.by, (SELECT attempts.by FROM attempts
                WHERE attempts.case_id = outcomes.case_id
                AND attempts.resolution_id = outcomes.resolution_id
                AND attempts.by IS NOT NULL LIMIT 1))
        FROM outcomes JOIN resolutions ON resolutions.id = resolution_id
        WHERE verdict = 'worked' AND NOT EXISTS
            (SELECT 1 FROM outcomes AS later WHERE later.undoes = outcomes.id)
        ORDER BY outcomes.id"""
    )


def replies(connection: sqlite3.Connection) -> Iterator[tuple[int, str]]:
    """(case id, text) of every attempt that counts now, by case and place."""
    yield from connection.execute(
        """SELECT case_id, text FROM attempts JOIN resolutions ON resolutions.id = resolution_id
        WHERE retired_at IS NULL ORDER BY case_id, ordinal, attempts.id"""
    )


def outcomes(connection: sqlite3.Connection) -> Iterator[tuple[int, int, int, str, str]]:
    """(entry, case id, approach, verdict, when) of each known outcome that counts, by time."""
    yield from connection.execute(
        """SELECT outcomes.id, case_id, canonical_id, verdict, happened_at
        FROM outcomes JOIN resolutions ON resolutions.id = resolution_id
        WHERE verdict != 'unknown' AND NOT EXISTS
            (SELECT 1 FROM outcomes AS later WHERE later.undoes = outcomes.id)
        ORDER BY happened_at, outcomes.id"""
    )


def lookups_by_month(
    connection: sqlite3.Connection, since: str, until: str
) -> list[tuple[str, int, int, int]]:
    """(month, lookups, confident ones, ones with an outcome) in [since, until), by month."""
    return connection.execute(
        """SELECT substr(at, 1, 7), count(*), sum(confident), sum(EXISTS
            (SELECT 1 FROM outcomes WHERE outcomes.lookup_id = lookups.id))
        FROM lookups WHERE at >= ? AND at < ? GROUP BY 1 ORDER BY 1""",
        (since, until),
    ).fetchall()


def deviations_caught(
    connection: sqlite3.Connection, since: str, until: str
) -> list[tuple[str, str, int, int]]:
    """(kind, name, how many, how many of them were corrected) in [since, until)."""
    return connection.execute(
        """SELECT kind, name, count(*), sum(kept) FROM deviations WHERE at >= ? AND at < ?
        GROUP BY kind, name ORDER BY count(*) DESC, kind, name""",
        (since, until),
    ).fetchall()
