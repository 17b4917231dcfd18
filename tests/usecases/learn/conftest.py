"""A small knowledge base whose clock the test turns."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kbagent.model.case import AttemptRecord, CaseRecord, CaseStatus, LinkKind, LinkRecord, Verdict
from kbagent.store.knowledge_base import KnowledgeBase, create_knowledge_base
from kbagent.usecases.retain.addition import add_case
from tests.fakes.encoder import FakeEncoder

START = datetime(2026, 1, 1, tzinfo=UTC)


class TurnedClock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def turn(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


class Desk:
    """A knowledge base, its clock, and short ways to fill it."""

    def __init__(self, folder: Path) -> None:
        self.clock = TurnedClock()
        self.encoder = FakeEncoder()
        self.kb: KnowledgeBase = create_knowledge_base(folder, clock=self.clock)

    def case(
        self,
        name: str,
        title: str,
        *attempts: tuple[str, Verdict],
        opened: datetime | None = None,
        same_as: str | None = None,
        **fields: object,
    ) -> int:
        """Retain `desk:name`; its attempts happened when it was closed, a day after it opened."""
        opened = opened or self.clock()
        closed = opened + timedelta(days=1)
        record = CaseRecord(
            source="desk",
            external_id=name,
            title=title,
            status=CaseStatus.RESOLVED,
            opened_at=opened,
            closed_at=closed,
            attempts=tuple(AttemptRecord(text, verdict, closed) for text, verdict in attempts),
            links=(LinkRecord(LinkKind.DUPLICATE, same_as),) if same_as else (),
            **fields,  # type: ignore[arg-type]
        )
        return add_case(self.kb, record, encoder=self.encoder)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "kb")
    yield made
    made.kb.close()
