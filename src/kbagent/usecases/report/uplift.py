"""Uplift: what was learned is worth, on the same cases; and where none shows, why.

Every comparison is paired: the live policy and another one are asked the same cases. Raw success
moves with the mix of cases that come, so no month is compared with another month's cases.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from kbagent.core.learning.promotion import paired_bootstrap
from kbagent.core.patterns.contingency import Difference
from kbagent.store import policies
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.evaluate.evaluation import LIVE, NO_FEEDBACK, SEED
from kbagent.usecases.report.replaying import FIRST, RECENT, THEN, Questions

FEWEST = 30
"""Cases below which an interval of success is wider than any gain worth the name."""
FEW = 0.1
"""Share of the cases below which something is called rare."""

QUARTER = 3
"""Months at either end whose raw success is put beside each other."""

Ints = NDArray[np.int64]


class Reason(StrEnum):
    """Why no improvement shows; `count` of `total` says how much."""

    TOO_FEW = "too few cases"
    FROZEN = "learning is frozen"
    NO_EVIDENCE = "hardly any new outcome on the issues that came"
    SAME = "the first place hardly changed"
    OUT_OF_REACH = "hardly anything could succeed"
    UNREPORTED = "nobody reported an outcome"
    CANCELS = "gains and losses cancel"


@dataclass(frozen=True, slots=True)
class Because:
    """A reason, with the cases (or gains and losses) it rests on."""

    reason: Reason
    count: int
    total: int


@dataclass(frozen=True, slots=True)
class Uplift:
    """Success@1 of the live policy (`ours`) over another (`theirs`) on the same known cases.

    since    from when on the other one learned (or knew) nothing more; None: it never learned
    better   cases on which only the live policy had what worked first; `worse` the contrary
    because  why no improvement shows, the weightiest reason first; empty where one does
    """

    over: str
    since: datetime | None
    questions: int
    ours: float | None
    theirs: float | None
    difference: Difference | None
    better: int
    worse: int
    because: tuple[Because, ...]

    @property
    def shown(self) -> bool:
        """Whether the live policy is shown to be better."""
        return self.difference is not None and self.difference.low > 0.0


@dataclass(frozen=True, slots=True)
class Drift:
    """Raw success in the first and the last three months with known cases, and without feedback.

    What `plain` moves by, no feedback did: other cases came, and more cases were known.
    """

    early: str
    late: str
    early_cases: int
    late_cases: int
    early_success: float
    late_success: float
    early_plain: float
    late_plain: float


def uplifts(kb: KnowledgeBase, questions: Questions, rows: Ints) -> tuple[Uplift, ...]:
    """The live policy over that of the first month, what it lately was, no feedback, and the
    knowledge base as it was; only over those that there are cases for."""
    frozen = policies.is_frozen(kb.connection)
    over = [
        (FIRST, questions.frozen_at),
        (RECENT, questions.recent_at),
        (NO_FEEDBACK, None),
        (THEN, questions.frozen_at),
    ]
    made = [
        _uplift(questions, rows, name, since, frozen=frozen)
        for name, since in over
        if name in questions.place
    ]
    return tuple(one for one in made if one.questions)


def _uplift(
    questions: Questions, rows: Ints, over: str, since: datetime | None, *, frozen: bool
) -> Uplift:
    later = np.array([since is None or at >= since for at in questions.opened], dtype=np.bool_)
    asked = rows[questions.known[rows] & later[rows]]
    ours, theirs = questions.success(LIVE, 1, asked), questions.success(over, 1, asked)
    found = None
    if asked.size:
        rng = np.random.default_rng(SEED)
        groups = questions.issue[asked]
        found = Difference(*paired_bootstrap(ours, theirs, rng, groups=groups))
    made = Uplift(
        over=over,
        since=since,
        questions=int(asked.size),
        ours=float(ours.mean()) if asked.size else None,
        theirs=float(theirs.mean()) if asked.size else None,
        difference=found,
        better=int((ours > theirs).sum()),
        worse=int((ours < theirs).sum()),
        because=(),
    )
    if made.shown:
        return made
    return _with_reasons(made, questions, asked, frozen=frozen)


def _with_reasons(made: Uplift, questions: Questions, asked: Ints, *, frozen: bool) -> Uplift:
    """The same with the reasons that hold, the weightiest first."""
    total = made.questions
    moved = int((questions.place[LIVE][asked] != questions.place[made.over][asked]).sum())
    fresh = int(questions.fresh[asked].sum())
    possible = int(questions.possible[asked].sum())
    reasons = [
        (total < FEWEST, Because(Reason.TOO_FEW, total, FEWEST)),
        (frozen, Because(Reason.FROZEN, 0, total)),
        (possible < FEW * total, Because(Reason.OUT_OF_REACH, possible, total)),
        (
            made.over == FIRST and fresh < FEW * total,
            Because(Reason.NO_EVIDENCE, fresh, total),
        ),
        (made.better + made.worse < FEW * total, Because(Reason.SAME, moved, total)),
    ]
    held = [reason for holds, reason in reasons if holds]
    if not held:
        held = [Because(Reason.CANCELS, made.better, made.worse)]
    if not questions.reported and made.over in (FIRST, NO_FEEDBACK):
        held.append(Because(Reason.UNREPORTED, 0, questions.outcomes))
    return replace(made, because=tuple(held))


def drift_of(questions: Questions, rows: Ints) -> Drift | None:
    """How raw success moved from the first three months to the last three; None of too few."""
    known = rows[questions.known[rows]]
    names = np.array([f"{at:%Y-%m}" for at in questions.opened])[known]
    months = sorted(set(names.tolist()))
    if len(months) < 2 * QUARTER:
        return None
    early, late = months[:QUARTER], months[-QUARTER:]
    first, last = known[np.isin(names, early)], known[np.isin(names, late)]
    return Drift(
        early=f"{early[0]} to {early[-1]}",
        late=f"{late[0]} to {late[-1]}",
        early_cases=int(first.size),
        late_cases=int(last.size),
        early_success=float(questions.success(LIVE, 1, first).mean()),
        late_success=float(questions.success(LIVE, 1, last).mean()),
        early_plain=float(questions.success(NO_FEEDBACK, 1, first).mean()),
        late_plain=float(questions.success(NO_FEEDBACK, 1, last).mean()),
    )
