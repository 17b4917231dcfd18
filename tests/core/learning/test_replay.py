"""Measures of a replay, by hand."""

import numpy as np
import pytest

from kbagent.core.learning.replay import Measures, Replayed, compare, measure, place_of_success

REPLAYED = [Replayed(1, 2, 4), Replayed(3, 0, 0), Replayed(None, 1, 1), Replayed(5, 0, 2)]


def test_measures_by_hand() -> None:
    assert measure(REPLAYED) == Measures(
        lookups=4,
        success_at_1=0.25,
        success_at_3=0.5,
        reciprocal_rank=(1 + 1 / 3 + 0 + 1 / 5) / 4,
        recall=(0.5 + 1.0 + 0.0) / 3,
    )


def test_nothing_replayed() -> None:
    assert measure([]) == Measures(0, 0.0, 0.0, 0.0, None)


def test_the_first_that_worked_counts() -> None:
    assert place_of_success([4, 2, 9], frozenset({9, 2})) == 2
    assert place_of_success([4], frozenset({9})) is None


def test_comparison_is_paired() -> None:
    better = [Replayed(1, 1, 1)] * 50 + [Replayed(2, 1, 2)] * 50
    worse = [Replayed(2, 1, 1)] * 50 + [Replayed(2, 1, 2)] * 50
    found = {c.measure: c for c in compare(better, worse, np.random.default_rng(1))}
    assert found["success@1"].difference == pytest.approx(0.5)
    assert found["success@1"].low > 0.35
    assert found["success@3"].difference == found["success@3"].low == 0.0
    assert found["recall"].difference == 0.0
