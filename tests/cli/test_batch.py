"""`search --batch`: every line is answered, in order, and a bad one spoils no other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kbagent.cli.batch import Defaults, answer_each, answers, question
from kbagent.cli.requests import Narrowing
from kbagent.errors import UnreadableFile
from kbagent.store import lookups
from kbagent.store.knowledge_base import KnowledgeBase
from tests.fakes.bases import filled
from tests.fakes.encoder import FakeEncoder

LINES = (
    "mail lost on the server",
    '{"query": "printer hangs", "id": 7, "limit": 1}',
    '{"query": "x", "where": ["nothing=1"], "id": "b"}',
    '{"quer": 1}',
    '{"query": 1}',
    '{"query": "x", "limit": 0}',
    '{"query": "x", "where": "version=1"}',
    "{broken",
    '{"query": "login fails", "where": ["version=1.0"]}',
)


def run(kb: KnowledgeBase, lines: Sequence[str]) -> list[dict[str, Any]]:
    defaults = Defaults(Narrowing(), limit=5, everything=False)
    asked = (question(kb, line, defaults) for line in lines)
    return list(answers(kb, FakeEncoder(), asked, by=None))


def test_every_line_is_answered_in_order(tmp_path: Path) -> None:
    with filled(tmp_path / "kb") as kb:
        told = run(kb, LINES)
    assert [("error" in one, one.get("id")) for one in told] == [
        (False, None),
        (False, 7),
        (True, "b"),
        *[(True, None)] * 5,
        (False, None),
    ]
    assert told[0]["query"] == LINES[0]
    assert len(told[1]["issues"]) == 1


def test_lookups_of_a_batch_can_be_spoken_of(tmp_path: Path) -> None:
    with filled(tmp_path / "kb") as kb:
        told = run(kb, LINES[:2])
        assert all(lookups.handle_taken(kb.connection, one["lookup"]) for one in told)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        answer_each(str(tmp_path / "no"), Narrowing(), tmp_path, limit=5, everything=False, by=None)
