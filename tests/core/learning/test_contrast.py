"""Differences of unlike cases: against the closed form, and against drawing groups by hand."""

import numpy as np
import pytest
from scipy import stats

from kbagent.core.learning.contrast import mean_gap, median_gap


def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def test_the_interval_is_that_of_welch_for_many_cases():
    made = np.random.default_rng(1)
    one, other = made.normal(3.0, 1.0, 400), made.normal(2.5, 2.0, 300)
    gap = mean_gap(one, other, rng())
    assert gap is not None
    oracle = stats.ttest_ind(one, other, equal_var=False).confidence_interval()
    assert gap.estimate == pytest.approx(one.mean() - other.mean())
    assert (gap.low, gap.high) == pytest.approx((oracle.low, oracle.high), abs=0.04)


def test_cases_of_one_group_count_as_one_drawing():
    """Ten groups of fifty equal values hold no more than ten values do."""
    values = np.random.default_rng(2).normal(size=10)
    groups = np.repeat(np.arange(10), 50)
    spread = mean_gap(np.repeat(values, 50), [0.0], rng(), one_groups=groups)
    single = mean_gap(values, [0.0], rng())
    alone = mean_gap(np.repeat(values, 50), [0.0], rng())
    assert spread is not None and single is not None and alone is not None
    assert spread.high - spread.low == pytest.approx(single.high - single.low, rel=0.05)
    assert spread.high - spread.low > 3 * (alone.high - alone.low)


def test_a_median_is_not_moved_by_one_long_case():
    usual = np.arange(100.0, 160.0)
    gap = median_gap([*usual, 1e6], usual + 20.0, rng())
    assert gap is not None
    assert -30 < gap.low < gap.estimate < gap.high < -5


@pytest.mark.parametrize("gap", [mean_gap, median_gap])
def test_nothing_is_said_of_nothing(gap):
    assert gap([], [1.0], rng()) is None
    assert gap([1.0], [], rng()) is None


@pytest.mark.parametrize("gap", [mean_gap, median_gap])
def test_the_same_seed_says_the_same(gap):
    one, other = [1.0, 5.0, 2.0, 9.0], [3.0, 3.0, 8.0]
    assert gap(one, other, rng()) == gap(one, other, rng())
