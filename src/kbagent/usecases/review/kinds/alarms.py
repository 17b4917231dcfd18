"""Alarms: a fix that stopped working on an issue (`core.learning.change`).

What lies before the change already counts for nothing in the ranking; people decide whether the
fix is to come last at all.
"""

from collections.abc import Iterator

from kbagent.usecases.report.hazards import Stopped
from kbagent.usecases.reuse.boundaries import limits_of
from kbagent.usecases.review.ground import Ground
from kbagent.usecases.review.items import Answer, Choice, Deprecate, Item, Kind, state_of


def items(ground: Ground) -> Iterator[Item]:
    """One item for each fix that stopped and that no rule has put last."""
    for one in ground.stopped:
        limits = limits_of(ground.connection, one.issue_id)
        if one.resolution_id not in limits.deprecated | limits.forbidden:
            yield _item(ground, one)


def _item(ground: Ground, one: Stopped) -> Item:
    broke, fix, issue = one.broke, f"r{one.resolution_id}", f"i{one.issue_id}"
    since = f"{broke.at:%Y-%m-%d}"
    others = ", ".join(f"i{other}" for other in one.issues if other != one.issue_id)
    together = (f"counted together with {others}, where it failed too",) if others else ()
    noticed = f", noticed on {broke.noticed_at:%Y-%m-%d}" if broke.noticed_at else ""
    return Item(
        key=f"alarm:{fix}:{issue}",
        kind=Kind.ALARM,
        question=f"Has {fix} stopped working for {issue}?",
        sides=(ground.fix(one.resolution_id), ground.issue(one.issue_id)),
        evidence=(
            f"it worked {broke.worked_before:g} of {broke.tried_before:g} times until {since}",
            f"since then {broke.worked_since:g} of {broke.tried_since:g}{noticed}",
            *together,
        ),
        accept=Choice(
            Answer.ACCEPT,
            "stopped",
            f"{fix} comes after all others for {issue}, until somebody lifts that",
            Deprecate(one.resolution_id, one.issue_id, f"stopped working on {since}"),
        ),
        reject=Choice(
            Answer.REJECT,
            "still works",
            "nothing changes; new outcomes go on to rank it",
        ),
        state=state_of(broke.noticed_at),
        weight=broke.tried_since - broke.worked_since,
        issues=(one.issue_id,),
    )
