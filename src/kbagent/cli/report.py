"""`kbagent report`."""

from pathlib import Path
from typing import Annotated

import typer

from kbagent.cli.options import Format, FormatOption, Kb, folder_of, only
from kbagent.cli.output import print_screen, tell, to_json, write
from kbagent.cli.progress import counting
from kbagent.cli.requests import end_of, start_of
from kbagent.errors import UnreadableFile
from kbagent.store.knowledge_base import open_knowledge_base

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
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write one page to this file.")
    ] = None,
    output: FormatOption = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Show month by month whether it gets better, and what is at risk."""
    only(output, Format.TABLE, Format.JSON, Format.CSV, Format.MD)
    from kbagent.cli.screens import reports as screens
    from kbagent.usecases.report.compounding import report as run

    begin, end = start_of("--since", since), end_of("--until", until)
    with (
        open_knowledge_base(folder_of(kb), notify=tell) as base,
        counting("looking up") as progress,
    ):
        found = run(base, progress, since=begin, until=end)
    if html is not None:
        from kbagent.cli.screens.report_page import report_page

        _write_page(html, report_page(found))
        tell(f"the page is in {html}")
    match output:
        case Format.JSON:
            write(to_json(screens.report_json(found)))
        case Format.CSV:
            write(screens.report_csv(found))
        case Format.MD:
            write(screens.report_markdown(found))
        case _:
            print_screen(screens.format_report(found))


def _write_page(file: Path, page: str) -> None:
    try:
        file.write_text(page, encoding="utf-8", errors="replace")
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableFile(path=file, reason=reason, hint="Choose another --html.") from error
