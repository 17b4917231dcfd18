"""Issues: which cases belong together, why, and every change of mind about it."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kbagent.model.case import LinkKind
from kbagent.store.cases import chunks
from kbagent.store.moments import known, to_moment, to_text


@dataclass(frozen=True, slots=True)
class Membership:
    """A case's place in an issue; `kind` is founder, assigned, linked or human."""

    case_id: int
    issue_id: int
    kind: str
    confidence: float
    method: str


@dataclass(frozen=True, slots=True)
class Link:
    """An explicit statement about two cases."""

    id: int
    case_id: int
    other_id: int
    kind: LinkKind
    source: str
    by: str | None


@dataclass(frozen=True, slots=True)
class Span:
    """How often and when an issue was seen."""

    instances: int
    first_seen: datetime | None
    last_seen: datetime | None


def found(connection: sqlite3.Connection, now: datetime) -> int:
    """A new, empty issue; its id."""
    cursor = connection.execute("INSERT INTO issues (recorded_at) VALUES (?)", (to_text(now),))
    return int(cursor.lastrowid or 0)


def place(
    connection: sqlite3.Connection,
    membership: Membership,
    now: datetime,
    *,
    why: str,
    by: str | None = None,
    change: int | None = None,
) -> None:
    """Put a case into an issue and note why; nothing happens when it is there just so."""
    if membership_of(connection, membership.case_id) == membership:
        return
    values = (
        membership.case_id,
        membership.issue_id,
        membership.kind,
        membership.confidence,
        membership.method,
    )
    connection.execute(
        """INSERT INTO memberships (case_id, issue_id, kind, confidence, method)
        VALUES (?, ?, ?, ?, ?) ON CONFLICT (case_id) DO UPDATE SET issue_id = excluded.issue_id,
            kind = excluded.kind, confidence = excluded.confidence, method = excluded.method""",
        values,
    )
    connection.execute(
        "INSERT INTO membership_log (case_id, issue_id, kind, confidence, method, why, by, at,"
        " change) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*values, why, by, to_text(now), change),
    )


def membership_of(connection: sqlite3.Connection, case_id: int) -> Membership | None:
    """Where a case belongs now."""
    row = connection.execute(
        "SELECT case_id, issue_id, kind, confidence, method FROM memberships WHERE case_id = ?",
        (case_id,),
    ).fetchone()
    return Membership(*row) if row else None


def memberships(
    connection: sqlite3.Connection, case_ids: Iterable[int], *, as_of: datetime | None = None
) -> dict[int, Membership]:
    """Where these cases belong (or belonged at `as_of`); cases not yet placed are left out."""
    columns = "case_id, issue_id, kind, confidence, method"
    result: dict[int, Membership] = {}
    for chunk in chunks(list(case_ids)):
        marks = ",".join("?" * len(chunk))
        if as_of is None:
            rows = connection.execute(
                f"SELECT {columns} FROM memberships WHERE case_id IN ({marks})", chunk
            )
        else:
            rows = connection.execute(
                f"""SELECT {columns} FROM membership_log WHERE id IN (
                    SELECT max(id) FROM membership_log
                    WHERE case_id IN ({marks}) AND at <= ? GROUP BY case_id)""",
                (*chunk, to_text(as_of)),
            )
        result.update((row[0], Membership(*row)) for row in rows)
    return result


def members(
    connection: sqlite3.Connection, issue_id: int, *, as_of: datetime | None = None
) -> list[int]:
    """The cases of an issue, oldest first (by opening, then id); withdrawn ones are left out."""
    if as_of is None:
        rows = connection.execute(
            """SELECT case_id FROM memberships JOIN cases ON cases.id = case_id
            WHERE issue_id = ? AND withdrawn_at IS NULL ORDER BY opened_at, case_id""",
            (issue_id,),
        )
    else:
        rows = connection.execute(
            """SELECT case_id FROM membership_log AS log JOIN cases ON cases.id = case_id
            WHERE log.issue_id = ? AND log.id = (SELECT max(id) FROM membership_log AS later
                WHERE later.case_id = log.case_id AND later.at <= ?)
            AND (withdrawn_at IS NULL OR withdrawn_at > ?) AND cases.recorded_at <= ?
            ORDER BY opened_at, case_id""",
            (issue_id, to_text(as_of), to_text(as_of), to_text(as_of)),
        )
    return [row[0] for row in rows]


