"""`kbagent evaluate`: a policy beside no feedback, words alone and the live policy, on the past."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf

import numpy as np

from kbagent.core.learning.offpolicy import Estimate, TooLittleData
from kbagent.core.learning.replay import Comparison, Measures, compare, measure
from kbagent.errors import UnknownHandle, UsageError
from kbagent.model.policy import Policy, PolicyParameters
from kbagent.store import adapters, models, policies
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.evaluate.history import History, load_history
from kbagent.usecases.evaluate.logged import off_policy
from kbagent.usecases.evaluate.replay import (
    Contender,
    Progress,
    Replay,
    question_places,
    replay,
)
from kbagent.usecases.reuse.boundaries import trust

SEED = 4  # of the bootstrap: the same evaluation twice gives the same intervals
NO_FEEDBACK = "no feedback"
BY_WORDS = "BM25 only"
LIVE = "live policy"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a replay says of a policy. Of no cases it says nothing.

    `standings` are the measures of each contender by name, the policy in question first;
    `differences` the policy less each other one. `answerable` of the questions had a resolution
    that worked and was known before. `off_policy` is estimated from logged lookups instead.
    """

    policy: Policy
    cases: int
    questions: int
    answerable: int
    first: datetime | None
    last: datetime | None
    standings: tuple[tuple[str, Measures], ...]
    differences: tuple[tuple[str, tuple[Comparison, ...]], ...]
    off_policy: tuple[Estimate | TooLittleData, ...]


def evaluate(
    kb: KnowledgeBase,
    version: int | None,
    progress: Progress,
    *,
    last: int | None = None,
) -> Evaluation:
    """Replay the history of a knowledge base for a policy (the live one when None).

    `last` looks up only so many of the newest cases. Nothing is logged or changed.

    Raises:
        UnknownHandle: there is no such policy.
    """
    connection = kb.connection
    live = policies.live(connection)
    policy = live if version is None else named_policy(kb, version)
    if models.active(connection) is None:
        return _of_nothing(policy)
    history = history_of(kb)
    contenders = _contenders(kb, policy, live)
    places = list(question_places(history, last))
    ran = replay(history, contenders, places, progress, trust(connection))
    first, *others = contenders
    rng = np.random.default_rng(SEED)
    mine = ran.courses[first.name].replayed
    return Evaluation(
        policy=policy,
        cases=len(history.case_ids),
        questions=len(ran.places),
        answerable=ran.answerable,
        first=history.opened[ran.places[0]] if ran.places else None,
        last=history.opened[ran.places[-1]] if ran.places else None,
        standings=tuple((one.name, measure(ran.courses[one.name].replayed)) for one in contenders),
        differences=tuple(
            (one.name, compare(mine, ran.courses[one.name].replayed, rng)) for one in others
        ),
        off_policy=off_policy(kb, policy, rng),
    )


def _of_nothing(policy: Policy) -> Evaluation:
    """The evaluation of a knowledge base in which no case is."""
    return Evaluation(policy, 0, 0, 0, None, None, (), (), ())


def named_policy(kb: KnowledgeBase, version: int) -> Policy:
    """The policy with this version.

    Raises:
        UnknownHandle: there is none.
    """
    policy = policies.by_version(kb.connection, version)
    if policy is None:
        raise UnknownHandle(handle=f"policy {version}", hint="`kbagent policy list` names them.")
    return policy


def history_of(kb: KnowledgeBase) -> History:
    """The history in vectors of the encoder that serves.

    Raises:
        UsageError: nothing was imported yet.
    """
    model = models.active(kb.connection)
    if model is None:
        raise UsageError(what="There are no cases yet. Bring some in: kbagent import FILE")
    return load_history(kb.connection, model)


def contender(kb: KnowledgeBase, name: str, policy: Policy) -> Contender:
    """A policy as it takes part in a replay: it explores nothing."""
    model = models.active(kb.connection)
    matrix = adapters.load(kb.connection, policy.parameters.adapter, model.id if model else 0)
    return Contender(name, replace(policy.parameters, exploration=False), matrix=matrix)


def baselines(parameters: PolicyParameters) -> tuple[Contender, Contender]:
    """The order without feedback (what exports say, then what is nearest), and words alone."""
    plain = replace(parameters, gate=inf, evidence_bound=0.0, exploration=False, adapter=None)
    words = replace(plain, dense_weight=0.0, closeness_weight=0.0)
    return Contender(NO_FEEDBACK, plain), Contender(BY_WORDS, words, by_words=True)


def paired(ran: Replay, one: str, other: str) -> tuple[np.ndarray, np.ndarray]:
    """(difference in success at the first place, issue) of each question, in order of time."""
    from kbagent.core.learning.replay import success_at

    difference = success_at(ran.courses[one].replayed, 1) - success_at(
        ran.courses[other].replayed, 1
    )
    return difference, np.array(ran.issues, dtype=np.int64)


def _contenders(kb: KnowledgeBase, policy: Policy, live: Policy) -> Sequence[Contender]:
    own = contender(kb, f"policy {policy.version}", policy)
    rest = [*baselines(live.parameters)]
    if policy.version != live.version:
        rest.append(contender(kb, LIVE, live))
    return [own, *rest]
