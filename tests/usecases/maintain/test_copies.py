"""Backups and exports: what comes back is what was there, or nothing was changed."""

import gzip
import json
import os
import shutil
import sqlite3
import stat
import tracemalloc
from contextlib import closing, suppress
from datetime import UTC

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kbagent.errors import Damaged, KbagentError, UnreadableFile, UsageError
from kbagent.model.lookup import Request
from kbagent.store import spool, transfer
from kbagent.store.copies import unpack
from kbagent.store.database import Database
from kbagent.store.knowledge_base import DATABASE_NAME, open_knowledge_base
from kbagent.store.migrations import migrate
from kbagent.store.moments import to_text
from kbagent.usecases.maintain.copies import back_up, export_lines, restore
from kbagent.usecases.maintain.diagnosis import diagnose
from kbagent.usecases.maintain.rebuilding import rebuild
from kbagent.usecases.retrieve.search import search
from tests.fakes.bases import bring_in, filled, write_rows
from tests.fakes.encoder import FakeEncoder
from tests.store.test_migrations import FIXTURES

MOMENT = "2025-01-01T00:00:00.000000Z"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template") / "kb"
    filled(folder).close()
    return folder


@pytest.fixture
def kb(tmp_path, template):
    shutil.copytree(template, tmp_path / "kb")
    with open_knowledge_base(tmp_path / "kb") as base:
        yield base


def dump(folder):
    """All that a knowledge base holds: tables, ids, triggers, sequences."""
    with closing(sqlite3.connect(folder / DATABASE_NAME)) as connection:
        lines = sorted(line for line in connection.iterdump() if "_sqlite_migrations" not in line)
        return lines, connection.execute("PRAGMA user_version").fetchone()


def answers(folder):
    with open_knowledge_base(folder) as base:
        result = search(base, FakeEncoder(), Request(query="printer hangs E0013"), log=False)
        return [
            (i.issue_id, i.score, [r.resolution_id for r in i.resolutions]) for i in result.issues
        ]


def test_a_backup_comes_back_as_it_was(kb, tmp_path):
    done = back_up(kb, tmp_path / "kb.gz")
    assert (done.cases, done.outcomes, done.lookups) == (30, 57, 3)
    restore(tmp_path / "kb.gz", tmp_path / "again")
    assert dump(tmp_path / "again") == dump(kb.folder)
    assert answers(tmp_path / "again") == answers(kb.folder)


@pytest.mark.parametrize("name", ["kb.jsonl", "kb.jsonl.gz"])
def test_json_lines_come_back_as_they_were(kb, tmp_path, name):
    export_lines(kb, tmp_path / name)
    restore(tmp_path / name, tmp_path / "again")
    assert dump(tmp_path / "again") == dump(kb.folder)


def test_vectors_left_out_are_made_from_the_texts(kb, tmp_path):
    export_lines(kb, tmp_path / "kb.jsonl", vectors=False)
    assert b"passages" not in (tmp_path / "kb.jsonl").read_bytes().split(b"\n", 1)[1]
    assert not restore(tmp_path / "kb.jsonl", tmp_path / "again").vectors
    with open_knowledge_base(tmp_path / "again") as base:
        assert rebuild(base, FakeEncoder(), lambda *_: None).encoded == 30
    assert answers(tmp_path / "again") == answers(kb.folder)


def test_copies_are_their_owners_alone_whatever_the_umask(kb, tmp_path):
    before = os.umask(0)
    try:
        back_up(kb, tmp_path / "kb.gz")
        export_lines(kb, tmp_path / "kb.jsonl")
        restore(tmp_path / "kb.gz", tmp_path / "again")
    finally:
        os.umask(before)
    files = [tmp_path / "kb.gz", tmp_path / "kb.jsonl", tmp_path / "again" / DATABASE_NAME]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "again").stat().st_mode) == 0o700


def test_nothing_is_replaced_unless_that_is_said(kb, tmp_path):
    back_up(kb, tmp_path / "kb.gz")
    bring_in(kb, write_rows(tmp_path / "more.jsonl", 5, first=100))
    now = dump(kb.folder)
    with pytest.raises(UsageError, match="--force"):
        restore(tmp_path / "kb.gz", kb.folder)
    assert dump(kb.folder) == now


def test_replacing_keeps_the_former_one_and_is_seen_by_who_has_it_open(kb, tmp_path):
    back_up(kb, tmp_path / "kb.gz")
    then = dump(kb.folder)
    bring_in(kb, write_rows(tmp_path / "more.jsonl", 5, first=100))
    done = restore(tmp_path / "kb.gz", kb.folder, force=True)
    assert kb.connection.execute("SELECT count(*) FROM cases").fetchone() == (30,)
    with closing(sqlite3.connect(done.kept)) as former:
        assert former.execute("SELECT count(*) FROM cases").fetchone() == (35,)
    kb.close()
    assert dump(kb.folder) == then
    bring_in(open_knowledge_base(kb.folder), write_rows(tmp_path / "more.jsonl", 5, first=100))
    assert answers(kb.folder)


