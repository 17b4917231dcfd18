"""Confidence moves to how often the best answer comes true; the answers keep their order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kbagent.core.patterns.tempering import Temper, learned, log_odds, tempered
from kbagent.core.verification.calibration import calibration_error


def forecasts(n: int, seed: int) -> np.ndarray:
    """Of five classes; the first mostly the best, with confidences between .3 and .99."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, 5))
    scores[:, 0] += rng.uniform(0.5, 6, n)
    p = np.exp(scores)
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def outcomes(p: np.ndarray, slope: float, shift: float, seed: int) -> np.ndarray:
    """Labels by which the best answer is right as often as that line says, else the second."""
    order = np.argsort(-p, axis=1)
    odds = slope * log_odds(p.max(axis=1)) + shift
    right = np.random.default_rng(seed).random(len(p)) < 1 / (1 + np.exp(-odds))
    return np.where(right, order[:, 0], order[:, 1])


@pytest.mark.parametrize(("slope", "shift"), [(0.4, 0.0), (1.0, -1.0), (1.5, 0.5), (0.6, -0.7)])
def test_a_wrong_confidence_is_put_right_on_cases_it_has_not_seen(slope, shift):
    seen, later = forecasts(1500, 1), forecasts(3000, 2)
    temper = learned(Temper(), seen, outcomes(seen, slope, shift, 3))
    labels = outcomes(later, slope, shift, 4)
    before, after = (
        calibration_error(p.max(axis=1), p.argmax(axis=1) == labels)
        for p in (later, tempered(temper, later))
    )
    assert before > 0.04
    assert after < 0.03


def test_a_right_confidence_stays_right():
    seen, later = forecasts(1500, 5), forecasts(3000, 6)
    temper = learned(Temper(), seen, outcomes(seen, 1, 0, 7))
    labels = outcomes(later, 1, 0, 8)
    made = tempered(temper, later)
    assert calibration_error(made.max(axis=1), made.argmax(axis=1) == labels) < 0.02


def test_a_few_cases_move_it_little_and_a_change_is_followed():
    p = forecasts(2000, 9)
    one = learned(Temper(), p[:1], np.array([4]))
    assert abs(one.slope - 1) < 0.2
    assert abs(one.shift) < 0.2
    calm = learned(Temper(), p, outcomes(p, 1, 0, 10))
    changed = learned(calm, p, outcomes(p, 0.5, -0.5, 11))
    back = learned(changed, p, outcomes(p, 1, 0, 12))
    assert changed.slope + changed.shift < 0.4
    assert back.slope + back.shift == pytest.approx(1, abs=0.3)


@given(
    arrays(np.float64, (4, 3), elements=st.floats(1e-9, 1)),
    st.floats(0.05, 3),
    st.floats(-5, 5),
)
def test_the_order_is_kept_and_rows_sum_to_one(raw, slope, shift):
    p = raw / raw.sum(axis=1, keepdims=True)
    made = tempered(Temper(slope, shift), p)
    assert made.sum(axis=1) == pytest.approx(np.ones(4))
    assert (made >= 0).all()
    for before, after in zip(p, made, strict=True):
        ranked = after[np.argsort(-before, kind="stable")]
        assert (np.diff(ranked) <= 1e-12).all()


def test_the_best_answer_is_never_less_probable_than_one_in_all():
    p = np.array([[0.7, 0.2, 0.1], [1 / 3, 1 / 3, 1 / 3]])
    assert tempered(Temper(shift=-9.0), p)[0] == pytest.approx([1 / 3] * 3, abs=1e-2)
    assert tempered(Temper(shift=9.0), p)[1] == pytest.approx([1 / 3] * 3)


def test_a_forecast_that_is_certain_stays_a_forecast():
    made = tempered(Temper(), np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert made == pytest.approx(np.array([[1, 0], [0, 1]]), abs=0.01)
