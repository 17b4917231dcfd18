"""`kbagent similar CASE`."""

from dataclasses import replace
from typing import Annotated

import typer

from kbagent.cli.options import By, Format, FormatOption, Kb, Where, folder_of
from kbagent.cli.output import tell
from kbagent.cli.requests import Narrowing, case_named, request_of
from kbagent.cli.search import render
from kbagent.store.knowledge_base import open_knowledge_base

app = typer.Typer()


@app.command()
def similar(
    case: Annotated[str, typer.Argument(metavar="CASE", help="A stored case as SOURCE:ID.")],
    *,
    where: Where = None,
    limit: Annotated[int, typer.Option("-n", min=1, max=1000, help="Issues to show.")] = 5,
    everything: Annotated[bool, typer.Option("--all", help="Every instance.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Whole texts.")] = False,
    output: FormatOption = Format.TABLE,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Find what was like a stored case."""
    from kbagent.usecases.maintain.encoding import serving_encoder
    from kbagent.usecases.retrieve import search as retrieve

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        known = case_named(base, case)
        request = request_of(
            base,
            f"{known.title}\n{known.body}".strip(),
            Narrowing(where=where),
            limit=limit,
            everything=everything,
        )
        request = replace(request, exclude=(known.id,))
        result = retrieve.search(base, serving_encoder(base), request, by=by, kind="similar")
    render(result, output, full=full)
