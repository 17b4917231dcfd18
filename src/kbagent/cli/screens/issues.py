"""Lists of issues and of what people decided about them."""

from collections.abc import Sequence

from kbagent.cli.output import one_line, to_csv, to_markdown
from kbagent.cli.page import Group, RenderableType, Text
from kbagent.cli.screens import figures
from kbagent.store.decisions import Decision
from kbagent.store.issues import Listed, Placement

_COLUMNS = ("issue", "instances", "first_seen", "last_seen", "longest_gap_days", "title")


def format_issues(found: Sequence[Listed], *, width: int = 80) -> RenderableType:
    """One issue a line: how often, when, the longest silence, its title."""
    if not found:
        return Text("No such issue is known.  next: kbagent import FILE")
    lines = [Text(f"{'issue':<8} {'cases':>5}  {'last seen':<10}  {'gap':>6}  title", style="dim")]
    for one in found:
        head = (
            f"{f'i{one.issue_id}':<8} {one.instances:>5}  {figures.day(one.last_seen):<10}"
            f"  {f'{one.longest_gap:.0f} d' if one.longest_gap else '':>6}  "
        )
        lines.append(Text(head + one_line(one.title, max(10, width - len(head)))))
    return Group(*lines)


def issues_csv(found: Sequence[Listed]) -> str:
    """The list as CSV."""
    return to_csv(_COLUMNS, [_row(one) for one in found])


def issues_markdown(found: Sequence[Listed]) -> str:
    """The list as a Markdown table."""
    return to_markdown(_COLUMNS, [_row(one) for one in found])


def format_decisions(found: Sequence[Decision], *, width: int = 80) -> RenderableType:
    """One decision a line, newest first."""
    if not found:
        return Text("Nobody has decided anything here yet.")
    lines = []
    for one in found:
        told = one.kind + (f" of {one.undoes}" if one.undoes is not None else "")
        issue = f" i{one.issue_id}" if one.issue_id else ""
        issue += f" r{one.resolution_id}" if one.resolution_id else ""
        who = f" by {one.by}" if one.by else ""
        name = one.data.get("title") or one.data.get("name")
        title = f" '{name}'" if name else ""
        line = f"{one.id:>6}  {figures.day(one.at)}  {told}{issue}{title}{who}"
        lines.append(Text(one_line(line, width)))
    return Group(*lines)


def format_placements(ref: str, found: Sequence[Placement], *, width: int = 80) -> RenderableType:
    """In which issues a case was, since when, and why; oldest first."""
    if not found:
        return Text(f"{one_line(ref)} is not in an issue yet.")
    lines = [Text(f"{one_line(ref)}: where it was put, and why", style="bold")]
    for one in found:
        sure = f" {one.confidence:.2f}" if one.kind == "assigned" else ""
        who = f" by {one.by}" if one.by else ""
        told = f"{f'i{one.issue_id}':<8}  {one.kind}{sure}  {one.why}{who}  ({one.method})"
        lines.append(Text("  " + one_line(f"{figures.day(one.at)}  {told}", width - 2)))
    return Group(*lines)


def _row(one: Listed) -> tuple[object, ...]:
    return (
        f"i{one.issue_id}",
        one.instances,
        figures.day(one.first_seen),
        figures.day(one.last_seen),
        round(one.longest_gap, 1),
        one.title,
    )
