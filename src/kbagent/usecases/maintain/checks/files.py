"""Are the files in the folder ours, private and still needed?"""

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from kbagent.model.health import Finding, damaged, note, sound
from kbagent.store import spool
from kbagent.store.index import acquaintance, dense, keepsakes, lexical
from kbagent.store.index.manifests import Unusable
from kbagent.usecases.maintain.checks.patient import NAMED, Patient, plural
from kbagent.usecases.maintain.indexing import DENSE_NAME, LEXICAL_NAME
from kbagent.usecases.maintain.rebuilding import dense_folders

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
    """Nothing is left of interrupted processes or former indexes, and nothing here is not ours."""
    stale = [*_stale(patient.kb.folder), *_orphans(patient)]
    if stale:
        items = tuple(path.name for path in stale[:NAMED])
        what = f"{plural(len(stale), 'file')} of interrupted processes or former indexes"
        return damaged(what, "", items)
    strange = [path.name for path in _strange(patient.kb.folder)]
    if strange:
        return note(
            f"{plural(len(strange), 'file')} that kbagent did not make: "
            f"{', '.join(sorted(strange)[:NAMED])}"
        )
    logs = sorted(path.name for path in patient.kb.folder.glob("kb.db.damaged-log-*"))
    if logs:
        return note(
            f"a log was damaged, and what it said last may be lost: {', '.join(logs[:NAMED])}",
            "Check the latest feedback and imports, repeat what is missing, then remove the file.",
        )
    kept = sorted(path.name for path in patient.kb.folder.glob("kb.db.*-*") if _is_copy(path))
    if kept:
        return note(f"kept copies of former states: {', '.join(kept[:NAMED])}", "Remove at will.")
    return sound("nothing is left over")


def mend_leftovers(patient: Patient) -> str:
    """Remove what interrupted processes and former indexes left."""
    import shutil

    removed = 0
    for path in [*_stale(patient.kb.folder), *_orphans(patient)]:
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
    for pattern in (".*.tmp", ".kbagent-*"):
        yield from filter(_is_old, folder.rglob(pattern))


def _orphans(patient: Patient) -> Iterator[Path]:
    """What lies among the indexes, is an hour old, and is named by none of them."""
    folder = patient.kb.index_folder
    for index in dense_folders(patient.kb):
        adapter = index.name.removeprefix(DENSE_NAME).removeprefix("-")
        if adapter and adapter not in _adapters(patient):
            yield from filter(_is_old, [index])
            continue
        made = dense.read_manifest(index)
        if not isinstance(made, Unusable):
            named = {shard.name for shard in made.shards}
            found = (path for path in index.glob("shard-*") if path.stem not in named)
            yield from filter(_is_old, found)
    current = lexical.read_manifest(folder / LEXICAL_NAME)
    if not isinstance(current, Unusable):
        states = (folder / LEXICAL_NAME).glob("state-*")
        yield from filter(_is_old, (path for path in states if path.name != current.state))
    usual = acquaintance.facts_of(folder)
    if usual is not None:
        kept = folder.glob(f"{acquaintance.NAME}-*")
        yield from filter(_is_old, (path for path in kept if path.name != usual["folder"]))


def _adapters(patient: Patient) -> set[str]:
    """The adapters of the active encoder."""
    rows = patient.rows(
        "SELECT adapters.name FROM adapters JOIN models ON models.id = model_id"
        " WHERE state = 'active'"
    )
    return {str(row[0]) for row in rows}


def _is_old(path: Path) -> bool:
    """Old enough that no process at work can need it still."""
    try:
        return time.time() - path.lstat().st_mtime > STALE
    except FileNotFoundError:
        return False


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
        if path.name != keepsakes.FOLDER
        and not path.name.startswith((LEXICAL_NAME, DENSE_NAME, acquaintance.NAME, "."))
    ]


def _is_copy(path: Path) -> bool:
    return path.name.startswith(_COPIES)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)
