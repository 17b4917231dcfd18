"""Tables and strata against hand-worked values, scipy, and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kbagent.core.patterns.contingency import (
    Counts,
    Strata,
    adjusted_lift,
    chi_square_tail,
    cmh,
    exact_distribution,
    exact_mid_p,
    hypergeometric,
    is_reversal,
    lift,
    normal_two_sided,
    pooled_difference,
    risk_difference,
    shrunk_lift,
    wilson,
)


def strata(*rows: tuple[float, float, float, float]) -> Strata:
    """One row per stratum: both, exposed, affected, total."""
    return Strata(*(np.array(column, dtype=float) for column in zip(*rows, strict=True)))


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, int, int, int]:
    total = draw(st.integers(2, 60))
    exposed = draw(st.integers(0, total))
    affected = draw(st.integers(0, total))
    both = draw(st.integers(max(0, exposed + affected - total), min(exposed, affected)))
    return both, exposed, affected, total


def test_newcombe_reproduces_his_published_examples() -> None:
    # Newcombe 1998, table II, method 10: (b) 9/10 - 3/10, (h) 10/10 - 0/10
    b = risk_difference(Counts(9, 10, 12, 20))
    assert (round(b.low, 4), round(b.high, 4)) == (0.1705, 0.8090)
    h = risk_difference(Counts(10, 10, 10, 20))
    assert (round(h.low, 4), round(h.high, 4)) == (0.6075, 1.0)


@given(tables())
def test_wilson_agrees_with_scipy(table: tuple[int, int, int, int]) -> None:
    _, exposed, _, total = table
    oracle = stats.binomtest(exposed, total).proportion_ci(method="wilson")
    assert wilson(exposed, total) == pytest.approx((oracle.low, oracle.high), abs=1e-9)


@given(tables())
def test_hypergeometric_agrees_with_scipy(table: tuple[int, int, int, int]) -> None:
    _, exposed, affected, total = table
    start, p = hypergeometric(exposed, affected, total)
    oracle = stats.hypergeom(total, affected, exposed).pmf(np.arange(start, start + p.size))
    assert p == pytest.approx(oracle, abs=1e-10)


@given(tables(), tables())
@settings(max_examples=50)
def test_exact_distribution_of_two_strata_is_the_double_sum(
    one: tuple[int, int, int, int], two: tuple[int, int, int, int]
) -> None:
    both = strata(one, two)
    start, p = exact_distribution(both.exposed, both.affected, both.total)
    (s1, p1), (s2, p2) = (hypergeometric(t[1], t[2], t[3]) for t in (one, two))
    expected: dict[int, float] = {}
    for i, x in enumerate(p1):
        for j, y in enumerate(p2):
            expected[s1 + s2 + i + j] = expected.get(s1 + s2 + i + j, 0.0) + float(x * y)
    for value, probability in expected.items():
        place = value - start
        found = float(p[place]) if 0 <= place < p.size else 0.0
        assert found == pytest.approx(probability, abs=1e-11)


@given(tables())
def test_mid_p_lies_between_zero_and_one_and_below_doubled_fisher(
    table: tuple[int, int, int, int],
) -> None:
    both, exposed, affected, total = table
    p = exact_mid_p(both, *(np.array([float(x)]) for x in (exposed, affected, total)))
    square = [[both, exposed - both], [affected - both, total - exposed - affected + both]]
    tails = [stats.fisher_exact(square, alternative=a).pvalue for a in ("less", "greater")]
    assert 0 < p <= min(1.0, 2 * min(tails)) + 1e-9


def test_cmh_on_the_berkeley_admissions() -> None:
    # Men admitted by department A-F (Bickel, Hammel and O'Connell 1975; R's UCBAdmissions).
    # R: mantelhaen.test(UCBAdmissions, correct = FALSE) gives 1.5246 with p = 0.2169;
    # crude, men are admitted more often (z ≈ 9.6).
    berkeley = strata(
        (512, 825, 601, 933),
        (353, 560, 370, 585),
        (120, 325, 322, 918),
        (138, 417, 269, 792),
        (53, 191, 147, 584),
        (22, 373, 46, 714),
    )
    found = cmh(berkeley)
    assert found.z**2 == pytest.approx(1.5246, abs=2e-4)
    assert found.p == pytest.approx(0.2169, abs=2e-4)
    crude = cmh(strata((1198, 2691, 1755, 4526)))
    assert crude.z == pytest.approx(9.60, abs=0.01)


def test_small_counts_use_the_exact_tail() -> None:
    table = strata((8, 10, 10, 400))
    assert cmh(table).p == pytest.approx(
        exact_mid_p(8, table.exposed, table.affected, table.total), rel=1e-12
    )
    assert cmh(table).p > 2 * stats.norm.sf(abs(cmh(table).z)) * 10


def test_strata_without_information_say_nothing() -> None:
    nothing = cmh(strata((0, 0, 5, 10), (3, 3, 3, 3), (1, 1, 1, 1)))
    assert (nothing.z, nothing.p) == (0.0, 1.0)
    assert pooled_difference(strata((0, 0, 5, 10))).estimate == 0.0


def test_pooled_difference_of_equal_strata_is_their_difference() -> None:
    pooled = pooled_difference(strata((30, 50, 40, 100), (30, 50, 40, 100)))
    assert pooled.estimate == pytest.approx(0.4)
    assert pooled.low < 0.4 < pooled.high


def test_pooled_difference_covers_the_truth_at_the_stated_rate() -> None:
    rng = np.random.default_rng(5)
    base = np.array([0.1, 0.2, 0.4, 0.6])
    covered = 0
    for _ in range(1000):
        n1, n0 = np.array([40, 60, 30, 20]), np.array([60, 30, 40, 80])
        o, c = rng.binomial(n1, base + 0.1), rng.binomial(n0, base)
        found = pooled_difference(Strata(*(x.astype(float) for x in (o, n1, o + c, n1 + n0))))
        covered += found.low <= 0.1 <= found.high
    assert 0.93 <= covered / 1000 <= 0.97


def test_simpson_reversal_is_seen_and_an_ordinary_table_is_not_one() -> None:
    # Kidney stones (Charig et al. 1986), enlarged tenfold: open surgery wins in both strata,
    # loses crude.
    kidney = strata((810, 870, 3150, 3570), (1920, 2630, 2470, 3430))
    assert cmh(kidney).z > 0
    assert is_reversal(kidney)
    assert not is_reversal(strata((30, 50, 40, 100), (30, 50, 40, 100)))


def test_adjusted_lift_removes_what_the_stratum_explains() -> None:
    confounded = strata((40, 80, 50, 100), (2, 20, 10, 100))
    assert lift(confounded.crude) == pytest.approx(42 / (100 * 60 / 200))
    assert adjusted_lift(confounded) == pytest.approx(1.0)


@given(st.floats(0, 500), st.floats(0.5, 500))
def test_shrinkage_pulls_toward_one_and_never_past_it(observed: float, expected: float) -> None:
    found = shrunk_lift(observed, expected, expected)
    raw = (observed + 0.5) / (expected + 0.5)
    assert min(1.0, raw) - 1e-9 <= found <= max(1.0, raw) + 1e-9


@given(st.floats(-8, 8))
def test_normal_tail_agrees_with_scipy(z: float) -> None:
    assert normal_two_sided(np.array([z]))[0] == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-9)


@given(st.floats(0, 60), st.integers(2, 40))
def test_chi_square_tail_is_close_enough_to_screen(value: float, degrees: int) -> None:
    oracle = stats.chi2.sf(value, degrees)
    allowed = 0.006 if oracle < 0.2 else 0.03
    assert float(chi_square_tail(np.array(value), degrees)) == pytest.approx(oracle, abs=allowed)
