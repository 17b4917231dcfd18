"""Calibration against scikit-learn and by hand."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import _sigmoid_calibration
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss

from kbagent.core.verification.calibration import (
    Isotonic,
    Platt,
    brier_score,
    calibration_error,
    fit_calibrator,
    fit_isotonic,
    fit_platt,
    reliability_table,
    time_split,
)
from kbagent.errors import BadValue


def world(n, seed=0):
    rng = np.random.default_rng(seed)
    scores = rng.normal(0.6, 0.2, n)
    truth = 1 / (1 + np.exp(-(8 * scores - 4)))
    return scores, (rng.random(n) < truth).astype(float), truth


def test_platt_agrees_with_scikit_learn():
    scores, outcomes, _ = world(400)
    slope, intercept = _sigmoid_calibration(scores, outcomes)
    fit = fit_platt(scores, outcomes)
    assert fit.slope == pytest.approx(-slope, rel=1e-3)
    assert fit.intercept == pytest.approx(-intercept, rel=1e-3)


def test_platt_recovers_the_line_that_made_the_data():
    scores, outcomes, _ = world(200_000)
    fit = fit_platt(scores, outcomes)
    assert fit.slope == pytest.approx(8, abs=0.2)
    assert fit.intercept == pytest.approx(-4, abs=0.15)


def test_platt_of_one_kind_of_outcome_is_not_certain():
    assert fit_platt([0.5] * 8, [1] * 8).confidence(0.5) == pytest.approx(0.9)


def test_platt_without_data_says_one_half():
    assert float(fit_platt([], []).confidence(0.7)) == 0.5


def test_platt_of_huge_scores_stays_finite():
    fit = fit_platt([1e6, 1e6 + 1, 1e6 + 2, 1e6 + 3], [0, 1, 0, 1])
    assert 0 < float(fit.confidence(1e6)) < float(fit.confidence(1e6 + 3)) < 1


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 1)), min_size=1, max_size=60))
def test_isotonic_blocks_agree_with_scikit_learn(pairs):
    x = np.array([a for a, _ in pairs], dtype=float)
    y = np.array([b for _, b in pairs], dtype=float)
    oracle = IsotonicRegression().fit(x, y)
    fit = fit_isotonic(x, y)
    for number, (place, value) in enumerate(zip(fit.scores, fit.values, strict=True)):
        level = float(oracle.predict([place])[0])
        below = max(fit.values[:number], default=0.0)  # Laplace's rule may lift a block over it
        if 0 < value < 1 and 0 < level < 1 and place in x:
            assert value == pytest.approx(max(level, below), abs=1e-9)
    assert all(a <= b for a, b in pairwise(fit.values))
    assert all(0 < v < 1 for v in fit.values)


def test_isotonic_ignores_the_order_of_equal_scores():
    assert fit_isotonic([1, 1, 2], [0, 1, 1]) == fit_isotonic([1, 1, 2], [1, 0, 1])


def test_the_kind_of_calibrator_follows_the_number_of_labels():
    scores, outcomes, _ = world(1000)
    assert isinstance(fit_calibrator(scores[:999], outcomes[:999]), Platt)
    assert isinstance(fit_calibrator(scores, outcomes), Isotonic)
    assert isinstance(fit_calibrator(scores, np.ones(1000)), Platt)


def test_an_empty_history_calibrates_to_one_half():
    assert float(fit_calibrator([], []).confidence(0.3)) == 0.5


def test_brier_agrees_with_scikit_learn():
    _, outcomes, truth = world(500)
    assert brier_score(truth, outcomes) == pytest.approx(brier_score_loss(outcomes, truth))


def test_reliability_bins_have_equal_mass_and_never_split_ties():
    table = reliability_table([0.1, 0.2, 0.2, 0.2, 0.9, 0.9], [0, 0, 1, 0, 1, 1], bins=3)
    assert [row.count for row in table] == [1, 3, 2]
    assert table[1].accuracy == pytest.approx(1 / 3)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), max_size=80), st.integers(1, 20))
def test_reliability_rows_cover_everything_once(pairs, bins):
    p, y = [a for a, _ in pairs], [b for _, b in pairs]
    table = reliability_table(p, y, bins=bins)
    assert sum(row.count for row in table) == len(pairs)
    assert sum(row.count * row.accuracy for row in table) == pytest.approx(sum(y))
    assert all(a.highest < b.lowest for a, b in pairwise(table))


def test_debiasing_takes_off_some_of_what_chance_adds():
    biased, honest = [], []
    for seed in range(40):
        _, outcomes, truth = world(400, seed)
        biased.append(calibration_error(truth, outcomes, debiased=False))
        honest.append(calibration_error(truth, outcomes))
    assert np.mean(biased) > 0.05
    assert np.mean(honest) < 0.7 * np.mean(biased)


def test_a_real_miscalibration_is_not_debiased_away():
    _, outcomes, truth = world(20_000)
    assert calibration_error(np.clip(truth - 0.2, 0, 1), outcomes) > 0.15


def test_calibration_error_without_data_is_not_a_number():
    assert np.isnan(calibration_error([], []))
    assert np.isnan(brier_score([], []))


def test_lengths_that_differ_are_refused():
    with pytest.raises(BadValue, match="there are 2 scores"):
        fit_platt([1, 2], [1])


def test_time_split_puts_the_earlier_first_and_keeps_equal_moments_together():
    start = datetime(2024, 1, 1, tzinfo=UTC)
    days = [3, 1, 2, 2, 5, 4]
    earlier, later = time_split([start + timedelta(days=d) for d in days], share=0.4)
    assert [days[i] for i in earlier] == [1]
    assert [days[i] for i in later] == [2, 2, 3, 4, 5]
