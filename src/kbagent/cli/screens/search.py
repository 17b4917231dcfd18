"""The answer to a search, for a tired engineer at 80 columns and for a script.

The answer comes first, the evidence as numbers with a small bar, the handle to copy, what to type
next. The JSON is a contract: `docs/search.schema.json`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kbagent.cli.output import one_line, to_csv, to_json, to_markdown, visible
from kbagent.cli.page import Group, Padding, RenderableType, Text
from kbagent.cli.screens import figures
from kbagent.model.lookup import InstanceHit, IssueHit, LookupResult, ResolutionHit

_TEXT_LINES = 2  # of a resolution, unless it is shown in full
_MEMBERSHIP = {"human": "set", "linked": "linked", "founder": "first", "similar": "similar only"}


def format_search(
    result: LookupResult, *, width: int = 80, full: bool = False, explain: bool = False
) -> RenderableType:
    """The screen of a search."""
    parts: list[RenderableType] = [_headline(result)]
    parts += [
        Padding(Text(f"note: {visible(note)}", style="yellow"), (0, 0, 0, 2))
        for note in result.notes
    ]
    for place, issue in enumerate(result.issues, start=1 + result.request.offset):
        parts.append(Text(""))
        parts.append(_issue(issue, place, width, full=full, everything=result.request.everything))
        if explain:
            parts.append(_explanation(issue))
    parts += [Text(""), _next_steps(result)]
    return Group(*parts)


def search_json(result: LookupResult) -> dict[str, Any]:
    """The JSON contract of a search."""
    return {
        "lookup": result.handle,
        "query": result.request.query,
        "confident": result.confident,
        "hidden": result.hidden,
        "policy": result.policy_version,
        "notes": list(result.notes),
        "issues": [_issue_json(issue) for issue in result.issues],
    }


def search_jsonl(result: LookupResult) -> str:
    """One issue a line."""
    return "\n".join(to_json(_issue_json(issue), indent=None) for issue in result.issues)


_COLUMNS = (
    "lookup",
    "issue",
    "confidence",
    "instances",
    "title",
    "rank",
    "resolution",
    "tried",
    "worked",
    "rate",
    "low",
    "high",
    "text",
)


def search_csv(result: LookupResult) -> str:
    """One resolution a row; an issue without one has a row of its own."""
    return to_csv(_COLUMNS, _rows(result))


def search_markdown(result: LookupResult) -> str:
    """The same as a Markdown table."""
    return to_markdown(_COLUMNS, _rows(result))


def _headline(result: LookupResult) -> Text:
    if not result.issues:
        named = f"  (lookup {result.handle})" if result.handle else ""
        return Text(f"Nothing similar is known.{named}", style="bold")
    line = Text()
    if result.confident:
        line.append("Known problem", style="bold green")
    else:
        line.append("Not sure: the nearest are", style="bold yellow")
    shown = len(result.issues)
    line.append(f" · {shown} issue{'s' if shown > 1 else ''} shown")
    if result.hidden:
        line.append(f", {result.hidden} weaker hidden")
    if result.handle:
        line.append(" · lookup ")
        line.append(result.handle, style="bold")
    return line


def _issue(
    issue: IssueHit, place: int, width: int, *, full: bool, everything: bool
) -> RenderableType:
    head = Text()
    head.append(f"{place}. ", style="bold")
    room = width - head.cell_len - len("  sure 100 %")
    title = one_line(issue.title, room)
    head.append(title, style="bold")
    head.append(" " * max(2, width - head.cell_len - len("sure 100 %")))
    head.append(f"sure {figures.percent(issue.confidence):>5}", style="cyan")
    about = [
        f"{issue.instance_count} case{'s' if issue.instance_count != 1 else ''}",
        figures.period(issue.first_seen, issue.last_seen),
        figures.versions(tuple(one_line(name, 16) for name in issue.versions)),
        f"issue i{issue.issue_id}" if issue.issue_id > 0 else "",
    ]
    lines: list[RenderableType] = [
        head,
        Text("   " + " · ".join(part for part in about if part), style="dim"),
    ]
    if not issue.resolutions:
        lines.append(Text("   no resolution is recorded", style="dim"))
    for resolution in issue.resolutions:
        lines.extend(_resolution(resolution, width, full=full))
    lines.append(_instances(issue.instances, issue.instance_count, width, everything=everything))
    return Group(*lines)


def _resolution(resolution: ResolutionHit, width: int, *, full: bool) -> list[RenderableType]:
    evidence = resolution.evidence
    line = Text("   ")
    line.append(f"[{resolution.rank}] ", style="bold green")
    known = evidence.tried > 0
    line.append(figures.bar(evidence.rate if known else 0.0), style="green" if known else "dim")
    line.append(f" {figures.standing(evidence)}")
    if evidence.last_worked is not None:
        line.append(f" · last {figures.day(evidence.last_worked)}", style="dim")
    line.append(f" · r{resolution.resolution_id}", style="dim")
    found: list[RenderableType] = [line]
    found += [Text(f"       {mark}", style="yellow") for mark in _marks(resolution)]
    if full:
        found.append(Padding(Text(visible(resolution.text).strip()), (0, 0, 0, 7)))
    else:
        text = one_line(resolution.text, _TEXT_LINES * (width - 9))
        found.append(Padding(Text(text), (0, 0, 0, 7)))
    return found


def _marks(resolution: ResolutionHit) -> list[str]:
    evidence = resolution.evidence
    marks = []
    if resolution.pinned:
        marks.append("put here by a person")
    if resolution.explored:
        marks.append("explored: shown to learn more about it")
    if evidence.within:
        marks.append(f"counted only where {one_line(evidence.within)}")
    if evidence.broke is not None:
        marks.append(figures.stopped(evidence.broke))
    return marks


def _instances(
    instances: Sequence[InstanceHit], total: int, width: int, *, everything: bool
) -> RenderableType:
    lines: list[RenderableType] = []
    before: datetime | None = None
    for hit in instances:
        if everything and before is not None and hit.opened_at is not None:
            gap = (hit.opened_at - before).days
            if gap >= 30:
                lines.append(Text(f"       … {gap} days …", style="dim"))
        before = hit.opened_at or before
        line = Text("     ")
        line.append(one_line(hit.ref, 24), style="cyan")
        line.append(f"  {figures.day(hit.opened_at)}  {hit.status}", style="dim")
        line.append(f"  {_surety(hit)}" if everything else f"  {hit.similarity:.2f}", style="dim")
        room = width - line.cell_len - 2
        if room > 12:
            line.append("  " + one_line(hit.title, room))
        lines.append(line)
    rest = total - len(instances)
    if rest > 0:
        lines.append(Text(f"     … and {rest} more: kbagent search --all …", style="dim"))
    return Group(*lines)


def _surety(hit: InstanceHit) -> str:
    if hit.membership == "assigned":
        return f"assigned at {hit.membership_confidence:.2f}"
    return _MEMBERSHIP.get(hit.membership, hit.membership)


def _explanation(issue: IssueHit) -> RenderableType:
    terms = issue.terms
    rows = (
        ("score", terms.score),
        ("= (1 - e) * ((1 - c) * (w * similarity + (1 - w) * lexical) + c * closeness)", None),
        ("  + e * exact + evidence", None),
        ("w (dense weight)", terms.dense_weight),
        ("c (closeness weight)", terms.closeness_weight),
        ("e (exact weight)", terms.exact_weight),
        ("similarity", terms.similarity),
        ("lexical", terms.lexical),
        ("closeness", terms.closeness),
        ("exact", terms.exact),
        ("evidence", terms.evidence),
    )
    lines = [
        Text(f"     {name}" if value is None else f"     {name:<20} {value!r}", style="dim")
        for name, value in rows
    ]
    return Group(*lines)


def _next_steps(result: LookupResult) -> Text:
    ranks = [(one.rank, one.resolution_id) for issue in result.issues for one in issue.resolutions]
    if not ranks:
        return Text("next: kbagent add  (to keep this case once it is solved)", style="dim")
    if not result.handle:
        return Text("next: --full --all --explain", style="dim")
    first, resolution_id = ranks[0]
    return Text(
        f"next: kbagent worked {first} | kbagent failed {first} | kbagent show r{resolution_id}"
        " | --full --all",
        style="dim",
    )


def _rows(result: LookupResult) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for issue in result.issues:
        head = (
            result.handle,
            issue.issue_id,
            round(issue.confidence, 4),
            issue.instance_count,
            issue.title,
        )
        if not issue.resolutions:
            rows.append((*head, None, None, None, None, None, None, None, None))
        for one in issue.resolutions:
            low, high = one.evidence.interval
            rows.append(
                (
                    *head,
                    one.rank,
                    f"r{one.resolution_id}",
                    one.evidence.tried,
                    one.evidence.worked,
                    round(one.evidence.rate, 4),
                    round(low, 4),
                    round(high, 4),
                    one.text,
                )
            )
    return rows


def _issue_json(issue: IssueHit) -> dict[str, Any]:
    terms = issue.terms
    return {
        "id": f"i{issue.issue_id}" if issue.issue_id > 0 else None,
        "title": issue.title,
        "score": issue.score,
        "confidence": issue.confidence,
        "instance_count": issue.instance_count,
        "first_seen": _moment(issue.first_seen),
        "last_seen": _moment(issue.last_seen),
        "versions": list(issue.versions),
        "instances": [_instance_json(hit) for hit in issue.instances],
        "resolutions": [_resolution_json(one) for one in issue.resolutions],
        "terms": {
            "similarity": terms.similarity,
            "lexical": terms.lexical,
            "exact": terms.exact,
            "dense_weight": terms.dense_weight,
            "exact_weight": terms.exact_weight,
            "closeness": terms.closeness,
            "closeness_weight": terms.closeness_weight,
            "evidence": terms.evidence,
        },
    }


def _instance_json(hit: InstanceHit) -> dict[str, Any]:
    return {
        "case": hit.ref,
        "title": hit.title,
        "similarity": hit.similarity,
        "opened_at": _moment(hit.opened_at),
        "status": str(hit.status),
        "membership": hit.membership,
        "membership_confidence": hit.membership_confidence,
    }


def _resolution_json(one: ResolutionHit) -> dict[str, Any]:
    evidence = one.evidence
    broke = evidence.broke
    return {
        "id": f"r{one.resolution_id}",
        "rank": one.rank,
        "text": one.text,
        "tried": evidence.tried,
        "worked": evidence.worked,
        "rate": evidence.rate,
        "interval": list(evidence.interval),
        "unknown": evidence.unknown,
        "last_worked": _moment(evidence.last_worked),
        "versions": list(evidence.versions),
        "within": evidence.within,
        "broke": None
        if broke is None
        else {
            "at": _moment(broke.at),
            "noticed_at": _moment(broke.noticed_at),
            "worked_before": broke.worked_before,
            "tried_before": broke.tried_before,
            "worked_since": broke.worked_since,
            "tried_since": broke.tried_since,
        },
        "propensity": one.propensity,
        "explored": one.explored,
        "pinned": one.pinned,
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
