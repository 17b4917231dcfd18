"""`kbagent emerging`, and `kbagent release add|remove|list`."""

from typing import Annotated

import typer

from kbagent.cli.options import By, Format, Kb, TablesFormat, folder_of
from kbagent.cli.output import one_line, print_screen, tell, to_csv, to_json, to_markdown, write
from kbagent.cli.requests import end_of, start_of
from kbagent.errors import UsageError
from kbagent.store.knowledge_base import open_knowledge_base

emerging = typer.Typer()
release = typer.Typer(no_args_is_help=True, help="Tell of releases, and list them.")


@emerging.command()
def rising(
    *,
    days: Annotated[
        int, typer.Option("--days", min=1, help="Rises of the last so many days.")
    ] = 14,
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE", help="With the cases up to this day only.")
    ] = None,
    output: TablesFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """See what is rising now, what is behind it, and what worked before."""
    from kbagent.cli.screens import emerging as screens
    from kbagent.usecases.mine import emerging as mining

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        found = mining.emerging(base, within=days, as_of=end_of("--as-of", as_of))
    match output:
        case Format.JSON:
            write(to_json(screens.emerging_json(found)))
        case Format.CSV:
            write(screens.emerging_csv(found))
        case Format.MD:
            write(screens.emerging_markdown(found))
        case _:
            print_screen(screens.format_emerging(found))


@release.command()
def add(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Such as 4.2.")],
    *,
    at: Annotated[str, typer.Option("--at", metavar="DATE", help="The day it came out.")],
    by: By = None,
    kb: Kb = None,
) -> None:
    """Tell that a version came out, or when it is going to."""
    from kbagent.usecases.mine.emerging import tell_release

    moment = start_of("--at", at)
    if moment is None:
        raise UsageError(what="Say when it came out: --at DATE.")
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        made = tell_release(base, version, moment, by=by)
        planned = made.at > base.clock()
    named, day = one_line(made.version, 60), f"{made.at:%Y-%m-%d}"
    if planned:
        write(f"{named} is planned for {day}; until then kbagent emerging leaves it out")
    else:
        write(f"{named} came out on {day}; see: kbagent emerging")


@release.command()
def remove(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="As it was told, like 4.2.")],
    *,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Take back that a version came out; that it was told is kept."""
    from kbagent.usecases.mine.emerging import take_back_release

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        gone, inferred = take_back_release(base, version, by=by)
    for one in gone:
        write(f"taken back: {one_line(one.version, 60)} on {one.at:%Y-%m-%d}")
    if inferred is not None:
        write(f"its first case, on {inferred.at:%Y-%m-%d}, stands for it now")


@release.command("list")
def list_releases(*, output: TablesFormat = Format.TABLE, kb: Kb = None) -> None:
    """List the releases that are known, and where from."""
    from kbagent.cli.screens import emerging as screens
    from kbagent.usecases.mine.emerging import all_releases

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        found, now = all_releases(base), base.clock()
    header = ("version", "at", "told", "planned")
    rows = [(one.version, one.at, one.told, one.at > now) for one in found]
    match output:
        case Format.JSON:
            write(to_json(screens.releases_json(found, now)))
        case Format.CSV:
            write(to_csv(header, rows))
        case Format.MD:
            write(to_markdown(header, rows))
        case _:
            print_screen(screens.format_releases(found, now))
