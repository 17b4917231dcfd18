"""`kbagent feedback list|pending|undo|import`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from kbagent.cli.options import By, Format, FormatOption, Kb, ScreenFormat, folder_of, read_text
from kbagent.cli.output import print_screen, screen_width, tell, to_csv, to_json, to_markdown, write
from kbagent.cli.screens import feedback as screens
from kbagent.errors import ExitCode
from kbagent.store import cases, ledger, lookups, resolutions, spool
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.revise.importing import import_outcomes
from kbagent.usecases.revise.outcomes import undo as take_back

app = typer.Typer(no_args_is_help=True, help="List, undo and import outcomes.")

Limit = Annotated[int, typer.Option("-n", min=1, max=100_000, help="How many to show.")]


@app.command("list")
def list_outcomes(
    *,
    limit: Limit = 20,
    everything: Annotated[
        bool, typer.Option("--all", help="Imported and inferred outcomes too.")
    ] = False,
    output: FormatOption = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Show the newest outcomes."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        found = ledger.latest(base.connection, limit, explicit_only=not everything)
        named = cases.by_ids(base.connection, {outcome.case_id for outcome in found})
        known = resolutions.by_ids(base.connection, {one.resolution_id for one in found})
    refs = {case_id: case.ref for case_id, case in named.items()}
    if output is Format.TABLE:
        texts = {key: resolution.text for key, resolution in known.items()}
        print_screen(screens.format_outcomes(found, refs, texts, width=screen_width()))
    else:
        _write_rows([screens.outcome_json(outcome, refs) for outcome in found], output)


@app.command()
def pending(*, limit: Limit = 20, output: FormatOption = Format.TABLE, kb: Kb = None) -> None:
    """Show lookups of which nobody said yet what came of them."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        spool.absorb_if_free(base.database, base.folder)
        waiting = lookups.without_outcome(base.connection, limit)
    if output is Format.TABLE:
        print_screen(screens.format_pending(waiting, width=screen_width()))
    else:
        rows = [{"lookup": one.handle, "at": one.at, "query": one.query} for one in waiting]
        _write_rows(rows, output)


@app.command()
def undo(
    outcome: Annotated[
        int, typer.Argument(max=2**63 - 1, help="The outcome's number, as `feedback list` says.")
    ],
    *,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Take an outcome back; both stay in the ledger."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        entry = take_back(base, outcome, by=by)
    write(f"taken back: outcome {entry.id} ({entry.verdict}, r{entry.resolution_id})")


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A CSV with id, outcome, case, resolution, …")],
    *,
    output: ScreenFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Bring in outcomes from a closing script; importing twice changes nothing."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        done = import_outcomes(base, read_text(file))
    if output is Format.TABLE:
        print_screen(screens.format_feedback_import(done))
    else:
        write(
            to_json(
                {
                    "read": done.read,
                    "recorded": done.recorded,
                    "known": done.known,
                    "rejects": [list(one) for one in done.rejects],
                }
            )
        )
    if done.rejects:
        raise typer.Exit(ExitCode.PARTLY_DONE)


def _write_rows(rows: list[dict[str, Any]], output: Format) -> None:
    if output is Format.JSON:
        write(to_json(rows))
    elif output is Format.JSONL:
        for row in rows:
            write(to_json(row, indent=None))
    else:
        header = list(rows[0]) if rows else []
        form = to_csv if output is Format.CSV else to_markdown
        write(form(header, [list(row.values()) for row in rows]) if rows else "")
