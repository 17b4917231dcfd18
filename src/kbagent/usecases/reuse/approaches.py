"""The resolutions of one issue in the order to show."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kbagent.core.learning.evidence import weigh
from kbagent.core.learning.ranking import NO_LIMITS, rank
from kbagent.model.case import Verdict
from kbagent.model.evidence import Cell, Ranked
from kbagent.model.policy import Limits, PolicyParameters
from kbagent.usecases.reuse.evidence import Experience

_TOLD_ORDER = {Verdict.WORKED: 0, Verdict.PARTLY: 1, Verdict.UNKNOWN: 2, Verdict.FAILED: 3}


@dataclass(frozen=True, slots=True)
class Approach:
    """A resolution at its place, and the nearest case on which it was tried."""

    ranked: Ranked
    text: str
    source_case: int
    similarity: float


def approaches(
    issue_id: int,
    similarity: Mapping[int, float],
    known: Experience,
    parameters: PolicyParameters,
    *,
    facets: tuple[tuple[str, str], ...] = (),
    rng: "np.random.Generator | None" = None,
    limits: Limits = NO_LIMITS,
    most: int | None = None,
    weighed: dict[int, Mapping[int, Cell]] | None = None,
) -> tuple[Approach, ...]:
    """Every resolution tried on an issue, best first.

    `similarity` gives that of each of the issue's cases to the query. The order without feedback
    is: what the export itself calls worked, then what is unknown, then what only failed; within
    that by the nearest case on which it was tried. Feedback moves resolutions from there, as far
    as the policy's gate lets it. With `most` only so many are worked out. `weighed` remembers the
    cells of each issue, which do not depend on the query, for as long as all else stays the same.
    """
    nearest: dict[int, tuple[float, int, int]] = {}
    for attempt in known.attempts.get(issue_id, ()):
        near = (-similarity.get(attempt.case_id, 0.0), attempt.case_id, attempt.ordinal)
        nearest[attempt.resolution_id] = min(near, nearest.get(attempt.resolution_id, near))
    order = sorted(
        nearest,
        key=lambda one: (
            _TOLD_ORDER[known.told.get((issue_id, one), Verdict.UNKNOWN)],
            nearest[one],
            one,
        ),
    )
    kept = {} if weighed is None else weighed
    if issue_id not in kept:
        made = weigh(
            known.trials.get(issue_id, ()),
            order,
            known.pool,
            parameters,
            facets=facets,
            unknown={one: known.unknown.get((issue_id, one), 0) for one in order},
        )
        kept[issue_id] = {cell.resolution_id: cell for cell in made}
    cells = [kept[issue_id][one] for one in order]
    return tuple(
        Approach(
            ranked=ranked,
            text=known.texts[ranked.resolution_id],
            source_case=nearest[ranked.resolution_id][1],
            similarity=-nearest[ranked.resolution_id][0],
        )
        for ranked in rank(cells, parameters, rng, limits, most=most)
    )
