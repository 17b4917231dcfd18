"""`kbagent case edit|undo|withdraw|bring-back|purge`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kbagent.cli.editor import edited
from kbagent.cli.options import By, Kb, folder_of, read_text
from kbagent.cli.output import one_line, tell, write
from kbagent.errors import UsageError
from kbagent.store.knowledge_base import KnowledgeBase, open_knowledge_base

if TYPE_CHECKING:
    from kbagent.usecases.revise.editing import CaseText

app = typer.Typer(no_args_is_help=True, help="Put a case right, or take it out.")

DRAFT = "case-draft.toml"  # in the knowledge base's folder: what could not be stored

Case = Annotated[str, typer.Argument(metavar="CASE", help="A case as SOURCE:ID.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why.")]


@app.command()
def edit(
    case: Case,
    *,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="title, text, verdict, resolution, r17.verdict, or a column; as often as needed.",
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Take a draft from here, or - for stdin.")
    ] = None,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Put right what a case says, in $EDITOR, from a file or with --set.

    What it said before is kept. The next import of the same export changes nothing of it; where
    the source itself changes a column later, the source is followed, and you are told.
    """
    from kbagent.usecases.maintain.encoding import serving_encoder
    from kbagent.usecases.revise import editing

    if assignments and file is not None:
        raise UsageError(what="Give either --set or --file.")
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        before = editing.case_text(base, case)
        wanted = _wanted(base, case, before, assignments, file)
        if wanted == before:
            write("Nothing is different: nothing was edited.")
            return
        encoder = serving_encoder(base)
        done = editing.edit(base, encoder, case, wanted, base=before, by=by)
        (base.folder / DRAFT).unlink(missing_ok=True)
    if done is None:
        write("Nothing is different: nothing was edited.")
        return
    columns = one_line(", ".join(done.columns), 60)
    write(
        f"{done.case.ref}: {columns} put right  (take it back: kbagent case undo {done.decision})"
    )


@app.command()
def undo(
    correction: Annotated[int, typer.Argument(help="A correction's number, as `show` says.")],
    *,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Take a correction of a case back."""
    from kbagent.usecases.maintain.encoding import serving_encoder
    from kbagent.usecases.revise import editing

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        done = editing.undo(base, serving_encoder(base), correction, by=by)
    columns = one_line(", ".join(done.columns), 60) or "nothing that still held"
    write(f"taken back: correction {correction} of {done.case.ref} ({columns})")


def _wanted(
    base: KnowledgeBase,
    case: str,
    before: "CaseText",
    assignments: list[str] | None,
    file: Path | None,
) -> "CaseText":
    """The case as it is wanted; a text written in the editor is kept where it cannot be read.

    Raises:
        UsageError: it cannot be read.
    """
    from kbagent.store import cases
    from kbagent.usecases.revise.casedraft import assigned, draft_of, read_draft

    if assignments:
        return assigned(before, assignments, cases.facet_names(base.connection))
    if file is not None:
        text = sys.stdin.read() if str(file) == "-" else read_text(file)
        return read_draft(text, before)
    text = edited(draft_of(case, before), suffix=".toml")
    if not text.strip():
        raise UsageError(what="The draft is empty: nothing was edited.")
    try:
        return read_draft(text, before)
    except UsageError as error:
        draft = base.folder / DRAFT
        draft.write_text(text, encoding="utf-8", errors="replace")
        draft.chmod(0o600)
        kept = f"Your text is kept; go on with: kbagent case edit {case} --file {draft}"
        raise UsageError(what=f"{error} {kept}") from error


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
