"""Items of JSON documents of any size, and of JSON lines, one at a time in bounded memory.

An item's bytes are found by walking strings and brackets (RFC 8259) and then parsed by `json`:
so a broken or oversized item is one reject, and the next one is read. Does not use a streaming
parser, which would end at the first mistake and hold a string of any length.
"""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kbagent.model.case import Reject
from kbagent.store.readers import limits
from kbagent.store.readers.intake import DamagedStream, Intake
from kbagent.store.readers.rows import Row, rejected

Path = tuple[str, ...]

_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRUCTURE = re.compile(rb'["{}\[\]]')
_IN_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_SCALAR = re.compile(rb"[^ \t\r\n,\]}\[{:\"]*+")
_CHUNK = 1 << 16


class Malformed(Exception):
    """The bytes are no JSON beyond repair."""


@dataclass(frozen=True, slots=True)
class Item:
    """The bytes of one JSON value (None when too long or too deep, see `fault`)."""

    data: bytes | None
    line: int
    fault: str = ""


class Cursor:
    """Walks over JSON values in a stream of bytes."""

    def __init__(self, stream: "io.BufferedReader[Any] | io.BytesIO") -> None:
        self._stream, self._buffer, self._at = stream, b"", 0
        self.line = 1

    def peek(self) -> bytes:
        """The next byte that is no white space; empty at the end."""
        while True:
            self._advance(_SPACE.match(self._buffer, self._at).end())  # type: ignore[union-attr]
            if self._at < len(self._buffer):
                return self._buffer[self._at : self._at + 1]
            if not self._refill():
                return b""

    def skip(self, byte: bytes) -> bool:
        """Step over one byte if it is next."""
        if self.peek() != byte:
            return False
        self._advance(self._at + 1)
        return True

    def value(self) -> Item:
        """Step over one value and return it."""
        first, line = self.peek(), self.line
        if first in {b"{", b"[", b'"'}:
            return self._composite(line)
        kept = bytearray()
        while True:
            end = _SCALAR.match(self._buffer, self._at).end()  # type: ignore[union-attr]
            if len(kept) < limits.ROW_BYTES:
                kept += self._buffer[self._at : end]
            self._advance(end)
            if self._at < len(self._buffer) or not self._refill():
                break
        if not kept:
            raise Malformed(f"unexpected {first.decode('ascii', 'replace') or 'end of file'!r}")
        return Item(bytes(kept), line)

    def _composite(self, line: int) -> Item:
        kept = bytearray()
        depth = deepest = 0
        in_string = escaped = False
        while True:
            start = at = self._at
            buffer = self._buffer
            done = False
            while at < len(buffer) and not done:
                if escaped:
                    at, escaped = at + 1, False
                elif in_string:
                    at = _IN_STRING.match(buffer, at).end()  # type: ignore[union-attr]
                    if at < len(buffer):
                        in_string, escaped = buffer[at] == 0x5C, buffer[at] == 0x5C
                        at, done = at + 1, not in_string and depth == 0
                else:
                    found = _STRUCTURE.search(buffer, at)
                    at = found.end() if found else len(buffer)
                    mark = found.group() if found else b""
                    in_string = mark == b'"'
                    depth += (mark in {b"{", b"["}) - (mark in {b"}", b"]"})
                    deepest = max(deepest, depth)
                    done = bool(found) and depth == 0 and not in_string
            if len(kept) <= limits.ROW_BYTES:
                kept += buffer[start:at]
            self._advance(at)
            if done:
                break
            if not self._refill():
                raise Malformed("the file ends within a value")
        return _judged(bytes(kept), line, deepest)

    def _advance(self, to: int) -> None:
        self.line += self._buffer.count(b"\n", self._at, to)
        self._at = to

    def _refill(self) -> bool:
        data = self._stream.read1(_CHUNK)
        self._buffer, self._at = self._buffer[self._at :] + data, 0
        return bool(data)


def _judged(data: bytes, line: int, deepest: int) -> Item:
    if len(data) > limits.ROW_BYTES:
        return Item(None, line, f"longer than {limits.ROW_BYTES} bytes")
    if deepest > limits.NESTING:
        return Item(None, line, f"nested more than {limits.NESTING} levels deep")
    return Item(data, line)


