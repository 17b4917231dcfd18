"""The form of a first message, the hour it came and the time since a release, as antecedents.

Form is what the message is like rather than what it is about: how long, whether it asks, how it
sounds, what it says it carries. Word lists are English, with a few words of other languages that
support desks meet; a text in another language simply shows fewer markers. Does not score
sentiment: every marker is a word one can point to.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, tzinfo

import numpy as np

from kbagent.core.patterns.casetable import UNRECORDED, Factor, Features, Kind, features_from

MARKERS: dict[str, re.Pattern[str]] = {
    "asks a question": re.compile(r"\?"),
    "exclaims": re.compile(r"!"),
    "sounds urgent": re.compile(
        r"\b(urgent\w*|asap|immediately|right away|critical|emergency|dringend|sofort)\b", re.I
    ),
    "sounds frustrated": re.compile(
        r"\b(frustrat\w+|annoy\w+|unacceptable|ridiculous|useless|terrible|awful|fed up|angry"
        r"|disappoint\w+|waste of time|sick of)\b",
        re.I,
    ),
    "says it happened before": re.compile(
        r"\b(again|once more|second time|third time|still (?:not|no|does|is|have)|yet again"
        r"|keeps? \w+ing|same (?:problem|issue|error))\b",
        re.I,
    ),
    "is polite": re.compile(
        r"\b(please|thanks?|thank you|kindly|appreciate\w*|bitte|danke|merci)\b", re.I
    ),
    "mentions an attachment": re.compile(
        r"\b(attach(?:ed|ment|ing)s?|screen ?shots?|see (?:the )?(?:image|picture|log|file)"
        r"|enclosed|log files?)\b",
        re.I,
    ),
    "tried things already": re.compile(
        r"\b(i(?:'ve| have)? (?:already )?tried|tried (?:to|everything)|restart(?:ed|ing)"
        r"|reinstall(?:ed|ing)|rebooted|cleared)\b",
        re.I,
    ),
    "quotes an error": re.compile(
        r"\b(error|exception|failed with|code)\b[^.\n]{0,40}\d|0x[0-9a-f]{4,}", re.I
    ),
    "shouts": re.compile(r"\b[A-Z]{4,}\b(?:\W+\b[A-Z]{3,}\b){2,}"),
}
SHORT, LONG = 80, 800
"""Characters below and above which a message counts as short or long."""
DAY_PARTS = ("00-06", "06-12", "12-18", "18-24")
WEEKDAYS = ("1-Mon", "2-Tue", "3-Wed", "4-Thu", "5-Fri", "6-Sat", "7-Sun")
SINCE_RELEASE = ((7, "first week"), (30, "first month"))
"""Days since a release, up to which the name applies."""


def form_features(messages: Sequence[str]) -> Features:
    """One feature per marker and per extreme of length; "message" begins every name."""
    has: dict[str, list[int]] = {name: [] for name in (*MARKERS, "is short", "is long")}
    for i, text in enumerate(messages):
        for name, marker in MARKERS.items():
            if marker.search(text):
                has[name].append(i)
        if len(text) < SHORT:
            has["is short"].append(i)
        elif len(text) > LONG:
            has["is long"].append(i)
    return features_from(
        [(f"message {name}", Kind.PHRASING, np.array(r, dtype=np.int32)) for name, r in has.items()]
    )


def timing_factors(opened: Sequence[datetime | None], zone: tzinfo) -> list[Factor]:
    """Part of the day and weekday in `zone`; moments without a value are unrecorded.

    >>> from datetime import UTC
    >>> hour, day = timing_factors([datetime(2024, 1, 5, 20, tzinfo=UTC)], UTC)
    >>> hour.levels[hour.codes[0]], day.levels[day.codes[0]]
    ('18-24', '5-Fri')
    """
    local = [None if at is None else at.astimezone(zone) for at in opened]
    parts = [UNRECORDED if at is None else at.hour // 6 for at in local]
    days = [UNRECORDED if at is None else at.weekday() for at in local]
    return [
        Factor("hour", DAY_PARTS, np.array(parts, dtype=np.int32), Kind.TIMING),
        Factor("weekday", WEEKDAYS, np.array(days, dtype=np.int32), Kind.TIMING),
    ]


def release_factors(
    opened: Sequence[datetime | None], releases: Sequence[tuple[str, datetime]]
) -> list[Factor]:
    """The latest release before each case, and how fresh it was. No releases, no factors.

    `releases` are (name, moment) in any order. Cases before the first one are unrecorded.
    """
    if not releases:
        return []
    ordered = sorted(releases, key=lambda r: (r[1], r[0]))
    moments, names = [at for _, at in ordered], tuple(name for name, _ in ordered)
    freshness = (*(name for _, name in SINCE_RELEASE), "later")
    latest = [UNRECORDED if at is None else bisect_right(moments, at) - 1 for at in opened]
    fresh = [
        UNRECORDED if at is None or i < 0 else _freshness((at - moments[i]).days)
        for at, i in zip(opened, latest, strict=True)
    ]
    return [
        Factor("release", names, np.array(latest, dtype=np.int32), Kind.RELEASE),
        Factor("since release", freshness, np.array(fresh, dtype=np.int32), Kind.RELEASE),
    ]


def _freshness(days: int) -> int:
    return bisect_right([limit - 1 for limit, _ in SINCE_RELEASE], days - 1)