def test_an_index_of_what_was_replaced_answers_no_more(kb, tmp_path):
    """Rows added after the restore get ids that the former index knew as other rows."""
    back_up(kb, tmp_path / "kb.gz")
    bring_in(kb, write_rows(tmp_path / "more.jsonl", 9, first=100))
    kb.close()
    restore(tmp_path / "kb.gz", kb.folder, force=True)
    with open_knowledge_base(kb.folder) as base:
        assert not diagnose(base, FakeEncoder).damaged
        bring_in(base, write_rows(tmp_path / "others.jsonl", 9, first=200))
        health = diagnose(base, FakeEncoder)
        assert not health.damaged, health


def test_a_broken_one_is_set_aside(kb, tmp_path):
    back_up(kb, tmp_path / "kb.gz")
    then = dump(kb.folder)
    kb.close()
    (kb.folder / DATABASE_NAME).write_bytes(b"nothing" * 1000)
    done = restore(tmp_path / "kb.gz", kb.folder, force=True)
    assert "damaged" in done.kept.name
    assert dump(kb.folder) == then


def test_a_log_left_by_a_former_database_is_not_replayed(kb, tmp_path):
    back_up(kb, tmp_path / "kb.gz")
    then = dump(kb.folder)
    kb.connection.execute("PRAGMA wal_autocheckpoint = 0")
    bring_in(kb, write_rows(tmp_path / "more.jsonl", 5, first=100))
    log = (kb.folder / "kb.db-wal").read_bytes()
    assert log
    folder = tmp_path / "again"
    folder.mkdir()
    (folder / "kb.db-wal").write_bytes(log)
    restore(tmp_path / "kb.gz", folder)
    assert dump(folder) == then


