"""`kbagent deviations list|stats|explain`."""

from dataclasses import asdict
from typing import Annotated

import typer

from kbagent.cli.options import Format, Kb, ScreenFormat, folder_of
from kbagent.cli.output import print_screen, screen_width, tell, to_json, write
from kbagent.cli.screens import deviations as screens
from kbagent.errors import UnknownHandle
from kbagent.store import deviations
from kbagent.store.knowledge_base import open_knowledge_base

app = typer.Typer(no_args_is_help=True, help="See what checks caught and what they are worth.")


@app.command("list")
def list_deviations(
    *,
    limit: Annotated[int, typer.Option("-n", min=1, max=100_000, help="How many.")] = 20,
    output: ScreenFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Show the newest deviations: step, check, expected, observed, correction."""
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        found = deviations.latest(base.connection, limit)
    if output is Format.TABLE:
        print_screen(screens.format_deviations(found, width=screen_width()))
    else:
        write(to_json([{"run": handle, **asdict(one)} for handle, one in found]))


@app.command()
def stats(*, output: ScreenFormat = Format.TABLE, kb: Kb = None) -> None:
    """Show which checks earn their keep: how often an alarm was right, what it cost."""
    from kbagent.usecases.learn.checks import check_statistics

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        found = check_statistics(base)
    if output is Format.TABLE:
        print_screen(screens.format_statistics(found))
    else:
        write(to_json([screens.statistics_json(one) for one in found]))


@app.command()
def explain(
    check: Annotated[str, typer.Argument(help="A check, as `list` names it.")],
    *,
    kb: Kb = None,
) -> None:
    """Say what a check looks at, how it fared, and what it caught last."""
    from kbagent.usecases.learn.checks import EXPLAINED, check_statistics

    if check not in EXPLAINED:
        raise UnknownHandle(handle=check, hint=f"The checks are {', '.join(sorted(EXPLAINED))}.")
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        found = [one for one in check_statistics(base) if one.check == check]
        latest = deviations.latest(base.connection, 1000)
    mine = [(handle, one) for handle, one in latest if one.name == check][:5]
    print_screen(
        screens.format_explanation(check, EXPLAINED[check], found, mine, width=screen_width())
    )
