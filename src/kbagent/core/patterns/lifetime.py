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


class State(StrEnum):
    """Whether a pattern still holds."""

    HOLDING = "holding"
    RETIRED = "retired"


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


def _fell(d_before: float, v_before: float, d_since: float, v_since: float) -> bool:
    """Whether the effect d/v since is below the one before by `GONE_BAR` standard errors."""
    before, since = d_before / v_before, d_since / v_since
    fall = (before - since) * (1.0 if before >= 0 else -1.0)
    return bool(fall > GONE_BAR * (1 / v_before + 1 / v_since) ** 0.5)
