"""kbagent from Python: open a knowledge base once, ask it often.

>>> import kbagent
>>> with kbagent.open("kb") as kb:                       # doctest: +SKIP
...     answer = kb.search("labels come out blank", where=["version>=4.2"])
...     kb.worked(answer, 1, case="ZD-4711")

The encoder and the indexes are loaded at the first search and kept.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from threadpoolctl import ThreadpoolController

from kbagent.core.retrieval.filters import parse_filter
from kbagent.model.case import Verdict
from kbagent.model.feedback import Given, Remark
from kbagent.model.lookup import LookupResult, Request
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase, default_folder, open_knowledge_base
from kbagent.usecases.maintain.encoding import serving_encoder
from kbagent.usecases.retrieve.batch import search_each
from kbagent.usecases.retrieve.search import search
from kbagent.usecases.revise.outcomes import give


class OpenKnowledgeBase:
    """An open knowledge base. Close it, or use it in a `with` statement."""

    def __init__(self, kb: KnowledgeBase) -> None:
        self.kb = kb
        self._encoder: Encoder | None = None
        # The matrices of one query are too small to share among threads: waiting costs twice.
        self._threads = ThreadpoolController()

    def __enter__(self) -> "OpenKnowledgeBase":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        self.kb.close()

    @property
    def encoder(self) -> Encoder:
        """The encoder that serves this knowledge base."""
        if self._encoder is None:
            self._encoder = serving_encoder(self.kb)
        return self._encoder

    def search(
        self,
        query: str,
        *,
        where: Sequence[str] = (),
        limit: int = 5,
        by: str | None = None,
        log: bool = True,
    ) -> LookupResult:
        """What is known of a problem; `where` holds filters such as `version>=4.2`.

        With `log` False nothing is written, and the answer has no handle to give feedback on.

        Raises:
            BadFilter: a filter cannot be understood.
        """
        filters = tuple(parse_filter(text) for text in where)
        return self.ask(Request(query=query, filters=filters, limit=limit), by=by, log=log)

    def ask(self, request: Request, *, by: str | None = None, log: bool = True) -> LookupResult:
        """The answer to a request."""
        with self._threads.limit(limits=1):
            return search(self.kb, self.encoder, request, by=by, log=log)

    def ask_each(
        self, requests: Iterable[Request], *, by: str | None = None, log: bool = True
    ) -> Iterator[LookupResult]:
        """The answers to many requests, in their order; the next ones are encoded meanwhile."""
        answers = search_each(self.kb, self.encoder, requests, by=by, log=log)
        while True:
            with self._threads.limit(limits=1):
                answer = next(answers, None)
            if answer is None:
                return
            yield answer

    def worked(
        self, lookup: LookupResult, rank: int, *, case: str | None = None, by: str | None = None
    ) -> Given:
        """Say that the resolution at `rank` of a lookup worked."""
        return self._give(Verdict.WORKED, lookup, rank, case, Remark(by=by))

    def failed(
        self, lookup: LookupResult, rank: int, *, case: str | None = None, by: str | None = None
    ) -> Given:
        """Say that the resolution at `rank` of a lookup did not work."""
        return self._give(Verdict.FAILED, lookup, rank, case, Remark(by=by))

    def _give(
        self, verdict: Verdict, lookup: LookupResult, rank: int, case: str | None, remark: Remark
    ) -> Given:
        words = [lookup.handle, str(rank)]
        return give(self.kb, verdict, words, remark, case_ref=case)


def open_folder(path: str | Path | None = None) -> OpenKnowledgeBase:
    """The knowledge base in a folder, by default the one the command line uses.

    Raises:
        NoKnowledgeBase: there is none.
    """
    folder = Path(path).expanduser() if path is not None else default_folder()
    return OpenKnowledgeBase(open_knowledge_base(folder))
