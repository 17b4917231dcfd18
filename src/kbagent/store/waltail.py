"""Is SQLite's log (`kb.db-wal`), left behind by a crash, whole up to its last commit?

After a crash the next connection takes the log up to the first frame whose checksum is wrong and
forgets the rest without a word: right for a write that was under way, wrong for a bit that flipped.
So a log that nobody has written for a while is summed before SQLite opens it, which takes a few
milliseconds; while others write, there is nothing to tell.

Reads the log alone: to open and close the database or its `-shm` would drop the POSIX locks that
SQLite holds on them in this process. Does not repair: frames after a broken one are of no use.
Source: sqlite.org/walformat.html.
"""

import hashlib
import os
import struct
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Words: TypeAlias = npt.NDArray[np.uint32]

LOG = "-wal"
QUIET = 2.0  # seconds without a write, after which a log is taken to be left behind
_BLOCK = 1024  # frames that are summed together
_HEADING = struct.Struct(">III4x8s8x")  # magic, format, page size, …, salts, checksum
_SUMMED = 24  # bytes of the heading that its checksum is of
_FRAME = 24  # bytes before each page: page, pages after a commit or 0, salts, checksum
_ORDERS = {0x377F0682: "<u4", 0x377F0683: ">u4"}  # magic: byte order of the words that are summed


def breaks_off(database: Path) -> bool:
    """Whether a commit stands in the log behind, or in, a frame that is broken.

    False for a log that is whole, empty, missing or unreadable, whose end was being written when
    the process died, or that somebody has just written.
    """
    log = Path(f"{database}{LOG}")
    try:
        before = log.stat()
        if before.st_size <= _HEADING.size or 0 <= time.time() - before.st_mtime < QUIET:
            return False
        with log.open("rb") as file:
            broken = _has_commit_behind_break(file)
        return broken and log.stat().st_mtime_ns == before.st_mtime_ns
    except OSError:
        return False


def set_aside(database: Path) -> Path:
    """A copy of the log as it is; the same log has the same name, and is kept once.

    Raises:
        OSError: it cannot be read, or the copy cannot be written.
    """
    content = Path(f"{database}{LOG}").read_bytes()
    name = hashlib.blake2b(content, digest_size=4).hexdigest()
    kept = database.with_name(f"{database.name}.damaged-log-{name}")
    if not kept.exists():
        handle = os.open(kept, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
    return kept


def _has_commit_behind_break(file: BinaryIO) -> bool:
    import numpy as np

    heading = file.read(_HEADING.size)
    magic, _, page, salts = _HEADING.unpack(heading)
    order = _ORDERS.get(magic)
    if order is None or not 512 <= page <= 65536:
        return True  # SQLite takes nothing of it
    words = np.frombuffer(heading[:_SUMMED], order).astype(np.uint32)
    seed = np.frombuffer(heading[_SUMMED:], ">u4").astype(np.uint32)
    if (_sums(words[None], np.zeros((1, 2), np.uint32)) != seed).any():
        return True
    kind = np.dtype(
        [
            ("page", ">u4"),
            ("pages", ">u4"),
            ("salts", "V8"),
            ("sums", ">u4", 2),
            ("data", f"V{page}"),
        ]
    )
    whole = True
    while block := file.read(_BLOCK * kind.itemsize):
        block += bytes(-len(block) % kind.itemsize)  # a frame cut short is one whose sum is wrong
        frames = np.frombuffer(block, kind)
        ours = frames["salts"] == np.void(salts)
        good = 0
        if whole:
            fits = ours & (frames["page"] != 0) & _is_summed(frames, order, seed)
            whole = bool(fits.all())
            good = len(fits) if whole else int(fits.argmin())
            seed = frames["sums"][-1].astype(np.uint32)
        if (ours[good:] & (frames["pages"][good:] != 0)).any():
            return True
    return False


def _is_summed(frames: "npt.NDArray[Any]", order: str, seed: "Words") -> "npt.NDArray[np.bool_]":
    """Whether each frame's checksum follows from the one before it, the first from `seed`."""
    import numpy as np

    sums = frames["sums"].astype(np.uint32)
    raw = frames.view(np.uint8).reshape(len(frames), -1)
    summed = np.concatenate([raw[:, :8], raw[:, _FRAME:]], axis=1)
    words = np.ascontiguousarray(summed).view(order).astype(np.uint32, copy=False)
    expected = _sums(words, np.concatenate([seed[None], sums[:-1]]))
    fits: npt.NDArray[np.bool_] = (expected == sums).all(axis=1)
    return fits


def _sums(words: "Words", seeds: "Words") -> "Words":
    """SQLite's two running sums, modulo 2³², of each row of words, each begun at its seed.

    One word after the other, each new sum is the word and the two sums before it: so a word counts
    as often as the Fibonacci number of its distance from the end.
    """
    import numpy as np

    count = words.shape[1]
    weights = np.array(_fibonacci(count + 2), dtype=np.uint32)
    first = words @ weights[count - 1 :: -1][:count]
    second = words @ weights[count:0:-1]
    first = first + weights[count - 1] * seeds[:, 0] + weights[count] * seeds[:, 1]
    second = second + weights[count] * seeds[:, 0] + weights[count + 1] * seeds[:, 1]
    return np.stack([first, second], axis=1)


@cache
def _fibonacci(count: int) -> tuple[int, ...]:
    """The first Fibonacci numbers, from 0, modulo 2³²."""
    numbers = [0, 1]
    while len(numbers) < count:
        numbers.append((numbers[-1] + numbers[-2]) & 0xFFFFFFFF)
    return tuple(numbers)
