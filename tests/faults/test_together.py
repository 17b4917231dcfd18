"""Several processes at once: nothing is lost, nobody sees a lock, searches are not held up.

A short version of `python -m benchmarks.concurrency`, which runs for two minutes with the real
encoder and measures how long searches take.
"""

import os
import sqlite3
import threading
from contextlib import closing

import pytest

from kbagent.errors import ExitCode, Locked
from kbagent.model.case import Verdict
from kbagent.model.feedback import Remark
from kbagent.model.lookup import Request
from kbagent.store import spool
from kbagent.store.knowledge_base import create_knowledge_base, open_knowledge_base
from kbagent.usecases.maintain.copies import restore
from kbagent.usecases.maintain.diagnosis import diagnose
from kbagent.usecases.retrieve.search import search
from kbagent.usecases.revise.outcomes import give
from tests.fakes.bases import filled
from tests.fakes.encoder import FakeEncoder
from tests.faults import together
from tests.faults.together import Actor, run_together

SECONDS = float(os.environ.get("KBAGENT_TOGETHER_SECONDS", "4"))  # issue 7 asks for 120
ACTS = [
    together.import_cases_,
    together.give_feedback,
    together.give_feedback,
    together.ask,
    together.ask,
    together.reindex,
    together.learn_,
    together.copy,
]


def test_nothing_is_lost_and_nobody_sees_a_lock(tmp_path):
    folder = tmp_path / "kb"
    filled(folder, 72).close()
    told = run_together(folder, ACTS, SECONDS, FakeEncoder)
    assert [one.failed for one in told if one.failed] == []
    assert [one.act for one in told if one.locked or not one.steps] == []
    done = [line for one in told for line in one.done]
    assert {line.partition(":")[0] for line in done} >= {"case", "outcome", "lookup"}
    with open_knowledge_base(folder) as kb:
        spool.absorb(kb.database, kb.folder)
        assert together.lost(kb.connection, told) == []
        outcomes = sum(line.startswith("outcome:") for line in done)
        given = "SELECT count(*) FROM outcomes WHERE source = 'explicit'"
        assert kb.connection.execute(given).fetchone() == (outcomes + 3,)
        health = diagnose(kb, FakeEncoder)
        assert not health.damaged, health
    restore(folder.with_name("live.gz"), tmp_path / "again")
    with open_knowledge_base(tmp_path / "again") as kb:
        assert not any(
            one.finding.state == "damaged" and one.name != "issues"
            for one in diagnose(kb, FakeEncoder).checked
        )


@pytest.fixture
def writing(tmp_path):
    """A knowledge base that another process keeps locked for writing."""
    filled(tmp_path / "kb", 12).close()
    path = tmp_path / "kb" / "kb.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield tmp_path / "kb", other


def test_a_writer_does_not_keep_a_search_from_answering(writing):
    folder, _ = writing
    with open_knowledge_base(folder) as kb:
        result = search(kb, FakeEncoder(), Request(query="printer hangs"))
        assert result.issues
        assert spool.holds(folder, result.handle)


def test_who_writes_waits_is_told_so_and_goes_on(writing):
    folder, other = writing
    said: list[str] = []
    with open_knowledge_base(folder, notify=said.append) as kb:
        handle = search(kb, FakeEncoder(), Request(query="printer hangs")).handle
        timer = threading.Timer(1.5, other.execute, ("COMMIT",))
        timer.start()
        given = give(kb, Verdict.WORKED, [handle, "1"], Remark())
        timer.join()
        assert given.outcome_id
    assert [each for each in said if "waiting for another kbagent process" in each]


def test_who_waits_in_vain_is_told_after_how_long(writing, monkeypatch):
    monkeypatch.setenv("KBAGENT_LOCK_TIMEOUT", "0.2")
    folder, _ = writing
    with open_knowledge_base(folder) as kb:
        handle = search(kb, FakeEncoder(), Request(query="printer hangs")).handle
        with pytest.raises(Locked, match=r"0\.2") as caught:
            give(kb, Verdict.WORKED, [handle, "1"], Remark())
    assert caught.value.exit_code is ExitCode.LOCKED
    assert "database is locked" not in str(caught.value)


def make(actor: Actor, _step: int) -> None:
    create_knowledge_base(actor.folder).close()


def test_eight_processes_may_make_one_knowledge_base_at_once(tmp_path):
    told = run_together(tmp_path / "new", [make] * 8, 0, FakeEncoder)
    assert [(one.failed, one.steps, one.locked) for one in told] == [("", 1, 0)] * 8
    with open_knowledge_base(tmp_path / "new") as kb:
        assert kb.connection.execute("SELECT count(*) FROM policies").fetchone() == (1,)
        assert not diagnose(kb, FakeEncoder).damaged
