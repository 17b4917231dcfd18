"""The policy file: what applying it changes, and its versions."""

from collections.abc import Mapping, Sequence
from typing import Any

from kbagent.cli.output import one_line
from kbagent.cli.page import Group, Padding, RenderableType, Text
from kbagent.usecases.learn.confidence import Certain
from kbagent.usecases.revise.charter.amendment import Amendment, Version
from kbagent.usecases.revise.charter.document import TABLES, Charter, Rule, fields_of
from kbagent.usecases.revise.charter.foresight import Difference, Foreseen, Seen

_SHOWN = 6  # rules and lookups that are listed before it is cut


def format_amendment(
    amendment: Amendment, before: Charter, certain: Certain | None, *, width: int = 80
) -> RenderableType:
    """What is added, what is taken back, and what the promise becomes."""
    lines: list[RenderableType] = [Text(_summary(amendment), style="bold")]
    marked = [("-", "red", rule) for rule in amendment.lifted]
    marked += [("+", "green", rule) for rule in amendment.added]
    for sign, style, rule in marked[: 2 * _SHOWN]:
        lines.append(Text(f"  {sign} {one_line(rule_line(rule), width - 4)}", style=style))
    if len(marked) > 2 * _SHOWN:
        lines.append(Text(f"  … and {len(marked) - 2 * _SHOWN} more", style="dim"))
    if amendment.promise:
        was, becomes = _promised(before), _promised(amendment.wanted)
        lines.append(Text(f"  promise: {becomes} (was: {was})"))
        if certain is not None:
            told = f"answers from confidence {certain.threshold:.2f} on: {certain.basis}"
            lines.append(Padding(Text(one_line(told, 3 * width), style="dim"), (0, 0, 0, 4)))
    return Group(*lines)


def format_foreseen(foreseen: Foreseen, *, width: int = 80) -> RenderableType:
    """What would have gone another way, counted, and the first few."""
    if not foreseen.looked:
        return Text("No lookup is on record to show what would change.", style="dim")
    found = foreseen.found
    of = f"the last {foreseen.looked} lookups" if foreseen.looked > 1 else "the only lookup"
    if not found:
        return Text(f"None of {of} would change." if foreseen.looked > 1 else f"{of} stays.")
    lines = [Text(f"Of {of} {len(found)} would change:", style="bold")]
    counts = (
        (sum(one.moved for one in found), "another resolution first"),
        (sum(one.handed for one in found), "handed to a person"),
        (sum(one.returned for one in found), "no longer handed to a person"),
        (sum(one.lost for one in found), "no answer by `solve` any more"),
        (sum(one.gained for one in found), "an answer by `solve` where there was none"),
    )
    lines += [Text(f"  {count:>4}  {told}") for count, told in counts if count]
    for one in found[:_SHOWN]:
        lines.append(Text(_difference(one, width), style="dim"))
    if len(found) > _SHOWN:
        lines.append(Text(f"  … and {len(found) - _SHOWN} more", style="dim"))
    return Group(*lines)


def rule_line(rule: Rule) -> str:
    """A rule on one line, its keys as in the file."""
    if rule.kind == "trust":
        return f"trust {one_line(str(rule.get('source')), 30)} = {rule.get('weight'):g}"
    if rule.kind == "minimum-evidence":
        return f"minimum-evidence = {rule.get('tried')}"
    told = ", ".join(f"{key} = {value}" for key, value in fields_of(rule))
    general = rule.kind == "max-displacement" and rule.issue_id is None
    return one_line(told if general else f"{TABLES[rule.kind]}: {told}")


def history_rows(found: Sequence[Version]) -> list[dict[str, Any]]:
    """One row a version, newest first."""
    return [
        {
            "version": one.number,
            "at": one.at,
            "by": one.by,
            "from": one.source,
            "added": one.added,
            "taken_back": one.lifted,
            "rules": len(one.charter.rules),
        }
        for one in found
    ]


def format_history(rows: Sequence[Mapping[str, Any]], *, width: int = 80) -> RenderableType:
    """The versions, newest first."""
    lines = [Text("   version  when              rules  change    from", style="dim")]
    for row in rows:
        change = f"+{row['added']} -{row['taken_back']}"
        by = f", {row['by']}" if row["by"] else ""
        lines.append(
            Text(
                f"{row['version']:>10}  {row['at']:%Y-%m-%d %H:%M}  {row['rules']:>5}"
                f"  {change:<8}  {one_line(str(row['from']) + by, width - 46)}"
            )
        )
    lines.append(Text("see one: kbagent policy file --version N", style="dim"))
    return Group(*lines)


def _summary(amendment: Amendment) -> str:
    added, lifted = len(amendment.added), len(amendment.lifted)
    parts = [f"{added} rule{'s' if added != 1 else ''} added"] if added else []
    parts += [f"{lifted} taken back"] if lifted else []
    return ", ".join(parts) or "the promise changes"


def _promised(charter: Charter) -> str:
    return "none" if charter.promise is None else f"{charter.promise[0]} {charter.promise[1]:g}"


def _difference(one: Difference, width: int) -> str:
    told = _told(one)
    room = max(12, width - len(told) - len(one.handle) - 9)
    query = one_line(one.query, room)
    return f"  {one.handle}  {query:<{room}}  {told}"


def _told(one: Difference) -> str:
    """What becomes of one lookup, in few words."""
    if one.handed:
        return "→ a person"
    if one.returned:
        return f"a person → {_named(one.after.answer or one.after.first)}"
    if one.moved:
        return f"{_named(one.before.first)} → {_named(one.after.first)}"
    return f"answer {_answered(one.before)} → {_answered(one.after)}"


def _named(resolution_id: int | None) -> str:
    return "nothing" if resolution_id is None else f"r{resolution_id}"


def _answered(seen: Seen) -> str:
    return "none" if seen.answer is None else f"r{seen.answer}"
