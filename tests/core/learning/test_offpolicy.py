"""Estimates against a known truth, the effective sample size, and the refusal of a number."""

import numpy as np
import pytest

from kbagent.core.learning.offpolicy import (
    Estimate,
    Estimator,
    Rounds,
    TooLittleData,
    effective_rounds,
    evaluate,
    reward_model,
)
from kbagent.errors import BadValue

TRUTH = np.array([[0.9, 0.5, 0.2], [0.3, 0.8, 0.6]])


def logged(n: int, seed: int, evaluation: np.ndarray, floor: float = 0.1) -> Rounds:
    """Two contexts, three actions; the behavior policy likes action 0, `floor` to the others."""
    rng = np.random.default_rng(seed)
    context = rng.integers(0, 2, n)
    behavior = np.full(3, floor / 2)
    behavior[0] = 1.0 - floor
    action = rng.choice(3, size=n, p=behavior)
    reward = (rng.random(n) < TRUTH[context, action]).astype(float)
    ids = np.tile(np.arange(3), (n, 1))
    return Rounds(context, action, reward, behavior[action], evaluation[context], ids)


BEST = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@pytest.mark.parametrize("estimator", list(Estimator))
def test_estimates_are_right_on_average_and_intervals_cover(estimator: Estimator) -> None:
    truth = 0.5 * 0.9 + 0.5 * 0.8
    results = [
        evaluate(logged(4000, seed, BEST), estimator, np.random.default_rng(seed))
        for seed in range(80)
    ]
    values = [r for r in results if isinstance(r, Estimate)]
    assert len(values) == 80
    assert np.mean([v.value for v in values]) == pytest.approx(truth, abs=0.012)
    assert np.mean([v.interval[0] <= truth <= v.interval[1] for v in values]) >= 0.88


def test_doubly_robust_is_sharper_than_ips() -> None:
    def spread(estimator: Estimator) -> float:
        found = [
            evaluate(logged(3000, s, BEST), estimator, np.random.default_rng(s)) for s in range(40)
        ]
        return float(np.std([f.value for f in found if isinstance(f, Estimate)]))

    assert spread(Estimator.DR) < 0.8 * spread(Estimator.IPS)


def test_too_little_data_is_said_plainly() -> None:
    found = evaluate(logged(300, 1, BEST[::-1]), Estimator.IPS, np.random.default_rng(0))
    assert isinstance(found, TooLittleData)
    assert found.effective < found.needed


def test_the_behavior_policy_is_worth_what_it_earned() -> None:
    behavior = np.tile([0.9, 0.05, 0.05], (2, 1))
    rounds = logged(500, 3, behavior)
    found = evaluate(rounds, Estimator.SNIPS, np.random.default_rng(0))
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(rounds.reward.mean())
    assert found.effective == pytest.approx(500)


def test_reward_model_does_not_see_what_it_is_tested_on() -> None:
    rounds = logged(1000, 5, BEST)
    train = np.arange(1000) < 500
    altered = Rounds(
        rounds.context,
        rounds.action,
        np.where(train, rounds.reward, 1.0 - rounds.reward),
        rounds.pscore,
        rounds.action_dist,
        rounds.action_id,
    )
    assert np.array_equal(reward_model(rounds, train), reward_model(altered, train))
    assert reward_model(rounds, train)[rounds.context == 0][0, 0] == pytest.approx(0.9, abs=0.06)


def test_effective_rounds_of_equal_weights_is_their_number() -> None:
    assert effective_rounds(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_rounds(np.zeros(3)) == 0.0


def test_a_propensity_of_zero_is_refused() -> None:
    rounds = logged(10, 0, BEST)
    with pytest.raises(BadValue):
        Rounds(
            rounds.context,
            rounds.action,
            rounds.reward,
            np.zeros(10),
            rounds.action_dist,
            rounds.action_id,
        )
