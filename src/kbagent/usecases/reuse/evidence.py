"""Evidence for the issues at hand: loads what the ledger says and lets the core weigh it."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from kbagent.core.learning.facets import VERSION_NAMES
from kbagent.model.case import Tried, Verdict
from kbagent.model.evidence import Pool, Tally
from kbagent.model.outcome import REWARD, Outcome, OutcomeSource, Told, Trial
from kbagent.store import cases, ledger, resolutions

REFINING = frozenset({"product", "os", "platform", "component", *VERSION_NAMES})
"""Facets that may change what works, by lower-case name."""

_QUICK_MINUTES = 60.0  # a case settled in an hour counts half of the speed reward


@dataclass(frozen=True, slots=True)
class Experience:
    """All that is known of the resolutions of some issues.

    `trials` and `attempts` are by issue; an attempt's resolution is its canonical approach.
    `told` is what the exports themselves say of an approach within an issue (a worked one, or
    only failed ones), without anybody's feedback. `unknown` counts an issue's attempts of an
    approach without any outcome. `texts` has one text for each approach.
    """

    trials: Mapping[int, tuple[Trial, ...]]
    attempts: Mapping[int, tuple[Tried, ...]]
    told: Mapping[tuple[int, int], Verdict]
    texts: Mapping[int, str]
    pool: Pool
    unknown: Mapping[tuple[int, int], int] = field(default_factory=dict)


def experience(
    connection: sqlite3.Connection,
    issue_of: Mapping[int, int],
    *,
    as_of: datetime | None = None,
    strength: float | None = None,
    weights: Mapping[str, float] | None = None,
    pooled: bool = True,
) -> Experience:
    """What was tried on these cases and what came of it; `issue_of` maps case to issue.

    How the approaches do elsewhere is left out (an empty pool) unless `pooled`.
    """
    case_ids = sorted(issue_of)
    attempts = resolutions.tried_on(connection, case_ids, as_of=as_of)
    outcomes = ledger.told_on(connection, case_ids, as_of=as_of)
    used = {a.resolution_id for a in attempts} | {o.resolution_id for o in outcomes}
    known = resolutions.by_ids(connection, used)
    canonical = {resolution.id: resolution.canonical_id for resolution in known.values()}
    heads = resolutions.by_ids(connection, set(canonical.values()) - set(known))
    texts = {head: {**known, **heads}[head].text for head in set(canonical.values())}
    facets = _refining_facets(connection, outcomes)
    trials: dict[int, list[Trial]] = defaultdict(list)
    told: dict[tuple[int, int], Verdict] = {}
    for outcome in outcomes:
        issue_id = issue_of[outcome.case_id]
        if outcome.source is not OutcomeSource.EXPLICIT:
            key = (issue_id, canonical[outcome.resolution_id])
            told[key] = max(outcome.verdict, told.get(key, outcome.verdict), key=_goodness)
        trials[issue_id].append(
            trial_of(
                outcome,
                issue_id,
                canonical[outcome.resolution_id],
                facets.get(outcome.case_id, ()),
                weights or {},
            )
        )
    settled = {(one.case_id, canonical[one.resolution_id]) for one in outcomes}
    return Experience(
        trials={issue: tuple(found) for issue, found in trials.items()},
        attempts=_attempts_by_issue(attempts, issue_of, canonical),
        told=told,
        texts=texts,
        pool=pool_of(connection, list(texts), as_of=as_of, strength=strength) if pooled else Pool(),
        unknown=Counter(
            (issue_of[one.case_id], canonical[one.resolution_id])
            for one in attempts
            if (one.case_id, canonical[one.resolution_id]) not in settled
        ),
    )


def trial_of(
    outcome: Outcome | Told,
    issue_id: int,
    resolution_id: int,
    facets: tuple[tuple[str, str], ...],
    weights: Mapping[str, float],
) -> Trial:
    """An outcome as the learner sees it; only people's votes carry a voter."""
    voter = outcome.by if outcome.source is OutcomeSource.EXPLICIT else None
    return Trial(
        issue_id,
        resolution_id,
        REWARD[outcome.verdict],
        outcome.happened_at,
        outcome.id,
        voter,
        weights.get(voter or "", 1.0),
        facets,
        secondary_reward(outcome),
    )


def secondary_reward(outcome: Outcome | Told) -> float | None:
    """Satisfaction and speed in [0, 1], their mean where both are known.

    Speed is 60 / (60 + minutes): one half for an hour. Neither outvotes success; they break ties.
    """
    parts = [outcome.csat] if outcome.csat is not None else []
    if outcome.minutes is not None:
        parts.append(_QUICK_MINUTES / (_QUICK_MINUTES + max(0.0, outcome.minutes)))
    return sum(parts) / len(parts) if parts else None


def pool_of(
    connection: sqlite3.Connection,
    canonical_ids: Sequence[int],
    *,
    as_of: datetime | None = None,
    strength: float | None = None,
) -> Pool:
    """How these approaches do everywhere; from the kept tallies, or the ledger as of a date."""
    if as_of is None:
        total = resolutions.total(connection)
        own = resolutions.tallies(connection, canonical_ids)
        tallies = {key: Tally(tally.tried, tally.reward) for key, tally in own.items()}
        overall = Tally(total.tried, total.reward)
    else:
        sums = ledger.totals_as_of(connection, as_of)
        tallies = {key: Tally(*sums[key]) for key in canonical_ids if key in sums}
        overall = Tally(
            sum(tried for tried, _ in sums.values()), sum(reward for _, reward in sums.values())
        )
    if strength is None:
        return Pool(overall=overall, resolutions=tallies)
    return Pool(overall=overall, resolutions=tallies, strength=strength)


def _refining_facets(
    connection: sqlite3.Connection, outcomes: Sequence[Told]
) -> dict[int, tuple[tuple[str, str], ...]]:
    names = [one for one in cases.facet_names(connection) if one.casefold() in REFINING]
    return cases.facets_named(connection, sorted({one.case_id for one in outcomes}), names)


def refining(pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Those facets that may change what works."""
    return tuple((name, value) for name, value in pairs if name.casefold() in REFINING)


def _goodness(verdict: Verdict) -> float:
    return REWARD.get(verdict, 0.0)


def _attempts_by_issue(
    attempts: Sequence[Tried],
    issue_of: Mapping[int, int],
    canonical: Mapping[int, int],
) -> dict[int, tuple[Tried, ...]]:
    """Attempts by issue, each under its canonical approach."""
    found: dict[int, list[Tried]] = defaultdict(list)
    for attempt in attempts:
        head = canonical[attempt.resolution_id]
        approach = (
            attempt if attempt.resolution_id == head else attempt._replace(resolution_id=head)
        )
        found[issue_of[attempt.case_id]].append(approach)
    return {issue: tuple(some) for issue, some in found.items()}
