"""What the outcomes say of a resolution."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Break:
    """A resolution stopped working: evidence before `at` no longer counts, and is still shown."""

    at: datetime
    worked_before: float
    tried_before: float
    worked_since: float
    tried_since: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the outcomes say of one resolution within one issue.

    `tried` and `worked` are plain counts of known outcomes (partly counts one half in `worked`).
    `rate` is the posterior mean in [0, 1], `interval` its central 90 % credible interval.
    `unknown` counts attempts of which no outcome is known.
    """

    resolution_id: int
    tried: float
    worked: float
    rate: float
    interval: tuple[float, float]
    unknown: int = 0
    last_worked: datetime | None = None
    versions: tuple[str, ...] = ()
    broke: Break | None = None
