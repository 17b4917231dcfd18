"""`kbagent route`."""

from pathlib import Path
from typing import Annotated

import typer

from kbagent.cli.options import (
    Facets,
    Format,
    Kb,
    TablesFormat,
    Zone,
    facets_of,
    folder_of,
    text_of,
    zone_of,
)
from kbagent.cli.output import print_screen, tell, to_json, write
from kbagent.cli.tickets import read_tickets
from kbagent.errors import ExitCode, UsageError
from kbagent.model.ticket import Ticket
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.maintain.encoding import encoder_ahead

app = typer.Typer()


@app.command()
def route(
    text: Annotated[
        list[str] | None,
        typer.Argument(help="The ticket; - reads it from standard input."),
    ] = None,
    *,
    file: Annotated[Path | None, typer.Option("--file", help="Read the ticket.")] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            "--batch",
            metavar="FILE",
            help="A ticket or a JSON object a line, or a JSON array; - is standard input.",
        ),
    ] = None,
    facet: Facets = None,
    by_facet: Annotated[
        str | None, typer.Option("--by-facet", metavar="NAME", help="The facet with the queue.")
    ] = None,
    confident_at: Annotated[
        float, typer.Option("--confident-at", min=0.0, max=1.0, help="Say nothing below it.")
    ] = 0.6,
    zone: Zone = "UTC",
    output: TablesFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Say where a new ticket belongs, whether it may escalate, and what to ask."""
    if batch is not None and (text or file is not None):
        raise UsageError(what="Give either a text, --file or --batch.")
    if batch is not None and facet:
        raise UsageError(what='With --batch a ticket tells its own facets: {"facets": {…}}.')
    tickets, refused = (
        read_tickets(batch)
        if batch is not None
        else ([Ticket(text_of(text, file), facets=facets_of(facet))], [])
    )
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        encoder = encoder_ahead(base)
        from kbagent.cli.screens import routes as screens
        from kbagent.usecases.mine.routes import routes

        found = routes(
            base,
            encoder(),
            tickets,
            by_facet=by_facet,
            confident_at=confident_at,
            zone=zone_of(zone),
        )
    match output:
        case Format.JSON:
            write(to_json(screens.routes_json(found, refused)))
        case Format.CSV:
            write(screens.routes_csv(found, refused))
        case Format.MD:
            write(screens.routes_markdown(found, refused))
        case _:
            print_screen(screens.format_routes(found, refused))
    if refused:
        raise typer.Exit(ExitCode.PARTLY_DONE)
