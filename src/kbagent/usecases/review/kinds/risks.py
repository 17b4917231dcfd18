"""Knowledge at risk: on one person alone, or not known to hold for the versions met now.

Whoever vouches for a fix takes the risk away; the report no longer names it then.
"""

from collections.abc import Iterator

from kbagent.usecases.report.hazards import AtRisk, Unconfirmed, at_risk, unconfirmed
from kbagent.usecases.review.ground import Ground
from kbagent.usecases.review.items import Answer, Choice, Deprecate, Item, Kind, Vouch, state_of


def items(ground: Ground, *, since: str | None = None) -> Iterator[Item]:
    """Issues solved by one person only, and fixes not known to work on newer versions.

    `since` is the version from which on a fix must be known to work; None: the one after the last.
    """
    for one in at_risk(ground.kb, ground.columns):
        yield _alone(ground, one)
    for two in unconfirmed(ground.kb, ground.columns, since=since):
        yield _unconfirmed(ground, two)


def _alone(ground: Ground, one: AtRisk) -> Item:
    fix, issue = f"r{one.resolution_id}", f"i{one.issue_id}"
    return Item(
        key=f"risk:{issue}:alone",
        kind=Kind.RISK,
        question=f"Only {one.person} ever solved {issue}. Can you vouch for {fix}?",
        sides=(ground.issue(one.issue_id), ground.fix(one.resolution_id, [one.issue_id])),
        evidence=(f"{one.person} solved all {one.solved} cases of which an outcome is known",),
        accept=Choice(
            Answer.ACCEPT,
            "vouch",
            f"in your name: you know {fix} too; the report no longer names {issue}",
            Vouch(one.issue_id, one.resolution_id, alone=one.person),
        ),
        reject=_outdated(one.resolution_id, one.issue_id),
        state=state_of(one.person, one.resolution_id),
        weight=float(one.solved),
        issues=(one.issue_id,),
    )


def _unconfirmed(ground: Ground, one: Unconfirmed) -> Item:
    fix, issue = f"r{one.resolution_id}", f"i{one.issue_id}"
    plural = "s" if one.newer != 1 else ""
    return Item(
        key=f"risk:{issue}:version",
        kind=Kind.RISK,
        question=f"Does {fix} still solve {issue} on version {one.newest}?",
        sides=(ground.issue(one.issue_id), ground.fix(one.resolution_id, [one.issue_id])),
        evidence=(
            f"no fix is known to work after version {one.last}",
            f"{one.newer} case{plural} came on later versions, up to {one.newest}",
        ),
        accept=Choice(
            Answer.ACCEPT,
            "it does",
            f"in your name: {fix} is right on {one.newest}",
            Vouch(one.issue_id, one.resolution_id, version=one.newest),
        ),
        reject=_outdated(one.resolution_id, one.issue_id),
        state=state_of(one.resolution_id, one.last, one.newest),
        weight=float(one.newer) / 1000.0,
        issues=(one.issue_id,),
    )


def _outdated(resolution: int, issue: int) -> Choice:
    return Choice(
        Answer.REJECT,
        "outdated",
        f"r{resolution} comes after all others for i{issue}, until somebody lifts that",
        Deprecate(resolution, issue, "no longer right"),
    )
