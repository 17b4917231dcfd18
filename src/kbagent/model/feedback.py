"""Feedback as it is given, and what it changed."""

from dataclasses import dataclass
from datetime import datetime

from kbagent.model.case import Verdict
from kbagent.model.evidence import Break


@dataclass(frozen=True, slots=True)
class Remark:
    """What goes with a verdict. `csat` lies in [0, 1], `minutes` ≥ 0; `at` is when it happened."""

    by: str | None = None
    note: str | None = None
    csat: float | None = None
    minutes: float | None = None
    escalated: bool | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """An outcome that was recorded: on which case, for which resolution, and how it stands now.

    `tried` and `worked` are the approach's counts within the issue, this outcome included.
    `broke` says that it has stopped working there; older evidence no longer ranks it.
    """

    outcome_id: int
    verdict: Verdict
    resolution_id: int
    text: str
    case_ref: str
    new_case: bool
    lookup: str | None
    tried: float
    worked: float
    broke: Break | None = None


@dataclass(frozen=True, slots=True)
class FeedbackImport:
    """What an import of outcomes did; `rejects` are (line, field, reason)."""

    read: int
    recorded: int
    known: int
    rejects: tuple[tuple[int, str, str], ...]
