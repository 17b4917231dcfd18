"""`kbagent evaluate`."""

import sys
from typing import Annotated

import typer

from kbagent.cli.options import Format, FormatOption, Kb, folder_of
from kbagent.cli.output import print_screen, tell, to_json, write
from kbagent.cli.progress import counting
from kbagent.cli.screens import evaluation as screens
from kbagent.errors import UsageError
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.evaluate.evaluation import evaluate as run

app = typer.Typer()


@app.command()
def evaluate(
    *,
    policy: Annotated[
        int | None, typer.Option(metavar="VERSION", help="This policy (else the live one).")
    ] = None,
    last: Annotated[
        int | None, typer.Option("--last", min=1, metavar="N", help="Only the N newest cases.")
    ] = None,
    output: FormatOption = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Replay the past: how often what worked would have been shown first."""
    if output not in (Format.TABLE, Format.JSON):
        raise UsageError(what="An evaluation is written as table or json.")
    with open_knowledge_base(folder_of(kb), notify=tell) as base, counting("looking up") as report:
        found = run(base, policy, report, last=last)
    if output is Format.JSON:
        write(to_json(screens.evaluation_json(found)))
    else:
        print_screen(screens.format_evaluation(found))
    sys.stdout.flush()
