"""From the options of a command to a request."""

from dataclasses import dataclass
from datetime import datetime

from kbagent.core.retrieval.filters import parse_filter
from kbagent.core.retrieval.periods import parse_period
from kbagent.errors import BadValue, UnknownHandle
from kbagent.model.case import Case
from kbagent.model.lookup import Request
from kbagent.store import cases
from kbagent.store.knowledge_base import KnowledgeBase


@dataclass(frozen=True, slots=True)
class Narrowing:
    """The options by which a search is narrowed, as they were typed."""

    where: list[str] | None = None
    since: str | None = None
    until: str | None = None
    source: list[str] | None = None
    resolved: bool | None = None
    exclude: list[str] | None = None
    as_of: str | None = None
    policy: int | None = None


def request_of(
    kb: KnowledgeBase,
    query: str,
    narrowing: Narrowing,
    *,
    limit: int = 5,
    offset: int = 0,
    everything: bool = False,
) -> Request:
    """The request that these options make.

    Raises:
        BadFilter, BadValue, UnknownHandle: an option cannot be understood.
    """
    since, until = start_of("--since", narrowing.since), end_of("--until", narrowing.until)
    ordered((since, narrowing.since), (until, narrowing.until))
    return Request(
        query=query,
        filters=tuple(parse_filter(text) for text in narrowing.where or ()),
        since=since,
        until=until,
        sources=tuple(narrowing.source or ()),
        resolved=narrowing.resolved,
        limit=limit,
        offset=offset,
        everything=everything,
        as_of=end_of("--as-of", narrowing.as_of),
        policy=narrowing.policy,
        exclude=tuple(case_named(kb, ref).id for ref in narrowing.exclude or ()),
    )


def case_named(kb: KnowledgeBase, ref: str) -> Case:
    """The case called `ref`.

    Raises:
        UnknownHandle: there is none.
    """
    case = cases.by_ref(kb.connection, ref)
    if case is None:
        raise UnknownHandle(handle=ref, hint="Name a case as SOURCE:ID, as a search shows it.")
    return case


def start_of(name: str, text: str | None) -> datetime | None:
    """The first moment of a date such as 2024, 2024-01 or 2024-01-31; None stays None."""
    return _period(name, text)[0] if text is not None else None


def end_of(name: str, text: str | None) -> datetime | None:
    """The moment just after a date: `--until 2025-06-30` includes that day."""
    return _period(name, text)[1] if text is not None else None


def ordered(
    since: tuple[datetime | None, str | None],
    until: tuple[datetime | None, str | None],
    name: str = "--until",
) -> None:
    """Whether a period begins before it ends; each side is a moment and the text it was told by.

    Raises:
        BadValue: it ends before it begins.
    """
    if since[0] is not None and until[0] is not None and until[0] <= since[0]:
        reason = f"the period would end before it begins on {since[0]:%Y-%m-%d}"
        raise BadValue(name=name, value=str(until[1]), reason=reason)


def _period(name: str, text: str) -> tuple[datetime, datetime]:
    period = parse_period(text)
    if period is None:
        raise BadValue(name=name, value=text, reason="write a date like 2024-06-30 or 2024-06")
    return period.start, period.end
