"""Decisions from a file: all of them are looked at before the first is carried out.

A record names an item, an answer, and who says so. A record that was applied before changes
nothing. One bad record and nothing at all is done; the message names each bad one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kbagent.errors import KbagentError, UsageError
from kbagent.store.decisions import Decision
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.review import deeds
from kbagent.usecases.review.deciding import decide, standing_answers
from kbagent.usecases.review.items import Answer, Item, Kind
from kbagent.usecases.review.queue import open_items

FIELDS = ("item", "decision", "by", "reason", "state")
_NAMED = 5  # bad records that one message names


@dataclass(frozen=True, slots=True)
class Wanted:
    """One record of a file, at `place`; `state` is the one that the item was listed with."""

    place: str
    item: str
    answer: Answer
    by: str | None = None
    reason: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a record; `decision` is None where it was decided so before."""

    item: str
    answer: str
    decision: int | None


def read_records(text: str) -> list[Wanted]:
    """The records of a JSON array, or of one JSON object a line; empty lines are passed over.

    Raises:
        UsageError: a record is none; the message names its line, or its place in the array.
    """
    wanted, wrong = [], []
    for place, found in _objects(text):
        try:
            wanted.append(_wanted(place, found))
        except UsageError as error:
            wrong.append(str(error))
    _refuse(wrong)
    return wanted


def apply(
    kb: KnowledgeBase, wanted: Sequence[Wanted], *, by: str | None = None, since: str | None = None
) -> list[Applied]:
    """Carry out all records in their order, or none; `by` speaks where a record names nobody.

    Raises:
        UsageError: an item is unknown, is not asked (any more), changed, or was decided otherwise.
    """
    with kb.database.write():
        kinds = {kind for one in wanted for kind in Kind if one.item.startswith(f"{kind}:")}
        found = {item.key: item for item in open_items(kb, kinds=kinds, since=since)}
        answered = standing_answers(kb)
        _refuse([why for one in wanted if (why := _objection(one, found, answered))])
        _refuse_twice(wanted)
        return [_apply(kb, one, found, answered, by) for one in wanted]


def _apply(
    kb: KnowledgeBase,
    one: Wanted,
    found: Mapping[str, Item],
    answered: Mapping[str, Decision],
    by: str | None,
) -> Applied:
    if _is_done(one, found.get(one.item), answered.get(one.item)):
        return Applied(one.item, one.answer, None)
    item = found[one.item]
    try:
        if one.answer is Answer.REJECT and deeds.is_settled(kb, item):
            raise UsageError(what="an earlier record of this file has settled it otherwise")
        made = decide(kb, item, one.answer, by=one.by or by, reason=one.reason)
    except KbagentError as error:
        raise UsageError(what=f"{one.place}: {one.item}: {error} Nothing was applied.") from error
    return Applied(one.item, one.answer, made)


def _objection(
    one: Wanted, found: Mapping[str, Item], answered: Mapping[str, Decision]
) -> str | None:
    """Why a record cannot be applied; None when it can, or was."""
    item, former = found.get(one.item), answered.get(one.item)
    if _is_done(one, item, former):
        return None
    if item is None and former is not None:
        said = f"{former.data['decision']} (decision {former.id})"
        return (
            f"{one.place}: {one.item} was decided: {said}; take that back first:"
            f" `kbagent review undo {former.id}`"
        )
    if item is None and one.item.partition(":")[0] in list(Kind):
        return f"{one.place}: {one.item} is not asked, or not any more; list the items again"
    if item is None:
        return f"{one.place}: there is no item '{one.item}'"
    if one.state is not None and one.state != item.state:
        return f"{one.place}: what {one.item} rests on changed since it was listed; list it again"
    return None


def _is_done(one: Wanted, item: Item | None, former: Decision | None) -> bool:
    """Whether just this was decided before, about what the item rests on now."""
    if former is None or former.data["decision"] != one.answer:
        return False
    state = one.state if one.state is not None else item.state if item is not None else None
    return state is None or former.data["state"] == state


def _refuse_twice(wanted: Sequence[Wanted]) -> None:
    first: dict[str, Wanted] = {}
    for one in wanted:
        first.setdefault(one.item, one)
    _refuse(
        [
            f"{one.place}: {one.item} is decided otherwise in {first[one.item].place}"
            for one in wanted
            if first[one.item].answer != one.answer
        ]
    )


def _refuse(wrong: Sequence[str]) -> None:
    if wrong:
        more = f"; and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise UsageError(what=f"{'; '.join(wrong[:_NAMED])}{more}. Nothing was applied.")


def _objects(text: str) -> list[tuple[str, Any]]:
    """(place, value) of each record; a value that is no JSON is an error of its own."""
    if text.lstrip().startswith("["):
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UsageError(
                what=f"This is no JSON array: {error}. Nothing was applied."
            ) from error
        return [(f"record {place}", one) for place, one in enumerate(whole, start=1)]
    found: list[tuple[str, Any]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                found.append((f"line {number}", json.loads(line)))
            except (ValueError, RecursionError):
                found.append((f"line {number}", None))
    return found


def _wanted(place: str, found: Any) -> Wanted:
    if not isinstance(found, dict):
        raise UsageError(what=f'{place} is no object like {{"item": …, "decision": …}}')
    unknown = [name for name in found if name not in FIELDS]
    if unknown:
        raise UsageError(what=f"{place}: there is no field '{unknown[0]}'; use {', '.join(FIELDS)}")
    for name, value in found.items():
        if not (isinstance(value, str) or (value is None and name not in ("item", "decision"))):
            raise UsageError(what=f"{place}: {name} must be a text")
    if not found.get("item"):
        raise UsageError(what=f"{place}: it names no item")
    if found.get("decision") not in list(Answer):
        named = ", ".join(Answer)
        raise UsageError(what=f"{place}: decision '{found.get('decision')}' is none of {named}")
    return Wanted(
        place,
        found["item"],
        Answer(found["decision"]),
        found.get("by") or None,
        found.get("reason") or None,
        found.get("state") or None,
    )
