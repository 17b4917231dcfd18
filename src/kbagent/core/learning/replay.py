"""Replay: how well a policy would have ordered, measured on what later turned out to work.

A replayed lookup knows the order that a policy gave with only what was known then, and what
worked afterwards. This module counts; the use case that replays sees to it that nothing of the
future is known, and `promotion` compares two policies.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from kbagent.core.learning.choice import Floats
from kbagent.core.learning.promotion import paired_bootstrap


@dataclass(frozen=True, slots=True)
class Replayed:
    """One lookup of the past, replayed.

    `worked_at` is the place, from 1 on, of the first resolution that worked on the case; None:
    it was not shown. `found` of the `relevant` earlier instances of the issue were shown.
    Where success is judged more widely, `exactly_at` is the place of the very resolution.
    """

    worked_at: int | None
    found: int = 0
    relevant: int = 0
    exactly_at: int | None = None


@dataclass(frozen=True, slots=True)
class Measures:
    """What is reported of a policy: means over lookups, each in [0, 1].

    `recall` is over the lookups that had earlier instances, None where none had.
    """

    lookups: int
    success_at_1: float
    success_at_3: float
    reciprocal_rank: float
    recall: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired difference, candidate less baseline, with its 95 % interval."""

    measure: str
    difference: float
    low: float
    high: float


def place_of_success(order: Sequence[Hashable], worked: frozenset[Hashable]) -> int | None:
    """Place, from 1 on, of the first item of `order` that is in `worked`; None: none is.

    >>> place_of_success(("a", "b", "c"), frozenset({"b", "c"}))
    2
    """
    return next((place for place, item in enumerate(order, start=1) if item in worked), None)


def success_at(replayed: Sequence[Replayed], k: int) -> Floats:
    """For each lookup 1 where something that worked stood among the first k, else 0."""
    return np.array([float(r.worked_at is not None and r.worked_at <= k) for r in replayed])


def reciprocal_rank(replayed: Sequence[Replayed]) -> Floats:
    """For each lookup 1/place of the first that worked, 0 where none was shown.

    >>> reciprocal_rank([Replayed(1), Replayed(4), Replayed(None)])
    array([1.  , 0.25, 0.  ])
    """
    return np.array([0.0 if r.worked_at is None else 1.0 / r.worked_at for r in replayed])


def recall(replayed: Sequence[Replayed]) -> Floats:
    """For each lookup with earlier instances the share that was found; others are left out."""
    return np.array([r.found / r.relevant for r in replayed if r.relevant > 0])


def measure(replayed: Sequence[Replayed]) -> Measures:
    """The means of all measures; zeros for no lookups."""
    if not replayed:
        return Measures(0, 0.0, 0.0, 0.0, None)
    recalls = recall(replayed)
    return Measures(
        lookups=len(replayed),
        success_at_1=float(success_at(replayed, 1).mean()),
        success_at_3=float(success_at(replayed, 3).mean()),
        reciprocal_rank=float(reciprocal_rank(replayed).mean()),
        recall=float(recalls.mean()) if recalls.size else None,
    )


def compare(
    candidate: Sequence[Replayed], baseline: Sequence[Replayed], rng: np.random.Generator
) -> tuple[Comparison, ...]:
    """Every measure of the candidate less that of the baseline, paired by lookup.

    Both hold the same lookups in the same order.
    """
    values = {
        "success@1": (success_at(candidate, 1), success_at(baseline, 1)),
        "success@3": (success_at(candidate, 3), success_at(baseline, 3)),
        "MRR": (reciprocal_rank(candidate), reciprocal_rank(baseline)),
        "recall": (recall(candidate), recall(baseline)),
    }
    return tuple(
        Comparison(name, *paired_bootstrap(ours, theirs, rng))
        for name, (ours, theirs) in values.items()
    )
