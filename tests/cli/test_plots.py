"""Plots of characters: every value at its height, nothing invented, and never too wide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.cli.page import cell_len
from kbagent.cli.plots import bars, ceiling, dots

SHARES = st.lists(st.none() | st.floats(0, 1), max_size=120)


@given(SHARES, st.integers(20, 120))
def test_every_known_value_has_its_mark(values: list[float | None], width: int):
    labels = [f"2025-{n:02}" for n in range(len(values))]
    lines = dots([("●", values)], labels, width=width)
    room = min(len(values), (width - 8) // 2)
    known = sum(value is not None for value in values[len(values) - room :]) if room else 0
    assert sum(line.count("●") for line in lines) == known
    assert all(cell_len(line) <= width + 8 for line in lines)


def test_a_value_stands_at_its_height():
    lines = dots([("●", [0.0, 0.5, 1.0])], ["a", "b", "c"], height=5)
    assert [line.find("●") > 0 for line in lines[:5]] == [True, False, True, False, True]
    assert lines[0].startswith("100 % │") and lines[4].startswith("  0 % │")


def test_two_series_that_meet_are_both_told():
    lines = dots([("●", [0.5]), ("○", [0.5])], ["a"])
    assert sum(line.count("◉") for line in lines) == 1
    assert not any("●" in line or "○" in line for line in lines)


def test_nothing_is_drawn_of_nothing():
    assert dots([("●", [])], []) == []
    assert bars([]) == ""
    assert bars([0.0, 0.0]) == "··"


@given(st.lists(st.integers(0, 50), min_size=1, max_size=300), st.integers(10, 100))
def test_bars_fit_and_tell_none_from_few(values: list[int], width: int):
    drawn = bars([float(value) for value in values], width=width)
    assert len(drawn) <= width
    each = -(-len(values) // width)
    sums = [sum(values[i : i + each]) for i in range(0, len(values), each)]
    assert [sign == "·" for sign in drawn] == [total == 0 for total in sums]
    if max(sums):
        assert drawn[sums.index(max(sums))] == "█"


@pytest.mark.parametrize(("most", "top"), [(0.0, 0.1), (0.1, 0.1), (0.2, 0.25), (0.9, 1.0)])
def test_the_scale_ends_above_all_values(most: float, top: float):
    assert ceiling([None, most]) == top
