"""`kbagent policy file|edit|history`: everything people decide, as one document."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kbagent.cli.editor import edited
from kbagent.cli.options import By, Format, Kb, ScreenFormat, folder_of, read_text
from kbagent.cli.output import print_screen, screen_width, tell, to_json, write
from kbagent.errors import UsageError
from kbagent.store.knowledge_base import KnowledgeBase, open_knowledge_base

if TYPE_CHECKING:
    from kbagent.usecases.learn.confidence import Prospect
    from kbagent.usecases.revise.charter.amendment import Amendment
    from kbagent.usecases.revise.charter.document import Charter

DRAFT = "policy-draft.toml"  # in the knowledge base's folder: what could not be applied

Version = Annotated[
    int | None,
    typer.Option("--version", metavar="N", help="An earlier one, as `policy history` says."),
]


def print_file(*, version: Version = None, kb: Kb = None) -> None:
    """Print the policy file: everything people decide, as TOML."""
    from kbagent.usecases.revise.charter.amendment import version as version_of
    from kbagent.usecases.revise.charter.document import charter_of, written

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        charter = charter_of(base) if version is None else version_of(base, version).charter
        write(written(base, charter))


def edit(
    *,
    file: Annotated[
        Path | None, typer.Option("--file", help="Take it from this file, or - for standard input.")
    ] = None,
    version: Version = None,
    yes: Annotated[bool, typer.Option("--yes", help="Apply it without asking.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check it, and show what would change.")
    ] = False,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Change the policy file in $EDITOR or from a file.

    It is checked, what it would change on the last 200 lookups is shown, and it is applied when you
    say so.
    """
    from kbagent.usecases.revise.charter import amendment as amending
    from kbagent.usecases.revise.charter.document import charter_of

    if file is not None and version is not None:
        raise UsageError(what="Give either --file or --version.")
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        before = charter_of(base)
        text = _text(base, before, file, version)
        try:
            wanted = _read(base, text, before)
            amendment = amending.amendment_to(base, wanted)
            if not amendment.changes:
                write("Nothing is different: nothing was applied.")
                return
            prospect = _prospect(base, amendment)
            _show(base, amendment, before, prospect)
            if dry_run or not _agreed(base, text, file, yes=yes):
                return
            source = f"version {version}" if version is not None else "file"
            done = amending.apply(
                base, amendment, base=before, prospect=prospect, by=by, source=source
            )
        except UsageError as error:
            raise _kept(base, text, file, error) from error
        (base.folder / DRAFT).unlink(missing_ok=True)
    assert done is not None  # noqa: S101 -- there were changes
    back = done.number - 1
    write(
        f"version {done.number} is in force  (take it back: kbagent policy edit --version {back})"
    )


def history(*, output: ScreenFormat = Format.TABLE, kb: Kb = None) -> None:
    """Show every version of the policy file."""
    from kbagent.cli.screens import charter as screens
    from kbagent.usecases.revise.charter.amendment import versions

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        rows = screens.history_rows(versions(base))
    if output is Format.JSON:
        write(to_json(rows))
    elif not rows:
        write("No policy file was applied yet.  next: kbagent policy edit")
    else:
        print_screen(screens.format_history(rows, width=screen_width()))


def _text(base: KnowledgeBase, before: "Charter", file: Path | None, version: int | None) -> str:
    """The policy file that is to be applied."""
    from kbagent.usecases.revise.charter.amendment import version as version_of
    from kbagent.usecases.revise.charter.document import written

    if file is not None:
        if str(file) == "-":
            return sys.stdin.buffer.read().decode("utf-8-sig", "replace")
        return read_text(file)
    if version is not None:
        return written(base, version_of(base, version).charter)
    return edited(written(base, before), suffix=".toml")


def _read(base: KnowledgeBase, text: str, before: "Charter") -> "Charter":
    from kbagent.usecases.revise.charter.reading import read_charter
    from kbagent.usecases.revise.freezing import order_now

    if all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines()):
        raise UsageError(
            what="The policy file is empty, so nothing was applied. To take every rule back, leave"
            " one line such as [limits] in it."
        )
    return read_charter(base, text, before, order_now)


def _prospect(base: KnowledgeBase, amendment: "Amendment") -> "Prospect | None":
    """What the confidence becomes, where the promise changes."""
    if not amendment.promise:
        return None
    from kbagent.usecases.learn.confidence import prospect
    from kbagent.usecases.maintain.encoding import serving_encoder

    return prospect(base, amendment.wanted.promise, serving_encoder(base))


def _show(
    base: KnowledgeBase, amendment: "Amendment", before: "Charter", prospect: "Prospect | None"
) -> None:
    from kbagent.cli.screens import charter as screens
    from kbagent.usecases.revise.charter.foresight import foresee

    foreseen = foresee(base, amendment, prospect)
    basis = None if prospect is None else prospect.certain
    width = screen_width()
    print_screen(screens.format_amendment(amendment, before, basis, width=width))
    print_screen(screens.format_foreseen(foreseen, width=width))


def _agreed(base: KnowledgeBase, text: str, file: Path | None, *, yes: bool) -> bool:
    """Whether it is to be applied; where nobody can be asked, --yes has to say so.

    Raises:
        UsageError: nobody can be asked.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(what="Nothing was applied: nobody can be asked here. Add --yes.")
    if typer.confirm("Apply it?", err=True):
        return True
    write(f"Nothing was applied.{_where(_draft(base, text, file))}")
    return False


def _kept(base: KnowledgeBase, text: str, file: Path | None, error: UsageError) -> UsageError:
    """The error, with where the text is kept that somebody wrote in an editor."""
    return UsageError(what=f"{error}{_where(_draft(base, text, file))}")


def _where(draft: Path | None) -> str:
    if draft is None:
        return ""
    return f" Your text is kept; go on with: kbagent policy edit --file {draft}"


def _draft(base: KnowledgeBase, text: str, file: Path | None) -> Path | None:
    """Keep a text that stands in no file of the user's own; where it is kept."""
    if file is not None and str(file) != "-":
        return None
    path = base.folder / DRAFT
    path.write_text(text, encoding="utf-8", errors="replace")
    path.chmod(0o600)
    return path
