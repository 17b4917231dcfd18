"""`kbagent review`, and `kbagent review apply|undo|log`."""

import sys
import textwrap
from pathlib import Path
from typing import Annotated

import typer

from kbagent.cli.options import By, Format, Kb, LinesFormat, ScreenFormat, folder_of, read_text
from kbagent.cli.output import print_screen, screen_width, tell, to_json, write
from kbagent.errors import BadValue
from kbagent.store.knowledge_base import open_knowledge_base

app = typer.Typer(
    invoke_without_command=True, help="Decide, one key each, what kbagent is not sure of."
)

Since = Annotated[
    str | None,
    typer.Option(
        "--since-version",
        metavar="VERSION",
        help="Ask for every fix not known to work on this version or a later one.",
    ),
]
KINDS = ("alarm", "contradiction", "answer", "link", "duplicate", "risk")
OTHERWISE = "Use `kbagent review --format json` and `kbagent review apply FILE`."


@app.callback()
def review(
    context: typer.Context,
    *,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help=f"Only one of {', '.join(KINDS)}.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="At most so many items.")
    ] = None,
    since: Since = None,
    output: LinesFormat = Format.TABLE,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Decide, one key each, what kbagent is not sure of."""
    if context.invoked_subcommand is not None:
        return
    if kind is not None and kind not in KINDS:
        raise BadValue(name="--kind", value=kind, reason=f"use one of {', '.join(KINDS)}")
    if output is Format.TABLE:
        _sit(kind, limit, since, by, kb)
        return
    from kbagent.cli.screens import review as screens
    from kbagent.usecases.review.items import Kind
    from kbagent.usecases.review.queue import assemble

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        found = assemble(base, kind=Kind(kind) if kind else None, limit=limit, since=since)
    if output is Format.JSON:
        write(to_json(screens.queue_json(found)))
        return
    for item in found.items:
        write(to_json(screens.item_json(item, found.former.get(item.key)), indent=None))


@app.command("apply")
def apply_decisions(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON lines or a JSON array; - reads stdin.")
    ],
    *,
    since: Since = None,
    output: ScreenFormat = Format.TABLE,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Carry out decisions from a file, all of them or none."""
    from kbagent.usecases.review.applying import apply, read_records

    text = sys.stdin.buffer.read().decode("utf-8-sig", "replace") if str(file) == "-" else None
    wanted = read_records(read_text(file) if text is None else text)
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        found = apply(base, wanted, by=_author(by), since=since)
    if output is Format.JSON:
        from kbagent.cli.screens import review as screens

        write(to_json(screens.applied_json(found)))
        return
    new = sum(one.decision is not None for one in found)
    known = len(found) - new
    write(f"{new} decided" + (f", {known} decided so before" if known else ""))


@app.command()
def undo(
    decision: Annotated[
        int | None,
        typer.Argument(
            metavar="[DECISION]", help="Its number, as `review log` says; else the last."
        ),
    ] = None,
    *,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Take a decision of a review back, and what it did."""
    from kbagent.usecases.review import deciding

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        taken = deciding.undo(base, decision, by=_author(by))
    write(f"taken back: decision {taken.id}, {taken.data['decision']} of {taken.data['item']}")


@app.command()
def log(
    *,
    limit: Annotated[int, typer.Option("-n", min=1, max=100_000, help="How many to show.")] = 20,
    output: ScreenFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """List what was decided in reviews, newest first."""
    from kbagent.cli.screens import review as screens
    from kbagent.usecases.review import deciding

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        found = deciding.log(base, limit)
    if output is Format.TABLE:
        print_screen(screens.format_log(found, width=screen_width()))
    else:
        write(to_json(screens.log_json(found)))


def _sit(
    kind: str | None, limit: int | None, since: str | None, by: str | None, kb: Path | None
) -> None:
    """Ask one card after another at the terminal."""
    from kbagent.cli.keyboard import key, keyboard

    with keyboard(OTHERWISE), open_knowledge_base(folder_of(kb), notify=tell) as base:
        from kbagent.cli.screens import review as screens
        from kbagent.cli.sitting import Sitting
        from kbagent.usecases.review.items import Kind
        from kbagent.usecases.review.queue import assemble

        chosen = Kind(kind) if kind else None
        tell("looking for what is doubtful …")
        queue = assemble(base, kind=chosen, limit=limit, since=since)
        if not queue.items:
            write(screens.format_nothing(chosen))
            return
        write(textwrap.fill(screens.format_queue(queue), screen_width()))
        Sitting(base, queue, _author(by)).run(key)


def _author(by: str | None) -> str | None:
    """Who decides: as told, else the login name, so that each decision has its author."""
    if by:
        return by
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may have no such user
        return None
