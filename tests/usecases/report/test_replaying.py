"""Which cases are looked up again, and what is frozen when."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kbagent.usecases.report.replaying import month_after, spread

MOMENTS = st.integers(0, 3_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(st.integers(0, 400), st.integers(1, 60))
def test_the_sample_is_spread_evenly(size: int, most: int):
    picked = spread(range(size), most)
    assert len(picked) == min(size, most)
    assert picked == sorted(set(picked))
    gaps = {later - earlier for earlier, later in pairwise(picked)}
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_every_month_is_there_in_proportion():
    months = [month for month in range(10) for _ in range(30 * (1 + month % 2))]
    picked = Counter(months[place] for place in spread(range(len(months)), 90))
    assert set(picked) == set(range(10))
    assert all(abs(picked[month] - 6 * (1 + month % 2)) <= 1 for month in range(10))


def test_none_is_every_case():
    assert spread(range(5), 0) == [0, 1, 2, 3, 4]


@given(MOMENTS, st.integers(-30, 30))
def test_months_are_counted_in_utc(at: datetime, count: int):
    month = month_after(at, count)
    assert (month.year - at.year) * 12 + month.month - at.month == count
    assert month.day == 1
    assert (month - timedelta(microseconds=1)).month != month.month
