"""Confidence that follows how often the answers have lately come true.

A router is calibrated on the cases before its fit. When what is asked changes, its confidence is
wrong before its answers are. So every labelled case since teaches a line through the log-odds of
the best answer, P(right) = σ(slope · log-odds + shift), in one step of an extended Kalman filter:
the line may drift, and starts from "believe it as it is". Forecasts are then sharpened or flattened
until the best answer has that probability; the order of the answers never changes.

Does not choose an answer. Sources: Gupta and Ramdas 2023 (ICML, Online Platt Scaling); Guo et al.
2017 (tempering); West, Harrison and Migon 1985 (JASA 80, dynamic logistic regression).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.integer]

DOUBT = 0.02
"""Variance of slope and of shift before the first case."""
DRIFT = 1e-5
"""Variance that each of them gains per case."""
FARTHEST = 6.0
"""Log-odds beyond which a confidence says no more."""
HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Temper:
    """The line with its doubt: variances of slope and shift, and their covariance `both`."""

    slope: float = 1.0
    shift: float = 0.0
    slope_doubt: float = DOUBT
    both: float = 0.0
    shift_doubt: float = DOUBT


def log_odds(confidence: Floats) -> Floats:
    """log(c / (1 − c)), within ±`FARTHEST`."""
    c = np.clip(confidence, 1e-9, 1 - 1e-9)
    return np.asarray(np.clip(np.log(c / (1 - c)), -FARTHEST, FARTHEST))


def tempered(temper: Temper, forecasts: Floats) -> Floats:
    """The forecasts, case x class, with the best answer as probable as the line says.

    Not below one in as many classes as there are, for the best answer stays the best. Where a
    row's classes are all as probable it stays as it is.

    >>> p = np.array([[0.8, 0.15, 0.05]])
    >>> np.round(tempered(Temper(), p), 6).tolist()
    [[0.8, 0.15, 0.05]]
    >>> tempered(Temper(shift=-1.0), p)[0].round(3).tolist()
    [0.595, 0.257, 0.148]
    """
    aim = _sigmoid(temper.slope * log_odds(forecasts.max(axis=1)) + temper.shift)
    logs = np.log(np.maximum(forecasts, 1e-300))
    logs -= logs.max(axis=1, keepdims=True)
    low, high = np.full(aim.size, -8.0), np.full(aim.size, 8.0)  # log of the power
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        best = 1 / np.exp(np.exp(middle)[:, None] * logs).sum(axis=1)
        low, high = np.where(best < aim, middle, low), np.where(best < aim, high, middle)
    powered = np.exp(np.exp((low + high) / 2)[:, None] * logs)
    return np.asarray(powered / powered.sum(axis=1, keepdims=True))


def learned(temper: Temper, forecasts: Floats, labels: Ints) -> Temper:
    """The line after these labelled cases, in order; the forecasts are untempered.

    >>> p = np.tile([0.9, 0.1], (200, 1))
    >>> half = learned(Temper(), p, np.arange(200) % 2)
    >>> bool(tempered(half, p[:1])[0, 0] < 0.65)
    True
    """
    slope, shift = temper.slope, temper.shift
    ss, sb, bb = temper.slope_doubt, temper.both, temper.shift_doubt
    odds = log_odds(forecasts.max(axis=1)).tolist()
    right = (forecasts.argmax(axis=1) == labels).tolist()
    for x, hit in zip(odds, right, strict=True):
        ss, bb = ss + DRIFT, bb + DRIFT
        p = float(_sigmoid(np.float64(slope * x + shift)))
        toward_slope, toward_shift = ss * x + sb, sb * x + bb
        variance = p * (1 - p)
        gain = 1 + variance * (x * toward_slope + toward_shift)
        share = variance / gain
        ss -= share * toward_slope**2
        sb -= share * toward_slope * toward_shift
        bb -= share * toward_shift**2
        slope += (ss * x + sb) * (hit - p)
        shift += (sb * x + bb) * (hit - p)
    return Temper(slope, shift, ss, sb, bb)


def _sigmoid(x: Floats | np.float64) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))
