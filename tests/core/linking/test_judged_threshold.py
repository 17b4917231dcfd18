"""What people say of placements moves the threshold, by as much as it bears."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from kbagent.core.linking.threshold import (
    HIGHEST,
    LOWEST,
    NEVER,
    SCEPTICISM,
    judged_threshold,
)

shares = st.floats(0.05, 0.99)
judged = st.lists(st.tuples(shares, st.booleans()), min_size=1, max_size=30)


def moved(threshold: float, said: list[tuple[float, bool]]) -> float:
    confidences, right = zip(*said, strict=True)
    return judged_threshold(threshold, np.array(confidences), np.array(right))


def odds(share: float) -> float:
    return float(np.log(share / (1 - share)))


@given(said=judged, threshold=st.floats(0.6, 0.95))
def test_it_is_the_most_probable_shift(said: list[tuple[float, bool]], threshold: float) -> None:
    def unlikely(shift: float) -> float:
        total = shift**2 / (2 * SCEPTICISM**2)
        for share, right in said:
            chance = 1 / (1 + np.exp(-(odds(share) + shift)))
            total -= np.log(chance if right else 1 - chance)
        return float(total)

    best = minimize_scalar(unlikely, bounds=(-10, 10), method="bounded", options={"xatol": 1e-9}).x
    expected = 1 / (1 + np.exp(-(odds(threshold) - best)))
    assert moved(threshold, said) == pytest.approx(np.clip(expected, LOWEST, HIGHEST), abs=1e-4)


@given(said=judged, threshold=st.floats(0.5, 0.99), share=shares)
def test_a_refusal_never_lowers_it_and_a_consent_never_raises_it(
    said: list[tuple[float, bool]], threshold: float, share: float
) -> None:
    now = moved(threshold, said)
    assert moved(threshold, [*said, (share, False)]) >= now - 1e-9
    assert moved(threshold, [*said, (share, True)]) <= now + 1e-9


def test_where_nothing_may_join_nothing_does() -> None:
    assert moved(NEVER, [(0.9, True)] * 20) == NEVER
