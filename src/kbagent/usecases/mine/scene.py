"""The recent past as `emerging` sees it: cases by day, what was known of them, and what they share.

Holds what the parts of `emerging` share. Does not look for anything itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from kbagent.core.learning.facets import VERSION_NAMES
from kbagent.core.patterns.casetable import Codes, Factor, features_of
from kbagent.core.patterns.messageform import release_factors
from kbagent.core.patterns.rises import Behind, Rise, attribute, behind
from kbagent.store import cases, columns, resolutions
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.moments import to_text
from kbagent.store.releases import Release
from kbagent.usecases.mine.columns import CUSTOMER, Columns, plain_version

HISTORY_DAYS = 730
"""Days before the newest case that are looked at."""
BEFORE_DAYS = 28
"""Days before a rise whose cases it is compared with."""
DATED_LATE = 2
"""Days after the beginning of a rise up to which the day of a release may lie, be it told or that
of its first case: where the cases of the rise are of that version, it was out before."""
EXAMPLES = 5
MOST_BEHIND = 3
MOST_WORKED = 2
"""Resolutions that are named of those that worked before."""

Ints = NDArray[np.int64]
Worked = tuple[tuple[int, str, int], ...]
"""(resolution id, text, cases it worked on), the most frequent first."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The cases and the day of each, counted from `first`; cases before that have days below 0.

    `until` is the moment whose knowledge counts, None for all there is.
    """

    kb: KnowledgeBase
    found: Columns
    first: datetime
    days: Ints
    weekdays: Ints
    factors: tuple[Factor, ...]
    releases: Sequence[Release]
    until: datetime | None

    @property
    def now(self) -> int:
        """The last day."""
        return int(self.weekdays.size) - 1

    @property
    def release_days(self) -> list[int]:
        """The day of each release."""
        return [(one.at - self.first).days for one in self.releases]

    def date(self, day: int) -> datetime:
        """The beginning of a day."""
        return self.first + timedelta(days=day)

    def place_of_day(self, day: int) -> int:
        """The place of the first case of that day or later."""
        return int(np.searchsorted(self.days, day))

    def during(self, rows: Codes, rise: Rise) -> Codes:
        """Those of these cases that came from its beginning until it was calm again, or now."""
        days = self.days[rows]
        return rows[(days >= rise.began) & (days < (rise.ended or self.now + 1))]

    def names(self, rows: Codes) -> tuple[str, ...]:
        """What these cases are called."""
        ids = self.found.case_ids[rows].tolist()
        refs = cases.by_ids(self.kb.connection, ids)
        return tuple(refs[one].ref for one in ids)

    def behind(self, inside: Codes, began: int, ended: int | None = None) -> tuple[Behind, ...]:
        """What sets these cases apart from the others, since some weeks before they began and
        until they were calm again, or now."""
        return tuple(self._apart(inside, began, ended, self.factors, MOST_BEHIND))

    def _apart(
        self, inside: Codes, began: int, ended: int | None, factors: Sequence[Factor], most: int
    ) -> list[Behind]:
        meanwhile = (self.days >= began - BEFORE_DAYS) & (self.days < (ended or self.now + 1))
        meanwhile[inside] = True
        near = np.flatnonzero(meanwhile)
        own = np.searchsorted(near, inside).astype(np.int32)
        others = np.setdiff1d(np.arange(near.size), own).astype(np.int32)
        nearby = [one.restricted(meanwhile) for one in factors]
        return behind(own, others, features_of(nearby), most)

    def release_behind(
        self, counts: Ints, began: int, told: int, inside: Codes, ended: int | None = None
    ) -> tuple[str, int]:
        """The version after whose release these cases began to rise, and the days from it; or "".

        Of several releases that of the version which sets the cases apart, if one does. The days
        are below 0 where the release was told to have come after its first cases.
        """
        named = [
            i
            for one in self._apart(inside, began, ended, self._versions, len(self.releases))
            for i, release in enumerate(self.releases)
            if plain_version(one.feature.partition("=")[2]) == plain_version(release.version)
        ]
        days = self.release_days
        for i in named:  # out before its first case, whatever day is known of it
            if began < days[i] <= began + DATED_LATE:
                days[i] = began
        found = attribute(counts, began, told, days, named=named)
        if found is None:
            return "", 0
        release = self.releases[found.release]
        late = max(0, self.release_days[found.release] - began) if release.told else 0
        return release.version, found.days_after - late

    @property
    def _versions(self) -> list[Factor]:
        return [one for one in self.factors if one.name.casefold() in VERSION_NAMES]

    def worked(self, rows: Codes) -> Worked:
        """What had worked on these cases."""
        own = set(self.found.case_ids[rows].tolist())
        counted: dict[int, set[int]] = {}
        for case_id, approach, _, _ in columns.worked(self.kb.connection, to_text(self.until)):
            if case_id in own:
                counted.setdefault(approach, set()).add(case_id)
        best = sorted(counted, key=lambda one: (-len(counted[one]), one))[:MOST_WORKED]
        texts = resolutions.by_ids(self.kb.connection, best)
        return tuple((one, texts[one].text, len(counted[one])) for one in best)


def scene_of(
    kb: KnowledgeBase,
    whole: Columns,
    factors: Sequence[Factor],
    released: Sequence[Release],
    until: datetime | None,
) -> Scene:
    """The scene of at least one case; its last day is that of the newest one, or before `until`."""
    last = whole.at(-1) if until is None else until - timedelta(seconds=1)
    newest = last.astimezone(UTC).date()
    oldest = max(whole.at(0).date(), newest - timedelta(days=HISTORY_DAYS - 1))
    first = datetime(oldest.year, oldest.month, oldest.day, tzinfo=UTC)
    days = (whole.seconds - int(first.timestamp())) // 86_400
    count = (newest - oldest).days + 1
    since = release_factors(whole.seconds, [(one.version, one.at) for one in released])
    useful = [one for one in factors if not CUSTOMER.search(one.name)]
    fresh = [one for one in since if one.name == "since release"]
    weekdays = (np.arange(count) + first.weekday()) % 7
    return Scene(kb, whole, first, days, weekdays, (*useful, *fresh), released, until)
