"""Kills a deed at a chosen point and looks at what is left.

A point is either a share of the time that the undisturbed deed takes, or the n-th time that the
deed touches the file system by name (opens, renames, removes: what Python's audit hooks tell),
which is the same in every run. SIGKILL leaves what was handed to the kernel; that a power cut
does not is what `test_flushing` is for.
"""

import itertools
import json
import multiprocessing
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from kbagent.model.health import State
from kbagent.model.lookup import Request
from kbagent.store import lookups
from kbagent.store.knowledge_base import DATABASE_NAME, create_knowledge_base, open_knowledge_base
from kbagent.usecases.maintain.copies import back_up
from kbagent.usecases.maintain.diagnosis import diagnose
from kbagent.usecases.retrieve.search import search
from tests.fakes.bases import bring_in, filled, write_rows
from tests.fakes.desk import odd_words, same_as, ticket, tried
from tests.fakes.encoder import FakeEncoder
from tests.faults import deeds

CASES, MORE = 24, 40
ENOUGH = 72  # cases, from which on something can be said of what is usual
QUERIES = {"learn": "word3x1 word3x2 noise1", "review apply": "label printer prints blank labels"}
ISSUES, PER_ISSUE = 12, 14  # told apart: enough for an adapter
_EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.chmod"}
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.faults.killing", "filelock", "mmap"])
_SCHEMA_1 = Path(__file__).parents[1] / "store" / "fixtures" / "schema-001.db.gz"
MENDABLE = {"import": {"issues"}, "purge": {"dense index: rows", "lexical index: answers"}}
"""What a kill may leave until the command is run again: cases stored and not yet placed, and
indexes that still hold what was purged, which doctor says."""

_NOT_LEARNED = ("cases", "attempts", "outcomes", "memberships", "vectors", "active", "schema")


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What a deed does when nobody kills it: seconds, events, and what is stored then."""

    seconds: float
    events: int
    contents: dict[str, list[object]]


def prepare(folder: Path, deed: str) -> None:
    """The state before the deed: a knowledge base, an export, a backup."""
    if deed == "migration":
        from kbagent.store.copies import unpack

        folder.mkdir(mode=0o700)
        unpack(_SCHEMA_1, folder / DATABASE_NAME)
        return
    if deed == "learn":
        with create_knowledge_base(folder) as kb:
            bring_in(kb, write_told_apart(folder.with_name("linked.jsonl")))
        return
    if deed == "review apply":
        path = folder.with_name("halves.jsonl")
        path.write_text("".join(json.dumps(row) + "\n" for row in doubtful()), encoding="utf-8")
        with create_knowledge_base(folder) as kb:
            bring_in(kb, path)
        return
    with filled(folder, ENOUGH if deed == "learn --checks" else CASES) as kb:
        back_up(kb, folder.with_name("backup.gz"))
    write_rows(folder.with_name("more.jsonl"), MORE, first=CASES)
    if deed == "restore":
        deeds.import_more(folder)
        folder.with_name("acknowledged").unlink()


def write_told_apart(path: Path) -> Path:
    """Linked issues told apart by a few words among many that mean nothing: an adapter helps."""
    rng = np.random.default_rng(5)
    noise = [f"noise{number}" for number in range(12)]
    start = datetime(2025, 1, 1, tzinfo=UTC)
    with path.open("w", encoding="utf-8") as file:
        for number, issue in itertools.product(range(PER_ISSUE), range(ISSUES)):
            own = rng.choice([f"word{issue}x{n}" for n in range(4)], 2, replace=False)
            opened = start + timedelta(days=3 * number, minutes=issue)
            row = {
                "source": "desk",
                "external_id": f"{issue}-{number}",
                "title": " ".join([*own, *rng.choice(noise, 5, replace=False)]),
                "body": "",
                "status": "resolved",
                "opened_at": opened.isoformat(),
                "closed_at": (opened + timedelta(days=1)).isoformat(),
                "attempts": [{"text": f"fix {issue}", "verdict": "worked"}],
                "links": [{"kind": "duplicate", "external_id": f"{issue}-0"}] if number else [],
            }
            file.write(json.dumps(row) + "\n")
    return path


def doubtful() -> list[dict[str, object]]:
    """Cases about which there is something to ask: two fixes of one problem, two like wordings."""
    blank = "label printer prints blank labels since update"
    driver = "reinstall the label driver on the print server"
    head = "swap worn thermal head for new one"
    near = (
        "clear queue then restart spooler service on the print host",
        "clear queue and restart spooler service on every print machine tonight",
    )
    badge = "badge reader at the north gate turnstile refuses every card"
    cases = [ticket(f"a{n}", f"{blank} {n}", attempts=[tried(driver)]) for n in range(6)]
    cases += [
        ticket(f"b{n}", f"{blank} at noon every friday here", attempts=[tried(head)])
        for n in range(2)
    ]
    cases += [
        ticket(f"x{n}", odd_words(n), attempts=[tried(odd_words(1000 + n))]) for n in range(20)
    ]
    cases += [
        ticket(f"p{n}", badge, links=same_as("p0") if n else [], attempts=[tried(near[n % 2])])
        for n in range(8)
    ]
    return cases


def copied(template: Path, target: Path) -> Path:
    """A fresh copy of a prepared state; the knowledge base in it."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(template, target)
    return target / "kb"


