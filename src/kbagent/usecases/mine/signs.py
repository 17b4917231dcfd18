"""The patterns that a new ticket shows, kept in `index/` as they were found on all cases.

Finding patterns takes seconds, minutes where there are very many cases; so they are kept with the
problems they were found on, to be looked for anew only when cases have moved on. Does not find
them (`patterns`), and knows nothing of what people said of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, tzinfo

import numpy as np

from kbagent.core.patterns.contingency import wilson
from kbagent.core.patterns.discovery import LevelEffect, Pattern
from kbagent.core.patterns.lifetime import State
from kbagent.core.patterns.signs import is_of_moment, shown_in
from kbagent.store.index import keepsakes
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.releases import Release, everyone
from kbagent.usecases.mine.columns import Columns
from kbagent.usecases.mine.texts import MOST_CHARACTERS

NAME = "patterns of {}"
"""With the time zone that hours are of."""
GROWTH = 1.05
"""Cases since, as a multiple, before patterns are looked for anew."""
FEW_MORE = 50
"""Cases that never make them be looked for anew by themselves."""
CHANGED = 0.01
"""Share of cases of which an issue or an outcome may be another now."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A pattern that a ticket shows: what goes with it, and how much more often (or higher).

    `strength` is the lift of a level, Cliff's delta of numbers; `z` is negative where it makes the
    consequent rarer or lower. Of the cases that showed it `count` of `cases` had the level, `low`
    is the lower end of that share (Wilson, 95 %); all None of numbers.
    """

    handle: str
    antecedent: str
    consequent: str
    level: str
    strength: float
    z: float
    count: int | None = None
    cases: int | None = None
    low: float | None = None
    said: str = ""

    @property
    def is_more(self) -> bool:
        """Whether it makes the consequent likelier, or higher."""
        return self.z > 0

    @property
    def is_of_moment(self) -> bool:
        """Whether all tickets that come now show it."""
        return is_of_moment(self.antecedent)


@dataclass(frozen=True, slots=True)
class Signs:
    """All that is known, strongest first, and the releases by which it was found."""

    every: tuple[Sign, ...] = ()
    releases: tuple[tuple[str, datetime], ...] = ()

    def of(
        self, text: str, facets: Iterable[tuple[str, str]], now: datetime, zone: tzinfo
    ) -> tuple[Sign, ...]:
        """Those that a ticket shows when it comes now; `zone` is the one of their hours."""
        known = {one.antecedent for one in self.every}
        shown = shown_in(known, text[:MOST_CHARACTERS], facets, now, zone, self.releases)
        return tuple(one for one in self.every if one.antecedent in shown)

    def with_verdicts(self, said: Mapping[str, str]) -> "Signs":
        """Without what people rejected or muted; `said` is their verdict by handle."""
        kept = (one for one in self.every if said.get(one.handle) not in ("rejected", "muted"))
        return replace(self, every=tuple(replace(o, said=said.get(o.handle, "")) for o in kept))


NO_SIGNS = Signs()


def signs_from(found: Iterable[tuple[str, Pattern]], releases: Sequence[Release]) -> Signs:
    """What these patterns (with their handles) say of a new ticket: those that hold today.

    One whose cases ended holds: a ticket that shows it is the next of them.
    """
    holding = ((handle, one) for handle, one in found if one.lifetime.state is not State.RETIRED)
    every = [_sign(handle, one) for handle, one in holding]
    every.sort(key=lambda one: (-abs(one.z), one.handle))
    return Signs(tuple(every), tuple((one.version, one.at) for one in releases))


def keep(kb: KnowledgeBase, found: Columns, signs: Signs, zone: str) -> None:
    """Keep them, where that can be written, with the cases they were found on: all there are."""
    facts = {
        "signs": [asdict(one) for one in signs.every],
        "releases": [(name, at.timestamp()) for name, at in signs.releases],
        "told": _told(kb),
    }
    with suppress(OSError):
        keepsakes.save(kb.index_folder, NAME.format(zone), _marks(found), facts)


def kept(kb: KnowledgeBase, found: Columns, zone: str) -> tuple[Signs, bool] | None:
    """What was kept last of this time zone, and whether it fits these cases, all there are."""
    there = keepsakes.load(kb.index_folder, NAME.format(zone))
    if there is None:
        return None
    arrays, facts = there
    try:
        every = tuple(Sign(**one) for one in facts["signs"])
        releases = tuple((name, datetime.fromtimestamp(at, UTC)) for name, at in facts["releases"])
        fits = _fits(arrays, found) and facts["told"] == _told(kb)
    except (KeyError, TypeError, ValueError):
        return None  # of another version
    return Signs(every, releases), fits


def _marks(found: Columns) -> keepsakes.Arrays:
    """What patterns depend on and may change of a case: its issue, and how it went."""
    return {
        "cases": found.case_ids,
        "issues": found.issue,
        "escalated": found.escalated,
        "reopened": found.reopened,
        "satisfaction": found.csat,
    }


def _told(kb: KnowledgeBase) -> list[list[object]]:
    """The releases that people told of, as JSON gives them back."""
    return [[one.version, one.at.timestamp()] for one in everyone(kb.connection)]


def _fits(kept_marks: keepsakes.Arrays, found: Columns) -> bool:
    case_ids = kept_marks["cases"]
    places = found.places(case_ids)
    there = places >= 0
    same = there.copy()
    for name, now in _marks(found).items():
        before = kept_marks[name][there]
        same[there] &= np.isclose(before, now[places[there]], equal_nan=True)
    newer = found.size - int(there.sum())
    grown = newer > max(FEW_MORE, (GROWTH - 1) * case_ids.size)
    return not grown and int(same.sum()) >= (1 - CHANGED) * case_ids.size


def _sign(handle: str, one: Pattern) -> Sign:
    made = Sign(handle, one.antecedent, one.consequent, one.level, 0.0, one.z)
    if not isinstance(one.effect, LevelEffect):
        return replace(made, strength=one.effect.cliffs_delta)
    counts = one.effect.counts
    return replace(
        made,
        strength=one.effect.lift,
        count=counts.both,
        cases=counts.exposed,
        low=wilson(counts.both, counts.exposed)[0],
    )
