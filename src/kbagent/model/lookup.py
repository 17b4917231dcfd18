"""A lookup: one question asked of the knowledge base, and all that was shown."""

from dataclasses import dataclass
from datetime import datetime

from kbagent.model.case import CaseStatus
from kbagent.model.evidence import Evidence
from kbagent.model.filters import Filter


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, completely: the same request at the same `as_of` gives the same answer.

    `limit` is the number of issues shown; `everything` shows each instance of an issue.
    """

    query: str
    filters: tuple[Filter, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    sources: tuple[str, ...] = ()
    resolved: bool | None = None
    limit: int = 5
    everything: bool = False
    as_of: datetime | None = None
    policy: int | None = None
    exclude: tuple[int, ...] = ()
    offset: int = 0


@dataclass(frozen=True, slots=True)
class InstanceHit:
    """One case under an issue. `membership` says how sure it belongs there."""

    case_id: int
    ref: str
    title: str
    similarity: float
    opened_at: datetime | None
    status: CaseStatus
    membership: str = "founder"
    membership_confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class ResolutionHit:
    """One resolution under an issue, at its place. `rank` counts over the whole lookup from 1.

    `source_case` is the instance it was taken from, `propensity` the probability in (0, 1] with
    which the policy puts it at this place, `pinned` whether people put it there. `alternatives`
    are all (resolution, propensity) that could have stood here; their propensities sum to 1.
    """

    resolution_id: int
    rank: int
    text: str
    evidence: Evidence
    score: float
    propensity: float
    source_case: int
    explored: bool = False
    pinned: bool = False
    alternatives: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of an issue's score, as `--explain` prints them: enough to compute it again.

    similarity, lexical, exact and closeness are those of its nearest case (`FusedTerms` in
    `core.retrieval.fusion`); evidence is what its outcomes add. The weights lie in [0, 1].
    """

    similarity: float
    lexical: float
    exact: float
    dense_weight: float
    exact_weight: float
    closeness: float
    closeness_weight: float
    evidence: float

    @property
    def score(self) -> float:
        """(1 - e)·((1 - c)·(w·similarity + (1 - w)·lexical) + c·closeness) + e·exact + evidence.

        w, c and e are the dense, closeness and exact weights.
        """
        matched = self.dense_weight * self.similarity + (1.0 - self.dense_weight) * self.lexical
        near = (1.0 - self.closeness_weight) * matched + self.closeness_weight * self.closeness
        fused = (1.0 - self.exact_weight) * near + self.exact_weight * self.exact
        return fused + self.evidence


@dataclass(frozen=True, slots=True)
class IssueHit:
    """One problem with its instances and what was tried.

    `score` follows from `terms`, `confidence` the calibrated probability that this is the
    problem asked about.
    """

    issue_id: int
    title: str
    score: float
    confidence: float
    instance_count: int
    first_seen: datetime | None
    last_seen: datetime | None
    versions: tuple[str, ...]
    instances: tuple[InstanceHit, ...]
    resolutions: tuple[ResolutionHit, ...]
    terms: Terms


@dataclass(frozen=True, slots=True)
class LookupResult:
    """The answer to a `Request`. `hidden` counts the candidate issues below the cut."""

    handle: str
    request: Request
    confident: bool
    hidden: int
    issues: tuple[IssueHit, ...]
    policy_version: int
    notes: tuple[str, ...] = ()
    timings: tuple[tuple[str, float], ...] = ()
