"""The connection to `kb.db`: pragmas, transactions and waiting for other writers.

SQLite runs in WAL mode: readers are never blocked, one process writes at a time in short
transactions. Whoever has to wait is told so after a second and gets `Locked` (exit 5) when the
stated timeout has passed. The hot path uses the standard library's sqlite3; sqlite-utils (which
takes half a second to import) is loaded only when the schema has to change.
"""

import math
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kbagent.errors import BadValue, Damaged, Locked, UnreadableFile
from kbagent.store import waltail

Notify = Callable[[str], None]

LOCK_TIMEOUT = 30.0  # seconds; `KBAGENT_LOCK_TIMEOUT` overrides
_PATIENCE = 1.0  # seconds of silent waiting before the user is told
_PAUSE = 0.02  # seconds between two tries for the write lock
_READ_TIMEOUT_MS = 5000  # WAL readers wait only while another process recovers or resets the log
_CACHE_KIB = 32_768


def silent(_message: str) -> None:
    """A `Notify` that tells nobody."""


class Database:
    """One connection to a knowledge base's SQLite file."""

    def __init__(self, path: Path, *, notify: Notify = silent) -> None:
        self.path = path
        self.notify = notify
        self.lock_timeout = _lock_timeout()
        self.read_only = False
        self._unwritable = ("it is read-only", "The folder must be writable.")
        if waltail.breaks_off(path):
            self._tell_of_loss()
        try:
            self.connection = _connect(path)
        except sqlite3.OperationalError as error:
            if not (_is_read_only(error) or _has_no_room(error)):
                raise explained(error, path) from error
            self.connection = _connect_reading(path)
            self.read_only = True
            if _has_no_room(error):
                self._unwritable = ("the disk is full", "Free some space and try again.")
        except sqlite3.Error as error:
            raise explained(error, path) from error

    def _tell_of_loss(self) -> None:
        """SQLite will take only a part of its log: keep all of it, and say so."""
        try:
            kept = waltail.set_aside(self.path)
            where = f"it is kept as {kept.name}"
        except OSError as error:
            where = f"it could not be kept ({error.strerror})"
        self.notify(
            f"SQLite's log {self.path.name}-wal breaks off before its end; {where}. What was "
            "written last before the crash may be lost: run `kbagent doctor`, check that your "
            "latest feedback and imports are there, and repeat what is missing."
        )

    def close(self) -> None:
        """Close the connection; pending work is rolled back."""
        self.connection.close()

    @contextmanager
    def write(self, *, timeout: float | None = None) -> Iterator[sqlite3.Connection]:
        """One write transaction: all of it is committed and on disk, or nothing.

        Nested use joins the transaction that is open. `timeout` (seconds) overrides the stated
        one. Raises `Locked` when another process keeps the write lock for longer, `Damaged` when
        the file is no database any more, `UnreadableFile` when the disk refuses to write.
        """
        if self.connection.in_transaction:
            yield self.connection
            return
        if self.read_only:
            reason, hint = self._unwritable
            raise UnreadableFile(path=self.path, reason=reason, hint=hint)
        self._begin(self.lock_timeout if timeout is None else timeout)
        try:
            yield self.connection
        except sqlite3.Error as error:
            self._roll_back()
            raise explained(error, self.path) from error
        except BaseException:
            self._roll_back()
            raise
        try:
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise explained(error, self.path) from error

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One consistent view of the database, whatever others write meanwhile."""
        if self.connection.in_transaction:
            yield self.connection
            return
        try:
            self.connection.execute("BEGIN")
            yield self.connection
        except sqlite3.Error as error:
            raise explained(error, self.path) from error
        finally:
            self._roll_back()

    def _begin(self, timeout: float) -> None:
        """Take the write lock, waiting in steps of our own so that the user can be told."""
        self.connection.execute("PRAGMA busy_timeout = 0")
        try:
            self._take_lock(timeout)
        finally:
            self.connection.execute(f"PRAGMA busy_timeout = {_READ_TIMEOUT_MS}")

    def _take_lock(self, timeout: float) -> None:
        start = time.monotonic()
        told = False
        while True:
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if not _is_busy(error):
                    raise explained(error, self.path) from error
            waited = time.monotonic() - start
            if waited > timeout:
                raise Locked(path=self.path, seconds=f"{timeout:g}")
            if waited > _PATIENCE and not told:
                self.notify("waiting for another kbagent process to finish writing …")
                told = True
            time.sleep(_PAUSE)

    def _roll_back(self) -> None:
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")


def _lock_timeout() -> float:
    text = os.environ.get("KBAGENT_LOCK_TIMEOUT", "")
    try:
        seconds = float(text) if text else LOCK_TIMEOUT
    except ValueError:
        seconds = math.nan
    if not 0.0 <= seconds < math.inf:
        raise BadValue(name="KBAGENT_LOCK_TIMEOUT", value=text, reason="write seconds, such as 30")
    return seconds


def explained(error: sqlite3.Error, path: Path) -> Exception:
    """The error of ours that says what a SQLite error means for the user."""
    if _is_busy(error):
        return Locked(path=path, seconds=f"{_READ_TIMEOUT_MS / 1000:g}")
    text = str(error)
    if isinstance(error, sqlite3.OperationalError) and "readonly" in text:
        return UnreadableFile(path=path, reason=text, hint="The folder must be writable.")
    if isinstance(error, sqlite3.OperationalError) and ("full" in text or "disk I/O" in text):
        return UnreadableFile(
            path=path, reason=text, hint="Nothing was half-written; free some space and try again."
        )
    if isinstance(error, sqlite3.DatabaseError) and (
        "malformed" in text or "not a database" in text or "corrupt" in text
    ):
        return Damaged(what=f"{path.name}: {text}", hint="Run `kbagent doctor`.")
    return error


def _connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode with our pragmas; a new file gets mode 0600."""
    if not path.exists():
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        os.close(handle)
    connection = sqlite3.connect(path, isolation_level=None, timeout=_READ_TIMEOUT_MS / 1000)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _connect_reading(path: Path) -> sqlite3.Connection:
    """A connection to a file that we may not write.

    Without a log beside it the file cannot change while it is read-only to us; with one SQLite
    must be able to share it.
    """
    log = path.with_name(f"{path.name}-wal")
    changing = log.exists() and log.stat().st_size > 0
    mode = "mode=ro" if changing else "mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True)
        connection.isolation_level = None
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise UnreadableFile(
            path=path, reason=str(error), hint="The folder must be readable and writable."
        ) from error
    return connection


def _is_read_only(error: sqlite3.Error) -> bool:
    """Whether the file, or the folder in which SQLite keeps its log, cannot be written."""
    name = getattr(error, "sqlite_errorname", "")
    return name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN"))


def _has_no_room(error: sqlite3.Error) -> bool:
    """Whether the disk is too full for what processes share beside the log (32 KiB).

    Nobody has the file open then: who had would have made it.
    """
    return getattr(error, "sqlite_errorname", "") == "SQLITE_IOERR_SHMSIZE"


def _is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
