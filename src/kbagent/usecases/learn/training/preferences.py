"""Preferences: `dpo` (prompt, chosen, rejected) and `kto` (prompt, completion, label).

From the whole ledger, not only from lookups. A pair is made only of resolutions that were tried
on the same issue: what worked on a case, before what failed on it or, more often than not, failed
on another case of its issue. Partly is neither. Withdrawn cases are left out.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from kbagent.model.case import Verdict
from kbagent.store import cases, ledger
from kbagent.usecases.learn.training.rollouts import texts_of

MOST_PAIRS = 4  # of one case and chosen resolution


@dataclass(frozen=True, slots=True)
class Tried:
    """An outcome that stands, with the text of its case and of its resolution."""

    case_id: int
    issue_id: int
    resolution_id: int
    prompt: str
    completion: str
    worked: bool


def tried(connection: sqlite3.Connection, since: datetime | None) -> list[Tried]:
    """Every outcome that stands and is plainly worked or failed, by id."""
    entries = ledger.every(connection)
    gone = {one.undoes for one in entries if one.undoes is not None}
    kept = [
        one
        for one in entries
        if one.id not in gone
        and one.verdict in (Verdict.WORKED, Verdict.FAILED)
        and (since is None or one.recorded_at >= since)
    ]
    stored = cases.by_ids(connection, {one.case_id for one in kept})
    texts = texts_of(connection, {one.resolution_id for one in kept})
    return [
        Tried(
            case.id,
            case.issue_id,
            one.resolution_id,
            f"{case.title}\n\n{case.body}".strip(),
            texts[one.resolution_id],
            one.verdict is Verdict.WORKED,
        )
        for one in kept
        if (case := stored.get(one.case_id)) is not None and case.withdrawn_at is None
    ]


def pairs(found: list[Tried]) -> Iterator[dict[str, str]]:
    """The `dpo` rows."""
    by_case: dict[int, list[Tried]] = defaultdict(list)
    by_issue: dict[int, list[Tried]] = defaultdict(list)
    for one in found:
        by_case[one.case_id].append(one)
        by_issue[one.issue_id].append(one)
    for mine in by_case.values():
        issue = by_issue[mine[0].issue_id]
        for chosen in _distinct([one for one in mine if one.worked]):
            for rejected in _rejected(chosen, mine, issue)[:MOST_PAIRS]:
                yield {
                    "prompt": chosen.prompt,
                    "chosen": chosen.completion,
                    "rejected": rejected.completion,
                }


def labels(found: list[Tried]) -> Iterator[dict[str, str | bool]]:
    """The `kto` rows."""
    for one in found:
        yield {"prompt": one.prompt, "completion": one.completion, "label": one.worked}


def _rejected(chosen: Tried, mine: list[Tried], issue: list[Tried]) -> list[Tried]:
    """What failed on the case first, then what mostly failed on the issue."""
    worked_here = {one.resolution_id for one in mine if one.worked}
    failed = [one for one in mine if not one.worked]
    failed += [one for one in issue if not one.worked and _rate(issue, one) < 0.5]
    return [
        one
        for one in _distinct(failed)
        if one.resolution_id not in worked_here and one.completion != chosen.completion
    ]


def _rate(issue: list[Tried], one: Tried) -> float:
    same = [other.worked for other in issue if other.resolution_id == one.resolution_id]
    return sum(same) / len(same)


def _distinct(found: list[Tried]) -> list[Tried]:
    return list({one.resolution_id: one for one in reversed(found)}.values())[::-1]
