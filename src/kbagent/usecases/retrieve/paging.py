"""Pages of one answer, the same however much is imported between them.

The first page is logged like every lookup. A later page of the same request is answered with what
was known when the first was shown (`as_of`), so nothing is shown twice and nothing is skipped.
"""

from dataclasses import replace

from kbagent.model.lookup import Request
from kbagent.store import lookups
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.retrieve.lookup_log import as_logged, request_text


def continued(kb: KnowledgeBase, request: Request) -> Request:
    """The request as of its first page; unchanged for a first page or where none was logged."""
    if request.offset == 0 or request.as_of is not None:
        return request
    asked = as_logged(replace(request, offset=0))
    moment = lookups.latest_moment(kb.connection, asked.query, request_text(asked))
    return request if moment is None else replace(request, as_of=moment)
