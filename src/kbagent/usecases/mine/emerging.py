"""`kbagent emerging`: which issues and words are rising now, what is behind it, what worked before.

"Now" is the day of the newest case, so that a knowledge base that was imported once still has a
present. Does not decide what an issue is and predicts nothing.
"""

import sqlite3
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.bursts import bursts
from kbagent.core.patterns.casetable import Codes, Factor, Features, features_of
from kbagent.core.patterns.messageform import release_factors
from kbagent.core.patterns.rises import (
    Behind,
    Doubling,
    Rise,
    Watch,
    attribute,
    bar_for,
    behind,
    doubling,
    rises,
)
from kbagent.core.patterns.terms import terms_of, words
from kbagent.errors import BadValue
from kbagent.store import cases, columns, releases, resolutions
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.releases import Release
from kbagent.usecases.mine.columns import (
    CUSTOMER,
    Columns,
    cohort_factors,
    known_releases,
    load_columns,
)
from kbagent.usecases.mine.patterns import texts_of
from kbagent.usecases.retrieve.details import issue_titles

HISTORY_DAYS = 730
"""Days before the newest case that are looked at."""
RECENT_DAYS = 14
"""A rise that began to be told within so many days, or lasts, counts as now."""
FEWEST_DAYS = 35
"""Days of history below which nothing can be called a rise: four weeks are its warm-up."""
FEWEST_OF_ISSUE = 3
FEWEST_OF_WORD = 5
MOST_SERIES = 5_000
MOST_WORDS = 2_000
BEFORE_DAYS = 28
"""Days before a rise whose cases it is compared with."""
EXAMPLES = 5

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rising:
    """One rise in words and numbers.

    `name` is an issue with its title, or the words of an event. `observed` cases since `began`,
    where `expected` were to be expected. `first` is the first case ever of the issue. `worked`
    is what worked on its cases, (resolution id, text, cases), the most frequent first.
    """

    kind: str
    name: str
    issue_id: int | None
    told: datetime
    began: datetime
    ended: datetime | None
    observed: int
    expected: float
    first: datetime
    doubling: Doubling | None
    release: str
    days_after: int
    behind: tuple[Behind, ...]
    cases: tuple[str, ...]
    worked: tuple[tuple[int, str, int], ...]
    is_new: bool


@dataclass(frozen=True, slots=True)
class Emerging:
    """What is rising, latest first; `days` of history until `now`, the day of the newest case."""

    cases: int
    days: int
    now: datetime | None
    rising: tuple[Rising, ...]
    releases: tuple[Release, ...]
    releases_told: bool


@dataclass(frozen=True, slots=True)
class _Scene:
    """The cases within the history, and the day of each; all arrays count these cases."""

    found: Columns
    first: datetime
    days: Ints
    weekdays: Ints
    features: Features
    releases: Sequence[Release]

    def date(self, day: int) -> datetime:
        return self.first + timedelta(days=day)

    @property
    def release_days(self) -> list[int]:
        return [(one.at - self.first).days for one in self.releases]


def emerging(
    kb: KnowledgeBase,
    *,
    within: int = RECENT_DAYS,
    as_of: datetime | None = None,
    of_words: bool = True,
) -> Emerging:
    """The rises told in the last `within` days before now (or before `as_of`), and lasting ones.

    Without `of_words` only issues are looked at, which reads no text.
    """
    connection = kb.connection
    whole = load_columns(connection, _until(connection, as_of))
    factors = cohort_factors(connection, whole)
    released, told = known_releases(connection, whole, factors)
    if not whole.size:
        return Emerging(0, 0, None, (), tuple(released), told)
    scene = _scene(whole, factors, released, as_of)
    now = scene.date(scene.weekdays.size - 1)
    found: list[Rising] = []
    if scene.weekdays.size >= FEWEST_DAYS:
        issues = _issues(kb, scene, within)
        found = [*issues, *(_events(kb, scene, within, issues) if of_words else ())]
    found.sort(key=lambda one: (one.kind != "issue", -one.told.timestamp(), one.name))
    return Emerging(whole.size, scene.weekdays.size, now, tuple(found), tuple(released), told)


