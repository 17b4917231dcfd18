"""Cells of exports as values: text, moments in UTC, status, satisfaction, durations, yes and no.

A cell that says nothing ("", "N/A", "-", "0000-00-00") is None. A cell that says something that
cannot be read raises ValueError; the caller knows where it stands.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo

from kbagent.model.case import CaseStatus, Verdict

_NOTHING = frozenset(
    {"", "-", "--", "—", "n/a", "na", "null", "none", "nil", "nan", "(empty)", "not set", "unset"}
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SURROGATES = re.compile("[\ud800-\udfff]")

STATUS_WORDS: dict[str, CaseStatus] = {
    **dict.fromkeys(
        ("open", "new", "pending", "in progress", "on hold", "hold", "waiting", "assigned",
         "active",
         "to do", "todo", "backlog", "in review", "awaiting", "work in progress", "draft",
         "snoozed",          "waiting for customer", "waiting for support",
         "waiting on customer", "escalated",
         "waiting on third party", "selected for development", "unresolved", "unsolved", "false",
         "investigating", "triage", "confirmed", "accepted", "submitted", "pending change"),
        CaseStatus.OPEN,
    ),
    **dict.fromkeys(
        ("resolved", "closed", "solved", "done", "fixed", "complete", "completed", "answered",
         "true", "verified", "closed complete", "resolution provided"),
        CaseStatus.RESOLVED,
    ),
    **dict.fromkeys(("reopened", "re-opened", "re opened"), CaseStatus.REOPENED),
    **dict.fromkeys(
        ("unknown", "cancelled", "canceled", "rejected", "won't fix", "won't do", "wontfix",
         "invalid", "duplicate", "spam", "deleted", "abandoned", "not planned", "not_planned",
         "closed incomplete", "closed skipped", "cannot reproduce", "incomplete", "not a bug",
         "declined", "withdrawn", "obsolete"),
        CaseStatus.UNKNOWN,
    ),
}  # fmt: skip

VERDICT_WORDS: dict[str, Verdict] = {
    **dict.fromkeys(("worked", "true", "yes", "solved", "fixed", "success", "successful",
                     "resolved", "accepted", "good", "ok"), Verdict.WORKED),
    **dict.fromkeys(("partly", "partial", "partially", "workaround"), Verdict.PARTLY),
    **dict.fromkeys(("failed", "no", "failure", "unsuccessful", "did not work"), Verdict.FAILED),
    **dict.fromkeys(("unknown", "false"), Verdict.UNKNOWN),
}  # fmt: skip

CSAT_WORDS: dict[str, float] = {
    "good": 1.0, "bad": 0.0, "satisfied": 1.0, "dissatisfied": 0.0, "unsatisfied": 0.0,
    "great": 1.0, "happy": 1.0, "unhappy": 0.0, "neutral": 0.5, "okay": 0.5, "ok": 0.5,
    "very satisfied": 1.0, "very dissatisfied": 0.0, "extremely happy": 1.0, "very happy": 1.0,
    "extremely unhappy": 0.0, "very unhappy": 0.0, "awesome": 1.0, "just okay": 0.5,
    "not good": 0.0, "thumbs up": 1.0, "thumbs down": 0.0, "amazing": 1.0, "terrible": 0.0,
}  # fmt: skip
CSAT_SILENT = frozenset({"offered", "unoffered", "not offered", "not rated", "skipped"})

_YES = frozenset({"true", "yes", "y", "1", "escalated", "x", "on"})
_NO = frozenset({"false", "no", "n", "0", "not escalated", "off"})


def clean(text: str) -> str:
    """Text that every database and terminal can hold: no NUL, no half of a surrogate pair."""
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text.replace("\0", ""))


def as_text(value: object) -> str:
    """A cell as text: `true`, `7`, `a, b` for a list; objects and None give nothing."""
    if isinstance(value, str):
        return clean(value).strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        return ", ".join(filter(None, (as_text(each) for each in value)))
    return ""


def is_nothing(text: str) -> bool:
    """Whether a cell only says that there is no value."""
    return text.lower() in _NOTHING


def status(text: str, words: Mapping[str, CaseStatus]) -> CaseStatus | None:
    """The status that a word means; None for a word nobody knows."""
    folded = text.strip().lower().replace("’", "'")
    return words.get(folded, STATUS_WORDS.get(folded))


def verdict(text: str, words: Mapping[str, Verdict]) -> Verdict | None:
    """The verdict that a word means; None for a word nobody knows."""
    folded = text.strip().lower()
    return words.get(folded, VERDICT_WORDS.get(folded))


def truth(value: object) -> bool | None:
    """Yes, no, or None when the cell says neither."""
    if isinstance(value, list | dict):
        return bool(value)
    folded = as_text(value).lower()
    return True if folded in _YES else False if folded in _NO else None


def csat(text: str, words: Mapping[str, float], scale: tuple[float, float] | None) -> float | None:
    """Satisfaction in [0, 1] from a word, a percentage, or a number on `scale`.

    >>> csat("4", {}, (1, 5)), csat("Good", {}, None), csat("80 %", {}, None)
    (0.75, 1.0, 0.8)

    Raises: ValueError for a number outside the scale or an unknown word.
    """
    folded = text.strip().lower()
    if is_nothing(folded) or folded in CSAT_SILENT:
        return None
    if folded in words or folded in CSAT_WORDS:
        return words.get(folded, CSAT_WORDS.get(folded))
    if folded.endswith("%"):
        low, high, number = 0.0, 100.0, _number(folded[:-1])
    else:
        low, high = scale or (0.0, 1.0)
        number = _number(folded)
    if not low <= number <= high:
        raise ValueError(f"'{text}' lies outside {low:g} to {high:g}")
    return (number - low) / (high - low)


_CLOCK = re.compile(r"(\d+):([0-5]?\d)(?::([0-5]?\d))?\Z")


def minutes(text: str, unit_minutes: float) -> float | None:
    """A duration in minutes, from a number in a unit of `unit_minutes` or from `h:mm[:ss]`.

    >>> minutes("90", 1 / 60), minutes("1:30:00", 1)
    (1.5, 90.0)

    Raises: ValueError when it is neither, or negative.
    """
    if is_nothing(text):
        return None
    clock = _CLOCK.match(text)
    if clock:
        hours, mins, seconds = (int(part or 0) for part in clock.groups())
        return hours * 60.0 + mins + seconds / 60.0
    number = _number(text.replace(",", "")) * unit_minutes
    if number < 0:
        raise ValueError(f"'{text}' is a negative duration")
    return number


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"'{text}' is not a number")
    return number


_CLOCK_TIME = r"(\d{1,2}):(\d\d)(?::(\d\d))?(?:\.\d+)?(?: ?([AaPp])\.?[Mm]\.?)?"
_NAMED = re.compile(
    rf"(\d{{1,2}})[/ -]([A-Za-z]{{3}})[/ -](\d{{4}}|\d{{2}})(?:,? {_CLOCK_TIME})?\Z"
)
_SLASHED = re.compile(
    rf"(\d{{1,2}})[/.\-](\d{{1,2}})[/.\-](\d{{4}}|\d{{2}}),?(?:[ T]{_CLOCK_TIME})?\Z"
)
_EPOCH_TEXT = re.compile(r"-?\d{9,10}(?:\.\d+)?\Z|-?\d{12,13}\Z")
_HAS_YEAR = re.compile(r"\d{4}|\d{2}[^\d:]+\d{1,2}[^\d:]+\d{2}|'\d\d")
_ZONE_NAME = re.compile(r" (?:UTC|GMT|Z)\Z")
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def moment(value: object, *, day_first: bool, zone: tzinfo = UTC) -> datetime | None:
    """A point in time in UTC; None for a cell that says nothing.

    Reads ISO 8601, epoch seconds and milliseconds, `30/Jun/25 9:54 AM`, `06/30/2025 14:00`
    (`day_first` decides what 03/04 means where both are possible), and what dateutil reads
    without guessing day, month or year. Without an offset it is local to `zone`.

    Raises: ValueError when it cannot be read or lies before 1970 or after 2199.
    """
    text = as_text(value)
    if is_nothing(text) or text.startswith("0000-00-00") or text == "0":
        return None
    if len(text) > 64:
        raise ValueError(f"'{text[:64]}…' is not a date")
    try:
        found = _moment(text, day_first=day_first)
        found = found.replace(tzinfo=zone) if found.tzinfo is None else found
        found = found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"'{text}' is not a date that can be read") from error
    if not _EARLIEST <= found < _LATEST:
        raise ValueError(f"'{text}' lies outside the years 1970 to 2199")
    return found


def _moment(text: str, *, day_first: bool) -> datetime:
    if _EPOCH_TEXT.match(text):
        number = float(text)
        return _EPOCH + timedelta(seconds=number / 1000 if abs(number) >= 1e11 else number)
    if text[:4].isdigit() and len(text) >= 10:
        try:
            return datetime.fromisoformat(_ZONE_NAME.sub("+00:00", text))
        except ValueError:
            pass
    named = _NAMED.match(text)
    if named:
        day, month, year, *clock = named.groups()
        return _composed(int(year), _MONTHS.get(month.lower(), 0), int(day), clock)
    slashed = _SLASHED.match(text)
    if slashed:
        first, second, year, *clock = slashed.groups()
        one, two = int(first), int(second)
        swap = one <= 12 and (two > 12 or not (day_first or "." in text[:3]))
        return _composed(int(year), one if swap else two, two if swap else one, clock)
    return _by_dateutil(text, day_first=day_first)


def _composed(year: int, month: int, day: int, clock: list[str | None]) -> datetime:
    hour, minute, second = (int(part or 0) for part in clock[:3])
    if clock[3]:
        if not 1 <= hour <= 12:
            raise ValueError("no hour of a twelve-hour clock")
        hour = hour % 12 + (12 if clock[3] in "pP" else 0)
    return datetime(year + 2000 if year < 100 else year, month, day, hour, minute, second)  # noqa: DTZ001 (zone is added by the caller)


def _by_dateutil(text: str, *, day_first: bool) -> datetime:
    """Read twice with different defaults: what differs was not in the text."""
    if not _HAS_YEAR.search(text):
        raise ValueError("no year")
    from dateutil import parser

    one, other = (
        parser.parse(text, dayfirst=day_first, default=default)
        for default in (datetime(1904, 2, 3), datetime(2012, 8, 14))  # noqa: DTZ001 (defaults only)
    )
    if one.date() != other.date():
        raise ValueError("no complete date")
    if one.tzinfo is None and re.search(r" [A-Z]{3,5}\Z", text) and not text.endswith(("AM", "PM")):
        raise ValueError("a time zone that has no fixed meaning")
    found: datetime = one
    return found
