"""`kbagent learn`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from kbagent.cli.options import By, Format, Kb, ScreenFormat, folder_of
from kbagent.cli.output import print_screen, tell, to_json, write
from kbagent.cli.progress import counting
from kbagent.store.knowledge_base import open_knowledge_base

app = typer.Typer()


@app.command()
def learn(
    *,
    checks: Annotated[
        bool, typer.Option("--checks", help="Learn the checks and confidence of `solve` instead.")
    ] = False,
    output: ScreenFormat = Format.TABLE,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Fit what outcomes and links teach; makes a candidate."""
    from kbagent.cli.screens import learning as screens
    from kbagent.usecases.learn.fitting import learn as fit

    if checks:
        _learn_checks(output, kb)
        return
    with (
        open_knowledge_base(folder_of(kb), notify=tell) as base,
        counting("looking up") as report,
    ):
        found = fit(base, tell, report, by=by)
    if output is Format.TABLE:
        print_screen(screens.format_learned(found))
    else:
        write(to_json(screens.learned_json(found)))


def _learn_checks(output: Format, kb: Path | None) -> None:
    """What is usual here, what confidence means, and thresholds that the past proves better."""
    import numpy as np

    from kbagent.cli.screens.calibration import format_checks_learned
    from kbagent.usecases.learn.checks import learn_checks
    from kbagent.usecases.maintain.encoding import serving_encoder

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        done = learn_checks(base, serving_encoder(base), np.random.default_rng(0))
    if output is Format.TABLE:
        print_screen(format_checks_learned(done))
    else:
        write(
            to_json(
                {
                    "runs": done.runs,
                    "threshold": done.confidence.threshold,
                    "basis": done.confidence.basis,
                    "checks": [asdict(one) for one in done.checks],
                }
            )
        )
