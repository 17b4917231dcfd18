"""Which issue the nearest candidates of a search speak for, and how clearly.

Relatives (`retain.relatives`), issues that are nearly one, speak for the one of them that most
cases are of: an answer for one of them is an answer for all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kbagent.core.retrieval.fusion import FusedTerms
from kbagent.core.verification.novelty import Neighbours
from kbagent.core.verification.recognition import WIDTH, Recognised, clearness, recognise
from kbagent.store import issues
from kbagent.store.knowledge_base import KnowledgeBase

NEAREST = 20  # cases that vote

Relatives = Mapping[int, frozenset[int]]
"""issue → the issues that are nearly one with it; not transitive."""

ALONE: Relatives = {}
"""No issue has relatives."""


@dataclass(frozen=True, slots=True)
class Votes:
    """One vote: who won, each issue's share (largest first), whose vote each case gave.

    `clear` is the winner's share as softened log odds, `near` its nearest case's strength.
    `family` are the issues that the winner speaks for, itself first, with their own shares.
    """

    winner: Recognised
    shares: tuple[tuple[int, float], ...]
    voters: tuple[int, ...]
    clear: float
    near: float
    family: tuple[tuple[int, float], ...]

    def spoken_by(self, issue_id: int) -> "Votes":
        """The same vote, named by another member of the winner's family."""
        former = self.winner.issue
        return replace(
            self,
            winner=replace(self.winner, issue=issue_id),
            shares=tuple((issue_id if one == former else one, x) for one, x in self.shares),
            voters=tuple(issue_id if one == former else one for one in self.voters),
        )


def related(pairs: Sequence[Sequence[int]]) -> Relatives:
    """Relatives from pairs.

    >>> related([(1, 2), (2, 3)]) == {1: {2}, 2: {1, 3}, 3: {2}}
    True
    """
    found: dict[int, set[int]] = {}
    for one, other in pairs:
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return {one: frozenset(others) for one, others in found.items()}


def strength(terms: FusedTerms) -> float:
    """Similarity, in which exact identifiers weigh as they do in the fused score."""
    return (1.0 - terms.exact_weight) * terms.similarity + terms.exact_weight * terms.exact


def owners(kb: KnowledgeBase, case_ids: Sequence[int]) -> dict[int, int]:
    """The issue of each case; a case that is not placed yet is an issue of its own."""
    placed = issues.memberships(kb.connection, case_ids)
    return {one: placed[one].issue_id if one in placed else -one for one in case_ids}


def vote(
    terms: Sequence[FusedTerms], owner: Mapping[int, int], relatives: Relatives = ALONE
) -> Votes | None:
    """The vote of the strongest candidates; None without candidates."""
    if not terms:
        return None
    nearest = sorted(terms, key=lambda one: (-strength(one), one.case_id))[:NEAREST]
    voters = [owner[one.case_id] for one in nearest]
    return vote_of([strength(one) for one in nearest], voters, relatives)


def vote_of(
    strengths: Sequence[float], voters: Sequence[int], relatives: Relatives = ALONE
) -> Votes:
    """The vote of cases with these strengths, falling; both have one length, at least 1."""
    values = np.array([strengths])
    weights = np.exp((values[0] - values[0].max()) / WIDTH)
    own = _sums(voters, (weights / weights.sum()).tolist())
    spoken = _spoken(voters, own, relatives) if relatives else tuple(voters)
    near = Neighbours(values, np.array([spoken], dtype=np.int64), np.zeros_like(values))
    winner = recognise(near)[0]
    head = winner.issue
    whole: dict[int, float] = {}
    for issue, share in own.items():
        speaker = spoken[list(voters).index(issue)]
        whole[speaker] = whole.get(speaker, 0.0) + share
    return Votes(
        winner=winner,
        shares=_falling(whole),
        voters=spoken,
        clear=float(clearness(winner.share)),
        near=float(strengths[spoken.index(head)]),
        family=_falling(
            {one: own[one] for one, who in zip(voters, spoken, strict=True) if who == head}
        ),
    )


def _spoken(
    voters: Sequence[int], own: Mapping[int, float], relatives: Relatives
) -> tuple[int, ...]:
    """Whom each voter speaks for, once the family with the most votes counts as one.

    A family is an issue with its relatives; its member with the most votes of its own names it.
    Ties go to the lower id.
    """
    families = {one: relatives.get(one, frozenset()) | {one} for one in own}
    whole = {one: sum(own.get(x, 0.0) for x in family) for one, family in families.items()}
    family = families[min(own, key=lambda one: (-whole[one], one))]
    head = min(family & own.keys(), key=lambda one: (-own[one], one))
    return tuple(head if one in family else one for one in voters)


def _sums(voters: Sequence[int], weights: Sequence[float]) -> dict[int, float]:
    sums: dict[int, float] = {}
    for issue, weight in zip(voters, weights, strict=True):
        sums[issue] = sums.get(issue, 0.0) + weight
    return sums


def _falling(shares: Mapping[int, float]) -> tuple[tuple[int, float], ...]:
    return tuple(sorted(shares.items(), key=lambda pair: (-pair[1], pair[0])))
