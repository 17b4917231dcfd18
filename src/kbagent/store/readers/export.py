"""An export: one or several files that belong together, as a stream of cases and rejects.

`open_export` recognises the format, joins files that complete each other, and reads in bounded
memory. Nothing is written but a temporary file for joins and workbooks.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kbagent.errors import BadValue, UnknownFormat
from kbagent.model.case import CaseRecord, Reject
from kbagent.store.readers.assembly import Assembler
from kbagent.store.readers.documents import document_rows, line_rows
from kbagent.store.readers.guessing import guessed, reads_day_first
from kbagent.store.readers.intake import STDIN, Intake, Tally, open_intake
from kbagent.store.readers.joins import Joined
from kbagent.store.readers.mapping import LAYOUTS, JoinRule, Mapping, loaded, loaded_file, presets
from kbagent.store.readers.recognition import join_for, listing_for, recognised
from kbagent.store.readers.rows import Row
from kbagent.store.readers.shape import Listing, Shape, shape_of
from kbagent.store.readers.tables import table_rows
from kbagent.store.readers.values import as_text
from kbagent.store.readers.workbooks import Workbook

_NAME_SHOWN = 60  # characters of a column's name in a message: what looks like one may be a file
_SLASHED = re.compile(r"\d{1,2}/\d{1,2}/\d")

ExportPath = Path | Literal["-"]


@dataclass(slots=True)
class _Opened:
    """One file with the shape that its beginning shows."""

    intake: Intake
    shape: Shape
    workbook: Workbook | None

    def rows(self, listing: Listing, layout: str | None) -> Iterator[Row | Reject]:
        if self.workbook is not None:
            return self.workbook.rows()
        layout = layout or self.shape.layout
        if layout in {"csv", "tsv"}:
            return table_rows(self.intake)
        if layout == "jsonl" and not listing.path:
            return line_rows(self.intake)
        return document_rows(self.intake, listing.path)

    def close(self) -> None:
        if self.workbook is not None:
            self.workbook.close()
        self.intake.close()


@dataclass(frozen=True, slots=True)
class _Main:
    """A file whose rows are cases."""

    opened: _Opened
    listing: Listing


@dataclass(frozen=True, slots=True)
class _Companion:
    """A file whose rows complete cases."""

    opened: _Opened
    rule: JoinRule
    listing: Listing


class Export:
    """Cases and rejects of an opened export, to be iterated once.

    `format` is the name of the preset, of the layout or of the mapping; `source` names the cases;
    `total_bytes` is None when standard input is read; `bytes_read` grows while iterating (bytes as
    they lie on disk, compressed ones compressed).
    """

    def __init__(
        self,
        mapping: Mapping,
        mains: Sequence[_Main],
        companions: Sequence[_Companion],
        tally: Tally,
        *,
        format_name: str,
        source: str,
        fixed_source: bool,
        total_bytes: int | None,
    ) -> None:
        self.format, self.source, self.total_bytes = format_name, source, total_bytes
        self._mapping, self._mains, self._companions = mapping, mains, companions
        self._tally = tally
        self._fixed = source if fixed_source or "source" not in mapping.case else None
        self._left_over: tuple[str, ...] = ()

    @property
    def bytes_read(self) -> int:
        """Bytes read from the files so far."""
        return self._tally.bytes_read

    @property
    def mapping(self) -> str:
        """The mapping in use, as TOML."""
        return self._mapping.text

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how the files are read; may grow while iterating."""
        opened = self._opened()
        said = [note for each in opened for note in each.intake.notes()]
        said += [note for each in opened if each.workbook for note in each.workbook.notes()]
        return tuple(dict.fromkeys((*said, *self._date_notes(), *self._left_over)))

    def close(self) -> None:
        """Close all files; iterating to the end does it too."""
        for each in self._opened():
            each.close()

    def _opened(self) -> list[_Opened]:
        mains = [main.opened for main in self._mains]
        return mains + [companion.opened for companion in self._companions]

    def __iter__(self) -> Iterator[CaseRecord | Reject]:
        with ExitStack() as stack:
            stack.callback(self.close)
            if not self._companions:
                yield from self._cases(None)
                return
            joined = stack.enter_context(Joined())
            for companion in self._companions:
                rows = companion.opened.rows(companion.listing, None)
                yield from joined.take_in(companion.rule, rows)
            joined.finish()
            yield from self._cases(joined)
            self._left_over = joined.left_over()

    def _cases(self, joined: Joined | None) -> Iterator[CaseRecord | Reject]:
        for main in self._mains:
            assembler = Assembler(self._mapping, self._fixed, day_first=self._day_first(main))
            for row in main.opened.rows(main.listing, self._mapping.layout):
                if isinstance(row, Reject):
                    yield row
                    continue
                full = joined.completed(self._mapping.joins, row) if joined else row
                found = assembler.case(full)
                if found is not None:
                    yield found

    def _dates(self, main: _Main) -> list[object]:
        """The cells of the first rows in which the mapping looks for dates."""
        assembler = Assembler(self._mapping, None, day_first=False)
        choices = [self._mapping.case.get(name, ()) for name in ("opened_at", "closed_at")]
        names = {
            read[0] for choice in choices for expression in choice for read in expression.reads
        }
        rows = [assembler.prepared(dict(row)) for row in main.listing.rows]
        return [row[name] for row in rows for name in names if name in row]

    def _day_first(self, main: _Main) -> bool:
        return reads_day_first(self._dates(main))

    def _date_notes(self) -> Iterator[str]:
        if self._mapping.day_first is not None:
            return
        for main in self._mains:
            cells = [as_text(cell) for cell in self._dates(main)]
            if any(_SLASHED.match(cell) for cell in cells):
                order = "day first" if self._day_first(main) else "month first"
                yield f"{main.opened.intake.name}: dates such as {cells[0]} are read {order}"


