"""What became of the earlier cases of an issue: how many were escalated, where they went.

Counts, no forecast: told also where no router could be learned or believed. Issues that are nearly
one (`retain.relatives`) are counted together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.casetable import UNRECORDED, Codes, Factor
from kbagent.core.patterns.contingency import wilson
from kbagent.usecases.mine.columns import Columns

FEWEST_EARLIER = 3
"""Cases with a known answer below which nothing is told."""
NEARLY_ALL = 0.5
"""Least share, lower end, of the cases in one queue; `confident_at` may ask for more."""


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `cases`, with Wilson's 95 % interval."""

    count: int
    cases: int
    low: float
    high: float

    @classmethod
    def of(cls, count: int, cases: int) -> "Share":
        """With its interval."""
        return cls(count, cases, *wilson(count, cases))


@dataclass(frozen=True, slots=True)
class Precedent:
    """What became of the cases of these issues; None where too few say it.

    `usual` is the share of all cases that were escalated. `queue` is the queue that nearly all
    went to.
    """

    issues: tuple[int, ...]
    escalated: Share | None
    usual: float | None
    queue: tuple[str, Share] | None

    @property
    def escalates_more(self) -> bool:
        """Whether its cases were escalated more often than is usual, beyond chance."""
        return (
            self.escalated is not None and self.usual is not None
            and self.escalated.low > self.usual
        )  # fmt: skip


def precedent_of(
    found: Columns, issues: Sequence[int], queue: Factor | None, confident_at: float
) -> Precedent | None:
    """What is told of the cases of these issues, None when that is nothing."""
    own = np.isin(found.issue, np.array(issues, dtype=np.int64))
    counted = _counted(found.escalated, own)
    everyone = _counted(found.escalated, np.ones(found.size, dtype=bool))
    escalated = (
        Share.of(int(counted[1:].sum()), int(counted.sum()))
        if counted.sum() >= FEWEST_EARLIER
        else None
    )
    usual = float(everyone[1:].sum() / everyone.sum()) if everyone.sum() else None
    went = _queue(queue, own, confident_at) if queue is not None else None
    if escalated is None and went is None:
        return None
    return Precedent(tuple(issues), escalated, usual, went)


def _queue(queue: Factor, own: NDArray[np.bool_], confident_at: float) -> tuple[str, Share] | None:
    counts = _counted(queue.codes, own)
    if counts.sum() < FEWEST_EARLIER:
        return None
    most = int(counts.argmax())
    share = Share.of(int(counts[most]), int(counts.sum()))
    return (queue.levels[most], share) if share.low >= max(confident_at, NEARLY_ALL) else None


def _counted(codes: Codes, own: NDArray[np.bool_]) -> NDArray[np.intp]:
    """How many of these cases have each code."""
    return np.bincount(codes[own & (codes != UNRECORDED)], minlength=2)
