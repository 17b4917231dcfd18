"""`kbagent resolution merge|split|rename|edit|steps|history|undo`."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from kbagent.cli.editor import edited
from kbagent.cli.options import By, Format, Kb, ScreenFormat, folder_of, read_text
from kbagent.cli.output import one_line, print_screen, screen_width, tell, to_json, write
from kbagent.cli.screens.issues import format_decisions
from kbagent.cli.steps import app as steps
from kbagent.errors import UsageError
from kbagent.store import decisions
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.revise import wordings

app = typer.Typer(no_args_is_help=True, help="Correct which wordings are one approach.")
app.add_typer(steps, name="steps")

Resolution = Annotated[str, typer.Argument(metavar="RESOLUTION", help="A resolution like r17.")]


@app.command()
def merge(
    kept: Resolution,
    absorbed: Annotated[str, typer.Argument(metavar="OTHER", help="The one that joins it.")],
    *,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Say that two resolutions are the same fix; their evidence adds up."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        change = wordings.merge(base, kept, absorbed, by=by)
    _told(f"{absorbed} counts as {kept} now", change)


@app.command()
def split(resolution: Resolution, *, by: By = None, kb: Kb = None) -> None:
    """Say that a wording is a fix of its own."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        change = wordings.split(base, resolution, by=by)
    _told(f"{resolution} is an approach of its own now", change)


@app.command()
def rename(
    resolution: Resolution,
    name: Annotated[str, typer.Argument(help="A short name, shown before its text.")],
    *,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Give a resolution a short name."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        change = wordings.rename(base, resolution, name, by=by)
    _told(f"{resolution} is called '{one_line(name)}' now", change)


@app.command()
def edit(
    resolution: Resolution,
    *,
    text: Annotated[str | None, typer.Option("--text", help="Its new text.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="A short name as well.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Take the text from here, or - for stdin.")
    ] = None,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Put the wording of a resolution right; its evidence stays."""
    from kbagent.usecases.revise.rewording import reword, wording_of

    if text is not None and file is not None:
        raise UsageError(what="Give either --text or --file.")
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        if file is not None:
            text = sys.stdin.read() if str(file) == "-" else read_text(file)
        if text is None and name is None:
            text = edited(wording_of(base, resolution))
        if name is not None:
            change = wordings.rename(base, resolution, name, by=by)
            _told(f"{resolution} is called '{one_line(name)}' now", change)
        if text is None:
            return
        done = reword(base, resolution, text, by=by)
    if done is None:
        write("Nothing is different: nothing was edited.")
        return
    _told(f"{resolution} says now: {one_line(text, 40)}", done.decision)
    if done.approach != done.resolution_id:
        tell(f"It counts as r{done.approach}, whose wording is shown: edit that one to change it.")


@app.command()
def history(
    *,
    limit: Annotated[int, typer.Option("-n", min=1, max=100_000, help="How many.")] = 20,
    output: ScreenFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Show what people decided about resolutions, newest first."""
    kinds = (*wordings.KINDS, *(f"undo {kind}" for kind in wordings.KINDS))
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        found = decisions.latest(base.connection, limit, *kinds)
    if output is Format.TABLE:
        print_screen(format_decisions(found, width=screen_width()))
    else:
        write(to_json([asdict(one) for one in found]))


@app.command()
def undo(
    change: Annotated[int, typer.Argument(help="A decision's number, as `history` says.")],
    *,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Take a decision about resolutions back."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        wordings.undo(base, change, by=by)
    write(f"taken back: decision {change}")


def _told(what: str, change: int) -> None:
    write(f"{what}  (take it back: kbagent resolution undo {change})")
