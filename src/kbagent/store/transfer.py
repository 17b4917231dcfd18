"""The whole knowledge base as JSON lines: every row of every table, ids kept, nothing lost.

The first line says what follows, each further one holds one row as `{"TABLE": {COLUMN: VALUE}}`,
the last one counts them and gives the SHA-256 of all lines before it, so that a file that was
cut short or changed is noticed. Text, numbers and null are themselves; bytes are
`{"base64": "…"}`, and numbers that JSON lacks `{"float": "inf"}`. `docs/knowledge-base.md` has the
tables. Reading makes a database of the schema version that was written and fills it; bringing that
forward is the migrations' job, so this is also the way between versions.

Tallies are sums over the ledger; they are computed when the rows are read, not written. Vectors
may be left out: they follow from the texts and the model.
"""

import base64
import binascii
import hashlib
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kbagent.errors import UnreadableFile
from kbagent.model.case import Verdict
from kbagent.store.moments import known

FORMAT = 1
KIND = "knowledge base"
LONGEST_HEADING = 1 << 20  # bytes; it names the tables and how many rows each has
LONGEST_LINE = 256 << 20  # bytes; a case's text is bounded by the readers far below this
DERIVED = frozenset({"tallies"})
VECTORS = "passages"
_OWN = "sqlite_"  # tables that SQLite keeps for itself
_HISTORY = "_sqlite_migrations"
_TYPES: Mapping[str, tuple[type, ...]] = {
    "INTEGER": (int,),
    "REAL": (int, float),
    "TEXT": (str,),
    "BLOB": (bytes,),
}
_JSON = frozenset({"facets", "request", "candidates", "parameters", "data", "record"})
_WORDS = {"verdict": frozenset(map(str, Verdict)) | {"done", "stuck"}}
_CASTS = {"inf": math.inf, "-inf": -math.inf}


@dataclass(frozen=True, slots=True)
class Heading:
    """The first line: `rows` by table; `sequences` are the ids that were ever given out."""

    schema: int
    vectors: bool
    written_at: str
    rows: Mapping[str, int]
    sequences: Mapping[str, int]


