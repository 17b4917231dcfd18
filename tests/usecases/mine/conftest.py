"""The sample data as a knowledge base, its cases put into their true issues."""

import csv
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kbagent.store.knowledge_base import (
    KnowledgeBase,
    create_knowledge_base,
    open_knowledge_base,
)
from kbagent.usecases.demonstration import import_samples
from tests.fakes.encoder import FakeEncoder

SAMPLES = Path(__file__).parents[3] / "sample_data"


def put_into_true_issues(kb: KnowledgeBase, truth: Path) -> None:
    """Every case into the issue that the table names; cases without one into none."""
    with kb.database.write() as connection, truth.open() as lines:
        ids = {
            f"{s}:{e}": i
            for i, s, e in connection.execute("SELECT id, source, external_id FROM cases")
        }
        numbers: dict[str, int] = {}
        connection.execute("DELETE FROM memberships")
        for row in csv.DictReader(lines):
            if row["ref"] not in ids or not row["issue"]:
                continue
            if row["issue"] not in numbers:
                numbers[row["issue"]] = len(numbers) + 1
                connection.execute(
                    "INSERT OR REPLACE INTO issues (id, title, recorded_at) VALUES (?, ?, '')",
                    (numbers[row["issue"]], row["issue"]),
                )
            connection.execute(
                "INSERT INTO memberships VALUES (?, ?, 'linked', 1.0, 'truth')",
                (ids[row["ref"]], numbers[row["issue"]]),
            )


@pytest.fixture(scope="session")
def sample_truth() -> Callable[[KnowledgeBase, Path], None]:
    """Puts cases into their true issues."""
    return put_into_true_issues


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory) -> Path:
    """Imported once. What is tested here is not how well cases are linked: the links are true."""
    folder = tmp_path_factory.mktemp("mine") / "kb"
    with create_knowledge_base(folder) as kb:
        exports = SAMPLES / "exports"
        import_samples(kb, FakeEncoder(), exports, lambda *_: None, lambda _: None)
        put_into_true_issues(kb, SAMPLES / "truth.csv")
    return folder


@pytest.fixture
def sample(sample_folder: Path, tmp_path: Path) -> Iterator[KnowledgeBase]:
    """A copy of it."""
    folder = Path(shutil.copytree(sample_folder, tmp_path / "sample"))
    with open_knowledge_base(folder) as kb:
        yield kb


@pytest.fixture(scope="session")
def shared_sample(sample_folder: Path) -> Iterator[KnowledgeBase]:
    """The same for tests that only read."""
    with open_knowledge_base(Path(os.fspath(sample_folder))) as kb:
        yield kb