def members_of_each(
    connection: sqlite3.Connection, issue_ids: Sequence[int]
) -> dict[int, list[int]]:
    """`members` of several issues, as they are now; an issue without any has an empty list."""
    found: dict[int, list[int]] = {one: [] for one in issue_ids}
    for chunk in chunks(issue_ids):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"""SELECT issue_id, case_id FROM memberships
            CROSS JOIN cases INDEXED BY cases_outlined ON cases.id = case_id
            WHERE issue_id IN ({marks}) AND withdrawn_at IS NULL ORDER BY opened_at, case_id""",
            chunk,
        )
        for issue_id, case_id in rows:
            found[issue_id].append(case_id)
    return found


def unplaced(connection: sqlite3.Connection) -> list[int]:
    """Cases that were stored but belong to no issue yet, by id."""
    rows = connection.execute(
        """SELECT cases.id FROM cases LEFT JOIN memberships ON memberships.case_id = cases.id
        WHERE memberships.case_id IS NULL AND withdrawn_at IS NULL ORDER BY cases.id"""
    )
    return [row[0] for row in rows]


def spans(connection: sqlite3.Connection, issue_ids: Sequence[int]) -> dict[int, Span]:
    """How often and when these issues were seen."""
    result: dict[int, Span] = {}
    for chunk in chunks(issue_ids):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"""SELECT issue_id, count(*), min(opened_at), max(opened_at) FROM memberships
            JOIN cases ON cases.id = case_id
            WHERE issue_id IN ({marks}) AND withdrawn_at IS NULL GROUP BY issue_id""",
            chunk,
        )
        for row in rows:
            result[row[0]] = Span(row[1], to_moment(row[2]), to_moment(row[3]))
    return result


def titles(connection: sqlite3.Connection, issue_ids: Sequence[int]) -> dict[int, str]:
    """The titles that people or the linker gave; issues without one are left out."""
    result: dict[int, str] = {}
    for chunk in chunks(issue_ids):
        marks = ",".join("?" * len(chunk))
        result.update(
            connection.execute(
                f"SELECT id, title FROM issues WHERE id IN ({marks}) AND title IS NOT NULL", chunk
            )
        )
    return result


def set_title(
    connection: sqlite3.Connection, issue_id: int, title: str, named_by: str | None
) -> None:
    """Name an issue; a title without `named_by` never replaces one that a person gave."""
    connection.execute(
        "UPDATE issues SET title = ?, named_by = ? WHERE id = ?"
        " AND (named_by IS NULL OR ? IS NOT NULL)",
        (title, named_by, issue_id, named_by),
    )


def add_link(
    connection: sqlite3.Connection,
    case_id: int,
    other_id: int,
    kind: LinkKind,
    source: str,
    now: datetime,
    by: str | None = None,
) -> int | None:
    """State something about two cases; None when just that is stated already."""
    low, high = sorted((case_id, other_id))
    if low == high:
        return None
    known = connection.execute(
        "SELECT 1 FROM links WHERE case_id = ? AND other_id = ? AND kind = ? AND undone_at IS NULL",
        (low, high, str(kind)),
    ).fetchone()
    if known:
        return None
    cursor = connection.execute(
        "INSERT INTO links (case_id, other_id, kind, source, by, at) VALUES (?, ?, ?, ?, ?, ?)",
        (low, high, str(kind), source, by, to_text(now)),
    )
    return int(cursor.lastrowid or 0)


def undo_links(connection: sqlite3.Connection, case_id: int, other_id: int, now: datetime) -> int:
    """Take back every standing statement about two cases; how many there were."""
    low, high = sorted((case_id, other_id))
    cursor = connection.execute(
        "UPDATE links SET undone_at = ? WHERE case_id = ? AND other_id = ? AND undone_at IS NULL",
        (to_text(now), low, high),
    )
    return cursor.rowcount


