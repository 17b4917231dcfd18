"""What SQLite's log held before SQLite read it, and whether all of it came back.

After a crash the next connection reads the log (`kb.db-wal`) up to the first frame whose checksum
is wrong, and forgets the rest without a word: right for a write that was under way, wrong for a bit
that flipped. How many frames were committed is told by the index beside it (`kb.db-shm`), which
SQLite brings up to date at each commit, or, when that is not there, by the commit marks in the log.

Does not repair: frames after a broken one are of no use. Source: sqlite.org/walformat.html.
"""

import os
import struct
from dataclasses import dataclass, replace
from pathlib import Path

LOG, INDEX = "-wal", "-shm"
_LOG_HEADER = struct.Struct(">II8x8sII")  # magic, format, …, salts, checksum
_FRAME = struct.Struct(">4xI8s8x")  # pages after a commit or 0, salts
_INDEX_HEADER = struct.Struct("=I8xB3xI12x8s8x")  # format, is set, last frame, salts
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}  # byte order of the words that are summed
_FORMAT = 3_007_000


@dataclass(frozen=True, slots=True)
class Tail:
    """The number of the last frame of the log that was committed; its salts name the log.

    `readable` is false when the log's own heading is damaged: SQLite then takes none of it.
    """

    frames: int
    salts: bytes
    readable: bool = True


def tail_before(database: Path) -> Tail | None:
    """What the log holds that no connection of ours has read yet; None when it holds nothing."""
    log = Path(f"{database}{LOG}")
    try:
        if log.stat().st_size <= _LOG_HEADER.size:
            return None
        heading = _heading(log)
        told = _told_by_index(database) or _told_by_marks(log, _page_size(database))
    except (OSError, struct.error):
        return None
    if heading is not None and told.salts != heading:  # the index is of an earlier log
        told = _told_by_marks(log, _page_size(database))
    return replace(told, readable=heading is not None)


def lost_frames(before: Tail | None, database: Path) -> int:
    """How many committed frames SQLite did not take over; 0 when none, or another log began."""
    if before is None:
        return 0
    now = _told_by_index(database) or Tail(0, before.salts)
    same = now.salts == before.salts or not before.readable
    return max(0, before.frames - now.frames) if same else 0


def set_aside(database: Path, stamp: str) -> Path:
    """A copy of the log as it is, under a name that says what it is."""
    kept = database.with_name(f"{database.name}.damaged-log-{stamp}")
    handle = os.open(kept, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(Path(f"{database}{LOG}").read_bytes())
    return kept


def _told_by_index(database: Path) -> Tail | None:
    """By the index, when SQLite has set it; one that is damaged says nothing."""
    size = _INDEX_HEADER.size
    try:
        with Path(f"{database}{INDEX}").open("rb") as file:
            head = file.read(2 * size)
    except OSError:
        return None
    if len(head) < 2 * size or head[:size] != head[size:]:  # it is kept twice
        return None
    version, is_set, frames, salts = _INDEX_HEADER.unpack(head[:size])
    return Tail(frames, salts) if version == _FORMAT and is_set else None


def _told_by_marks(log: Path, page: int) -> Tail:
    """By the frames that bear the salts of the first and the mark of a commit."""
    with log.open("rb") as file:
        file.seek(_LOG_HEADER.size)
        number = last = 0
        salts = b""
        while len(head := file.read(_FRAME.size)) == _FRAME.size:
            number += 1
            pages, own = _FRAME.unpack(head)
            salts = salts or own
            if pages and own == salts:
                last = number
            file.seek(page, os.SEEK_CUR)
    return Tail(last, salts)


def _heading(log: Path) -> bytes | None:
    """The salts that the log's heading names; None when it is damaged."""
    with log.open("rb") as file:
        head = file.read(_LOG_HEADER.size)
    magic, version, salts, *checksum = _LOG_HEADER.unpack(head)
    if magic not in _MAGIC or version != _FORMAT:
        return None
    words = struct.unpack(f"{_MAGIC[magic]}6I", head[:24])
    first = second = 0
    for i in range(0, len(words), 2):
        first = (first + words[i] + second) & 0xFFFFFFFF
        second = (second + words[i + 1] + first) & 0xFFFFFFFF
    return bytes(salts) if checksum == [first, second] else None


def _page_size(database: Path) -> int:
    with database.open("rb") as file:
        file.seek(16)
        (size,) = struct.unpack(">H", file.read(2))
    return 65536 if size == 1 else int(size)
