"""Where tickets belong, in words, with the doubt that is left."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kbagent.cli.output import one_line, to_csv, to_markdown
from kbagent.cli.page import Group, Padding, RenderableType, Text
from kbagent.cli.screens import figures
from kbagent.cli.screens.roles import columns_json, read_from
from kbagent.cli.screens.signs import lines_of_moment, sign_lines, signs_json
from kbagent.cli.tickets import Refused
from kbagent.usecases.mine.precedent import Precedent, Share
from kbagent.usecases.mine.routes import FEWEST_LABELLED, Guess, HeldOut, Routed, Routes

HEADER = (
    "place",
    "id",
    "text",
    "field",
    "answer",
    "confidence",
    "escalation",
    "issue",
    "why",
    "no answer because",
    "no escalation because",
    "earlier cases",
    "patterns",
)
NO_CASES = "there are no cases to learn from yet"
NO_FIELD = f"queue and priority: fewer than {FEWEST_LABELLED} cases say them, or all alike"
UNLIKE = "unlike anything stored"


def format_routes(found: Routes, refused: Sequence[Refused] = ()) -> RenderableType:
    """The screen: one ticket, or a queue of them, the one to take first at the head.

    What holds for every ticket of a queue alike is said once, at its foot.
    """
    if not found.learned_from:
        no_cases = Text("There are no cases to learn from yet. Bring some in: kbagent import FILE")
        return Group(no_cases, *_refused(refused))
    lines: list[RenderableType] = []
    many = len(found.routed) > 1
    for place, one in enumerate(found.routed, start=1):
        named = "" if one.name is None else f"{one_line(str(one.name), 24)} · "
        if many:
            lines.append(Text(one_line(f"{place}. {named}{one.text}", 78), "bold"))
            lines.append(_in("; ".join(one.why) or "nothing makes it more urgent than others"))
        elif named:
            lines.append(Text(one_line(f"{named}{one.text}", 78), "bold"))
        lines += _routed(one, found, alone=not many)
        if many:
            lines.append(Text(""))
    alike = [*(_in(line, "yellow") for line in _of_all(found)), *map(_in, lines_of_moment(found))]
    if many and alike:
        lines += [Text("For every ticket"), *alike]
    lines += [Text(line, "dim") for line in _read_from(found)]
    about = f"learned from the latest {_latest(found.learned_from)}; silent below"
    lines.append(Text(f"{about} {figures.percent(found.confident_at)} confidence", "dim"))
    return Group(*lines, *_refused(refused))


def _latest(count: int) -> str:
    return "case" if count == 1 else figures.cases(count)


def _read_from(found: Routes) -> list[str]:
    """Which columns the fields are, where their names do not say it."""
    lines = []
    for name, columns in found.columns:
        if len(columns) > 1:
            lines.append(f"the {one_line(name, 40)} is the column {read_from(columns)}")
        elif name == found.queue != "queue":
            lines.append(f"the queue is the column {one_line(name, 40)}")
    return lines


def _refused(refused: Sequence[Refused]) -> list[RenderableType]:
    """The tickets that could not be read, at the end."""
    if not refused:
        return []
    lines: list[RenderableType] = [Text(f"Not routed: {len(refused):,}", "bold")]
    for one in refused:
        named = "" if one.name is None else f" ({one_line(str(one.name), 24)})"
        lines.append(_in(f"{one.place}{named}: {one.reason}", "red"))
    return lines


def _of_all(found: Routes) -> list[str]:
    """What is claimed of no ticket whatever it says, and why."""
    like = [one for one in found.routed if not one.unlike]
    if not like:
        return []
    first = like[0]
    lines = [
        f"{_field(one)}: nothing claimed, {_beaten(one.held_out)}"
        for one in first.guesses
        if one.held_out is not None and not one.held_out.better
    ]
    if not first.guesses:
        lines.append(NO_FIELD)
    if not _escalation_can_be_told(first, found.escalation):
        said = replace(first, escalation=first.usual_escalation, precedent=None)
        lines.append(_escalation(said, found.escalation))
    return lines


def _escalation_can_be_told(one: Routed, held_out: HeldOut | None) -> bool:
    """Whether escalation was learned, and is believed, of tickets like those stored."""
    return one.usual_escalation is not None and (held_out is None or held_out.better)


def routes_json(found: Routes, refused: Sequence[Refused] = ()) -> dict[str, Any]:
    """The same for a script."""
    return {
        "learned_from": found.learned_from,
        "confident_at": found.confident_at,
        "facets": list(found.facets),
        "queue_facet": found.queue,
        "columns": {name: columns_json(of) for name, of in found.columns},
        "tickets": [_ticket(one, found) for one in found.routed],
        "escalation_held_out": _held_out(found.escalation),
        "refused": [{"place": one.place, "id": one.name, "reason": one.reason} for one in refused],
    }


def routes_csv(found: Routes, refused: Sequence[Refused] = ()) -> str:
    """A table for a spreadsheet: a row per ticket and field."""
    return to_csv(HEADER, [*_rows(found), *_refused_rows(refused)])


def routes_markdown(found: Routes, refused: Sequence[Refused] = ()) -> str:
    """A table for a page."""
    return to_markdown(HEADER, [*_rows(found), *_refused_rows(refused)])


def _routed(one: Routed, found: Routes, *, alone: bool) -> list[RenderableType]:
    if one.unlike:
        said = f"{UNLIKE}: no field, escalation or issue is claimed"
        return [_in(said, "yellow"), *_nearest(one)]
    lines: list[RenderableType] = [
        _guess(guess)
        for guess in one.guesses
        if alone or guess.held_out is None or guess.held_out.better
    ]
    if alone and not one.guesses:
        lines.append(_in(NO_FIELD))
    if alone or _escalation_can_be_told(one, found.escalation):
        lines.append(_in(_escalation(one, found.escalation)))
    if one.issue is None:
        lines.append(_in("issue: none that is known well enough; it may be new"))
    else:
        issue_id, title, confidence = one.issue
        told = f"issue: i{issue_id} {one_line(title, 48)} ({figures.percent(confidence)} sure)"
        lines.append(_in(told))
    lines += [_in(line) for line in _precedent(one)]
    if one.rise is not None:
        since = figures.day(one.rise.began)
        release = f" since release {one_line(one.rise.release)}" if one.rise.release else ""
        count = figures.cases(one.rise.observed)
        lines.append(_in(f"rising now: {count} since {since}{release}", "red"))
    if patterned := sign_lines(one, found, alone=alone):
        lines += [_in("patterns it shows"), *(_in(line, left=4) for line in patterned)]
    if one.collect:
        fields = ", ".join(
            f"{one_line(f.name, 24)} ({f.filled} of {f.cases} had it)" for f in one.collect[:4]
        )
        lines.append(_in(f"ask at once for: {fields}"))
    return [*lines, *_nearest(one)]


def _precedent(one: Routed) -> list[str]:
    """What became of the earlier cases of its issue, in words."""
    before = one.precedent
    if before is None:
        return []
    alone = len(before.issues) == 1
    made = []
    if before.escalated is not None:
        share = before.escalated
        usual = "" if before.usual is None else f"; {figures.percent(before.usual)} is usual"
        were = "was" if share.count == 1 else "were"
        made.append(
            f"of {_earlier(share, alone=alone)} {share.count or 'none'} {were} escalated{usual}"
        )
    if before.queue is not None and not any(g.is_queue and g.label for g in one.guesses):
        name, share = before.queue
        whole = share.count == share.cases
        some = "" if whole else f"{share.count} of "
        went = f"{'all ' if whole else ''}went to {one_line(name, 30)}"
        made.append(f"{some}{_earlier(share, alone=alone)} {went}")
    return made


def _earlier(share: Share, *, alone: bool) -> str:
    """The cases that were counted, those of its relatives told of."""
    earlier = f"its {share.cases} earlier case{'s' * (share.cases != 1)}"
    return f"{earlier}{'' if alone else ' (with issues like it)'}"


def _nearest(one: Routed) -> list[RenderableType]:
    near = ", ".join(f"{one_line(ref, 24)} {value:.2f}" for ref, _, value in one.neighbours)
    return [_in(f"nearest: {near}", "dim")] if near else []


def _escalation(one: Routed, held_out: HeldOut | None) -> str:
    usual = figures.percent(one.usual_escalation or 0.0)
    silent = _escalation_silent(one, held_out)
    if silent is not None:
        said = f"escalation: nothing claimed, {silent}"
        counted = one.precedent is not None and one.precedent.escalated is not None
        # Where its issue's cases were counted, the usual share stands beside their count.
        return said if counted else f"{said}; {usual} is usual"
    if one.escalation is None:
        return "escalation: too few cases say whether they were escalated"
    return f"escalation: {figures.percent(one.escalation)} likely, {usual} is usual"


def _escalation_silent(one: Routed, held_out: HeldOut | None) -> str | None:
    """Why nothing is said of it, though enough cases were escalated or not."""
    if one.usual_escalation is None:
        return None
    if one.escalation is None:
        return f"the ticket is {UNLIKE}"
    if held_out is None or held_out.better:
        return None
    return f"no better than always stating the usual share (on the latest {held_out.cases:,})"


def _why_silent(one: Guess) -> str | None:
    """Why no label is claimed, whatever its confidence."""
    if one.unlike:
        return f"the ticket is {UNLIKE} with a {_field(one)}"
    held = one.held_out
    return None if held is None or held.better else _beaten(held)


def _beaten(held: HeldOut) -> str:
    """That the router was no better than the most frequent value."""
    rates = f"{figures.percent(held.right)} against {figures.percent(held.usual_right)}"
    named = f"no better than always naming {one_line(held.usual, 30)}"
    return f"{named} ({rates} on the latest {held.cases:,})"


def _field(one: Guess) -> str:
    """What a person calls it: the queue, whatever the export calls that."""
    return "queue" if one.is_queue else one_line(one.name, 24)


def _guess(one: Guess) -> RenderableType:
    name = _field(one)
    silent = _why_silent(one)
    if silent is not None:
        return _in(f"{name}: nothing claimed, {silent}", "yellow")
    others = ", ".join(f"{one_line(label, 24)} {figures.percent(p)}" for label, p in one.others[:3])
    if one.label is None:
        return _in(f"{name}: not sure enough to say; {others}", "yellow")
    more = ", ".join(
        f"{one_line(label, 24)} {figures.percent(p)}" for label, p in one.others[1:3] if p >= 0.01
    )
    told = f"{name}: {one_line(one.label, 30)} ({figures.percent(one.confidence)} sure)"
    changed = "; lately it changed, so the latest cases count most" if one.followed else ""
    return _in(told + (f"; else {more}" if more else "") + changed, "green")


def _in(text: str, style: str = "", left: int = 2) -> Padding:
    return Padding(Text(text, style), (0, 0, 0, left))


def _ticket(one: Routed, found: Routes) -> dict[str, Any]:
    return {
        "id": one.name,
        "text": one.text,
        "predictions": [
            {
                "field": guess.name,
                "answer": guess.label,
                "confidence": round(guess.confidence, 4),
                "candidates": [[label, round(p, 4)] for label, p in guess.others],
                "neighbours": [list(pair) for pair in guess.neighbours],
                "changed_lately": guess.followed,
                "unlike": guess.unlike,
                "held_out": _held_out(guess.held_out),
                "why_silent": _why_silent(guess),
            }
            for guess in one.guesses
        ],
        "escalation": None if one.escalation is None else round(one.escalation, 4),
        "usual_escalation": one.usual_escalation and round(one.usual_escalation, 4),
        "issue": one.issue
        and {"id": f"i{one.issue[0]}", "title": one.issue[1], "confidence": round(one.issue[2], 4)},
        "earlier_cases": _precedent_json(one.precedent),
        "rising": one.rise
        and {
            "cases": one.rise.observed,
            "began": one.rise.began,
            "release": one.rise.release or None,
        },
        "collect": [{"field": f.name, "filled": f.filled, "cases": f.cases} for f in one.collect],
        "neighbours": [
            {"case": ref, "title": title, "similarity": round(value, 4)}
            for ref, title, value in one.neighbours
        ],
        "why": list(one.why),
        "unlike": one.unlike,
        "escalation_why_silent": _escalation_silent(one, found.escalation),
        "patterns": signs_json(one.signs, found.names),
    }


def _precedent_json(before: Precedent | None) -> dict[str, Any] | None:
    if before is None:
        return None
    queue = before.queue
    return {
        "issues": [f"i{one}" for one in before.issues],
        "escalated": before.escalated and _share(before.escalated),
        "usual_escalation": None if before.usual is None else round(before.usual, 4),
        "more_than_usual": before.escalates_more,
        "queue": queue and {"name": queue[0], **_share(queue[1])},
    }


def _share(one: Share) -> dict[str, Any]:
    low, high = round(one.low, 4), round(one.high, 4)
    return {"count": one.count, "cases": one.cases, "low": low, "high": high}


def _held_out(one: HeldOut | None) -> dict[str, Any] | None:
    return (
        None
        if one is None
        else {
            "cases": one.cases,
            "accuracy": round(one.right, 4),
            "most_frequent": one.usual,
            "most_frequent_accuracy": round(one.usual_right, 4),
            "better": one.better,
        }
    )


def _rows(found: Routes) -> list[list[object]]:
    rows: list[list[object]] = []
    for place, one in enumerate(found.routed, start=1):
        silent = _no_escalation(one, found)
        escalation = None if one.escalation is None or silent else round(one.escalation, 4)
        issue = f"i{one.issue[0]}" if one.issue else None
        fields: list[tuple[str | None, str | None, float | None, str | None]] = [
            (guess.name, guess.label, round(guess.confidence, 4), _no_answer(guess, found))
            for guess in one.guesses
        ]
        for name, label, confidence, because in fields or [(None, None, None, _no_field(found))]:
            named = None if one.name is None else str(one.name)
            why = "; ".join(one.why)
            told = [place, named, one.text, name, label, confidence, escalation, issue, why]
            shown = "; ".join(sign_lines(one, found)) or None
            rows.append([*told, because, silent, "; ".join(_precedent(one)) or None, shown])
    return rows


def _refused_rows(refused: Sequence[Refused]) -> list[list[object]]:
    """A row for each ticket that could not be read, its place and why."""
    because = HEADER.index("no answer because")
    made = []
    for one in refused:
        row: list[object] = [None] * len(HEADER)
        row[1] = None if one.name is None else str(one.name)
        row[because] = f"{one.place}: {one.reason}"
        made.append(row)
    return made


def _no_answer(guess: Guess, found: Routes) -> str | None:
    """Why a table has no answer for a field; None where it has one."""
    if guess.label is not None:
        return None
    sure = figures.percent(guess.confidence), figures.percent(found.confident_at)
    return _why_silent(guess) or f"not sure enough ({sure[0]}, {sure[1]} are needed)"


def _no_escalation(one: Routed, found: Routes) -> str | None:
    """Why a table says nothing of escalation; None where it does."""
    if not found.learned_from:
        return NO_CASES
    silent = _escalation_silent(one, found.escalation)
    if silent is None and one.escalation is None:
        return "too few cases say whether they were escalated"
    return silent


def _no_field(found: Routes) -> str:
    """Why a table has no field at all."""
    return NO_FIELD if found.learned_from else NO_CASES
