"""Cases ranked one by one become issues: one problem appears once, with its instances under it.

An issue is as near as its best members, plus a bounded bonus for what the outcomes say of it.
Not here: what the bonus is worth (`core.learning`), and bringing the members that no list
returned (the use case expands the best issues by their links).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from kbagent.core.retrieval.fusion import FusedTerms


@dataclass(frozen=True, slots=True)
class IssueHit:
    """An issue found: its members among the candidates, best first, and the terms of its score.

    match     what its members' scores say, the score of the best one
    evidence  what its outcomes add, within ± the policy's bound
    """

    issue_id: int
    members: tuple[FusedTerms, ...]
    match: float
    evidence: float

    @property
    def score(self) -> float:
        """match + evidence."""
        return self.match + self.evidence


def group_by_issue(
    cases: Sequence[FusedTerms],
    issue_of: Mapping[int, int],
    *,
    evidence: Mapping[int, float] | None = None,
    evidence_bound: float = 0.0,
) -> tuple[IssueHit, ...]:
    """The issues of these cases, best first, ties by issue id.

    `issue_of` names every case's issue. `evidence` has each issue's bonus (or malus), cut to
    ± `evidence_bound`; an issue without an entry has 0. No cases: empty.

    Raises:
        KeyError: a case has no issue.
    """
    members: dict[int, list[FusedTerms]] = {}
    for case in sorted(cases, key=lambda case: (-case.score, case.case_id)):
        members.setdefault(issue_of[case.case_id], []).append(case)
    hits = [
        IssueHit(
            issue_id=issue,
            members=tuple(found),
            match=issue_match([case.score for case in found]),
            evidence=bounded((evidence or {}).get(issue, 0.0), evidence_bound),
        )
        for issue, found in members.items()
    ]
    return tuple(sorted(hits, key=lambda hit: (-hit.score, hit.issue_id)))


def issue_match(scores: Sequence[float]) -> float:
    """How near an issue is whose members found have these scores (descending, not empty).

    The best member alone: a rare issue with one perfect instance must not lose to a large one.
    """
    if not scores or any(low > high for high, low in pairwise(scores)):
        raise ValueError("scores must be given, in descending order")
    return scores[0]


def bounded(value: float, bound: float) -> float:
    """`value` cut to [-bound, bound].

    >>> bounded(0.2, 0.03), bounded(-1.0, 0.03), bounded(0.01, 0.03)
    (0.03, -0.03, 0.01)
    """
    return max(-bound, min(bound, value))
