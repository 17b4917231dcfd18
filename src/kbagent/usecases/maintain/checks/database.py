"""Is `kb.db` itself whole: pages, references, schema?"""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from kbagent.model.health import Finding, damaged, sound
from kbagent.store.database import Database
from kbagent.store.migrations import SCHEMA_VERSION, migrate, schema_version
from kbagent.usecases.maintain.checks.patient import NAMED, Patient, plural

RESTORE = "Restore a backup: `kbagent restore FILE --force` (what is there is kept beside it)."


def pages(patient: Patient) -> Finding:
    """SQLite's own check of every page and index."""
    found = [str(row[0]) for row in patient.rows("PRAGMA integrity_check(20)")]
    if found == ["ok"]:
        size = patient.kb.database.path.stat().st_size
        return sound(f"every page of {size / 1e6:,.1f} MB is readable")
    return damaged(found[0], RESTORE, tuple(found[1 : NAMED + 1]))


def mend_pages(patient: Patient) -> str:
    """SQLite's indexes follow from its tables: make them anew."""
    with patient.kb.database.write() as connection:
        connection.execute("REINDEX")
    return "made SQLite's own indexes anew"


def references(patient: Patient) -> Finding:
    """Every row that refers to another finds it."""
    rows = patient.rows("PRAGMA foreign_key_check")
    if not rows:
        return sound("every reference finds its row")
    items = tuple(f"{row[0]} row {row[1]} → {row[2]}" for row in rows[:NAMED])
    return damaged(f"{plural(len(rows), 'reference')} lead nowhere", RESTORE, items)


def mend_references(patient: Patient) -> str:
    """Remove the rows that refer to nothing, again until none is left; the ledger stays."""
    removed = 0
    connection = patient.kb.connection
    while True:
        rows = [
            (table, rowid)
            for table, rowid, _parent, _key in connection.execute("PRAGMA foreign_key_check")
            if table != "outcomes" and rowid is not None
        ]
        if not rows:
            return f"removed {plural(removed, 'row')} that referred to nothing"
        connection.execute("PRAGMA foreign_keys = OFF")
        try:
            with patient.kb.database.write():
                for table, rowid in set(rows):
                    connection.execute(f'DELETE FROM "{table}" WHERE rowid = ?', (rowid,))
        finally:
            connection.execute("PRAGMA foreign_keys = ON")
        removed += len(set(rows))


def schema(patient: Patient) -> Finding:
    """The schema is the one that the migrations make, triggers included."""
    version = schema_version(patient.kb.connection)
    if version != SCHEMA_VERSION:
        return damaged(f"the schema is version {version} instead of {SCHEMA_VERSION}", RESTORE)
    expected, here = _fresh_schema(), _definitions(patient.kb.connection)
    wrong = sorted(name for name in expected if here.get(name) != expected[name])
    extra = sorted(set(here) - set(expected))
    if wrong or extra:
        return damaged(
            "the schema is not the one that kbagent makes",
            RESTORE,
            tuple(f"{name} differs" for name in wrong[:NAMED])
            + tuple(f"{name} is not ours" for name in extra[:NAMED]),
        )
    return sound(f"version {version}, as the migrations make it")


def _fresh_schema() -> dict[str, str]:
    with tempfile.TemporaryDirectory(prefix="kbagent-") as scratch:
        database = Database(Path(scratch) / "kb.db")
        migrate(database)
        with closing(database.connection) as connection:
            return _definitions(connection)


def _definitions(connection: sqlite3.Connection) -> dict[str, str]:
    rows = connection.execute(
        "SELECT type || ' ' || name, sql FROM sqlite_master"
        " WHERE name NOT LIKE 'sqlite#_%' ESCAPE '#' AND sql IS NOT NULL"
        " AND name NOT LIKE '%#_sqlite#_migrations%' ESCAPE '#'"
    )
    return {name: " ".join(sql.split()) for name, sql in rows}
