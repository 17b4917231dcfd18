"""Lookups that were answered while another process held the write lock.

A search never waits long for a writer. When the lock is not free its lookup is written to a file
of its own in `spool/`, whole or not at all, and the next writer takes it into the log, in the
order of asking. Whoever resolves a handle takes the waiting ones in first, so that a handle that
was shown always speaks. A file is removed after the commit that took it in; taken in twice, it
counts once.
"""

import json
import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kbagent.errors import Locked, UnreadableFile
from kbagent.store import ledger, lookups
from kbagent.store.database import Database
from kbagent.store.lookups import Lookup, Showing
from kbagent.store.moments import known, to_text

FOLDER = "spool"
FORMAT = 1
_BRIEFLY = 0.5  # seconds


def put(
    folder: Path,
    lookup: Lookup,
    showings: Sequence[Showing],
    *,
    shown: int,
    model_id: int | None,
    generation: str | None,
) -> None:
    """Keep a lookup until the next writer takes it in; on disk when this returns.

    Raises:
        UnreadableFile: the folder cannot be written.
    """
    content = {
        "format": FORMAT,
        "lookup": asdict(lookup) | {"at": to_text(lookup.at)},
        "showings": [asdict(showing) for showing in showings],
        "shown": shown,
        "model_id": model_id,
        "generation": generation,
    }
    target = folder / FOLDER / f"{lookup.handle}.json"
    unfinished = target.with_name(f".{lookup.handle}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(unfinished, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 -- a mode of our own
            json.dump(content, file, ensure_ascii=True)
            file.flush()
            os.fsync(handle)
        unfinished.replace(target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableFile(
            path=target, reason=reason, hint="The folder must be writable."
        ) from error


def holds(folder: Path, handle: str) -> bool:
    """Whether a lookup of this name waits."""
    return (folder / FOLDER / f"{handle}.json").exists()


def waiting(folder: Path) -> list[Path]:
    """The files that wait, oldest first."""
    found = []
    for path in (folder / FOLDER).glob("*.json"):
        try:
            found.append((path.stat().st_mtime_ns, path))
        except FileNotFoundError:  # another process took it in just now
            continue
    return [path for _, path in sorted(found)]


def absorb(database: Database, folder: Path, *, timeout: float | None = None) -> int:
    """Take in what waits; how many lookups that were. Costs one look into a folder else.

    Within an open transaction nothing is done: a file may only go after the commit. Raises
    `Locked` when another process keeps the write lock for longer than `timeout`.
    """
    if database.read_only or database.connection.in_transaction:
        return 0
    files = waiting(folder)
    if not files:
        return 0
    taken = 0
    with database.write(timeout=timeout) as connection:
        for path in files:
            taken += _take_in(connection, path)
    for path in files:
        path.unlink(missing_ok=True)
    return taken


def set_aside(folder: Path) -> None:
    """What waits was asked of a knowledge base that is replaced: its ids mean other rows now."""
    for path in waiting(folder):
        path.replace(path.with_suffix(".unreadable"))  # doctor names it


def absorb_if_free(database: Database, folder: Path) -> None:
    """Take in what waits unless somebody is writing: for commands that only read."""
    with suppress(Locked):
        absorb(database, folder, timeout=_BRIEFLY)


def _take_in(connection: sqlite3.Connection, path: Path) -> int:
    """Store one file's lookup; 0 when it is there already or another process removed it."""
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        lookup = Lookup(**(content["lookup"] | {"at": known(content["lookup"]["at"])}))
        showings = [_showing(each) for each in content["showings"]]
    except FileNotFoundError:
        return 0
    except (OSError, ValueError, KeyError, TypeError):
        path.rename(path.with_suffix(".unreadable"))  # doctor names it
        return 0
    stored = lookups.by_handle(connection, lookup.handle)
    if stored is not None and (stored.at, stored.query) == (lookup.at, lookup.query):
        return 0
    if stored is not None:
        path.rename(path.with_suffix(".unreadable"))
        return 0
    connection.execute("SAVEPOINT waiting")
    try:
        lookup_id = lookups.add(
            connection,
            lookup,
            showings,
            model_id=content.get("model_id"),
            generation=content.get("generation"),
        )
        shown = {"shown": content.get("shown", 0)}
        ledger.record_event(connection, lookup_id, "lookup", lookup.at, lookup.by, shown)
    except (sqlite3.IntegrityError, sqlite3.InterfaceError, OverflowError):  # of another state
        connection.execute("ROLLBACK TO waiting")
        path.rename(path.with_suffix(".unreadable"))
        return 0
    finally:
        connection.execute("RELEASE waiting")
    return 1


def _showing(values: dict[str, Any]) -> Showing:
    pairs = values.get("alternatives") or ()
    return Showing(**values | {"alternatives": tuple((int(a), float(b)) for a, b in pairs)})
