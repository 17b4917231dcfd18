"""`kbagent export kb|cases|training`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from kbagent.cli.options import Format, Kb, folder_of
from kbagent.cli.output import print_screen, tell, write
from kbagent.cli.requests import start_of
from kbagent.cli.screens import copies as screens
from kbagent.errors import UsageError
from kbagent.model.training import TrainingFormat
from kbagent.store.knowledge_base import open_knowledge_base

app = typer.Typer(no_args_is_help=True, help="Write out the knowledge base, for other programs.")


@app.command("kb")
def whole(
    file: Annotated[Path, typer.Argument(metavar="FILE.jsonl[.gz]", help="Where to write it.")],
    *,
    vectors: Annotated[
        bool, typer.Option("--vectors/--no-vectors", help="With the vectors, or without.")
    ] = True,
    kb: Kb = None,
) -> None:
    """Write all of it as JSON lines that `kbagent restore` reads back."""
    from kbagent.usecases.maintain.copies import export_lines

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        done = export_lines(base, file.expanduser(), vectors=vectors)
    print_screen(screens.format_copied("Exported", done))


@app.command("cases")
def each_case(
    *,
    output: Annotated[
        Format, typer.Option("--format", "-f", help="jsonl, csv or md.")
    ] = Format.JSONL,
    kb: Kb = None,
) -> None:
    """Write every case with what was tried on it to standard output."""
    from kbagent.usecases.maintain.case_export import exported_cases

    formats = {
        Format.JSONL: screens.cases_jsonl,
        Format.CSV: screens.cases_csv,
        Format.MD: screens.cases_markdown,
    }
    if output not in formats:
        raise UsageError(what="Cases are exported as jsonl, csv or md.")
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        for text in formats[output](exported_cases(base)):
            write(text)
    sys.stdout.flush()


@app.command("training")
def training(
    *,
    form: Annotated[TrainingFormat, typer.Option("--format", "-f", help="Who shall read it.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where to write it.")],
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only what was logged from this day on.")
    ] = None,
    kb: Kb = None,
) -> None:
    """Write lookups, outcomes and links as training data, with a manifest."""
    from kbagent.usecases.learn.training.export import export_training

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        moment = start_of("--since", since)
        done = export_training(base, form, out.expanduser(), since=moment)
    for name, rows in done.rows.items():
        write(f"{done.folder / name}: {rows:,} rows")
    versions = ", ".join(map(str, done.policies)) or "none"
    write(f"from {done.lookups:,} lookups by policies {versions}; see manifest.json")
