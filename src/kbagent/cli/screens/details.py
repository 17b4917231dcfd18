"""One case, resolution, issue or lookup in full."""

from collections.abc import Sequence
from functools import singledispatch

from kbagent.cli.output import one_line, visible
from kbagent.cli.page import Group, Padding, RenderableType, Text
from kbagent.cli.screens import figures
from kbagent.model.details import (
    CaseDetails,
    Correction,
    IssueDetails,
    LookupDetails,
    ResolutionDetails,
)

_LIST_LIMIT = 40  # lines of a list before it is cut; --format json has them all


@singledispatch
def format_details(found: object, *, width: int = 80) -> RenderableType:
    """The screen for one thing."""
    raise TypeError(f"no screen for {type(found).__name__} at width {width}")


@format_details.register
def _case(found: CaseDetails, *, width: int = 80) -> RenderableType:
    case = found.case
    lines: list[RenderableType] = [
        Text(f"{one_line(case.ref)}  {one_line(case.title)}", style="bold"),
        Text(
            f"{case.status} · opened {figures.day(case.opened_at)}"
            + (f" · closed {figures.day(case.closed_at)}" if case.closed_at else "")
            + f" · issue i{case.issue_id} ({found.membership or 'not placed'})",
            style="dim",
        ),
    ]
    if case.body.strip():
        lines += [Text(""), Text(visible(case.body).strip())]
    if found.attempts:
        lines += [Text(""), Text("What was tried", style="bold")]
        for attempt, text in found.attempts:
            lines.append(Text(f"  {attempt.verdict}  r{attempt.resolution_id}", style="green"))
            lines.append(Padding(Text(visible(text).strip()), (0, 0, 0, 4)))
    if found.siblings:
        names = ", ".join(one_line(ref, 30) for ref in found.siblings[:8])
        more = len(found.siblings) - 8
        tail = f" and {more} more" if more > 0 else ""
        lines += [Text(""), Text(f"Same issue: {names}{tail}")]
    if found.facets:
        lines += [Text(""), Text("Columns", style="bold")]
        lines += [
            Text(f"  {one_line(name, 28):<28}  {one_line(value, width - 34)}")
            for name, value in found.facets
        ]
    if found.versions_kept:
        times = "once" if found.versions_kept == 1 else f"{found.versions_kept} times"
        lines.append(Text(f"changed {times}; every version is kept"))
    lines += _corrections(found.corrections, width)
    return Group(*lines)


@format_details.register
def _resolution(found: ResolutionDetails, *, width: int = 80) -> RenderableType:
    one = found.resolution
    worked = f"{figures.number(found.worked)} of {figures.number(found.tried)} worked"
    lines: list[RenderableType] = [
        Text(f"r{one.id}" + (f"  code {one_line(one.code)}" if one.code else ""), style="bold"),
        Padding(Text(visible(one.text).strip()), (0, 0, 0, 2)),
        Text(worked if found.tried else "no outcome is known", style="green"),
    ]
    if found.wordings:
        lines += [Text(""), Text("Also worded", style="bold")]
        lines += [
            Text(f"  r{other.id}  {one_line(other.text, width - 12)}")
            for other in found.wordings[:_LIST_LIMIT]
        ]
    if found.uses:
        lines += [Text(""), Text("By issue", style="bold")]
        lines += [
            Text(
                f"  i{use.issue_id:<7} {figures.number(use.worked)} of"
                f" {figures.number(use.tried)}  {one_line(use.title, width - 28)}"
            )
            for use in found.uses[:_LIST_LIMIT]
        ]
    if found.cases:
        lines += [Text(""), Text("Tried on", style="bold")]
        lines += [
            Text(f"  {one_line(ref, 30):<30}  {figures.day(opened)}  {verdict}")
            for ref, verdict, opened in found.cases[:_LIST_LIMIT]
        ]
        lines += _more(len(found.cases))
    lines += _corrections(found.corrections, width)
    return Group(*lines)


