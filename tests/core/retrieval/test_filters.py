"""Filters: how they are read, and which values satisfy them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.retrieval.filters import matches, name_key, parse_filter
from kbagent.errors import BadFilter
from kbagent.model.filters import Filter, FilterOperator


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("product=Thunderbird", Filter("product", FilterOperator.EQUAL, "Thunderbird")),
        ("Affects Version/s >= 115", Filter("Affects Version/s", FilterOperator.AT_LEAST, "115")),
        ("version!=115", Filter("version", FilterOperator.NOT_EQUAL, "115")),
        ("version<=115", Filter("version", FilterOperator.AT_MOST, "115")),
        ("title~a=b", Filter("title", FilterOperator.CONTAINS, "a=b")),
        ("os=='Windows 10'", Filter("os", FilterOperator.EQUAL, "Windows 10")),
    ],
)
def test_a_filter_is_read(text: str, expected: Filter) -> None:
    assert parse_filter(text) == expected


@pytest.mark.parametrize("text", ["", "product", "=x", "product=", "product=''", "a! b"])
def test_what_is_no_filter_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(BadFilter) as refused:
        parse_filter(text)
    assert f"'{text}'" in str(refused.value)


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        ("product=thunderbird", ["Thunderbird"]),
        ("product=thunderbird", ["Lightning", "THUNDERBIRD"]),
        ("product!=firefox", []),
        ("version=115", ["115.0"]),
        ("version>=115", ["115.0esr"]),
        ("version>115.9", ["115.10"]),
        ("version<115", ["115.0b3"]),
        ("version<=115", ["Thunderbird 102"]),
        ("os>=Windows 9", ["Windows 10"]),
        ("title~SMTP  server", ["my smtp server died"]),
        ("opened=2024-03", ["2024-03-31T23:59:59+00:00"]),
        ("opened>=2024", ["2024-01-01T00:00:00+00:00"]),
        ("opened<=2024-01", ["2024-01-31T12:00:00+00:00"]),
        ("opened>2024-01", ["2024-02-01"]),
    ],
)
def test_satisfied(condition: str, values: list[str]) -> None:
    assert matches(parse_filter(condition), values)


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        ("product=thunderbird", []),
        ("product!=firefox", ["Firefox", "Thunderbird"]),
        ("zip=1234", ["01234"]),
        ("version=115.1", ["115.10"]),
        ("version>=115", ["unknown"]),
        ("version<115", ["unknown"]),
        ("version<115", ["115.0"]),
        ("title~smtp", ["imap"]),
        ("opened>2024-01", ["2024-01-31"]),
        ("opened<2024", ["2024-01-01"]),
    ],
)
def test_not_satisfied(condition: str, values: list[str]) -> None:
    assert not matches(parse_filter(condition), values)


def test_names_are_compared_without_case_and_underscores() -> None:
    assert name_key("close_code") == name_key(" Close  Code")
    assert name_key("os") != name_key("version")


@given(st.text(max_size=20), st.lists(st.text(max_size=10), max_size=3))
def test_nonsense_is_refused_or_decided(text: str, values: list[str]) -> None:
    try:
        condition = parse_filter(text)
    except BadFilter:
        return
    assert matches(condition, values) in (True, False)


@given(st.text(min_size=1, max_size=10), st.text(max_size=10))
def test_order_operators_exclude_each_other(wanted: str, value: str) -> None:
    less, at_least = (
        matches(Filter("x", operator, wanted), [value])
        for operator in (FilterOperator.LESS, FilterOperator.AT_LEAST)
    )
    assert not (less and at_least)
