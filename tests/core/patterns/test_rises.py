"""Rises: found when there, rarely when not, dated, and attached to release and features."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kbagent.core.patterns.casetable import Kind, features_from
from kbagent.core.patterns.rises import (
    Rise,
    Watch,
    attribute,
    bar_for,
    behind,
    doubling,
    evidence,
    expectations,
    rises,
)

DAYS = 200
WEEKDAYS = np.arange(DAYS) % 7


def calm(rate: float, series: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    week = np.where(WEEKDAYS >= 5, 0.4, 1.2)
    return rng.poisson(rate * week, (series, DAYS))


def test_a_tripled_series_is_told_within_days_and_dated() -> None:
    counts = calm(4, 20, 1)
    counts[3, 150:] = np.random.default_rng(2).poisson(12, DAYS - 150)
    found = [r for r in rises(counts, WEEKDAYS) if r.series == 3]
    assert len(found) == 1
    assert 150 <= found[0].told <= 156
    assert 147 <= found[0].began <= 152
    assert found[0].ratio is not None
    assert 2 < found[0].ratio < 4


def test_a_rise_that_ends_is_closed_and_a_second_one_told_again() -> None:
    counts = np.full((8, DAYS), 4)
    counts[0, 80:95] = counts[0, 150:165] = 20
    found = rises(counts, WEEKDAYS)
    assert [r.series for r in found] == [0, 0]
    assert found[0].ended is not None
    assert 95 < found[0].ended < 120
    for one in found:
        span = slice(one.began, one.ended)
        assert one.cases == counts[0, span].sum() > one.observed
        assert one.usual == pytest.approx(expectations(counts, WEEKDAYS, Watch())[0][0, span].sum())
        assert one.observed == counts[0, one.began : one.told + 1].sum()


def test_the_ratio_is_plain_and_of_the_whole_rise_and_there_is_none_of_less_than_a_case() -> None:
    rise = Rise(0, told=9, began=8, observed=5, expected=0.4, cases=30, usual=4.0)
    assert rise.ratio == 7.5
    assert replace(rise, usual=1.0).ratio == 30
    assert replace(rise, usual=0.99).ratio is None
    assert rise.shrunk_ratio == pytest.approx(5.5 / 0.9)


def test_a_rise_that_lasts_is_counted_until_the_last_day() -> None:
    counts = np.full((8, DAYS), 4)
    counts[0, 180:] = 20
    (one,) = rises(counts, WEEKDAYS)
    assert one.ended is None
    assert one.cases == 20 * 20 > one.observed


def test_calm_series_rarely_tell() -> None:
    found = rises(calm(3, 100, 5), WEEKDAYS)
    assert len(found) <= 17  # one per 1,000 series-days


def test_a_busy_day_for_everything_is_no_rise() -> None:
    counts = calm(5, 40, 6)
    counts[:, 120:123] *= 3
    assert [r for r in rises(counts, WEEKDAYS) if 120 <= r.told <= 125] == []


def test_the_bar_and_the_ratios_change_what_is_told() -> None:
    counts = calm(3, 60, 7)
    few, many = (len(rises(counts, WEEKDAYS, Watch(bar=b))) for b in (12.0, 2.5))
    assert few < many
    assert rises(counts, WEEKDAYS, Watch(warm_up=DAYS)) == []


def test_a_rare_series_that_paused_is_not_taken_for_one_that_cannot_occur() -> None:
    counts = calm(5.0, 20, 4)
    counts[0] = 0
    counts[0, : counts.shape[1] - 100 : 5] = 1  # one case in five days, then silence
    weekdays = np.arange(counts.shape[1]) % 7
    with_past, _ = expectations(counts, weekdays, Watch())
    without, _ = expectations(counts, weekdays, Watch(older=0.0))
    assert with_past[0, -1] > 3 * without[0, -1]
    assert np.allclose(with_past[1:, -1], without[1:, -1], rtol=0.2)


def test_only_the_past_is_used() -> None:
    counts = calm(4, 10, 8)
    mean, kappa = expectations(counts[:, :100], WEEKDAYS[:100], Watch())
    later, later_kappa = expectations(counts, WEEKDAYS, Watch())
    assert later[:, :100] == pytest.approx(mean)
    assert later_kappa[:, :100] == pytest.approx(kappa)


@given(st.integers(0, 40), st.floats(0.1, 20), st.floats(0.01, 2), st.floats(1.1, 6))
def test_evidence_is_the_negative_binomial_likelihood_ratio(
    x: int, mean: float, kappa: float, ratio: float
) -> None:
    def log_pmf(mu: float) -> float:
        size = 1 / kappa
        return float(stats.nbinom.logpmf(x, size, size / (size + mu)))

    found = evidence(np.array([[x]]), np.array([[mean]]), np.array([[kappa]]), ratio)
    assert found[0, 0] == pytest.approx(log_pmf(ratio * mean) - log_pmf(mean), abs=1e-6)


def test_no_series_and_short_series_tell_nothing() -> None:
    assert rises(np.zeros((0, 50), dtype=np.int64), WEEKDAYS[:50]) == []
    assert rises(np.full((2, 5), 9), WEEKDAYS[:5]) == []


def test_doubling_time_covers_the_truth_and_falling_counts_have_none() -> None:
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(200):
        found = doubling(rng.poisson(3 * 2 ** (np.arange(14) / 4)))
        covered += found is not None and found.low <= 4 <= found.high
    assert covered / 200 > 0.84
    assert doubling(np.array([9, 6, 4, 2, 1])) is None
    assert doubling(np.array([1, 1])) is None
    unsure = doubling(np.array([1, 1, 2]))
    assert unsure is not None
    assert math.isinf(unsure.high)


def test_features_behind_a_rise_are_those_its_cases_share() -> None:
    rng = np.random.default_rng(9)
    rising = np.arange(400) >= 350
    version = np.where(rising, rng.random(400) < 0.8, rng.random(400) < 0.1)
    plan = rng.random(400) < 0.5
    features = features_from(
        [
            ("version=3.2", Kind.COHORT, np.flatnonzero(version).astype(np.int32)),
            ("plan=pro", Kind.COHORT, np.flatnonzero(plan).astype(np.int32)),
        ]
    )
    inside, outside = np.flatnonzero(rising), np.flatnonzero(~rising)
    found = behind(inside.astype(np.int32), outside.astype(np.int32), features)
    assert [b.feature for b in found] == ["version=3.2"]
    assert found[0].lift == pytest.approx(version[rising].mean() / version[~rising].mean())


def test_a_rise_is_attached_to_the_release_before_it() -> None:
    counts = np.concatenate((np.full(60, 2), np.full(10, 9)))
    found = attribute(counts, began=61, told=65, releases=[10, 58, 80])
    assert found is not None
    assert (found.release, found.days_after) == (1, 3)
    assert found.rate_before == 2.0
    assert found.p < 0.001
    oracle = stats.binomtest(2 * 2 + 9 * 6, 2 * 28 + 2 * 2 + 9 * 6, 8 / 36, alternative="greater")
    assert found.p == pytest.approx(oracle.pvalue, rel=1e-6)
    assert attribute(counts, began=61, told=65, releases=[10]) is None
    for late in (62, 63, 66):  # what came out after it began is no cause
        assert attribute(counts, began=61, told=65, releases=[late]) is None
        assert attribute(counts, began=61, told=65, releases=[58, late]).release == 0
    same = attribute(counts, began=61, told=65, releases=[61])
    assert same is not None
    assert same.days_after == 0


def test_of_several_releases_the_one_that_the_cases_name_is_told() -> None:
    counts = np.concatenate((np.full(60, 2), np.full(10, 9)))

    def place(named: list[int]) -> int:
        return attribute(counts, 61, 65, [30, 55, 60, 62], named=named).release

    assert place([]) == 2  # the nearest before it
    assert place([1, 2]) == 1
    assert place([3, 0]) == 2  # too late, and too early


def test_more_series_need_a_higher_bar() -> None:
    assert bar_for(10) == bar_for(100) < bar_for(1000) < bar_for(10_000)
