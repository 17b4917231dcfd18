"""A full disk, a folder that cannot be written, files cut short or with flipped bits.

Each is noticed and said plainly, nothing is half-written, and no answer is wrong in silence.
"""

import os
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kbagent.errors import Damaged, KbagentError, UnreadableFile
from kbagent.model.case import Verdict
from kbagent.model.feedback import Remark
from kbagent.model.lookup import Request
from kbagent.store import adapters, models, policies, waltail
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.maintain.copies import back_up, export_lines, restore
from kbagent.usecases.maintain.diagnosis import diagnose
from kbagent.usecases.maintain.indexing import extend_dense
from kbagent.usecases.maintain.rebuilding import rebuild
from kbagent.usecases.maintain.spaces import space_of
from kbagent.usecases.retrieve.search import search
from kbagent.usecases.revise.outcomes import give
from tests.fakes.bases import bring_in, filled, write_rows
from tests.fakes.encoder import FakeEncoder
from tests.faults.killing import contents

ROOT = Path(__file__).parents[2]
QUERY = "printer hangs on the client E0013"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template") / "kb"
    with filled(folder, 24) as kb:
        back_up(kb, folder.with_name("backup.gz"))
    return folder


@pytest.fixture
def folder(tmp_path, template):
    shutil.copytree(template.parent, tmp_path / "here")
    return tmp_path / "here" / "kb"


def answer(kb):
    found = search(kb, FakeEncoder(), Request(query=QUERY), log=False)
    return [
        (issue.issue_id, [r.resolution_id for r in issue.resolutions]) for issue in found.issues
    ]


class FullDisk:
    """No file of this process may grow beyond `size` bytes (the signal is ignored by Python)."""

    def __init__(self, size):
        self.size = size

    def __enter__(self):
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.before[1]))

    def __exit__(self, *_exception):
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


@pytest.mark.parametrize("size", [1 << 10, 64 << 10, 400 << 10])
def test_a_full_disk_loses_nothing_that_was_told_done(folder, size):
    export = write_rows(folder.with_name("more.jsonl"), 600, first=24)
    before = contents(folder)
    with open_knowledge_base(folder) as kb, FullDisk(size), pytest.raises((KbagentError, OSError)):
        bring_in(kb, export)
    with open_knowledge_base(folder) as kb:
        assert kb.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        stored = kb.connection.execute("SELECT count(*) FROM cases").fetchone()[0]
        vectors = kb.connection.execute("SELECT count(DISTINCT case_id) FROM passages").fetchone()
        assert vectors == (stored,)
        assert contents(folder)["cases"][:24] == before["cases"]
        bring_in(kb, export)
        assert kb.connection.execute("SELECT count(*) FROM cases").fetchone() == (624,)
        assert not diagnose(kb, FakeEncoder).damaged


@pytest.mark.parametrize("act", [back_up, export_lines])
def test_a_copy_that_does_not_fit_is_not_there_at_all(folder, act):
    target = folder.with_name("copy.out")
    with open_knowledge_base(folder) as kb, FullDisk(4096), pytest.raises((KbagentError, OSError)):
        act(kb, target)
    assert not target.exists()
    assert sorted(path.name for path in folder.parent.iterdir()) == ["backup.gz", "kb", "kb.jsonl"]


def test_restoring_on_a_full_disk_changes_nothing(folder):
    before = contents(folder)
    with FullDisk(20_000), pytest.raises((KbagentError, OSError)):
        restore(folder.with_name("backup.gz"), folder, force=True)
    assert contents(folder) == before


def test_feedback_on_a_full_disk_is_refused_or_kept_never_lost(folder):
    with open_knowledge_base(folder) as kb:
        handle = search(kb, FakeEncoder(), Request(query=QUERY)).handle
        with FullDisk(1), pytest.raises(UnreadableFile, match="half-written"):
            give(kb, Verdict.WORKED, [handle, "1"], Remark())
        assert give(kb, Verdict.WORKED, [handle, "1"], Remark()).outcome_id


def test_a_full_disk_does_not_keep_a_search_from_answering(folder):
    with open_knowledge_base(folder) as kb:
        right = answer(kb)
        shutil.rmtree(kb.index_folder)
        with FullDisk(1):
            found = search(kb, FakeEncoder(), Request(query=QUERY))
        assert [issue.issue_id for issue in found.issues][:1] == [right[0][0]]
        assert found.notes


