"""Copies of `kb.db`: consistent while others write, compressed, written whole or not at all.

A backup is the database itself, gzipped: any tool opens it. (zstd would be twice as fast, but is
one more dependency; vectors, most of the bytes, hardly compress.) Files hold tickets, so they are
their owner's alone (0600).
"""

import gzip
import os
import shutil
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, cast

from kbagent.errors import UnreadableFile
from kbagent.store.database import explained

SQLITE_MAGIC = b"SQLite format 3\0"
_GZIP_MAGIC = b"\x1f\x8b"
_LEVEL = 1  # of gzip: text shrinks by half, vectors hardly at any level
_BLOCK = 1 << 20  # bytes
_HEADER = 100  # bytes of a database before its first page's content
_BEYOND = 64 << 20  # bytes that a packed database may be longer than its header says


def copy_database(connection: sqlite3.Connection, target: Path) -> None:
    """One consistent state of the database as a new file, whatever others write meanwhile."""
    new_private_file(target)
    try:
        with closing(sqlite3.connect(target)) as copy:
            connection.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, no log beside it
    except sqlite3.Error as error:
        raise explained(error, target) from error


def new_private_file(path: Path) -> None:
    """An empty file of mode 0600, whatever the umask; a former one is gone.

    Raises:
        UnreadableFile: it cannot be made.
    """
    try:
        path.unlink(missing_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        path.chmod(0o600)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableFile(path=path, reason=reason, hint="Name another file.") from error


def pack(database: Path, target: Path) -> None:
    """`database` gzipped to `target`, which is replaced when the copy is whole and on disk."""
    with database.open("rb") as file:
        write_whole(target, iter(lambda: file.read(_BLOCK), b""), compressed=True)


def write_whole(target: Path, blocks: Iterable[bytes], *, compressed: bool) -> None:
    """Write `blocks` to `target` under another name, flush them, then give them the name.

    Raises:
        UnreadableFile: the disk refuses; nothing is left behind.
    """
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    new_private_file(unfinished)
    try:
        with unfinished.open("wb") as raw:
            if compressed:
                with gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed:
                    for block in blocks:
                        packed.write(block)
            else:
                raw.writelines(blocks)
            raw.flush()
            os.fsync(raw.fileno())
        unfinished.replace(target)
        flush_folder(target.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableFile(
            path=target, reason=reason, hint="Nothing was half-written; free some space."
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    """fsync a folder, where the platform can, so that a rename in it outlasts a power cut."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def opened_copy(path: Path) -> Iterator[IO[bytes]]:
    """A copy's bytes, unpacked when it is gzipped.

    Raises:
        UnreadableFile: it cannot be read, or is cut short or changed.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == _GZIP_MAGIC
        with gzip.open(path, "rb") if packed else path.open("rb") as stream:
            yield cast("IO[bytes]", stream)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableFile(
            path=path, reason=reason, hint="Nothing was changed. Use another backup."
        ) from error


def unpack(path: Path, target: Path) -> None:
    """The database in a backup as a new file, flushed to disk.

    A database says at its beginning how long it is: what is no database is refused before
    anything is written, and what unpacks to much more than it says before it fills the disk.

    Raises:
        UnreadableFile: the backup is broken, or holds no database, or the disk has no room.
    """
    new_private_file(target)
    with opened_copy(path) as stream, target.open("wb") as file:
        header = stream.read(_HEADER)
        if not header.startswith(SQLITE_MAGIC):
            raise UnreadableFile(
                path=path,
                reason="it holds no knowledge base",
                hint="Name a file that `kbagent backup` or `kbagent export kb` wrote.",
            )
        most = _declared_size(header) + _BEYOND
        if most - _BEYOND > shutil.disk_usage(target.parent).free:
            raise UnreadableFile(
                path=path,
                reason=f"it holds {(most - _BEYOND) >> 20:,} MiB, more than is free on the disk",
                hint="Nothing was changed. Free some space.",
            )
        file.write(header)
        while block := stream.read(_BLOCK):
            file.write(block)
            if file.tell() > most:
                raise UnreadableFile(
                    path=path,
                    reason="it unpacks to much more than the database that it begins with",
                    hint="Nothing was changed. Use another backup.",
                )
        file.flush()
        os.fsync(file.fileno())


def _declared_size(header: bytes) -> int:
    """Bytes of the database by its header (https://sqlite.org/fileformat.html, 1.3)."""
    page = int.from_bytes(header[16:18])
    return (65_536 if page == 1 else page) * int.from_bytes(header[28:32])


def problems(database: Path) -> str | None:
    """What is wrong inside a database file by SQLite's own checks; None when nothing is."""
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as copy:
            found = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
            orphan = copy.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as error:
        return str(error)
    if found != "ok":
        return str(found)
    return f"row {orphan[1]} of {orphan[0]} refers to nothing" if orphan else None
