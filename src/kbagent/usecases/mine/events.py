"""Words that are suddenly everywhere in the messages, told once per event.

A new version that people name is an event too; it is told apart from the others, since everybody
names it and hardly anybody means it.
"""

import re
from array import array
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from kbagent.core.patterns.bursts import Burst, bursts
from kbagent.core.patterns.casetable import Codes
from kbagent.core.patterns.rises import Rise
from kbagent.core.patterns.terms import terms_of, words
from kbagent.usecases.mine.scene import BEFORE_DAYS, Ints, Scene
from kbagent.usecases.mine.texts import texts_of

WORD_DAYS = 240
"""Days whose messages are read: a level is learned from 94 days, and forgets with a half-life of
69; what began before is no news."""
FEWEST_OF_WORD = 5
MOST_WORDS = 2_000
COVERED = 0.5
"""Share of an event's cases in issues that are told already, from which it is not told again."""
_VERSION = re.compile(r"v?\d+(\.\d+)+\w*")


@dataclass(frozen=True, slots=True)
class Event:
    """An event: its burst, the rise of its first word (days of the scene), and its cases' places.

    `counts` are the first word's cases per day from day 0 on. `cases` are those of all its words
    up to each one's alarm, `named` those with its first word during the whole rise.
    """

    words: tuple[str, ...]
    rise: Rise
    counts: Ints
    cases: Codes
    named: Codes

    @property
    def is_version(self) -> bool:
        """Whether its words name a version, and nothing else is told by it."""
        return bool(_VERSION.search(self.words[0]))


def events(scene: Scene, within: int, told: Collection[int]) -> Iterator[Event]:
    """The events told in the last `within` days whose cases are not those of the issues `told`."""
    begin = max(0, scene.now + 1 - WORD_DAYS)
    offset = scene.place_of_day(begin)
    rows, considered = _words(scene, offset)
    days, weekdays = scene.days[offset:] - begin, scene.weekdays[begin:]
    for one in bursts(rows, days, weekdays, considered=considered):
        if one.told <= weekdays.size - 1 - within:
            continue
        found = _event(one, rows, days, scene, (begin, offset))
        if not told or np.isin(scene.found.issue[found.cases], list(told)).mean() <= COVERED:
            yield found


def _event(
    one: Burst, rows: Mapping[str, Codes], days: Ints, scene: Scene, moved: tuple[int, int]
) -> Event:
    begin, offset = moved
    own = rows[one.words[0]]
    counts = np.zeros(scene.now + 1, dtype=np.int64)
    counts[begin:] = np.bincount(days[own], minlength=scene.now + 1 - begin)
    ended = None if one.rise.ended is None else one.rise.ended + begin
    rise = replace(one.rise, told=one.told + begin, began=one.began + begin, ended=ended)
    named = scene.during((own + offset).astype(np.int32), rise)
    return Event(one.words, rise, counts, (one.cases + offset).astype(np.int32), named)


def _words(scene: Scene, offset: int) -> tuple[dict[str, Codes], int]:
    """The cases, from `offset` on, of each word or phrase frequent enough lately to rise.

    Also of how many they were chosen: choosing those that were frequent lately is looking already.
    """
    connection, found = scene.kb.connection, scene.found
    recent = scene.place_of_day(scene.now + 1 - 2 * BEFORE_DAYS)
    lately: dict[str, int] = {}
    for text in texts_of(connection, found, max(recent, offset)):
        for term in terms_of(words(text)):
            lately[term] = lately.get(term, 0) + 1
    often = sorted((t for t, n in lately.items() if n >= FEWEST_OF_WORD), key=lambda t: -lately[t])
    where = {term: array("i") for term in sorted(often[:MOST_WORDS])}
    for i, text in enumerate(texts_of(connection, found, offset)):
        for term in terms_of(words(text)):
            if term in where:
                where[term].append(i)
    rows = {term: np.frombuffer(own, dtype=np.int32) for term, own in where.items() if own}
    return rows, len(lately)
