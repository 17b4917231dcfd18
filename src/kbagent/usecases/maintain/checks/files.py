"""Are the files in the folder ours, private and still needed?"""

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from kbagent.model.health import Finding, damaged, note, sound
from kbagent.store import spool
from kbagent.store.index.acquaintance import NAME as ACQUAINTANCE
from kbagent.usecases.maintain.checks.patient import NAMED, Patient, plural
from kbagent.usecases.maintain.indexing import DENSE_NAME, LEXICAL_NAME

STALE = 3600.0  # seconds; younger unfinished files may belong to a process at work
_FOLDERS = {"index", "rejects", "spool"}
_DATABASE = ("kb.db", "kb.db-wal", "kb.db-shm", "kb.db-journal", ".kb.db.lock")
_COPIES = ("kb.db.before-", "kb.db.replaced-", "kb.db.damaged-")


def modes(patient: Patient) -> Finding:
    """Nobody but the owner reads or writes them."""
    open_to_others = [path for path in _everything(patient.kb.folder) if _mode(path) & 0o077]
    if os.name != "posix" or not open_to_others:
        return sound("they are their owner's alone")
    items = tuple(f"{path.name}: {_mode(path):04o}" for path in open_to_others[:NAMED])
    what = f"{plural(len(open_to_others), 'file')} that others could read or write"
    return damaged(what, "Files are 0600, folders 0700.", items)


def mend_modes(patient: Patient) -> str:
    """Take from others what they need not have."""
    for path in _everything(patient.kb.folder):
        if _mode(path) & 0o077:
            path.chmod(_mode(path) & 0o700)
    return "made them their owner's alone"


def leftovers(patient: Patient) -> Finding:
    """No unfinished file is left of an interrupted process, nothing lies here that is not ours."""
    stale = list(_stale(patient.kb.folder))
    if stale:
        items = tuple(path.name for path in stale[:NAMED])
        return damaged(f"{plural(len(stale), 'file')} of interrupted processes", "", items)
    strange = [path.name for path in _strange(patient.kb.folder)]
    if strange:
        return note(
            f"{plural(len(strange), 'file')} that kbagent did not make: "
            f"{', '.join(sorted(strange)[:NAMED])}"
        )
    kept = sorted(path.name for path in patient.kb.folder.glob("kb.db.*-*") if _is_copy(path))
    if kept:
        return note(f"kept copies of former states: {', '.join(kept[:NAMED])}", "Remove at will.")
    return sound("nothing is left over")


def mend_leftovers(patient: Patient) -> str:
    """Remove what interrupted processes left."""
    import shutil

    removed = 0
    for path in list(_stale(patient.kb.folder)):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        removed += 1
    return f"removed {plural(removed, 'file')}"


def waiting(patient: Patient) -> Finding:
    """Lookups that were answered while somebody wrote are in the log."""
    folder = patient.kb.folder / spool.FOLDER
    broken = sorted(path.name for path in folder.glob("*.unreadable"))
    if broken:
        return note(
            f"lookups that cannot be read: {', '.join(broken[:NAMED])}",
            "They can be removed; the answers were given, only `worked` cannot speak of them.",
        )
    number = len(spool.waiting(patient.kb.folder))
    if number:
        return note(f"{plural(number, 'lookup')} will be taken in by the next command that writes")
    return sound("none waits to be taken into the log")


def _everything(folder: Path) -> Iterator[Path]:
    """The folder and all that is in it and is ours; links are not followed.

    Files of an index are left out where its folder is closed: those that an interrupted process
    left unfinished are under no name yet, and nobody else gets at them.
    """
    strange = set(_strange(folder))
    yield folder
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.exists() or path in strange:
            continue
        in_index = path.is_file() and folder / "index" in path.parents
        if not in_index or _mode(path.parent) & 0o077:
            yield path


def _stale(folder: Path) -> Iterator[Path]:
    now = time.time()
    patterns = (".*.tmp", ".kbagent-*")
    for path in (found for pattern in patterns for found in folder.rglob(pattern)):
        try:
            if now - path.lstat().st_mtime > STALE:
                yield path
        except FileNotFoundError:
            continue


def _strange(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.iterdir()
        if path.name not in _DATABASE
        and path.name not in _FOLDERS
        and not _is_copy(path)
        and not path.name.startswith((".kbagent-", ".kb.db."))
    ] + [
        path
        for path in (folder / "index").glob("*")
        if not path.name.startswith((LEXICAL_NAME, DENSE_NAME, ACQUAINTANCE, "."))
    ]


def _is_copy(path: Path) -> bool:
    return path.name.startswith(_COPIES)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)
