"""Softmax (multinomial logistic) regression by L-BFGS, in numpy.

minimise Σᵢ wᵢ·(−log P(yᵢ | xᵢ)) / Σw + λ/2·‖W‖² over W and an unpenalised intercept, with
P(k | x) ∝ exp(x·W_k + b_k). Convex, so the result does not depend on where it starts. Does not
scale features: give it unit vectors.

Source: Nocedal and Wright 2006, algorithms 7.4 and 7.5.
"""

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Objective = Callable[[Floats], tuple[float, Floats]]

MEMORY = 10
"""Pairs of steps that L-BFGS remembers."""
ARMIJO = 1e-4


def log_softmax(scores: Floats) -> Floats:
    """log P by row, without overflow.

    >>> np.round(np.exp(log_softmax(np.array([[0.0, np.log(3.0)]]))), 4).tolist()
    [[0.25, 0.75]]
    """
    shifted = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def minimise(
    objective: Objective, start: Floats, steps: int = 200, tolerance: float = 1e-5
) -> Floats:
    """The place where the objective (value, gradient) is smallest, by L-BFGS with backtracking.

    Stops when no entry of the gradient exceeds `tolerance`, after `steps`, or when no step helps.
    """
    x = start.copy()
    value, gradient = objective(x)
    pairs: deque[tuple[Floats, Floats]] = deque(maxlen=MEMORY)
    for _ in range(steps):
        if np.abs(gradient).max() < tolerance:
            break
        direction = _direction(gradient, pairs)
        slope = float(gradient @ direction)
        if slope >= 0:
            pairs.clear()
            direction, slope = -gradient, -float(gradient @ gradient)
        found = _backtrack(objective, x, value, direction, slope)
        if found is None:
            break
        new_x, value, new_gradient = found
        _remember(pairs, new_x - x, new_gradient - gradient)
        x, gradient = new_x, new_gradient
    return x


def _direction(gradient: Floats, pairs: deque[tuple[Floats, Floats]]) -> Floats:
    """The two-loop recursion: an approximate Newton step."""
    q = gradient.copy()
    alphas = []
    for s, y in reversed(pairs):
        alpha = float(s @ q) / float(s @ y)
        alphas.append(alpha)
        q -= alpha * y
    if pairs:
        s, y = pairs[-1]
        q *= float(s @ y) / float(y @ y)
    for (s, y), alpha in zip(pairs, reversed(alphas), strict=True):
        q += (alpha - float(y @ q) / float(s @ y)) * s
    return -q


def _backtrack(
    objective: Objective, x: Floats, value: float, direction: Floats, slope: float
) -> tuple[Floats, float, Floats] | None:
    length = 1.0
    for _ in range(30):
        candidate = x + length * direction
        new_value, gradient = objective(candidate)
        if new_value <= value + ARMIJO * length * slope:
            return candidate, new_value, gradient
        length /= 2
    return None


def _remember(pairs: deque[tuple[Floats, Floats]], s: Floats, y: Floats) -> None:
    if float(s @ y) > 1e-12:
        pairs.append((s, y))


def fit_softmax(
    x: NDArray[np.floating],
    labels: NDArray[np.integer],
    classes: int,
    *,
    ridge: float,
    weights: Floats | None = None,
    steps: int = 100,
) -> tuple[Floats, Floats]:
    """W (features x classes) and b (classes) of the regression; `labels` lie in [0, classes).

    `ridge` is λ above, relative to the mean loss. `weights` of cases need not sum to one.
    """
    n, width = x.shape
    data = x.astype(np.float32, copy=False)
    share = np.full(n, 1.0 / n) if weights is None else weights / weights.sum()
    rows = np.arange(n)

    def objective(flat: Floats) -> tuple[float, Floats]:
        w, b = flat[: width * classes].reshape(width, classes), flat[width * classes :]
        log_p = log_softmax((data @ w.astype(np.float32)).astype(np.float64) + b)
        loss = -float(share @ log_p[rows, labels]) + ridge / 2 * float((w * w).sum())
        residual = np.exp(log_p)
        residual[rows, labels] -= 1
        residual *= share[:, None]
        slope = (data.T @ residual.astype(np.float32)).astype(np.float64) + ridge * w
        return loss, np.concatenate((slope.ravel(), residual.sum(axis=0)))

    flat = minimise(objective, np.zeros(width * classes + classes), steps)
    return flat[: width * classes].reshape(width, classes), flat[width * classes :]
