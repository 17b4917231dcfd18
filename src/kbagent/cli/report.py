"""`kbagent report`."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kbagent.cli.options import Format, Kb, TablesFormat, folder_of
from kbagent.cli.output import print_screen, screen_width, tell, to_json, write
from kbagent.cli.progress import counting
from kbagent.cli.requests import end_of, ordered, start_of
from kbagent.errors import BadValue, UnwritableFile
from kbagent.store.knowledge_base import open_knowledge_base

if TYPE_CHECKING:
    from kbagent.usecases.report.comparison import Comparison
    from kbagent.usecases.report.compounding import Report
    from kbagent.usecases.report.slices import Slice

app = typer.Typer()


@app.command()
def report(
    *,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only cases opened from this day on.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only cases opened up to this day.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", "-w", metavar="NAME=VALUE", help="Only cases with this facet."),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PERIOD|NAME=VALUE",
            help="Set beside another period (2024-07..2024-12) or facet (product=B).",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write one page to this file.")
    ] = None,
    most: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Look up again N cases at most, evenly spread (else 1,500); 0: all.",
        ),
    ] = None,
    output: TablesFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Show month by month whether it gets better, and what is at risk."""
    if html is not None and html.is_dir():
        raise UnwritableFile(path=html, reason="it is a folder", hint="Name a file for --html.")
    from kbagent.core.retrieval.filters import parse_filter
    from kbagent.usecases.report.comparison import compare as set_beside
    from kbagent.usecases.report.compounding import report as run
    from kbagent.usecases.report.slices import Slice

    filters = tuple(parse_filter(text) for text in where or ())
    one = Slice(start_of("--since", since), end_of("--until", until), filters)
    ordered((one.since, since), (one.until, until))
    other = _other(one, compare) if compare else None
    if sys.stderr.isatty():
        sys.stderr.write("reading the cases …")  # until there is something to count
    with (
        open_knowledge_base(folder_of(kb), notify=tell) as base,
        counting("looking up again") as progress,
    ):
        if other is None:
            found = run(base, progress, one, most=most)
        else:
            both = set_beside(base, progress, one, other, most=most)
    if other is None:
        _show(found, html, output)
    else:
        _show_both(both, html, output)


def _other(one: "Slice", compare: list[str]) -> "Slice":
    """The slice to set beside `one`: what is named takes the place of its like.

    Raises:
        BadValue: it is neither a period nor a condition.
    """
    from kbagent.core.retrieval.filters import name_key, parse_filter
    from kbagent.usecases.report.slices import Slice

    since, until, where = one.since, one.until, one.where
    for text in compare:
        begin, dots, end = text.partition("..")
        if dots or not any(sign in text for sign in "=<>~"):
            if dots and not (begin.strip() and end.strip()):
                raise BadValue(name="--compare", value=text, reason="write 2024-07..2024-12")
            since, until = start_of("--compare", begin), end_of("--compare", end or begin)
            ordered((since, begin), (until, text), "--compare")
            continue
        named = parse_filter(text)
        rest = tuple(own for own in where if name_key(own.name) != name_key(named.name))
        where = (*rest, named)
    return Slice(since, until, where)


def _show(found: "Report", html: Path | None, output: Format) -> None:
    from kbagent.cli.screens import reports as screens

    if html is not None:
        from kbagent.cli.screens.report_page import report_page

        _write_page(html, report_page(found))
    match output:
        case Format.JSON:
            write(to_json(screens.report_json(found)))
        case Format.CSV:
            write(screens.report_csv(found))
        case Format.MD:
            write(screens.report_markdown(found))
        case _:
            print_screen(screens.format_report(found, screen_width()))


def _show_both(found: "Comparison", html: Path | None, output: Format) -> None:
    from kbagent.cli.screens import report_comparison as screens

    if html is not None:
        from kbagent.cli.screens.report_page import comparison_page

        _write_page(html, comparison_page(found))
    match output:
        case Format.JSON:
            write(to_json(screens.comparison_json(found)))
        case Format.CSV:
            write(screens.comparison_csv(found))
        case Format.MD:
            write(screens.comparison_markdown(found))
        case _:
            print_screen(screens.format_comparison(found))


def _write_page(file: Path, page: str) -> None:
    """Write the page whole or not at all.

    Raises:
        UnwritableFile: it cannot be written there.
    """
    draft = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        draft.write_text(page, encoding="utf-8", errors="replace")
        draft.replace(file)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise UnwritableFile(path=file, reason=reason, hint="Choose another --html.") from error
    tell(f"the page is in {file}")
