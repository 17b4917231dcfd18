"""One file of an export as a stream of UTF-8 bytes: opened, counted, unpacked, decoded.

Does not look at what the text means. Compressed bytes are counted as they are read, for a
progress bar. Whatever encoding the file has, readers see UTF-8 without BOM and NUL.
"""

import gzip
import io
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from kbagent.errors import UnreadableFile
from kbagent.store.readers import limits
from kbagent.store.readers.encoding import Encoding, Transcoder, detect

STDIN: Literal["-"] = "-"
_CHUNK = 1 << 16


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes | None: ...


@dataclass(slots=True)
class Tally:
    """Bytes read so far from all files of an export, compressed ones as they lie on disk."""

    bytes_read: int = 0


class DamagedStream(Exception):
    """The bytes of a file end early or contradict themselves; the text says how."""


class _Counted(io.RawIOBase):
    def __init__(self, raw: _Readable, tally: Tally) -> None:
        self._raw, self._tally = raw, tally

    def readable(self) -> bool:
        return True

    def readinto(self, target: object) -> int:
        view = memoryview(target)  # type: ignore[arg-type]
        data = self._raw.read(len(view)) or b""
        view[: len(data)] = data
        self._tally.bytes_read += len(data)
        return len(data)


class _Again(io.RawIOBase):
    """Gives back what was read ahead, then the rest."""

    def __init__(self, head: bytes, rest: _Readable) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, target: object) -> int:
        view = memoryview(target)  # type: ignore[arg-type]
        if self._head:
            data, self._head = self._head[: len(view)], self._head[len(view) :]
        else:
            data = self._rest.read(len(view)) or b""
        view[: len(data)] = data
        return len(data)


class _Unpacked(io.RawIOBase):
    """Gunzips, and refuses what grows beyond any text (a bomb)."""

    def __init__(self, packed: "io.BufferedReader[_Again]", read_so_far: Callable[[], int]) -> None:
        self._file = gzip.GzipFile(fileobj=packed, mode="rb")
        self._read_so_far, self._start = read_so_far, read_so_far()
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, target: object) -> int:
        view = memoryview(target)  # type: ignore[arg-type]
        try:
            data = self._file.read1(len(view))
        except (EOFError, OSError, zlib.error) as error:
            raise DamagedStream(f"the gzip data is damaged ({error})") from error
        self._given += len(data)
        packed = max(1, self._read_so_far() - self._start + _CHUNK)
        if self._given > limits.GZIP_FREE_BYTES and self._given / packed > limits.GZIP_RATIO:
            raise DamagedStream(f"it unpacks to more than {limits.GZIP_RATIO} times its size")
        view[: len(data)] = data
        return len(data)


@dataclass(slots=True)
class Intake:
    """One opened file. `stream` gives UTF-8 text (`is_zip`: the raw bytes of a ZIP file).

    `head` are the first bytes of `stream`, which gives them again.
    """

    name: str
    stem: str
    is_zip: bool
    head: bytes
    stream: "io.BufferedReader[_Again]"
    encoding: Encoding
    whole: bool  # head is all there is
    transcoder: Transcoder | None = None
    _closing: list[Callable[[], None]] = field(default_factory=list)

    def notes(self) -> tuple[str, ...]:
        """What the user should know about how the bytes were read."""
        said = [self.encoding.note] if self.encoding.note else []
        if self.transcoder is not None:
            said.extend(self.transcoder.notes())
        return tuple(f"{self.name}: {note}" for note in said)

    def close(self) -> None:
        """Close the file (standard input stays open)."""
        for close in self._closing:
            close()


def open_intake(path: Path | Literal["-"], tally: Tally, *, encoding: str | None = None) -> Intake:
    """Open one file, or standard input for `-`.

    `encoding` overrides what the bytes look like. Raises: UnreadableFile when there is no such
    file, it may not be read, is empty, or is neither text nor a workbook.
    """
    name, stem, raw = _named(path)
    counted = _Counted(raw, tally)
    try:
        head = read_up_to(counted, _CHUNK)
        again: _Readable = _Again(head, counted)
        if head.startswith(b"\x1f\x8b"):
            packed = io.BufferedReader(_Again(b"", again), _CHUNK)
            again = _Unpacked(packed, lambda: tally.bytes_read)
        head = read_up_to(again, limits.HEAD_BYTES)
    except (OSError, DamagedStream) as error:
        raise UnreadableFile(path=name, reason=str(error), hint="Is the file complete?") from error
    closing = [] if path == STDIN else [raw.close]
    whole = len(head) < limits.HEAD_BYTES
    plain = _Again(head, again)
    if head.startswith(b"PK\x03\x04"):
        found = Encoding("utf-8", None)
        stream = io.BufferedReader(plain, _CHUNK)
        return Intake(name, stem, True, head, stream, found, whole, None, closing)
    found = Encoding(encoding, None) if encoding else detect(head, name, whole=whole)
    transcoder = Transcoder(plain, found.codec)
    text = read_up_to(transcoder, limits.HEAD_BYTES)
    stream = io.BufferedReader(_Again(text, transcoder), _CHUNK)
    return Intake(name, stem, False, text, stream, found, whole, transcoder, closing)


def _named(path: Path | Literal["-"]) -> tuple[str, str, BinaryIO]:
    if path == STDIN:
        return "standard input", "stdin", sys.stdin.buffer
    hint = "Check the path and who may read it."
    try:
        return path.name, stem_of(path), path.open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableFile(path=path, reason=reason, hint=hint) from error


def stem_of(path: Path) -> str:
    """The file's name without what only says how it is written, fit to name a source.

    >>> stem_of(Path("exports/Old tickets.csv.gz"))
    'Old-tickets'
    """
    name = path.name.removesuffix(".gz").removesuffix(".GZ")
    stem = Path(name).stem if "." in name.strip(".") else name
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in stem) or "file"


def read_up_to(raw: _Readable, size: int) -> bytes:
    """The first `size` bytes, fewer only at the end (pipes give them bit by bit).

    Damage after the first bytes is left to whoever reads on: what comes before it is good.
    """
    parts: list[bytes] = []
    while size > 0:
        try:
            part = raw.read(size)
        except DamagedStream:
            if parts:
                break
            raise
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
