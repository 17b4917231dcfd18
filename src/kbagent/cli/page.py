"""A page: styled lines of text, wrapped to a width in terminal cells.

What the screens are made of. It draws words, colours and indents, and no more: loading a library
for it (rich: 80 ms) would take longer than looking a case up. Knows nothing of markup: text is
only ever text.

Cell widths are those of Unicode's East Asian Width (UAX #11): wide and full-width characters take
two cells, combining and invisible ones none.
"""

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_RESET = "\x1b[0m"
_WORD = re.compile(r"\s*\S+\s*")
_TAB = 8  # cells
_FIRST_ODD = "\u0300"  # below it every printable character takes one cell

Run = tuple[str, str]
"""(text, style); a style is names of `_CODES`, separated by blanks."""


def cell_len(text: str) -> int:
    """The terminal cells that a text takes on one line.

    >>> cell_len("abc"), cell_len("印刷"), cell_len("e\\u0301")
    (3, 4, 1)
    """
    if text.isascii():
        return len(text)
    return sum(map(_width, text))


def cut(text: str, cells: int) -> str:
    """The longest beginning of a text that fits into so many cells.

    >>> cut("印刷できません", 5)
    '印刷'
    """
    used = 0
    for place, sign in enumerate(text):
        used += _width(sign)
        if used > cells:
            return text[:place]
    return text


class Text:
    """Words with styles; `style` is that of all of them."""

    def __init__(self, plain: str = "", style: str = "") -> None:
        self._style = style
        self._runs: list[Run] = []
        self.append(plain)

    def append(self, text: str, style: str = "") -> "Text":
        """Add words at the end."""
        if text:
            own = f"{self._style} {style}".strip()
            self._runs.append((text.expandtabs(_TAB), own))
        return self

    @property
    def plain(self) -> str:
        """The words alone."""
        return "".join(text for text, _ in self._runs)

    @property
    def cell_len(self) -> int:
        """The terminal cells it takes on one line."""
        return cell_len(self.plain)

    @staticmethod
    def assemble(*parts: "str | Text") -> "Text":
        """Several pieces of text on one line."""
        whole = Text()
        for part in parts:
            if isinstance(part, Text):
                whole._runs.extend(part._runs)
            else:
                whole.append(part)
        return whole

    def lines(self, width: int) -> Iterator[list[Run]]:
        """The text wrapped between words; a word that is too long is folded."""
        plain = self.plain
        at = 0
        for line in plain.split("\n"):
            for start, end in _wrapped(line, max(1, width)):
                yield _between(self._runs, at + start, at + end)
            at += len(line) + 1


@dataclass(frozen=True, slots=True)
class Padding:
    """A part indented; `pad` is (top, right, bottom, left) in cells."""

    part: "RenderableType"
    pad: tuple[int, int, int, int]

    def lines(self, width: int) -> Iterator[list[Run]]:
        """The part's lines behind blanks."""
        top, right, bottom, left = self.pad
        yield from ([] for _ in range(top))
        for line in self.part.lines(width - left - right):
            yield [(" " * left, ""), *line]
        yield from ([] for _ in range(bottom))


class Group:
    """Parts below one another."""

    def __init__(self, *parts: "RenderableType") -> None:
        self.parts = parts

    def lines(self, width: int) -> Iterator[list[Run]]:
        """The lines of each part in turn."""
        for part in self.parts:
            yield from part.lines(width)


@dataclass(frozen=True, slots=True)
class Item:
    """A named line whose further lines stand under its text; `cells` is the room for the name."""

    name: str
    text: str
    cells: int
    style: str = field(default="")

    def lines(self, width: int) -> Iterator[list[Run]]:
        """The first line behind the name, the others behind as many blanks."""
        head = cut(self.name, self.cells)
        head += " " * (self.cells - cell_len(head))
        for line in Text(self.text, self.style).lines(width - self.cells):
            yield [(head, self.style), *line]
            head = " " * self.cells


@dataclass(frozen=True, slots=True)
class Row:
    """Things in a row, a comma between two; a line ends between them, never within one that fits.

    >>> draw(Row(("one 1", "two 2", "three 3")), 14)
    'one 1, two 2,\\nthree 3'
    """

    things: tuple[str, ...]
    style: str = field(default="")

    def lines(self, width: int) -> Iterator[list[Run]]:
        """As many things on a line as fit."""
        line = ""
        for place, thing in enumerate(self.things):
            told = thing + "," * (place < len(self.things) - 1)
            longer = f"{line} {told}" if line else told
            if line and cell_len(longer) > width:
                yield from Text(line, self.style).lines(width)
                longer = told
            line = longer
        yield from Text(line, self.style).lines(width)


RenderableType = Text | Padding | Group | Item | Row


def draw(part: RenderableType, width: int, *, colour: bool = False) -> str:
    """A page as text; no line ends in blanks, which are in the way when it is copied.

    >>> draw(Group(Text("one two three"), Padding(Text("four"), (0, 0, 0, 2))), 8)
    'one two\\nthree\\n  four'
    """
    return "\n".join(_drawn(line, colour=colour) for line in part.lines(width))


def colour_wanted(*, terminal: bool) -> bool:
    """Whether to colour: on a terminal that can, unless `NO_COLOR` or `TERM=dumb` says not to."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    if not terminal or os.environ.get("TERM") == "dumb":
        return False
    if os.name == "nt":
        os.system("")  # noqa: S605, S607 -- documented way to let the Windows console read colours
    return True


def _width(sign: str) -> int:
    if sign < _FIRST_ODD:
        return 1
    if unicodedata.category(sign) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def _wrapped(line: str, width: int) -> Iterator[tuple[int, int]]:
    """(start, end) of each line that `line` is broken into."""
    if cell_len(line) <= width:
        yield 0, len(line)
        return
    start = used = 0
    for match in _WORD.finditer(line):
        word = match[0]
        if used + cell_len(word.rstrip()) > width and used:
            yield start, match.start()
            start, used = match.start(), 0
        while cell_len(word.rstrip()) > width:
            folded = cut(word, width) or word[0]
            yield start, start + len(folded)
            start += len(folded)
            word = word[len(folded) :]
        used += cell_len(word)
    if start < len(line.rstrip()) or not start:
        yield start, len(line)


def _between(runs: Sequence[Run], start: int, end: int) -> list[Run]:
    """The runs of the characters from `start` to `end`."""
    found: list[Run] = []
    at = 0
    for text, style in runs:
        piece = text[max(0, start - at) : max(0, end - at)]
        if piece:
            found.append((piece, style))
        at += len(text)
    return found


def _drawn(line: Sequence[Run], *, colour: bool) -> str:
    if not colour:
        return "".join(text for text, _ in line).rstrip(" ")
    shown = list(line)
    while shown and not shown[-1][0].rstrip(" "):
        shown.pop()
    if shown:
        shown[-1] = (shown[-1][0].rstrip(" "), shown[-1][1])
    return "".join(_coloured(text, style) for text, style in shown)


def _coloured(text: str, style: str) -> str:
    codes = ";".join(_CODES[name] for name in style.split())
    return f"\x1b[{codes}m{text}{_RESET}" if codes else text
