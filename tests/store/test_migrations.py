"""A knowledge base of every released schema opens in the newest version, copied first."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kbagent.errors import Damaged, NoKnowledgeBase
from kbagent.model.case import Verdict
from kbagent.model.feedback import Remark
from kbagent.model.lookup import Request
from kbagent.store import migrations
from kbagent.store.copies import unpack
from kbagent.store.database import Database
from kbagent.store.knowledge_base import DATABASE_NAME, create_knowledge_base, open_knowledge_base
from kbagent.store.migrations import SCHEMA_VERSION, migrate
from kbagent.usecases.maintain.diagnosis import diagnose
from kbagent.usecases.retrieve.search import search
from kbagent.usecases.revise.outcomes import give
from tests.fakes.encoder import FakeEncoder

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("schema-*.db.gz"))


@pytest.fixture(params=FIXTURES, ids=lambda path: path.name.partition(".")[0])
def old(request, tmp_path):
    folder = tmp_path / "kb"
    folder.mkdir(mode=0o700)
    unpack(request.param, folder / DATABASE_NAME)
    return folder


def rows(path, query):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def every_row(path, columns=None):
    """Each table's rows, of the columns that it has or had."""
    with closing(sqlite3.connect(path)) as connection:
        known = columns or {
            name: [row[1] for row in connection.execute(f'PRAGMA table_info("{name}")')]
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
                " AND name NOT LIKE '%migrations%'"
            )
        }
        return known, {
            name: sorted(
                connection.execute(f"SELECT {', '.join(each)} FROM {name}").fetchall(), key=repr
            )
            for name, each in known.items()
        }


def test_there_is_one_of_every_schema_that_was_followed_by_another():
    """`python -m tests.store.fixtures.make_later N FILE` makes the one that is missing."""
    found = {int(path.name[7:10]) for path in FIXTURES}
    assert found >= set(range(1, SCHEMA_VERSION))


def test_no_step_loses_or_changes_a_row(old):
    columns, before = every_row(old / DATABASE_NAME)
    version = rows(old / DATABASE_NAME, "PRAGMA user_version")[0][0]
    filled = [name for name, each in before.items() if each]
    assert len(filled) >= 15 + version  # the fixture is not an empty one
    open_knowledge_base(old).close()
    assert every_row(old / DATABASE_NAME, columns)[1] == before


def test_it_opens_is_sound_and_works(old):
    cases = rows(old / DATABASE_NAME, "SELECT id, title, body FROM cases")
    outcomes = rows(old / DATABASE_NAME, "SELECT id, uid, verdict FROM outcomes")
    with open_knowledge_base(old) as kb:
        health = diagnose(kb, FakeEncoder)
        assert not health.damaged, health
        answer = search(kb, FakeEncoder(), Request(query="printer hangs, E0003"))
        assert answer.issues
        assert give(kb, Verdict.WORKED, ["abcd", "1"], Remark()).resolution_id == 1
    assert rows(old / DATABASE_NAME, "SELECT id, title, body FROM cases") == cases
    after = rows(old / DATABASE_NAME, "SELECT id, uid, verdict FROM outcomes")
    assert after[: len(outcomes)] == outcomes


def test_it_has_the_schema_of_a_new_one(old, tmp_path):
    query = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%migrations%' ORDER BY 1"
    open_knowledge_base(old).close()
    create_knowledge_base(tmp_path / "new").close()
    assert rows(old / DATABASE_NAME, query) == rows(tmp_path / "new" / DATABASE_NAME, query)


def test_it_is_copied_before_anything_changes(old):
    version = rows(old / DATABASE_NAME, "PRAGMA user_version")[0][0]
    if version == SCHEMA_VERSION:
        pytest.skip("it is the newest: nothing changes")
    before = rows(old / DATABASE_NAME, "SELECT * FROM outcomes")
    open_knowledge_base(old).close()
    copy = old / f"kb.db.before-{version + 1:03d}"
    assert rows(copy, "PRAGMA user_version") == [(version,)]
    assert rows(copy, "SELECT * FROM outcomes") == before
    assert copy.stat().st_mode & 0o777 == 0o600


def test_a_migration_that_fails_leaves_the_former_schema(old, monkeypatch):
    version = rows(old / DATABASE_NAME, "PRAGMA user_version")[0][0]

    def m999_broken(db):
        db.execute("CREATE TABLE half (id INTEGER)")
        db.execute("this is no SQL")

    steps = (*migrations.MIGRATIONS[:version], m999_broken)
    monkeypatch.setattr(migrations, "MIGRATIONS", steps)
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", len(steps))
    with pytest.raises(sqlite3.OperationalError):
        open_knowledge_base(old)
    assert rows(old / DATABASE_NAME, "PRAGMA user_version") == [(version,)]
    assert rows(old / DATABASE_NAME, "SELECT 1 FROM sqlite_master WHERE name = 'half'") == []


def test_each_step_counts_when_it_is_done(tmp_path):
    for version in range(1, SCHEMA_VERSION + 1):
        database = Database(tmp_path / f"{version}.db")
        migrate(database, version)
        database.close()
        assert rows(tmp_path / f"{version}.db", "PRAGMA user_version") == [(version,)]


def test_a_newer_one_is_refused_untouched(tmp_path):
    create_knowledge_base(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
        connection.execute("PRAGMA user_version = 9999")
    with pytest.raises(Damaged, match="Update kbagent"):
        open_knowledge_base(tmp_path)
    assert rows(tmp_path / DATABASE_NAME, "PRAGMA user_version") == [(9999,)]


def test_a_foreign_database_is_no_knowledge_base(tmp_path):
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
        connection.execute("CREATE TABLE something (id)")
    with pytest.raises(NoKnowledgeBase):
        open_knowledge_base(tmp_path)


def test_writes_are_flushed_to_disk_at_each_commit(tmp_path):
    database = Database(tmp_path / "kb.db")
    assert database.connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert database.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert database.connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    database.close()


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_can_be_searched(old):
    with open_knowledge_base(old) as kb:
        search(kb, FakeEncoder(), Request(query="printer"))
    old.chmod(0o500)
    try:
        with open_knowledge_base(old) as kb:
            assert search(kb, FakeEncoder(), Request(query="printer")).issues
    finally:
        old.chmod(0o700)
        shutil.rmtree(old)
