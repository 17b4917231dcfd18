"""The period of a pattern, and folding, on small hand-made numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.patterns.lifetime import State, lifetime
from kbagent.core.patterns.subsumption import Claim, excess_within, folded


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=30))
def test_the_period_lies_within_the_periods_and_holds_to_the_end_or_is_retired(
    excess: list[float],
) -> None:
    months = np.arange(10, 10 + len(excess))
    found = lifetime(months, np.array(excess), np.ones(len(excess)))
    assert 10 <= found.first <= found.last <= months[-1]
    assert (found.state is State.HOLDING) == (found.last == months[-1])


def test_a_pattern_that_begins_late_holds_from_then_on() -> None:
    excess = np.concatenate((np.zeros(12), np.full(6, 9.0)))
    found = lifetime(np.arange(18), excess, np.full(18, 4.0))
    assert (found.first, found.last, found.state) == (12, 17, State.HOLDING)


def test_chance_seldom_retires_a_lasting_pattern() -> None:
    rng = np.random.default_rng(2)
    retired = 0
    for _ in range(300):
        excess = 2.0 + 2.0 * rng.normal(size=24)
        retired += lifetime(np.arange(24), excess, np.full(24, 4.0)).state is State.RETIRED
    assert retired <= 9


def test_excess_within_strata_is_the_hypergeometric_one() -> None:
    strata = np.array([0, 0, 0, 0, 1, 1, 1, 1], dtype=np.int32)
    hit = np.array([1.0, 1, 0, 0, 1, 0, 0, 0])
    rows = np.array([0, 1, 4], dtype=np.int32)
    excess, variance = excess_within(rows, strata, hit)
    assert excess == pytest.approx(3 - (2 * 2 / 4 + 1 * 1 / 4))
    assert variance == pytest.approx(2 * 2 * 2 * 2 / (16 * 3) + 1 * 3 * 1 * 3 / (16 * 3))


def test_two_causes_of_their_own_are_both_kept() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.random(6000) < 0.3, rng.random(6000) < 0.3
    hit = (rng.random(6000) < 0.1 + 0.2 * a + 0.2 * b).astype(float)
    none = np.zeros(6000, dtype=np.int32)
    claims = [Claim(np.flatnonzero(x).astype(np.int32), none) for x in (a, b)]
    assert folded(claims, hit) == [-1, -1]
