"""Rows of CSV and TSV files, in bounded memory and without losing rows to one stray quote.

Columns stay text. A column name that occurs several times keeps all its values as a list
(Jira's Labels, Comment, Affects versions). What the `csv` module accepts is accepted; a quote
that is never closed costs its own line only, and not the rest of the file.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence

from kbagent.model.case import Reject
from kbagent.store.readers import limits
from kbagent.store.readers.intake import DamagedStream, Intake
from kbagent.store.readers.rows import Row, rejected

_DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*"')


class _UnclosedQuote(Exception):
    """The record does not end."""


class _TooLong(Exception):
    """The line is longer than any row may be."""


class _Lines:
    """Feeds the lines of one record at a time to `csv.reader`, and can take them back."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._again: list[str] = []
        self._record: list[str] = []
        self._size = 0
        self.number = 0  # of the last line given, from 1

    def begin(self) -> None:
        self._record, self._size = [], 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else self._text.readline(limits.ROW_BYTES)
        if not line:
            if self._record:
                raise _UnclosedQuote
            raise StopIteration
        self.number += 1
        if len(line) >= limits.ROW_BYTES and not line.endswith(("\n", "\r")):
            self._skip_line()
            raise _TooLong
        self._record.append(line)
        self._size += len(line)
        if self._size > limits.ROW_BYTES:
            raise _UnclosedQuote
        return line

    def take_back(self) -> str:
        """Take back all lines of the record but its first, which is returned."""
        first, rest = self._record[0], self._record[1:]
        self._again.extend(reversed(rest))
        self.number -= len(rest)
        return first

    def dropped(self) -> str:
        """The first line of the record; its other lines are lost."""
        return self._record[0]

    def _skip_line(self) -> None:
        while True:
            rest = self._text.readline(1 << 20)
            if not rest or rest.endswith(("\n", "\r")):
                return


def table_rows(intake: Intake) -> Iterator[Row | Reject]:
    """The rows of a CSV or TSV file under the names of its first line."""
    csv.field_size_limit(limits.ROW_BYTES)
    text = io.TextIOWrapper(intake.stream, encoding="utf-8", errors="replace", newline="")
    lines = _Lines(text)
    names: list[str] | None = None
    for record in _records(lines, delimiter_of(intake.head), intake.name):
        if isinstance(record, Reject):
            yield record
            continue
        number, cells = record
        if names is None:
            names = None if _is_hint(cells) else unique_header(cells)
        elif any(cell.strip() for cell in cells):
            yield _row(names, cells, f"{intake.name} line {number}")


def _records(lines: _Lines, delimiter: str, name: str) -> Iterator[tuple[int, list[str]] | Reject]:
    reader = csv.reader(lines, delimiter=delimiter)
    tries_left = limits.RESYNCHRONISATIONS
    while True:
        lines.begin()
        start = lines.number + 1
        place = f"{name} line {start}"
        try:
            cells = next(reader)
            yield start, cells
        except StopIteration:
            return
        except _TooLong:
            yield rejected(place, "row", f"longer than {limits.ROW_BYTES} bytes", "")
        except _UnclosedQuote:
            tries_left -= 1
            first = lines.take_back() if tries_left >= 0 else lines.dropped()
            reader = csv.reader(lines, delimiter=delimiter)
            yield rejected(place, "row", "a quote is opened and not closed", first)
        except csv.Error as error:
            yield rejected(place, "row", str(error), "")
        except DamagedStream as error:
            yield rejected(place, "file", f"{error}; nothing after this line was read", "")
            return


def _is_hint(cells: Sequence[str]) -> bool:
    """Excel's first line `sep=;`, or nothing at all."""
    return not any(cell.strip() for cell in cells) or "".join(cells).lower().startswith("sep=")


def unique_header(cells: Sequence[str]) -> list[str]:
    """The column names; one without a name is called by its position (`column_3`)."""
    return [cell.strip() or f"column_{i}" for i, cell in enumerate(cells[: limits.COLUMNS], 1)]


def _row(names: Sequence[str], cells: Sequence[str], place: str) -> Row | Reject:
    if any(cell.strip() for cell in cells[len(names) :]):
        reason = f"{len(cells)} cells under {len(names)} column names"
        return rejected(place, "row", reason, json.dumps(cells, ensure_ascii=False))
    return Row(named_cells(names, cells), place)


def named_cells(names: Sequence[str], cells: Sequence[str]) -> dict[str, object]:
    """Cells under their names; a repeated name has the list of its non-empty values."""
    values: dict[str, object] = {}
    for name, cell in zip(names, cells, strict=False):
        if name not in values:
            values[name] = cell
        elif cell:
            earlier = values[name]
            if isinstance(earlier, list):
                earlier.append(cell)
            else:
                values[name] = [earlier, cell] if earlier else [cell]
    return values


def delimiter_of(head: bytes) -> str:
    """The character between the cells: of `,;|` and tab the one with most cells in line one.

    >>> delimiter_of(b'id;"a,b,c";title\\n1;x;y\\n')
    ';'
    """
    lines = head.decode("utf-8", "replace").splitlines()
    first = next((line for line in lines if line.strip()), "")
    if first.lower().startswith("sep=") and len(first.strip()) == 5:
        return first.strip()[-1]
    bare = _QUOTED.sub("", first)
    return max(_DELIMITERS, key=bare.count)


def header_of(head: bytes) -> list[str]:
    """The column names in the first line of a table's beginning; empty when there is no table."""
    csv.field_size_limit(limits.ROW_BYTES)
    lines = head.decode("utf-8", "replace").splitlines()
    try:
        for cells in csv.reader(lines[:50], delimiter=delimiter_of(head)):
            if not _is_hint(cells):
                return unique_header(cells)
    except csv.Error:
        return []
    return []


def sample_rows(head: bytes, count: int, *, whole: bool) -> tuple[dict[str, object], ...]:
    """The first rows of a table, read from its beginning (without a last line that is cut)."""
    csv.field_size_limit(limits.ROW_BYTES)
    cut = head if whole else head[: head.rfind(b"\n") + 1]
    lines = _Lines(io.TextIOWrapper(io.BytesIO(cut), "utf-8", "replace", newline=""))
    names: list[str] | None = None
    rows: list[dict[str, object]] = []
    for record in _records(lines, delimiter_of(head), ""):
        if isinstance(record, Reject):
            continue
        _, cells = record
        if names is None:
            names = None if _is_hint(cells) else unique_header(cells)
        elif any(cells):
            rows.append(named_cells(names, cells))
        if len(rows) >= count:
            break
    return tuple(rows)
