"""`kbagent report`: whether the whole thing gets better, and what is known, at risk, or went wrong.

Success is measured by a replay: cases of the past are looked up again with only what was known
before each. What was not measured is None, never a guess.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.contingency import Difference
from kbagent.store import columns
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.moments import to_text
from kbagent.usecases.evaluate.evaluation import SEED
from kbagent.usecases.evaluate.replay import Progress
from kbagent.usecases.mine.columns import NOTHING, Columns, There, cases_there, load_columns
from kbagent.usecases.report.curve import (
    Month,
    Success,
    Week,
    months_of,
    success_of,
    weeks_of,
)
from kbagent.usecases.report.duration import (
    Durations,
    Minutes,
    durations,
    minutes_of,
    shortened,
)
from kbagent.usecases.report.hazards import AtRisk, at_risk, stopped
from kbagent.usecases.report.knowledge import (
    Contradiction,
    Gone,
    Kept,
    Prevented,
    Story,
    contradictions_of,
    gone_of,
    kept_of,
    prevented_of,
    stories_of,
)
from kbagent.usecases.report.replaying import Questions, looked_up_again
from kbagent.usecases.report.slices import Slice, places_of
from kbagent.usecases.report.uplift import Drift, Uplift, drift_of, uplifts

Ints = NDArray[np.int64]
EVERYTHING = Slice()


@dataclass(frozen=True, slots=True)
class Report:
    """The whole of it, over the cases of a slice.

    `since` and `until` are when its first and last case were opened. `eligible` cases could have
    been looked up again; `success.questions` of them were. `at_risk` and `contradictions` are of
    now. `there` tells of all cases. `deviations` are (kind, check, caught, put right).
    """

    name: str
    since: datetime | None
    until: datetime | None
    cases: int
    issues: int
    issues_repeated: int
    kept: Kept
    success: Success | None
    eligible: int
    uplifts: tuple[Uplift, ...]
    drift: Drift | None
    helped: Minutes | None
    alone: Minutes | None
    shortened: Difference | None
    months: tuple[Month, ...]
    weeks: tuple[Week, ...]
    stories: tuple[Story, ...]
    at_risk: tuple[AtRisk, ...]
    stopped: tuple[Gone, ...]
    contradictions: tuple[Contradiction, ...]
    deviations: tuple[tuple[str, str, int, int], ...]
    prevented: tuple[Prevented, ...]
    there: There = NOTHING


@dataclass(frozen=True, slots=True)
class Material:
    """What one or two reports are made of, read once: all cases, those asked again, the slices."""

    kb: KnowledgeBase
    found: Columns
    questions: Questions | None
    inside: dict[Slice, Sequence[int]] = field(default_factory=dict)

    def rows(self, one: Slice) -> Ints:
        """The questions of a slice."""
        if self.questions is None:
            return np.zeros(0, dtype=np.int64)
        ids = self.found.case_ids[list(self.inside[one])]
        return np.flatnonzero(np.isin(self.questions.case_ids, ids))

    def eligible(self, one: Slice) -> int:
        """How many cases of a slice could have been looked up again."""
        if self.questions is None:
            return 0
        ids = self.found.case_ids[list(self.inside[one])]
        return int(np.isin(ids, self.questions.eligible).sum())


def report(
    kb: KnowledgeBase, progress: Progress, one: Slice = EVERYTHING, *, most: int | None = None
) -> Report:
    """What the knowledge base did in a slice. An empty one gives an empty report.

    Raises:
        BadFilter: a condition names a column that no case has.
    """
    return report_of(material_of(kb, progress, [one], most), one)


def material_of(
    kb: KnowledgeBase, progress: Progress, slices: Sequence[Slice], most: int | None
) -> Material:
    """Everything that the reports of these slices need; each case is looked up again once.

    Raises:
        BadFilter: a condition names a column that no case has.
    """
    found = load_columns(kb.connection)
    inside = {one: places_of(kb.connection, found, one) for one in slices}
    together = sorted({place for some in inside.values() for place in some})
    questions = looked_up_again(kb, found.case_ids[together], progress, most)
    return Material(kb, found, questions, inside)


def report_of(material: Material, one: Slice) -> Report:
    """The report of one slice."""
    kb, found, questions = material.kb, material.found, material.questions
    inside, rows = material.inside[one], material.rows(one)
    owned = found.issue[list(inside)]
    issues, sizes = np.unique(owned[owned >= 0], return_counts=True)
    narrowed = _narrowed(kb, found, one)
    times = durations(kb, found, inside, one)
    period = to_text(one.since) or "", to_text(one.until) or "9999"
    gone = stopped(kb, narrowed, one.since, one.until)
    told = questions is not None and rows.size > 0
    return Report(
        name=one.name,
        since=found.opened[inside[0]] if inside else None,
        until=found.opened[inside[-1]] if inside else None,
        cases=len(inside),
        issues=int(sizes.size),
        issues_repeated=int((sizes > 1).sum()),
        kept=kept_of(kb),
        success=success_of(questions, rows) if questions else None,
        eligible=material.eligible(one),
        uplifts=uplifts(kb, questions, rows) if questions and told else (),
        drift=drift_of(questions, rows) if questions and told else None,
        helped=minutes_of([minutes for _, minutes in times.helped]),
        alone=minutes_of([minutes for _, minutes in times.alone]),
        shortened=shortened(times, np.random.default_rng(SEED)),
        months=_months(material, one, rows, times),
        weeks=weeks_of(found, inside),
        stories=stories_of(kb, questions, rows) if questions else (),
        at_risk=at_risk(kb, narrowed),
        stopped=gone_of(kb, narrowed, gone),
        contradictions=contradictions_of(kb, set(issues.tolist()) if one.where else None),
        deviations=tuple(columns.deviations_caught(kb.connection, *period)),
        prevented=prevented_of(kb, one),
        there=cases_there(kb.connection),
    )


def _narrowed(kb: KnowledgeBase, found: Columns, one: Slice) -> Columns:
    """The cases that satisfy the conditions, whenever they were opened."""
    if not one.where:
        return found
    ever = places_of(kb.connection, found, Slice(where=one.where))
    return load_columns(kb.connection, np.sort(found.case_ids[list(ever)]))


def _months(material: Material, one: Slice, rows: Ints, times: Durations) -> tuple[Month, ...]:
    lookups = None
    if not one.where:
        period = to_text(one.since) or "", to_text(one.until) or "9999"
        looked = columns.lookups_by_month(material.kb.connection, *period)
        lookups = {row[0]: (row[1], row[2], row[3]) for row in looked}
    inside = material.inside[one]
    return months_of(material.found, inside, material.questions, rows, times, lookups)
