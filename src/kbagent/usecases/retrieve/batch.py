"""Many searches in one run: texts encoded ahead, lookups logged together.

While one group is looked up the next is encoded in a thread: either keeps one core busy. The
answers are those of single searches, one after the other; only a lookup is on disk with those of
its group, and before its answer is handed out.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from kbagent.errors import KbagentError, Locked, UnreadableFile
from kbagent.model.lookup import LookupResult, Request
from kbagent.store.encoder.passages import passages as split_passages
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.retrieve.lookup_log import log_lookup, new_handle
from kbagent.usecases.retrieve.matching import QUERY_PASSAGES
from kbagent.usecases.retrieve.search import Sighting, look
from kbagent.usecases.retrieve.stopwatch import Stopwatch

FIRST, TOGETHER = 4, 32  # searches: so few that whoever pipes answers on sees them flow

Vectors = NDArray[np.float32]
Seen = Sighting | KbagentError


class _Encoded:
    """An encoder that knows the vectors of some texts already."""

    def __init__(self, encoder: Encoder, texts: Sequence[str]) -> None:
        self.name = encoder.name
        self.fingerprint = encoder.fingerprint
        self.dimension = encoder.dimension
        self.max_tokens = encoder.max_tokens
        self.count_tokens = encoder.count_tokens
        self.spans = encoder.spans
        self._encoder = encoder
        self._known = dict(zip(texts, encoder.encode(texts), strict=True))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) unit vectors, row i for text i."""
        if all(text in self._known for text in texts):
            return np.stack([self._known[text] for text in texts])
        return self._encoder.encode(texts)


def search_each(
    kb: KnowledgeBase,
    encoder: Encoder,
    requests: Iterable[Request],
    *,
    by: str | None = None,
    log: bool = True,
) -> Iterator[LookupResult]:
    """The answers to many requests, in their order.

    Raises:
        BadFilter: a filter names a column that no case has.
    """
    for answer in attempt_each(kb, encoder, requests, by=by, log=log):
        if isinstance(answer, KbagentError):
            raise answer
        yield answer


def attempt_each(
    kb: KnowledgeBase,
    encoder: Encoder,
    requests: Iterable[Request],
    *,
    by: str | None = None,
    log: bool = True,
) -> Iterator[LookupResult | KbagentError]:
    """The answer to each request, or why there is none, in their order."""
    groups = _groups(requests)
    with ThreadPoolExecutor(1, "encoding") as ahead:
        group = next(groups, None)
        ready = ahead.submit(_encoded, encoder, group) if group else None
        while group and ready:
            vectors = ready.result()
            following = next(groups, None)
            ready = ahead.submit(_encoded, encoder, following) if following else None
            seen = [_looked(kb, vectors, request) for request in group]
            yield from _logged(kb, seen, by) if log else map(_unlogged, seen)
            group = following


def _looked(kb: KnowledgeBase, encoder: Encoder, request: Request) -> Seen:
    try:
        return look(kb, encoder, request, Stopwatch())
    except KbagentError as error:
        return error


def _unlogged(seen: Seen) -> LookupResult | KbagentError:
    return seen if isinstance(seen, KbagentError) else seen.result


def _groups(requests: Iterable[Request]) -> Iterator[list[Request]]:
    """The requests in groups; the first one is small, so that its answers come soon."""
    waiting = iter(requests)
    size = FIRST
    while group := list(islice(waiting, size)):
        yield group
        size = TOGETHER


def _encoded(encoder: Encoder, group: Sequence[Request]) -> _Encoded:
    return _Encoded(
        encoder,
        [
            piece
            for request in group
            for piece in split_passages("", request.query, encoder)[:QUERY_PASSAGES]
        ],
    )


def _logged(
    kb: KnowledgeBase, seen: Sequence[Seen], by: str | None
) -> list[LookupResult | KbagentError]:
    """The answers with their handles; without where nothing can be written, and a note why."""
    named: list[LookupResult | KbagentError] = []
    try:
        with kb.database.write():
            for one in seen:
                if isinstance(one, KbagentError):
                    named.append(one)
                    continue
                result = replace(one.result, handle=new_handle(kb))
                log_lookup(kb, result, one.found, by=by, kind="search")
                named.append(result)
    except (Locked, UnreadableFile) as error:
        note = f"this lookup was not kept, so `worked` cannot speak of it: {error}"
        return [_noted(one, note) for one in seen]
    return named


def _noted(seen: Seen, note: str) -> LookupResult | KbagentError:
    if isinstance(seen, KbagentError):
        return seen
    return replace(seen.result, notes=(*seen.result.notes, note))
