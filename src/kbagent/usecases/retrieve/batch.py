"""Many searches in one run: texts encoded together, lookups logged together.

The answers are those of single searches, one after the other; only a lookup is on disk with those
of its group, and before its answer is handed out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from kbagent.errors import Locked, UnreadableFile
from kbagent.model.lookup import LookupResult, Request
from kbagent.store.encoder.passages import passages as split_passages
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.retrieve.lookup_log import log_lookup, new_handle
from kbagent.usecases.retrieve.matching import QUERY_PASSAGES
from kbagent.usecases.retrieve.search import Sighting, look
from kbagent.usecases.retrieve.stopwatch import Stopwatch

TOGETHER = 32  # searches: a quarter of a second, so that whoever pipes answers on sees them flow

Vectors = NDArray[np.float32]


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
    waiting = iter(requests)
    while group := list(islice(waiting, TOGETHER)):
        pieces = [
            piece
            for request in group
            for piece in split_passages("", request.query, encoder)[:QUERY_PASSAGES]
        ]
        ready = _Encoded(encoder, pieces)
        seen = [look(kb, ready, request, Stopwatch()) for request in group]
        yield from _logged(kb, seen, by) if log else (one.result for one in seen)


def _logged(kb: KnowledgeBase, seen: Sequence[Sighting], by: str | None) -> list[LookupResult]:
    """The answers with their handles; without where nothing can be written, and a note why."""
    named = []
    try:
        with kb.database.write():
            for one in seen:
                result = replace(one.result, handle=new_handle(kb))
                log_lookup(kb, result, one.found, by=by, kind="search")
                named.append(result)
    except (Locked, UnreadableFile) as error:
        note = f"this lookup was not kept, so `worked` cannot speak of it: {error}"
        return [replace(one.result, notes=(*one.result.notes, note)) for one in seen]
    return named
