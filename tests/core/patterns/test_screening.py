"""The matrix form against the table form, and van Elteren against scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kbagent.core.patterns.casetable import CaseTable, Consequent, Factor, Kind, features_from
from kbagent.core.patterns.contingency import cmh
from kbagent.core.patterns.discovery import strata_of
from kbagent.core.patterns.screening import (
    feature_level_counts,
    joint_codes,
    level_counts,
    level_statistic,
    rank_scores,
    rank_statistic,
    stratification,
)


@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(2, 4))
@settings(max_examples=40)
def test_all_pairs_at_once_agree_with_one_table_at_a_time(seed: int, strata: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    n = 60
    codes = rng.integers(0, strata, n).astype(np.int32)
    levels = rng.integers(0, k, n).astype(np.int32)
    columns = [np.flatnonzero(rng.random(n) < 0.4).astype(np.int32) for _ in range(3)]
    features = features_from([(f"f{j}", Kind.KEYWORD, c) for j, c in enumerate(columns)])
    by = stratification("s", codes, strata, features)
    found = level_statistic(
        feature_level_counts(levels, k, features), by, level_counts(levels, k, by)
    )
    for j, rows in enumerate(columns):
        for level in range(k):
            hit = np.flatnonzero(levels == level).astype(np.int32)
            one = cmh(strata_of(rows, hit, codes, strata))
            assert found.excess[j, level] == pytest.approx(one.observed - one.expected, abs=1e-9)
            assert found.variance[j, level] == pytest.approx(one.variance, abs=1e-9)


def test_van_elteren_in_one_stratum_is_wilcoxon() -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(0, 6, 80).astype(float)
    rows = np.flatnonzero(rng.random(80) < 0.4).astype(np.int32)
    features = features_from([("f", Kind.KEYWORD, rows)])
    by = stratification("", np.zeros(80, dtype=np.int32), 1, features)
    has = np.isin(np.arange(80), rows)
    oracle = stats.mannwhitneyu(
        values[has], values[~has], use_continuity=False, method="asymptotic"
    )
    z = float(rank_statistic(values, by, features).z[0, 0])
    assert 2 * stats.norm.sf(abs(z)) == pytest.approx(oracle.pvalue, rel=1e-9)


def test_van_elteren_weighs_strata_by_their_size_plus_one() -> None:
    # Two strata worked by hand: values 1,2,3 with the feature on 3; values 5,7 with it on 7.
    values = np.array([1.0, 2, 3, 5, 7])
    codes = np.array([0, 0, 0, 1, 1], dtype=np.int32)
    features = features_from([("f", Kind.KEYWORD, np.array([2, 4], dtype=np.int32))])
    by = stratification("", codes, 2, features)
    found = rank_statistic(values, by, features)
    assert found.excess[0, 0] == pytest.approx((3 / 4 - 1 / 2) + (2 / 3 - 1 / 2))
    assert found.variance[0, 0] == pytest.approx(1 * 2 * (2 / 16) / (3 * 2) + 1 / 36)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=40))
def test_scores_sum_to_zero_in_every_stratum(pairs: list[tuple[int, int]]) -> None:
    codes = np.array([c for c, _ in pairs], dtype=np.int32)
    values = np.array([v for _, v in pairs], dtype=float)
    features = features_from([])
    scores = rank_scores(values, stratification("", codes, 4, features))
    assert np.bincount(codes, weights=scores, minlength=4) == pytest.approx(np.zeros(4), abs=1e-9)


def test_joint_strata_are_the_common_refinement() -> None:
    codes, count = joint_codes([np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])])
    assert (codes.tolist(), count) == ([0, 1, 2, 2], 3)


def test_restricting_a_table_keeps_each_case_with_its_features() -> None:
    table = CaseTable.of([Factor.of("os", ["a", "b", None, "a", "b"])])
    part = table.restricted(np.array([True, False, True, True, True]))
    assert [part.features.column(j).tolist() for j in range(2)] == [[0, 2], [3]]
    assert part.factors[0].codes.tolist() == [0, -1, 0, 1]


def test_cases_of_unknown_consequent_take_no_part() -> None:
    assert Consequent.of_flags("x", [True, None, False]).known.tolist() == [True, False, True]
    assert Consequent("y", values=np.array([1.0, np.nan])).known.tolist() == [True, False]
