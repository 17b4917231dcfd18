"""Evidence: what the outcomes of one issue say of each resolution.

Turns trials into cells: trust (how many votes of one source count), narrowing by facets, change
detection, posterior. The caller leaves out outcomes that were undone and passes 'worked' as
failed where the case was reopened. It knows nothing of similarity but the order it is given.

Method: the learning issue. Cell (issue, resolution) with weighted successes s and failures f;
posterior α = s + κ·m_r, β = f + κ·(1 − m_r). Similarity's first choice gets its bonus when it
is ranked, not here: what is shown as rate is evidence alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from kbagent.core.learning import beta
from kbagent.core.learning.change import follow
from kbagent.core.learning.facets import Facets, narrowed, versions_of
from kbagent.core.learning.pooling import pooled_mean
from kbagent.model.evidence import Cell, Evidence, Pool
from kbagent.model.outcome import Trial
from kbagent.model.policy import PolicyParameters


def counted(trials: Iterable[Trial], votes_per_source: int) -> tuple[Trial, ...]:
    """The trials that count, in order of time (ties by id).

    Of the votes of one source (`by`) on one issue the latest `votes_per_source` count: people
    learn, and nobody outvotes the others by repetition. Trials without a source all count.
    """
    votes: dict[tuple[int, str], int] = defaultdict(int)
    kept = []
    for trial in sorted(trials, key=lambda t: (t.at, t.id), reverse=True):
        if trial.by is not None:
            votes[trial.issue_id, trial.by] += 1
            if votes[trial.issue_id, trial.by] > votes_per_source:
                continue
        kept.append(trial)
    return tuple(reversed(kept))


def weigh(
    trials: Sequence[Trial],
    order: Sequence[int],
    pool: Pool,
    parameters: PolicyParameters,
    *,
    facets: Facets = (),
    unknown: Mapping[int, int] | None = None,
) -> tuple[Cell, ...]:
    """One cell for each resolution in `order` (ids, best similarity first), in that order.

    trials   all outcomes of the one issue that is being ranked, in any order; those of
             resolutions that are not in `order` only use up their source's votes
    facets   of the query: (name, value) pairs that may change what works
    unknown  attempts of which no outcome is known, by resolution; only shown, never weighed
    """
    by_resolution: dict[int, list[Trial]] = defaultdict(list)
    for trial in counted(trials, parameters.votes_per_source):
        by_resolution[trial.resolution_id].append(trial)
    missing = unknown or {}
    return tuple(
        _cell(
            resolution_id,
            by_resolution[resolution_id],
            pooled_mean(pool, resolution_id, parameters.pool_strength),
            pool.strength,
            facets,
            missing.get(resolution_id, 0),
        )
        for resolution_id in order
    )


def _cell(
    resolution_id: int,
    trials: Sequence[Trial],
    prior_mean: float,
    prior_strength: float,
    facets: Facets,
    unknown: int,
) -> Cell:
    if not trials:
        return _untried(resolution_id, prior_mean, prior_strength, unknown)
    ours, within = narrowed(trials, facets, prior_mean, prior_strength)
    followed = follow(ours, prior_mean, prior_strength)
    current = ours[followed.begin :]
    alpha = followed.worked + prior_strength * prior_mean
    beta_ = followed.tried - followed.worked + prior_strength * (1.0 - prior_mean)
    shown_tried, shown_worked = _plain_counts(current)
    evidence = Evidence(
        resolution_id=resolution_id,
        tried=shown_tried,
        worked=shown_worked,
        rate=beta.mean(alpha, beta_),
        interval=beta.interval(alpha, beta_),
        unknown=unknown,
        last_worked=max((t.at for t in trials if t.reward > 0.0), default=None),
        versions=versions_of(trials),
        broke=followed.broke,
        within=within,
    )
    return Cell(evidence=evidence, alpha=alpha, beta=beta_, secondary=_secondary(current))


def _untried(resolution_id: int, prior_mean: float, prior_strength: float, unknown: int) -> Cell:
    """The cell of no trials: the prior alone. Most cells are such, so it has a short way."""
    alpha, beta_ = prior_strength * prior_mean, prior_strength * (1.0 - prior_mean)
    rate, interval = beta.mean(alpha, beta_), beta.interval(alpha, beta_)
    evidence = Evidence(resolution_id, 0.0, 0.0, rate, interval, unknown)
    return Cell(evidence=evidence, alpha=alpha, beta=beta_)


def _plain_counts(trials: Sequence[Trial]) -> tuple[float, float]:
    return float(len(trials)), float(sum(t.reward for t in trials))


def _secondary(trials: Sequence[Trial]) -> float | None:
    known = [t.secondary for t in trials if t.secondary is not None]
    return sum(known) / len(known) if known else None
