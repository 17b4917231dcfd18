"""The period a pattern holds in, and whether it still does.

Per period the excess over expectation d and its variance v are given; an effect that is constant
over a run of periods explains d²/2v of log-likelihood there. The run that explains most is the
pattern's period, provided it beats the whole span clearly. A pattern whose run ends before the
last period, and whose effect since is shown to be smaller, is retired: said so, never deleted.

Source: the scan statistic for an interval with elevated mean (Kulldorff 1997 in one dimension).
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SCAN_BAR = 8.0
"""Gain in log-likelihood before a part is preferred to the whole span: chance gains among all
runs of 30 periods exceed it in under 1 % of histories."""
GONE_BAR = 3.0
"""Standard errors by which the effect since must fall short of the effect before."""

MISSING = 5.0
"""Cases that must be missing since for a pattern to have ended: chance alone leaves as many out in
under 1 % of histories (e^−5)."""
WELL_BEFORE = 2
"""Periods between the last case of such a pattern and the newest case."""


class State(StrEnum):
    """Whether a pattern still holds; of one that ended no case has come since."""

    HOLDING = "holding"
    RETIRED = "retired"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Lifetime:
    """First and last period (ordinal, inclusive) in which the pattern holds, and its state."""

    first: int
    last: int
    state: State


def lifetime(periods: NDArray[np.int64], excess: Floats, variance: Floats) -> Lifetime:
    """The run of periods in which the effect lives; `periods` ascend and are not empty.

    >>> months = np.arange(6)
    >>> lifetime(months, np.array([9.0, 10, 8, 0, -1, 0]), np.full(6, 4.0))
    Lifetime(first=0, last=2, state=<State.RETIRED: 'retired'>)
    """
    total_d, total_v = (
        np.concatenate(([0.0], excess.cumsum())),
        np.concatenate(([0.0], variance.cumsum())),
    )
    d = total_d[None, 1:] - total_d[:-1, None]
    v = np.maximum(total_v[None, 1:] - total_v[:-1, None], 1e-12)
    sign = 1.0 if total_d[-1] >= 0 else -1.0
    gain = np.where(np.triu(np.ones(d.shape, dtype=bool)) & (d * sign > 0), d * d / (2 * v), 0.0)
    i, j = np.unravel_index(int(gain.argmax()), gain.shape)
    if gain[i, j] < gain[0, -1] + SCAN_BAR:
        return Lifetime(int(periods[0]), int(periods[-1]), State.HOLDING)
    gone = j + 1 < periods.size and _fell(d[i, j], v[i, j], d[j + 1, -1], v[j + 1, -1])
    last = periods[j] if gone else periods[-1]
    return Lifetime(int(periods[i]), int(last), State.RETIRED if gone else State.HOLDING)


def with_end(found: Lifetime, periods: NDArray[np.int64], own: Floats, sizes: Floats) -> Lifetime:
    """The same, or that it ended, where its cases lie in a time that was over well before now.

    `own` are the pattern's cases and `sizes` all cases of each period; `periods` ascend. Had they
    gone on to come as often as in their time, at least `MISSING` would have come since.

    >>> months, own = np.arange(6), np.array([0.0, 9, 8, 0, 0, 0])
    >>> holding = Lifetime(1, 5, State.HOLDING)
    >>> with_end(holding, months, own, np.full(6, 50.0))
    Lifetime(first=1, last=2, state=<State.ENDED: 'ended'>)
    >>> with_end(holding, months, own / 8, np.full(6, 50.0)) == holding
    True
    """
    there = np.flatnonzero(own)
    if found.state is not State.HOLDING or not there.size:
        return found
    first, last = int(there[0]), int(there[-1])
    rate = float(own.sum() / sizes[first : last + 1].sum())
    over = int(periods[-1] - periods[last]) >= WELL_BEFORE
    if not over or rate * float(sizes[last + 1 :].sum()) < MISSING:
        return found
    return Lifetime(int(periods[first]), int(periods[last]), State.ENDED)


def _fell(d_before: float, v_before: float, d_since: float, v_since: float) -> bool:
    """Whether the effect d/v since is below the one before by `GONE_BAR` standard errors."""
    before, since = d_before / v_before, d_since / v_since
    fall = (before - since) * (1.0 if before >= 0 else -1.0)
    return bool(fall > GONE_BAR * (1 / v_before + 1 / v_since) ** 0.5)