def tell_release(
    kb: KnowledgeBase, version: str, at: datetime, *, by: str | None = None
) -> Release:
    """Note that a version came out.

    Raises:
        BadValue: the version is empty.
    """
    if not version.strip():
        raise BadValue(name="VERSION", value=version, reason="name the version, such as 4.2")
    release = Release(version.strip(), at, by)
    with kb.database.write() as connection:
        releases.put(connection, release, kb.clock())
    return release


def all_releases(kb: KnowledgeBase) -> tuple[list[Release], bool]:
    """The releases told of, else what the version facet shows; and whether they were told."""
    found = load_columns(kb.connection)
    return known_releases(kb.connection, found, cohort_factors(kb.connection, found))


def _until(connection: sqlite3.Connection, as_of: datetime | None) -> Ints | None:
    if as_of is None:
        return None
    rows = columns.outlines(connection)
    limit = as_of.astimezone(UTC).isoformat()
    return np.array(sorted(row[0] for row in rows if row[2] < limit), dtype=np.int64)


def _scene(
    whole: Columns, factors: Sequence[Factor], released: Sequence[Release], as_of: datetime | None
) -> _Scene:
    last = whole.opened[-1] if as_of is None else as_of - timedelta(seconds=1)
    newest = last.astimezone(UTC).date()
    oldest = max(whole.opened[0].date(), newest - timedelta(days=HISTORY_DAYS - 1))
    first = datetime(oldest.year, oldest.month, oldest.day, tzinfo=UTC)
    days = np.array([(at - first).days for at in whole.opened], dtype=np.int64)
    count = (newest - oldest).days + 1
    since = release_factors(whole.opened, [(one.version, one.at) for one in released])
    useful = [one for one in factors if not CUSTOMER.search(one.name)]
    fresh = [one for one in since if one.name == "since release"]
    weekdays = (np.arange(count) + first.weekday()) % 7
    return _Scene(whole, first, days, weekdays, features_of([*useful, *fresh]), released)


def _issues(kb: KnowledgeBase, scene: _Scene, within: int) -> list[Rising]:
    there = (scene.days >= 0) & (scene.found.issue >= 0)
    numbers, codes, sizes = np.unique(
        scene.found.issue[there], return_inverse=True, return_counts=True
    )
    order = np.argsort(-sizes, kind="stable")[:MOST_SERIES]
    kept = order[sizes[order] >= FEWEST_OF_ISSUE]
    if not kept.size:
        return []
    place = np.full(numbers.size, kept.size)
    place[kept] = np.arange(kept.size)
    width = scene.weekdays.size
    cells = place[codes] * width + scene.days[there]
    counts = np.bincount(cells, minlength=(kept.size + 1) * width).reshape(-1, width)
    watch = replace(Watch(), bar=bar_for(kept.size))
    now = width - 1
    told = [r for r in rises(counts, scene.weekdays, watch) if r.series < kept.size]
    told = [r for r in told if r.told > now - within or r.ended is None]
    titles = issue_titles(kb, [int(numbers[kept[r.series]]) for r in told])
    return [
        _issue(kb, scene, counts[r.series], r, int(numbers[kept[r.series]]), titles) for r in told
    ]


def _issue(
    kb: KnowledgeBase,
    scene: _Scene,
    counts: Ints,
    rise: Rise,
    issue_id: int,
    titles: Mapping[int, str],
) -> Rising:
    rows = np.flatnonzero(scene.found.issue == issue_id).astype(np.int32)
    since = rows[scene.days[rows] >= rise.began]
    name = f"i{issue_id} {titles.get(issue_id, '')}".strip()
    made = _rising(kb, scene, counts, rise, name, since)
    first = scene.found.opened[int(rows[0])]
    return replace(
        made,
        kind="issue",
        issue_id=issue_id,
        first=first,
        observed=int(counts[rise.began :].sum()) if rise.ended is None else rise.observed,
        worked=_worked(kb, scene, rows),
        is_new=bool((scene.days[rows] < rise.began - 2).sum() == 0),
    )


