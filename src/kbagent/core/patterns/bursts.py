"""Words that are suddenly everywhere: rises of terms, told once per event.

One event makes many words rise ("115", "version 115", "supernova"). A rise whose new cases mostly
belong to an event told a short while ago, or have one of its words, joins it instead of being told
again. Words of the calendar are left out, for they rise every year. Does not know what an issue is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.casetable import Codes
from kbagent.core.patterns.rises import Rise, Watch, bar_for, rises

Ints = NDArray[np.int64]

CALENDAR = re.compile(
    r"(\d{1,2}|20\d\d|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|january|february|march|april|may"
    r"|june|july|august|september|october|november|december|today|yesterday|christmas|easter)"
)
STRICTER = 2.5
"""Added to `bar_for`, which accepts about one false alarm in two weeks whatever the number of
series: words are many and each looks like news, so that one false event in twelve such looks is
accepted instead (e^−2.5)."""
LEAST_RATIO = 3.0
"""Times its expectation that a word must have risen to be told."""
JOINS_WITHIN = 28
"""Days after an event's last rise during which further words may join it."""
SHARED = 0.5
"""Share of a word's new cases that must belong to an event for the word to join it."""
NAMING = 3
"""Words of an event, the first told, that stand for it; later ones are more and more general."""


@dataclass(frozen=True, slots=True)
class Burst:
    """One event: its words in the order told, the first word's rise, and the cases of all words.

    `latest` is the day of the alarm of the last word that joined; `cases` are case numbers,
    ascending, from `began` of each word to its alarm.
    """

    words: tuple[str, ...]
    rise: Rise
    latest: int
    cases: Codes

    @property
    def told(self) -> int:
        """The day of the first alarm."""
        return self.rise.told

    @property
    def began(self) -> int:
        """The day its first word began to rise."""
        return self.rise.began


def daily(rows: Codes, days: Ints, count: int) -> Ints:
    """Cases per day of the cases `rows`; `days` is the day of every case.

    >>> daily(np.array([0, 2, 3]), np.array([0, 0, 1, 1]), 3).tolist()
    [1, 2, 0]
    """
    return np.bincount(days[rows], minlength=count)


def bursts(
    rows: Mapping[str, Codes],
    days: Ints,
    weekdays: Ints,
    *,
    least_ratio: float = LEAST_RATIO,
    considered: int = 0,
    watch: Watch | None = None,
) -> list[Burst]:
    """The events behind the rising words, in the order told.

    `rows` holds the cases of each word (ascending), `days` the day of each case, `weekdays` the
    weekday of each day. `considered` is of how many words these were chosen, if of more; the bar
    grows with it (`bar_for`, `STRICTER`) unless a watch is given. Rises below `least_ratio` times
    the expectation are not told.
    """
    words = [w for w in sorted(rows) if not _is_calendar(w)]
    if not words:
        return []
    counts = np.stack([daily(rows[w], days, weekdays.size) for w in words])
    how = watch or replace(Watch(), bar=bar_for(max(considered, len(words))) + STRICTER)
    found: list[Burst] = []
    for rise in rises(counts, weekdays, how):
        if rise.shrunk_ratio >= least_ratio:
            word = words[rise.series]
            _tell(found, rise, word, _cases(rows[word], days, rise), rows)
    return found


def _is_calendar(word: str) -> bool:
    return all(CALENDAR.fullmatch(part) for part in word.split(" "))


def _share(cases: Codes, event: Burst, rows: Mapping[str, Codes]) -> float:
    """Share of the cases that are the event's, or have its first words (they go on coming)."""
    own = [event.cases, *(rows[word] for word in event.words[:NAMING])]
    return float(np.isin(cases, np.concatenate(own)).mean())


def _cases(rows: Codes, days: Ints, rise: Rise) -> Codes:
    of = days[rows]
    return rows[(of >= rise.began) & (of <= rise.told)]


def _tell(
    found: list[Burst], rise: Rise, word: str, cases: Codes, rows: Mapping[str, Codes]
) -> None:
    """Add the word to the event that shares most of its cases, or open a new one."""
    recent = [i for i, b in enumerate(found) if rise.told - b.latest <= JOINS_WITHIN]
    shared = {i: _share(cases, found[i], rows) for i in recent}
    best = max(shared, key=lambda i: (shared[i], i), default=-1)
    if best < 0 or shared[best] < SHARED:
        found.append(Burst((word,), rise, rise.told, cases))
        return
    event = found[best]
    found[best] = replace(
        event,
        words=(*event.words, word),
        latest=rise.told,
        cases=np.union1d(event.cases, cases).astype(np.int32),
    )
