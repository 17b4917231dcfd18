"""The sample data in the real product: rare problems are found again, and outcomes re-rank."""

from collections.abc import Iterator

import pytest

from kbagent.model.lookup import LookupResult, Request
from kbagent.store.encoder.session import Encoder, load_encoder
from kbagent.store.knowledge_base import KnowledgeBase, create_knowledge_base
from kbagent.usecases import demonstration
from kbagent.usecases.retrieve.search import search

pytestmark = pytest.mark.model

RARE = "weight from the bench scale lands in stock multiplied by ten since the PC was replaced"


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Iterator[KnowledgeBase]:
    with create_knowledge_base(tmp_path_factory.mktemp("samples") / "kb") as made:
        demonstration.import_samples(
            made, encoder, demonstration.sample_folder(), lambda *_: None, lambda _: None
        )
        yield made


def resolutions(found: LookupResult) -> list[int]:
    return [one.resolution_id for one in found.issues[0].resolutions]


def test_the_same_problem_twenty_months_apart_is_one_issue_and_comes_first(
    kb: KnowledgeBase, encoder: Encoder
) -> None:
    first = search(kb, encoder, Request(RARE, everything=True), log=False).issues[0]
    assert [hit.ref for hit in first.instances] == ["servicenow:INC0041545", "zendesk:21496"]
    assert first.first_seen is not None
    assert first.last_seen is not None
    assert (first.last_seen - first.first_seen).days > 540


def test_outcomes_put_the_other_resolution_first(kb: KnowledgeBase, encoder: Encoder) -> None:
    before = demonstration.look_up(kb, encoder)
    given = demonstration.report_outcomes(kb, before)
    after = demonstration.look_up(kb, encoder)
    assert [one.new_case for one in given] == [True, True, True]
    assert resolutions(before)[0] == resolutions(after)[1]
    assert resolutions(before)[1] == resolutions(after)[0]
    assert after.issues[0].instance_count == before.issues[0].instance_count + len(given)
