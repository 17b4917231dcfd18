"""Answers that were shown without confidence and worked all the same: was it the right problem?

What people say becomes a label of the confidence (`learn.confidence`). A fix may help with a
problem that is not the one it was recorded for; then the answer was wrong though it worked.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from kbagent.store import cases, issues, lookups
from kbagent.usecases.review.ground import Ground
from kbagent.usecases.review.items import (
    Answer,
    AnswerLesson,
    Choice,
    Deed,
    Item,
    KeepPlace,
    Kind,
    PartCases,
    Side,
    state_of,
)


@dataclass(frozen=True, slots=True)
class _Worked:
    """An outcome of an unsure lookup: what was shown, and the case it is said of."""

    lookup: int
    outcome: int
    verdict: str
    case: int
    shown_case: int
    resolution: int
    by: str | None


def items(ground: Ground) -> Iterator[Item]:
    """One item for each unsure lookup of which an outcome says that it worked, newest first."""
    seen: set[int] = set()
    for one in _unsure(ground):
        if one.lookup not in seen:
            seen.add(one.lookup)
            item = _item(ground, one)
            if item is not None:
                yield item


def _unsure(ground: Ground) -> list[_Worked]:
    rows = ground.connection.execute(
        """SELECT lookups.id, outcomes.id, verdict, outcomes.case_id, showings.case_id,
            canonical_id, outcomes.by
        FROM lookups JOIN outcomes ON outcomes.lookup_id = lookups.id
        JOIN resolutions ON resolutions.id = outcomes.resolution_id
        JOIN showings ON showings.lookup_id = lookups.id
            AND showings.resolution_id = outcomes.resolution_id
        WHERE confident = 0 AND outcomes.source = 'explicit' AND verdict IN ('worked', 'partly')
        AND NOT EXISTS (SELECT 1 FROM outcomes AS later WHERE later.undoes = outcomes.id)
        ORDER BY lookups.id DESC, outcomes.id DESC"""
    )
    return [_Worked(*row) for row in rows]


def _item(ground: Ground, one: _Worked) -> Item | None:
    lookup = lookups.by_id(ground.connection, one.lookup)
    homes = issues.memberships(ground.connection, [one.shown_case, one.case])
    if lookup is None or one.shown_case not in homes:
        return None
    issue = homes[one.shown_case].issue_id
    own = one.case if one.case != one.shown_case and one.case in homes else None
    named = cases.by_ids(ground.connection, [own])[own].ref if own is not None else ""
    joined = own is not None and homes[own].issue_id == issue
    keep: Deed | None = KeepPlace(own, issue) if own is not None and joined else None
    part: Deed | None = PartCases(one.shown_case, own) if own is not None and joined else None
    sure = f"{lookup.confidence:.2f}" if lookup.confidence is not None else "below the bar"
    who = f", says {one.by}" if one.by else ""
    return Item(
        key=f"answer:{lookup.handle}",
        kind=Kind.ANSWER,
        question=f"Was i{issue} the right problem for this question?",
        sides=(
            Side(lookup.handle, lookup.query, f"asked {lookup.at:%Y-%m-%d}"),
            ground.issue(issue),
            ground.fix(one.resolution, [issue]),
        ),
        evidence=(
            f"it was shown as not confident (sure {sure}); r{one.resolution} {one.verdict}{who}",
            f"the outcome is on {named}" if named else "the outcome names no case of its own",
        ),
        accept=Choice(
            Answer.ACCEPT,
            "right",
            "for the confidence such an answer counts as right"
            + (f"; {named} stays in i{issue} for good" if keep else ""),
            keep,
            AnswerLesson(one.lookup, right=True),
        ),
        reject=Choice(
            Answer.REJECT,
            "wrong",
            "for the confidence such an answer counts as wrong"
            + (f"; {named} gets an issue of its own" if part else ""),
            part,
            AnswerLesson(one.lookup, right=False),
        ),
        state=state_of(one.outcome),
        weight=float(one.lookup),
        issues=(issue,),
    )
