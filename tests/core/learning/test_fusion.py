"""The fusion weight is learned where it helps and left alone where it does not."""

import numpy as np

from kbagent.core.learning.fusion import Looked, fit_dense_weight


def lookups(n: int, seed: int, *, dense: float, lexical: float) -> list[Looked]:
    """Twenty candidates, one right; each list scores the right one higher by so much."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        right = np.zeros(20, dtype=bool)
        right[rng.integers(20)] = True
        d, le = rng.random(20), rng.random(20)
        found.append(Looked(d + dense * right, le + lexical * right, right))
    return found


def test_a_useless_list_loses_its_weight() -> None:
    fitted = fit_dense_weight(
        lookups(400, 1, dense=0.0, lexical=0.6), 0.85, np.random.default_rng(0)
    )
    assert fitted.accepted
    assert fitted.dense_weight <= 0.3
    assert fitted.low > 0


def test_what_is_good_already_stays() -> None:
    fitted = fit_dense_weight(
        lookups(400, 2, dense=0.8, lexical=0.0), 1.0, np.random.default_rng(0)
    )
    assert not fitted.accepted
    assert fitted.dense_weight == 1.0


def test_a_weight_that_only_the_past_liked_is_refused() -> None:
    past = lookups(280, 3, dense=0.0, lexical=0.5)
    later = lookups(120, 4, dense=0.5, lexical=0.0)
    fitted = fit_dense_weight(past + later, 0.85, np.random.default_rng(0))
    assert not fitted.accepted
    assert fitted.dense_weight == 0.85
    assert fitted.change < 0


def test_too_few_lookups_change_nothing() -> None:
    fitted = fit_dense_weight(
        lookups(50, 1, dense=0.0, lexical=0.6), 0.85, np.random.default_rng(0)
    )
    assert (fitted.accepted, fitted.dense_weight) == (False, 0.85)
