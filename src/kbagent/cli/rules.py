"""`kbagent pin|forbid|deprecate|require-human` and `kbagent rules list|limit|undo`."""

from dataclasses import asdict
from typing import Annotated

import typer

from kbagent.cli.options import By, Format, Kb, ScreenFormat, folder_of
from kbagent.cli.output import one_line, tell, to_json, write
from kbagent.cli.requests import end_of
from kbagent.errors import BadValue
from kbagent.store.decisions import Decision
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.revise import rules as boundaries
from kbagent.usecases.revise.rules import Remark

pin = typer.Typer()
forbid = typer.Typer()
deprecate = typer.Typer()
require_human = typer.Typer()
rules = typer.Typer(no_args_is_help=True, help="See and take back the rules that people set.")

Issue = Annotated[str, typer.Argument(metavar="ISSUE", help="An issue like i5.")]
Resolution = Annotated[str, typer.Argument(metavar="RESOLUTION", help="A resolution like r17.")]
OfIssue = Annotated[
    str | None, typer.Option("--issue", metavar="ISSUE", help="For this issue only.")
]
Reason = Annotated[str | None, typer.Option("--reason", help="Why.")]


@pin.command()
def pin_resolution(
    issue: Issue, resolution: Resolution, *, reason: Reason = None, by: By = None, kb: Kb = None
) -> None:
    """Always show a resolution first for an issue."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        rule = boundaries.pin(base, issue, resolution, Remark(by, reason))
    _told(f"{resolution} comes first for {issue} now", rule)


@forbid.command()
def forbid_resolution(
    resolution: Resolution,
    *,
    issue: OfIssue = None,
    reason: Reason = None,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Never show a resolution again."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        rule = boundaries.forbid(base, resolution, issue, Remark(by, reason))
    _told(f"{resolution} is never shown{f' for {issue}' if issue else ''} now", rule)


@deprecate.command()
def deprecate_resolution(
    resolution: Resolution,
    *,
    issue: OfIssue = None,
    replaced_by: Annotated[
        str | None, typer.Option("--replaced-by", metavar="RESOLUTION", help="What to do instead.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="The last day this holds.")
    ] = None,
    reason: Reason = None,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Show a resolution after all others."""
    last = end_of("--until", until)
    remark = Remark(by, reason, replaced_by, last)
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        if last is not None and last <= base.clock():
            raise BadValue(name="--until", value=str(until), reason="that day is over already")
        rule = boundaries.deprecate(base, resolution, issue, remark)
    _told(f"{resolution} comes last{f' for {issue}' if issue else ''} now", rule)


@require_human.command()
def require_a_human(
    *,
    issue: OfIssue = None,
    keyword: Annotated[
        str | None, typer.Option("--keyword", help="Whenever this word is in the text.")
    ] = None,
    facet: Annotated[
        str | None, typer.Option("--facet", metavar="NAME=VALUE", help="For such cases.")
    ] = None,
    queue: Annotated[str | None, typer.Option("--queue", help="Who takes them.")] = None,
    reason: Reason = None,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Have `solve` hand something over to a person."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        rule = boundaries.require_human(
            base, Remark(by, reason, queue=queue), issue=issue, keyword=keyword, facet=facet
        )
    _told(f"{issue or keyword or facet} is for a human now", rule)


@rules.command()
def limit(
    *,
    places: Annotated[
        int | None,
        typer.Option("--places", min=0, help="Places that evidence may move a resolution."),
    ] = None,
    evidence: Annotated[
        int | None,
        typer.Option("--evidence", min=0, help="Trials that `solve` wants before it answers."),
    ] = None,
    issue: OfIssue = None,
    reason: Reason = None,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Limit what evidence may move, and how much of it an answer needs."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        made = boundaries.limit(
            base, Remark(by, reason), places=places, evidence=evidence, issue=issue
        )
    for rule in made:
        _told("limited", rule)


@rules.command("list")
def list_rules(*, output: ScreenFormat = Format.TABLE, kb: Kb = None) -> None:
    """List the rules in force, oldest first."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        found = boundaries.standing(base)
    if output is not Format.TABLE:
        write(to_json([asdict(one) for one in found]))
        return
    if not found:
        write(
            "No rules yet.  next: kbagent pin ISSUE RESOLUTION, kbagent require-human --keyword …"
        )
    for one in found:
        write(_line(one))


@rules.command()
def undo(
    rule: Annotated[int, typer.Argument(help="A rule's number, as `rules list` says.")],
    *,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Take a rule back."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        boundaries.undo(base, rule, by=by)
    write(f"taken back: rule {rule}")


def _line(one: Decision) -> str:
    parts = [
        f"{one.id:>5}  {one.at:%Y-%m-%d}  {one.kind}",
        f"r{one.resolution_id}" if one.resolution_id else "",
        f"i{one.issue_id}" if one.issue_id else "",
        *(f"{name}={value}" for name, value in one.data.items()),
        f"by {one.by}" if one.by else "",
    ]
    return one_line("  ".join(part for part in parts if part), 110)


def _told(what: str, rule: int) -> None:
    write(f"{what}  (take it back: kbagent rules undo {rule})")
