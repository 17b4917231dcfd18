"""The sample data in a knowledge base, imported once and copied for each test that writes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kbagent.store.encoder.session import Encoder, load_encoder
from kbagent.store.knowledge_base import (
    KnowledgeBase,
    create_knowledge_base,
    open_knowledge_base,
)
from kbagent.usecases.demonstration import import_samples, sample_folder
from kbagent.usecases.solve.running import prepare


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return load_encoder()


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Path:
    folder = tmp_path_factory.mktemp("samples") / "kb"
    with create_knowledge_base(folder) as kb:
        import_samples(kb, encoder, sample_folder(), lambda *_: None, lambda _: None)
        prepare(kb, encoder)
    return folder


@pytest.fixture
def sample(samples: Path, tmp_path: Path) -> Iterator[KnowledgeBase]:
    """A copy that a test may write to."""
    shutil.copytree(samples, tmp_path / "kb")
    with open_knowledge_base(tmp_path / "kb") as kb:
        yield kb
