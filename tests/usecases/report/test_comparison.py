"""Two sides: the numbers are those of each side, the intervals those of independent formulas."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from kbagent.cli.page import draw
from kbagent.cli.screens.report_comparison import (
    comparison_csv,
    comparison_json,
    comparison_markdown,
    format_comparison,
    remark,
)
from kbagent.core.retrieval.filters import parse_filter
from kbagent.usecases.report.comparison import Comparison, Row, compare
from kbagent.usecases.report.slices import Slice
from tests.fakes.desk import Desk, odd_words, ticket, tried

START = datetime(2025, 1, 10, 9, tzinfo=UTC)


def at(days: float) -> str:
    return (START + timedelta(days=days)).isoformat()


def two_products(desk: Desk) -> None:
    """A: 20 cases, 5 escalated, 100 min; B: 30 cases, 15 escalated, 60 min."""
    desk.bring(
        *(
            ticket(
                f"{product}{n}",
                f"{product} {odd_words(n % 4)}",
                opened_at=at(n),
                closed_at=at(n + 0.5),
                minutes=minutes,
                escalated=n < escalated,
                facets={"product": product},
                attempts=[tried(f"Fix {product} {odd_words(n % 4)}", at=at(n + 0.5))],
            )
            for product, count, escalated, minutes in (("A", 20, 5, 100), ("B", 30, 15, 60))
            for n in range(count)
        )
    )


def by_product(desk: Desk) -> Comparison:
    one, other = (Slice(where=(parse_filter(f"product={name}"),)) for name in "AB")
    return compare(desk.kb, lambda *_: None, one, other)


def row(found: Comparison, name: str) -> Row:
    return next(one for one in found.rows if one.name == name)


def newcombe(a: int, m: int, b: int, n: int) -> tuple[float, float]:
    """Newcombe 1998, method 10, written out from the paper."""
    z = 1.959964

    def ends(x: int, size: int) -> tuple[float, float]:
        root = z * math.sqrt(z * z + 4 * x * (1 - x / size))
        return (2 * x + z * z - root) / (2 * (size + z * z)), (2 * x + z * z + root) / (
            2 * (size + z * z)
        )

    (l1, u1), (l2, u2), p1, p2 = ends(a, m), ends(b, n), a / m, b / n
    return (
        p1 - p2 - math.sqrt((p1 - l1) ** 2 + (u2 - p2) ** 2),
        p1 - p2 + math.sqrt((u1 - p1) ** 2 + (p2 - l2) ** 2),
    )


def test_shares_have_the_interval_of_newcombe(desk: Desk):
    two_products(desk)
    escalated = row(by_product(desk), "escalated")
    assert (escalated.one.value, escalated.one.cases) == (0.25, 20)
    assert (escalated.other.value, escalated.other.cases) == (0.5, 30)
    assert escalated.difference is not None
    ends = (escalated.difference.low, escalated.difference.high)
    assert ends == pytest.approx(newcombe(5, 20, 15, 30), abs=1e-4)


def test_every_case_is_on_its_side(desk: Desk):
    two_products(desk)
    found = by_product(desk)
    assert (found.one.cases, found.other.cases, found.shared) == (20, 30, 0)
    minutes = row(found, "minutes to resolve, median")
    assert (minutes.one.value, minutes.other.value) == (100.0, 60.0)
    assert minutes.difference is not None
    assert minutes.difference.estimate == 40.0
    known = row(found, "success@1")
    assert found.one.success is not None
    assert known.one.cases == found.one.success.known
    assert known.one.value == found.one.success.at_1


def test_periods_are_compared_and_shared_cases_named(desk: Desk):
    two_products(desk)
    one = Slice(until=START + timedelta(days=10))
    other = Slice(since=START + timedelta(days=5))
    found = compare(desk.kb, lambda *_: None, one, other)
    assert (found.one.cases, found.other.cases, found.shared) == (20, 40, 10)
    assert "10 cases are on both sides" in remark(found)
    apart = compare(desk.kb, lambda *_: None, one, one)
    assert all(r.difference is None or r.difference.estimate == 0.0 for r in apart.rows)


def test_an_empty_side_is_said_and_not_compared(desk: Desk):
    two_products(desk)
    nobody = Slice(where=(parse_filter("product=C"),))
    found = compare(desk.kb, lambda *_: None, Slice(), nobody)
    assert all(one.difference is None for one in found.rows)
    assert "no case in “product=C”" in remark(found)
    assert comparison_json(found)["other"]["success"] is None


def test_the_screen_fits_and_scripts_get_the_same(desk: Desk):
    two_products(desk)
    found = by_product(desk)
    screen = draw(format_comparison(found), 80)
    assert max(map(len, screen.splitlines())) <= 80
    low, high = (100 * end for end in newcombe(5, 20, 15, 30))
    assert f"25 %      50 %   -25.0 ({low:+.1f} to {high:+.1f})" in screen
    assert len(comparison_csv(found).splitlines()) == len(found.rows) + 1
    assert "| escalated | 25.0 % (n = 20) | 50.0 % (n = 30) |" in comparison_markdown(found)
    assert [one["name"] for one in comparison_json(found)["rows"]] == [r.name for r in found.rows]
