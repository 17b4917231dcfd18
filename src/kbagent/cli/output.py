"""Writing an answer: stdout is the answer, stderr everything else.

Ticket text is hostile: it may hold terminal escapes, markup, direction overrides or spreadsheet
formulas. It reaches a screen only through `visible`, a JSON text only through `to_json`, a CSV
cell only through `csv_cell`.
"""

import csv
import io
import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kbagent.cli.page import RenderableType, cell_len, colour_wanted, cut, draw

if TYPE_CHECKING:
    from rich.console import Console

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI … final byte
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC … BEL or ST
    r"|\x1b[P^_X][^\x1b]*(?:\x1b\\)?"  # DCS, PM, APC, SOS … ST
    r"|\x1b[ -/]*[0-~]?"  # any other escape
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NARROWEST, _WIDEST = 60, 120


def visible(text: str) -> str:
    """`text` without anything that a terminal would act upon; line breaks and tabs stay.

    >>> visible("a\\x1b[31mred\\x1b[0m\\x07 b")
    'ared b'
    """
    return _INVISIBLE.sub("", _CONTROLS.sub("", _ESCAPES.sub("", text)))


def one_line(text: str, limit: int | None = None) -> str:
    """`text` on one line, cut with … when it is wider than `limit` columns.

    >>> one_line("a long\\nstory", 8), one_line("印刷できません", 8)
    ('a long…', '印刷で…')
    """
    line = " ".join(visible(text).split())
    if limit is None:
        return line
    limit = max(1, limit)
    if line[: limit + 1].isascii():
        return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
    line = line[: 4 * limit]  # no more characters than this fit, marks on letters included
    if cell_len(line) <= limit:
        return line
    return cut(line, limit - 1).rstrip() + "…"


def to_json(value: Any, *, indent: int | None = 2) -> str:
    """`value` as JSON whose text a terminal cannot act upon either."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)
    text = re.sub(r"[\x7f-\x9f\ud800-\udfff]", _escape, text)
    return _INVISIBLE.sub(_escape, text)


def csv_cell(value: object) -> str:
    """A cell that a spreadsheet shows as text: what looks like a formula gets a leading '.

    >>> csv_cell("=HYPERLINK(1)"), csv_cell(0.5), csv_cell(None)
    ("'=HYPERLINK(1)", '0.5', '')
    """
    if value is None:
        return ""
    text = visible(_plain(value))
    if isinstance(value, str) and text.lstrip(" \n").startswith(_FORMULA):
        return "'" + text
    return text


def to_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A CSV text with a header line."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([csv_cell(value) for value in row] for row in rows)
    return buffer.getvalue()


def to_markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; pipes and HTML in ticket text stay text."""

    def cell(value: object) -> str:
        text = one_line("" if value is None else str(value))
        for sign, safe in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("[", "\\[")):
            text = text.replace(sign, safe)
        return text

    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def write(text: str) -> None:
    """An answer on stdout, ended by one line break; nothing at all for an empty one."""
    if not text:
        return
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def tell(message: str) -> None:
    """A message for the person at the terminal, on stderr."""
    sys.stderr.write(visible(message) + "\n")
    sys.stderr.flush()


def console() -> "Console":
    """A console on stderr for moving bars; it interprets no markup."""
    from rich.console import Console

    return Console(
        file=sys.stderr,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=False,
        width=screen_width(),
    )


def print_screen(screen: RenderableType) -> None:
    """A screen on stdout; colours only on a terminal, `NO_COLOR` is honoured."""
    write(draw(screen, screen_width(), colour=colour_wanted(terminal=sys.stdout.isatty())))


def screen_width() -> int:
    """Columns to draw in: those of the terminal within [60, 120], 80 when there is none."""
    import shutil

    columns = shutil.get_terminal_size((80, 24)).columns
    if "COLUMNS" not in os.environ and not sys.stdout.isatty():
        columns = 80
    return max(_NARROWEST, min(_WIDEST, columns))


def _plain(value: object) -> str:
    """Moments as the JSON contract has them, `2026-03-01T12:00:00Z`; all else as text."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


def _escape(match: "re.Match[str]") -> str:
    code = ord(match[0])
    if code > 0xFFFF:
        high, low = divmod(code - 0x10000, 0x400)
        return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
    return f"\\u{code:04x}"
