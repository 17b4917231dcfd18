"""Promotion: a candidate goes live only when the replay of the past shows it to be better.

Candidate and live policy look up the same cases, in order of time, each with only what was known
then; of a learned candidate only the cases that came after what it was learned from. The
checkpoints are fixed and the error is split over them, so asking often does not help.
"""

from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np

from kbagent.core.learning.promotion import Decision, Plan, Ruling, decide
from kbagent.core.learning.replay import Comparison, Measures, compare, measure
from kbagent.errors import PolicyRefused, UsageError
from kbagent.model.policy import Policy
from kbagent.store import policies
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.moments import to_moment
from kbagent.usecases.evaluate.evaluation import (
    LIVE,
    SEED,
    contender,
    history_of,
    named_policy,
    paired,
)
from kbagent.usecases.evaluate.replay import Progress, question_places, replay
from kbagent.usecases.learn.policies import refuse_if_frozen
from kbagent.usecases.reuse.boundaries import trust

PLAN = Plan()
CANDIDATE = "candidate"


@dataclass(frozen=True, slots=True)
class Trial:
    """What the replay says of a candidate beside the live policy.

    `after` is the end of what the candidate was learned from; None: it was not learned.
    """

    candidate: Policy
    live: Policy
    questions: int
    after: datetime | None
    measures: tuple[Measures, Measures]
    differences: tuple[Comparison, ...]
    decision: Decision

    @property
    def refusal(self) -> str:
        """Why it is not promoted, in words."""
        decision = self.decision
        if decision.ruling is Ruling.WAIT:
            return (
                f"{self.questions:,} cases can be replayed"
                + (f" since {self.after:%Y-%m-%d}" if self.after else "")
                + f", the next look is at {decision.next_look:,}"
            )
        return (
            f"over {decision.seen:,} cases it is {100 * decision.difference:+.1f} points at the"
            f" first place, for certain no more than {100 * decision.bound:+.1f}"
        )


def try_candidate(
    kb: KnowledgeBase, version: int, progress: Progress, *, plan: Plan = PLAN
) -> Trial:
    """Replay a candidate beside the live policy; nothing is changed.

    Raises:
        UnknownHandle: there is no such policy.
        UsageError: it is live already.
    """
    candidate, live = named_policy(kb, version), policies.live(kb.connection)
    if candidate.version == live.version:
        raise UsageError(what=f"Policy {version} is live already.")
    history = history_of(kb)
    after = learned_until(kb, version)
    since = 0
    if after is not None:
        since = sum(opened <= after for opened in history.opened)
    contenders = (contender(kb, CANDIDATE, candidate), contender(kb, LIVE, live))
    places = list(question_places(history, None, since))[: plan.checkpoints[-1]]
    ran = replay(history, contenders, places, progress, trust(kb.connection))
    values, issues = paired(ran, CANDIDATE, LIVE)
    ours, theirs = ran.courses[CANDIDATE].replayed, ran.courses[LIVE].replayed
    return Trial(
        candidate=candidate,
        live=live,
        questions=len(values),
        after=after,
        measures=(measure(ours), measure(theirs)),
        differences=compare(ours, theirs, np.random.default_rng(SEED)),
        decision=decide(values, plan, issues),
    )


def promote(kb: KnowledgeBase, trial: Trial, *, by: str | None = None) -> None:
    """Make a candidate live if its trial allows it; either way the trial is kept with it.

    Raises:
        PolicyRefused: it is not shown to be better, or the ranking is frozen.
    """
    refuse_if_frozen(kb)
    decision = trial.decision
    allowed = decision.ruling is Ruling.PROMOTE
    with kb.database.write() as connection:
        now = kb.clock()
        record = {
            "against": trial.live.version,
            "questions": trial.questions,
            "ruling": str(decision.ruling),
            "seen": decision.seen,
            "differences": [asdict(one) for one in trial.differences],
        }
        version = trial.candidate.version
        policies.note_evaluation(connection, version, "promote", record, now)
        if allowed:
            policies.make_live(connection, version, "promote", now, by=by)
    if not allowed:
        raise PolicyRefused(
            reason=f"policy {version} is not shown to be better: {trial.refusal}",
            hint="It stays a candidate; try again when more outcomes are known.",
        )


def learned_until(kb: KnowledgeBase, version: int) -> datetime | None:
    """The end of what a policy, or one that it descends from, was learned from."""
    moments = []
    step: int | None = version
    while step is not None:
        evidence = policies.origin(kb.connection, step).evidence
        if evidence and evidence.get("until"):
            moments.append(to_moment(str(evidence["until"])))
        policy = policies.by_version(kb.connection, step)
        step = policy.parent if policy else None
    live = policies.live(kb.connection).version
    if live == version:
        return None
    return max((one for one in moments if one is not None), default=None)
