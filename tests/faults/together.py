"""Processes that use one knowledge base at once, and what each of them was told is done.

Each act runs in a process of its own until its time is up, opens the knowledge base anew for every
step as a command does, and tells what was acknowledged, how long its searches took, what it was
told while it waited, and whether it met a lock (which a user would see as exit 5).
"""

import itertools
import multiprocessing
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kbagent.cli.app import give_way
from kbagent.errors import Locked
from kbagent.model.case import Verdict
from kbagent.model.feedback import Remark
from kbagent.model.lookup import Request
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase, open_knowledge_base
from kbagent.store.readers import open_export
from kbagent.usecases.learn.checks import learn_checks
from kbagent.usecases.learn.fitting import learn
from kbagent.usecases.maintain.copies import back_up
from kbagent.usecases.maintain.rebuilding import rebuild
from kbagent.usecases.retain.importing import ImportOptions, import_cases
from kbagent.usecases.retrieve.search import search
from kbagent.usecases.revise.outcomes import give
from tests.fakes.bases import SYMPTOMS, write_rows

FIRST = 100_000  # number of the first case that is imported while others work
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.faults.together"])


@dataclass(slots=True)
class Told:
    """What one process was told: acknowledged things, seconds a search, messages, locks."""

    act: str = ""
    done: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    steps: int = 0
    waits: int = 0
    locked: int = 0
    failed: str = ""


@dataclass(slots=True)
class Actor:
    """What an act works with."""

    folder: Path
    encoder: Encoder
    told: Told
    number: int

    def open(self) -> KnowledgeBase:
        """The knowledge base as a command opens it; who waits is told so."""
        return open_knowledge_base(self.folder, notify=self._hear)

    def _hear(self, message: str) -> None:
        self.told.waits += "waiting for another" in message


Act = Callable[[Actor, int], None]


def import_cases_(actor: Actor, step: int) -> None:
    first = FIRST + 20 * step
    path = write_rows(actor.folder.with_name(f"flow{actor.number}.jsonl"), 20, first=first)
    with actor.open() as kb:
        export = open_export([path], format="kbagent")
        options = ImportOptions((str(path),), None)
        import_cases(kb, actor.encoder, export, options, lambda _counts: None)
    actor.told.done += [f"case:{each}" for each in range(first, first + 20)]


def give_feedback(actor: Actor, step: int) -> None:
    with actor.open() as kb:
        result = search(kb, actor.encoder, Request(query=SYMPTOMS[step % 6]))
        actor.told.done.append(f"lookup:{result.handle}")
        given = give(kb, Verdict.WORKED, [result.handle, "1"], Remark(by=f"e{actor.number}"))
    actor.told.done.append(f"outcome:{given.outcome_id}:{result.handle}")


def ask(actor: Actor, step: int) -> None:
    started = time.perf_counter()
    with actor.open() as kb:
        result = search(kb, actor.encoder, Request(query=SYMPTOMS[step % 6]))
    actor.told.seconds.append(time.perf_counter() - started)
    assert result.issues
    actor.told.done.append(f"lookup:{result.handle}")


def reindex(actor: Actor, step: int) -> None:
    with actor.open() as kb:
        rebuild(kb, actor.encoder, lambda *_: None, fresh=step % 2 == 0)


def learn_(actor: Actor, step: int) -> None:
    with actor.open() as kb:
        if step % 2:
            learn_checks(kb, actor.encoder, np.random.default_rng(0))
            return
        found = learn(kb, lambda _said: None, lambda *_: None)
        if found.policy is not None:
            actor.told.done.append(f"policy:{found.policy.version}")


def copy(actor: Actor, _step: int) -> None:
    with actor.open() as kb:
        back_up(kb, actor.folder.with_name("live.gz"))


def burn_behind(actor: Actor, step: int) -> None:
    """The same behind everybody else, as bulk commands work."""
    burn(actor, step)


def burn(_actor: Actor, _step: int) -> None:
    """Keep a core busy without touching the knowledge base."""
    until = time.perf_counter() + 0.2
    matrix = np.eye(64)
    while time.perf_counter() < until:
        matrix = matrix @ matrix


BULK = {import_cases_, reindex, learn_, copy, burn_behind}
"""Acts whose commands give way to others (`kbagent.cli.app.give_way`)."""


def run_together(
    folder: Path, acts: Sequence[Act], seconds: float, encoder: Callable[[], Encoder]
) -> list[Told]:
    """Run each act in a process of its own for so long; what each was told, in their order."""
    running = []
    for number, act in enumerate(acts):
        telling, said = _CONTEXT.Pipe(duplex=False)
        arguments = (act, folder, seconds, encoder, number, said)
        process = _CONTEXT.Process(target=_work, args=arguments)
        process.start()
        said.close()
        running.append((process, telling))
    for _, telling in running:
        telling.recv()  # loaded and warm: all begin together
    until = time.time() + seconds
    results = [telling.recv() for _, telling in running]
    for process, _ in running:
        process.join()
    assert time.time() >= until - 1
    return results


def _work(act: Act, folder: Path, seconds: float, make: Callable[[], Encoder], number, said):
    if act in BULK:
        give_way()
    actor = Actor(folder, make(), Told(act.__name__.strip("_")), number)
    actor.encoder.encode(["warm"])
    said.send("ready")
    until = time.time() + seconds
    try:
        for step in itertools.count():
            if time.time() >= until and step:
                break
            try:
                act(actor, step)
                actor.told.steps += 1
            except Locked:
                actor.told.locked += 1
    except BaseException as error:
        actor.told.failed = f"{actor.told.act}: {type(error).__name__}: {error}"
        said.send(actor.told)
        raise
    said.send(actor.told)


def lost(connection: sqlite3.Connection, told: Sequence[Told]) -> list[str]:
    """What was acknowledged and is not there, once."""
    return [
        line
        for one in told
        for line in one.done
        if connection.execute(*_query(line)).fetchone() != (1,)
    ]


def _query(line: str) -> tuple[str, tuple[str, ...]]:
    kind, _, rest = line.partition(":")
    queries = {
        "case": "SELECT count(*) FROM cases WHERE external_id = ?",
        "lookup": "SELECT count(*) FROM lookups WHERE handle = ?",
        "policy": "SELECT count(*) FROM policies WHERE version = ?",
        "outcome": "SELECT count(*) FROM outcomes JOIN lookups ON lookups.id = lookup_id"
        " WHERE outcomes.id = ? AND handle = ?",
    }
    return queries[kind], tuple(rest.split(":"))
