"""The form of a first message, the hour it came and the time since a release, as antecedents.

Form is what the message is like rather than what it is about: how long, whether it asks, how it
sounds, what it says it carries. Word lists are English, with a few words of other languages that
support desks meet; a text in another language simply shows fewer markers. Does not score
sentiment: every marker is a word one can point to.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.casetable import UNRECORDED, Factor, Features, Kind, features_from

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Marker:
    """What one can point to in a message: a pattern, and the words of which one must occur.

    Looking for the words first takes a tenth of the time; without words the pattern alone decides.
    """

    pattern: re.Pattern[str]
    words: tuple[str, ...] = ()

    @classmethod
    def of(cls, pattern: str, words: str) -> "Marker":
        """The pattern is read without regard to case; the words are separated by commas."""
        return cls(re.compile(pattern, re.I), tuple(words.split(",")))

    def is_in(self, text: str, lowered: str) -> bool:
        """Whether the text has it; `lowered` is the text in lower case."""
        if self.words and not any(word in lowered for word in self.words):
            return False
        return self.pattern.search(text) is not None


MARKERS: dict[str, Marker] = {
    "asks a question": Marker(re.compile(r"\?"), ("?",)),
    "exclaims": Marker(re.compile(r"!"), ("!",)),
    "sounds urgent": Marker.of(
        r"\b(urgent\w*|asap|immediately|right away|critical|emergency|dringend|sofort)\b",
        "urgent,asap,immediately,right away,critical,emergency,dringend,sofort",
    ),
    "sounds frustrated": Marker.of(
        r"\b(frustrat\w+|annoy\w+|unacceptable|ridiculous|useless|terrible|awful|fed up|angry"
        r"|disappoint\w+|waste of time|sick of)\b",
        "frustrat,annoy,unacceptable,ridiculous,useless,terrible,awful,fed up,angry,disappoint"
        ",waste of time,sick of",
    ),
    "says it happened before": Marker.of(
        r"\b(again|once more|second time|third time|still (?:not|no|does|is|have)|yet again"
        r"|keeps? \w+ing|same (?:problem|issue|error))\b",
        "again,once more,second time,third time,still ,keep,same ",
    ),
    "is polite": Marker.of(
        r"\b(please|thanks?|thank you|kindly|appreciate\w*|bitte|danke|merci)\b",
        "please,thank,kindly,appreciate,bitte,danke,merci",
    ),
    "mentions an attachment": Marker.of(
        r"\b(attach(?:ed|ment|ing)s?|screen ?shots?|see (?:the )?(?:image|picture|log|file)"
        r"|enclosed|log files?)\b",
        "attach,screen,see ,enclosed,log file",
    ),
    "tried things already": Marker.of(
        r"\b(i(?:'ve| have)? (?:already )?tried|tried (?:to|everything)|restart(?:ed|ing)"
        r"|reinstall(?:ed|ing)|rebooted|cleared)\b",
        "tried,restart,reinstall,rebooted,cleared",
    ),
    "quotes an error": Marker.of(
        r"\b(error|exception|failed with|code)\b[^.\n]{0,40}\d|0x[0-9a-f]{4,}",
        "error,exception,failed with,code,0x",
    ),
    "shouts": Marker(re.compile(r"\b[A-Z]{4,}\b(?:\W+\b[A-Z]{3,}\b){2,}")),
}
SHORT, LONG = 80, 800
"""Characters below and above which a message counts as short or long."""
DAY_PARTS = ("00-06", "06-12", "12-18", "18-24")
WEEKDAYS = ("1-Mon", "2-Tue", "3-Wed", "4-Thu", "5-Fri", "6-Sat", "7-Sun")
SINCE_RELEASE = ((7, "first week"), (30, "first month"))
"""Days since a release, up to which the name applies."""
QUARTER, HOUR, DAY = 900, 3600, 86_400
"""Seconds; no time zone changes within a quarter of an hour."""
EPOCH_WEEKDAY = 3
"""1 January 1970 was a Thursday."""


def form_features(messages: Iterable[str]) -> Features:
    """One feature per marker and per extreme of length; "message" begins every name."""
    has: dict[str, list[int]] = {name: [] for name in (*MARKERS, "is short", "is long")}
    for i, text in enumerate(messages):
        lowered = text.lower()
        for name, marker in MARKERS.items():
            if marker.is_in(text, lowered):
                has[name].append(i)
        if len(text) < SHORT:
            has["is short"].append(i)
        elif len(text) > LONG:
            has["is long"].append(i)
    return features_from(
        [(f"message {name}", Kind.PHRASING, np.array(r, dtype=np.int32)) for name, r in has.items()]
    )


def timing_factors(seconds: Ints, zone: tzinfo) -> list[Factor]:
    """Part of the day and weekday in `zone` of moments given in seconds since 1970.

    >>> from datetime import UTC
    >>> opened = np.array([int(datetime(2024, 1, 5, 20, tzinfo=UTC).timestamp())])
    >>> hour, day = timing_factors(opened, UTC)
    >>> hour.levels[hour.codes[0]], day.levels[day.codes[0]]
    ('18-24', '5-Fri')
    """
    quarters, place = np.unique(seconds // QUARTER, return_inverse=True)
    offsets = [_offset(int(one) * QUARTER, zone) for one in quarters]
    local = seconds + np.array(offsets, dtype=np.int64)[place]
    parts = (local // HOUR % 24 // 6).astype(np.int32)
    days = ((local // DAY + EPOCH_WEEKDAY) % 7).astype(np.int32)
    return [
        Factor("hour", DAY_PARTS, parts, Kind.TIMING),
        Factor("weekday", WEEKDAYS, days, Kind.TIMING),
    ]


def _offset(seconds: int, zone: tzinfo) -> int:
    """Seconds that the zone is ahead of UTC then."""
    offset = datetime.fromtimestamp(seconds, UTC).astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def release_factors(seconds: Ints, releases: Sequence[tuple[str, datetime]]) -> list[Factor]:
    """The latest release before each case, and how fresh it was. No releases, no factors.

    `releases` are (name, moment) in any order. Cases before the first one are unrecorded.
    """
    if not releases:
        return []
    ordered = sorted(releases, key=lambda r: (r[1], r[0]))
    moments = np.array([int(at.timestamp()) for _, at in ordered], dtype=np.int64)
    latest = np.searchsorted(moments, seconds, side="right") - 1
    days = (seconds - moments[latest]) // DAY
    limits = [limit for limit, _ in SINCE_RELEASE]
    fresh = np.where(latest < 0, UNRECORDED, np.searchsorted(limits, days, side="right"))
    freshness = (*(name for _, name in SINCE_RELEASE), "later")
    names = tuple(name for name, _ in ordered)
    return [
        Factor("release", names, latest.astype(np.int32), Kind.RELEASE),
        Factor("since release", freshness, fresh.astype(np.int32), Kind.RELEASE),
    ]
