"""Cases read column by column, in order of opening, for whoever looks at all of them.

Everything is streamed; nothing here holds a text longer than a moment. Withdrawn cases and cases
of which the day they were opened is not known are no part of it.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kbagent.store.cases import chunks

Ints = NDArray[np.int64]

_THERE = "withdrawn_at IS NULL AND opened_at IS NOT NULL"
_ORDER = "ORDER BY opened_at, cases.id"
_ALWAYS = "a"  # every moment is text that begins with a digit, and so comes before
_BLOCK = 50_000  # rows read at a time


def outlines(
    connection: sqlite3.Connection, until: str | None = None
) -> Iterator[list[tuple[Any, ...]]]:
    """Blocks of (id, source, opened, status, csat, minutes, escalated, issue), by opening.

    `opened` is in seconds since 1970, `issue` −1 where the case has none, `escalated` −1 where it
    is not recorded. With `until` only cases opened before that moment.
    """
    cursor = connection.execute(
        f"""SELECT cases.id, source, CAST(strftime('%s', opened_at) AS INTEGER), status, csat,
            minutes, coalesce(escalated, -1), coalesce(issue_id, -1)
        FROM cases LEFT JOIN memberships ON memberships.case_id = cases.id
        WHERE {_THERE} AND opened_at < ? {_ORDER}""",
        (until or _ALWAYS,),
    )
    while block := cursor.fetchmany(_BLOCK):
        yield block


def messages(
    connection: sqlite3.Connection, since: str | None = None
) -> Iterator[tuple[int, str, str]]:
    """(id, title, body) of the same cases in the same order; with `since` only from then on."""
    yield from connection.execute(
        f"SELECT id, title, body FROM cases WHERE {_THERE} AND opened_at >= ? {_ORDER}",
        (since or "",),
    )


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


def facet_blocks(connection: sqlite3.Connection, name: str) -> Iterator[tuple[str, Ints]]:
    """(value, ids of the cases that have it) of a facet, by value; fast for millions of cases.

    SQLite joins the ids to one text and numpy reads that, which takes a fifth of the time that
    rows take.
    """
    values = connection.execute(
        "SELECT id, value FROM facet_values WHERE name = ? ORDER BY value", (name,)
    ).fetchall()
    for facet_id, value in values:
        found = connection.execute(
            "SELECT group_concat(case_id) FROM case_facets WHERE facet_id = ?", (facet_id,)
        ).fetchone()[0]
        if found is not None:
            yield value, np.fromstring(found, dtype=np.int64, sep=",")


def names_beside(
    connection: sqlite3.Connection, accounts: Sequence[str]
) -> list[tuple[str, str, int]]:
    """(account, name, cases): what stands in `assignee` where `assignee_id` is the account, etc."""
    found: list[tuple[str, str, int]] = []
    for chunk in chunks(accounts):
        marks = ",".join("?" * len(chunk))
        found += connection.execute(
            f"""SELECT ids.value, names.value, count(*) FROM facet_values AS ids
            JOIN case_facets AS of_id ON of_id.facet_id = ids.id
            JOIN case_facets AS of_name ON of_name.case_id = of_id.case_id
            JOIN facet_values AS names ON names.id = of_name.facet_id
            WHERE ids.name = names.name || '_id' AND ids.value IN ({marks})
            GROUP BY ids.value, names.value ORDER BY ids.value, names.value""",
            list(chunk),
        ).fetchall()
    return found


def worked(
    connection: sqlite3.Connection, until: str | None = None
) -> Iterator[tuple[int, int, int, str | None]]:
    """(case id, approach, wording, by) of each outcome `worked` that counts, by entry.

    With `until` those that had happened, and had not been taken back, before that moment.
    """
    yield from connection.execute(
        """SELECT outcomes.case_id, canonical_id, resolution_id,
            coalesce(outcomes.by, (SELECT attempts.by FROM attempts
                WHERE attempts.case_id = outcomes.case_id
                AND attempts.resolution_id = outcomes.resolution_id
                AND attempts.by IS NOT NULL LIMIT 1))
        FROM outcomes JOIN resolutions ON resolutions.id = resolution_id
        WHERE verdict = 'worked' AND happened_at < ?1 AND NOT EXISTS
            (SELECT 1 FROM outcomes AS later
             WHERE later.undoes = outcomes.id AND later.happened_at < ?1)
        ORDER BY outcomes.id""",
        (until or _ALWAYS,),
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


def through_lookups(
    connection: sqlite3.Connection,
) -> list[tuple[int, str, float | None, bool]]:
    """(case id, when, minutes reported, whether the case is the reporter's own), by entry.

    One row for each outcome that counts and was reported through a lookup. Where no case of one's
    own was named, the outcome sits on an instance that the lookup showed.
    """
    rows = connection.execute(
        """SELECT case_id, happened_at, minutes, NOT EXISTS
            (SELECT 1 FROM showings WHERE showings.lookup_id = outcomes.lookup_id
             AND showings.case_id = outcomes.case_id
             AND showings.resolution_id = outcomes.resolution_id)
        FROM outcomes WHERE lookup_id IS NOT NULL AND verdict != 'unknown' AND NOT EXISTS
            (SELECT 1 FROM outcomes AS later WHERE later.undoes = outcomes.id)
        ORDER BY outcomes.id"""
    )
    return [(row[0], row[1], row[2], bool(row[3])) for row in rows]


def prevented(
    connection: sqlite3.Connection, since: str, until: str
) -> list[tuple[str, str, str, str, str, str, str, str | None]]:
    """Deviations in [since, until) whose correction held, newest first.

    (handle of the run, when, check, expected, observed, correction, ending, the verdict that a
    later outcome of the run gave or None)
    """
    return connection.execute(
        """SELECT handle, deviations.at, name, expected, observed, correction, ending,
            (SELECT verdict FROM outcomes WHERE outcomes.lookup_id = runs.lookup_id
                AND verdict != 'unknown' AND NOT EXISTS
                    (SELECT 1 FROM outcomes AS later WHERE later.undoes = outcomes.id)
                ORDER BY outcomes.id DESC LIMIT 1)
        FROM deviations JOIN runs ON runs.id = run_id JOIN lookups ON lookups.id = lookup_id
        WHERE kept = 1 AND deviations.at >= ? AND deviations.at < ?
        ORDER BY deviations.id DESC""",
        (since, until),
    ).fetchall()


def span(connection: sqlite3.Connection) -> tuple[int, int, str | None, str | None]:
    """(cases, those of them that are dated, when the first was opened, when the last was)."""
    row = connection.execute(
        """SELECT count(*), count(opened_at), min(opened_at), max(opened_at) FROM cases
        WHERE withdrawn_at IS NULL"""
    ).fetchone()
    return row[0], row[1], row[2], row[3]


def undated(connection: sqlite3.Connection) -> list[int]:
    """The cases of which it is not known when they were opened, by id."""
    sql = """SELECT id FROM cases WHERE withdrawn_at IS NULL AND opened_at IS NULL ORDER BY id"""
    return [row[0] for row in connection.execute(sql)]


def holdings(connection: sqlite3.Connection) -> tuple[int, int, int, int, int]:
    """(cases, issues, approaches, known outcomes, withdrawn cases) that are kept now."""
    row = connection.execute(
        """SELECT (SELECT count(*) FROM cases WHERE withdrawn_at IS NULL),
            (SELECT count(DISTINCT issue_id) FROM memberships JOIN cases ON cases.id = case_id
                WHERE withdrawn_at IS NULL),
            (SELECT count(*) FROM resolutions WHERE canonical_id = id),
            (SELECT count(*) FROM outcomes WHERE verdict != 'unknown' AND NOT EXISTS
                (SELECT 1 FROM outcomes AS later WHERE later.undoes = outcomes.id)),
            (SELECT count(*) FROM cases WHERE withdrawn_at IS NOT NULL)"""
    ).fetchone()
    return row[0], row[1], row[2], row[3], row[4]