@pytest.mark.parametrize("name", ["kb.gz", "kb.jsonl", "kb.jsonl.gz"])
def test_a_copy_cut_short_anywhere_is_refused(kb, tmp_path, name):
    (back_up if name == "kb.gz" else export_lines)(kb, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for length in [0, 1, 10, len(whole) // 3, len(whole) - 100, len(whole) - 1]:
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(KbagentError):
            restore(tmp_path / "cut", tmp_path / "again")
        assert not (tmp_path / "again" / DATABASE_NAME).exists()
    assert list((tmp_path / "again").iterdir()) == []


def test_a_changed_value_is_refused(kb, tmp_path):
    export_lines(kb, tmp_path / "kb.jsonl")
    text = (tmp_path / "kb.jsonl").read_bytes().replace(b"worked", b"failed", 1)
    (tmp_path / "kb.jsonl").write_bytes(text)
    with pytest.raises(UnreadableFile, match="checksum"):
        restore(tmp_path / "kb.jsonl", tmp_path / "again")


def lines_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def write_lines(path, entries):
    """Lines with a right checksum, as somebody who means harm would write them."""
    import hashlib

    body = b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)
    end = {"end": len(entries) - 1, "sha256": hashlib.sha256(body).hexdigest()}
    path.write_bytes(body + json.dumps(end).encode() + b"\n")


@pytest.mark.parametrize(
    "entry",
    [
        {"sqlite_master": {"type": "trigger"}},
        {'cases" --': {"id": 1}},
        {"cases": {'id") VALUES (1); DROP TABLE outcomes; --': 1}},
        {"cases": {"id": {"base64": "***"}}},
        {"cases": {"id": [1]}},
        {"cases": {"id": True}},
        {"settings": {"key": "x"}},
        {"outcomes": {"id": 1 << 80}},
        {"tallies": {"resolution_id": 1, "tried": 9, "reward": 9}},
        {"settings": {"key": "\ud800", "value": "x"}},
        {"settings": {}},
        {"releases": {"version": "1", "at": "yesterday", "recorded_at": "2025-01-01T00:00:00Z"}},
        {"releases": {"version": "1", "at": "2025-01-01T00:00:00", "recorded_at": "x"}},
        {"policies": {"version": 9, "name": "x", "parameters": "{", "recorded_at": MOMENT}},
        {"models": {"id": "x"}},
        {"passages": {"id": 99, "model_id": 1, "case_id": 1, "ordinal": 9, "text_hash": "x"}},
        {
            "memberships": {
                "case_id": 999,
                "issue_id": 999,
                "kind": "human",
                "confidence": 1,
                "method": "x",
            }
        },
    ],
)
def test_rows_that_no_schema_has_are_refused(kb, tmp_path, entry):
    export_lines(kb, tmp_path / "kb.jsonl")
    heading, *rest = lines_of(tmp_path / "kb.jsonl")
    table = next(iter(entry))
    heading["rows"][table] = heading["rows"].get(table, 0) + 1
    write_lines(tmp_path / "bad.jsonl", [heading, *rest[:-1], entry])
    with pytest.raises(UnreadableFile):
        restore(tmp_path / "bad.jsonl", tmp_path / "again")


def test_a_newer_schema_and_a_foreign_file_are_refused(kb, tmp_path):
    export_lines(kb, tmp_path / "kb.jsonl")
    heading, *rest = lines_of(tmp_path / "kb.jsonl")
    write_lines(tmp_path / "newer.jsonl", [heading | {"schema": 10_000}, *rest[:-1]])
    with pytest.raises(Damaged, match="Update kbagent"):
        restore(tmp_path / "newer.jsonl", tmp_path / "again")
    (tmp_path / "foreign.gz").write_bytes(gzip.compress(b"hello"))
    with pytest.raises(UnreadableFile, match="no knowledge base"):
        restore(tmp_path / "foreign.gz", tmp_path / "again")


def test_tallies_are_those_of_the_ledger(kb, tmp_path):
    export_lines(kb, tmp_path / "kb.jsonl")
    restore(tmp_path / "kb.jsonl", tmp_path / "again")
    with closing(sqlite3.connect(tmp_path / "again" / DATABASE_NAME)) as connection:
        folded = connection.execute(transfer.FOLD + " ORDER BY 1").fetchall()
        assert folded == connection.execute("SELECT * FROM tallies ORDER BY 1").fetchall()
        assert folded


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """A knowledge base with rows in every table: the fixture of the newest kept schema."""
    folder = tmp_path_factory.mktemp("everything") / "kb"
    folder.mkdir(mode=0o700)
    unpack(FIXTURES[-1], folder / DATABASE_NAME)
    with open_knowledge_base(folder) as base, base.database.write() as connection:
        for statement in EXTRA:
            connection.execute(statement)
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {name}")  # or an outcome could not be changed
    return folder


EXTRA = [
    f"INSERT INTO case_versions (case_id, replaced_at, record) VALUES (1, '{MOMENT}', '{{}}')",
    f"INSERT INTO decisions (at, kind, issue_id, data) VALUES ('{MOMENT}', 'freeze', 1, '{{}}')",
]


def test_no_table_is_left_out(everything):
    with open_knowledge_base(everything) as base:
        lines = [json.loads(line) for line in transfer.written_lines(base.connection, "then")]
        tables = base.connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            " AND name NOT LIKE '%sqlite_migrations%'"
        )
        wanted = {row[0] for row in tables} - transfer.DERIVED
        empty = {
            name
            for name in wanted
            if base.connection.execute(f"SELECT 1 FROM {name}").fetchone() is None
        }
    assert set(lines[0]["rows"]) == wanted
    assert wanted - {next(iter(line)) for line in lines[1:-1]} == empty
    assert {
        "decisions",
        "runs",
        "deviations",
        "releases",
        "fix_vectors",
        "settings",
        "policies",
        "adapters",
        "policy_evaluations",
        "step_evidence",
        "showings",
    } <= wanted - empty


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
MOMENTS = st.datetimes(timezones=st.just(UTC)).map(to_text)
VALUES = {
    "INTEGER": st.integers(-(2**63), 2**63 - 1),
    "REAL": st.floats(allow_nan=False),
    "TEXT": TEXT,
    "BLOB": st.binary(max_size=20),
}


