"""The Beta distribution against scipy, and properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kbagent.core.learning import beta
from kbagent.errors import BadValue

SHAPES = [(2, 3), (0.05, 2), (1000, 20), (1e5, 3e5), (0.5, 0.5), (1, 0.01), (7.3, 0.9)]
shape = st.floats(min_value=0.1, max_value=5e4)


@pytest.mark.parametrize(("a", "b"), SHAPES)
def test_cdf_agrees_with_scipy(a: float, b: float) -> None:
    for x in (0.0, 1e-6, 0.001, 0.25, 0.5, 0.9, 0.999, 1.0):
        assert beta.cdf(x, a, b) == pytest.approx(stats.beta.cdf(x, a, b), abs=1e-9)


@pytest.mark.parametrize(("a", "b"), SHAPES)
def test_quantile_agrees_with_scipy(a: float, b: float) -> None:
    for p in (0.0, 0.05, 0.5, 0.95, 1.0):
        assert beta.quantile(p, a, b) == pytest.approx(stats.beta.ppf(p, a, b), abs=1e-9)


@given(shape, shape, st.floats(0.01, 0.99))
def test_quantile_undoes_cdf(a: float, b: float, p: float) -> None:
    x = beta.quantile(p, a, b)
    if 1e-12 < x < 1 - 1e-12:
        assert beta.cdf(x, a, b) == pytest.approx(p, abs=1e-6)


@given(shape, shape)
def test_interval_lies_in_range_and_holds_the_median(a: float, b: float) -> None:
    low, high = beta.interval(a, b)
    assert 0.0 <= low <= beta.quantile(0.5, a, b) <= high <= 1.0


@given(shape, shape)
def test_mean_and_variance_agree_with_scipy(a: float, b: float) -> None:
    assert beta.mean(a, b) == pytest.approx(stats.beta.mean(a, b), rel=1e-9)
    assert beta.variance(a, b) == pytest.approx(stats.beta.var(a, b), rel=1e-9)


@pytest.mark.parametrize(
    "shapes", [(5, 3, 4, 4), (90, 10, 80, 20), (0.5, 0.5, 2, 3), (3, 1, 400, 100)]
)
def test_exceeds_agrees_with_sampling(shapes: tuple[float, ...]) -> None:
    a, b, c, d = shapes
    rng = np.random.default_rng(1)
    sampled = np.mean(rng.beta(a, b, 400_000) > rng.beta(c, d, 400_000))
    assert beta.exceeds(a, b, c, d) == pytest.approx(sampled, abs=0.004)
    assert beta.exceeds(a, b, c, d) + beta.exceeds(c, d, a, b) == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("shapes", [(0.0, 1.0), (1.0, -1.0), (float("nan"), 1.0)])
def test_impossible_parameters_are_refused(shapes: tuple[float, float]) -> None:
    with pytest.raises(BadValue):
        beta.mean(*shapes)


def test_impossible_probability_is_refused() -> None:
    with pytest.raises(BadValue):
        beta.quantile(1.5, 1.0, 1.0)
