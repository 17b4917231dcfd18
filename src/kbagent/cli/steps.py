"""`kbagent resolution steps show|edit`: the ordered steps of a resolution."""

from pathlib import Path
from typing import Annotated

import typer

from kbagent.cli.editor import edited
from kbagent.cli.options import By, Format, Kb, ScreenFormat, folder_of, read_text
from kbagent.cli.output import one_line, tell, to_json, write
from kbagent.store.knowledge_base import open_knowledge_base

app = typer.Typer(no_args_is_help=True, help="The ordered steps of a resolution.")

Resolution = Annotated[str, typer.Argument(metavar="RESOLUTION", help="A resolution like r17.")]


@app.command()
def show(resolution: Resolution, *, output: ScreenFormat = Format.TABLE, kb: Kb = None) -> None:
    """Show the steps of a resolution, and where people got stuck."""
    from kbagent.usecases.revise.procedures import steps_of

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        found = steps_of(base, resolution)
    rows = [
        {"step": place, "do": do, "expect": expect, "done": done, "stuck": stuck}
        for place, (do, expect, done, stuck) in enumerate(found.steps, start=1)
    ]
    if output is Format.JSON:
        write(to_json({"requires": dict(found.requires), "steps": rows}))
        return
    if not rows:
        write(f"{resolution} has no steps.  next: kbagent resolution steps edit {resolution}")
    for name, value in found.requires:
        write(f"requires {one_line(name)} = {one_line(value)}")
    for row in rows:
        write(f"{row['step']}. {one_line(str(row['do']), 400)}")
        if row["expect"]:
            write(f"   you should see: {one_line(str(row['expect']), 400)}")
        if row["done"] or row["stuck"]:
            write(f"   done {row['done']} times, stuck {row['stuck']} times")


@app.command()
def edit(
    resolution: Resolution,
    *,
    file: Annotated[
        Path | None, typer.Option("--file", help="Take the steps from this TOML file.")
    ] = None,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Edit the steps of a resolution as TOML, in $EDITOR or from a file."""
    from kbagent.usecases.revise.procedures import edit_steps, steps_as_toml

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        before = steps_as_toml(base, resolution)
        text = read_text(file) if file is not None else edited(before, suffix=".toml")
        count = edit_steps(base, resolution, text, by=by)
    write(f"{resolution} has {count} step{'s' if count != 1 else ''} now")