def written_lines(
    connection: sqlite3.Connection, written_at: str, *, vectors: bool = True
) -> Iterator[bytes]:
    """The lines of a knowledge base, each ended by a line break; read within one transaction."""
    tables = [name for name in tables_of(connection) if vectors or name != VECTORS]
    counts = {name: _count(connection, name) for name in tables}
    heading = {
        "kbagent": KIND,
        "format": FORMAT,
        "schema": connection.execute("PRAGMA user_version").fetchone()[0],
        "vectors": vectors,
        "written_at": written_at,
        "rows": counts,
        "sequences": dict(connection.execute("SELECT name, seq FROM sqlite_sequence")),
    }
    digest = hashlib.sha256()
    for entry in _entries(connection, heading, tables):
        line = json.dumps(entry, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        encoded = line.encode("utf-8") + b"\n"
        digest.update(encoded)
        yield encoded
    end = {"end": sum(counts.values()), "sha256": digest.hexdigest()}
    yield json.dumps(end).encode() + b"\n"


def tables_of(connection: sqlite3.Connection) -> list[str]:
    """The tables that hold the truth, in the order in which they were made."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
    return [
        row[0]
        for row in rows
        if not row[0].startswith(_OWN) and row[0] not in DERIVED and row[0] != _HISTORY
    ]


def read_heading(line: bytes, place: str) -> Heading:
    """What the first line says.

    Raises:
        UnreadableFile: it is no knowledge base, or of a newer format.
    """
    raw = _parsed(line, place, 1)
    if raw.get("kbagent") != KIND:
        raise _refused(place, 1, "it is not a knowledge base written by `kbagent export kb`")
    if raw.get("format") != FORMAT:
        raise _refused(place, 1, f"it is of format {raw.get('format')!r}, this kbagent reads 1")
    schema, rows, sequences = raw.get("schema"), raw.get("rows"), raw.get("sequences")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise _refused(place, 1, f"its schema version is {schema!r}")
    if not (_is_counts(rows) and _is_counts(sequences)):
        raise _refused(place, 1, "its counts of rows cannot be read")
    assert isinstance(rows, dict)  # noqa: S101 -- `_is_counts` saw to it
    assert isinstance(sequences, dict)  # noqa: S101
    return Heading(
        schema, raw.get("vectors") is not False, str(raw.get("written_at")), rows, sequences
    )


def read_rows(
    connection: sqlite3.Connection, first: bytes, lines: Iterable[bytes], place: str
) -> Heading:
    """Fill an empty database, made at the schema version of the heading, within one transaction.

    Raises:
        UnreadableFile: a line cannot be read, a row does not fit, rows are missing or too many.
    """
    heading = read_heading(first, place)
    triggers = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall()
    for name, _sql in triggers:
        connection.execute(f'DROP TRIGGER "{name}"')
    counts = _fill(connection, first, lines, place)
    wrong = [name for name, number in heading.rows.items() if counts.get(name, 0) != number]
    if wrong or set(counts) - set(heading.rows):
        raise _refused(place, 1, f"rows of {', '.join(wrong) or 'other tables'} are not as counted")
    _set_sequences(connection, heading, place)
    refold_tallies(connection)
    for _name, sql in triggers:
        connection.execute(sql)
    orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
    if orphan is not None:
        raise _refused(place, 1, f"row {orphan[1]} of {orphan[0]} refers to no row of {orphan[2]}")
    astray = connection.execute(ASTRAY).fetchone()
    if astray is not None:
        raise _refused(place, 1, f"resolution {astray[0]} belongs to an approach that is none")
    return heading


def refold_tallies(connection: sqlite3.Connection) -> None:
    """Compute the tallies anew from the ledger."""
    connection.execute("DELETE FROM tallies")
    connection.execute(f"INSERT INTO tallies (resolution_id, tried, reward) {FOLD}")


ASTRAY = """SELECT id FROM resolutions
    WHERE canonical_id NOT IN (SELECT id FROM resolutions) LIMIT 1"""
"""A resolution whose approach is not there."""

FOLD = """SELECT resolution_id, count(*), total(CASE verdict WHEN 'worked' THEN 1.0
        WHEN 'partly' THEN 0.5 ELSE 0 END)
    FROM outcomes WHERE verdict != 'unknown'
    AND NOT EXISTS (SELECT 1 FROM outcomes AS later WHERE later.undoes = outcomes.id)
    GROUP BY resolution_id"""
"""(resolution id, tried, reward) of every resolution with an outcome that counts now."""


def _entries(
    connection: sqlite3.Connection, heading: dict[str, Any], tables: list[str]
) -> Iterator[dict[str, Any]]:
    yield heading
    for table in tables:
        columns = _columns(connection, table)
        listed = ", ".join(f'"{name}"' for name in columns)
        for row in connection.execute(f'SELECT {listed} FROM "{table}"'):
            yield {table: {name: _out(value) for name, value in zip(columns, row, strict=True)}}


def _fill(
    connection: sqlite3.Connection, first: bytes, lines: Iterable[bytes], place: str
) -> dict[str, int]:
    """Insert every row; how many of each table. The last line must be the right one."""
    columns = {table: _types(connection, table) for table in tables_of(connection)}
    for table in columns:  # what a migration put there is among the rows that were written
        connection.execute(f'DELETE FROM "{table}"')
    digest = hashlib.sha256(first)
    counts: dict[str, int] = {}
    number = 1
    numbered = enumerate(lines, start=2)
    for number, line in numbered:
        entry = _parsed(line, place, number)
        if "end" in entry:
            if entry.get("sha256") != digest.hexdigest() or entry["end"] != sum(counts.values()):
                raise _refused(place, number, "it is not what was written (checksum)")
            if next(numbered, None) is not None:  # also reads the end of a gzipped file
                raise _refused(place, number + 1, "something follows the last line")
            return counts
        digest.update(line)
        table = _insert(connection, entry, columns, place, number)
        counts[table] = counts.get(table, 0) + 1
    raise _refused(place, number, "it ends before its last line")


def _insert(
    connection: sqlite3.Connection,
    entry: dict[str, Any],
    types: Mapping[str, Mapping[str, str]],
    place: str,
    number: int,
) -> str:
    table, row = next(iter(entry.items()), ("", None))
    if len(entry) != 1 or table not in types or not isinstance(row, dict):
        raise _refused(place, number, "it holds no row of a table that this schema has")
    if not row.keys() <= types[table].keys() or not row:
        raise _refused(place, number, f"{table} has other columns in this schema")
    columns = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    values = [_in(value, place, number) for value in row.values()]
    for name, value in zip(row, values, strict=True):
        if value is not None and not _fits(name, types[table][name], value):
            raise _refused(place, number, f"{table}.{name} is no value of its kind")
    try:
        connection.execute(f'INSERT INTO "{table}" ({columns}) VALUES ({marks})', values)
    except (sqlite3.IntegrityError, OverflowError, UnicodeEncodeError) as error:
        raise _refused(place, number, f"the row does not fit into {table} ({error})") from error
    return table


def _set_sequences(connection: sqlite3.Connection, heading: Heading, place: str) -> None:
    for name, highest in heading.sequences.items():
        if highest >= 1 << 63:
            raise _refused(place, 1, f"the last id of {name} is too large")
        connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, highest))


def _fits(name: str, kind: str, value: object) -> bool:
    """Whether a value is what the code that reads this column can read."""
    if not isinstance(value, _TYPES.get(kind, (object,))):
        return False
    if isinstance(value, str):
        if name == "at" or name.endswith("_at"):
            return _is_moment(value)
        if name in _JSON:
            return _is_json(value)
        return name not in _WORDS or value in _WORDS[name]
    return True


def _is_moment(text: str) -> bool:
    try:
        return known(text).tzinfo is not None
    except ValueError:
        return False


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _types(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """The declared type of each column."""
    rows = connection.execute(f'PRAGMA table_info("{table}")')
    return {row[1]: str(row[2]).upper() for row in rows}


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])


def _is_counts(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(number, int) and not isinstance(number, bool) and number >= 0
        for number in value.values()
    )


def _out(value: object) -> object:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    return value


def _in(value: object, place: str, number: int) -> object:
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
        return value
    if isinstance(value, dict) and len(value) == 1:
        kind, text = next(iter(value.items()))
        if kind == "float" and text in _CASTS:
            return _CASTS[text]
        if kind == "base64" and isinstance(text, str):
            try:
                return base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError) as error:
                raise _refused(place, number, f"bytes cannot be read ({error})") from error
    raise _refused(place, number, "a value is none of text, number, null and bytes")


def _parsed(line: bytes, place: str, number: int) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _refused(place, number, f"it is no JSON ({error})") from error
    if not isinstance(entry, dict):
        raise _refused(place, number, "it is no JSON object")
    return entry


def _refused(place: str, number: int, reason: str) -> UnreadableFile:
    return UnreadableFile(
        path=place,
        reason=f"line {number}: {reason}",
        hint="Nothing was changed. Write it again with `kbagent export kb`, or use a backup.",
    )
