"""κ and the pooled mean: hand-computed values and a world whose κ is known."""

import numpy as np
import pytest

from kbagent.core.learning import pooling
from kbagent.model.evidence import Moments, Pool, Tally


def beta_binomial_cells(kappa: float, cells: int, tried: int, seed: int) -> list[Tally]:
    rng = np.random.default_rng(seed)
    rates = rng.beta(0.6 * kappa, 0.4 * kappa, cells)
    return [Tally(tried, float(rng.binomial(tried, rate))) for rate in rates]


@pytest.mark.parametrize("kappa", [3.0, 8.0, 20.0])
def test_strength_recovers_the_world_it_was_drawn_from(kappa: float) -> None:
    cells = beta_binomial_cells(kappa, cells=4000, tried=30, seed=5)
    assert pooling.strength(pooling.moments_of(cells)) == pytest.approx(kappa, rel=0.12)


def test_sums_of_parts_add_up_to_the_sums_of_the_whole() -> None:
    cells = beta_binomial_cells(5.0, cells=40, tried=7, seed=2)
    whole = pooling.moments_of(cells)
    n = [c.tried for c in cells]
    assert whole.tried == sum(n)
    assert whole.tried_squared == sum(x * x for x in n)
    assert whole.worked_squared_by_tried == pytest.approx(sum(c.worked**2 / c.tried for c in cells))


def test_few_cells_give_the_default() -> None:
    assert pooling.strength(pooling.moments_of([Tally(9, 9)] * 7)) == 4.0


def test_cells_that_are_all_alike_are_pulled_together_hard() -> None:
    assert pooling.strength(pooling.moments_of([Tally(10, 5)] * 20)) == 30.0


def test_cells_that_are_all_or_nothing_stand_for_themselves() -> None:
    cells = [Tally(10, 10), Tally(10, 0)] * 10
    assert pooling.strength(pooling.moments_of(cells)) == 2.0


def test_without_variation_at_all_the_default_holds() -> None:
    assert pooling.strength(pooling.moments_of([Tally(10, 10)] * 20)) == 4.0


def test_small_cells_say_nothing() -> None:
    assert pooling.moments_of([Tally(4, 4)] * 100) == Moments()


def test_pooled_mean_moves_from_overall_to_own_rate() -> None:
    pool = Pool(overall=Tally(98, 49), resolutions={1: Tally(1000, 1000), 2: Tally(1, 1)})
    assert pooling.pooled_mean(pool, 3) == pytest.approx(0.5)
    assert pooling.pooled_mean(pool, 2) == pytest.approx(6 / 11)
    assert pooling.pooled_mean(pool, 1) > 0.99


def test_pool_strength_changes_the_pull() -> None:
    pool = Pool(overall=Tally(98, 49), resolutions={1: Tally(10, 10)})
    assert pooling.pooled_mean(pool, 1, 10.0) == pytest.approx(0.75)
    assert pooling.pooled_mean(pool, 1, 90.0) == pytest.approx(0.55)


def test_an_untried_resolution_never_looks_certain() -> None:
    assert pooling.overall_rate(Pool(overall=Tally(1e6, 1e6))) == 0.8
    assert pooling.overall_rate(Pool(overall=Tally(1e6, 0))) == 0.1
