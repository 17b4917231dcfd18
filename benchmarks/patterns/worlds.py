"""Worlds with known truth: cases with facets, features, consequents, planted effects and decoys.

Eight recorded facets depend on each other in a chain. Every feature leans on one facet a little
and every consequent on another, so that plain associations are everywhere. Twenty pairs carry a
real effect (lift 1.25 to 3, log-spaced); ten decoys share one or two strong causes (levels of
facets) and have no effect of their own. Which facet is behind what is not told to the method.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.casetable import (
    CaseTable,
    Consequent,
    Factor,
    Features,
    Kind,
    features_from,
)

FACETS = {
    "industry": 6,
    "product": 5,
    "plan": 3,
    "channel": 4,
    "region": 5,
    "os": 4,
    "language": 4,
    "version": 6,
}
FEATURES, FLAGS = 60, 20
PLANTED, DECOYS = 20, 10
PREVALENCE, BASE_RATE = (0.04, 0.30), (0.04, 0.25)
LEAN = 0.5
"""Standard deviation of the background log-odds by facet level."""


@dataclass(frozen=True)
class World:
    """`planted` maps (feature, flag) to its lift; `decoys` are pairs without an effect."""

    cases: NDArray[np.bool_]
    flags: NDArray[np.bool_]
    facets: dict[str, NDArray[np.int32]]
    planted: dict[tuple[int, int], float]
    decoys: frozenset[tuple[int, int]]

    def table(self) -> tuple[CaseTable, list[Consequent]]:
        factors = [
            Factor(name, tuple(str(i) for i in range(FACETS[name])), codes, testable=False)
            for name, codes in self.facets.items()
        ]
        columns = [
            (f"f{j}", Kind.KEYWORD, np.flatnonzero(self.cases[:, j]).astype(np.int32))
            for j in range(self.cases.shape[1])
        ]
        flags = [
            Consequent(f"y{k}", ("no", "yes"), self.flags[:, k].astype(np.int32), told=(1,))
            for k in range(self.flags.shape[1])
        ]
        return CaseTable.of(factors, features_from(columns)), flags


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


def _facets(n: int, rng: np.random.Generator) -> dict[str, NDArray[np.int32]]:
    """Each facet's level depends on the level of the one before it."""
    found: dict[str, NDArray[np.int32]] = {}
    before: NDArray[np.int32] | None = None
    for name, levels in FACETS.items():
        rows = 1 if before is None else int(before.max()) + 1
        shares = rng.dirichlet(np.full(levels, 3.0), size=rows)
        chosen = shares[np.zeros(n, dtype=int) if before is None else before].cumsum(axis=1)
        codes = (rng.random(n)[:, None] > chosen).sum(axis=1).clip(0, levels - 1).astype(np.int32)
        found[name] = before = codes
    return found


