"""Trust moves to who was right, and back; a new queue is known from its first case."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.patterns.drift import SHARE, Trust, followed, mixed, recent_votes

RIGHT, WRONG = np.array([0.9, 0.1]), np.array([0.1, 0.9])


def after(start: float, router: np.ndarray, recent: np.ndarray, cases: int) -> float:
    rows = np.ones((cases, 1))
    zeros = np.zeros(cases, dtype=np.int64)
    return followed(Trust(start), rows * router, rows * recent, zeros).router


def test_a_router_that_turns_wrong_loses_trust_within_a_few_cases_and_can_regain_it() -> None:
    lost = after(0.95, WRONG, RIGHT, 4)
    assert lost < 0.05
    assert after(lost, RIGHT, WRONG, 4) > 0.9


@given(st.floats(0, 1), st.integers(0, 50))
def test_trust_never_leaves_its_bounds(start: float, cases: int) -> None:
    found = after(start, WRONG, RIGHT, cases)
    assert 0 <= found <= 1
    if cases:
        assert SHARE <= found <= 1 - SHARE


def test_a_new_queue_is_known_from_its_first_case() -> None:
    vectors = np.eye(3, dtype=np.float32)
    votes = recent_votes(vectors[2:], vectors, np.array([0, 0, 2]), 4)
    assert votes[0].argmax() == 2
    assert votes.sum() == pytest.approx(1)


def test_late_votes_count_more_and_no_cases_know_nothing() -> None:
    same = np.ones((2, 1), dtype=np.float32)
    votes = recent_votes(same[:1], same, np.array([0, 1]), 2)
    assert votes[0, 1] > votes[0, 0]
    nothing = recent_votes(same, np.zeros((0, 1), dtype=np.float32), np.zeros(0, dtype=int), 4)
    assert nothing == pytest.approx(np.full((2, 4), 0.25))


def test_the_mixture_is_the_weighted_mean() -> None:
    found = mixed(Trust(0.75), RIGHT[None], WRONG[None])
    assert found[0] == pytest.approx([0.7, 0.3])
