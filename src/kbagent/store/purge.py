"""Withdrawing a case, and removing one for good where the law asks for it.

A withdrawn case is a tombstone: nothing shows it, nothing counts it, everything is kept. A purged
one loses its text, its columns, its vectors and every earlier version, and what only it had: texts
of resolutions tried on no other case, notes of its outcomes, queries it was made from, titles of
issues and what runs quote. Freed pages
are overwritten (`secure_delete`) and the write-ahead log is emptied.
"""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

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


def purge(connection: sqlite3.Connection, case_id: int, now: datetime) -> set[int]:
    """Remove all text and every vector of a case; ids, dates and verdicts stay.

    The issues that were called after it, which have no title now.
    """
    connection.execute("PRAGMA secure_delete = ON")
    withdraw(connection, case_id, now)
    texts = _texts_of(connection, case_id)
    quoting = _lookups_quoting(connection, case_id, texts)
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
    gone = _purge_resolutions(connection, case_id)
    _purge_words(connection, case_id, quoting)
    return _purge_quotes(connection, [*texts, *gone])


def empty_log(connection: sqlite3.Connection) -> None:
    """Write the log back into the database and empty it; outside of a transaction."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _purge_resolutions(connection: sqlite3.Connection, case_id: int) -> list[str]:
    """Remove the texts that stand on no other case; what they were."""
    rows = connection.execute(
        """SELECT DISTINCT resolutions.id, text, name
        FROM attempts JOIN resolutions ON resolutions.id = resolution_id
        WHERE case_id = ? AND NOT EXISTS
            (SELECT 1 FROM attempts AS others WHERE others.case_id != attempts.case_id
             AND others.resolution_id = attempts.resolution_id)""",
        (case_id,),
    ).fetchall()
    own = [row[0] for row in rows]
    _keep_the_approaches(connection, own)
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
    return [text.strip() for _, *told in rows for text in told if text and text.strip()]


def _keep_the_approaches(connection: sqlite3.Connection, purged: Sequence[int]) -> None:
    """Where a purged wording stood for an approach, another wording of it does from now on."""
    marks = ",".join("?" * len(purged))
    for one in purged:
        (heir,) = connection.execute(
            f"SELECT min(id) FROM resolutions WHERE canonical_id = ? AND id NOT IN ({marks})",
            (one, *purged),
        ).fetchone()
        if heir is not None:
            connection.execute(
                "UPDATE resolutions SET canonical_id = ? WHERE canonical_id = ?", (heir, one)
            )


def _texts_of(connection: sqlite3.Connection, case_id: int) -> list[str]:
    """Title and body of a case, as they are and ever were."""
    rows = connection.execute(
        """SELECT title, body FROM cases WHERE id = ?1
        UNION SELECT json_extract(record, '$.title'), json_extract(record, '$.body')
            FROM case_versions WHERE case_id = ?1 AND json_valid(record)""",
        (case_id,),
    )
    return sorted({one.strip() for pair in rows for one in pair if one and one.strip()})


def _purge_quotes(connection: sqlite3.Connection, texts: Sequence[str]) -> set[int]:
    """Titles of issues that were the case's, and what runs and deviations quote of these texts."""
    untitled: set[int] = set()
    for text in texts:
        rows = connection.execute("SELECT id FROM issues WHERE title = ?", (text,))
        untitled.update(row[0] for row in rows)
        connection.execute(
            "UPDATE issues SET title = NULL, named_by = NULL WHERE title = ?", (text,)
        )
    quotable = [text for text in texts if len(text) >= QUOTED]
    for run_id, record in connection.execute("SELECT id, record FROM runs").fetchall():
        content = json.loads(record)
        kept = _unquoted(content, quotable)
        if kept != content:
            told = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
            connection.execute("UPDATE runs SET record = ? WHERE id = ?", (told, run_id))
    for column in ("expected", "observed"):
        for text in quotable:
            connection.execute(
                f"UPDATE deviations SET {column} = replace({column}, ?, ?)"
                f" WHERE instr({column}, ?) > 0",
                (text, GONE, text),
            )
    return untitled


def _unquoted(value: Any, texts: Sequence[str]) -> Any:
    """JSON values without these texts."""
    if isinstance(value, str):
        for text in texts:
            value = value.replace(text, GONE)
        return value
    if isinstance(value, list):
        return [_unquoted(one, texts) for one in value]
    if isinstance(value, dict):
        return {key: _unquoted(one, texts) for key, one in value.items()}
    return value


def _lookups_quoting(
    connection: sqlite3.Connection, case_id: int, texts: Sequence[str]
) -> set[int]:
    """Lookups that asked for the case's own text, as it is or ever was (`similar` asks so), and
    those that its outcomes came from.
    """
    found = {
        row[0]
        for row in connection.execute(
            "SELECT lookup_id FROM outcomes WHERE case_id = ? AND lookup_id IS NOT NULL", (case_id,)
        )
    }
    for text in texts:
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
