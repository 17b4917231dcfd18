"""`kbagent emerging`: which issues and words are rising now, what is behind it, what worked before.

Also groups of new cases that look like one problem and have no issue yet (`newcomers`). "Now" is
the day of the newest case, so that a knowledge base that was imported once still has a present.
With `as_of` cases opened later and outcomes that happened later do not count; which cases belong
together is taken as it is known today. Does not decide what an issue is and predicts nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from kbagent.core.patterns.casetable import Codes
from kbagent.core.patterns.rises import (
    Behind,
    Doubling,
    Rise,
    Watch,
    bar_for,
    doubling,
    rises,
)
from kbagent.errors import BadValue
from kbagent.store import decisions, releases
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.moments import to_text
from kbagent.store.releases import Release
from kbagent.usecases.mine.columns import (
    NOTHING,
    Columns,
    There,
    cases_there,
    cohort_factors,
    known_releases,
    load_columns,
    plain_version,
)
from kbagent.usecases.mine.events import events
from kbagent.usecases.mine.newcomers import Newcomer, Resembled, newcomers, resembling
from kbagent.usecases.mine.scene import EXAMPLES, Ints, Scene, Worked, scene_of
from kbagent.usecases.retrieve.details import issue_titles

TAKEN_BACK = "release removed"
"""The kind of the decision that takes a release back."""
RECENT_DAYS = 14
"""A rise that began to be told within so many days, or lasts, counts as now."""
FEWEST_DAYS = 35
"""Days of history below which nothing can be called a rise: four weeks are its warm-up."""
FEWEST_OF_ISSUE = 3
MOST_SERIES = 5_000


@dataclass(frozen=True, slots=True)
class Rising:
    """One rise in words and numbers.

    `kind` is issue, words, or version (words that name a version). `name` is an issue with its
    title, or the words of an event (whose first one is counted). `observed` cases came from
    `began` until `ended`, or until now, where `expected` were to be expected: `ratio` times as
    many, None where less than one case was. `behind` and `cases` are of the same ones. `first` is
    the first case ever of the issue. `worked` is what worked on its cases. `resembles` is the
    earlier issue that a new one is most like.
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
    worked: Worked
    is_new: bool
    resembles: Resembled | None = None
    ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Emerging:
    """What is rising, latest first; `days` of history until `now`, the day of the newest case.

    Where a date was asked for, `now` is the last day before it and `newest` may lie earlier.
    `newcomers` are groups of cases without an issue, the least accidental first. `there` tells of
    all cases where none is looked at.
    """

    cases: int
    days: int
    now: datetime | None
    rising: tuple[Rising, ...]
    newcomers: tuple[Newcomer, ...]
    releases: tuple[Release, ...]
    newest: datetime | None = None
    there: There = NOTHING


def emerging(
    kb: KnowledgeBase,
    *,
    within: int = RECENT_DAYS,
    as_of: datetime | None = None,
    only_issues: bool = False,
) -> Emerging:
    """The rises told in the last `within` days before now (or before `as_of`), and lasting ones.

    With `only_issues` no text and no vector is read: neither words nor newcomers are looked for.
    """
    whole = load_columns(kb.connection, until=as_of)
    factors = cohort_factors(kb.connection, whole)
    released = known_releases(kb.connection, whole, factors, as_of or _day_after(whole))
    if not whole.size:
        there = cases_there(kb.connection)
        return Emerging(0, 0, None, (), (), tuple(released), there=there)
    scene = scene_of(kb, whole, factors, released, as_of)
    found: list[Rising] = []
    groups: list[Newcomer] = []
    if scene.weekdays.size >= FEWEST_DAYS:
        found = _issues(scene, within, resembled=not only_issues)
        if not only_issues:
            found += _events(scene, within, found)
            groups = newcomers(scene)
    kinds = ("issue", "words", "version")
    found.sort(key=lambda one: (kinds.index(one.kind), -one.told.timestamp(), one.name))
    return Emerging(
        whole.size,
        scene.weekdays.size,
        scene.date(scene.now),
        tuple(found),
        tuple(groups),
        tuple(released),
        whole.at(whole.size - 1),
    )


