"""What the outcomes say of a resolution."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Tally:
    """Known outcomes as a weighted count, and how many of them worked (partly is one half)."""

    tried: float = 0.0
    worked: float = 0.0


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums over cells (one resolution within one issue) from which their likeness is computed.

    With n the known outcomes and s the successes of a cell: Σ1, Σn, Σn², Σs, Σs²/n.
    """

    cells: int = 0
    tried: float = 0.0
    tried_squared: float = 0.0
    worked: float = 0.0
    worked_squared_by_tried: float = 0.0


@dataclass(frozen=True, slots=True)
class Pool:
    """What all issues together say: the overall tally, that of each resolution, and κ.

    `strength` is κ, the pseudo-outcomes by which a cell is pulled to its resolution's pooled
    mean. `resolutions` needs only those that are being ranked.
    """

    overall: Tally = Tally()
    resolutions: Mapping[int, Tally] = field(default_factory=dict)
    strength: float = 4.0


@dataclass(frozen=True, slots=True)
class Break:
    """A resolution stopped working: evidence before `at` no longer counts, and is still shown.

    `noticed_at` is when the outcome happened that made it certain.
    """

    at: datetime
    worked_before: float
    tried_before: float
    worked_since: float
    tried_since: float
    noticed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the outcomes say of one resolution within one issue.

    `tried` and `worked` are plain counts of known outcomes (partly counts one half in `worked`).
    `rate` is the posterior mean in [0, 1], `interval` its central 90 % credible interval.
    `unknown` counts attempts of which no outcome is known. `within` says to which cases the
    evidence is narrowed because others differ ("version >= 128"); None: to none.
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
    within: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One resolution within one issue, ready to be ranked.

    `alpha` and `beta` > 0 are those of the posterior of its success rate, the prior included.
    `secondary` in [0, 1] is mean satisfaction and speed, None where nothing is known.
    """

    evidence: Evidence
    alpha: float
    beta: float
    secondary: float | None = None

    @property
    def resolution_id(self) -> int:
        """The resolution that this cell is about."""
        return self.evidence.resolution_id


@dataclass(frozen=True, slots=True)
class Ranked:
    """A resolution at its place in the order shown.

    `propensity` in (0, 1] is the probability with which the policy puts this resolution here,
    given those above it; `alternatives` are all that could have stood here, with propensities
    that sum to 1. `score` is the posterior mean that ranking sorts by. `overtook` says that
    evidence moved it above its place in the order of similarity, `explored` that it was sampled
    where the evidence alone would have put another, `held` that a person's decision put it here.
    """

    place: int
    cell: Cell
    score: float
    propensity: float
    alternatives: tuple[tuple[int, float], ...]
    overtook: bool = False
    explored: bool = False
    held: bool = False

    @property
    def resolution_id(self) -> int:
        """The resolution that stands here."""
        return self.cell.resolution_id
