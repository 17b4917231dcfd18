"""Exact bounds, against scipy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kbagent.core.verification.bounds import (
    binomial_cdf,
    chance_if_broken,
    fewest_trials,
    hypergeometric_cdf,
    lower_bound,
    upper_bound,
)


@given(st.integers(1, 500), st.data())
def test_binomial_agrees_with_scipy(n, data):
    k = data.draw(st.integers(-1, n))
    p = data.draw(st.floats(0.001, 0.999))
    assert binomial_cdf(k, n, p) == pytest.approx(stats.binom.cdf(k, n, p), abs=1e-9)


@given(st.integers(1, 300), st.data())
def test_hypergeometric_agrees_with_scipy(total, data):
    marked = data.draw(st.integers(0, total))
    drawn = data.draw(st.integers(0, total))
    k = data.draw(st.integers(-1, total))
    expected = stats.hypergeom.cdf(k, total, marked, drawn)
    assert hypergeometric_cdf(k, drawn, marked, total) == pytest.approx(expected, abs=1e-8)


@given(st.integers(1, 400), st.data(), st.sampled_from([0.01, 0.05, 0.2]))
def test_clopper_pearson_agrees_with_scipy(trials, data, doubt):
    errors = data.draw(st.integers(0, trials))
    exact = stats.binomtest(errors, trials).proportion_ci(1 - 2 * doubt, method="exact")
    assert upper_bound(errors, trials, doubt=doubt) == pytest.approx(exact.high, abs=1e-9)
    assert lower_bound(errors, trials, doubt=doubt) == pytest.approx(exact.low, abs=1e-9)


def test_no_trials_bound_nothing():
    assert upper_bound(0, 0) == 1.0
    assert lower_bound(0, 0) == 0.0


def test_fewest_trials_is_the_first_number_that_bears_the_promise():
    n = fewest_trials(0.02, doubt=0.1)
    assert upper_bound(0, n, doubt=0.1) <= 0.02 < upper_bound(0, n - 1, doubt=0.1)


def test_a_promise_about_the_next_few_is_harder_to_keep_than_about_the_long_run():
    assert chance_if_broken(1, 200, 0.05, 200) > chance_if_broken(1, 200, 0.05, None)


def test_a_long_horizon_tends_to_the_long_run():
    near = chance_if_broken(3, 150, 0.05, 200_000)
    assert near == pytest.approx(chance_if_broken(3, 150, 0.05, None), rel=0.01)


def test_without_trials_a_promise_is_not_safe():
    assert chance_if_broken(0, 0, 0.05, None) == 1.0
