"""A support case: as an export tells it, and as the knowledge base keeps it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """What became of one attempt; `UNKNOWN` is missing data, never a failure."""

    WORKED = "worked"
    PARTLY = "partly"
    FAILED = "failed"
    UNKNOWN = "unknown"


class CaseStatus(StrEnum):
    """Where a case stands, in the four words that all ticket systems share."""

    OPEN = "open"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    UNKNOWN = "unknown"


class LinkKind(StrEnum):
    """What an explicit link between two cases says."""

    DUPLICATE = "duplicate"
    SAME_ISSUE = "same_issue"
    RELATED = "related"
    NOT_SAME = "not_same"


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One resolution that was tried on a case, as the export tells it.

    `code` is a canonical fix code of the export (ServiceNow close_code), `steps` the ordered
    steps where the export keeps them apart.
    """

    text: str
    verdict: Verdict = Verdict.UNKNOWN
    at: datetime | None = None
    by: str | None = None
    code: str | None = None
    external_id: str | None = None
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """A link that an export states: this case and `external_id` of the same source."""

    kind: LinkKind
    external_id: str


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """One case as an export tells it, ready to be retained.

    `facets` keeps every column that has no field of its own, as text, one pair per value (a
    name may occur several times). `csat` lies in [0, 1], `minutes` is the time to resolve in
    minutes. Datetimes are aware and in UTC. `place` says where in the file the case stands
    ("tickets.csv line 17"), for messages.
    """

    source: str
    external_id: str
    title: str
    body: str = ""
    status: CaseStatus = CaseStatus.UNKNOWN
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    url: str | None = None
    facets: tuple[tuple[str, str], ...] = ()
    attempts: tuple[AttemptRecord, ...] = ()
    links: tuple[LinkRecord, ...] = ()
    csat: float | None = None
    minutes: float | None = None
    escalated: bool | None = None
    place: str = ""

    @property
    def ref(self) -> str:
        """`source:external_id`, the name of the case everywhere outside the database."""
        return f"{self.source}:{self.external_id}"


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that could not become a case: where, which field, why, and the row itself."""

    place: str
    field: str
    reason: str
    row: str


@dataclass(frozen=True, slots=True)
class Case:
    """A case as the knowledge base keeps it."""

    id: int
    source: str
    external_id: str
    title: str
    body: str
    status: CaseStatus
    opened_at: datetime | None
    closed_at: datetime | None
    url: str | None
    csat: float | None
    minutes: float | None
    escalated: bool | None
    issue_id: int
    recorded_at: datetime
    withdrawn_at: datetime | None = None

    @property
    def ref(self) -> str:
        """`source:external_id`, the name of the case everywhere outside the database."""
        return f"{self.source}:{self.external_id}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A resolution tried on a case, as the knowledge base keeps it; `ordinal` counts from 0."""

    id: int
    case_id: int
    resolution_id: int
    ordinal: int
    verdict: Verdict
    at: datetime | None
    by: str | None


class Tried(NamedTuple):
    """What ranking needs of an attempt. (Issues have thousands: a tuple is made in no time.)"""

    case_id: int
    resolution_id: int
    ordinal: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Resolution:
    """One approach to a problem, shared by every case on which it was tried.

    `canonical_id` is the approach this text counts as (its own id unless it was grouped).
    """

    id: int
    text: str
    code: str | None
    canonical_id: int