def run_whole(deed: str, folder: Path) -> Undisturbed:
    """Run a deed in a process of its own, to its end."""
    process, telling = _started(deed, folder, None)
    telling.recv()
    started = time.monotonic()
    events = telling.recv()
    seconds = time.monotonic() - started
    process.join()
    if process.exitcode != 0:
        raise AssertionError(f"{deed} failed by itself")
    return Undisturbed(seconds, events, contents(folder))


def kill(deed: str, folder: Path, *, after: float | None = None, event: int | None = None) -> bool:
    """Run a deed and kill it; whether it was still running then."""
    process, telling = _started(deed, folder, event)
    telling.recv()
    if after is not None:
        process.join(after)
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
    process.join()
    return process.exitcode == -signal.SIGKILL


def faults_after_kill(deed: str, folder: Path, before: dict[str, list[object]]) -> list[str]:
    """Which invariants do not hold; none when all is well."""
    with open_knowledge_base(folder, clock=deeds.clock) as kb:
        encoder = FakeEncoder() if _active(kb.connection) != "other" else deeds.OTHER
        health = diagnose(kb, lambda: encoder)
        found = [
            f"{one.name}: {one.finding.what}"
            for one in health.checked
            if one.finding.state is State.DAMAGED and one.name not in MENDABLE.get(deed, ())
        ]
        found += _lost(kb.connection, deeds.acknowledged(folder))
        found += _without_adapter(kb.connection)
        query = QUERIES.get(deed, "printer hangs on the client")
        answer = search(kb, encoder, Request(query=query), log=False)
        if not answer.issues:
            found.append("a search finds nothing")
    now = contents(folder)
    if deed == "reindex" and now != before:
        found.append("the truth changed")
    if deed.startswith("learn") and any(now[name] != before[name] for name in _NOT_LEARNED):
        found.append("learning changed what was told")
    if len(now["cases"]) < len(before["cases"]) and deed != "restore":
        found.append("cases are gone")
    return found


