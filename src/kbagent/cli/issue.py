"""`kbagent issue list|show|merge|split|move|rename|freeze|history|undo`."""

from dataclasses import asdict
from typing import Annotated

import typer

from kbagent.cli.options import By, Format, Kb, ScreenFormat, TablesFormat, folder_of
from kbagent.cli.output import one_line, print_screen, screen_width, tell, to_json, write
from kbagent.cli.screens import issues as screens
from kbagent.cli.screens.details import format_details
from kbagent.errors import UsageError
from kbagent.store import decisions, issues
from kbagent.store.knowledge_base import KnowledgeBase, open_knowledge_base
from kbagent.usecases.retrieve.details import details_of
from kbagent.usecases.revise import families

app = typer.Typer(no_args_is_help=True, help="See and correct which cases belong together.")

Issue = Annotated[str, typer.Argument(metavar="ISSUE", help="An issue like i5.")]
Limit = Annotated[int, typer.Option("-n", min=1, max=100_000, help="How many to show.")]
RARE = (2, 5)  # instances of a rare issue


@app.command("list")
def list_issues(
    *,
    rare: Annotated[bool, typer.Option("--rare", help="Seen two to five times.")] = False,
    recurring: Annotated[bool, typer.Option("--recurring", help="Seen at least twice.")] = False,
    by_gap: Annotated[
        bool, typer.Option("--by-gap", help="Longest silence first: back after a long time.")
    ] = False,
    limit: Limit = 30,
    output: TablesFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """List issues, the most frequent first."""
    if rare and recurring:
        raise UsageError(what="Give either --rare or --recurring.")
    least, most = RARE if rare else (2 if recurring or by_gap else 1, None)
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        found = issues.listing(
            base.connection,
            least=least,
            most=most,
            order="gap" if by_gap else "instances",
            limit=limit,
        )
    if output is Format.TABLE:
        print_screen(screens.format_issues(found, width=screen_width()))
    elif output is Format.CSV:
        write(screens.issues_csv(found))
    elif output is Format.MD:
        write(screens.issues_markdown(found))
    else:
        write(to_json([asdict(one) for one in found]))


@app.command()
def show(issue: Issue, *, output: ScreenFormat = Format.TABLE, kb: Kb = None) -> None:
    """Show an issue with every instance and resolution."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        found = details_of(base, f"i{families.issue_number(issue)}")
    if output is Format.TABLE:
        print_screen(format_details(found, width=screen_width()))
    else:
        write(to_json(asdict(found)))


@app.command()
def merge(
    kept: Annotated[str, typer.Argument(metavar="ISSUE", help="The issue that stays.")],
    absorbed: Annotated[str, typer.Argument(metavar="OTHER", help="The issue that joins it.")],
    *,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Say that two issues are one."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        numbers = families.issue_number(kept), families.issue_number(absorbed)
        change = families.merge(base, *numbers, by=by)
    _told(f"i{numbers[1]} is part of i{numbers[0]} now", change)


@app.command()
def split(
    issue: Issue,
    cases: Annotated[list[str], typer.Argument(metavar="CASE…", help="Cases that leave it.")],
    *,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Say that some cases of an issue are another issue."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        own, change = families.split(base, families.issue_number(issue), cases, by=by)
    _told(
        f"{len(cases)} case{'s' if len(cases) != 1 else ''} moved to the new issue i{own}", change
    )


@app.command()
def move(
    case: Annotated[str, typer.Argument(metavar="CASE", help="A case as SOURCE:ID.")],
    issue: Issue,
    *,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Say that a case belongs to another issue."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        number = families.issue_number(issue)
        change = families.move(base, case, number, by=by)
    _told(f"{case} belongs to i{number} now", change)


@app.command()
def rename(
    issue: Issue,
    title: Annotated[str, typer.Argument(help="Its new title.")],
    *,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Give an issue a title of your own."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        number = families.issue_number(issue)
        change = families.rename(base, number, title, by=by)
    _told(f"i{number} is called '{title.strip()}' now", change)


@app.command()
def freeze(
    issue: Issue,
    *,
    off: Annotated[bool, typer.Option("--off", help="Let what is learned move it again.")] = False,
    reason: Annotated[str | None, typer.Option("--reason", help="Why.")] = None,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Let nothing learned move an issue.

    Its resolutions stand in one order from now on, by what is known today, whatever is asked and on
    whatever version; so another may come first than for a particular question before. No case moves
    in or out by likeness or links.
    """
    from kbagent.usecases.revise import freezing

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        if off:
            freezing.thaw(base, issue, by=by)
            write(f"{issue} moves with what is learned again")
            return
        rule, order = freezing.freeze(base, issue, reason=reason, by=by)
    shown = ", ".join(f"r{one}" for one in order) or "no resolution yet"
    write(f"{issue} is frozen: {one_line(shown, 60)}  (take it back: kbagent rules undo {rule})")


@app.command()
def history(
    case: Annotated[
        str | None, typer.Argument(metavar="CASE", help="Where this case was put, and why.")
    ] = None,
    *,
    limit: Limit = 20,
    output: ScreenFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Show what people decided about issues, or why a case is where it is."""
    kinds = (*families.KINDS, *(f"undo {kind}" for kind in families.KINDS))
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        if case is not None:
            _tell_placements(base, case, output)
            return
        found = decisions.latest(base.connection, limit, *kinds)
    if output is Format.TABLE:
        print_screen(screens.format_decisions(found, width=screen_width()))
    else:
        write(to_json([asdict(one) for one in found]))


@app.command()
def undo(
    change: Annotated[int, typer.Argument(help="A decision's number, as `issue history` says.")],
    *,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Take a decision about issues back."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        moved = families.undo(base, change, by=by)
    write(f"taken back: decision {change}; {moved} case{'s' if moved != 1 else ''} moved back")


def _tell_placements(base: KnowledgeBase, ref: str, output: Format) -> None:
    named = families.named_case(base, ref)
    placed = issues.history(base.connection, named.id)
    if output is Format.TABLE:
        print_screen(screens.format_placements(named.ref, placed, width=screen_width()))
    else:
        write(to_json([asdict(one) for one in placed]))


def _told(what: str, change: int) -> None:
    write(f"{what}  (take it back: kbagent issue undo {change})")
