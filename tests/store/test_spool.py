"""A search is never held up by a writer, and the handle it showed always speaks."""

import sqlite3
from contextlib import closing, contextmanager

import pytest

from kbagent.errors import Locked
from kbagent.model.case import Verdict
from kbagent.model.feedback import Remark
from kbagent.model.lookup import Request
from kbagent.store import lookups, spool
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.maintain.diagnosis import diagnose
from kbagent.usecases.retrieve import lookup_log
from kbagent.usecases.retrieve.details import details_of
from kbagent.usecases.retrieve.search import search
from kbagent.usecases.revise.outcomes import give
from tests.fakes.bases import filled
from tests.fakes.encoder import FakeEncoder


@pytest.fixture
def kb(tmp_path, monkeypatch):
    monkeypatch.setattr(lookup_log, "PATIENCE", 0.05)
    monkeypatch.setenv("KBAGENT_LOCK_TIMEOUT", "0.1")
    with filled(tmp_path / "kb", 12) as base:
        yield base


@contextmanager
def somebody_writes(kb):
    with closing(sqlite3.connect(kb.database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def ask(kb, query="printer hangs on the client"):
    return search(kb, FakeEncoder(), Request(query=query))


def test_a_search_answers_while_somebody_writes(kb):
    before = ask(kb)
    with somebody_writes(kb):
        held_up = ask(kb)
    assert held_up.issues == before.issues
    assert held_up.notes == ()
    assert held_up.handle not in ("", before.handle)
    assert [path.stem for path in spool.waiting(kb.folder)] == [held_up.handle]
    assert spool.waiting(kb.folder)[0].stat().st_mode & 0o777 == 0o600


def test_its_handle_takes_feedback_afterwards(kb):
    with somebody_writes(kb):
        held_up = ask(kb)
        with pytest.raises(Locked):
            give(kb, Verdict.WORKED, [held_up.handle, "1"], Remark())
    given = give(kb, Verdict.WORKED, [held_up.handle, "1"], Remark())
    assert given.resolution_id == held_up.issues[0].resolutions[0].resolution_id
    assert spool.waiting(kb.folder) == []


def test_the_last_lookup_is_the_one_that_waited(kb):
    ask(kb, "mail lost on the server")
    with somebody_writes(kb):
        held_up = ask(kb)
    given = give(kb, Verdict.WORKED, ["1"], Remark())
    assert given.lookup == held_up.handle


def test_what_waited_is_stored_as_it_was_asked_and_once(kb):
    plain = ask(kb)
    with somebody_writes(kb):
        held_up = ask(kb)
    (file,) = spool.waiting(kb.folder)
    content = file.read_bytes()
    assert spool.absorb(kb.database, kb.folder) == 1
    file.write_bytes(content)  # as if the process had died between commit and removal
    assert spool.absorb(kb.database, kb.folder) == 0
    assert spool.waiting(kb.folder) == []
    first = lookups.by_handle(kb.connection, plain.handle)
    second = lookups.by_handle(kb.connection, held_up.handle)
    assert lookups.showings(kb.connection, first.id) == lookups.showings(kb.connection, second.id)
    assert (first.query, first.request, first.candidates) == (
        second.query,
        second.request,
        second.candidates,
    )
    assert second.at >= first.at
    events = kb.connection.execute(
        "SELECT count(*) FROM events WHERE lookup_id = ?", (second.id,)
    ).fetchone()
    assert events == (1,)


def test_the_next_search_takes_in_what_waits(kb):
    with somebody_writes(kb):
        handles = [ask(kb).handle for _ in range(3)]
    last = ask(kb).handle
    rows = kb.connection.execute("SELECT handle FROM lookups ORDER BY id DESC LIMIT 4")
    assert [row[0] for row in rows] == [last, *reversed(handles)]


def test_a_file_goes_only_after_the_commit_that_took_it_in(kb):
    with somebody_writes(kb):
        handle = ask(kb).handle
    path = kb.folder / spool.FOLDER / f"{handle}.json"
    there = []

    def note(statement):
        if statement == "COMMIT":
            there.append(path.exists())

    kb.connection.set_trace_callback(note)
    assert spool.absorb(kb.database, kb.folder) == 1
    kb.connection.set_trace_callback(None)
    assert there == [True]
    assert not path.exists()


def test_it_can_be_shown_while_it_waits_and_later(kb):
    with somebody_writes(kb):
        held_up = ask(kb)
    assert details_of(kb, held_up.handle).handle == held_up.handle


@pytest.mark.parametrize("content", ["", "{", "[]", '{"lookup": {}}', "null", '{"lookup": 3}'])
def test_a_broken_file_stops_nobody_and_doctor_names_it(kb, content):
    (kb.folder / spool.FOLDER).mkdir(mode=0o700)
    path = kb.folder / spool.FOLDER / "abcd.json"
    path.write_text(content)
    path.chmod(0o600)
    assert ask(kb).handle
    findings = {one.name: one.finding for one in diagnose(kb, FakeEncoder).checked}
    assert "abcd.unreadable" in findings["waiting lookups"].what


def test_nothing_is_taken_in_within_an_open_transaction(kb):
    with somebody_writes(kb):
        ask(kb)
    with kb.database.write():
        assert spool.absorb(kb.database, kb.folder) == 0
    assert len(spool.waiting(kb.folder)) == 1


def test_another_process_sees_it_too(kb):
    with somebody_writes(kb):
        held_up = ask(kb)
    with open_knowledge_base(kb.folder) as other:
        assert give(other, Verdict.FAILED, [held_up.handle, "1"], Remark()).lookup == held_up.handle