def format_names() -> tuple[str, ...]:
    """All formats that can be named with --format: the presets, then the generic layouts."""
    return (*presets(), *LAYOUTS)


def open_export(
    paths: Sequence[ExportPath],
    *,
    format: str | None = None,
    mapping: Path | None = None,
    source: str | None = None,
) -> Export:
    """Open the files of one export; `-` is standard input.

    `format` overrides what their content looks like, `mapping` is a mapping file to use instead,
    `source` names the cases instead of the format's name (generic: the file's stem).
    Raises: UnreadableFile, UnknownFormat, BadMapping; BadValue for a format nobody knows.
    """
    _check_format(format)
    given = loaded_file(mapping) if mapping else None
    tally = Tally()
    opened: list[_Opened] = []
    try:
        opened.extend(_open(path, tally, given) for path in paths)
        chosen = _chosen(opened, format, given)
        mains, companions = _parts(opened, chosen, fixed=given is not None or format is not None)
    except BaseException:
        for each in opened:
            each.close()
        raise
    name = source or chosen.name
    label = (
        given.name if given else chosen.name if chosen.name in presets() else opened[0].shape.layout
    )
    return Export(
        chosen, mains, companions, tally, format_name=label, source=name,
        fixed_source=source is not None, total_bytes=_total(paths),
    )  # fmt: skip


def show_mapping(paths: Sequence[ExportPath], *, format: str | None = None) -> str:
    """The mapping that an import of these files would use, as TOML with comments.

    Raises: as `open_export`.
    """
    export = open_export(paths, format=format)
    export.close()
    return export.mapping


def _check_format(format: str | None) -> None:
    if format is not None and format not in format_names():
        reason = f"the formats are {', '.join(format_names())}"
        raise BadValue(name="--format", value=format, reason=reason)


def _total(paths: Sequence[ExportPath]) -> int | None:
    if STDIN in paths:
        return None
    return sum(path.stat().st_size for path in paths if isinstance(path, Path))


def _open(path: ExportPath, tally: Tally, given: Mapping | None) -> _Opened:
    intake = open_intake(path, tally, encoding=given.encoding if given else None)
    try:
        workbook = Workbook(intake) if intake.is_zip else None
        return _Opened(intake, shape_of(intake, workbook), workbook)
    except BaseException:
        intake.close()
        raise


def _chosen(opened: Sequence[_Opened], format: str | None, given: Mapping | None) -> Mapping:
    """The one mapping for all files."""
    if given is not None:
        return given
    if format is not None and format in presets():
        return presets()[format]
    if format is None:
        found = {
            each.intake.name: hit.mapping for each in opened if (hit := recognised(each.shape))
        }
        names = {found_mapping.name for found_mapping in found.values()}
        if len(names) > 1:
            said = ", ".join(f"{name} is {each.name}" for name, each in found.items())
            reason = f"the files are of several formats ({said}): import them one after another"
            raise UnknownFormat(path=opened[0].intake.name, reason=reason)
        if names:
            return next(iter(found.values()))
        _refuse_lone_companions(opened)
    return _guess(opened[0], format)


def _refuse_lone_companions(opened: Sequence[_Opened]) -> None:
    for each in opened:
        for preset in presets().values():
            join = join_for(preset, each.shape)
            if join is not None:
                what = (
                    f"it holds {join[0].into} of {preset.name}: give the tickets together with it"
                )
                raise UnknownFormat(path=each.intake.name, reason=what)


def _guess(opened: _Opened, layout: str | None) -> Mapping:
    listing = opened.shape.listings[0]
    text = guessed(listing, layout or opened.shape.layout, opened.intake.stem)
    if text is None:
        names = ", ".join(name[:_NAME_SHOWN] for name in listing.names[:12])
        reason = f"no column could be a title or a description: {names}"
        raise UnknownFormat(path=opened.intake.name, reason=reason)
    return loaded(text, f"guessed for {opened.intake.name}", name=opened.intake.stem)


def _parts(
    opened: Sequence[_Opened], mapping: Mapping, *, fixed: bool
) -> tuple[list[_Main], list[_Companion]]:
    """Which files hold cases and which complete them."""
    mains: list[_Main] = []
    companions: list[_Companion] = []
    for each in opened:
        hit = recognised(each.shape)
        join = join_for(mapping, each.shape)
        if (
            join is not None
            and (hit is None or hit.mapping.name != mapping.name)
            and len(opened) > 1
        ):
            companions.append(_Companion(each, *join))
        elif hit is not None and hit.mapping.name == mapping.name and mapping.items is None:
            mains.append(_Main(each, hit.listing))
        elif fixed or mapping.name not in presets():
            mains.append(_Main(each, listing_for(mapping, each.shape)))
        else:
            reason = f"it is neither {mapping.name} like the other files nor part of them"
            raise UnknownFormat(path=each.intake.name, reason=reason)
    if not mains:
        reason = "it only completes cases; give the file with the cases too"
        raise UnknownFormat(path=opened[0].intake.name, reason=reason)
    return mains, companions
