"""`kbagent evaluate`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from kbagent.cli.options import Format, Kb, ScreenFormat, folder_of
from kbagent.cli.output import print_screen, tell, to_json, write
from kbagent.cli.progress import counting
from kbagent.errors import UsageError
from kbagent.store.knowledge_base import open_knowledge_base

app = typer.Typer()


@app.command()
def evaluate(
    *,
    policy: Annotated[
        int | None, typer.Option(metavar="VERSION", help="This policy (else the live one).")
    ] = None,
    last: Annotated[
        int | None, typer.Option("--last", min=1, metavar="N", help="Only the N newest cases.")
    ] = None,
    calibration: Annotated[
        bool, typer.Option("--calibration", help="Whether confidence means what it says.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Its reliability plot, as SVG.")
    ] = None,
    routing: Annotated[
        bool, typer.Option("--routing", help="Whether cases would have gone where they went.")
    ] = False,
    by_facet: Annotated[
        str | None,
        typer.Option("--by-facet", metavar="NAME", help="With --routing: the facet of the queue."),
    ] = None,
    output: ScreenFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Replay the past: would what worked have come first?"""
    from kbagent.cli.screens import evaluation as screens
    from kbagent.usecases.evaluate.evaluation import evaluate as run

    if calibration or plot is not None:
        _calibration(output, plot, kb)
        return
    if routing:
        _routing(output, by_facet, kb)
        return
    if by_facet is not None:
        raise UsageError(what="--by-facet goes with --routing.")
    with open_knowledge_base(folder_of(kb), notify=tell) as base, counting("looking up") as report:
        found = run(base, policy, report, last=last)
    if output is Format.JSON:
        write(to_json(screens.evaluation_json(found)))
    else:
        print_screen(screens.format_evaluation(found))
    sys.stdout.flush()


def _calibration(output: Format, plot: Path | None, kb: Path | None) -> None:
    """Confidence learned on the earlier half of the history, judged on the later half."""
    from kbagent.cli.screens import calibration as drawing
    from kbagent.usecases.learn.confidence import calibration_report
    from kbagent.usecases.maintain.encoding import serving_encoder

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        found = calibration_report(base, serving_encoder(base))
    if plot is not None:
        plot.write_text(drawing.calibration_svg(found), encoding="utf-8")
    if output is Format.JSON:
        write(to_json(drawing.calibration_json(found)))
    else:
        print_screen(drawing.format_calibration(found))


def _routing(output: Format, by_facet: str | None, kb: Path | None) -> None:
    """The later half of the history, routed by what lay before."""
    from kbagent.cli.screens import routing as drawing
    from kbagent.usecases.evaluate.routing import replay_routing

    with open_knowledge_base(folder_of(kb), notify=tell) as base, counting("routing") as report:
        found = replay_routing(base, by_facet, progress=report)
    if output is Format.JSON:
        write(to_json(drawing.routing_json(found)))
    else:
        print_screen(drawing.format_routing(found))
