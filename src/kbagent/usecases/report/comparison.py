"""`kbagent report --compare`: two periods, teams or products side by side.

The cases are others on either side, so a difference may come from the cases as well as from what
was done with them; each stands with its interval, and `without feedback` says how much of a
difference in success the cases themselves make.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from kbagent.core.learning.contrast import mean_gap, median_gap
from kbagent.core.patterns.contingency import Counts, Difference, risk_difference
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.evaluate.evaluation import LIVE, NO_FEEDBACK, SEED
from kbagent.usecases.evaluate.replay import Progress
from kbagent.usecases.report.compounding import Material, Report, material_of, report_of
from kbagent.usecases.report.curve import first_of_issue
from kbagent.usecases.report.replaying import Questions
from kbagent.usecases.report.slices import Slice

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Unit(StrEnum):
    """In what a measure is told."""

    COUNT = "count"
    SHARE = "share"
    MINUTES = "minutes"


@dataclass(frozen=True, slots=True)
class Side:
    """A measure of one side; None where nothing was measured. `cases` it rests on."""

    value: float | None
    cases: int


@dataclass(frozen=True, slots=True)
class Row:
    """A measure side by side; `difference` is one less other with its 95 % interval."""

    name: str
    unit: Unit
    one: Side
    other: Side
    difference: Difference | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two reports and the measures in which they can be compared; `shared` cases are in both."""

    one: Report
    other: Report
    shared: int
    rows: tuple[Row, ...]


def compare(
    kb: KnowledgeBase, progress: Progress, one: Slice, other: Slice, *, most: int | None = None
) -> Comparison:
    """Both slices side by side.

    Raises:
        BadFilter: a condition names a column that no case has.
    """
    material = material_of(kb, progress, [one, other], most)
    first, second = report_of(material, one), report_of(material, other)
    shared = len(set(material.inside[one]) & set(material.inside[other]))
    rows = (
        *_counted(first, second),
        *_shares(material, one, other),
        *_replayed(material, one, other),
    )
    return Comparison(first, second, shared, rows)


def _counted(one: Report, other: Report) -> list[Row]:
    """What is only counted: no interval, for it is no sample."""
    return [
        Row("cases", Unit.COUNT, Side(one.cases, one.cases), Side(other.cases, other.cases)),
        Row("issues", Unit.COUNT, Side(one.issues, one.cases), Side(other.issues, other.cases)),
    ]


def _shares(material: Material, one: Slice, other: Slice) -> list[Row]:
    """Shares and medians of all cases of either side."""
    found = material.found
    new = first_of_issue(found)
    fresh = np.array([place in new for place in range(found.size)], dtype=np.float64)
    escalated = np.where(found.escalated >= 0, found.escalated, np.nan).astype(np.float64)
    first, second = (np.array(material.inside[side], dtype=np.int64) for side in (one, other))
    rows = [
        _share("new problems", fresh[first], fresh[second]),
        _share("escalated", escalated[first], escalated[second]),
    ]
    minutes = [_known(found.minutes[side]) for side in (first, second)]
    rng = np.random.default_rng(SEED)
    gap = median_gap(minutes[0], minutes[1], rng)
    sides = [
        Side(float(np.median(some)) if some.size else None, int(some.size)) for some in minutes
    ]
    return [*rows, Row("minutes to resolve, median", Unit.MINUTES, sides[0], sides[1], gap)]


def _share(name: str, first: Floats, second: Floats) -> Row:
    """A share of single cases, by Newcombe's interval; unrecorded ones do not count."""
    one, other = _known(first), _known(second)
    gap = None
    if one.size and other.size:
        both, rest = int(one.sum()), int(other.sum())
        gap = risk_difference(Counts(both, one.size, both + rest, one.size + other.size))
    return Row(name, Unit.SHARE, _side(one), _side(other), gap)


def _known(values: Floats) -> Floats:
    return values[~np.isnan(values)]


def _side(values: Floats) -> Side:
    return Side(float(values.mean()) if values.size else None, int(values.size))


Measure = Callable[[Questions, Ints], tuple[Ints, Floats]]
"""(rows it is told of, their values)."""


def _replayed(material: Material, one: Slice, other: Slice) -> list[Row]:
    """What the replay says; issues are drawn whole for the intervals."""
    questions = material.questions
    if questions is None:
        return []
    sides = [material.rows(side) for side in (one, other)]
    rows = []
    for name, measure in _MEASURES:
        (mine, values), (theirs, others) = (measure(questions, side) for side in sides)
        gap = mean_gap(
            values,
            others,
            np.random.default_rng(SEED),
            one_groups=questions.issue[mine],
            other_groups=questions.issue[theirs],
        )
        rows.append(Row(name, Unit.SHARE, _side(values), _side(others), gap))
    return rows


def _success(policy: str, k: int) -> Measure:
    def measure(questions: Questions, rows: Ints) -> tuple[Ints, Floats]:
        known = rows[questions.known[rows]]
        return known, questions.success(policy, k, known)

    return measure


def _answered(questions: Questions, rows: Ints) -> tuple[Ints, Floats]:
    return rows, questions.answered[rows].astype(np.float64)


def _recall(questions: Questions, rows: Ints) -> tuple[Ints, Floats]:
    known = rows[questions.relevant[rows] > 0]
    return known, np.asarray(questions.found[known] / questions.relevant[known])


_MEASURES: tuple[tuple[str, Measure], ...] = (
    ("success@1", _success(LIVE, 1)),
    ("success@1 without feedback", _success(NO_FEEDBACK, 1)),
    ("success@3", _success(LIVE, 3)),
    ("answered", _answered),
    ("recall", _recall),
)
