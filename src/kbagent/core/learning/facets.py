"""Facets: telling apart the cases for which a resolution works from those for which it fails.

A fix that works on version 115 and fails on 128 is two cells. For each facet of the query the
trials are split into those like it and those not; for versions the split is a threshold, so
that a query on 130 learns from 128. A split is taken only when the data pay for it: its Bayes
factor against 'no difference' must exceed odds of 3 for every split that was looked at. At most
one facet narrows a cell. It does not discover interactions of facets.

Source: Bayes factor of two beta-binomials against one, Kass and Raftery 1995, *JASA* 90 (odds
above 3 are 'positive' evidence).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kbagent.core.retrieval.versions import has_number, version_key
from kbagent.model.outcome import Trial

ODDS = 3.0  # Kass and Raftery 1995; multiplied by the number of splits looked at
MIN_SIDE = 3.0  # known outcomes on each side of a split
VERSION_NAMES = frozenset(
    {"version", "versions", "affects version", "affects versions", "affects version/s", "release"}
)  # names, in lower case, under which exports keep the version

Facets = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Split:
    """A way to tell trials apart by one facet: what it says, and which trials are on our side."""

    facet: str
    name: str
    ours: Callable[[Trial], bool]


def narrowed(
    trials: Sequence[Trial], facets: Facets, prior_mean: float, prior_strength: float
) -> tuple[tuple[Trial, ...], str | None]:
    """The trials that speak for a query with these facets, and what narrowed them (None: nothing).

    `trials` are those of one cell. Ties between splits go to the one named first in `facets`.
    """
    splits = tuple(_splits(trials, facets))
    if not splits:
        return tuple(trials), None
    price = math.log(ODDS * len(splits))
    worth = [_log_bayes_factor(trials, split, prior_mean, prior_strength) for split in splits]
    best = max(range(len(splits)), key=lambda i: (worth[i], -i))
    if worth[best] <= price:
        return tuple(trials), None
    return tuple(t for t in trials if splits[best].ours(t)), splits[best].name


def versions_of(trials: Sequence[Trial]) -> tuple[str, ...]:
    """The distinct versions on which a trial worked at least partly, in order of version."""
    found = {
        value
        for trial in trials
        if trial.reward > 0.0
        for name, value in trial.facets
        if name.casefold() in VERSION_NAMES
    }
    return tuple(sorted(found, key=lambda text: (version_key(text), text)))


def _splits(trials: Sequence[Trial], facets: Facets) -> Iterator[Split]:
    for name, value in facets:
        if name.casefold() in VERSION_NAMES and has_number(value):
            yield from _thresholds(trials, name, value)
        else:
            yield Split(name, f"{name} = {value}", _same(name, value))


def _thresholds(trials: Sequence[Trial], name: str, value: str) -> Iterator[Split]:
    """One split for each version that occurs: from it on, against before it."""
    seen = {text for trial in trials if (text := _numbered(trial, name)) is not None}
    own = version_key(value)
    for text in sorted(seen, key=lambda t: (version_key(t), t))[1:]:
        limit = version_key(text)
        if own >= limit:
            yield Split(name, f"{name} >= {text}", _from(name, text))
        else:
            yield Split(name, f"{name} < {text}", _before(name, text))


def _same(name: str, value: str) -> Callable[[Trial], bool]:
    return lambda trial: (name, value) in trial.facets


def _from(name: str, limit: str) -> Callable[[Trial], bool]:
    def ours(trial: Trial) -> bool:
        text = _numbered(trial, name)
        return text is not None and version_key(text) >= version_key(limit)

    return ours


def _before(name: str, limit: str) -> Callable[[Trial], bool]:
    def ours(trial: Trial) -> bool:
        text = _numbered(trial, name)
        return text is not None and version_key(text) < version_key(limit)

    return ours


def _numbered(trial: Trial, name: str) -> str | None:
    return next((v for n, v in trial.facets if n == name and has_number(v)), None)


def _log_bayes_factor(
    trials: Sequence[Trial], split: Split, prior_mean: float, prior_strength: float
) -> float:
    """ln P(data | two rates)/P(data | one rate); −∞ where a side has too few outcomes.

    Trials that lack the facet are on neither side: they are missing data.
    """
    known = [t for t in trials if any(name == split.facet for name, _ in t.facets)]
    ours = [t for t in known if split.ours(t)]
    tried, worked = _sums(known)
    tried_ours, worked_ours = _sums(ours)
    if min(tried_ours, tried - tried_ours) < MIN_SIDE:
        return -math.inf
    a, b = prior_mean * prior_strength, (1.0 - prior_mean) * prior_strength

    def marginal(n: float, s: float) -> float:
        return _log_beta(a + s, b + n - s) - _log_beta(a, b)

    apart = marginal(tried_ours, worked_ours) + marginal(tried - tried_ours, worked - worked_ours)
    return apart - marginal(tried, worked)


def _sums(trials: Sequence[Trial]) -> tuple[float, float]:
    return sum(t.weight for t in trials), sum(t.weight * t.reward for t in trials)


def _log_beta(alpha: float, beta: float) -> float:
    return math.lgamma(alpha) + math.lgamma(beta) - math.lgamma(alpha + beta)
