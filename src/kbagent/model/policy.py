"""A policy: the versioned set of parameters by which a lookup is ranked.

Every parameter is used somewhere and has a test in which it changes the result. People's
decisions (pins, limits) are not parameters: they outrank all of this and live in `decisions`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PolicyParameters:
    """How retrieval fuses and how evidence re-ranks.

    dense_weight      share of the dense similarity in the fused score, [0, 1]
    closeness_weight  share of what the candidates say of each other in a score, [0, 1]
    evidence_bound    the most that evidence may move an issue's score, ≥ 0
    gate              z threshold that a resolution must exceed to overtake, ≥ 0 (0.84 cautious)
    choice_bonus      pseudo-successes for similarity's first choice
    pool_strength     pseudo-counts that pull a resolution's mean to the overall mean
    prior_strength    κ, pseudo-outcomes that pull a cell to its resolution's pooled mean, > 0
    exploration       sample among the allowed resolutions instead of taking the best
    exploration_reach how far below the leader an alternative may be sampled, ≥ 0 (deviations)
    exploration_floor uniform floor ε of each place's propensity when exploring
    votes_per_source  how many outcomes of one person on one issue count
    confident_at      confidence from which an answer is called confident, [0, 1]
    platt             (slope, intercept) from an issue's margin to its confidence
    adapter           name of the learned matrix that turns every vector; None: vectors as they are
    """

    dense_weight: float = 0.65
    closeness_weight: float = 0.25
    evidence_bound: float = 0.03
    gate: float = 0.84
    choice_bonus: float = 2.0
    pool_strength: float = 10.0
    prior_strength: float = 4.0
    exploration: bool = False
    exploration_reach: float = 1.5
    exploration_floor: float = 0.02
    votes_per_source: int = 2
    confident_at: float = 0.5
    platt: tuple[float, float] = (18.65, -9.45)
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """A stored policy; `version` 1 is the default every knowledge base starts with."""

    version: int
    name: str
    parent: int | None
    parameters: PolicyParameters


@dataclass(frozen=True, slots=True)
class Limits:
    """What people decided about the resolutions of an issue; nothing learned crosses it.

    `pinned` come first, in this order. `forbidden` are never shown. `deprecated` come after all
    others. No resolution moves more than `max_displacement` places from the order of similarity
    of those that are neither; None: any number of places. In a `frozen` issue these come, in this
    order, after what is pinned, and nothing learned moves the others; None: it is not frozen.
    """

    pinned: tuple[int, ...] = ()
    forbidden: frozenset[int] = frozenset()
    deprecated: frozenset[int] = frozenset()
    max_displacement: int | None = None
    frozen: tuple[int, ...] | None = None
