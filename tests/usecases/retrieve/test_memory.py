"""A process that remembers answers as one that has just begun, whatever is changed meanwhile."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from kbagent.model.case import Verdict
from kbagent.model.feedback import Remark
from kbagent.model.lookup import LookupResult, Request
from kbagent.store import lookups
from kbagent.store.knowledge_base import KnowledgeBase, open_knowledge_base
from kbagent.usecases.retrieve.batch import TOGETHER, search_each
from kbagent.usecases.retrieve.search import search
from kbagent.usecases.revise.families import link, rename
from kbagent.usecases.revise.outcomes import give
from tests.fakes.bases import filled
from tests.fakes.encoder import FakeEncoder

QUERIES = ("mail lost on the server", "printer hangs on the client", "report empty E0003")


def told(result: LookupResult) -> LookupResult:
    """An answer without what differs from one asking to the next."""
    return replace(result, handle="", timings=())


def answers(kb: KnowledgeBase) -> list[LookupResult]:
    encoder = FakeEncoder()
    requests = (Request(query=query, limit=3) for query in QUERIES)
    return [told(search(kb, encoder, request, log=False)) for request in requests]


def worked(kb: KnowledgeBase) -> None:
    result = search(kb, FakeEncoder(), Request(query=QUERIES[0]))
    give(kb, Verdict.WORKED, [result.handle, "2"], Remark(by="ana"))


def failed(kb: KnowledgeBase) -> None:
    result = search(kb, FakeEncoder(), Request(query=QUERIES[1]))
    give(kb, Verdict.FAILED, [result.handle, "1"], Remark(by="ben"))


def linked(kb: KnowledgeBase) -> None:
    link(kb, "desk:1", "desk:9")


def named(kb: KnowledgeBase) -> None:
    best = search(kb, FakeEncoder(), Request(query=QUERIES[0]), log=False).issues[0]
    rename(kb, best.issue_id, "Mail is lost")


@pytest.mark.parametrize("change", [worked, failed, linked, named])
@pytest.mark.parametrize("by_another", [False, True])
def test_a_change_is_seen_at_once(
    change: Callable[[KnowledgeBase], None], by_another: bool, tmp_path
) -> None:
    with filled(tmp_path / "kb") as kb:
        before = answers(kb)
        if by_another:
            with open_knowledge_base(tmp_path / "kb") as other:
                change(other)
        else:
            change(kb)
        after = answers(kb)
        with open_knowledge_base(tmp_path / "kb") as fresh:
            assert after == answers(fresh)
    assert after != before


def test_what_is_only_logged_is_no_news(tmp_path) -> None:
    with filled(tmp_path / "kb") as kb:
        answers(kb)
        kept = kb.memory.of("cases")
        assert kept
        search(kb, FakeEncoder(), Request(query=QUERIES[0]))
        answers(kb)
        assert kb.memory.of("cases") is kept


def test_changes_that_are_taken_back_are_not_remembered(tmp_path) -> None:
    class TakenBackError(Exception):
        pass

    with filled(tmp_path / "kb") as kb:
        before = answers(kb)
        with pytest.raises(TakenBackError), kb.database.write():
            linked(kb)
            answers(kb)
            raise TakenBackError
        assert answers(kb) == before


def test_a_batch_answers_as_single_searches_and_logs_each(tmp_path) -> None:
    with filled(tmp_path / "kb") as kb:
        requests = [Request(query=f"{QUERIES[n % 3]} {n}", limit=2) for n in range(TOGETHER + 3)]
        single = [told(search(kb, FakeEncoder(), one, log=False)) for one in requests]
        together = list(search_each(kb, FakeEncoder(), requests))
        assert [told(one) for one in together] == single
        assert len({one.handle for one in together}) == len(requests)
        assert all(lookups.handle_taken(kb.connection, one.handle) for one in together)
