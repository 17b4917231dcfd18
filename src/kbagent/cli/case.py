"""`kbagent case withdraw|bring-back|purge`."""

from typing import Annotated

import typer

from kbagent.cli.options import By, Kb, folder_of
from kbagent.cli.output import tell, write
from kbagent.errors import UsageError
from kbagent.store.knowledge_base import open_knowledge_base

app = typer.Typer(no_args_is_help=True, help="Take a case out, for now or for good.")

Case = Annotated[str, typer.Argument(metavar="CASE", help="A case as SOURCE:ID.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why.")]


@app.command()
def withdraw(case: Case, *, reason: Reason = None, by: By = None, kb: Kb = None) -> None:
    """Leave a case out of everything; it is kept and can be brought back."""
    from kbagent.usecases.revise import withdrawal

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        taken = withdrawal.withdraw(base, case, reason=reason, by=by)
    write(
        f"{taken.case.ref} is withdrawn  (take it back: kbagent case bring-back {taken.case.ref})"
    )


@app.command("bring-back")
def bring_back(case: Case, *, by: By = None, kb: Kb = None) -> None:
    """Let a withdrawn case count again."""
    from kbagent.usecases.revise import withdrawal

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        taken = withdrawal.bring_back(base, case, by=by)
    write(f"{taken.case.ref} counts again")


@app.command()
def purge(
    case: Case,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    reason: Reason = None,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Remove a case's text and vectors for good."""
    from kbagent.usecases.revise import withdrawal

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        if not yes and not typer.confirm(f"Remove all text of {case} for good?", err=True):
            raise UsageError(what="Nothing was removed.")
        taken = withdrawal.remove_for_good(base, case, reason=reason, by=by)
    write(f"{taken.case.ref} is purged: its text and vectors are gone, here and in the indexes")
    tell("Backups and exports made before still have it; remove it there too.")
