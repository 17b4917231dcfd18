"""`kbagent import`."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from kbagent.cli.options import Format, Kb, SummaryFormat, folder_of, read_text
from kbagent.cli.output import print_screen, screen_width, tell, to_json, write
from kbagent.cli.progress import importing
from kbagent.cli.screens import importing as screens
from kbagent.core.text.redaction import Redactor, custom_patterns
from kbagent.errors import ExitCode
from kbagent.model.importing import ImportSummary
from kbagent.store.knowledge_base import (
    DATABASE_NAME,
    KnowledgeBase,
    create_knowledge_base,
)
from kbagent.store.readers import format_names, open_export, show_mapping

app = typer.Typer()


@app.command()
def import_files(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="Export files; - is standard input.")
    ],
    *,
    format_name: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help=f"One of: {', '.join(format_names())}."),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option("--map", metavar="MAPPING.toml", help="How to read the file.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call this ticket system.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--show-mapping", help="Print the mapping that would be used.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do it all, then take it all back.")
    ] = False,
    redact: Annotated[
        bool, typer.Option("--redact/--no-redact", help="Remove personal data and secrets.")
    ] = True,
    patterns: Annotated[
        Path | None,
        typer.Option("--redact-patterns", metavar="FILE", help="More patterns: NAME = REGEX."),
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option("--rejects", metavar="FILE", help="Where bad rows go.")
    ] = None,
    output: SummaryFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Bring in cases from ticket exports."""
    from kbagent.store.encoder.session import load_encoder
    from kbagent.usecases.maintain.encoding import serving_encoder
    from kbagent.usecases.retain.importing import ImportOptions, import_cases

    paths: list[Path | Literal["-"]] = ["-" if one == "-" else Path(one) for one in files]
    if show:
        write(show_mapping(paths, format=format_name))
        return
    redactor = Redactor(custom_patterns(_pattern_text(patterns))) if redact else None
    export = open_export(paths, format=format_name, mapping=mapping, source=source)
    options = ImportOptions(tuple(files), redactor, rejects_file=rejects, dry_run=dry_run)
    with _target(folder_of(kb), dry_run=dry_run) as base:
        encoder = serving_encoder(base) if not dry_run else load_encoder(None, tell)
        with importing(export) as progress:
            summary = import_cases(base, encoder, export, options, progress)
    _render(summary, output)
    if summary.rejected:
        raise typer.Exit(ExitCode.PARTLY_DONE)


def _pattern_text(path: Path | None) -> str:
    if path is None:
        return ""

    return read_text(path)


@contextmanager
def _target(folder: Path, *, dry_run: bool) -> Iterator[KnowledgeBase]:
    """The knowledge base to import into; a rehearsal makes none."""
    if dry_run and not (folder / DATABASE_NAME).exists():
        with (
            tempfile.TemporaryDirectory(prefix="kbagent-") as scratch,
            create_knowledge_base(Path(scratch) / "kb", notify=tell) as base,
        ):
            yield base
        return
    with create_knowledge_base(folder, notify=tell) as base:
        yield base


def _render(summary: ImportSummary, output: Format) -> None:
    if output is Format.JSON:
        write(to_json(screens.import_json(summary)))
    else:
        print_screen(screens.format_import(summary, width=screen_width()))
    sys.stdout.flush()
