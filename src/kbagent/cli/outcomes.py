"""`kbagent worked`, `partly` and `failed`."""

from typing import Annotated

import typer

from kbagent.cli.options import By, Format, Kb, LinesFormat, folder_of
from kbagent.cli.output import print_screen, tell, to_json, write
from kbagent.cli.screens import feedback as screens
from kbagent.errors import BadValue
from kbagent.model.case import Verdict
from kbagent.model.feedback import Given, Remark
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.revise.outcomes import give

Words = Annotated[
    list[str],
    typer.Argument(
        metavar="[LOOKUP] RANK_OR_ID",
        help="The resolution by its number in the last lookup (or in LOOKUP), or by its id r17.",
    ),
]
Case = Annotated[
    str | None,
    typer.Option("--case", metavar="CASE", help="Your own case; it is kept as a new instance."),
]
Note = Annotated[str | None, typer.Option("--note", help="A remark to keep.")]
Csat = Annotated[str | None, typer.Option("--csat", help="Satisfaction: 0 to 1, or 4/5, or 80%.")]
Minutes = Annotated[float | None, typer.Option("--minutes", help="Minutes it took to resolve.")]
Escalated = Annotated[
    bool | None, typer.Option("--escalated/--not-escalated", help="Whether it went further up.")
]


def _command(verdict: Verdict, told: str) -> typer.Typer:
    """The command that reports this verdict; the three differ in nothing else."""
    app = typer.Typer()

    @app.command(help=told)
    def say(
        words: Words,
        *,
        case: Case = None,
        note: Note = None,
        csat: Csat = None,
        minutes: Minutes = None,
        escalated: Escalated = None,
        output: LinesFormat = Format.TABLE,
        by: By = None,
        kb: Kb = None,
    ) -> None:
        remark = Remark(by, note, satisfaction(csat), minutes, escalated)
        with open_knowledge_base(folder_of(kb), notify=tell) as base:
            given = give(base, verdict, words, remark, case_ref=case)
        _render(given, output)

    return app


worked = _command(Verdict.WORKED, "Say that a resolution worked.")
partly = _command(Verdict.PARTLY, "Say that a resolution helped, but not fully.")
failed = _command(Verdict.FAILED, "Say that a resolution did not work.")


def satisfaction(text: str | None) -> float | None:
    """A satisfaction in [0, 1] from `0.8`, `4/5` or `80%`.

    Raises:
        BadValue: it is none of these, or out of range.
    """
    if text is None:
        return None
    try:
        if "/" in text:
            above, below = text.split("/", 1)
            value = float(above) / float(below)
        elif text.endswith("%"):
            value = float(text[:-1]) / 100
        else:
            value = float(text)
    except (ValueError, ZeroDivisionError):
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise BadValue(name="--csat", value=text, reason="write 0 to 1, 4/5 or 80%")
    return value


def _render(given: Given, output: Format) -> None:
    if output in (Format.JSON, Format.JSONL):
        indent = 2 if output is Format.JSON else None
        write(to_json(screens.given_json(given), indent=indent))
    else:
        print_screen(screens.format_given(given))
