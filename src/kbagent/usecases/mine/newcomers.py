"""New problems that have no issue yet: recent cases that are alike and unlike what came before.

Looked at are cases of the last weeks that stand alone, or nearly: those whose issue has no more
than `SMALL` cases and began in these weeks. They are compared with each other and with a sample of
earlier cases by the vectors they have already; nothing is encoded, and no case is moved. A person
makes an issue of them: `kbagent issue merge`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.casetable import Codes
from kbagent.core.patterns.newcomers import Group, groups, resembled
from kbagent.core.patterns.rises import Behind, Doubling, doubling
from kbagent.core.patterns.terms import terms_of, words
from kbagent.store import cases, models, passages
from kbagent.usecases.mine.scene import EXAMPLES, Scene, Worked
from kbagent.usecases.retrieve.details import issue_titles

NEW_DAYS = 28
"""Days that count as recent."""
SMALL = 2
"""Cases up to which an issue says nothing yet."""
MOST_RECENT = 4_000
MOST_EARLIER = 20_000
"""Earlier cases, evenly spread over the history, that tell what is usual."""
SHARED_BY = 0.6
"""Share of a group's cases that have a word for it to be among those that name it."""
TIMES = 3.0
"""How many times more frequent a word is in the group than in the other recent cases."""
MOST_WORDS = 4
ALIKE = 0.45
"""Similarity from which an earlier issue is worth naming."""

