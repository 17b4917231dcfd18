"""A support desk for tests: a real knowledge base, real export files, a clock that stands still."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kbagent.core.text.redaction import Redactor
from kbagent.model.case import Verdict
from kbagent.model.feedback import Given, Remark
from kbagent.model.importing import ImportSummary
from kbagent.model.lookup import LookupResult, Request
from kbagent.store.knowledge_base import KnowledgeBase, create_knowledge_base
from kbagent.store.readers import open_export
from kbagent.usecases.retain.importing import ImportOptions, import_cases
from kbagent.usecases.retrieve.search import search
from kbagent.usecases.revise.outcomes import give
from tests.fakes.encoder import FakeEncoder

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that only moves when a test says so."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def tick(self, seconds: float = 60.0) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


def ticket(external_id: str, title: str, body: str = "", **fields: Any) -> dict[str, Any]:
    """A line of a `kbagent` export; resolved unless told otherwise."""
    return {
        "source": "desk",
        "external_id": external_id,
        "title": title,
        "body": body,
        "status": "resolved",
        "opened_at": "2026-01-05T10:00:00Z",
        "attempts": [],
        "facets": {},
        **fields,
    }


def tried(text: str, verdict: str = "worked", **fields: Any) -> dict[str, Any]:
    return {"text": text, "verdict": verdict, **fields}


def odd_words(number: int) -> str:
    """A few words that no other number has, so that nothing is taken for the same problem."""
    return " ".join(f"{letter}{number}{letter}" for letter in "bdfg")


def same_as(*external_ids: str) -> list[dict[str, str]]:
    return [{"kind": "duplicate", "external_id": one} for one in external_ids]


@dataclass
class Desk:
    """One knowledge base with everything that a test does to it."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    encoder: FakeEncoder = field(default_factory=FakeEncoder)

    def __post_init__(self) -> None:
        self.kb: KnowledgeBase = create_knowledge_base(self.folder / "kb", clock=self.clock)

    def export(self, *tickets: dict[str, Any] | str) -> Path:
        """A file of these tickets; a string is a line as it stands."""
        path = self.folder / "export.jsonl"
        lines = [one if isinstance(one, str) else json.dumps(one) for one in tickets]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def bring(
        self, *tickets: dict[str, Any] | str, redact: bool = True, dry_run: bool = False
    ) -> ImportSummary:
        path = self.export(*tickets)
        options = ImportOptions((path.name,), Redactor() if redact else None, dry_run=dry_run)
        export = open_export([path], format="kbagent")
        return import_cases(self.kb, self.encoder, export, options, lambda _counts: None)

    def ask(self, query: str, *, log: bool = True, **options: Any) -> LookupResult:
        return search(self.kb, self.encoder, Request(query, **options), log=log)

    def say(self, verdict: str, *words: str, case: str | None = None, **remark: Any) -> Given:
        return give(self.kb, Verdict(verdict), words, Remark(**remark), case_ref=case)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self.kb.connection.execute(sql, values).fetchall()

    def one(self, sql: str, *values: object) -> Any:
        return self.rows(sql, *values)[0][0]

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that is stored, table by table."""
        tables = [
            name
            for (name,) in self.rows(
                "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
            )
        ]
        return {name: self.rows(f"SELECT * FROM {name}") for name in tables}


def refs(result: LookupResult) -> Iterator[str]:
    """Every case shown, in its order."""
    for issue in result.issues:
        for hit in issue.instances:
            yield hit.ref


def texts(result: LookupResult) -> list[str]:
    """Every resolution shown, by rank."""
    return [one.text for issue in result.issues for one in issue.resolutions]
