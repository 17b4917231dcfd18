"""Cards of the review, its list for machines, and what was decided."""

import json
from collections.abc import Sequence
from typing import Any

from kbagent.cli.output import one_line
from kbagent.cli.page import Group, Padding, RenderableType, Text
from kbagent.cli.screens import figures
from kbagent.store.decisions import Decision
from kbagent.usecases.review.applying import Applied
from kbagent.usecases.review.deciding import Reviewed
from kbagent.usecases.review.items import Answer, Item, Kind, Side
from kbagent.usecases.review.queue import Queue

KEYS = {"y": Answer.ACCEPT, "n": Answer.REJECT, "l": Answer.LATER}
TITLES = {
    Kind.ALARM: "alarm",
    Kind.CONTRADICTION: "contradiction",
    Kind.ANSWER: "unsure answer that worked",
    Kind.LINK: "proposed link",
    Kind.DUPLICATE: "suspected duplicate",
    Kind.RISK: "knowledge at risk",
}
SEVERAL = {
    Kind.ALARM: "alarms",
    Kind.CONTRADICTION: "contradictions",
    Kind.ANSWER: "unsure answers that worked",
    Kind.LINK: "proposed links",
    Kind.DUPLICATE: "suspected duplicates",
    Kind.RISK: "knowledge at risk",
}
PROMPT = "y/n, l later, o open, u undo, q quit, ? help"
_ROOMY = 3  # sides up to which each has two lines of text, so that a card fits on 24 lines


def format_card(
    item: Item, place: str, former: Decision | None, *, width: int = 80
) -> RenderableType:
    """One item: what, why with its figures, and what each key will do; `place` is "3 of 41"."""
    lines: list[RenderableType] = [
        _headline(item, place, width),
        Text(one_line(item.question), style="bold"),
        Text(""),
    ]
    roomy = 2 if len(item.sides) <= _ROOMY else 1
    for side in item.sides:
        lines += _side(side, roomy, width)
    lines.append(Text(""))
    lines += [_hanging("why ", one_line(told), width) for told in item.evidence]
    if former is not None:
        lines.append(_hanging("was ", _formerly(former), width))
    lines.append(Text(""))
    for sign, choice in (("y", item.accept), ("n", item.reject)):
        told = f"{choice.word}: {choice.effect}"
        lines.append(_hanging(f" {sign}  ", one_line(told), width, style="green"))
    return Group(*lines)


def format_help() -> RenderableType:
    """What each key does, whatever the card."""
    told = (
        ("y", "accept: what stands behind y on the card is done"),
        ("n", "reject: what stands behind n on the card is done"),
        ("l", "later: it comes again after all others, in the next session too"),
        ("o", "open what the card names in full, one thing at a time"),
        ("u", "undo the last decision of this session, and ask again"),
        ("q", "quit, as Ctrl-C does; everything decided is kept"),
    )
    return Group(*(Text(f"  {sign}  {what}") for sign, what in told))


def format_nothing(kind: Kind | None) -> str:
    """What is said when the queue is empty."""
    what = f" ({TITLES[kind]})" if kind else ""
    return f"Nothing to review{what}.  next: kbagent review log"


def format_queue(queue: Queue) -> str:
    """How much of each kind waits, on one line."""
    counts = [
        f"{count} {TITLES[kind] if count == 1 else SEVERAL[kind]}"
        for kind in Kind
        if (count := queue.waiting.get(kind, 0))
    ]
    more = sum(queue.waiting.values()) - len(queue.items)
    rest = f"; the first {len(queue.items)} now" if more else ""
    return f"{', '.join(counts)}{rest}"


def format_closing(decided: int, put_off: int, left: int) -> str:
    """What a session came to, and how to go on."""
    parts = [f"{decided} decided"]
    if put_off:
        parts.append(f"{put_off} put off")
    if left or not put_off:
        parts.append(f"{left} left" if left else "nothing left")
    go_on = "  go on: kbagent review" if left or put_off else ""
    back = "  take back: kbagent review undo" if decided else ""
    return f"{', '.join(parts)}.{go_on}{back}"


def format_log(found: Sequence[Reviewed], *, width: int = 80) -> RenderableType:
    """One decision a line, newest first."""
    if not found:
        return Text("Nothing is decided yet.  next: kbagent review")
    lines = []
    for one in found:
        decision = one.decision
        who = f"  by {decision.by}" if decision.by else ""
        why = f"  ({decision.data['reason']})" if decision.data.get("reason") else ""
        back = "  taken back" if one.undone else ""
        head = f"{decision.id:>6}  {figures.day(decision.at)}  {one.answer:<6}  "
        told = one_line(f"{one.item}{back}{who}{why}", width - len(head))
        lines.append(Text(head + told, style="dim" if one.undone else ""))
    return Group(*lines)


def queue_json(queue: Queue) -> dict[str, Any]:
    """The queue as the JSON contract has it."""
    return {
        "items": [item_json(one, queue.former.get(one.key)) for one in queue.items],
        "waiting": {str(kind): queue.waiting.get(kind, 0) for kind in Kind},
    }


def item_json(item: Item, former: Decision | None) -> dict[str, Any]:
    """One item: `item` and `state` go into a file for `review apply`."""
    return {
        "item": item.key,
        "kind": str(item.kind),
        "question": item.question,
        "about": [
            {"handle": side.handle, "text": side.text, "note": side.note} for side in item.sides
        ],
        "evidence": list(item.evidence),
        "state": item.state,
        "decisions": {str(one): item.choice(one).effect for one in Answer},
        "before": None
        if former is None
        else {
            "id": former.id,
            "decision": former.data["decision"],
            "by": former.by,
            "at": former.at,
        },
    }


def log_json(found: Sequence[Reviewed]) -> list[dict[str, Any]]:
    """What was decided, newest first."""
    return [
        {
            "id": one.decision.id,
            "item": one.item,
            "decision": one.answer,
            "by": one.decision.by,
            "at": one.decision.at,
            "reason": one.decision.data.get("reason"),
            "made": json.loads(json.dumps(one.decision.data.get("made", []))),
            "undone": one.undone,
        }
        for one in found
    ]


def applied_json(found: Sequence[Applied]) -> list[dict[str, Any]]:
    """What became of each record."""
    return [
        {
            "item": one.item,
            "decision": one.answer,
            "id": one.decision,
            "new": one.decision is not None,
        }
        for one in found
    ]


def _headline(item: Item, place: str, width: int) -> Text:
    name = f"── {TITLES[item.kind]} "
    rule = "─" * max(1, width - len(name) - len(place) - 1)
    return Text(f"{name}{rule} {place}", style="cyan")


def _side(side: Side, rows: int, width: int) -> list[RenderableType]:
    note = f" · {side.note}" if side.note else ""
    head = one_line(f"{side.handle}{note}", width)
    told = one_line(side.text.replace("\n", " — ", 1), rows * (width - 4) - 4)
    text = Text(told or "no text", style="" if told else "dim")
    return [Text(head, style="dim"), Padding(text, (0, 0, 0, 4))]


def _hanging(name: str, text: str, width: int, *, style: str = "") -> RenderableType:
    from kbagent.cli.page import Item as Line

    return Line(name, one_line(text, 3 * (width - 4)), 4, style)


def _formerly(former: Decision) -> str:
    who = f" by {former.by}" if former.by else ""
    said = former.data["decision"]
    since = "" if said == Answer.LATER else "; what it rests on changed since"
    told = "put off" if said == Answer.LATER else f"{said}ed"
    return f"{told}{who} on {figures.day(former.at)}{since}"
