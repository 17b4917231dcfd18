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
    which the policy puts it at this place, `pinned` whether people put it there.
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


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a score, as `--explain` prints it: `value` × `weight` is what it adds."""

    name: str
    value: float
    weight: float


@dataclass(frozen=True, slots=True)
class IssueHit:
    """One problem with its instances and what was tried.

    `score` is the sum of `terms`, `confidence` the calibrated probability that this is the
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
    terms: tuple[Term, ...]


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