@settings(
    max_examples=int(os.environ.get("KBAGENT_FUZZ_EXAMPLES", "25")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_value_in_any_column_comes_back_as_it_was(everything, tmp_path, data):
    """Whatever SQLite holds in any row of any table; or it was never taken in."""
    with open_knowledge_base(everything) as base:
        connection = base.connection
        connection.execute("BEGIN")
        try:
            for _ in range(data.draw(st.integers(1, 5))):
                change(connection, data)
            if any(
                connection.execute(query).fetchone()
                for query in ("PRAGMA foreign_key_check", transfer.ASTRAY)
            ):
                return
            before = list(transfer.written_lines(connection, "then"))
            with closing(made_from(before, tmp_path)) as again:
                assert list(transfer.written_lines(again, "then")) == before
        finally:
            connection.execute("ROLLBACK")


def change(connection, data):
    """Another value of its kind in a column of all rows, if the schema allows it."""
    table = data.draw(st.sampled_from(transfer.tables_of(connection)))
    columns = [row[1:3] for row in connection.execute(f'PRAGMA table_info("{table}")')]
    name, kind = data.draw(st.sampled_from(columns))
    values = VALUES[kind]
    if name == "at" or name.endswith("_at"):
        values = MOMENTS
    elif name in transfer._JSON:
        values = TEXT.map(json.dumps)
    elif name in transfer._WORDS:
        values = st.sampled_from(sorted(transfer._WORDS[name]))
    with suppress(sqlite3.IntegrityError):
        value = data.draw(st.none() | values)
        connection.execute(f'UPDATE "{table}" SET "{name}" = ?', (value,))


def made_from(lines, folder):
    """A database of the newest schema with these lines in it."""
    path = folder / "made.db"
    path.unlink(missing_ok=True)
    database = Database(path)
    migrate(database)
    connection = database.connection
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN")
    transfer.read_rows(connection, lines[0], lines[1:], "made")
    connection.execute("COMMIT")
    return connection


def test_lookups_that_wait_go_along_and_those_of_a_replaced_one_do_not(kb, tmp_path):
    """A lookup of a later policy than the backup knows would else stop whoever writes next."""
    with closing(sqlite3.connect(kb.database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        first = search(kb, FakeEncoder(), Request(query="printer")).handle
        other.execute("ROLLBACK")
    assert spool.holds(kb.folder, first)
    assert back_up(kb, tmp_path / "kb.gz").lookups == 4
    with closing(sqlite3.connect(kb.database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        second = search(kb, FakeEncoder(), Request(query="printer")).handle
        other.execute("ROLLBACK")
    kb.close()
    path = kb.folder / spool.FOLDER / f"{second}.json"
    path.write_text(path.read_text().replace('"policy_version": 1', '"policy_version": 7'))
    restore(tmp_path / "kb.gz", kb.folder, force=True)
    with open_knowledge_base(kb.folder) as base:
        assert spool.absorb(base.database, base.folder) == 0
        handles = {row[0] for row in base.connection.execute("SELECT handle FROM lookups")}
        assert first in handles
        assert second not in handles
        path.with_suffix(".unreadable").rename(path)  # as if it had been put there since
        assert spool.absorb(base.database, base.folder) == 0
        assert path.with_suffix(".unreadable").exists()


def test_who_has_it_open_answers_from_what_was_restored(kb, tmp_path):
    """The same ids mean other rows then: an index that is still open must not serve."""
    back_up(kb, tmp_path / "kb.gz")
    bring_in(kb, write_rows(tmp_path / "more.jsonl", 12, first=100))
    request = Request(query="sync stops on the phone E0204")
    search(kb, FakeEncoder(), request, log=False)  # both indexes are open now
    assert kb.opened
    restore(tmp_path / "kb.gz", kb.folder, force=True)
    with open_knowledge_base(kb.folder) as other:
        bring_in(other, write_rows(tmp_path / "others.jsonl", 12, first=200))
        right = search(other, FakeEncoder(), request, log=False)
    found = search(kb, FakeEncoder(), request, log=False)
    assert found.issues == right.issues
    assert found.issues[0].instances[0].ref == "desk:204"


def packed(path, *parts):
    with gzip.open(path, "wb", 1) as file:
        for part in parts:
            file.write(part)
    return path


def test_what_is_no_database_is_refused_before_it_is_unpacked(tmp_path):
    bomb = packed(tmp_path / "bomb.gz", *[bytes(1 << 20)] * 128)
    with pytest.raises(UnreadableFile, match="holds no knowledge base"):
        unpack(bomb, tmp_path / "again.db")
    assert (tmp_path / "again.db").stat().st_size == 0


def test_a_backup_that_unpacks_to_more_than_it_says_is_refused(kb, tmp_path):
    back_up(kb, tmp_path / "whole.gz")
    whole = gzip.decompress((tmp_path / "whole.gz").read_bytes())
    bomb = packed(tmp_path / "bomb.gz", whole, *[bytes(1 << 20)] * 160)
    with pytest.raises(UnreadableFile, match="much more than the database"):
        restore(bomb, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_backup_that_does_not_fit_on_the_disk_is_refused_at_once(kb, tmp_path):
    back_up(kb, tmp_path / "whole.gz")
    whole = bytearray(gzip.decompress((tmp_path / "whole.gz").read_bytes()))
    whole[28:32] = (2**32 - 2).to_bytes(4)  # pages
    with pytest.raises(UnreadableFile, match="more than is free on the disk"):
        unpack(packed(tmp_path / "vast.gz", bytes(whole)), tmp_path / "again.db")


def test_a_heading_without_end_is_not_read_into_memory(tmp_path):
    bomb = packed(tmp_path / "bomb.gz", b'{"kbagent": "', *[b"x" * (1 << 20)] * 300)
    tracemalloc.start()
    with pytest.raises(UnreadableFile, match="no JSON"):
        restore(bomb, tmp_path / "new")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 << 20
