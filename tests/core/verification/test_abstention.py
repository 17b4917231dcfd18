"""Thresholds keep what they promise, and say what they rest on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbagent.core.verification.abstention import (
    risk_coverage,
    threshold_for_coverage,
    threshold_for_error,
)


def world(n, rng):
    confidence = rng.beta(5, 0.8, n)
    return confidence, (rng.random(n) < confidence).astype(float)


def test_the_long_run_error_is_kept_in_95_of_100_worlds():
    rng = np.random.default_rng(1)
    far_confidence, far_outcomes = world(200_000, rng)
    broken, coverage = 0, []
    for _ in range(200):
        limit = threshold_for_error(*world(600, rng), 0.1)
        answered = far_confidence >= limit.confidence
        coverage.append(answered.mean())
        broken += answered.any() and far_outcomes[answered].mean() < 0.9
    assert broken <= 14  # 10 expected at most; 14 is its 92 % quantile
    assert np.mean(coverage) > 0.5


def test_the_error_of_the_next_questions_is_kept_with_a_horizon():
    rng = np.random.default_rng(2)
    broken = 0
    for _ in range(200):
        limit = threshold_for_error(*world(600, rng), 0.1, horizon=600)
        confidence, outcomes = world(600, rng)
        answered = confidence >= limit.confidence
        broken += answered.any() and outcomes[answered].mean() < 0.9
    assert broken <= 14


def test_a_horizon_is_stricter_than_the_long_run():
    data = world(2000, np.random.default_rng(3))
    near = threshold_for_error(*data, 0.1, horizon=500)
    assert near.confidence > threshold_for_error(*data, 0.1).confidence
    assert near.kept


def test_too_few_outcomes_promise_nothing_and_say_how_many_are_needed():
    limit = threshold_for_error([0.9] * 58, [1] * 58, 0.05)
    assert not limit.kept
    assert limit.confidence == np.inf
    assert limit.basis() == "max-error 0.05 set on 58 outcomes; too few for a promise below 59"


def test_59_flawless_outcomes_bear_a_promise_of_five_percent():
    limit = threshold_for_error(np.linspace(0.5, 1, 59), np.ones(59), 0.05)
    assert limit.kept
    assert limit.coverage == 1.0
    assert limit.bound == pytest.approx(0.0495, abs=1e-4)


def test_one_error_at_the_very_top_does_not_end_everything():
    """A single walk from the most confident tenth would be over: 1 of 60 bears no 5 %."""
    confidence = np.linspace(1, 0, 600)
    outcomes = np.r_[0.0, np.ones(499), np.zeros(100)]
    limit = threshold_for_error(confidence, outcomes, 0.05)
    assert limit.kept
    assert limit.coverage > 0.75
    assert limit.bound <= 0.05


def test_wrong_answers_at_the_top_end_the_walk():
    confidence = np.linspace(1, 0, 500)
    outcomes = np.r_[np.zeros(50), np.ones(450)]
    limit = threshold_for_error(confidence, outcomes, 0.05)
    assert not limit.kept
    assert limit.basis().endswith("no threshold keeps it")


def test_half_a_success_counts_as_an_error():
    assert not threshold_for_error([0.9] * 200, [0.5] * 200, 0.05).kept


def test_equal_confidences_are_answered_together_or_not_at_all():
    limit = threshold_for_error([0.9] * 100 + [0.5] * 100, [1] * 100 + [0] * 100, 0.05)
    assert (limit.confidence, limit.coverage, limit.error) == (0.9, 0.5, 0.0)


def test_coverage_is_kept_in_95_of_100_worlds():
    rng = np.random.default_rng(4)
    short = 0
    for _ in range(200):
        limit = threshold_for_coverage(*world(300, rng), 0.6)
        short += (rng.beta(5, 0.8, 20_000) >= limit.confidence).mean() < 0.6
    assert short <= 14


def test_coverage_from_too_few_outcomes_answers_everything_and_does_not_promise():
    limit = threshold_for_coverage([0.2, 0.9], [1, 1], 0.9)
    assert (limit.kept, limit.confidence, limit.coverage) == (False, 0.2, 1.0)


def test_no_outcomes_at_all():
    assert not threshold_for_error([], [], 0.05).kept
    assert threshold_for_coverage([], [], 0.5).coverage == 0.0
    assert risk_coverage([], []) == ()


def test_the_risk_coverage_table_by_hand():
    table = risk_coverage([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 1], steps=2)
    assert [(row.coverage, row.error) for row in table] == [(0.5, 0.5), (1.0, 0.25)]


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0.0, 1.0])), max_size=150),
    st.sampled_from([0.02, 0.1, 0.3]),
)
def test_a_promise_that_is_kept_holds_on_its_own_outcomes(pairs, max_error):
    p, y = np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])
    limit = threshold_for_error(p, y, max_error)
    if limit.kept:
        answered = p >= limit.confidence
        assert (y[answered] < 1).mean() <= max_error
        assert limit.coverage == pytest.approx(answered.mean())
        assert limit.error <= limit.bound <= max_error + 1e-9
