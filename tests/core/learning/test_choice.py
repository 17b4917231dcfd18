"""Shares of Thompson sampling against plain sampling; the gate; the floor."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kbagent.core.learning.choice import SHARPNESS, exploring_shares, gate_score, thompson_shares


@pytest.mark.parametrize(
    ("alpha", "beta"),
    [
        ([3.0, 30.0, 300.0], [2.0, 12.0, 110.0]),
        ([0.2, 0.5], [2.0, 4.0]),
        ([900.0, 4.0, 2.0, 1.0], [100.0, 1.0, 1.0, 0.5]),
    ],
)
def test_shares_agree_with_sampling(alpha: list[float], beta: list[float]) -> None:
    a, b = np.array(alpha), np.array(beta)
    draws = np.random.default_rng(0).beta(SHARPNESS * a, SHARPNESS * b, size=(200_000, len(a)))
    sampled = np.bincount(draws.argmax(axis=1), minlength=len(a)) / len(draws)
    shares = thompson_shares(a, b, np.ones(len(a), dtype=bool))
    assert shares == pytest.approx(sampled, abs=0.005)


positive = arrays(float, 4, elements=st.floats(0.05, 1e5))


@given(positive, positive)
@settings(max_examples=200)
def test_shares_are_probabilities(alpha: np.ndarray, beta: np.ndarray) -> None:
    shares = exploring_shares(alpha, beta, np.array(40.0), 1.0, 0.03)
    assert shares.sum() == pytest.approx(1.0)
    assert (shares >= 0).all()
    leader = (alpha / (alpha + beta)).argmax()
    allowed = gate_score(alpha, beta, leader) > -np.sqrt(np.log(5.0))
    assert (shares[allowed] >= 0.03 / np.sqrt(1.4) / 4 - 1e-12).all()
    assert (shares[~allowed] == 0).all()


def test_a_batch_is_the_same_as_one_at_a_time() -> None:
    rng = np.random.default_rng(4)
    alpha, beta = rng.uniform(0.5, 50, (6, 3)), rng.uniform(0.5, 50, (6, 3))
    outcomes = rng.uniform(0, 100, 6)
    batch = exploring_shares(alpha, beta, outcomes, 1.0, 0.1)
    for row in range(6):
        alone = exploring_shares(alpha[row], beta[row], outcomes[row], 1.0, 0.1)
        assert batch[row] == pytest.approx(alone)


def test_without_outcomes_nothing_is_explored_and_with_them_more_and_more() -> None:
    alpha, beta = np.array([6.0, 3.4, 2.0]), np.array([1.0, 0.6, 2.0])
    open_to = [
        int((exploring_shares(alpha, beta, np.array(n), 1.0, 0.03) > 0).sum())
        for n in (0.0, 2.0, 10_000.0)
    ]
    assert open_to == [1, 2, 3]


def test_gate_counts_standard_deviations() -> None:
    a, b = np.array([50.0, 60.0]), np.array([50.0, 40.0])
    expected = 0.1 / np.sqrt(0.25 / 101 + 0.24 / 101)
    assert gate_score(a, b, np.array(0))[1] == pytest.approx(expected)
