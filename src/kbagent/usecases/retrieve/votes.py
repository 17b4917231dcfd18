"""Which issue the nearest candidates of a search speak for, and how clearly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kbagent.core.retrieval.fusion import FusedTerms
from kbagent.core.verification.novelty import Neighbours
from kbagent.core.verification.recognition import WIDTH, Recognised, clearness, recognise
from kbagent.store import issues
from kbagent.store.knowledge_base import KnowledgeBase

NEAREST = 20  # cases that vote


@dataclass(frozen=True, slots=True)
class Votes:
    """One vote: who won, each issue's share (largest first), whose vote each case gave.

    `clear` is the winner's share as softened log odds, `near` its nearest case's strength.
    """

    winner: Recognised
    shares: tuple[tuple[int, float], ...]
    voters: tuple[int, ...]
    clear: float
    near: float


def strength(terms: FusedTerms) -> float:
    """Similarity, in which exact identifiers weigh as they do in the fused score."""
    return (1.0 - terms.exact_weight) * terms.similarity + terms.exact_weight * terms.exact


def owners(kb: KnowledgeBase, case_ids: Sequence[int]) -> dict[int, int]:
    """The issue of each case; a case that is not placed yet is an issue of its own."""
    placed = issues.memberships(kb.connection, case_ids)
    return {one: placed[one].issue_id if one in placed else -one for one in case_ids}


def vote(terms: Sequence[FusedTerms], owner: Mapping[int, int]) -> Votes | None:
    """The vote of the strongest candidates; None without candidates."""
    if not terms:
        return None
    nearest = sorted(terms, key=lambda one: (-strength(one), one.case_id))[:NEAREST]
    return vote_of([strength(one) for one in nearest], [owner[one.case_id] for one in nearest])


def vote_of(strengths: Sequence[float], voters: Sequence[int]) -> Votes:
    """The vote of cases with these strengths, falling; both have one length, at least 1."""
    values = np.array([strengths])
    near = Neighbours(values, np.array([voters], dtype=np.int64), np.zeros_like(values))
    winner = recognise(near)[0]
    weights = np.exp((values[0] - values[0].max()) / WIDTH)
    sums: dict[int, float] = {}
    for issue, weight in zip(voters, (weights / weights.sum()).tolist(), strict=True):
        sums[issue] = sums.get(issue, 0.0) + weight
    return Votes(
        winner=winner,
        shares=tuple(sorted(sums.items(), key=lambda pair: (-pair[1], pair[0]))),
        voters=tuple(voters),
        clear=float(clearness(winner.share)),
        near=float(strengths[list(voters).index(winner.issue)]),
    )
