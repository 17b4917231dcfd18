"""What is done while the process is killed: the use cases themselves, with the fake encoder.

Each deed is a function of a folder and runs in a process of its own. What it has been told is
done, it writes to `acknowledged` beside the knowledge base, so that it can be asked for later.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from kbagent.core.learning.promotion import Plan
from kbagent.errors import PolicyRefused
from kbagent.model.case import Verdict
from kbagent.model.feedback import Remark
from kbagent.model.importing import ImportCounts
from kbagent.model.lookup import Request
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.store.readers import open_export
from kbagent.usecases.learn.checks import learn_checks
from kbagent.usecases.learn.fitting import learn
from kbagent.usecases.learn.promotion import promote, try_candidate
from kbagent.usecases.maintain.copies import restore
from kbagent.usecases.maintain.rebuilding import rebuild
from kbagent.usecases.maintain.reencoding import use_model
from kbagent.usecases.retain.importing import ImportOptions, import_cases
from kbagent.usecases.retrieve.search import search
from kbagent.usecases.review.applying import Wanted
from kbagent.usecases.review.applying import apply as apply_records
from kbagent.usecases.review.items import Answer
from kbagent.usecases.review.queue import open_items
from kbagent.usecases.revise import editing
from kbagent.usecases.revise.charter.amendment import amendment_to
from kbagent.usecases.revise.charter.amendment import apply as amend
from kbagent.usecases.revise.charter.document import charter_of
from kbagent.usecases.revise.charter.reading import read_charter
from kbagent.usecases.revise.freezing import order_now
from kbagent.usecases.revise.outcomes import give
from kbagent.usecases.revise.withdrawal import remove_for_good
from tests.fakes.bases import SYMPTOMS
from tests.fakes.encoder import FakeEncoder

OUTCOMES = 12  # given by one run of `give_feedback`
QUESTIONS = 12  # most that one run of `review` answers
OTHER = FakeEncoder(name="other")
PLAN = Plan(checkpoints=(10, 40), error=0.4, margin=-0.5)  # that a promotion is killed too


def clock() -> datetime:
    """A moment that is the same in every run, so that runs can be compared."""
    return datetime(2026, 1, 1, tzinfo=UTC)


def acknowledge(folder: Path, what: str) -> None:
    with folder.with_name("acknowledged").open("a") as file:
        file.write(what + "\n")


def acknowledged(folder: Path) -> list[str]:
    path = folder.with_name("acknowledged")
    return path.read_text().split() if path.exists() else []


def import_more(folder: Path) -> None:
    path = folder.with_name("more.jsonl")

    def told(counts: ImportCounts) -> None:
        acknowledge(folder, f"cases:{counts.new + counts.unchanged}")

    with open_knowledge_base(folder, clock=clock) as kb:
        export = open_export([path], format="kbagent")
        import_cases(kb, FakeEncoder(), export, ImportOptions((str(path),), None), told)


def give_feedback(folder: Path) -> None:
    with open_knowledge_base(folder, clock=clock) as kb:
        for number in range(OUTCOMES):
            result = search(kb, FakeEncoder(), Request(query=SYMPTOMS[number % 6]))
            verdict = Verdict.WORKED if number % 2 else Verdict.FAILED
            given = give(kb, verdict, [result.handle, "1"], Remark(by=f"e{number}"))
            acknowledge(folder, f"outcome:{given.outcome_id}:{result.handle}")


def reindex(folder: Path) -> None:
    with open_knowledge_base(folder, clock=clock) as kb:
        rebuild(kb, FakeEncoder(), lambda *_: None, fresh=True)


def change_model(folder: Path) -> None:
    with open_knowledge_base(folder, clock=clock) as kb:
        use_model(kb, OTHER, lambda *_: None)


def bring_back(folder: Path) -> None:
    restore(folder.with_name("backup.gz"), folder, force=True, clock=clock)


def migrate(folder: Path) -> None:
    open_knowledge_base(folder, clock=clock).close()


def purge(folder: Path) -> None:
    with open_knowledge_base(folder, clock=clock) as kb:
        remove_for_good(kb, "desk:3", reason="asked for")


def learn_and_promote(folder: Path) -> None:
    """A candidate, and the trial that makes it live."""
    with open_knowledge_base(folder, clock=clock) as kb:
        found = learn(kb, lambda _said: None, lambda *_: None)
        if found.policy is None:
            return
        version = found.policy.version
        acknowledge(folder, f"policy:{version}")
        try:
            promote(kb, try_candidate(kb, version, lambda *_: None, plan=PLAN))
        except PolicyRefused:
            return
        acknowledge(folder, f"live:{version}")


def learn_what_checks_are_worth(folder: Path) -> None:
    with open_knowledge_base(folder, clock=clock) as kb:
        learn_checks(kb, FakeEncoder(), np.random.default_rng(0))
        acknowledge(folder, "setting:confidence")


def review(folder: Path) -> None:
    """Answer every question that is open, one file a question, until none is left."""
    with open_knowledge_base(folder, clock=clock) as kb:
        for _ in range(QUESTIONS):
            found = sorted(open_items(kb), key=lambda item: item.key)
            if not found:
                return
            item = found[0]
            records = [Wanted("1", item.key, Answer.ACCEPT, by="ana", state=item.state)]
            done = apply_records(kb, records)
            acknowledge(folder, f"decision:{done[0].decision}")


def edit_policy(folder: Path) -> None:
    """The policy file again and again, each version another."""
    with open_knowledge_base(folder, clock=clock) as kb:
        for number in range(6):
            before = charter_of(kb)
            text = f'[trust]\nana = 0.{number + 1}\n\n[[deprecate]]\nresolution = "r{number + 1}"\n'
            amendment = amendment_to(kb, read_charter(kb, text, before, order_now))
            if not amendment.changes:
                continue
            done = amend(kb, amendment, base=before, by="ana")
            if done is not None:
                acknowledge(folder, f"policy-file:{done.number}")


def edit_cases(folder: Path) -> None:
    """Put some cases right, one after another."""
    with open_knowledge_base(folder, clock=clock) as kb:
        for number in range(5):
            before = editing.case_text(kb, f"desk:{number}")
            wanted = replace(before, title=f"printer hangs on the client, put right {number}")
            done = editing.edit(kb, FakeEncoder(), f"desk:{number}", wanted, by="ana")
            if done is not None:
                acknowledge(folder, f"decision:{done.decision}")


DEEDS: dict[str, Callable[[Path], None]] = {
    "import": import_more,
    "feedback": give_feedback,
    "reindex": reindex,
    "model use": change_model,
    "purge": purge,
    "restore": bring_back,
    "migration": migrate,
    "learn": learn_and_promote,
    "learn --checks": learn_what_checks_are_worth,
    "review apply": review,
    "policy edit": edit_policy,
    "case edit": edit_cases,
}