def _walk(cursor: Cursor, path: Path) -> Iterator[Item]:
    """The items of the list at `path`; the value itself when it is no list."""
    if path and cursor.peek() == b"{":
        yield from _walk_object(cursor, path)
    elif path:
        cursor.value()
    elif cursor.skip(b"["):
        while not cursor.skip(b"]"):
            yield cursor.value()
            if not cursor.skip(b",") and cursor.peek() != b"]":
                raise Malformed("a comma is missing between two items")
    else:
        yield cursor.value()


def _walk_object(cursor: Cursor, path: Path) -> Iterator[Item]:
    cursor.skip(b"{")
    while not cursor.skip(b"}"):
        key = parsed(cursor.value())
        if not cursor.skip(b":"):
            raise Malformed("a colon is missing after a name")
        if key == path[0]:
            yield from _walk(cursor, path[1:])
        else:
            cursor.value()
        if not cursor.skip(b",") and cursor.peek() != b"}":
            raise Malformed("a comma is missing between two members")


def items(stream: "io.BufferedReader[Any] | io.BytesIO", path: Path) -> Iterator[Item]:
    """The items of every list at `path` in one or several documents after each other.

    The empty path means the document itself: the items of its list, or the one object it is.
    Raises: Malformed, DamagedStream after the last item that could be found.
    """
    cursor = Cursor(stream)
    while cursor.peek():
        yield from _walk(cursor, path)
        cursor.skip(b",")


def parsed(item: Item) -> object:
    """The value of an item.

    Raises: ValueError with a reason when it is no JSON, too long or too deep.
    """
    if item.data is None:
        raise ValueError(item.fault)
    value: object = json.loads(item.data)
    return value


def document_rows(intake: Intake, path: Path) -> Iterator[Row | Reject]:
    """The objects in the list at `path` of a JSON document."""
    name, line = intake.name, 1
    try:
        for item in items(intake.stream, path):
            line = item.line
            yield _row(item, f"{name} line {line}")
    except (Malformed, DamagedStream) as error:
        place = f"{name} after line {line}"
        yield rejected(place, "file", f"{error}; nothing after it was read", "")


def line_rows(intake: Intake) -> Iterator[Row | Reject]:
    """The objects of a file with one JSON object a line."""
    number = 0
    while True:
        number += 1
        place = f"{intake.name} line {number}"
        try:
            line = intake.stream.readline(limits.ROW_BYTES + 1)
            if len(line) > limits.ROW_BYTES and not line.endswith(b"\n"):
                _skip_line(intake.stream)
                yield rejected(place, "row", f"longer than {limits.ROW_BYTES} bytes", "")
                continue
        except DamagedStream as error:
            yield rejected(place, "file", f"{error}; nothing after this line was read", "")
            return
        if not line:
            return
        if line.strip():
            yield _row(line_item(line, number), place)


def line_item(line: bytes, number: int) -> Item:
    """One line as an item, with a fault when it is too long or too deep."""
    return _judged(line, number, _depth(line))


def _depth(line: bytes) -> int:
    """How deep one line is nested; 0 when it has too few brackets to matter."""
    if line.count(b"{") + line.count(b"[") <= limits.NESTING:
        return 0
    depth = deepest = 0
    at = 0
    while (found := _STRUCTURE.search(line, at)) is not None:
        at = found.end()
        mark = found.group()
        if mark == b'"':
            at = min(_IN_STRING.match(line, at).end() + 1, len(line))  # type: ignore[union-attr]
        else:
            depth += 1 if mark in {b"{", b"["} else -1
            deepest = max(deepest, depth)
    return deepest


def _skip_line(stream: "io.BufferedReader[Any]") -> None:
    while True:
        rest = stream.readline(1 << 20)
        if not rest or rest.endswith(b"\n"):
            return


def _row(item: Item, place: str) -> Row | Reject:
    shown = (item.data or b"").decode("utf-8", "replace")
    try:
        value = parsed(item)
    except (ValueError, RecursionError) as error:
        return rejected(
            place, "row", f"no valid JSON ({error})" if item.data else str(error), shown
        )
    if not isinstance(value, dict):
        return rejected(place, "row", "not an object with named fields", shown)
    return Row(value, place)
