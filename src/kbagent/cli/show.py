"""`kbagent show`."""

from dataclasses import asdict
from typing import Annotated

import typer

from kbagent.cli.options import Format, Kb, LinesFormat, folder_of
from kbagent.cli.output import print_screen, screen_width, tell, to_json, write
from kbagent.cli.screens.details import format_details
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.store.runs import StoredRun, stored_run
from kbagent.usecases.retrieve.details import details_of

app = typer.Typer()


@app.command()
def show(
    handle: Annotated[
        str,
        typer.Argument(metavar="HANDLE", help="A case, a resolution r17, an issue i5, a lookup."),
    ],
    *,
    output: LinesFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Show a case, a resolution, an issue or a lookup in full."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        run = stored_run(base.connection, handle)
        if run is not None:
            _show_run(run, output)
            return
        found = details_of(base, handle)
    if output is Format.TABLE:
        print_screen(format_details(found, width=screen_width()))
    else:
        write(to_json(asdict(found), indent=2 if output is Format.JSON else None))


def _show_run(stored: StoredRun, output: Format) -> None:
    """A run of `solve` as it was drawn then, with the step that an outcome blames since."""
    from kbagent.cli.screens.solving import format_run, solve_json
    from kbagent.usecases.solve.trace import run_from

    run = run_from(stored.record)
    if output is not Format.TABLE:
        values = {**solve_json(run), "fault": stored.fault}
        write(to_json(values, indent=2 if output is Format.JSON else None))
        return
    print_screen(format_run(run, width=screen_width()))
    if stored.fault is not None:
        write(f"a later outcome blames the step: {stored.fault}")