READER = """
import os, sys, tempfile
import filelock
from pathlib import Path
from kbagent.errors import UnreadableFile
from kbagent.model.lookup import Request
from kbagent.model.case import Verdict
from kbagent.model.feedback import Remark
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.retrieve.search import search
from kbagent.usecases.revise.outcomes import give
from tests.fakes.encoder import FakeEncoder
with open_knowledge_base(Path(sys.argv[1])) as kb:  # imports: nobody may not read root's Python
    search(kb, FakeEncoder(), Request(query="printer"), log=False)
os.setgid(65534); os.setuid(65534)
with open_knowledge_base(Path(sys.argv[1])) as kb:
    found = search(kb, FakeEncoder(), Request(query="printer hangs on the client E0013"))
    print(found.issues[0].issue_id, bool(found.handle), bool(found.notes))
    try:
        give(kb, Verdict.WORKED, ["r1"], Remark())
    except UnreadableFile as error:
        print(error)
"""


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="root becomes nobody")
def test_a_folder_that_cannot_be_written_can_be_searched(folder):
    with open_knowledge_base(folder) as kb:
        right = answer(kb)[0][0]
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for parent in folder.parents:
        if parent.stat().st_mode & 0o1 == 0:
            parent.chmod(parent.stat().st_mode | 0o111)
    done = subprocess.run(
        [sys.executable, "-c", READER, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.splitlines()[0] == f"{right} False True", done.stderr
    assert "writable" in done.stdout


MOUNTED = """
import os, sys
from pathlib import Path
from kbagent.errors import KbagentError
from kbagent.model.lookup import Request
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.maintain.copies import back_up
from kbagent.usecases.maintain.diagnosis import diagnose
from kbagent.usecases.retrieve.search import search
from tests.fakes.bases import bring_in, write_rows
from tests.fakes.encoder import FakeEncoder
folder, what = Path(sys.argv[1]), sys.argv[2]
if what == "brim":
    with open_knowledge_base(folder) as kb:
        found = search(kb, FakeEncoder(), Request(query="printer hangs on the client E0013"))
        print(found.issues[0].issue_id)
        try:
            bring_in(kb, folder / "more.jsonl")
            print("no error")
        except KbagentError as error:
            print(error)
elif what == "read-only":
    with open_knowledge_base(folder) as kb:
        found = search(kb, FakeEncoder(), Request(query="printer hangs on the client E0013"))
        print(found.issues[0].issue_id, bool(found.notes))
        health = diagnose(kb, FakeEncoder)
        print([str(one) for one in health.checked if one.finding.state == "damaged"])
        for act in (lambda: bring_in(kb, folder / "more.jsonl"), lambda: back_up(kb, folder / "b")):
            try:
                act()
                print("no error")
            except KbagentError as error:
                print(type(error).__name__, "writ" in str(error) or "space" in str(error))
else:
    with open_knowledge_base(folder) as kb:
        try:
            bring_in(kb, folder / "more.jsonl")
            print("no error")
        except (KbagentError, OSError) as error:
            print(type(error).__name__)
    with open_knowledge_base(folder) as kb:
        print(kb.connection.execute("PRAGMA integrity_check").fetchone()[0])
        cases = kb.connection.execute("SELECT count(*) FROM cases").fetchone()[0]
        vectors = kb.connection.execute("SELECT count(DISTINCT case_id) FROM passages").fetchone()
        print(cases >= 24 and vectors == (cases,))
        print(bool(search(kb, FakeEncoder(), Request(query="printer")).issues))
"""


def mounted(folder, size, *, read_only=False, brim=False):
    """What `MOUNTED` says of a copy of the folder on a small file system of its own."""
    write_rows(folder / "more.jsonl", 900, first=24)
    place = folder.with_name("mount")
    place.mkdir()
    what = "brim" if brim else "read-only" if read_only else "full"
    script = (
        f"mount -t tmpfs -o size={size} none {place} && cp -a {folder} {place}/kb &&"
        + (f" mount -o remount,ro {place} &&" if read_only else "")
        + (f" ! head -c {size.replace('m', 'M')} /dev/zero >{place}/filler &&" if brim else "")
        + f' exec {sys.executable} -c "$0" {place}/kb {what}'
    )
    try:
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, MOUNTED],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[2],
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip("file systems cannot be mounted here")
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.splitlines()


def test_on_a_read_only_file_system_one_can_search_and_look_but_not_write(folder):
    with open_knowledge_base(folder) as kb:
        right = str(answer(kb)[0][0])
    said = mounted(folder, "64m", read_only=True)
    assert said == [f"{right} True", "[]", "UnreadableFile True", "UnreadableFile True"]


def test_where_not_a_byte_is_free_one_can_search_and_is_told_why_nothing_is_written(folder):
    with open_knowledge_base(folder) as kb:
        right = str(answer(kb)[0][0])
    found, refused = mounted(folder, "8m", brim=True)
    assert found == right
    assert "the disk is full" in refused and "Free some space" in refused


@pytest.mark.parametrize("size", ["2m", "3m"])
def test_on_a_full_file_system_an_import_stops_and_what_is_there_is_whole(folder, size):
    said = mounted(folder, size, read_only=False)
    assert said[0] != "no error"
    assert said[1:] == ["ok", "True", "True"]


def flipped(path, place=0.5):
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 0x10
    path.chmod(0o600)
    path.write_bytes(content)


def cut(path):
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


INDEX_FILES = [
    "dense/manifest.json",
    "dense/*.faiss",
    "dense/*.ids",
    "lexical/current.json",
    "lexical/state-*/meta.json",
    "lexical/state-*/*.term",
    "lexical/state-*/*.idx",
    "lexical/state-*/*.fast",
]


@pytest.mark.parametrize("harm", [flipped, cut, Path.unlink])
@pytest.mark.parametrize("pattern", INDEX_FILES)
def test_an_index_file_that_is_harmed_never_changes_an_answer(folder, pattern, harm):
    with open_knowledge_base(folder) as kb:
        right = answer(kb)
        harmed = next(kb.index_folder.glob(pattern))
    harm(harmed)
    with open_knowledge_base(folder) as kb:
        assert answer(kb) == right
        rebuild(kb, FakeEncoder(), lambda *_: None)
        assert answer(kb) == right
        assert not diagnose(kb, FakeEncoder).damaged


@pytest.mark.parametrize("harm", [flipped, cut, Path.unlink])
@pytest.mark.parametrize("pattern", ["manifest.json", "*.faiss", "*.ids"])
def test_a_harmed_index_of_an_adapter_never_changes_an_answer(folder, pattern, harm):
    with open_knowledge_base(folder) as kb:
        model = models.active(kb.connection)
        matrix = np.eye(64, dtype="f4") + np.random.default_rng(1).normal(0, 0.1, (64, 64))
        with kb.database.write() as connection:
            adapters.add(connection, "a1", model.id, matrix, kb.clock())
            parameters = replace(policies.live(connection).parameters, adapter="a1")
            version = policies.add(connection, "a1", parameters, kb.clock())
            policies.make_live(connection, version, "promote", kb.clock())
        extend_dense(kb, space_of(kb, model, "a1"))
        right = answer(kb)
    harm(next((folder / "index" / "dense-a1").glob(pattern)))
    with open_knowledge_base(folder) as kb:
        assert answer(kb) == right
        rebuild(kb, FakeEncoder(), lambda *_: None)
        assert not diagnose(kb, FakeEncoder).damaged
        assert answer(kb) == right


@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("harm", ["zeroed page", "cut"])
def test_a_harmed_database_is_noticed(folder, place, harm):
    path = folder / "kb.db"
    content = bytearray(path.read_bytes())
    page = int(len(content) // 4096 * place)
    if harm == "cut":
        content = content[: max(4096 * page, 100)]
    else:
        content[page * 4096 : page * 4096 + 4096] = bytes(4096)
    path.write_bytes(content)
    try:
        with open_knowledge_base(folder) as kb:
            assert diagnose(kb, FakeEncoder).damaged
    except (KbagentError, OSError, sqlite3.DatabaseError):
        pass  # one message each by the command line
    done = restore(folder.with_name("backup.gz"), folder, force=True)
    assert done.cases == 24
    with open_knowledge_base(folder) as kb:
        assert answer(kb)


def crashed_with_a_log(folder: Path) -> Path:
    """The log of a process that was killed after four acknowledged imports, some time ago."""
    code = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from kbagent.store.knowledge_base import open_knowledge_base\n"
        "from tests.fakes.bases import bring_in, write_rows\n"
        f"folder = Path({str(folder)!r})\n"
        "with open_knowledge_base(folder) as kb:\n"
        "    kb.connection.execute('PRAGMA wal_autocheckpoint = 0')\n"
        "    for number in range(4):\n"
        "        rows = write_rows(folder.with_name('m.jsonl'), 1, first=100 + number)\n"
        "        bring_in(kb, rows)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    log = folder / "kb.db-wal"
    os.utime(log, (0, 0))
    return log


def opened(folder: Path) -> tuple[int, list[str]]:
    """How many cases there are, and what opening said."""
    said: list[str] = []
    with open_knowledge_base(folder, notify=said.append) as kb:
        assert kb.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        count = kb.connection.execute("SELECT count(*) FROM cases").fetchone()[0]
    return count, said


def first_frame(log: bytes) -> bytes:
    """The heading and the page of a log's first frame."""
    page = int.from_bytes(log[8:12], "big")
    return log[32 : 32 + 24 + page]


def test_a_log_that_a_crash_left_whole_is_taken_in_silence(folder):
    crashed_with_a_log(folder)
    assert opened(folder) == (28, [])


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("where", ["magic", "salts", "middle", "last frame"])
def test_a_log_with_a_flipped_bit_ends_where_it_is_whole_and_that_is_said(folder, where, indexed):
    path = crashed_with_a_log(folder)
    log = bytearray(path.read_bytes())
    place = {"magic": 3, "salts": 17, "middle": len(log) // 2, "last frame": len(log) - 9}
    log[place[where]] ^= 4
    path.write_bytes(log)
    os.utime(path, (0, 0))
    if not indexed:
        (folder / "kb.db-shm").unlink()
    count, said = opened(folder)
    assert 24 <= count <= 28 - (where != "last frame")  # what came last is no case
    assert len(said) == 1
    assert "breaks off" in said[0]
    (kept,) = folder.glob("kb.db.damaged-log-*")
    assert kept.read_bytes() == bytes(log)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert opened(folder) == (count, [])
    with open_knowledge_base(folder) as kb:
        health = diagnose(kb, FakeEncoder, repair=True)
    assert not health.damaged, health
    assert any("log was damaged" in one.finding.what for one in health.checked)


def test_a_log_that_was_cut_short_is_told_of(folder):
    path = crashed_with_a_log(folder)
    os.truncate(path, path.stat().st_size - 100)
    os.utime(path, (0, 0))
    assert "breaks off" in opened(folder)[1][0]


def test_a_write_that_was_under_way_at_the_crash_is_not_missed(folder):
    path = crashed_with_a_log(folder)
    frame = first_frame(path.read_bytes())
    with path.open("ab") as file:  # a whole frame and half of one, without the mark of a commit
        file.write(frame[:4] + bytes(4) + frame[8:] + frame[:4] + bytes(4) + frame[8:100])
    os.utime(path, (0, 0))
    assert opened(folder) == (28, [])


def test_what_an_earlier_log_left_behind_is_not_missed(folder):
    """SQLite writes over its log from the start: what stands behind bears other salts."""
    path = crashed_with_a_log(folder)
    frame = first_frame(path.read_bytes())
    with path.open("ab") as file:
        file.write(frame[:4] + (9).to_bytes(4, "big") + bytes(8) + frame[16:])
    os.utime(path, (0, 0))
    assert opened(folder) == (28, [])


def test_a_log_that_others_have_just_written_is_not_read(folder, monkeypatch):
    path = crashed_with_a_log(folder)
    os.utime(path)
    monkeypatch.setattr(waltail, "_has_commit_behind_break", lambda _file: pytest.fail("it was"))
    assert opened(folder) == (28, [])


def test_telling_of_a_log_leaves_the_locks_of_the_database_alone(folder):
    """A second opening in one process closes nothing that SQLite has locked."""
    with open_knowledge_base(folder) as kb:
        bring_in(kb, write_rows(folder.with_name("m.jsonl"), 1, first=100))
        os.utime(folder / "kb.db-wal", (0, 0))
        before = _locks()
        assert before
        with open_knowledge_base(folder):
            pass
        assert _locks() == before


def _locks() -> list[str]:
    """The POSIX locks that this process holds, as Linux lists them."""
    lines = Path("/proc/locks").read_text().splitlines()
    return sorted(line.split(": ")[1] for line in lines if f" {os.getpid()} " in line)


def test_a_backup_with_a_flipped_bit_is_refused(folder):
    backup = folder.with_name("backup.gz")
    flipped(backup, 0.4)
    before = contents(folder)
    with pytest.raises((Damaged, UnreadableFile)):
        restore(backup, folder, force=True)
    assert contents(folder) == before