Vectors = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Resembled:
    """An earlier issue, how alike (mean similarity of its nearest case), and what worked on it."""

    issue_id: int
    title: str
    similarity: float
    worked: Worked


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A group of cases that look like one new problem.

    `title` is that of its most central case, `words` what sets their messages apart. `alone` of
    its cases are an issue of their own. `p` is the probability of such a group by chance, over
    all groups; `similarity` the mean one to the central case. `cases` are the newest ones.
    """

    title: str
    words: tuple[str, ...]
    size: int
    alone: int
    p: float
    similarity: float
    first: datetime
    last: datetime
    doubling: Doubling | None
    release: str
    days_after: int
    behind: tuple[Behind, ...]
    cases: tuple[str, ...]
    resembles: Resembled | None


def newcomers(scene: Scene) -> list[Newcomer]:
    """The new problems, the least accidental first; none without vectors."""
    begin = scene.now + 1 - NEW_DAYS
    recent, earlier = _candidates(scene, begin)
    rows, new = _vectors(scene, recent)
    before, old = _vectors(scene, earlier)
    return [
        _newcomer(scene, one, rows[list(one.members)], begin, (new[list(one.members)], before, old))
        for one in groups(new, old)
    ]


def resembling(scene: Scene, rows: Codes, began: int) -> Resembled | None:
    """The issue of before `began` that these cases are most like, if it is like them at all."""
    earlier = np.flatnonzero((scene.days < began) & (scene.found.issue >= 0))
    own = np.unique(scene.found.issue[rows])
    earlier = earlier[~np.isin(scene.found.issue[earlier], own)]
    _, new = _vectors(scene, rows[-EXAMPLES:].astype(np.int64))
    before, old = _vectors(scene, _spread(earlier))
    return _resembled(scene, new, before, old)


def _candidates(scene: Scene, begin: int) -> tuple[Ints, Ints]:
    """Recent cases that stand alone or nearly, and a sample of earlier ones; both places."""
    issue, days = scene.found.issue, scene.days
    _, first, own, sizes = np.unique(
        issue, return_index=True, return_inverse=True, return_counts=True
    )
    alone = (issue < 0) | ((sizes[own] <= SMALL) & (days[first][own] >= begin))
    recent = np.flatnonzero((days >= begin) & alone)[-MOST_RECENT:]
    return recent, _spread(np.flatnonzero((days >= 0) & (days < begin)))


def _spread(places: Ints) -> Ints:
    """At most `MOST_EARLIER` of them, evenly spread."""
    if places.size <= MOST_EARLIER:
        return places
    return places[np.linspace(0, places.size - 1, MOST_EARLIER).astype(np.int64)]


def _vectors(scene: Scene, places: Ints) -> tuple[Ints, Vectors]:
    """Those of the places whose case has a vector, and its first one."""
    model = models.active(scene.kb.connection)
    ids = scene.found.case_ids[places]
    if model is None or not ids.size:
        return places[:0], np.zeros((0, 1), dtype=np.float32)
    owners, vectors = passages.of_cases(scene.kb.connection, model.id, np.sort(ids).tolist())
    known, firsts = np.unique(owners, return_index=True)
    if not known.size:
        return places[:0], np.zeros((0, 1), dtype=np.float32)
    at = scene.found.places(known)
    order = np.argsort(at, kind="stable")
    return at[order], vectors[firsts[order]]


def _newcomer(
    scene: Scene, group: Group, rows: Ints, begin: int, near: tuple[Vectors, Ints, Vectors]
) -> Newcomer:
    ordered = np.sort(rows).astype(np.int32)
    days = scene.days[ordered]
    counts = np.bincount(days, minlength=scene.now + 1)
    began = int(days[0])
    release, days_after = scene.release_behind(counts, began, scene.now, ordered)
    found = cases.by_ids(scene.kb.connection, [int(scene.found.case_ids[rows[0]])])
    return Newcomer(
        title=next(iter(found.values())).title,
        words=_shared_words(scene, ordered, begin),
        size=int(rows.size),
        alone=int(np.unique(scene.found.issue[rows]).size),
        p=group.p,
        similarity=group.similarity,
        first=scene.found.at(int(ordered[0])),
        last=scene.found.at(int(ordered[-1])),
        doubling=doubling(counts[began : scene.now + 1]),
        release=release,
        days_after=days_after,
        behind=scene.behind(ordered, began),
        cases=scene.names(ordered[::-1][:EXAMPLES]),
        resembles=_resembled(scene, *near),
    )


def _resembled(scene: Scene, new: Vectors, before: Ints, old: Vectors) -> Resembled | None:
    if not len(new) or not len(old):
        return None
    found = resembled(new, old, scene.found.issue[before].tolist())
    if found is None or found[1] < ALIKE:
        return None
    issue_id, similarity = found
    rows = np.flatnonzero(scene.found.issue == issue_id).astype(np.int32)
    title = issue_titles(scene.kb, [issue_id]).get(issue_id, "")
    return Resembled(issue_id, title, similarity, scene.worked(rows))


def _shared_words(scene: Scene, rows: Codes, begin: int) -> tuple[str, ...]:
    """Words and phrases most of the group have and the other recent cases hardly have."""
    others = np.setdiff1d(np.flatnonzero(scene.days >= begin), rows)[-MOST_RECENT:]
    inside, outside = (_counted(scene, some) for some in (rows, others))
    least = max(2, SHARED_BY * rows.size)
    usual = TIMES / max(others.size, 1)
    told = {
        term: count
        for term, count in inside.items()
        if count >= least and count / rows.size >= (outside.get(term, 0) + 0.5) * usual
    }
    ordered = sorted(told, key=lambda term: (-told[term], outside.get(term, 0), -len(term), term))
    return tuple(_without_parts(ordered)[:MOST_WORDS])


def _counted(scene: Scene, rows: Sequence[int] | Codes | Ints) -> dict[str, int]:
    ids = sorted(int(scene.found.case_ids[row]) for row in rows)
    counted: dict[str, int] = {}
    for _, title, body in cases.texts(scene.kb.connection, ids):
        for term in terms_of(words(f"{title}\n{body}")):
            counted[term] = counted.get(term, 0) + 1
    return counted


def _without_parts(terms: Sequence[str]) -> list[str]:
    """Leave out a word that a phrase among them has."""
    parts = {word for term in terms if " " in term for word in term.split(" ")}
    return [term for term in terms if term not in parts]
