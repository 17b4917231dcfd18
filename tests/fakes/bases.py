"""Small knowledge bases made through the use cases themselves, with the fake encoder."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kbagent.model.case import Verdict
from kbagent.model.feedback import Remark
from kbagent.model.lookup import Request
from kbagent.store.knowledge_base import KnowledgeBase, create_knowledge_base
from kbagent.store.readers import open_export
from kbagent.usecases.retain.importing import ImportOptions, import_cases
from kbagent.usecases.retrieve.search import search
from kbagent.usecases.revise.outcomes import give
from tests.fakes.encoder import FakeEncoder

START = datetime(2024, 1, 1, tzinfo=UTC)
SYMPTOMS = ["mail lost", "printer hangs", "login fails", "report empty", "sync stops", "disk full"]
PARTS = ["server", "client", "gateway", "browser", "phone"]
FIXES = ["restart the service", "clear the cache", "update the driver", "grant the role"]
VERDICTS = ["worked", "failed", "worked", "unknown", "partly"]


def rows(count: int, *, first: int = 0) -> Iterator[dict[str, Any]]:
    """Cases as `kbagent export cases` writes them; row i is the same in every call."""
    for number in range(first, first + count):
        symptom = SYMPTOMS[number % len(SYMPTOMS)]
        part = PARTS[number % len(PARTS)]
        opened = START + timedelta(hours=7 * number)
        yield {
            "source": "desk",
            "external_id": str(number),
            "title": f"{symptom} on the {part}",
            "body": f"Since build {number} the {part} says E{number:04d}: {symptom}.",
            "status": "resolved",
            "opened_at": opened.isoformat(),
            "closed_at": (opened + timedelta(hours=2)).isoformat(),
            "facets": [["version", f"{1 + number % 3}.0"], ["os", "linux"]],
            "attempts": [
                {"text": FIXES[number % 3], "verdict": "failed", "at": opened.isoformat()},
                {
                    "text": f"{FIXES[(number + 1) % len(FIXES)]} of the {part}",
                    "verdict": VERDICTS[number % len(VERDICTS)],
                    "at": opened.isoformat(),
                },
            ],
            "links": [{"kind": "duplicate", "external_id": str(number - 6)}]
            if number >= 6 and number % 4 == 0
            else [],
        }


def write_rows(path: Path, count: int, *, first: int = 0) -> Path:
    """An export file of `count` cases."""
    text = "\n".join(json.dumps(row) for row in rows(count, first=first))
    path.write_text(text + "\n", encoding="utf-8")
    return path


def bring_in(kb: KnowledgeBase, path: Path) -> None:
    """Import an export file."""
    export = open_export([path], format="kbagent")
    import_cases(kb, FakeEncoder(), export, ImportOptions((str(path),), None), lambda _counts: None)


def filled(folder: Path, count: int = 30) -> KnowledgeBase:
    """An open knowledge base with cases, issues, lookups, and outcomes of people."""
    kb = create_knowledge_base(folder)
    bring_in(kb, write_rows(folder.parent / f"{folder.name}.jsonl", count))
    for number, verdict in enumerate((Verdict.WORKED, Verdict.FAILED, Verdict.PARTLY)):
        result = search(kb, FakeEncoder(), Request(query=SYMPTOMS[number]))
        give(kb, verdict, [result.handle, "1"], Remark(by=f"engineer {number}"))
    return kb