def _events(
    kb: KnowledgeBase, scene: _Scene, within: int, issues: Sequence[Rising]
) -> list[Rising]:
    """Rising words whose cases are not simply those of an issue that is told already."""
    rows, considered = _words(kb.connection, scene)
    watch = replace(Watch(), bar=bar_for(considered))
    first = scene.found.case_ids.size
    kept = np.flatnonzero(scene.days >= 0)
    offset = int(kept[0]) if kept.size else first
    days = scene.days[offset:]
    shifted = {term: (r - offset).astype(np.int32) for term, r in rows.items()}
    now = scene.weekdays.size - 1
    made = []
    covered = {one.issue_id for one in issues}
    for one in bursts(shifted, days, scene.weekdays, watch=watch):
        if one.told <= now - within:
            continue
        inside = (one.cases + offset).astype(np.int32)
        own = scene.found.issue[inside]
        if covered and np.isin(own, [i for i in covered if i is not None]).mean() > 0.5:
            continue
        counts = np.bincount(scene.days[rows[one.words[0]]], minlength=now + 1)
        rise = Rise(0, one.told, one.began, one.observed, one.expected)
        name = ", ".join(f"“{word}”" for word in one.words[:5])
        rising = _rising(kb, scene, counts, rise, name, inside)
        made.append(replace(rising, is_new=bool((own < 0).mean() > 0.5)))
    return made


def _words(connection: sqlite3.Connection, scene: _Scene) -> tuple[dict[str, Codes], int]:
    """The cases of each word or phrase of the last weeks that is frequent enough to rise.

    Also of how many they were chosen: choosing those that were frequent lately is looking already.
    """
    count = scene.weekdays.size
    lately: dict[str, int] = {}
    where: dict[str, array[int]] = {}
    for i, text in enumerate(texts_of(connection, scene.found)):
        if scene.days[i] >= count - 2 * BEFORE_DAYS:
            for term in terms_of(words(text)):
                lately[term] = lately.get(term, 0) + 1
    often = sorted((t for t, n in lately.items() if n >= FEWEST_OF_WORD), key=lambda t: -lately[t])
    vocabulary = set(often[:MOST_WORDS])
    for i, text in enumerate(texts_of(connection, scene.found)):
        if scene.days[i] >= 0:
            for term in terms_of(words(text)) & vocabulary:
                where.setdefault(term, array("i")).append(i)
    rows = {term: np.frombuffer(found, dtype=np.int32) for term, found in where.items()}
    return rows, len(lately)


def _rising(
    kb: KnowledgeBase, scene: _Scene, counts: Ints, rise: Rise, name: str, inside: Codes
) -> Rising:
    near = np.flatnonzero(
        (scene.days >= rise.began - BEFORE_DAYS) & (scene.days <= scene.weekdays.size)
    )
    outside = np.setdiff1d(near, inside).astype(np.int32)
    release = attribute(counts, rise.began, rise.told, scene.release_days)
    latest = inside[::-1][:EXAMPLES]
    refs = cases.by_ids(kb.connection, scene.found.case_ids[latest].tolist())
    return Rising(
        kind="words",
        name=name,
        issue_id=None,
        told=scene.date(rise.told),
        began=scene.date(rise.began),
        ended=None if rise.ended is None else scene.date(rise.ended),
        observed=rise.observed,
        expected=rise.expected,
        first=scene.found.opened[int(inside[0])] if inside.size else scene.date(rise.began),
        doubling=doubling(counts[rise.began : rise.told + 1]),
        release=scene.releases[release.release].version if release else "",
        days_after=release.days_after if release else 0,
        behind=tuple(behind(inside, outside, scene.features)) if inside.size else (),
        cases=tuple(refs[int(scene.found.case_ids[row])].ref for row in latest),
        worked=(),
        is_new=False,
    )


def _worked(kb: KnowledgeBase, scene: _Scene, rows: Codes) -> tuple[tuple[int, str, int], ...]:
    """What worked on these cases: (approach, text, number of cases), the most frequent first."""
    own = set(scene.found.case_ids[rows].tolist())
    counted: dict[int, set[int]] = {}
    for case_id, approach, _, _ in columns.worked(kb.connection):
        if case_id in own:
            counted.setdefault(approach, set()).add(case_id)
    best = sorted(counted, key=lambda one: (-len(counted[one]), one))[:2]
    texts = resolutions.by_ids(kb.connection, best)
    return tuple((one, texts[one].text, len(counted[one])) for one in best)