def world(n: int, seed: int) -> World:
    """One world of n cases; effects, causes and prevalences are drawn anew for each seed."""
    rng = np.random.default_rng([seed, 7])
    facets = _facets(n, np.random.default_rng([seed, 8, n]))
    names = list(FACETS)
    pairs = rng.permutation(FEATURES * FLAGS)[: PLANTED + DECOYS]
    pair = [(int(i) // FLAGS, int(i) % FLAGS) for i in pairs]
    lifts = np.exp(np.linspace(np.log(1.25), np.log(3.0), PLANTED))
    planted = {p: float(x) for p, x in zip(pair[:PLANTED], lifts, strict=True)}
    log_odds = {"feature": np.log(_odds(rng.uniform(*PREVALENCE, FEATURES)))}
    log_risk = np.log(rng.uniform(*BASE_RATE, FLAGS))
    feature_logits = np.tile(log_odds["feature"], (n, 1))
    risks = np.tile(log_risk, (n, 1))
    for j in range(FEATURES):
        name = names[rng.integers(len(names))]
        feature_logits[:, j] += rng.normal(0, LEAN, FACETS[name])[facets[name]]
    for k in range(FLAGS):
        name = names[rng.integers(len(names))]
        risks[:, k] += rng.normal(0, LEAN / 2, FACETS[name])[facets[name]]
    for i, (j, k) in enumerate(pair[PLANTED:]):
        for name in rng.choice(names, size=1 + i % 2, replace=False):
            cause = facets[name] == rng.integers(FACETS[name])
            feature_logits[cause, j] += 2.5
            risks[cause, k] += np.log(rng.uniform(2.0, 3.5))
    draw = np.random.default_rng([seed, 9, n])
    cases = draw.random((n, FEATURES)) < _logistic(feature_logits)
    for (j, k), x in planted.items():
        risks[cases[:, j], k] += np.log(x)
    flags = draw.random((n, FLAGS)) < np.minimum(np.exp(risks), 0.97)
    return World(cases, flags, facets, planted, frozenset(pair[PLANTED:]))


def _odds(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return p / (1 - p)


def shuffled(w: World, rng: np.random.Generator) -> World:
    """The same world with consequents dealt to random cases: nothing goes with anything."""
    return World(w.cases, w.flags[rng.permutation(w.flags.shape[0])], w.facets, {}, frozenset())


def large_table(
    n: int, facets: int, rng: np.random.Generator
) -> tuple[CaseTable, list[Consequent], tuple[str, str]]:
    """n cases with that many facets, 100 words, a month, and five consequents; one planted pair.

    Facets have 4 to 40 levels (one has 5,000: customers). Returns the planted (feature, level).
    """
    month = np.sort(rng.integers(0, 36, n)).astype(np.int32)
    factors = [Factor("month", tuple(f"{m:02}" for m in range(36)), month, testable=False)]
    for i in range(facets):
        levels = 5000 if i == facets - 1 else 4 + (i * 7) % 37
        skew = rng.dirichlet(np.full(levels, 0.8))
        codes = rng.choice(levels, size=n, p=skew).astype(np.int32)
        if i % 5 == 4:
            follows = rng.random(n) < 0.4
            codes = np.where(follows, factors[-1].codes % levels, codes).astype(np.int32)
        factors.append(Factor(f"facet{i}", tuple(f"{v:04}" for v in range(levels)), codes))
    words = [
        (f"word{j}", Kind.KEYWORD, np.flatnonzero(rng.random(n) < 0.3 / (j + 2)).astype(np.int32))
        for j in range(100)
    ]
    extra = features_from(words)
    return CaseTable.of(factors, extra, month), *_large_consequents(n, factors, extra, rng)


def _large_consequents(
    n: int, factors: list[Factor], words: Features, rng: np.random.Generator
) -> tuple[list[Consequent], tuple[str, str]]:
    base = 0.1 + 0.1 * (factors[3].codes % 3 == 0)
    base[words.column(5)] *= 1.5
    escalated = (rng.random(n) < base).astype(np.int32)
    issue = rng.choice(300, size=n, p=rng.dirichlet(np.full(300, 0.5))).astype(np.int32)
    ruled = rng.random(n) < 0.6
    queue = np.where(ruled, factors[2].codes % 8, rng.integers(0, 8, n)).astype(np.int32)
    csat = np.where(rng.random(n) < 0.3, rng.integers(1, 6, n) / 5.0, np.nan)
    minutes = np.exp(rng.normal(4, 1, n) + 0.3 * (factors[4].codes == 1))
    return [
        Consequent("escalated", ("no", "yes"), escalated, told=(1,)),
        Consequent("issue", tuple(f"{i:03}" for i in range(300)), issue),
        Consequent("queue", tuple(str(i) for i in range(8)), queue),
        Consequent("satisfaction", values=csat),
        Consequent("minutes", values=minutes),
    ], ("word5", "escalated")


__all__ = ["World", "large_table", "shuffled", "world"]
