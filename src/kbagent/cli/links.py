"""`kbagent link` and `kbagent unlink`."""

from typing import Annotated

import typer

from kbagent.cli.options import By, Kb, folder_of
from kbagent.cli.output import tell, write
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.revise import families

link = typer.Typer()
unlink = typer.Typer()

First = Annotated[str, typer.Argument(metavar="CASE", help="A case as SOURCE:ID.")]
Second = Annotated[str, typer.Argument(metavar="OTHER", help="The other case.")]


@link.command()
def link_cases(first: First, second: Second, *, by: By = None, kb: Kb = None) -> None:
    """Say that two cases are the same issue."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        issue_id = families.link(base, first, second, by=by)
    write(f"{first} and {second} are one issue now: i{issue_id}")


@unlink.command()
def unlink_cases(first: First, second: Second, *, by: By = None, kb: Kb = None) -> None:
    """Take back that two cases are the same issue."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        families.unlink(base, first, second, by=by)
    write(f"{first} and {second} are separate issues now")
