"""Rows of a second file that belong to cases: kept in a temporary SQLite file, not in memory."""

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from kbagent.model.case import Reject
from kbagent.store.readers.choices import first_text
from kbagent.store.readers.mapping import JoinRule
from kbagent.store.readers.rows import Row, rejected


class Joined:
    """The rows of all companion files, by the case they belong to. Use as a context."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="kbagent-join-")
        self._rows = sqlite3.connect(Path(self._folder.name) / "rows.db")
        self._rows.execute("PRAGMA journal_mode = OFF")
        self._rows.execute("PRAGMA synchronous = OFF")
        self._rows.execute(
            "CREATE TABLE companion (place INTEGER PRIMARY KEY, into_name TEXT, key TEXT,"
            " data TEXT, used INTEGER NOT NULL DEFAULT 0)"
        )

    def __enter__(self) -> "Joined":
        return self

    def __exit__(self, *_: object) -> None:
        self._rows.close()
        self._folder.cleanup()

    def take_in(self, rule: JoinRule, rows: Iterable[Row | Reject]) -> Iterator[Reject]:
        """Keep the rows of one file; those that name no case are rejected."""
        for row in rows:
            if isinstance(row, Reject):
                yield row
                continue
            data = json.dumps(row.values)
            key = first_text(rule.key, row.values)
            if not key:
                yield rejected(row.place, rule.into, "names no case to which it belongs", data)
                continue
            self._rows.execute(
                "INSERT INTO companion (into_name, key, data) VALUES (?, ?, ?)",
                (rule.into, key, data),
            )

    def finish(self) -> None:
        """Make looking up fast; call once after all files are taken in."""
        self._rows.execute("CREATE INDEX by_key ON companion (into_name, key)")

    def completed(self, rules: Iterable[JoinRule], row: Row) -> Row:
        """The row of a case with its companions as lists, after those that it already has."""
        values = dict(row.values)
        for rule in rules:
            key = first_text(rule.case_key, values)
            found = self._rows.execute(
                "SELECT place, data FROM companion WHERE into_name = ? AND key = ? ORDER BY place",
                (rule.into, key),
            ).fetchall()
            if found:
                own = values.get(rule.into)
                values[rule.into] = [
                    *(own if isinstance(own, list) else []),
                    *(json.loads(data) for _, data in found),
                ]
                self._rows.execute(
                    "UPDATE companion SET used = 1 WHERE into_name = ? AND key = ?",
                    (rule.into, key),
                )
        return Row(values, row.place)

    def left_over(self) -> tuple[str, ...]:
        """What to say of rows whose case was in no file."""
        counts = self._rows.execute(
            "SELECT into_name, count(*) FROM companion WHERE NOT used GROUP BY into_name ORDER BY 1"
        )
        return tuple(f"{n} {name} belong to no case in these files" for name, n in counts)
