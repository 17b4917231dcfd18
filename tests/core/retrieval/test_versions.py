"""The order of versions: the known cases, total for any text, and against an oracle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.retrieval.versions import from_first_number, has_number, version_key

texts = st.text(max_size=12) | st.from_regex(r"v?[0-9]{1,3}(\.[0-9]{1,3}){0,3}(b|rc|esr)?[0-9]?")


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("9", "10"),
        ("115.2", "115.10"),
        ("115.0b2", "115.0"),
        ("115.0a1", "115.0b1"),
        ("115beta9", "115rc1"),
        ("115", "115esr"),
        ("115esr", "115.0.1"),
        ("1.0", "1.0-SP1"),
        ("1.0-SP1", "1.0.1"),
        ("1.9", "1.9.0.1"),
        ("", "0"),
        ("0", "0.1"),
        ("Windows 9", "Windows 10"),
    ],
)
def test_lower_comes_first(lower: str, higher: str) -> None:
    assert version_key(lower) < version_key(higher)


@pytest.mark.parametrize(
    ("one", "other"),
    [("115", "115.0"), ("v1.2", "1.2.0"), ("1.0-beta", "1b"), ("1_2", "1.2"), ("007", "7.0")],
)
def test_spelled_differently_but_equal(one: str, other: str) -> None:
    assert version_key(one) == version_key(other)


def test_a_number_of_five_thousand_digits_has_a_place() -> None:
    assert version_key("1" * 5000) < version_key("1" * 5001)


@given(texts, texts, texts)
def test_the_order_is_total_and_transitive(a: str, b: str, c: str) -> None:
    x, y, z = version_key(a), version_key(b), version_key(c)
    assert (x < y) + (x == y) + (x > y) == 1
    if x <= y <= z:
        assert x <= z


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=5), st.data())
def test_plain_numbers_sort_as_tuples_of_integers(left: list[int], data: st.DataObject) -> None:
    right = data.draw(st.lists(st.integers(0, 10**6), min_size=len(left), max_size=len(left)))
    keys = [version_key(".".join(map(str, numbers))) for numbers in (left, right)]
    assert (keys[0] < keys[1]) == (left < right)


def test_the_number_inside_a_name_is_found() -> None:
    assert from_first_number("Thunderbird 115.3 (64-bit)") == "115.3 (64-bit)"
    assert from_first_number("nightly") == ""
    assert has_number("v1")
    assert not has_number("unknown")