def _day_after(whole: Columns) -> datetime | None:
    """The end of the day of the newest case; what is planned for later is not out yet."""
    if not whole.size:
        return None
    return whole.at(-1).replace(hour=0, minute=0, second=0) + timedelta(days=1)


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


def take_back_release(
    kb: KnowledgeBase, version: str, *, by: str | None = None
) -> tuple[tuple[Release, ...], Release | None]:
    """Take back that a version came out, however it is spelt.

    What had been told of it, of which a decision is kept; and what its cases show instead.

    Raises:
        BadValue: nobody told of it.
    """
    gone = _named(version, releases.everyone(kb.connection))
    if not gone:
        reason = "nobody told of this release; `kbagent release list` shows what is known"
        if _named(version, all_releases(kb)):
            reason = "only its cases tell of it; say when it came out with `kbagent release add`"
        raise BadValue(name="VERSION", value=version, reason=reason)
    with kb.database.write() as connection:
        for one in gone:
            releases.remove(connection, one.version)
            data = {"version": one.version, "at": to_text(one.at), "told_by": one.by}
            decisions.add(connection, TAKEN_BACK, kb.clock(), by=by, data=data)
    return gone, next(iter(_named(version, all_releases(kb))), None)


def _named(version: str, found: Iterable[Release]) -> tuple[Release, ...]:
    wanted = plain_version(version)
    return tuple(one for one in found if plain_version(one.version) == wanted)


def all_releases(kb: KnowledgeBase) -> list[Release]:
    """The releases told of and those that the version facet shows, oldest first."""
    found = load_columns(kb.connection)
    return known_releases(kb.connection, found, cohort_factors(kb.connection, found))


def _issues(scene: Scene, within: int, *, resembled: bool) -> list[Rising]:
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
    told = [r for r in rises(counts, scene.weekdays, watch) if r.series < kept.size]
    told = [r for r in told if r.told > scene.now - within or r.ended is None]
    return [
        _issue(scene, counts[r.series], r, int(numbers[kept[r.series]]), resembled=resembled)
        for r in told
    ]


def _issue(scene: Scene, counts: Ints, rise: Rise, issue_id: int, *, resembled: bool) -> Rising:
    rows = np.flatnonzero(scene.found.issue == issue_id).astype(np.int32)
    title = issue_titles(scene.kb, [issue_id]).get(issue_id, "")
    made = _rising(scene, counts, rise, f"i{issue_id} {title}".strip(), scene.during(rows, rise))
    is_new = not (scene.days[rows] < rise.began - 2).any()
    return replace(
        made,
        kind="issue",
        issue_id=issue_id,
        first=scene.found.at(int(rows[0])),
        worked=scene.worked(rows),
        is_new=is_new,
        resembles=resembling(scene, rows, rise.began) if is_new and resembled else None,
    )


def _events(scene: Scene, within: int, issues: Sequence[Rising]) -> Iterable[Rising]:
    """Rising words whose cases are not simply those of an issue that is told already."""
    told = {one.issue_id for one in issues if one.issue_id is not None}
    for one in events(scene, within, told):
        name = ", ".join(f"“{word}”" for word in one.words[:5])
        own = scene.found.issue[one.cases]
        yield replace(
            _rising(scene, one.counts, one.rise, name, one.named),
            kind="version" if one.is_version else "words",
            is_new=bool((own < 0).mean() > 0.5),
        )


def _rising(scene: Scene, counts: Ints, rise: Rise, name: str, inside: Codes) -> Rising:
    release, days_after = scene.release_behind(counts, rise.began, rise.told, inside, rise.ended)
    return Rising(
        kind="words",
        name=name,
        issue_id=None,
        told=scene.date(rise.told),
        began=scene.date(rise.began),
        ended=None if rise.ended is None else scene.date(rise.ended),
        observed=rise.cases,
        expected=rise.usual,
        first=scene.found.at(int(inside[0])) if inside.size else scene.date(rise.began),
        doubling=doubling(counts[rise.began : rise.told + 1]),
        release=release,
        days_after=days_after,
        behind=scene.behind(inside, rise.began, rise.ended) if inside.size else (),
        cases=scene.names(inside[::-1][:EXAMPLES]),
        worked=(),
        is_new=False,
        ratio=rise.ratio,
    )
