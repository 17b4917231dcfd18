"""Transactions: all or nothing, waiting said aloud, and every SQLite error in our words."""

import sqlite3
import threading
import time
from contextlib import closing

import pytest

from kbagent.errors import Damaged, ExitCode, Locked, UnreadableFile
from kbagent.store.database import Database, explained


@pytest.fixture
def database(tmp_path, monkeypatch):
    monkeypatch.setenv("KBAGENT_LOCK_TIMEOUT", "0.2")
    base = Database(tmp_path / "kb.db")
    base.connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
    yield base
    base.close()


def names(database):
    """What another process sees."""
    with closing(sqlite3.connect(database.path)) as other:
        return [row[0] for row in other.execute("SELECT name FROM things ORDER BY id")]


def add(connection, name):
    connection.execute("INSERT INTO things (name) VALUES (?)", (name,))


def test_a_transaction_that_fails_leaves_nothing(database):
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        add(connection, "half")
        raise ZeroDivisionError
    assert names(database) == []
    assert not database.connection.in_transaction
    with database.write() as connection:
        add(connection, "whole")
    assert names(database) == ["whole"]


def test_a_statement_that_fails_takes_the_others_with_it(database):
    with pytest.raises(sqlite3.IntegrityError), database.write() as connection:
        add(connection, "twice")
        add(connection, "twice")
    assert names(database) == []


def test_nested_use_is_one_transaction(database):
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        add(connection, "outer")
        with database.write() as inner:
            add(inner, "inner")
        assert names(database) == []
        raise ZeroDivisionError
    assert names(database) == []


def test_a_writer_in_the_way_is_waited_for_then_named(database):
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Locked, match=r"0\.2 seconds") as caught, database.write():
            raise AssertionError("never without the lock")
        assert caught.value.exit_code is ExitCode.LOCKED
        with pytest.raises(Locked, match=r"more than 0 seconds"), database.write(timeout=0):
            raise AssertionError("never without the lock")


def test_who_has_to_wait_is_told_and_then_writes(tmp_path):
    told = []
    base = Database(tmp_path / "kb.db", notify=told.append)
    base.connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT)")
    other = sqlite3.connect(base.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")

    def finish():
        time.sleep(1.3)
        other.execute("COMMIT")

    thread = threading.Thread(target=finish)
    thread.start()
    with base.write() as connection:
        add(connection, "later")
    thread.join()
    other.close()
    assert len(told) == 1
    assert "waiting for another kbagent" in told[0]
    assert names(base) == ["later"]
    base.close()


def test_a_reader_sees_one_state_while_others_write(database):
    with database.read() as connection:
        before = connection.execute("SELECT count(*) FROM things").fetchone()
        with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
            add(other, "meanwhile")
        assert connection.execute("SELECT count(*) FROM things").fetchone() == before
    assert names(database) == ["meanwhile"]


def test_readers_wait_for_a_log_that_is_being_reset(database):
    assert database.connection.execute("PRAGMA busy_timeout").fetchone()[0] >= 1000
    with database.write():
        pass
    assert database.connection.execute("PRAGMA busy_timeout").fetchone()[0] >= 1000


def sqlite_error(kind, text, name=""):
    error = kind(text)
    if name:
        error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (sqlite_error(sqlite3.OperationalError, "database is locked", "SQLITE_BUSY"), Locked),
        (
            sqlite_error(sqlite3.OperationalError, "database is locked", "SQLITE_BUSY_RECOVERY"),
            Locked,
        ),
        (
            sqlite_error(sqlite3.OperationalError, "attempt to write a readonly database"),
            UnreadableFile,
        ),
        (sqlite_error(sqlite3.OperationalError, "database or disk is full"), UnreadableFile),
        (sqlite_error(sqlite3.OperationalError, "disk I/O error"), UnreadableFile),
        (sqlite_error(sqlite3.DatabaseError, "database disk image is malformed"), Damaged),
        (sqlite_error(sqlite3.DatabaseError, "file is not a database"), Damaged),
    ],
)
def test_what_sqlite_says_is_said_in_our_words(tmp_path, error, ours):
    assert type(explained(error, tmp_path / "kb.db")) is ours


def test_a_file_that_is_no_database_is_damaged(tmp_path):
    (tmp_path / "kb.db").write_bytes(b"nothing of the kind" * 500)
    with pytest.raises(Damaged):
        Database(tmp_path / "kb.db")
