"""How long cases took, with a lookup and without: minutes that were measured, never assumed.

With a lookup are cases of which an outcome was reported through one, on the case itself (the
minutes reported with it, else those of the case); an outcome reported on the instance shown, for
want of a case of one's own, counts by the minutes reported with it. Who looks something up has
other cases than who does not: this is no randomised comparison, and a difference is no effect.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from kbagent.core.learning.contrast import median_gap
from kbagent.core.patterns.contingency import Difference
from kbagent.store import columns
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.moments import known
from kbagent.usecases.mine.columns import Columns
from kbagent.usecases.report.slices import Slice

FEWEST = 5
"""Measured cases on each side below which no difference is told."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Minutes:
    """Measured minutes of `cases` cases: the median, and the quartiles about it."""

    cases: int
    median: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Durations:
    """The single measurements: (when, minutes) with a lookup and without."""

    helped: tuple[tuple[datetime, float], ...]
    alone: tuple[tuple[datetime, float], ...]


def durations(kb: KnowledgeBase, found: Columns, inside: Sequence[int], one: Slice) -> Durations:
    """The measurements of the cases at `inside`, in order of time."""
    reported: dict[int, float] = {}
    helped: list[tuple[datetime, float]] = []
    looked: set[int] = set()
    rows = columns.through_lookups(kb.connection)
    places = found.places(np.array([row[0] for row in rows], dtype=np.int64)).tolist()
    within = set(inside)
    for place, (_, at, minutes, own) in zip(places, rows, strict=True):
        if own and place in within:
            looked.add(place)
            if minutes is not None:
                reported[place] = minutes
        elif not own and minutes is not None and one.holds(known(at)) and place >= 0:
            helped.append((known(at), minutes))
    for place in sorted(looked):
        minutes = reported.get(place, float(found.minutes[place]))
        if not np.isnan(minutes):
            helped.append((found.opened[place], minutes))
    alone = [
        (found.opened[place], float(found.minutes[place]))
        for place in inside
        if place not in looked and not np.isnan(found.minutes[place])
    ]
    return Durations(tuple(sorted(helped)), tuple(alone))


def minutes_of(values: Sequence[float]) -> Minutes | None:
    """Median and quartiles; None of no values.

    >>> minutes_of([10.0, 20.0, 30.0])
    Minutes(cases=3, median=20.0, lower=15.0, upper=25.0)
    """
    if not values:
        return None
    lower, middle, upper = np.quantile(np.array(values), [0.25, 0.5, 0.75]).tolist()
    return Minutes(len(values), middle, lower, upper)


def shortened(found: Durations, rng: np.random.Generator) -> Difference | None:
    """Median with a lookup less median without; None with fewer than `FEWEST` on a side."""
    helped, alone = ([minutes for _, minutes in some] for some in (found.helped, found.alone))
    if min(len(helped), len(alone)) < FEWEST:
        return None
    return median_gap(helped, alone, rng)