@format_details.register
def _issue(found: IssueDetails, *, width: int = 80) -> RenderableType:
    count = len(found.instances)
    lines: list[RenderableType] = [
        Text(f"i{found.issue_id}  {one_line(found.title)}", style="bold"),
        Text(f"{count} case{'s' if count != 1 else ''}", style="dim"),
    ]
    if found.frozen:
        since, order = found.frozen
        kept = one_line(", ".join(order), width - 30)
        lines.append(Text(f"frozen since {figures.day(since)}: {kept}", style="yellow"))
    if found.uses:
        lines += [Text(""), Text("Resolutions", style="bold")]
        for one, tried, worked, used in found.uses[:_LIST_LIMIT]:
            told = (
                f"{figures.number(worked)} of {figures.number(tried)} worked"
                if tried
                else f"suggested {used} time{'s' if used != 1 else ''}, outcome unknown"
            )
            lines.append(Text(f"  r{one.id}  {told}", style="green"))
            lines.append(Padding(Text(one_line(one.text, 2 * (width - 6))), (0, 0, 0, 4)))
    lines += [Text(""), Text("Instances, oldest first", style="bold")]
    for case, kind, confidence in found.instances[:_LIST_LIMIT]:
        surety = f"assigned at {confidence:.2f}" if kind == "assigned" else kind
        head = f"  {figures.day(case.opened_at)}  {one_line(case.ref, 26)}  {surety}  "
        lines.append(Text(head + one_line(case.title, max(10, width - len(head)))))
    lines += _more(count)
    return Group(*lines)


@format_details.register
def _lookup(found: LookupDetails, *, width: int = 80) -> RenderableType:
    lines: list[RenderableType] = [
        Text(f"{found.kind} {found.handle}  {found.at:%Y-%m-%d %H:%M} UTC", style="bold"),
        Text(one_line(found.query, 3 * width)),
        Text(
            f"policy {found.policy_version} · {'confident' if found.confident else 'not confident'}"
            + (f" · by {one_line(found.by)}" if found.by else ""),
            style="dim",
        ),
        Text(""),
    ]
    for rank, issue_id, text, confidence, propensity in found.shown:
        mark = f"[{rank}]" if rank is not None else "   "
        sure = f"i{issue_id} sure {figures.percent(confidence)}"
        chance = f" · shown here with p = {propensity:.3g}" if propensity is not None else ""
        lines.append(Text(f"{mark} {sure}{chance}", style="cyan"))
        lines.append(Padding(Text(one_line(text, width - 6) or "no resolution"), (0, 0, 0, 4)))
    lines.append(Text(""))
    if not found.outcomes:
        lines.append(Text(f"no outcome yet: kbagent worked {found.handle} 1", style="dim"))
    lines += [
        Text(
            f"{figures.day(one.recorded_at)}"
            f"  {one.verdict if one.undoes is None else f'outcome {one.undoes} taken back'}"
            f"  r{one.resolution_id}" + (f"  {one_line(one.note, 40)}" if one.note else "")
        )
        for one in found.outcomes
    ]
    return Group(*lines)


def _corrections(found: Sequence[Correction], width: int) -> list[Text]:
    """Who put what right, and what of it the source has changed since."""
    lines = []
    for one in found:
        by = f" by {one_line(one.by, 24)}" if one.by else ""
        told = f"edited{by} {figures.day(one.at)} (correction {one.number}): "
        lines.append(Text(one_line(told + ", ".join(one.columns), width), style="yellow"))
        if one.overtaken:
            since = f"  the source has changed since: {', '.join(one.overtaken)}"
            lines.append(Text(one_line(since, width), style="dim"))
    return lines


def _more(total: int) -> list[Text]:
    rest = total - _LIST_LIMIT
    return [Text(f"  … and {rest} more: --format json", style="dim")] if rest > 0 else []
