"""The sequential test: its error, its power, and that looking often does not help."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.learning.promotion import (
    Plan,
    Ruling,
    decide,
    mean_and_error,
    paired_bootstrap,
)
from kbagent.errors import BadValue


def differences(rng: np.random.Generator, n: int, gain: float, discord: float = 0.3) -> np.ndarray:
    draw = rng.random(n)
    up = (discord + gain) / 2
    return np.where(draw < up, 1.0, np.where(draw < discord, -1.0, 0.0))


def promoted(gain: float, runs: int = 400) -> float:
    rng = np.random.default_rng(9)
    return float(
        np.mean(
            [
                decide(differences(rng, 10_000, gain), Plan()).ruling is Ruling.PROMOTE
                for _ in range(runs)
            ]
        )
    )


def test_an_equal_candidate_is_seldom_promoted() -> None:
    assert promoted(0.0) <= 0.05


def test_five_points_are_noticed() -> None:
    assert promoted(0.05) >= 0.99


def test_a_worse_candidate_is_refused_early() -> None:
    decision = decide(differences(np.random.default_rng(1), 10_000, -0.2), Plan())
    assert decision.ruling is Ruling.REFUSE
    assert decision.seen == 500


@given(st.integers(0, 10_000), st.integers(0, 50))
def test_between_checkpoints_nothing_changes(length: int, seed: int) -> None:
    values = differences(np.random.default_rng(seed), 10_000, 0.02)
    reached = max((c for c in Plan().checkpoints if c <= length), default=0)
    assert str(decide(values[:length], Plan())) == str(decide(values[:reached], Plan()))


def test_a_margin_below_zero_admits_an_equal_candidate() -> None:
    values = differences(np.random.default_rng(2), 10_000, 0.0)
    assert decide(values, Plan(margin=-0.05)).ruling is Ruling.PROMOTE


def test_groups_that_move_together_widen_the_error() -> None:
    values = np.repeat(np.random.default_rng(3).choice([-1.0, 1.0], 100), 50)
    _, plain = mean_and_error(values)
    _, robust = mean_and_error(values, np.repeat(np.arange(100), 50))
    assert robust == pytest.approx(plain * 50**0.5, rel=0.02)


@pytest.mark.parametrize("checkpoints", [(), (500, 500), (1,)])
def test_impossible_plans_are_refused(checkpoints: tuple[int, ...]) -> None:
    with pytest.raises(BadValue):
        Plan(checkpoints=checkpoints)


def test_paired_bootstrap_agrees_with_theory() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(2000), rng.random(2000)
    difference, low, high = paired_bootstrap(a, b, rng)
    half = 1.96 * np.std(a - b) / 2000**0.5
    assert difference == pytest.approx(np.mean(a - b))
    assert (low, high) == pytest.approx((difference - half, difference + half), abs=0.002)
    assert paired_bootstrap([], [], rng) == (0.0, 0.0, 0.0)


def test_paired_bootstrap_draws_whole_groups() -> None:
    rng = np.random.default_rng(0)
    values = np.repeat(rng.choice([0.0, 1.0], 60), 30)
    groups = np.repeat(np.arange(60), 30)
    _, low, high = paired_bootstrap(values, np.zeros(1800), rng, groups=groups)
    _, low1, high1 = paired_bootstrap(values, np.zeros(1800), rng)
    assert high - low > 3 * (high1 - low1)
