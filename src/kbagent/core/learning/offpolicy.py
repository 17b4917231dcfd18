"""Off-policy evaluation: what another policy would have earned, from what was logged.

Words: the *action* is the resolution shown first, the *reward* its outcome, the *pscore* the
probability with which the *behavior policy* showed it, and the *evaluation policy* is the one
in question, given as its action distribution for each round. Rounds without an outcome are not
rounds; the caller leaves them out, which assumes that whether an outcome is reported does not
depend on the action.

Sources: inverse propensity scoring, Horvitz and Thompson 1952; self-normalised, Swaminathan and
Joachims 2015, *NeurIPS*; doubly robust, Dudík, Langford and Li 2011, *ICML*, cross-fitted as in
Chernozhukov et al. 2018, *Econometrics Journal* 21; effective sample size, Kish 1965. Names as in
Open Bandit Pipeline (Saito et al. 2021).
"""

from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from kbagent.core.learning.choice import Floats
from kbagent.errors import BadValue

MIN_EFFECTIVE = 100.0  # effective rounds below which a number would mislead
FOLDS = 5  # of cross-fitting
CELL_PULL = 4.0  # pseudo-rounds that pull a context's mean reward of an action to the action's
ACTION_PULL = 10.0  # pseudo-rounds that pull an action's mean reward to the overall one
CONFIDENCE = 0.95  # of the intervals


class Estimator(StrEnum):
    """The estimators, by their usual abbreviations."""

    IPS = "IPS"
    SNIPS = "SNIPS"
    DR = "DR"


@dataclass(frozen=True, slots=True)
class Rounds:
    """Logged rounds, n of them, with k actions at most.

    context        (n,) integers; rounds of one context are alike (the issue)
    action         (n,) integers in [0, k): what was shown first
    reward         (n,) in [0, 1]
    pscore         (n,) in (0, 1]: the behavior policy's probability of `action`
    action_dist    (n, k): the evaluation policy's probability of each action, rows sum to 1
    action_id      (n, k) integers: which resolution each action was; −1 pads
    """

    context: NDArray[np.int64]
    action: NDArray[np.int64]
    reward: Floats
    pscore: Floats
    action_dist: Floats
    action_id: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.pscore.size and not (self.pscore.min() > 0.0 and self.pscore.max() <= 1.0):
            raise BadValue(name="pscore", value=self.pscore.min(), reason="it must be in (0, 1]")


@dataclass(frozen=True, slots=True)
class Estimate:
    """The evaluation policy's value with its 95 % interval, and on how much it rests."""

    estimator: Estimator
    value: float
    interval: tuple[float, float]
    rounds: int
    effective: float


@dataclass(frozen=True, slots=True)
class TooLittleData:
    """No number: the log does not hold enough rounds that the evaluation policy would have had."""

    estimator: Estimator
    rounds: int
    effective: float
    needed: float = MIN_EFFECTIVE


def weights(rounds: Rounds) -> Floats:
    """Importance weights w = π_e(a|x)/pscore, shape (n,), ≥ 0."""
    chosen = np.take_along_axis(rounds.action_dist, rounds.action[:, None], axis=1)[:, 0]
    return np.asarray(chosen / rounds.pscore)


def effective_rounds(weights: Floats) -> float:
    """Kish's effective sample size (Σw)²/Σw², 0 for none.

    >>> effective_rounds(np.array([1.0, 1.0, 0.0, 0.0]))
    2.0
    """
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares > 0.0 else 0.0


def evaluate(
    rounds: Rounds, estimator: Estimator, rng: np.random.Generator
) -> Estimate | TooLittleData:
    """The value of the evaluation policy, or a plain statement that the log is too small.

    `rng` only shuffles the folds of DR. The interval is the normal one of the influence values;
    it is clipped to nothing, so that an unlucky IPS may lie outside of [0, 1] and be seen to.
    """
    importance = weights(rounds)
    effective = effective_rounds(importance)
    size = len(importance)
    if effective < MIN_EFFECTIVE:
        return TooLittleData(estimator, size, effective)
    value, spread = _terms(rounds, importance, estimator, rng)
    half = _Z * spread / size**0.5
    return Estimate(estimator, value, (value - half, value + half), size, effective)


def reward_model(rounds: Rounds, train: NDArray[np.bool_]) -> Floats:
    """q̂(x, a) for every round and action, shape (n, k), learned on the rounds in `train` only.

    Mean reward of the resolution in the context, pulled to the resolution's mean everywhere,
    pulled to the overall mean.
    """
    overall = float(rounds.reward[train].mean()) if train.any() else 0.5
    shown = np.take_along_axis(rounds.action_id, rounds.action[:, None], axis=1)[:, 0]
    ids, by_id = np.unique(rounds.action_id, return_inverse=True)
    place = by_id.reshape(rounds.action_id.shape)
    contexts, row = np.unique(rounds.context, return_inverse=True)
    taken = place[np.arange(len(shown)), rounds.action]
    tried = np.bincount(taken[train], minlength=len(ids))
    worked = np.bincount(taken[train], rounds.reward[train], minlength=len(ids))
    by_action = (worked + ACTION_PULL * overall) / (tried + ACTION_PULL)
    cell = row * len(ids) + taken
    cells = len(contexts) * len(ids)
    tried_here = np.bincount(cell[train], minlength=cells)
    worked_here = np.bincount(cell[train], rounds.reward[train], minlength=cells)
    asked = row[:, None] * len(ids) + place
    return np.asarray(
        (worked_here[asked] + CELL_PULL * by_action[place]) / (tried_here[asked] + CELL_PULL)
    )


_Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2.0)


def _terms(
    rounds: Rounds, importance: Floats, estimator: Estimator, rng: np.random.Generator
) -> tuple[float, float]:
    """The estimate, and the standard deviation of one round's contribution to it."""
    if estimator is Estimator.IPS:
        terms = importance * rounds.reward
        return float(terms.mean()), float(terms.std(ddof=1))
    if estimator is Estimator.SNIPS:
        value = float((importance * rounds.reward).sum() / importance.sum())
        terms = importance * (rounds.reward - value) / importance.mean()
        return value, float(terms.std(ddof=1))
    direct, residual, noise = _doubly_robust(rounds, importance, rng)
    terms = direct + residual
    expected = float(direct.var(ddof=1) + (importance**2 * noise).mean())
    return float(terms.mean()), max(float(terms.var(ddof=1)), expected) ** 0.5


def _doubly_robust(
    rounds: Rounds, importance: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Σ_a π_e(a|x)·q̂(x, a), w·(r − q̂(x, a_taken)) and q̂(1 − q̂) of each round.

    q̂ has never seen its own round. q̂(1 − q̂) is the variance of the reward that the model
    expects: where few rounds carry large weights, their residuals happen to be too small more
    often than too large, and an interval from them alone covers too seldom.
    """
    fold = rng.permutation(len(importance)) % FOLDS
    direct, residual, noise = (np.zeros(len(importance)) for _ in range(3))
    for number in range(FOLDS):
        test = fold == number
        model = reward_model(rounds, ~test)[test]
        taken = np.take_along_axis(model, rounds.action[test][:, None], axis=1)[:, 0]
        direct[test] = (rounds.action_dist[test] * model).sum(axis=1)
        residual[test] = importance[test] * (rounds.reward[test] - taken)
        noise[test] = taken * (1.0 - taken)
    return direct, residual, noise
