"""`kbagent search`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from kbagent.cli.options import (
    By,
    Format,
    FormatOption,
    Kb,
    Since,
    Where,
    folder_of,
    text_of,
)
from kbagent.cli.output import print_screen, screen_width, tell, to_json, write
from kbagent.cli.requests import Narrowing, request_of
from kbagent.cli.screens import search as screens
from kbagent.errors import ExitCode, UsageError
from kbagent.model.lookup import LookupResult
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.maintain.encoding import encoder_ahead
from kbagent.usecases.retrieve.stopwatch import Stopwatch, process_age

app = typer.Typer()


@app.command()
def search(
    text: Annotated[
        list[str] | None,
        typer.Argument(help="The problem in your own words; - reads it from standard input."),
    ] = None,
    *,
    file: Annotated[
        Path | None, typer.Option("--file", help="Read the problem from a file.")
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            "--batch", metavar="FILE", help="A query or a JSON object a line; - is standard input."
        ),
    ] = None,
    where: Where = None,
    since: Since = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only cases opened up to this day.")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only cases of this source.")
    ] = None,
    resolved: Annotated[
        bool | None, typer.Option("--resolved/--unresolved", help="Only (un)resolved cases.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--not", metavar="CASE", help="Leave out this case.")
    ] = None,
    limit: Annotated[int, typer.Option("-n", min=1, max=1000, help="Issues to show.")] = 5,
    offset: Annotated[int, typer.Option(min=0, help="Issues to skip.")] = 0,
    everything: Annotated[
        bool, typer.Option("--all", help="Every instance, oldest first, and every resolution.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="Whole texts.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Every term of each score.")] = False,
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE", help="With what was known at that time.")
    ] = None,
    policy: Annotated[
        int | None, typer.Option(max=2**31, metavar="VERSION", help="Rank by this policy.")
    ] = None,
    timings: Annotated[
        bool, typer.Option("--timings", help="Where the time went, on stderr.")
    ] = False,
    output: FormatOption = Format.TABLE,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Find every earlier instance of a problem, and what worked."""
    for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        # Before the engines are imported: one query is too small to share; waiting costs twice it.
        os.environ.setdefault(pool, "1")
    watch = Stopwatch()
    started = process_age()
    narrowing = Narrowing(where, since, until, source, resolved, exclude, as_of, policy)
    if batch is not None:
        if text or file is not None:
            raise UsageError(what="Give either a text, --file or --batch.")
        from kbagent.cli.batch import answer_each

        answer_each(batch, narrowing, folder_of(kb), limit=limit, everything=everything, by=by)
        return
    query = text_of(text, file)
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        encoder = encoder_ahead(base)
        request = request_of(
            base, query, narrowing, limit=limit, offset=offset, everything=everything
        )
        watch.lap("open database")
        from kbagent.usecases.retrieve import paging
        from kbagent.usecases.retrieve import search as retrieve

        watch.lap("import engines")
        opened = encoder()
        watch.lap("open encoder")
        result = retrieve.search(base, opened, paging.continued(base, request), by=by)
        answered = Stopwatch()
    render(result, output, full=full, explain=explain)
    if timings:
        answered.lap("close, draw")
        _tell_timings([("start-up", started), *watch.phases, *result.timings, *answered.phases])
    if not result.confident:
        raise typer.Exit(ExitCode.NO_CONFIDENT_ANSWER)


def _tell_timings(phases: Sequence[tuple[str, float]]) -> None:
    for phase, seconds in [*phases, ("in all", sum(seconds for _, seconds in phases))]:
        tell(f"{phase:<16} {seconds * 1000:8.1f} ms")


def render(
    result: LookupResult, output: Format, *, full: bool = False, explain: bool = False
) -> None:
    """Write the answer to a search in the wanted format."""
    match output:
        case Format.JSON:
            write(to_json(screens.search_json(result)))
        case Format.JSONL:
            write(screens.search_jsonl(result))
        case Format.CSV:
            write(screens.search_csv(result))
        case Format.MD:
            write(screens.search_markdown(result))
        case Format.TABLE:
            print_screen(
                screens.format_search(result, width=screen_width(), full=full, explain=explain)
            )
