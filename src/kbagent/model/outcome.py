"""Outcomes: the append-only ledger from which all evidence is computed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from kbagent.model.case import Verdict


class OutcomeSource(StrEnum):
    """Who says so: a person, an imported export, or a change seen between two imports."""

    EXPLICIT = "explicit"
    IMPORTED = "imported"
    INFERRED = "inferred"


REWARD: dict[Verdict, float] = {Verdict.WORKED: 1.0, Verdict.PARTLY: 0.5, Verdict.FAILED: 0.0}
"""What an outcome is worth; `UNKNOWN` has no reward because nothing was observed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One entry of the ledger; never changed, only followed by others.

    Evidence always sits on a case: `case_id` is the case the resolution was used on, or the
    shown instance it was taken from when the engineer named no case of their own. `undoes` is
    the id of the entry that this one takes back. `csat` lies in [0, 1].
    """

    id: int
    uid: str
    recorded_at: datetime
    happened_at: datetime
    case_id: int
    resolution_id: int
    verdict: Verdict
    source: OutcomeSource
    lookup_id: int | None = None
    by: str | None = None
    note: str | None = None
    reason: str | None = None
    csat: float | None = None
    minutes: float | None = None
    escalated: bool | None = None
    undoes: int | None = None


class Told(NamedTuple):
    """What ranking needs of an entry. (Issues have thousands: a tuple is made in no time.)"""

    id: int
    case_id: int
    resolution_id: int
    verdict: Verdict
    source: OutcomeSource
    happened_at: datetime
    by: str | None
    csat: float | None
    minutes: float | None


class Trial(NamedTuple):
    """What the learner sees of an outcome: which cell, what it was worth, whose vote, when.

    `reward` lies in [0, 1], `weight` ≥ 0 (the trust in its source). `facets` are those of the
    case that may change what works (version, product, os). `secondary` in [0, 1] is
    satisfaction and speed together; it breaks ties and never outvotes success.
    """

    issue_id: int
    resolution_id: int
    reward: float
    at: datetime
    id: int
    by: str | None = None
    weight: float = 1.0
    facets: tuple[tuple[str, str], ...] = ()
    secondary: float | None = None
