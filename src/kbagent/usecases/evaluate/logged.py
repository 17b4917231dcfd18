"""Off-policy estimates from logged lookups: what another policy would have earned.

A round is a lookup of which an outcome is known for the resolution it showed first. The context
is the issue shown first, the actions are its resolutions; how the issue came to be first is
not questioned. The other policy's distribution is worked out as of the moment of the lookup, from
the candidates that were logged with it.
"""

import json
from dataclasses import dataclass

import numpy as np

from kbagent.core.learning.offpolicy import Estimate, Estimator, Rounds, TooLittleData, evaluate
from kbagent.model.outcome import REWARD
from kbagent.model.policy import Policy
from kbagent.store import issues, lookups
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.lookups import Lookup, Showing
from kbagent.usecases.reuse.approaches import approaches
from kbagent.usecases.reuse.boundaries import limits_of, trust
from kbagent.usecases.reuse.evidence import experience


@dataclass(frozen=True, slots=True)
class Round:
    """One logged round: which resolution was first, what came of it, and what could have been.

    `shares` is the evaluation policy's distribution over the resolutions.
    """

    issue_id: int
    resolution_id: int
    reward: float
    pscore: float
    shares: tuple[tuple[int, float], ...]


def off_policy(
    kb: KnowledgeBase, policy: Policy, rng: np.random.Generator
) -> tuple[Estimate | TooLittleData, ...]:
    """IPS, SNIPS and DR of a policy from what was logged, or that there is too little."""
    found = rounds_of(kb, policy)
    return tuple(evaluate(as_arrays(found), estimator, rng) for estimator in Estimator)


def rounds_of(kb: KnowledgeBase, policy: Policy) -> list[Round]:
    """The logged rounds in order of time."""
    rounds = []
    for lookup, showing, reward in _rewarded(kb):
        shares = _shares(kb, policy, lookup, showing)
        if shares and showing.resolution_id is not None and showing.propensity:
            rounds.append(
                Round(showing.issue_id, showing.resolution_id, reward, showing.propensity, shares)
            )
    return rounds


def as_arrays(rounds: list[Round]) -> Rounds:
    """The rounds as padded arrays, the action that was taken among the alternatives."""
    options = [sorted({one for one, _ in r.shares} | {r.resolution_id}) for r in rounds]
    width = max((len(some) for some in options), default=1)
    ids = np.full((len(rounds), width), -1, dtype=np.int64)
    dist = np.zeros((len(rounds), width))
    for row, (one, some) in enumerate(zip(rounds, options, strict=True)):
        ids[row, : len(some)] = some
        shares = dict(one.shares)
        dist[row, : len(some)] = [shares.get(option, 0.0) for option in some]
    taken = [some.index(r.resolution_id) for r, some in zip(rounds, options, strict=True)]
    return Rounds(
        context=np.array([r.issue_id for r in rounds], dtype=np.int64),
        action=np.array(taken, dtype=np.int64),
        reward=np.array([r.reward for r in rounds], dtype=np.float64),
        pscore=np.array([r.pscore for r in rounds], dtype=np.float64),
        action_dist=dist,
        action_id=ids,
    )


def _rewarded(kb: KnowledgeBase) -> list[tuple[Lookup, Showing, float]]:
    """Lookups with an outcome, that stands, of the resolution shown first."""
    found = []
    for lookup_id, verdicts in lookups.verdicts_by_lookup(kb.connection).items():
        lookup = lookups.by_id(kb.connection, lookup_id)
        shown = lookups.showings(kb.connection, lookup_id)
        first = next((one for one in shown if one.rank == 1), None)
        if lookup is None or first is None or first.resolution_id not in verdicts:
            continue
        found.append((lookup, first, REWARD[verdicts[first.resolution_id]]))
    return found


def _shares(
    kb: KnowledgeBase, policy: Policy, lookup: Lookup, showing: Showing
) -> tuple[tuple[int, float], ...]:
    """With which probability the policy would have put each resolution first, at that moment."""
    connection = kb.connection
    members = issues.members(connection, showing.issue_id, as_of=lookup.at)
    near = {int(row[0]): float(row[1]) for row in json.loads(lookup.candidates).get("best", [])}
    known = experience(
        connection,
        dict.fromkeys(members, showing.issue_id),
        as_of=lookup.at,
        strength=policy.parameters.prior_strength,
        weights=trust(connection, as_of=lookup.at),
    )
    ranked = approaches(
        showing.issue_id,
        {one: near.get(one, 0.0) for one in members},
        known,
        policy.parameters,
        rng=np.random.default_rng(lookup.id),
        limits=limits_of(connection, showing.issue_id, as_of=lookup.at),
    )
    return ranked[0].ranked.alternatives if ranked else ()
