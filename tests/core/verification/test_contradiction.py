"""When fixes exclude each other, and when figures contradict a single outcome or a rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, fisher_exact

from kbagent.core.linking.resolutions import FixText
from kbagent.core.verification.contradiction import (
    EITHER_SIDE,
    NEARLY_ALWAYS,
    exclude_each_other,
    gainsays,
    surely_differ,
    surely_fails,
    surely_works,
)


def fix(text: str) -> FixText:
    return FixText(frozenset(text.split()))


@pytest.mark.parametrize(
    ("one", "other", "excluded"),
    [
        (
            "enable offline sync in account settings",
            "disable offline sync in account settings",
            True,
        ),
        ("enable sync", "enable sync again", False),
        ("enable sync and remove the old cache", "disable sync and add the old cache", False),
        ("start the indexer again and rebuild", "rebuilt index had to stop for a full disk", False),
        ("enable it", "enable it then disable it", False),
    ],
)
def test_only_one_contrary_word_in_much_the_same_text_excludes(
    one: str, other: str, *, excluded: bool
) -> None:
    assert exclude_each_other(fix(one), fix(other)) is excluded
    assert exclude_each_other(fix(other), fix(one)) is excluded


counts = st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts)
def test_the_bounds_are_those_of_clopper_and_pearson(count: tuple[int, int]) -> None:
    worked, tried = count
    interval = binomtest(worked, tried).proportion_ci(0.90, method="exact")
    assert gainsays(agreeing=worked, others=tried) is bool(interval.low >= NEARLY_ALWAYS)
    assert surely_works(worked, tried) is bool(interval.low > 0.5)
    assert surely_fails(worked, tried) is bool(interval.high < 0.5)


@given(counts, counts)
def test_two_rates_are_compared_by_fishers_test(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    table = [[one[0], one[1] - one[0]], [other[0], other[1] - other[0]]]
    sides = [fisher_exact(table, alternative=side).pvalue for side in ("less", "greater")]
    if abs(min(sides) - EITHER_SIDE) > 1e-9:
        assert surely_differ(*one, *other) is bool(min(sides) <= EITHER_SIDE)


def test_nothing_is_sure_without_a_trial() -> None:
    assert not (gainsays(agreeing=0, others=0) or surely_works(0, 0) or surely_fails(0, 0))
