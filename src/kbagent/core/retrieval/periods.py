"""Dates as people type them: a year, a month, a day or a moment, each a span of time in UTC.

Only the ISO order (year first) is read, because 03/04/2024 means two different days.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_PARTIAL = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", flags=re.ASCII)
_LAST_YEAR = 9998  # the end of 9999 is no datetime


@dataclass(frozen=True, slots=True)
class Period:
    """A span of time: `start` belongs to it, `end` does not."""

    start: datetime
    end: datetime


@lru_cache(maxsize=65536)
def parse_period(text: str) -> Period | None:
    """The span that a date names, in UTC; None when the text is no ISO date.

    >>> february = parse_period("2024-02")
    >>> february.start.isoformat(), february.end.isoformat()
    ('2024-02-01T00:00:00+00:00', '2024-03-01T00:00:00+00:00')
    >>> parse_period("115.3") is None
    True
    """
    plain = text.strip()
    partial = _PARTIAL.fullmatch(plain)
    try:
        return _of_parts(partial) if partial else _of_moment(plain)
    except (ValueError, OverflowError):
        return None


def _of_parts(partial: re.Match[str]) -> Period | None:
    year, month, day = (int(part) if part else None for part in partial.groups())
    if year is None or not 1 <= year <= _LAST_YEAR:
        return None
    start = datetime(year, month or 1, day or 1, tzinfo=UTC)
    if day is not None:
        return Period(start, start + timedelta(days=1))
    if month is not None:
        return Period(start, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC))
    return Period(start, datetime(year + 1, 1, 1, tzinfo=UTC))


def _of_moment(text: str) -> Period | None:
    if not re.match(r"\d{4}-\d{2}-\d{2}[T ]", text, flags=re.ASCII):
        return None
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return Period(moment, moment + timedelta(seconds=1))