def restore_links(
    connection: sqlite3.Connection, case_id: int, other_id: int, moment: datetime
) -> int:
    """Let the statements about two cases stand again that were taken back at this moment."""
    low, high = sorted((case_id, other_id))
    cursor = connection.execute(
        "UPDATE links SET undone_at = NULL WHERE case_id = ? AND other_id = ? AND undone_at = ?"
        " AND at < undone_at",
        (low, high, to_text(moment)),
    )
    return cursor.rowcount


def links_of(connection: sqlite3.Connection, case_ids: Sequence[int]) -> list[Link]:
    """All standing statements in which these cases take part, by id."""
    result: dict[int, Link] = {}
    for chunk in chunks(case_ids):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"""SELECT id, case_id, other_id, kind, source, by FROM links
            WHERE (case_id IN ({marks}) OR other_id IN ({marks})) AND undone_at IS NULL""",
            (*chunk, *chunk),
        )
        for row in rows:
            result[row[0]] = Link(row[0], row[1], row[2], LinkKind(row[3]), row[4], row[5])
    return [result[key] for key in sorted(result)]


def all_links(connection: sqlite3.Connection, kind: LinkKind) -> list[Link]:
    """All standing statements of one kind, by id."""
    rows = connection.execute(
        """SELECT id, case_id, other_id, kind, source, by FROM links
        WHERE kind = ? AND undone_at IS NULL ORDER BY id""",
        (str(kind),),
    )
    return [Link(row[0], row[1], row[2], LinkKind(row[3]), row[4], row[5]) for row in rows]


def await_link(
    connection: sqlite3.Connection, case_id: int, source: str, external_id: str, kind: LinkKind
) -> None:
    """Remember a link to a case that has not been imported yet."""
    connection.execute(
        "INSERT OR IGNORE INTO pending_links (case_id, source, external_id, kind)"
        " VALUES (?, ?, ?, ?)",
        (case_id, source, external_id, str(kind)),
    )


def arrived_links(connection: sqlite3.Connection) -> list[tuple[int, int, LinkKind]]:
    """Remembered links whose other case is there now; they are no longer remembered."""
    rows = connection.execute(
        """SELECT pending_links.case_id, cases.id, kind, pending_links.source,
            pending_links.external_id
        FROM pending_links JOIN cases ON cases.source = pending_links.source
            AND cases.external_id = pending_links.external_id
        ORDER BY pending_links.case_id, cases.id"""
    ).fetchall()
    connection.executemany(
        "DELETE FROM pending_links WHERE case_id = ? AND source = ? AND external_id = ?",
        [(row[0], row[3], row[4]) for row in rows],
    )
    return [(row[0], row[1], LinkKind(row[2])) for row in rows]


def name_of(connection: sqlite3.Connection, issue_id: int) -> tuple[str | None, str | None]:
    """(title, who gave it) of an issue."""
    row = connection.execute(
        "SELECT title, named_by FROM issues WHERE id = ?", (issue_id,)
    ).fetchone()
    return (row[0], row[1]) if row else (None, None)


def reset_title(
    connection: sqlite3.Connection, issue_id: int, title: str | None, named_by: str | None
) -> None:
    """Give an issue the name back that it had."""
    connection.execute(
        "UPDATE issues SET title = ?, named_by = ? WHERE id = ?", (title, named_by, issue_id)
    )


def before_change(connection: sqlite3.Connection, change: int) -> list[Membership]:
    """Where the cases that a decision moved were before it, if they were anywhere."""
    rows = connection.execute(
        """SELECT case_id, issue_id, kind, confidence, method FROM membership_log WHERE id IN (
            SELECT (SELECT max(former.id) FROM membership_log AS former
                WHERE former.case_id = moved.case_id AND former.id < moved.first)
            FROM (SELECT case_id, min(id) AS first FROM membership_log
                WHERE change = ? GROUP BY case_id) AS moved)
        ORDER BY case_id""",
        (change,),
    )
    return [Membership(*row) for row in rows]


def later_changes(connection: sqlite3.Connection, change: int) -> list[int]:
    """Decisions after this one that moved any of the same cases and still stand, newest first."""
    rows = connection.execute(
        """SELECT DISTINCT later.change FROM membership_log AS later
        WHERE later.change > ? AND later.case_id IN
            (SELECT case_id FROM membership_log WHERE change = ?)
        AND NOT EXISTS (SELECT 1 FROM decisions WHERE undoes = later.change)
        AND NOT EXISTS (SELECT 1 FROM decisions WHERE id = later.change AND undoes IS NOT NULL)
        ORDER BY later.change DESC""",
        (change, change),
    )
    return [row[0] for row in rows]


