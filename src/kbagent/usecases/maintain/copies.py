"""Backups, and the way back from them.

A backup is made while others read and write, and is restored into a scratch folder before it
counts. A knowledge base that is restored is built beside its place, checked, and put there in one
step: into an empty folder by a rename, over one that is in use by one transaction of SQLite, over
a broken one after that was set aside. Interrupted, the folder holds what it held before.
"""

import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from kbagent.errors import Damaged, Locked, UnreadableFile, UsageError
from kbagent.store import copies, spool, transfer
from kbagent.store.database import Database, Notify, silent
from kbagent.store.knowledge_base import DATABASE_NAME, INDEX_NAME, Clock, KnowledgeBase, utc_now
from kbagent.store.migrations import SCHEMA_VERSION, migrate, schema_version
from kbagent.store.moments import to_text

_LOGS = ("-wal", "-shm")
_INDEX_MANIFESTS = ("*/manifest.json", "*/current.json", "*.json")  # of all that is in `index/`


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy that was made or restored: what is in it, and bytes on disk."""

    path: Path
    cases: int
    outcomes: int
    lookups: int
    size: int
    seconds: float
    vectors: bool = True
    kept: Path | None = None


def back_up(kb: KnowledgeBase, target: Path) -> Copied:
    """Write a compressed backup and restore it once, to see that it can be.

    Raises:
        UnreadableFile: it cannot be written.
        Damaged: what was written is not a sound knowledge base.
    """
    started = time.perf_counter()
    spool.absorb_if_free(kb.database, kb.folder)
    with _Scratch(target.parent) as folder:
        plain, again = folder / "copy.db", folder / "again.db"
        copies.copy_database(kb.connection, plain)
        copies.pack(plain, target)
        plain.unlink()
        copies.unpack(target, again)
        wrong = copies.problems(again)
        if wrong:
            raise Damaged(
                what=f"its backup {target} is not sound ({wrong})", hint="Run `kbagent doctor`."
            )
        return _described(again, target, started)


def export_lines(kb: KnowledgeBase, target: Path, *, vectors: bool = True) -> Copied:
    """Write the whole knowledge base as JSON lines, gzipped when the name ends in .gz."""
    started = time.perf_counter()
    spool.absorb_if_free(kb.database, kb.folder)
    with kb.database.read() as connection:
        lines = transfer.written_lines(connection, str(to_text(kb.clock())), vectors=vectors)
        copies.write_whole(target, lines, compressed=target.suffix == ".gz")
        return _figures(connection, target, started, vectors=vectors)


def restore(
    source: Path,
    folder: Path,
    *,
    force: bool = False,
    notify: Notify = silent,
    clock: Clock = utc_now,
) -> Copied:
    """Make `folder` the knowledge base that a backup or a file of JSON lines holds.

    With `force` one that is there is replaced; a copy of it stays beside it.

    Raises:
        UsageError: there is one already, and `force` was not said.
        UnreadableFile: the source cannot be read; nothing was changed.
        Damaged: what the source holds is not sound, or of a newer kbagent.
    """
    started = time.perf_counter()
    place = folder / DATABASE_NAME
    if place.exists() and not force:
        raise UsageError(
            what=f"{folder} holds a knowledge base already. Name another folder with --kb, or"
            " replace it with --force (a copy of it stays)."
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableFile(path=folder, reason=reason, hint="Choose another --kb.") from error
    with _Scratch(folder) as scratch:
        ready = scratch / DATABASE_NAME
        vectors = _build(source, ready, notify)
        kept = None
        _forget_indexes(folder)  # before: nothing that is found there is of what comes
        if place.exists():
            spool.set_aside(folder)
            kept = _put_in_place(ready, place, clock)
        else:
            _move(ready, place)
        _forget_indexes(folder)  # after: somebody may have extended one meanwhile
    with closing(sqlite3.connect(place)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    restored = _described(place, place, started)
    return replace(restored, path=folder, vectors=vectors, kept=kept)


def _build(source: Path, ready: Path, notify: Notify) -> bool:
    """The database of the source at the newest schema, checked; whether it has its vectors."""
    vectors = True
    with copies.opened_copy(source) as stream:
        first = stream.readline(transfer.LONGEST_HEADING)
        if first.startswith(b"{"):
            heading = _from_lines(first, _lines(stream, source), ready, str(source), notify)
            vectors = heading.vectors
    if not first.startswith(b"{"):
        copies.unpack(source, ready)
    wrong = copies.problems(ready)
    if wrong:
        raise Damaged(what=f"{source} is not sound ({wrong})", hint="Use another backup.")
    database = Database(ready, notify=notify)
    try:
        if schema_version(database.connection) == 0:
            raise Damaged(what=f"{source} holds no knowledge base", hint="Use another backup.")
        migrate(database)
        database.connection.execute("PRAGMA journal_mode = DELETE")
    finally:
        database.close()
    return vectors


def _from_lines(
    first: bytes, lines: Iterator[bytes], ready: Path, place: str, notify: Notify
) -> transfer.Heading:
    heading = transfer.read_heading(first, place)
    if heading.schema > SCHEMA_VERSION:
        raise Damaged(
            what=f"{place} is of schema {heading.schema}, this kbagent knows {SCHEMA_VERSION}",
            hint="Update kbagent.",
        )
    database = Database(ready, notify=notify)
    try:
        migrate(database, heading.schema)
        database.connection.execute("PRAGMA foreign_keys = OFF")
        with database.write() as connection:
            transfer.read_rows(connection, first, lines, place)
    finally:
        database.close()
    return heading


def _lines(stream: IO[bytes], source: Path) -> Iterator[bytes]:
    while line := stream.readline(transfer.LONGEST_LINE):
        if not line.endswith(b"\n"):
            raise UnreadableFile(
                path=source, reason="a line is cut short or too long", hint="Use another copy."
            )
        yield line


def _forget_indexes(folder: Path) -> None:
    """Indexes of the former knowledge base count no more: the same ids mean other rows now."""
    for pattern in _INDEX_MANIFESTS:
        for manifest in (folder / INDEX_NAME).glob(pattern):
            manifest.unlink(missing_ok=True)


def _move(ready: Path, place: Path) -> None:
    """Into an empty place by a rename; logs of a former database there would be replayed."""
    for suffix in _LOGS:
        place.with_name(place.name + suffix).unlink(missing_ok=True)
    with ready.open("rb") as file:
        os.fsync(file.fileno())
    ready.replace(place)
    copies.flush_folder(place.parent)


def _put_in_place(ready: Path, place: Path, clock: Clock) -> Path:
    """Over a knowledge base that is there; where the former one is kept."""
    stamp = f"{clock():%Y%m%d-%H%M%S}"
    try:
        return _overwrite(ready, place, stamp)
    except (Damaged, sqlite3.DatabaseError):
        aside = place.with_name(f"{place.name}.damaged-{stamp}")
        place.rename(aside)
        for suffix in _LOGS:
            log = place.with_name(place.name + suffix)
            if log.exists():
                log.rename(aside.with_name(aside.name + suffix))
        _move(ready, place)
        return aside


def _overwrite(ready: Path, place: Path, stamp: str) -> Path:
    """One transaction that replaces every page; who has it open sees the new one from then on."""
    database = Database(place)
    try:
        kept = place.with_name(f"{place.name}.replaced-{stamp}")
        copies.copy_database(database.connection, kept)
        deadline = time.monotonic() + database.lock_timeout

        def waited(_status: int, _remaining: int, _total: int) -> None:
            if time.monotonic() > deadline:
                raise Locked(path=place, seconds=f"{database.lock_timeout:g}")

        with closing(sqlite3.connect(ready)) as source:
            source.backup(database.connection, progress=waited, sleep=0.05)
    finally:
        database.close()
    return kept


class _Scratch:
    """A folder of our own (0700) on the same file system, gone afterwards."""

    def __init__(self, beside: Path) -> None:
        self._beside = beside

    def __enter__(self) -> Path:
        try:
            self._folder = tempfile.TemporaryDirectory(prefix=".kbagent-", dir=self._beside)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UnreadableFile(
                path=self._beside, reason=reason, hint="Name a folder that can be written."
            ) from error
        return Path(self._folder.name)

    def __exit__(self, *_exception: object) -> None:
        self._folder.cleanup()


def _described(database: Path, path: Path, started: float) -> Copied:
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as copy:
            return _figures(copy, path, started)
    except sqlite3.Error as error:
        raise Damaged(what=f"{database}: {error}", hint="Use another backup.") from error


def _figures(
    connection: sqlite3.Connection, path: Path, started: float, *, vectors: bool = True
) -> Copied:
    cases, outcomes, lookups = (
        int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        for table in ("cases", "outcomes", "lookups")
    )
    size = path.stat().st_size
    seconds = time.perf_counter() - started
    return Copied(path, cases, outcomes, lookups, size, seconds, vectors=vectors)
