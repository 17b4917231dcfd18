"""The shape that the beginning of a file shows: its layout, and the lists of rows within it."""

import contextlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kbagent.errors import UnknownFormat
from kbagent.store.readers.documents import Cursor, Item, Malformed, Path, line_item, parsed
from kbagent.store.readers.intake import Intake
from kbagent.store.readers.rows import plain_name
from kbagent.store.readers.tables import delimiter_of, header_of, sample_rows
from kbagent.store.readers.workbooks import Workbook

SAMPLE = 50  # rows looked at
_CASE_LIKE = frozenset({"id", "number", "title", "subject"})  # names of a case, not of an envelope
_DEEPEST = 3  # levels of objects in which a list of rows is looked for


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of rows: where it is in the document (tables: nowhere), and its first rows."""

    path: Path
    rows: tuple[Mapping[str, object], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the first rows in the order in which they occur."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row))

    @property
    def plain_names(self) -> frozenset[str]:
        """The same names as mappings write them."""
        return frozenset(plain_name(name) for name in self.names)


@dataclass(frozen=True, slots=True)
class Shape:
    """A layout (csv, tsv, json, jsonl, xlsx) and the lists of rows that were found."""

    layout: str
    listings: tuple[Listing, ...]


def shape_of(intake: Intake, workbook: Workbook | None) -> Shape:
    """The shape of a file by its content.

    Raises: UnknownFormat when there is neither a table with a header nor an object in it.
    """
    if workbook is not None:
        return Shape("xlsx", (Listing((), workbook.sample(SAMPLE)),))
    start = intake.head.lstrip()[:1]
    shape = _json_shape(intake) if start in {b"{", b"["} else None
    shape = shape or _table_shape(intake)
    if not any(listing.names for listing in shape.listings):
        reason = "there are neither column names with rows nor JSON objects at its beginning"
        raise UnknownFormat(path=intake.name, reason=reason)
    return shape


def _table_shape(intake: Intake) -> Shape:
    layout = "tsv" if delimiter_of(intake.head) == "\t" else "csv"
    names = header_of(intake.head)
    if sum(
        not name.startswith("column_") for name in names
    ) < 2 and not intake.name.lower().endswith((".csv", ".tsv", ".csv.gz", ".tsv.gz")):
        reason = "it is text, but neither JSON nor a table with at least two columns"
        raise UnknownFormat(path=intake.name, reason=reason)
    rows = sample_rows(intake.head, SAMPLE, whole=intake.whole)
    return Shape(layout, (Listing((), rows or (dict.fromkeys(names, ""),)),))


def _json_shape(intake: Intake) -> Shape | None:
    lines = _sample_lines(intake.head, whole=intake.whole)
    found = tuple(_listings(intake.head))
    if lines:
        inner = [listing for listing in found if listing.path]
        if not (inner and _is_page(lines[0], inner[0].path)):
            return Shape("jsonl", (Listing((), tuple(lines)),))
    return Shape("json", found) if found else None


def _is_page(line: Mapping[str, object], path: Path) -> bool:
    """Whether an object is an envelope: nothing in it is as big as its list of objects."""
    inner: object = line
    for name in path:
        inner = inner.get(name) if isinstance(inner, Mapping) else None
    whole = len(json.dumps(line, default=str))
    return not _CASE_LIKE & line.keys() and len(json.dumps(inner, default=str)) > 0.5 * whole


def _sample_lines(head: bytes, *, whole: bool) -> list[dict[str, object]]:
    """The objects in the first lines; empty unless nearly every line is one."""
    lines = head.splitlines() if whole else head.splitlines()[:-1]
    made: list[dict[str, object]] = []
    wrong = 0
    for line in [line for line in lines if line.strip()][:SAMPLE]:
        try:
            value = parsed(line_item(line, 0))
        except (ValueError, RecursionError):
            wrong += 1
            continue
        if isinstance(value, dict):
            made.append(value)
        else:
            wrong += 1
    return made if len(made) > wrong else []


def _listings(head: bytes) -> Iterator[Listing]:
    """Every list of objects in the document, the largest first; else the object it is."""
    found: dict[Path, list[dict[str, object]]] = {}
    cursor = Cursor(io.BytesIO(head))
    single: dict[str, object] | None = None
    with contextlib.suppress(Malformed, ValueError, RecursionError):
        single = _explore(cursor, (), found)
    lists = sorted(found.items(), key=lambda entry: -len(entry[1]))
    if single and (_CASE_LIKE & single.keys() or not any(found.values())):
        yield Listing((), (single,))
    for path, rows in lists:
        if rows:
            yield Listing(path, tuple(rows))


def _explore(
    cursor: Cursor, path: Path, found: dict[Path, list[dict[str, object]]]
) -> dict[str, object] | None:
    if cursor.skip(b"["):
        rows = found.setdefault(path, [])
        while not cursor.skip(b"]"):
            value = _quietly(cursor.value())
            if isinstance(value, dict) and len(rows) < SAMPLE:
                rows.append(value)
            cursor.skip(b",")
        return None
    if cursor.peek() != b"{" or len(path) >= _DEEPEST:
        value = _quietly(cursor.value())
        return {"": value}
    cursor.skip(b"{")
    made: dict[str, object] = {}
    while not cursor.skip(b"}"):
        key = str(_quietly(cursor.value()))
        if not cursor.skip(b":"):
            raise Malformed("a colon is missing")
        inner = _explore(cursor, (*path, key), found)
        made[key] = inner[""] if inner is not None and "" in inner else inner
        cursor.skip(b",")
    return made


def _quietly(item: Item) -> object:
    try:
        return parsed(item)
    except (ValueError, RecursionError):
        return None