@dataclass(frozen=True, slots=True)
class Placement:
    """That a case was put into an issue: when, by what kind of evidence, how sure, and why."""

    at: datetime
    issue_id: int
    kind: str
    confidence: float
    method: str
    why: str
    by: str | None


def history(connection: sqlite3.Connection, case_id: int) -> list[Placement]:
    """Each placement of a case, oldest first."""
    rows = connection.execute(
        "SELECT at, issue_id, kind, confidence, method, why, by FROM membership_log"
        " WHERE case_id = ? ORDER BY id",
        (case_id,),
    )
    return [Placement(known(row[0]), *row[1:]) for row in rows]


def successors(connection: sqlite3.Connection, issue_id: int) -> list[int]:
    """The issues in which the cases are now that once were in this one, lowest first."""
    rows = connection.execute(
        "SELECT DISTINCT memberships.issue_id FROM membership_log AS log"
        " JOIN memberships ON memberships.case_id = log.case_id"
        " WHERE log.issue_id = ? ORDER BY 1",
        (issue_id,),
    )
    return [row[0] for row in rows]


def deserted(
    connection: sqlite3.Connection, issue_ids: Sequence[int], *, as_of: datetime | None = None
) -> set[int]:
    """Those of these issues in which no case is now, or was at `as_of`; withdrawn ones count."""
    if as_of is not None:
        return {one for one in issue_ids if not members(connection, one, as_of=as_of)}
    alive: set[int] = set()
    for chunk in chunks(list(issue_ids)):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"SELECT DISTINCT issue_id FROM memberships WHERE issue_id IN ({marks})", chunk
        )
        alive.update(row[0] for row in rows)
    return set(issue_ids) - alive


def joined(connection: sqlite3.Connection, issue_id: int, others: Iterable[int]) -> set[int]:
    """Those of `others` in which any case of this issue once was."""
    wanted = sorted(others)
    marks = ",".join("?" * len(wanted))
    rows = connection.execute(
        f"""SELECT DISTINCT log.issue_id FROM memberships
        JOIN membership_log AS log ON log.case_id = memberships.case_id
        WHERE memberships.issue_id = ? AND log.issue_id IN ({marks})""",
        (issue_id, *wanted),
    )
    return {row[0] for row in rows}


@dataclass(frozen=True, slots=True)
class Listed:
    """An issue in a list: how often and when it was seen, and its longest silence in days."""

    issue_id: int
    title: str
    instances: int
    first_seen: datetime | None
    last_seen: datetime | None
    longest_gap: float


def listing(
    connection: sqlite3.Connection,
    *,
    least: int = 1,
    most: int | None = None,
    order: str = "instances",
    limit: int = 50,
) -> list[Listed]:
    """Issues with `least` to `most` instances, by number of instances, last sight or gap."""
    orders = {"instances": "n DESC", "last": "last DESC", "gap": "gap DESC"}
    rows = connection.execute(
        f"""WITH seen AS (
            SELECT issue_id, cases.id AS case_id, cases.title AS title, opened_at,
                julianday(opened_at) - lag(julianday(opened_at))
                    OVER (PARTITION BY issue_id ORDER BY opened_at) AS gap
            FROM memberships JOIN cases ON cases.id = case_id WHERE withdrawn_at IS NULL),
        grouped AS (SELECT issue_id, count(*) AS n, min(opened_at) AS first,
            max(opened_at) AS last, coalesce(max(gap), 0) AS gap, min(case_id) AS any_case
            FROM seen GROUP BY issue_id)
        SELECT issue_id, coalesce(issues.title, cases.title), n, first, last, gap FROM grouped
        JOIN issues ON issues.id = issue_id JOIN cases ON cases.id = any_case
        WHERE n >= ? AND n <= ? ORDER BY {orders[order]}, issue_id LIMIT ?""",
        (least, most if most is not None else 2**62, limit),
    )
    return [
        Listed(row[0], row[1], row[2], to_moment(row[3]), to_moment(row[4]), row[5]) for row in rows
    ]
