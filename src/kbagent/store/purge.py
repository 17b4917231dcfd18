"""Withdrawing a case, and removing one for good where the law asks for it.

A withdrawn case is a tombstone: nothing shows it, nothing counts it, everything is kept. A purged
one loses its text, its columns, its vectors and every earlier version, and what only it had: texts
of resolutions tried on no other case, notes of its outcomes, queries it was made from. Freed pages
are overwritten (`secure_delete`) and the write-ahead log is emptied.
"""

import sqlite3
from datetime import datetime

from kbagent.store.moments import to_text

GONE = "[purged]"
QUOTED = 12  # characters of a title or body from which on a query that holds it quotes it


def withdraw(connection: sqlite3.Connection, case_id: int, now: datetime) -> None:
    """Leave a case out of everything from now on."""
    connection.execute(
        "UPDATE cases SET withdrawn_at = ? WHERE id = ? AND withdrawn_at IS NULL",
        (to_text(now), case_id),
    )


def bring_back(connection: sqlite3.Connection, case_id: int) -> None:
    """Let a withdrawn case count again."""
    connection.execute("UPDATE cases SET withdrawn_at = NULL WHERE id = ?", (case_id,))


def purge(connection: sqlite3.Connection, case_id: int, now: datetime) -> None:
    """Remove all text and every vector of a case; ids, dates and verdicts stay."""
    connection.execute("PRAGMA secure_delete = ON")
    withdraw(connection, case_id, now)
    quoting = _lookups_quoting(connection, case_id)
    connection.execute(
        """UPDATE cases SET title = ?, body = '', url = NULL, facets = '[]', record_hash = x''
        WHERE id = ?""",
        (GONE, case_id),
    )
    for table in ("case_versions", "case_facets", "passages", "documents"):
        connection.execute(f"DELETE FROM {table} WHERE case_id = ?", (case_id,))
    connection.execute(
        "DELETE FROM facet_values WHERE id NOT IN (SELECT facet_id FROM case_facets)"
    )
    _purge_resolutions(connection, case_id)
    _purge_words(connection, case_id, quoting)


def empty_log(connection: sqlite3.Connection) -> None:
    """Write the log back into the database and empty it; outside of a transaction."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _purge_resolutions(connection: sqlite3.Connection, case_id: int) -> None:
    """Texts that stand on no other case."""
    own = [
        row[0]
        for row in connection.execute(
            """SELECT DISTINCT resolution_id FROM attempts WHERE case_id = ? AND NOT EXISTS
                (SELECT 1 FROM attempts AS others WHERE others.case_id != attempts.case_id
                 AND others.resolution_id = attempts.resolution_id)""",
            (case_id,),
        )
    ]
    for one in own:
        connection.execute(
            """UPDATE resolutions SET text = ?, text_hash = randomblob(16), name = NULL,
                steps = NULL, code = NULL WHERE id = ?""",
            (GONE, one),
        )
        connection.execute("DELETE FROM fix_vectors WHERE resolution_id = ?", (one,))
        connection.execute(
            """UPDATE decisions SET data = json_object('before', NULL, 'after', ?, 'name', ?)
            WHERE resolution_id = ?
            AND kind IN ('edit resolution', 'rename resolution', 'steps')""",
            (GONE, GONE, one),
        )


def _lookups_quoting(connection: sqlite3.Connection, case_id: int) -> set[int]:
    """Lookups that asked for the case's own text, as it is or ever was (`similar` asks so), and
    those that its outcomes came from.
    """
    texts = connection.execute(
        """SELECT title, body FROM cases WHERE id = ?1
        UNION SELECT json_extract(record, '$.title'), json_extract(record, '$.body')
            FROM case_versions WHERE case_id = ?1 AND json_valid(record)""",
        (case_id,),
    ).fetchall()
    found = {
        row[0]
        for row in connection.execute(
            "SELECT lookup_id FROM outcomes WHERE case_id = ? AND lookup_id IS NOT NULL", (case_id,)
        )
    }
    for text in {one.strip() for pair in texts for one in pair if one}:
        quoted = "instr(query, ?) > 0" if len(text) >= QUOTED else "trim(query) = ?"
        rows = connection.execute(f"SELECT id FROM lookups WHERE {quoted}", (text,))
        found.update(row[0] for row in rows)
    return found


def _purge_words(connection: sqlite3.Connection, case_id: int, quoting: set[int]) -> None:
    """Notes on its outcomes, the queries that hold its text, and the runs on it."""
    connection.execute("UPDATE outcomes SET note = NULL WHERE case_id = ?", (case_id,))
    _purge_runs(connection, case_id, quoting)
    for lookup_id in sorted(quoting):
        connection.execute(
            "UPDATE lookups SET query = ?, request = '{}' WHERE id = ?", (GONE, lookup_id)
        )


def _purge_runs(connection: sqlite3.Connection, case_id: int, quoting: set[int]) -> None:
    """Runs of `solve` quote the text they were given, so they go with all that hangs on them."""
    rows = connection.execute(
        "SELECT id, lookup_id, json_extract(record, '$.case_id') FROM runs"
    ).fetchall()
    for run_id, lookup_id, about in rows:
        if about != case_id and lookup_id not in quoting:
            continue
        connection.execute("UPDATE runs SET continues = NULL WHERE continues = ?", (run_id,))
        connection.execute("DELETE FROM deviations WHERE run_id = ?", (run_id,))
        connection.execute("DELETE FROM step_evidence WHERE run_id = ?", (run_id,))
        connection.execute("DELETE FROM runs WHERE id = ?", (run_id,))
        connection.execute(
            "UPDATE lookups SET query = ?, request = '{}' WHERE id = ?", (GONE, lookup_id)
        )
