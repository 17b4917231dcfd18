"""Cases ranked one by one become issues: one problem appears once, with its instances under it.

An issue is as near as its best members, plus a bounded bonus for what the outcomes say of it.
Not here: what the bonus is worth (`core.learning`), and bringing the members that no list
returned (the use case expands the best issues by their links).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kbagent.core.retrieval.fusion import FusedTerms


@dataclass(frozen=True, slots=True)
class IssueHit:
    """An issue found: its members among the candidates, best first, and the terms of its score.

    match     the score of its best member alone: a rare issue with one perfect instance must not
              lose to a large one
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
    scored = sorted((-case.score, case.case_id, case) for case in cases)
    members: dict[int, list[FusedTerms]] = {}
    best: dict[int, float] = {}
    for negative, case_id, case in scored:
        issue = issue_of[case_id]
        members.setdefault(issue, []).append(case)
        best.setdefault(issue, -negative)
    hits = [IssueHit(issue, tuple(found), best[issue], 0.0) for issue, found in members.items()]
    return with_evidence(hits, evidence or {}, evidence_bound)


def with_evidence(
    hits: Sequence[IssueHit], evidence: Mapping[int, float], bound: float
) -> tuple[IssueHit, ...]:
    """The same issues with this bonus each, cut to ± `bound`; best first, ties by issue id."""
    moved = [
        replace(hit, evidence=bounded(evidence.get(hit.issue_id, 0.0), bound))
        if hit.evidence or hit.issue_id in evidence
        else hit
        for hit in hits
    ]
    return tuple(sorted(moved, key=lambda hit: (-hit.score, hit.issue_id)))


def bounded(value: float, bound: float) -> float:
    """`value` cut to [-bound, bound].

    >>> bounded(0.2, 0.03), bounded(-1.0, 0.03), bounded(0.01, 0.03)
    (0.03, -0.03, 0.01)
    """
    return max(-bound, min(bound, value))
