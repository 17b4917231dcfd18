"""`kbagent doctor`."""

import sqlite3
import sys
from typing import Annotated

import typer

from kbagent.cli.options import Format, Kb, LinesFormat, folder_of
from kbagent.cli.output import print_screen, screen_width, tell, to_json, write
from kbagent.cli.screens import doctor as screens
from kbagent.errors import Damaged, ExitCode
from kbagent.store.knowledge_base import open_knowledge_base

app = typer.Typer()


@app.command()
def doctor(
    *,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what follows from the rest; ask before more.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Answer every question of --repair with yes.")
    ] = False,
    output: LinesFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Check everything that is stored, and mend what can be."""
    from kbagent.usecases.maintain.checks.database import RESTORE
    from kbagent.usecases.maintain.diagnosis import diagnose
    from kbagent.usecases.maintain.encoding import serving_encoder

    try:
        base = open_knowledge_base(folder_of(kb), notify=tell)
    except (Damaged, sqlite3.DatabaseError) as error:
        what = error.values["what"] if isinstance(error, Damaged) else str(error)
        raise Damaged(what=what, hint=RESTORE) from error
    with base:
        health = diagnose(
            base,
            lambda: serving_encoder(base),
            repair=repair,
            confirm=lambda question: yes or _asked(question),
            told=(lambda name: tell(f"looking at {name} …")) if sys.stderr.isatty() else _silent,
        )
    if output is Format.TABLE:
        print_screen(screens.format_health(health, width=screen_width(), repaired=repair))
    else:
        write(to_json(screens.health_json(health), indent=2 if output is Format.JSON else None))
    if health.damaged:
        raise typer.Exit(ExitCode.DAMAGED)


def _asked(question: str) -> bool:
    """The answer of who sits at the terminal; no where nobody does."""
    if not sys.stdin.isatty():
        tell(f"{question} Nobody is there to ask: no. (--yes says yes.)")
        return False
    return typer.confirm(question, default=False, err=True)


def _silent(_name: str) -> None:
    return None
