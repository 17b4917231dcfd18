"""The learning curve: month by month, what was asked, shown and resolved.

Success is told of cases of which it is known what worked, and of no others: an unknown outcome is
no failure. A fix in nearly the same words is a success too (`rewordings`).
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from kbagent.core.learning.promotion import paired_bootstrap
from kbagent.core.patterns.contingency import Difference
from kbagent.usecases.evaluate.evaluation import LIVE, NO_FEEDBACK, SEED
from kbagent.usecases.mine.columns import Columns
from kbagent.usecases.report.duration import Durations, Minutes, minutes_of
from kbagent.usecases.report.replaying import Questions

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Success:
    """The replay of some cases by the live policy; shares are None where they have no case.

    questions        cases looked up again
    answered         those that were answered rather than abstained on
    known            those of which something is known to have worked; `at_1` and `at_3` are theirs
    possible         those of which something worked that had worked before: no more can succeed
    exactly_at_1     the part of `at_1` that is the very fix, not one in nearly the same words
    recommended      known cases that were answered; `recommended_at_1` and `_at_3` are theirs
    recalled         cases with earlier instances; `recall` is the mean share of these found
    without_feedback success@1 without feedback on the known cases, and `uplift` what `at_1` is
                     above it, paired
    """

    questions: int
    answered: int
    known: int
    possible: int
    exactly_at_1: float | None
    at_1: float | None
    at_3: float | None
    recommended: int
    recommended_at_1: float | None
    recommended_at_3: float | None
    recalled: int
    recall: float | None
    without_feedback: float | None
    uplift: Difference | None


@dataclass(frozen=True, slots=True)
class Month:
    """One month. `success` is None when no case could be looked up again.

    `fresh` cases were the first of their issue, `returning` ones were not. `minutes` are those of
    all cases, `helped` with a lookup, `alone` without. Lookups are None where the report is of
    some cases only, for a lookup has none of their columns.
    """

    month: str
    cases: int
    fresh: int
    returning: int
    minutes: float | None
    helped: Minutes | None
    alone: Minutes | None
    success: Success | None
    lookups: int | None
    confident: int | None
    with_outcome: int | None


@dataclass(frozen=True, slots=True)
class Week:
    """One calendar week (`2025-W07`, ISO 8601): its cases, and the problems not met before."""

    week: str
    cases: int
    fresh: int


def success_of(questions: Questions, rows: Ints) -> Success | None:
    """The measures of these questions; None of no questions.

    For the interval issues are drawn whole, for their cases are alike.
    """
    if not rows.size:
        return None
    known = rows[questions.known[rows]]
    told = known[questions.answered[known]]
    recalled = rows[questions.relevant[rows] > 0]
    first, plain = questions.success(LIVE, 1, known), questions.success(NO_FEEDBACK, 1, known)
    uplift = None
    if known.size:
        rng = np.random.default_rng(SEED)
        groups = questions.issue[known]
        uplift = Difference(*paired_bootstrap(first, plain, rng, groups=groups))
    return Success(
        questions=int(rows.size),
        answered=int(questions.answered[rows].sum()),
        known=int(known.size),
        possible=int(questions.possible[known].sum()),
        exactly_at_1=_mean((questions.exactly[known] == 1).astype(np.float64)),
        at_1=_mean(first),
        at_3=_mean(questions.success(LIVE, 3, known)),
        recommended=int(told.size),
        recommended_at_1=_mean(questions.success(LIVE, 1, told)),
        recommended_at_3=_mean(questions.success(LIVE, 3, told)),
        recalled=int(recalled.size),
        recall=_mean(questions.found[recalled] / questions.relevant[recalled]),
        without_feedback=_mean(plain),
        uplift=uplift,
    )


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if values.size else None


def months_of(
    found: Columns,
    inside: Sequence[int],
    questions: Questions | None,
    rows: Ints,
    times: Durations,
    lookups: Mapping[str, tuple[int, int, int]] | None,
) -> tuple[Month, ...]:
    """One entry for each month with a case or a lookup."""
    asked: defaultdict[str, list[int]] = defaultdict(list)
    if questions is not None:
        for row, at in zip(rows.tolist(), np.array(questions.opened)[rows], strict=True):
            asked[f"{at:%Y-%m}"].append(row)
    minutes: defaultdict[str, list[float]] = defaultdict(list)
    for i in inside:
        if not np.isnan(found.minutes[i]):
            minutes[f"{found.opened[i]:%Y-%m}"].append(float(found.minutes[i]))
    helped, alone = _by_month(times.helped), _by_month(times.alone)
    cases = Counter(f"{found.opened[i]:%Y-%m}" for i in inside)
    new = first_of_issue(found)
    fresh = Counter(f"{found.opened[i]:%Y-%m}" for i in inside if i in new)
    nothing = (0, 0, 0) if lookups is not None else (None, None, None)
    return tuple(
        Month(
            month,
            cases[month],
            fresh[month],
            cases[month] - fresh[month],
            float(np.median(minutes[month])) if minutes[month] else None,
            minutes_of(helped.get(month, ())),
            minutes_of(alone.get(month, ())),
            success_of(questions, np.array(asked[month], np.int64)) if questions else None,
            *(lookups or {}).get(month, nothing),
        )
        for month in sorted({*cases, *helped, *(lookups or {})})
    )


def _by_month(times: Sequence[tuple[datetime, float]]) -> dict[str, list[float]]:
    found: defaultdict[str, list[float]] = defaultdict(list)
    for at, minutes in times:
        found[f"{at:%Y-%m}"].append(minutes)
    return dict(found)


def weeks_of(found: Columns, inside: Sequence[int]) -> tuple[Week, ...]:
    """Every calendar week from the first case to the last, those without a case included."""
    if not inside:
        return ()
    new = first_of_issue(found)
    monday = np.array([found.opened[i].date().toordinal() for i in inside])
    monday -= (monday - 1) % 7
    cases = Counter(monday.tolist())
    fresh = Counter(day for day, i in zip(monday.tolist(), inside, strict=True) if i in new)
    return tuple(
        Week(f"{date.fromordinal(day):%G-W%V}", cases[day], fresh[day])
        for day in range(int(monday.min()), int(monday.max()) + 1, 7)
    )


def first_of_issue(found: Columns) -> set[int]:
    """The places of the cases that were the first of their issue, or that are in none."""
    _, firsts = np.unique(found.issue, return_index=True)
    alone = np.flatnonzero(found.issue < 0)
    return {int(i) for i in firsts if found.issue[i] >= 0} | {int(i) for i in alone}
