"""`kbagent route`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from kbagent.cli.options import Format, FormatOption, Kb, folder_of, only, read_text, text_of
from kbagent.cli.output import print_screen, tell, to_json, write
from kbagent.errors import BadValue, UsageError
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
            "--batch", metavar="FILE", help="A ticket or a JSON object a line; - is standard input."
        ),
    ] = None,
    by_facet: Annotated[
        str | None, typer.Option("--by-facet", metavar="NAME", help="The facet with the queue.")
    ] = None,
    confident_at: Annotated[
        float, typer.Option("--confident-at", min=0.0, max=1.0, help="Say nothing below it.")
    ] = 0.6,
    output: FormatOption = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Say where a new ticket belongs, whether it may escalate, and what to ask."""
    only(output, Format.TABLE, Format.JSON, Format.CSV, Format.MD)
    if batch is not None and (text or file is not None):
        raise UsageError(what="Give either a text, --file or --batch.")
    tickets = _tickets(batch) if batch is not None else [(text_of(text, file), None)]
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        encoder = encoder_ahead(base)
        from kbagent.cli.screens import routes as screens
        from kbagent.usecases.mine.routes import routes

        found = routes(
            base,
            encoder(),
            [one for one, _ in tickets],
            names=[name for _, name in tickets],
            by_facet=by_facet,
            confident_at=confident_at,
        )
    match output:
        case Format.JSON:
            write(to_json(screens.routes_json(found)))
        case Format.CSV:
            write(screens.routes_csv(found))
        case Format.MD:
            write(screens.routes_markdown(found))
        case _:
            print_screen(screens.format_routes(found))


def _tickets(file: str) -> list[tuple[str, object | None]]:
    """(text, what it calls itself) of each line."""
    whole = (
        sys.stdin.buffer.read().decode("utf-8-sig", "replace")
        if file == "-"
        else read_text(Path(file))
    )
    found = [_ticket(line.strip()) for line in whole.splitlines() if line.strip()]
    if not found:
        raise UsageError(what=f"{file} holds no ticket: one a line is wanted.")
    return found


def _ticket(line: str) -> tuple[str, object | None]:
    if not line.startswith("{"):
        return line, None
    try:
        values = json.loads(line)
    except ValueError as error:
        raise BadValue(name="line", value=line[:60], reason="it is no JSON object") from error
    text = values.get("query") or values.get("text")
    if not isinstance(text, str) or not text.strip():
        raise BadValue(name="line", value=line[:60], reason="give the ticket as query or text")
    return text.strip(), values.get("id")
