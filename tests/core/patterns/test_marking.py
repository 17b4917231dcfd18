"""Marks of predictions, against scikit-learn's and hand-computed values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.patterns.marking import Answers, macro_f1, marks


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_macro_f1_is_that_of_the_classes_that_occur(pairs: list[tuple[int, int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    truth, answer = (np.array(side) for side in zip(*pairs, strict=True))
    expected = metrics.f1_score(
        truth, answer, labels=np.unique(truth), average="macro", zero_division=0
    )
    assert macro_f1(truth, answer) == pytest.approx(expected)


def test_marks_count_what_was_answered_and_how_often_that_was_right() -> None:
    given_answers = Answers(
        np.array([0, 1, 2, 0]), np.array([0, 1, 0, 2]), np.array([0.9, 0.7, 0.65, 0.2])
    )
    found = marks(given_answers, 0.65)
    assert (found.cases, found.accuracy, found.answered) == (4, 0.5, 0.75)
    assert found.answered_right == pytest.approx(2 / 3)
    assert found.low < 0.5 < found.high
    silent = marks(given_answers, 0.95)
    assert silent.answered == 0
    assert math.isnan(silent.answered_right)


def test_confidence_that_means_what_it_says_has_no_error() -> None:
    rng = np.random.default_rng(1)
    sure = rng.uniform(0.2, 1.0, 20_000)
    truth = np.zeros(sure.size, dtype=int)
    honest = Answers(truth, (rng.random(sure.size) > sure).astype(int), sure)
    boasting = Answers(truth, honest.answer, np.minimum(1.0, sure + 0.2))
    assert marks(honest, 0.5).calibration_error < 0.01
    assert marks(boasting, 0.5).calibration_error > 0.1


def test_parts_are_joined_in_their_order() -> None:
    one = Answers(np.array([1]), np.array([0]), np.array([0.5]))
    two = Answers(np.array([2]), np.array([2]), np.array([0.7]))
    whole = Answers.joined([one, two])
    assert whole.size == 2
    assert whole.truth.tolist() == [1, 2]
    assert math.isnan(macro_f1(np.zeros(0, dtype=int), np.zeros(0, dtype=int)))
