"""`kbagent show`."""

from dataclasses import asdict
from typing import Annotated

import typer

from kbagent.cli.options import Format, FormatOption, Kb, folder_of, only
from kbagent.cli.output import print_screen, screen_width, tell, to_json, write
from kbagent.cli.screens.details import format_details
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.retrieve.details import details_of

app = typer.Typer()


@app.command()
def show(
    handle: Annotated[
        str,
        typer.Argument(metavar="HANDLE", help="A case, a resolution r17, an issue i5, a lookup."),
    ],
    *,
    output: FormatOption = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Show a case, a resolution, an issue or a lookup in full."""
    only(output, Format.TABLE, Format.JSON, Format.JSONL)
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        found = details_of(base, handle)
    if output is Format.TABLE:
        print_screen(format_details(found, width=screen_width()))
    else:
        write(to_json(asdict(found), indent=2 if output is Format.JSON else None))
