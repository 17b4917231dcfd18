"""What a power cut would lose: nothing is renamed into place before its bytes are on disk.

SIGKILL cannot show this (the kernel still writes what it was given), so the order of system calls
is looked at instead: every file that counts is fsynced before the rename that makes it count, and
the folder after it.
"""

import os
from pathlib import Path

import pytest

from kbagent.store import spool
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.maintain.copies import back_up, restore
from kbagent.usecases.maintain.rebuilding import rebuild
from tests.fakes.bases import filled
from tests.fakes.encoder import FakeEncoder


@pytest.fixture
def calls(monkeypatch):
    """Every fsync and rename by path, in their order."""
    told: list[tuple[str, str]] = []
    fsync, replace, rename = os.fsync, os.replace, os.rename

    def noting_fsync(handle):
        told.append(("fsync", str(Path(f"/proc/self/fd/{int(handle)}").readlink())))
        fsync(handle)

    def noting(call, name):
        def run(source, target, **options):
            told.append((f"{name} from", str(source)))
            call(source, target, **options)
            told.append((f"{name} to", str(target)))

        return run

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(os, "replace", noting(replace, "replace"))
    monkeypatch.setattr(os, "rename", noting(rename, "rename"))
    return told


def renames(calls, name):
    """(flushed before, folder flushed after) of each rename to a file of this name."""
    for place, (what, path) in enumerate(calls):
        if what == "replace to" and Path(path).name == name:
            source = calls[place - 1][1]
            yield (
                ("fsync", source) in calls[:place],
                ("fsync", str(Path(path).parent)) in calls[place:],
            )


pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")


def test_index_manifests_and_shards(tmp_path, calls):
    with filled(tmp_path / "kb", 12) as kb:
        calls.clear()
        rebuild(kb, FakeEncoder(), lambda *_: None, fresh=True)
        shard = next((kb.index_folder / "dense").glob("*.faiss")).name
        state = next((kb.index_folder / "lexical").glob("state-*"))
    for name in ("manifest.json", "current.json", shard):
        found = list(renames(calls, name))
        assert found
        assert set(found) == {(True, True)}
    switch = next(i for i, (w, p) in enumerate(calls) if p.endswith("current.json") and "to" in w)
    for file in state.iterdir():
        if not file.name.endswith(".lock") and file.name != ".managed.json":
            assert ("fsync", str(file)) in calls[:switch], file.name
    ids = next((kb.index_folder / "dense").glob("*.ids")).name
    assert set(renames(calls, ids)) == {(True, True)}


def test_backups_and_what_is_restored(tmp_path, calls):
    with filled(tmp_path / "kb", 12) as kb:
        calls.clear()
        back_up(kb, tmp_path / "backup.gz")
    assert list(renames(calls, "backup.gz")) == [(True, True)]
    restore(tmp_path / "backup.gz", tmp_path / "again")
    assert list(renames(calls, "kb.db")) == [(True, True)]


def test_lookups_that_wait(tmp_path, calls):
    import sqlite3
    from contextlib import closing

    from kbagent.model.lookup import Request
    from kbagent.usecases.retrieve.search import search

    filled(tmp_path / "kb", 12).close()
    with (
        open_knowledge_base(tmp_path / "kb") as kb,
        closing(sqlite3.connect(kb.database.path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        handle = search(kb, FakeEncoder(), Request(query="printer")).handle
    assert [flushed for flushed, _ in renames(calls, f"{handle}.json")] == [True]
    assert spool.holds(tmp_path / "kb", handle)
