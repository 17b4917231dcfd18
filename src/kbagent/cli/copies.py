"""`kbagent backup` and `kbagent restore`."""

from pathlib import Path
from typing import Annotated

import typer

from kbagent.cli.options import Format, Kb, LinesFormat, folder_of
from kbagent.cli.output import print_screen, tell, to_json, write
from kbagent.cli.screens import copies as screens
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.maintain import copies
from kbagent.usecases.maintain.copies import Copied

backup = typer.Typer()
restore = typer.Typer()


@backup.command()
def back_up(
    file: Annotated[Path, typer.Argument(help="Where to write it, for example kb.backup.gz.")],
    *,
    output: LinesFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Write a checked, compressed copy while others work."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        done = copies.back_up(base, file.expanduser())
    _render("Backed up to", done, output)


@restore.command()
def bring_back(
    file: Annotated[Path, typer.Argument(help="A backup, or what `export kb` wrote.")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the knowledge base that is there.")
    ] = False,
    output: LinesFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Bring back a backup or an exported knowledge base."""
    done = copies.restore(file.expanduser(), folder_of(kb), force=force, notify=tell)
    _render("Restored to", done, output)


def _render(what: str, done: Copied, output: Format) -> None:
    if output is Format.TABLE:
        print_screen(screens.format_copied(what, done))
    else:
        write(to_json(screens.copied_json(done), indent=2 if output is Format.JSON else None))
