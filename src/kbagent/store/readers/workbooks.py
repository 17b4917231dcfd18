"""Rows of XLSX workbooks: the first visible sheet that has a header, row by row.

Numbers stay as they are shown where that can be told (`007` under the number format `000`),
dates become ISO text. Formulas give their last computed value, as text. A workbook with a
document type or an entity in its XML, or one that unpacks beyond the limits, is refused.
"""

import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import IO, Any

from kbagent.errors import UnreadableFile
from kbagent.model.case import Reject
from kbagent.store.readers import limits
from kbagent.store.readers.intake import DamagedStream, Intake
from kbagent.store.readers.rows import Row, rejected
from kbagent.store.readers.tables import named_cells, unique_header

_HINT = "Save it again as XLSX or CSV."
_ZIP_RATIO = 300  # sheets of equal rows pack about 50 times
_FREE_BYTES = 64 << 20  # of one part, below which its ratio does not matter
_PROLOGUE = 4096  # bytes of a part in which a document type would stand


class Workbook:
    """An opened workbook. Its bytes lie in a temporary file, for ZIP needs to seek."""

    def __init__(self, intake: Intake) -> None:
        self.name = intake.name
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        self._copy(intake)
        self._check()
        self._book = self._open()
        self._sheet = self._first_sheet()

    def notes(self) -> tuple[str, ...]:
        """Which sheet is read when there are several."""
        others = [sheet.title for sheet in self._book.worksheets if sheet is not self._sheet]
        if not others:
            return ()
        return (f"{self.name}: read the sheet '{self._sheet.title}', not {', '.join(others)}",)

    def sample(self, count: int) -> tuple[dict[str, object], ...]:
        """The first rows; with only a header, one row of empty cells."""
        made: list[dict[str, object]] = []
        names: list[str] = []
        for _, cells in self._records():
            if not names:
                names = unique_header(cells)
            elif any(cells):
                made.append(named_cells(names, cells))
            if len(made) >= count:
                break
        return tuple(made) or (dict.fromkeys(names, ""),)

    def rows(self) -> Iterator[Row | Reject]:
        """All rows under the names of the first row that is not empty."""
        names: list[str] = []
        number = 0
        try:
            for number, cells in self._records():
                if not any(cells):
                    continue
                if not names:
                    names = unique_header(cells)
                    continue
                place = f"{self.name} row {number}"
                if any(cells[len(names) :]):
                    reason = f"{len(cells)} cells under {len(names)} column names"
                    yield rejected(place, "row", reason, ", ".join(cells))
                else:
                    yield Row(named_cells(names, cells), place)
        except _BROKEN as error:
            place = f"{self.name} after row {number}"
            yield rejected(place, "file", f"the sheet is damaged ({error})", "")

    def close(self) -> None:
        """Close the workbook and its temporary file."""
        self._book.close()
        self._file.close()

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        for number, row in enumerate(self._sheet.iter_rows(), 1):
            cells = [_cell_text(cell) for cell in row[: limits.COLUMNS]]
            while cells and not cells[-1]:
                cells.pop()
            yield number, cells

    def _copy(self, intake: Intake) -> None:
        size = 0
        try:
            while part := intake.stream.read1(1 << 20):
                size += len(part)
                if size > limits.WORKBOOK_BYTES:
                    raise DamagedStream("it is larger than any workbook")
                self._file.write(part)
        except DamagedStream as error:
            raise UnreadableFile(path=self.name, reason=str(error), hint=_HINT) from error
        self._file.seek(0)

    def _check(self) -> None:
        """Refuse bombs and entities before anything is parsed."""
        try:
            with zipfile.ZipFile(self._file) as parts:
                infos = parts.infolist()
                _check_sizes(self.name, infos)
                for info in infos:
                    if info.filename.endswith((".xml", ".rels")):
                        with parts.open(info) as part:
                            _check_prologue(self.name, part.read(_PROLOGUE))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
            reason = f"the ZIP data is damaged ({error})"
            raise UnreadableFile(path=self.name, reason=reason, hint=_HINT) from error
        if not any(info.filename.endswith("workbook.xml") for info in infos):
            reason = "it is a ZIP file, but no workbook"
            raise UnreadableFile(path=self.name, reason=reason, hint="Unpack it first.")
        self._file.seek(0)

    def _open(self) -> Any:
        import openpyxl

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return openpyxl.load_workbook(self._file, read_only=True, data_only=True)
        except _BROKEN as error:
            reason = f"the workbook is damaged ({type(error).__name__}: {error})"
            raise UnreadableFile(path=self.name, reason=reason, hint=_HINT) from error

    def _first_sheet(self) -> Any:
        sheets = [sheet for sheet in self._book.worksheets if sheet.sheet_state == "visible"]
        for sheet in sheets:
            try:
                sheet.reset_dimensions()
                if any(
                    cell.value not in (None, "")
                    for row in sheet.iter_rows(max_row=20)
                    for cell in row
                ):
                    return sheet
            except _BROKEN as error:
                reason = f"sheet '{sheet.title}' is damaged ({error})"
                raise UnreadableFile(path=self.name, reason=reason, hint=_HINT) from error
        raise UnreadableFile(path=self.name, reason="no sheet has any cell", hint=_HINT)


# What openpyxl, zipfile and the XML parser raise on files that are not what they should be.
_BROKEN = (
    ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError, OSError, OverflowError,
    SyntaxError, zipfile.BadZipFile, NotImplementedError, RuntimeError,
)  # fmt: skip


def _check_sizes(name: str, infos: Sequence[zipfile.ZipInfo]) -> None:
    total = sum(info.file_size for info in infos)
    strings = sum(i.file_size for i in infos if i.filename.lower().endswith("sharedstrings.xml"))
    bomb = any(
        info.file_size > _FREE_BYTES and info.file_size > _ZIP_RATIO * max(1, info.compress_size)
        for info in infos
    )
    if bomb or total > limits.WORKBOOK_BYTES or strings > limits.WORKBOOK_STRINGS_BYTES:
        reason = f"it unpacks to {total >> 20} MiB"
        raise UnreadableFile(path=name, reason=reason, hint="Save it as CSV, which has no limit.")


def _check_prologue(name: str, start: bytes) -> None:
    bare = start.replace(b"\0", b"").upper()
    if b"<!DOCTYPE" in bare or b"<!ENTITY" in bare:
        reason = "its XML declares entities, which no workbook needs"
        raise UnreadableFile(path=name, reason=reason, hint=_HINT)


def _cell_text(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number_text(value, getattr(cell, "number_format", None) or "")
    if isinstance(value, datetime | date | time):
        return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return str(value)


def _number_text(value: float, number_format: str) -> str:
    """A number as its cell shows it, as far as leading zeros and whole numbers go."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, int) and set(number_format) == {"0"}:
        return str(value).zfill(len(number_format))
    return str(value)
