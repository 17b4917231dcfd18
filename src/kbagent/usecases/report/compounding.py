"""`kbagent report`: the learning curve by month, and what is known, at risk, or stopped working.

Success is measured by the replay of `kbagent evaluate`: each case of the past is looked up with
only what was known before it. Raw success moves with the mix of cases, so each month stands beside
the order without feedback on the very same cases. What was not measured is None, never a guess.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

import numpy as np

from kbagent.core.learning.change import last_break
from kbagent.core.learning.promotion import paired_bootstrap
from kbagent.core.learning.replay import Replayed, measure, success_at
from kbagent.model.case import Verdict
from kbagent.model.evidence import Break
from kbagent.model.outcome import REWARD, Trial
from kbagent.store import cases, columns, models, policies, resolutions
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.moments import known, to_text
from kbagent.usecases.evaluate.evaluation import (
    NO_FEEDBACK,
    SEED,
    baselines,
    contender,
    history_of,
)
from kbagent.usecases.evaluate.history import History
from kbagent.usecases.evaluate.replay import Progress, Replay, question_places, replay
from kbagent.usecases.mine.columns import Columns, load_columns
from kbagent.usecases.retrieve.details import issue_titles
from kbagent.usecases.reuse.boundaries import trust

MOST_REPLAYED = 2_000
"""Cases that are looked up again, the latest of the period; the report says how many."""
RARE = 4
"""Cases, at most, of an issue that counts as rare."""
FEWEST_SOLVED = 3
"""Cases of an issue that one person alone solved, to be called at risk."""
FEWEST_TRIED = 8
"""Outcomes of a fix below which a change could not be told."""
LIVE = "live policy"
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference of shares with its 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Success:
    """The replay of some cases; `uplift` is success@1 less that without feedback, paired.

    On `answerable` of the questions what worked had worked before: no more can succeed.
    """

    questions: int
    answerable: int
    at_1: float
    at_3: float
    recall: float | None
    without_feedback: float
    uplift: Difference


@dataclass(frozen=True, slots=True)
class Month:
    """One month. `success` is None when no case could be replayed, `minutes` when none is known.

    `fresh` cases were the first of their issue, `returning` ones were not.
    """

    month: str
    cases: int
    fresh: int
    returning: int
    minutes: float | None
    success: Success | None
    lookups: int
    confident: int
    with_outcome: int


@dataclass(frozen=True, slots=True)
class Story:
    """A case of a rare issue whose answer an earlier instance held, at `place` of the replay."""

    case: str
    title: str
    at: datetime
    issue_id: int
    earlier: str
    months_later: int
    place: int


@dataclass(frozen=True, slots=True)
class AtRisk:
    """An issue that only one person ever solved, on so many cases."""

    issue_id: int
    title: str
    person: str
    solved: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """A fix that stopped working on an issue."""

    issue_id: int
    title: str
    resolution_id: int
    text: str
    broke: Break


@dataclass(frozen=True, slots=True)
class Report:
    """The whole of it, over the cases opened in [since, until)."""

    since: datetime | None
    until: datetime | None
    cases: int
    issues: int
    issues_repeated: int
    success: Success | None
    months: tuple[Month, ...]
    stories: tuple[Story, ...]
    at_risk: tuple[AtRisk, ...]
    stopped: tuple[Stopped, ...]
    deviations: tuple[tuple[str, str, int, int], ...]


def report(
    kb: KnowledgeBase,
    progress: Progress,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Report:
    """What the knowledge base did in a period. An empty one gives an empty report."""
    connection = kb.connection
    begin, end = to_text(since) or "", to_text(until) or "9999"
    found = load_columns(connection)
    inside = [i for i, at in enumerate(found.opened) if _within(at, since, until)]
    history, ran = _replayed(kb, since, until, progress)
    rng = np.random.default_rng(SEED)
    owned = found.issue[inside]
    _, sizes = np.unique(owned[owned >= 0], return_counts=True)
    return Report(
        since=found.opened[inside[0]] if inside else None,
        until=found.opened[inside[-1]] if inside else None,
        cases=len(inside),
        issues=int(sizes.size),
        issues_repeated=int((sizes > 1).sum()),
        success=_success(history, ran, range(len(ran.places)), rng) if history and ran else None,
        months=_months(kb, found, inside, history, ran, rng, (begin, end)),
        stories=_stories(kb, history, ran) if history and ran else (),
        at_risk=_at_risk(kb, found),
        stopped=_stopped(kb, found, since, until),
        deviations=tuple(columns.deviations_caught(connection, begin, end)),
    )


def _within(at: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or at >= since) and (until is None or at < until)


def _replayed(
    kb: KnowledgeBase, since: datetime | None, until: datetime | None, progress: Progress
) -> tuple[History | None, Replay | None]:
    """The history, and the live policy beside no feedback on the cases of the period."""
    if models.active(kb.connection) is None:
        return None, None
    history = history_of(kb)
    places = [
        place
        for place in question_places(history, None)
        if _within(history.opened[place], since, until)
    ][-MOST_REPLAYED:]
    live = policies.live(kb.connection)
    contenders = [contender(kb, LIVE, live), baselines(live.parameters)[0]]
    return history, replay(history, contenders, places, progress, trust(kb.connection))


def _success(
    history: History, ran: Replay, rows: Sequence[int], rng: np.random.Generator
) -> Success | None:
    """The measures of some questions of a replay; None for no questions.

    For the interval issues are drawn whole, for their cases are alike.
    """
    own = [ran.courses[LIVE].replayed[i] for i in rows]
    plain = [ran.courses[NO_FEEDBACK].replayed[i] for i in rows]
    if not own:
        return None
    mine, theirs = success_at(own, 1), success_at(plain, 1)
    groups = np.array([ran.issues[i] for i in rows], dtype=np.int64)
    measured = measure(own)
    return Success(
        questions=len(own),
        answerable=_answerable(history, [ran.places[i] for i in rows]),
        at_1=measured.success_at_1,
        at_3=measured.success_at_3,
        recall=measured.recall,
        without_feedback=float(theirs.mean()),
        uplift=Difference(*paired_bootstrap(mine, theirs, rng, groups=groups)),
    )


def _answerable(history: History, places: Sequence[int]) -> int:
    """On how many of these cases something worked that had worked on a case before.

    A case is before when it was opened earlier; the replay is stricter and wants it closed.
    """
    before: dict[int, int] = {}
    for place in sorted(history.worked):
        for approach in history.worked[place]:
            before.setdefault(approach, place)
    return sum(
        any(before[one] < place for one in history.worked.get(place, ())) for place in places
    )


def _months(
    kb: KnowledgeBase,
    found: Columns,
    inside: Sequence[int],
    history: History | None,
    ran: Replay | None,
    rng: np.random.Generator,
    period: tuple[str, str],
) -> tuple[Month, ...]:
    rows: defaultdict[str, list[int]] = defaultdict(list)
    if history is not None and ran is not None:
        for i, place in enumerate(ran.places):
            rows[f"{history.opened[place]:%Y-%m}"].append(i)
    fresh, cases_of, minutes = Counter[str](), Counter[str](), defaultdict[str, list[float]](list)
    for i in inside:
        month = f"{found.opened[i]:%Y-%m}"
        cases_of[month] += 1
        if not np.isnan(found.minutes[i]):
            minutes[month].append(float(found.minutes[i]))
    for i in sorted(_first_of_issue(found) & set(inside)):
        fresh[f"{found.opened[i]:%Y-%m}"] += 1
    looked = {row[0]: row[1:] for row in columns.lookups_by_month(kb.connection, *period)}
    return tuple(
        Month(
            month,
            cases_of[month],
            fresh[month],
            cases_of[month] - fresh[month],
            median(minutes[month]) if minutes[month] else None,
            _success(history, ran, rows[month], rng) if history and ran else None,
            *looked.get(month, (0, 0, 0)),
        )
        for month in sorted({*cases_of, *looked})
    )


def _first_of_issue(found: Columns) -> set[int]:
    """The places of the cases that were the first of their issue, or that are in none."""
    _, firsts = np.unique(found.issue, return_index=True)
    alone = np.flatnonzero(found.issue < 0)
    return {int(i) for i in firsts if found.issue[i] >= 0} | {int(i) for i in alone}


def _stories(kb: KnowledgeBase, history: History, ran: Replay) -> tuple[Story, ...]:
    """Rare issues: the case, and the earlier one whose fix the replay shows among the first."""
    members: defaultdict[int, list[int]] = defaultdict(list)
    for place, issue in enumerate(history.issue.tolist()):
        members[issue].append(place)
    picked = []
    for place, issue, one in zip(ran.places, ran.issues, ran.courses[LIVE].replayed, strict=True):
        earlier = _earlier_with_same_fix(history, members[issue], place)
        if earlier is not None and len(members[issue]) <= RARE and _is_shown(one):
            picked.append((place, issue, earlier, one.worked_at or 0))
    ids = [int(history.case_ids[p]) for row in picked for p in (row[0], row[2])]
    known_cases = cases.by_ids(kb.connection, ids)
    made = []
    for place, issue, earlier, shown_at in picked:
        now = known_cases[int(history.case_ids[place])]
        before = known_cases[int(history.case_ids[earlier])]
        days = (history.opened[place] - history.opened[earlier]).days
        at = history.opened[place]
        made.append(Story(now.ref, now.title, at, issue, before.ref, days // 30, shown_at))
    return tuple(sorted(made, key=lambda one: (-one.months_later, one.case)))


def _is_shown(one: Replayed) -> bool:
    return one.worked_at is not None and one.worked_at <= SHOWN and one.found > 0


def _earlier_with_same_fix(history: History, members: Sequence[int], place: int) -> int | None:
    """The latest earlier case of the issue on which the same approach had worked."""
    worked = history.worked.get(place, frozenset())
    earlier = [p for p in members if p < place and worked & history.worked.get(p, frozenset())]
    return earlier[-1] if earlier else None


def _at_risk(kb: KnowledgeBase, found: Columns) -> tuple[AtRisk, ...]:
    """Issues solved by one person only; outcomes without a name make no claim."""
    people: defaultdict[int, set[str]] = defaultdict(set)
    solved: defaultdict[int, set[int]] = defaultdict(set)
    rows = list(columns.worked(kb.connection))
    places = found.places(np.array([row[0] for row in rows], dtype=np.int64))
    for place, (case_id, _, _, by) in zip(places.tolist(), rows, strict=True):
        if place >= 0 and found.issue[place] >= 0:
            issue = int(found.issue[place])
            people[issue].add(by or "")
            solved[issue].add(case_id)
    alone = [
        issue
        for issue, names in people.items()
        if len(names) == 1 and "" not in names and len(solved[issue]) >= FEWEST_SOLVED
    ]
    titles = issue_titles(kb, sorted(alone))
    made = [
        AtRisk(issue, titles.get(issue, ""), next(iter(people[issue])), len(solved[issue]))
        for issue in alone
    ]
    return tuple(sorted(made, key=lambda one: (-one.solved, one.issue_id)))


def _stopped(
    kb: KnowledgeBase, found: Columns, since: datetime | None, until: datetime | None
) -> tuple[Stopped, ...]:
    """Fixes whose outcomes fell within the period, the latest first."""
    rows = list(columns.outcomes(kb.connection))
    places = found.places(np.array([row[1] for row in rows], dtype=np.int64))
    cells: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    total = 0.0
    for i, (place, row) in enumerate(zip(places.tolist(), rows, strict=True)):
        total += REWARD[Verdict(row[3])]
        if place >= 0 and found.issue[place] >= 0:
            cells[int(found.issue[place]), row[2]].append(i)
    mean = total / max(len(rows), 1)
    strength = policies.live(kb.connection).parameters.prior_strength
    broken: list[tuple[int, int, Break]] = []
    for (issue, approach), own in sorted(cells.items()):
        if len(own) <= FEWEST_TRIED:
            continue
        trials = [_trial(issue, rows[i]) for i in own]
        _, broke = last_break(trials, mean, strength)
        if broke is not None and _within(broke.at, since, until):
            broken.append((issue, approach, broke))
    titles = issue_titles(kb, sorted({one[0] for one in broken}))
    texts = resolutions.by_ids(kb.connection, {one[1] for one in broken})
    made = [
        Stopped(issue, titles.get(issue, ""), approach, texts[approach].text, broke)
        for issue, approach, broke in broken
    ]
    return tuple(sorted(made, key=lambda one: (-one.broke.at.timestamp(), one.issue_id)))


def _trial(issue: int, row: tuple[int, int, int, str, str]) -> Trial:
    return Trial(
        issue_id=issue,
        resolution_id=row[2],
        reward=REWARD[Verdict(row[3])],
        at=known(row[4]),
        id=row[0],
    )
