"""`kbagent policy list|show|set|promote|rollback|freeze|diff|trust|file|edit|history`."""

from pathlib import Path
from typing import Annotated

import typer

from kbagent.cli import charter
from kbagent.cli.options import By, Format, Kb, ScreenFormat, folder_of
from kbagent.cli.output import print_screen, screen_width, tell, to_json, write
from kbagent.cli.progress import counting
from kbagent.errors import BadValue
from kbagent.store import decisions, policies
from kbagent.store.knowledge_base import open_knowledge_base

MAX_ERROR, MIN_COVERAGE = "max-error", "min-coverage"

app = typer.Typer(
    no_args_is_help=True, help="See, change, promote and roll back how answers are ranked."
)

app.command("file")(charter.print_file)
app.command("edit")(charter.edit)
app.command("history")(charter.history)

Version = Annotated[int, typer.Argument(metavar="VERSION", help="As `policy list` says.")]


@app.command("list")
def list_policies(*, output: ScreenFormat = Format.TABLE, kb: Kb = None) -> None:
    """Show every policy: which is live, which were, which wait to be promoted."""
    from kbagent.cli.screens import policies as screens

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        rows = screens.rows(
            policies.everyone(base.connection),
            policies.log(base.connection),
            {
                one.version: policies.origin(base.connection, one.version)
                for one in policies.everyone(base.connection)
            },
        )
        frozen = policies.is_frozen(base.connection)
    if output is Format.TABLE:
        print_screen(screens.format_policies(rows, frozen=frozen))
    else:
        write(to_json(rows))


@app.command()
def show(
    version: Annotated[
        int | None, typer.Argument(metavar="[VERSION]", help="Else the live one.")
    ] = None,
    *,
    output: ScreenFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Show a policy's parameters, what it was learned from, and what was said of it."""
    from kbagent.cli.screens import policies as screens
    from kbagent.usecases.evaluate.evaluation import named_policy
    from kbagent.usecases.reuse.boundaries import TRUST

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        policy = policies.live(base.connection) if version is None else named_policy(base, version)
        found = screens.policy_json(
            policy,
            policies.origin(base.connection, policy.version),
            policies.evaluations(base.connection, policy.version),
            decisions.standing(base.connection, TRUST),
        )
    if output is Format.TABLE:
        print_screen(screens.format_policy(found))
    else:
        write(to_json(found))


@app.command("set")
def set_policy(
    assignments: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE…", help="Such as exploration=on.")
    ],
    *,
    name: Annotated[str | None, typer.Option("--name", help="What to call the policy.")] = None,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Make a policy with other parameters: exploration=on|off, gate=cautious|bold and
    confident_at=SHARE go live at once, all else waits for `policy promote`. max-error=SHARE and
    min-coverage=SHARE set from which confidence a search or `solve` answers.
    """
    from kbagent.usecases.learn import policies as handling

    promises = [one for one in assignments if one.partition("=")[0] in (MAX_ERROR, MIN_COVERAGE)]
    if promises:
        _promise(promises[-1], kb)
    assignments = [one for one in assignments if one not in promises]
    if promises and not assignments:
        return
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        done = handling.set_parameters(base, assignments, by=by, name=name)
    version = done.policy.version
    if done.went_live:
        write(f"policy {version} is live; take it back: kbagent policy rollback")
    else:
        write(f"policy {version} is a candidate; test it: kbagent policy promote {version}")


def _promise(assignment: str, kb: Path | None) -> None:
    """What people want of answers: the threshold follows, and says what it rests on."""
    import textwrap

    from kbagent.usecases.learn.confidence import set_promise
    from kbagent.usecases.maintain.encoding import serving_encoder

    name, _, value = assignment.partition("=")
    try:
        share = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
    except ValueError:
        raise BadValue(name=name, value=value, reason="give a share such as 0.05") from None
    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        certain = set_promise(base, name, share, serving_encoder(base))
    if certain.threshold > 1.0:
        told = f"nothing is answered from now on, all is asked or handed over: {certain.basis}"
        write(textwrap.fill(told, screen_width()))
        write(f"ask for less: kbagent policy set {name}=SHARE")
        write("or take the promise out of the file: kbagent policy edit")
    else:
        told = f"answers from confidence {certain.threshold:.2f} on: {certain.basis}"
        write(textwrap.fill(told, screen_width()))


@app.command()
def promote(version: Version, *, by: By = None, kb: Kb = None) -> None:
    """Make a candidate live if the replay of the past shows it to be better."""
    from kbagent.cli.screens import policies as screens
    from kbagent.usecases.learn import policies as handling
    from kbagent.usecases.learn import promotion

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        handling.refuse_if_frozen(base)
        with counting("replaying") as report:
            trial = promotion.try_candidate(base, version, report)
        print_screen(screens.format_trial(trial))
        promotion.promote(base, trial, by=by)
    write(f"policy {version} is live; take it back: kbagent policy rollback")


@app.command()
def rollback(
    version: Annotated[
        int | None, typer.Argument(metavar="[VERSION]", help="Else the one before.")
    ] = None,
    *,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Make the policy that was live before live again, at once."""
    from kbagent.usecases.learn import policies as handling

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        policy = handling.roll_back(base, version, by=by)
    write(f"policy {policy.version} is live again")


@app.command()
def freeze(
    *,
    off: Annotated[bool, typer.Option("--off", help="Allow changes again.")] = False,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Let nothing learned go live until further notice."""
    from kbagent.usecases.learn import policies as handling

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        policy = handling.freeze(base, frozen=not off, by=by)
    told = "may change again" if off else "stays live until `kbagent policy freeze --off`"
    write(f"policy {policy.version} {told}")


@app.command()
def diff(
    version: Version,
    other: Annotated[
        int | None, typer.Argument(metavar="[OTHER]", help="Else the live one.")
    ] = None,
    *,
    output: ScreenFormat = Format.TABLE,
    kb: Kb = None,
) -> None:
    """Show in which parameters two policies differ."""
    from kbagent.cli.screens import policies as screens
    from kbagent.usecases.evaluate.evaluation import named_policy
    from kbagent.usecases.learn import policies as handling

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        one = named_policy(base, version)
        two = policies.live(base.connection) if other is None else named_policy(base, other)
    rows = handling.difference(one.parameters, two.parameters)
    if output is Format.TABLE:
        print_screen(screens.format_difference(one, two, rows))
    else:
        write(to_json({name: [left, right] for name, left, right in rows}))


@app.command()
def trust(
    name: Annotated[str, typer.Argument(help="Who, as in --by.")],
    weight: Annotated[float, typer.Argument(help="0: not at all; 1: like everybody.")],
    *,
    by: By = None,
    kb: Kb = None,
) -> None:
    """Say how much the outcomes that somebody reports count."""
    from kbagent.usecases.learn import policies as handling

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        handling.set_trust(base, name, weight, by=by)
    write(f"from now on an outcome by {name} counts {weight:g}")
