"""Settings of a knowledge base: a text for each key."""

import sqlite3

CONFIDENCE = "confidence"  # what was learned of how sure an answer is
CONFIDENCE_LEARNED = "confidence learned"  # in `events`: each state of that, for a look back


def get(connection: sqlite3.Connection, key: str) -> str | None:
    """The value of a setting, None when it was never set."""
    row = connection.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
    return row[0] if row else None


def put(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Set a setting."""
    connection.execute(
        "INSERT INTO settings (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )
