"""Dates as people type them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.retrieval.periods import parse_period


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2024", (2024, 1, 1), (2025, 1, 1)),
        ("2024-12", (2024, 12, 1), (2025, 1, 1)),
        ("2024-2", (2024, 2, 1), (2024, 3, 1)),
        ("2024-02-29", (2024, 2, 29), (2024, 3, 1)),
        ("2024-02-29T10:00:00+02:00", (2024, 2, 29, 8), (2024, 2, 29, 8, 0, 1)),
        ("2024-02-29 10:00:00", (2024, 2, 29, 10), (2024, 2, 29, 10, 0, 1)),
    ],
)
def test_a_date_is_a_span(text: str, start: tuple[int, ...], end: tuple[int, ...]) -> None:
    period = parse_period(text)
    assert period is not None
    assert period.start == datetime(*start, tzinfo=UTC)  # type: ignore[misc, arg-type]
    assert period.end == datetime(*end, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize("text", ["", "2023-02-29", "03/04/2024", "115.3", "24-01-01", "0000"])
def test_anything_else_is_none(text: str) -> None:
    assert parse_period(text) is None


@given(st.text(max_size=30) | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat))
def test_no_text_raises_and_no_period_is_empty(text: str) -> None:
    period = parse_period(text)
    assert period is None or period.start < period.end
