"""`kbagent learn`."""

import typer

from kbagent.cli.options import By, Format, FormatOption, Kb, folder_of
from kbagent.cli.output import print_screen, tell, to_json, write
from kbagent.cli.progress import counting
from kbagent.cli.screens import learning as screens
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.learn.fitting import learn as fit

app = typer.Typer()


@app.command()
def learn(*, output: FormatOption = Format.TABLE, by: By = None, kb: Kb = None) -> None:
    """Fit what outcomes and links teach; makes a candidate, changes no ranking."""
    with (
        open_knowledge_base(folder_of(kb), notify=tell) as base,
        counting("looking up") as report,
    ):
        found = fit(base, tell, report, by=by)
    if output is Format.TABLE:
        print_screen(screens.format_learned(found))
    else:
        write(to_json(screens.learned_json(found)))
