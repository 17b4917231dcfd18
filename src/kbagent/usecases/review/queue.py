"""The queue: every question worth a person's answer, the most pressing first.

What was answered is left out unless what it rests on changed since; what was put off comes after
all others. Nothing about a frozen issue is asked.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from kbagent.store import spool
from kbagent.store.decisions import Decision
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.review.deciding import is_settled_by, standing_answers
from kbagent.usecases.review.ground import Ground
from kbagent.usecases.review.items import Answer, Item, Kind
from kbagent.usecases.review.kinds import (
    alarms,
    answers,
    contradictions,
    duplicates,
    links,
    risks,
)

MOST_OF_A_KIND = 100
"""Items of a kind that are put at a time, the weightiest; the others follow when these are done."""


@dataclass(frozen=True, slots=True)
class Queue:
    """The items in the order in which they are put.

    `waiting` counts all open items of each kind, those beyond `MOST_OF_A_KIND` included;
    `former` are the earlier answers to items that are asked again, by key.
    """

    items: tuple[Item, ...]
    waiting: Mapping[Kind, int]
    former: Mapping[str, Decision]


def assemble(
    kb: KnowledgeBase,
    *,
    kind: Kind | None = None,
    limit: int | None = None,
    since: str | None = None,
) -> Queue:
    """The queue, of one kind or of all.

    `limit` cuts it after so many items. `since` is the version on which a fix must be known to
    work (`kinds.risks`).
    """
    answered = standing_answers(kb)
    every = open_items(kb, kinds=None if kind is None else (kind,), since=since)
    put_off = {
        item.key
        for item in every
        if item.key in answered and answered[item.key].data["decision"] == Answer.LATER
    }
    order = list(Kind)
    every.sort(key=lambda one: (one.key in put_off, order.index(one.kind), -one.weight, one.key))
    return Queue(
        tuple(_fewer(every))[:limit],
        Counter(item.kind for item in every),
        {item.key: answered[item.key] for item in every if item.key in answered},
    )


def open_items(
    kb: KnowledgeBase, *, kinds: Collection[Kind] | None = None, since: str | None = None
) -> list[Item]:
    """Every open item of these kinds, of all when None, however many; in no order that matters."""
    spool.absorb_if_free(kb.database, kb.folder)
    ground = Ground(kb)
    answered = standing_answers(kb)
    with kb.database.read():
        proposed = _proposed(ground, tuple(Kind) if kinds is None else kinds, since)
        return [item for item in proposed if _is_open(item, ground, answered)]


def _proposed(ground: Ground, kinds: Collection[Kind], since: str | None) -> Iterator[Item]:
    if Kind.ALARM in kinds:
        yield from alarms.items(ground)
    if Kind.CONTRADICTION in kinds:
        yield from contradictions.items(ground)
    if Kind.ANSWER in kinds:
        yield from answers.items(ground)
    if Kind.LINK in kinds:
        yield from links.items(ground)
    if Kind.DUPLICATE in kinds:
        yield from duplicates.items(ground)
    if Kind.RISK in kinds:
        yield from risks.items(ground, since=since)


def _is_open(item: Item, ground: Ground, answered: Mapping[str, Decision]) -> bool:
    if not ground.frozen.isdisjoint(item.issues):
        return False
    return item.key not in answered or not is_settled_by(answered[item.key], item)


def _fewer(every: list[Item]) -> Iterator[Item]:
    """At most `MOST_OF_A_KIND` of each kind."""
    counts: Counter[Kind] = Counter()
    for item in every:
        counts[item.kind] += 1
        if counts[item.kind] <= MOST_OF_A_KIND:
            yield item