def contents(folder: Path) -> dict[str, list[object]]:
    """What is stored, without what differs from run to run (random handles, ids of retries)."""
    queries = {
        "cases": "SELECT id, source, external_id, title, body, facets FROM cases ORDER BY id",
        "attempts": "SELECT case_id, resolution_id, ordinal, verdict FROM attempts"
        " WHERE retired_at IS NULL ORDER BY 1, 2, 3",
        "outcomes": "SELECT case_id, resolution_id, verdict, source, by FROM outcomes ORDER BY id",
        "tallies": "SELECT * FROM tallies ORDER BY 1",
        "memberships": "SELECT case_id, (SELECT min(case_id) FROM memberships AS m"
        " WHERE m.issue_id = memberships.issue_id) FROM memberships ORDER BY 1",
        "vectors": "SELECT name, case_id, ordinal, vector FROM passages JOIN models"
        " ON models.id = model_id WHERE retired = 0 ORDER BY 1, 2, 3",
        "policies": "SELECT DISTINCT parameters FROM policies ORDER BY 1",
        "live": "SELECT parameters FROM policies JOIN policy_log ON policies.version ="
        " policy_log.version ORDER BY policy_log.id DESC LIMIT 1",
        "adapters": "SELECT name, hex(matrix) FROM adapters ORDER BY 1",
        "decisions": "SELECT DISTINCT kind, issue_id, resolution_id, data FROM decisions AS one"
        " WHERE kind != 'policy file' AND undoes IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM decisions AS later WHERE later.undoes = one.id) ORDER BY 1, 2, 3, 4",
        "settings": "SELECT key, value FROM settings ORDER BY 1",
        "active": "SELECT name FROM models WHERE state = 'active'",
        "schema": "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%' ORDER BY 1",
    }
    with closing(sqlite3.connect(folder / DATABASE_NAME)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        known = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        return {"version": [version]} | {
            name: connection.execute(query).fetchall()
            for name, query in queries.items()
            if "passages" in known and (name != "adapters" or "adapters" in known)
        }


def _lost(connection: sqlite3.Connection, told: list[str]) -> list[str]:
    """What was acknowledged and is not there, once."""
    found = []
    for line in told:
        kind, _, rest = line.partition(":")
        if kind in _KEPT:
            if connection.execute(_KEPT[kind], (rest,)).fetchone()[0] != 1:
                found.append(f"{line} was acknowledged and is not there")
        elif kind == "cases":
            stored = connection.execute("SELECT count(*) FROM cases").fetchone()[0]
            if stored < CASES + int(rest):
                found.append(f"{rest} cases were acknowledged, {stored - CASES} are there")
        else:
            outcome, _, handle = rest.partition(":")
            row = connection.execute(
                "SELECT count(*), min(lookup_id) FROM outcomes WHERE id = ?", (outcome,)
            ).fetchone()
            lookup = lookups.by_handle(connection, handle)
            if row[0] != 1 or lookup is None or lookup.id != row[1]:
                found.append(f"outcome {outcome} was acknowledged and is not there")
    return found


_KEPT = {
    "policy": "SELECT count(*) FROM policies WHERE version = ?",
    "live": "SELECT count(*) FROM (SELECT version FROM policy_log ORDER BY id DESC LIMIT 1)"
    " WHERE version = ?",
    "policy-file": "SELECT count(*) FROM decisions WHERE kind = 'policy file'"
    " AND json_extract(data, '$.version') = ?1 + 0",
    "decision": "SELECT count(*) FROM decisions WHERE id = ?",
    "setting": "SELECT count(*) FROM settings WHERE key = ?",
}


def _without_adapter(connection: sqlite3.Connection) -> list[str]:
    """Policies whose adapter is not stored: a search by them would be by another space."""
    rows = connection.execute(
        """SELECT version FROM policies WHERE json_extract(parameters, '$.adapter') IS NOT NULL
        AND json_extract(parameters, '$.adapter') NOT IN (SELECT name FROM adapters)"""
    )
    return [f"policy {row[0]} names an adapter that is not there" for row in rows]


def _active(connection: sqlite3.Connection) -> str:
    row = connection.execute("SELECT name FROM models WHERE state = 'active'").fetchone()
    return str(row[0]) if row else ""


def _started(deed: str, folder: Path, event: int | None):
    telling, said = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_run, args=(deeds.DEEDS[deed], folder, event, said))
    process.start()
    said.close()
    return process, telling


def _run(act: Callable[[Path], None], folder: Path, event: int | None, said) -> None:
    """In the child: count what touches the disk by name, die at the chosen one."""
    count = 0

    def hook(name: str, _args: object) -> None:
        nonlocal count
        if name in _EVENTS:
            count += 1
            if count == event:
                os.kill(os.getpid(), signal.SIGKILL)

    said.send("ready")
    sys.addaudithook(hook)
    act(folder)
    said.send(count)
    os._exit(0)
