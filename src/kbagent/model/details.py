"""What `show` tells of one thing, in full."""

from dataclasses import dataclass
from datetime import datetime

from kbagent.model.case import Attempt, Case, Resolution
from kbagent.model.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person put right, in which columns; `overtaken` are those the source changed since."""

    number: int
    at: datetime
    by: str | None
    columns: tuple[str, ...]
    overtaken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseDetails:
    """A case with its columns, what was tried on it, its issue and who else is in it."""

    case: Case
    facets: tuple[tuple[str, str], ...]
    attempts: tuple[tuple[Attempt, str], ...]
    outcomes: tuple[Outcome, ...]
    issue_title: str
    membership: str
    siblings: tuple[str, ...]
    versions_kept: int
    corrections: tuple[Correction, ...] = ()


@dataclass(frozen=True, slots=True)
class IssueUse:
    """How a resolution did within one issue, by plain count."""

    issue_id: int
    title: str
    tried: float
    worked: float


@dataclass(frozen=True, slots=True)
class ResolutionDetails:
    """A resolution with its wordings, the issues it was tried on, and its cases."""

    resolution: Resolution
    wordings: tuple[Resolution, ...]
    uses: tuple[IssueUse, ...]
    cases: tuple[tuple[str, str, datetime | None], ...]
    tried: float
    worked: float
    corrections: tuple[Correction, ...] = ()


@dataclass(frozen=True, slots=True)
class IssueDetails:
    """An issue with its instances, oldest first; each with why it belongs there.

    `frozen` is since when people keep what is learned from moving it, and in which order.
    """

    issue_id: int
    title: str
    instances: tuple[tuple[Case, str, float], ...]
    uses: tuple[tuple[Resolution, float, float, int], ...]
    frozen: tuple[datetime, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class LookupDetails:
    """A lookup as it was shown, and what was said of it since."""

    handle: str
    kind: str
    at: datetime
    query: str
    policy_version: int
    confident: bool
    by: str | None
    shown: tuple[tuple[int | None, int, str, float, float | None], ...]
    outcomes: tuple[Outcome, ...]
