"""Ranking: the resolutions of one issue, ordered by evidence within the limits people set.

The seam between search and learning: cells come in the order of similarity (the order without
feedback) and go out in the order to show, each with the propensity of its place. Places are
filled one after another: the base is the first that is left in the order of similarity, and a
resolution may stand before it only if it beats it by more than the gate. Without exploration
the best posterior mean among those is taken; with it, one is drawn by its share in Thompson
sampling among those that may be explored (`choice.exploring_shares`). The draw
is made from the computed shares, so the propensity that is logged is exact.

It does not order issues among each other, except for the small bounded shift `issue_shift`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from kbagent.core.learning.choice import exploring_shares, gate_score
from kbagent.model.evidence import Cell, Ranked
from kbagent.model.policy import Limits, PolicyParameters

TIE = 2  # decimals of the posterior mean within which secondary rewards decide
NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class _Entry:
    """A cell with its place in the order of similarity and its posterior for ranking."""

    index: int
    cell: Cell
    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        return self.alpha / (self.alpha + self.beta)


def rank(
    cells: Sequence[Cell],
    parameters: PolicyParameters,
    rng: "np.random.Generator | None" = None,
    limits: Limits = NO_LIMITS,
    *,
    most: int | None = None,
) -> tuple[Ranked, ...]:
    """The cells in the order to show; the same input, rng state included, gives the same output.

    `cells` stand in the order of similarity. Without `parameters.exploration` or without `rng`
    nothing is sampled and every propensity is 1. Equal posterior means (to 0.01) are ordered by
    the secondary reward, then by the mean, then by similarity. No cells, no result. With `most`
    only so many places are worked out: the same as the first of all.
    """
    sampler = rng if parameters.exploration and limits.frozen is None else None
    displacement = limits.max_displacement if limits.frozen is None else 0
    by_id = {cell.resolution_id: cell for cell in cells}
    set_first = [by_id[one] for one in _set_first(limits) if one in by_id]
    ids_set = {cell.resolution_id for cell in set_first}
    rest = [
        cell
        for cell in cells
        if cell.resolution_id not in ids_set and cell.resolution_id not in limits.forbidden
    ]
    current = [cell for cell in rest if cell.resolution_id not in limits.deprecated]
    deprecated = [cell for cell in rest if cell.resolution_id in limits.deprecated]
    first = cells[0].resolution_id if cells else None
    free = [
        _Entry(index, cell, _alpha(cell, parameters, first=cell.resolution_id == first), cell.beta)
        for index, cell in enumerate(current)
    ]
    held_first = [_held(place, cell) for place, cell in enumerate(set_first)]
    places = len(free) if most is None else min(len(free), max(0, most - len(set_first)))
    ordered = _order(free, parameters, sampler, displacement, len(set_first), places)
    taken = len(set_first) + len(current)
    held_last = [_held(taken + place, cell) for place, cell in enumerate(deprecated)]
    return (*held_first, *ordered, *held_last)[:most]


def issue_shift(ranked: Sequence[Ranked], overall: float, bound: float) -> float:
    """How much evidence moves an issue's score among other issues, in [−bound, bound].

    bound·(μ − ḡ)·n/(n + 4) of its first resolution: nothing without outcomes (n = 0), and never
    more than the bound, so that similarity decides between issues and evidence between equals.
    μ lies in [0, 1], so no two shifts under one ḡ differ by more than the bound: an issue that is
    further behind another in similarity can never overtake it.
    """
    if not ranked:
        return 0.0
    evidence = ranked[0].cell.evidence
    trust = evidence.tried / (evidence.tried + 4.0)
    return bound * max(-1.0, min(1.0, (evidence.rate - overall) * trust))


def _set_first(limits: Limits) -> list[int]:
    """What people put first, in their order: pinned ones, then those of a frozen issue."""
    frozen = [one for one in limits.frozen or () if one not in limits.deprecated]
    ordered = dict.fromkeys((*limits.pinned, *frozen))
    return [one for one in ordered if one not in limits.forbidden]


def _alpha(cell: Cell, parameters: PolicyParameters, *, first: bool) -> float:
    return cell.alpha + (parameters.choice_bonus if first else 0.0)


def _order(
    entries: list[_Entry],
    parameters: PolicyParameters,
    rng: "np.random.Generator | None",
    max_displacement: int | None,
    offset: int,
    places: int,
) -> list[Ranked]:
    remaining = list(entries)
    kinds = Counter((entry.alpha, entry.beta) for entry in entries)
    overtaken: dict[tuple[float, float], bool] = {}  # of each posterior, while the same are left
    ordered: list[Ranked] = []
    for place in range(places):
        entry = remaining[0]
        kind = entry.alpha, entry.beta
        if kind not in overtaken:
            overtaken[kind] = _overtaken(entry, kinds, parameters.gate)
        if rng is None and not overtaken[kind]:
            ranked = _settled(offset + place, entry)
            del remaining[0]
        else:
            candidates = _within_reach(remaining, place, max_displacement)
            ranked = _choose(candidates, parameters, rng, place, offset)
            entry = next(e for e in candidates if e.cell is ranked.cell)
            remaining = [e for e in remaining if e is not entry]
        kinds[entry.alpha, entry.beta] -= 1
        if kinds[entry.alpha, entry.beta] < 2:
            overtaken.clear()
        ordered.append(ranked)
    return ordered


def _overtaken(base: _Entry, kinds: Mapping[tuple[float, float], int], gate: float) -> bool:
    """Whether any posterior that is left passes the gate against that of `base`."""
    base_variance = base.mean * (1.0 - base.mean) / (base.alpha + base.beta + 1.0)
    for (alpha, beta), left in kinds.items():
        mean = alpha / (alpha + beta)
        variance = mean * (1.0 - mean) / (alpha + beta + 1.0)
        same = (alpha, beta) == (base.alpha, base.beta)  # 0 against itself, which a gate < 0 lets
        if left > same and (mean - base.mean) / sqrt(variance + base_variance) > gate:
            return True
    return False


def _settled(place: int, entry: _Entry) -> Ranked:
    """The place of what stands there with certainty."""
    certain = ((entry.cell.resolution_id, 1.0),)
    return Ranked(place, entry.cell, entry.mean, propensity=1.0, alternatives=certain)


def _within_reach(
    remaining: list[_Entry], place: int, max_displacement: int | None
) -> list[_Entry]:
    """Those that may stand here; only one when it would otherwise fall too far.

    Deadlines (index + limit) are distinct, so that meeting each as it falls due always works.
    """
    if max_displacement is None:
        return remaining
    if remaining[0].index + max_displacement <= place:
        return remaining[:1]
    return [e for e in remaining if e.index - place <= max_displacement]


def _choose(
    candidates: list[_Entry],
    parameters: PolicyParameters,
    rng: "np.random.Generator | None",
    place: int,
    offset: int,
) -> Ranked:
    alpha = np.array([e.alpha for e in candidates])
    beta = np.array([e.beta for e in candidates])
    overtaking = gate_score(alpha, beta, np.array(0)) > parameters.gate
    overtaking[0] = True
    best = max(
        (i for i in range(len(candidates)) if overtaking[i]),
        key=lambda i: _preference(candidates[i]),
    )
    chosen, shares = best, np.eye(len(candidates))[best]
    if rng is not None:
        outcomes = np.array(sum(e.cell.evidence.tried for e in candidates))
        shares = exploring_shares(
            alpha, beta, outcomes, parameters.exploration_reach, parameters.exploration_floor
        )
        chosen = int(np.searchsorted(np.cumsum(shares), rng.random(), side="right"))
        chosen = min(chosen, int(np.flatnonzero(shares)[-1]))
    entry = candidates[chosen]
    return Ranked(
        place=offset + place,
        cell=entry.cell,
        score=entry.mean,
        propensity=float(shares[chosen]),
        alternatives=tuple(
            (e.cell.resolution_id, float(share))
            for e, share in zip(candidates, shares, strict=True)
            if share > 0.0
        ),
        overtook=chosen > 0,
        explored=chosen != best,
    )


def _preference(entry: _Entry) -> tuple[float, float, float, int]:
    secondary = 0.5 if entry.cell.secondary is None else entry.cell.secondary
    return (round(entry.mean, TIE), secondary, entry.mean, -entry.index)


def _held(place: int, cell: Cell) -> Ranked:
    """A place that a person decided: certain, and not learned."""
    return Ranked(
        place=place,
        cell=cell,
        score=cell.evidence.rate,
        propensity=1.0,
        alternatives=((cell.resolution_id, 1.0),),
        held=True,
    )
