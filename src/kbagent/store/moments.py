"""Points in time as the database keeps them: UTC text of one fixed width, so that text order is
time order."""

from datetime import UTC, datetime


def to_text(moment: datetime | None) -> str | None:
    """A moment as `2025-06-30T09:54:00.000000Z`; None stays None.

    >>> to_text(datetime(2025, 6, 30, 9, 54, tzinfo=UTC))
    '2025-06-30T09:54:00.000000Z'
    """
    if moment is None:
        return None
    utc = moment.astimezone(UTC)
    return f"{utc.year:04d}-{utc:%m-%dT%H:%M:%S.%f}Z"


def to_moment(text: str | None) -> datetime | None:
    """The aware UTC datetime that `to_text` wrote; None stays None."""
    if text is None:
        return None
    return datetime.fromisoformat(text)


def known(text: str) -> datetime:
    """Like `to_moment` for a column that is never NULL."""
    return datetime.fromisoformat(text)
