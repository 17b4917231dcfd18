"""`kbagent patterns`, and `kbagent patterns confirm|reject|mute`."""

from typing import Annotated

import typer

from kbagent.cli.options import (
    By,
    Format,
    Kb,
    ScreenFormat,
    Since,
    TablesFormat,
    Where,
    Zone,
    folder_of,
    zone_of,
)
from kbagent.cli.output import one_line, print_screen, tell, to_json, write
from kbagent.cli.requests import Narrowing, request_of
from kbagent.errors import UnknownHandle, UsageError
from kbagent.store.knowledge_base import open_knowledge_base

app = typer.Typer(
    invoke_without_command=True, help="Find what goes with what: words, times, customers, releases."
)

Handle = Annotated[str, typer.Argument(metavar="PATTERN", help="Its id, like p766784.")]


@app.callback()
def patterns(
    context: typer.Context,
    *,
    where: Where = None,
    since: Since = None,
    min_lift: Annotated[
        float, typer.Option("--min-lift", min=1.0, help="The least lift that is shown.")
    ] = 1.1,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind", metavar="KIND", help="Show phrasing, timing, cohort, keyword or release only."
        ),
    ] = None,
    zone: Zone = "UTC",
    limit: Annotated[int, typer.Option("-n", min=1, help="Patterns on the screen.")] = 15,
    output: TablesFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Find what goes with what: words, times, customers, releases."""
    if context.invoked_subcommand is not None:
        if where or since or zone != "UTC":
            said = f"kbagent patterns {context.invoked_subcommand} PATTERN"
            raise UsageError(what=f"Write --where, --since and --zone behind it: {said} …")
        return
    from kbagent.cli.screens import patterns as screens
    from kbagent.usecases.mine import patterns as mining

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        request = request_of(base, "", Narrowing(where=where, since=since))
        found = mining.patterns(
            base, mining.Asked(request, min_lift, mining.kind_named(kind), zone_of(zone))
        )
    match output:
        case Format.JSON:
            write(to_json(screens.patterns_json(found)))
        case Format.CSV:
            write(screens.patterns_csv(found))
        case Format.MD:
            write(screens.patterns_markdown(found))
        case _:
            print_screen(screens.format_patterns(found, limit=limit))


@app.command()
def show(
    handle: Handle,
    *,
    where: Where = None,
    since: Since = None,
    zone: Zone = "UTC",
    output: ScreenFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Show one pattern in full: its counts, its period and its cases."""
    from kbagent.cli.screens import patterns as screens
    from kbagent.usecases.mine import patterns as mining

    handle = handle.strip().lower()
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        request = request_of(base, "", Narrowing(where=where, since=since))
        found = mining.patterns(base, mining.Asked(request, zone=zone_of(zone)))
    if all(one.handle != handle for one in found.told):
        raise UnknownHandle(handle=handle, hint=mining.HOW_TO_FIND)
    if output is Format.JSON:
        write(to_json(screens.pattern_json(found, handle)))
    else:
        print_screen(screens.format_pattern(found, handle))


def _verdict(name: str, verdict: str, told: str) -> None:
    """A command that says this of a pattern."""

    @app.command(name, help=told)
    def say(
        handle: Handle,
        *,
        where: Where = None,
        since: Since = None,
        zone: Zone = "UTC",
        by: By = None,
        kb: Kb = None,
    ) -> None:
        _say(handle, verdict, Narrowing(where=where, since=since), zone, by, kb)


_verdict("confirm", "confirmed", "Say that a pattern is true; you are told when it stops to hold.")
_verdict("reject", "rejected", "Say that a pattern is not true; it is not shown again.")
_verdict("mute", "muted", "Do not show a pattern again, true as it may be.")


def _say(
    handle: str, verdict: str, narrowing: Narrowing, zone: str, by: str | None, kb: Kb
) -> None:
    from kbagent.cli.screens.fates import as_options
    from kbagent.usecases.mine import patterns as mining
    from kbagent.usecases.mine.verdicts import Conditions

    handle = handle.strip().lower()  # ids are written in small letters
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        request = request_of(base, "", narrowing)
        mining.say(base, handle, verdict, by=by, zone=zone_of(zone), request=request)
    other = "mute" if verdict == "confirmed" else "confirm"
    conditions = Conditions.of(request)
    told = f" on cases {one_line(str(conditions))}" if conditions else ""
    more = as_options(conditions)
    write(f"{handle} is {verdict}{told}; say otherwise: kbagent patterns {other} {handle}{more}")
