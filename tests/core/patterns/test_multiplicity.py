"""Benjamini-Hochberg against scipy, and what it may not do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kbagent.core.patterns.multiplicity import q_values

probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=50).map(np.array)


@given(probabilities)
def test_agrees_with_scipy(p: np.ndarray) -> None:
    assert q_values(p) == pytest.approx(stats.false_discovery_control(p), abs=1e-12)


@given(probabilities)
def test_considered_hypotheses_count_as_p_of_one(p: np.ndarray) -> None:
    padded = q_values(np.concatenate((p, np.ones(30))))
    assert q_values(p, considered=p.size + 30) == pytest.approx(padded[: p.size], abs=1e-12)


def test_untestable_hypotheses_stay_out() -> None:
    found = q_values(np.array([0.01, np.nan, 0.04]))
    assert np.isnan(found[1])
    assert found[[0, 2]] == pytest.approx([0.02, 0.04])


def test_nothing_gives_nothing() -> None:
    assert q_values(np.zeros(0)).size == 0
