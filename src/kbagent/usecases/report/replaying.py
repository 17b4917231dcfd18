"""The cases of a report looked up again, each with what was known before it, by several policies.

Where there are more than `MOST_REPLAYED` of them, evenly spread ones are taken, beginning at one
that a fixed seed picks: every month is there in proportion, and each case is as likely as another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from kbagent.core.learning.replay import Replayed
from kbagent.core.retrieval.confidence import confidence
from kbagent.core.retrieval.fusion import FusedTerms
from kbagent.core.retrieval.grouping import IssueHit
from kbagent.model.outcome import OutcomeSource
from kbagent.model.policy import PolicyParameters
from kbagent.store import models, policies
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.evaluate.evaluation import (
    LIVE,
    SEED,
    baselines,
    contender,
    history_of,
)
from kbagent.usecases.evaluate.history import History
from kbagent.usecases.evaluate.replay import (
    Contender,
    Judge,
    Progress,
    Replay,
    question_places,
    replay,
)
from kbagent.usecases.learn.confidence import certain_of
from kbagent.usecases.report.rewordings import Rewordings
from kbagent.usecases.retrieve.votes import vote
from kbagent.usecases.reuse.boundaries import trust

MOST_REPLAYED = 1_500
"""Cases that are looked up again without `--most`: a minute and a half among 30,000 cases."""
FIRST = "policy of the first month"
RECENT = "what was learned until lately"
THEN = "knowledge base of the first month"
RECENT_MONTHS = 3
"""Whether it still gets better is asked of the last so many months."""

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Questions:
    """Cases that were looked up again, in order of opening; every array counts them all.

    known      something is known to have worked on the case: only then can success be told
    possible   that, or a fix that says nearly the same, had worked on an earlier case
    answered   the live policy would have called its answer one
    fresh      since `frozen_at` (and before the case) an outcome came for its issue
    found      of the `relevant` earlier instances so many were shown
    place      by policy the place, from 1 on, of the first thing that worked, or that says nearly
               the same; 0: not shown
    exactly    the same for the live policy, of the very fix alone
    frozen_at  the end of the first month; None where the period has no second one
    recent_at  where the last `RECENT_MONTHS` months begin; None where that is the first month
    outcomes   entries of the ledger that tell a verdict; people `reported` so many of them, the
               others were imported
    eligible   ids of the cases that could have been looked up, ascending
    """

    history: History
    rewordings: Rewordings
    places: Ints
    issue: Ints
    known: Bools
    possible: Bools
    answered: Bools
    fresh: Bools
    found: Ints
    relevant: Ints
    place: Mapping[str, Ints]
    exactly: Ints
    frozen_at: datetime | None
    recent_at: datetime | None
    outcomes: int
    reported: int
    eligible: Ints

    @property
    def case_ids(self) -> Ints:
        """Which cases they are."""
        return self.history.case_ids[self.places]

    @property
    def opened(self) -> list[datetime]:
        """When they were opened."""
        return [self.history.opened[place] for place in self.places.tolist()]

    def success(self, policy: str, k: int, rows: Ints) -> Floats:
        """1 where something that worked stood among the first k, else 0, for these rows."""
        place = self.place[policy][rows]
        return np.asarray((place > 0) & (place <= k), dtype=np.float64)


def looked_up_again(
    kb: KnowledgeBase, case_ids: Ints, progress: Progress, most: int | None = None
) -> Questions | None:
    """The questions among these cases; None for a knowledge base without any vector.

    `most` cases at most are looked up (`MOST_REPLAYED` when None), all of them when it is 0.
    """
    model = models.active(kb.connection)
    if model is None:
        return None
    history = history_of(kb)
    reworded = Rewordings(kb.connection, model.id, history)
    wanted = set(case_ids.tolist())
    eligible = [p for p in question_places(history, None) if int(history.case_ids[p]) in wanted]
    places = spread(eligible, MOST_REPLAYED if most is None else most)
    frozen_at, recent_at = _moments([history.opened[place] for place in eligible])
    contenders = _contenders(kb, frozen_at, recent_at)
    judge = judge_of(kb, contenders[0].parameters)
    ran = replay(history, contenders, places, progress, trust(kb.connection), judge, reworded.right)
    return _questions(reworded, ran, frozen_at, recent_at, np.sort(history.case_ids[eligible]))


def spread(places: Sequence[int], most: int) -> list[int]:
    """At most so many of them, evenly spread from a seeded beginning; all of them for 0.

    >>> spread(range(6), 3) in ([0, 2, 4], [1, 3, 5]), spread([4, 5], 0)
    (True, [4, 5])
    """
    if not most or len(places) <= most:
        return list(places)
    step = len(places) / most
    begin = np.random.default_rng(SEED).random()
    return [places[int((number + begin) * step)] for number in range(most)]


def judge_of(kb: KnowledgeBase, parameters: PolicyParameters) -> Judge:
    """Whether a search would call something an answer, by the bar of today."""
    learned = certain_of(kb)

    def is_answer(
        terms: Sequence[FusedTerms], owner: Mapping[int, int], first: IssueHit, margin: float
    ) -> bool:
        if not learned.learned:
            return confidence(margin, parameters.platt) >= parameters.confident_at
        votes = vote(terms, owner, learned.relatives)
        if votes is None or votes.winner.issue != first.issue_id:
            return False
        return bool(learned.confidence(votes) >= learned.threshold)

    return is_answer


def month_after(at: datetime, count: int = 1) -> datetime:
    """The first moment of the month `count` after that of `at` (UTC).

    >>> month_after(datetime(2025, 12, 31, tzinfo=UTC)).isoformat()
    '2026-01-01T00:00:00+00:00'
    """
    at = at.astimezone(UTC)
    months = 12 * at.year + at.month - 1 + count
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def _moments(opened: Sequence[datetime]) -> tuple[datetime | None, datetime | None]:
    """(end of the first month, beginning of the last months), where they are within."""
    if not opened:
        return None, None
    first, recent = month_after(opened[0]), month_after(opened[-1], 1 - RECENT_MONTHS)
    if first > opened[-1]:
        return None, None
    return first, recent if recent > first else None


def _contenders(
    kb: KnowledgeBase, frozen_at: datetime | None, recent_at: datetime | None
) -> list[Contender]:
    """The live policy first; then no feedback, and what is frozen."""
    live = policies.live(kb.connection)
    made = [contender(kb, LIVE, live), baselines(live.parameters)[0]]
    if frozen_at is not None:
        first = contender(kb, FIRST, policies.live(kb.connection, frozen_at))
        made.append(replace(first, learned_until=frozen_at))
        made.append(replace(first, name=THEN, known_until=frozen_at))
    if recent_at is not None:
        lately = contender(kb, RECENT, policies.live(kb.connection, recent_at))
        made.append(replace(lately, learned_until=recent_at))
    return made


def _questions(
    reworded: Rewordings,
    ran: Replay,
    frozen_at: datetime | None,
    recent_at: datetime | None,
    eligible: Ints,
) -> Questions:
    live, history = ran.courses[LIVE], reworded.history
    told = [one.outcome.source for one in history.events if one.kind == "outcome" and one.outcome]
    return Questions(
        history=history,
        rewordings=reworded,
        places=np.array(ran.places, dtype=np.int64),
        issue=np.array(ran.issues, dtype=np.int64),
        known=np.array([bool(history.worked.get(p)) for p in ran.places], dtype=np.bool_),
        possible=reworded.possible(ran.places),
        answered=np.array(live.answered, dtype=np.bool_),
        fresh=_fresh(history, ran.places, frozen_at),
        found=np.array([one.found for one in live.replayed], dtype=np.int64),
        relevant=np.array([one.relevant for one in live.replayed], dtype=np.int64),
        place={name: _where(course.replayed) for name, course in ran.courses.items()},
        exactly=np.array([one.exactly_at or 0 for one in live.replayed], dtype=np.int64),
        frozen_at=frozen_at,
        recent_at=recent_at,
        outcomes=len(told),
        reported=sum(one is not OutcomeSource.IMPORTED for one in told),
        eligible=eligible,
    )


def _where(replayed: Sequence[Replayed]) -> Ints:
    return np.array([one.worked_at or 0 for one in replayed], dtype=np.int64)


def _fresh(history: History, places: Sequence[int], since: datetime | None) -> Bools:
    """For which of these cases an outcome came for their issue, after `since` and before them."""
    if since is None:
        return np.zeros(len(places), dtype=np.bool_)
    first: dict[int, datetime] = {}
    for event in history.events:
        if event.kind == "outcome" and event.at >= since:
            issue = int(history.issue[event.place])
            first[issue] = min(event.at, first.get(issue, event.at))
    return np.array(
        [
            int(history.issue[p]) in first and first[int(history.issue[p])] < history.opened[p]
            for p in places
        ],
        dtype=np.bool_,
    )
