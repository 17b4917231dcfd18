"""`kbagent solve`."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from kbagent.cli.keyboard import ask_line, key, keyboard
from kbagent.cli.options import (
    By,
    Format,
    Kb,
    LinesFormat,
    Where,
    folder_of,
    text_of,
)
from kbagent.cli.output import print_screen, screen_width, tell, to_json, write
from kbagent.cli.requests import case_named
from kbagent.cli.screens.solving import format_run, solve_json
from kbagent.core.retrieval.filters import parse_filter
from kbagent.errors import ExitCode, UsageError
from kbagent.store import cases
from kbagent.store.knowledge_base import KnowledgeBase, open_knowledge_base
from kbagent.usecases.solve.problem import Problem
from kbagent.usecases.solve.trace import Ending, Run

app = typer.Typer()

OTHERWISE = "Without --walk, go on with `kbagent solve --continue RUN --answer FACET=VALUE`."


@app.command()
def solve(
    text: Annotated[
        list[str] | None,
        typer.Argument(help="The problem in your own words; - reads it from standard input."),
    ] = None,
    *,
    file: Annotated[
        Path | None, typer.Option("--file", help="Read the problem from a file.")
    ] = None,
    case: Annotated[
        str | None, typer.Option("--case", metavar="CASE", help="A stored case to solve.")
    ] = None,
    where: Where = None,
    go_on_with: Annotated[
        str | None,
        typer.Option("--continue", metavar="RUN", help="Go on: next step, next resolution."),
    ] = None,
    answer: Annotated[
        list[str] | None,
        typer.Option("--answer", metavar="FACET=VALUE", help="Answer the question of a run."),
    ] = None,
    walk: Annotated[
        bool, typer.Option("--walk", help="Go through it at the terminal, a key for each turn.")
    ] = False,
    timings: Annotated[
        bool, typer.Option("--timings", help="Where the time went, on stderr.")
    ] = False,
    output: LinesFormat = Format.TABLE,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Work a problem through in steps that check themselves."""
    from kbagent.usecases.maintain.encoding import serving_encoder
    from kbagent.usecases.retrieve.stopwatch import Stopwatch
    from kbagent.usecases.solve.continuing import go_on, pairs_of
    from kbagent.usecases.solve.running import solve as work_through

    if walk and output is not Format.TABLE:
        raise UsageError(what="--walk is a talk at the terminal, without --format.")
    watch = Stopwatch()
    with (
        keyboard(OTHERWISE) if walk else nullcontext(),
        open_knowledge_base(folder_of(kb), notify=tell) as base,
    ):
        if go_on_with is not None:
            more = text_of(text, file) if text or file else None
            answers = pairs_of(answer or [])
            run = go_on(
                base, serving_encoder(base), go_on_with, answers, more=more, by=by, watch=watch
            )
        elif answer:
            raise UsageError(what="--answer belongs to a run: name it with --continue RUN.")
        else:
            problem = _problem(base, text, file, case, where)
            run = work_through(base, serving_encoder(base), problem, by=by, watch=watch)
        _render(run, output)
        if walk:
            run = _walk(base, run, by)
    if timings:
        for phase, seconds in watch.phases:
            tell(f"{phase:<18} {seconds * 1000:8.1f} ms")
    if run.ending is not Ending.ANSWER:
        raise typer.Exit(ExitCode.NO_CONFIDENT_ANSWER)


def _walk(kb: KnowledgeBase, run: Run, by: str | None) -> Run:
    """Go on from a run that is shown, key by key."""
    from kbagent.cli.walk import Walk
    from kbagent.usecases.maintain.encoding import serving_encoder

    return Walk(kb, serving_encoder(kb), by, key, ask_line).run(run)


def _problem(
    kb: KnowledgeBase,
    text: list[str] | None,
    file: Path | None,
    case: str | None,
    where: list[str] | None,
) -> Problem:
    """The problem that the options tell of."""
    filters = tuple(parse_filter(one) for one in where or ())
    if case is None:
        return Problem(text_of(text, file), filters)
    if text or file:
        raise UsageError(what="Give either a text or --case, not both.")
    found = case_named(kb, case)
    told = tuple(cases.facets(kb.connection, found.id))
    return Problem(f"{found.title}\n{found.body}".strip(), filters, told, case_id=found.id)


def _render(run: Run, output: Format) -> None:
    if output is Format.TABLE:
        print_screen(format_run(run, width=screen_width()))
    else:
        write(to_json(solve_json(run), indent=2 if output is Format.JSON else None))
