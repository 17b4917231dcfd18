"""Every antecedent against every consequent at once, stratified by each recorded confounder.

For one stratification all Cochran-Mantel-Haenszel statistics are matrix products: with T the
feature x stratum counts, N the stratum sizes and M the stratum x level counts,
E = T·(M/N) and V = [T(N−T)]·[M(N−M)/(N²(N−1))]. Numbers are tested by van Elteren's stratified
rank test, whose scores R/(n+1) − ½ within strata fit the same scheme (E = 0).

A factor counts as a possible confounder of a pair when it goes with both sides (`ASSOCIATED`), or
when it explains the pair (`explains`): a factor of many small levels, such as the issue, goes with
hardly anything by a test over all its levels, and yet may be the one reason for a pair.
The association must hold within the strata of every one of them and of the strongest together
(an intersection-union test, Berger 1982): z is the weakest found, 0 when they disagree in sign.
A factor that leaves less than `LEAST_INFORMATION` of the variance is another name for the
antecedent; it cannot be told apart and is reported as an alias instead.

Does not correct for many tests, and cannot adjust for what was not recorded.
Sources: van Elteren 1960; Lehmann 1975, section 3.3; Mantel and Haenszel 1959.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.casetable import (
    CaseTable,
    Codes,
    Consequent,
    Features,
    Floats,
    dense,
    strata_codes,
)
from kbagent.core.patterns.contingency import chi_square_tail

Flags = NDArray[np.bool_]

ASSOCIATED = 0.1
"""p below which a factor counts as going with one side of a pair; liberal on purpose, for a missed
confounder costs a false pattern and a needless one next to nothing."""
EXPLAINS_Z = 1.2816
"""The normal quantile that leaves `ASSOCIATED` above it."""
LEAST_INFORMATION = 0.1
"""Share of the variance that must remain after stratifying for the test to say anything."""
LEAST_JOINT_INFORMATION = 0.3
"""The same for three factors together: rather two that inform than three that do not. Two are
always tested together, down to `LEAST_INFORMATION`: in 200 worlds of `benchmarks/patterns` from
2000 on, the decoy that survived had two strong causes whose common strata had been passed over."""
MOST_JOINT = 3
"""How many factors are combined into joint strata."""
LEAST_SHIFT = 0.1
"""Shift of the expectation, in standard deviations, from which a factor enters joint strata."""


@dataclass(frozen=True, slots=True)
class Stratification:
    """A partition of the cases: its name, codes, sizes N, and feature x stratum counts T."""

    name: str
    codes: Codes
    sizes: Floats
    counts: Floats


@dataclass(frozen=True, slots=True)
class Statistic:
    """Observed minus expected and its variance, feature x level."""

    excess: Floats
    variance: Floats

    @property
    def z(self) -> Floats:
        """Excess in standard deviations; 0 where nothing varies."""
        safe = np.where(self.variance > 0, self.variance, 1.0)
        return np.where(self.variance > 1e-12, self.excess / np.sqrt(safe), 0.0)


def stratification(name: str, codes: Codes, count: int, features: Features) -> Stratification:
    """The partition with its counts; one bincount per feature."""
    sizes = np.bincount(codes, minlength=count).astype(np.float64)
    counts = np.empty((len(features), count))
    for j in range(len(features)):
        counts[j] = np.bincount(codes[features.column(j)], minlength=count)
    return Stratification(name, codes, sizes, counts)


def unstratified(table: CaseTable) -> Stratification:
    """All cases as one stratum."""
    sizes = table.features.sizes.astype(np.float64)[:, None]
    codes = np.zeros(table.size, dtype=np.int32)
    return Stratification("", codes, np.array([float(table.size)]), sizes)


def stratifications(table: CaseTable) -> Iterator[Stratification]:
    """One per factor that tells cases apart."""
    for factor in table.factors:
        codes, count = strata_codes(factor)
        if 1 < count < table.size:
            yield stratification(factor.name, codes, count, table.features)


def level_counts(codes: Codes, levels: int, by: Stratification) -> Floats:
    """Stratum x level counts M."""
    flat = by.codes.astype(np.int64) * levels + codes
    counts = np.bincount(flat, minlength=by.sizes.size * levels)
    return counts.reshape(by.sizes.size, levels).astype(np.float64)


def feature_level_counts(codes: Codes, levels: int, features: Features) -> Floats:
    """Feature x level counts: how often each consequent goes with each antecedent."""
    counts = np.empty((len(features), levels))
    for j in range(len(features)):
        counts[j] = np.bincount(codes[features.column(j)], minlength=levels)
    return counts


def level_statistic(observed: Floats, by: Stratification, affected: Floats) -> Statistic:
    """Cochran-Mantel-Haenszel excess and variance for all features and levels at once."""
    n = np.maximum(by.sizes, 1.0)[:, None]
    expected = by.counts @ (affected / n)
    spread = affected * (n - affected) / (n * n * np.maximum(n - 1, 1.0))
    variance = (by.counts * (by.sizes - by.counts)) @ spread
    return Statistic(observed - expected, variance)


def rank_scores(values: Floats, by: Stratification) -> Floats:
    """Van Elteren's scores: midrank within the stratum over (n + 1), minus ½; they sum to 0.

    >>> one = Stratification("", np.zeros(3, dtype=np.int32), np.array([3.0]), np.ones((1, 1)))
    >>> rank_scores(np.array([5.0, 1.0, 5.0]), one).tolist()
    [0.125, -0.25, 0.125]
    """
    order = np.lexsort((values, by.codes))
    codes, ordered = by.codes[order], values[order]
    change = np.ones(values.size, dtype=bool)
    change[1:] = (codes[1:] != codes[:-1]) | (ordered[1:] != ordered[:-1])
    first = np.flatnonzero(change)
    run = np.diff(np.concatenate((first, [values.size])))
    starts = np.concatenate(([0.0], np.cumsum(by.sizes)[:-1]))[codes]
    midrank = np.repeat(first + (run + 1) / 2, run) - starts
    scores = np.empty(values.size)
    scores[order] = midrank / (by.sizes[codes] + 1) - 0.5
    return scores


def column_sums(scores: Floats, features: Features) -> Floats:
    """Σ of the scores over the cases of each feature, as a column."""
    sums = np.zeros(len(features))
    filled = np.flatnonzero(features.sizes)
    if filled.size:
        sums[filled] = np.add.reduceat(scores[features.rows], features.starts[filled])
    return sums[:, None]


def rank_statistic(values: Floats, by: Stratification, features: Features) -> Statistic:
    """Van Elteren's excess and variance for all features at once (one column)."""
    scores = rank_scores(values, by)
    squares = np.bincount(by.codes, weights=scores * scores, minlength=by.sizes.size)
    n = np.maximum(by.sizes, 1.0)
    spread = squares / (n * np.maximum(n - 1, 1.0))
    variance = (by.counts * (by.sizes - by.counts)) @ spread[:, None]
    return Statistic(column_sums(scores, features), variance)


def goes_with_features(by: Stratification) -> Flags:
    """For each feature whether the factor goes with it (chi-square over the strata)."""
    n, total = by.sizes, by.sizes.sum()
    share = by.counts.sum(axis=1, keepdims=True) / total
    spread = np.maximum(n * share * (1 - share), 1e-12)
    value = ((by.counts - n * share) ** 2 / spread).sum(axis=1)
    return chi_square_tail(value, float(np.count_nonzero(n) - 1)) < ASSOCIATED


def goes_with_levels(by: Stratification, affected: Floats) -> Flags:
    """For each level of the consequent whether the factor goes with it."""
    n = by.sizes[:, None]
    share = affected.sum(axis=0) / by.sizes.sum()
    spread = np.maximum(n * share * (1 - share), 1e-12)
    value = ((affected - n * share) ** 2 / spread).sum(axis=0)
    return chi_square_tail(value, float(np.count_nonzero(n) - 1)) < ASSOCIATED


def goes_with_values(by: Stratification, scores: Floats) -> Flags:
    """Whether the factor goes with the numbers (Kruskal-Wallis on unstratified scores)."""
    sums = np.bincount(by.codes, weights=scores, minlength=by.sizes.size)
    spread = max(float(scores.var(ddof=1)) if scores.size > 1 else 0.0, 1e-12)
    value = (sums**2 / np.maximum(by.sizes, 1.0)).sum() / spread
    return chi_square_tail(np.array([value]), float(np.count_nonzero(by.sizes) - 1)) < ASSOCIATED


def explains(by: Stratification, crude: Statistic, within: Statistic) -> Flags:
    """For each pair whether stratifying takes more of its excess away than chance would.

    B = E_within − E_crude is what the strata explain of the excess o − E_crude. A factor of S
    strata that has nothing to do with either side explains (S − 1)/n of the excess and has, since
    both sides vary by chance between strata, Var(B) ≈ V·(S − 1)/n. Explained is what exceeds that
    by `EXPLAINS_Z` standard deviations (a collapsibility test, as Greenland, Robins and Pearl
    1999, Statistical Science 14, 29-46, use the word).
    """
    share = max(int(np.count_nonzero(by.sizes)) - 1, 1) / max(float(by.sizes.sum()), 1.0)
    taken = (crude.excess - within.excess) * np.sign(crude.excess)
    by_chance = share * np.abs(crude.excess)
    return np.asarray(taken > by_chance + EXPLAINS_Z * np.sqrt(share * crude.variance))


@dataclass(slots=True)
class Screen:
    """The weakest association over all confounders, feature x level, and what was found on the way.

    `weakest` is z, `by` the place of the factor it was found with (−1: unstratified), `selected`
    and `shift` factor x feature x level: which factors count as confounders, and by how many
    standard deviations stratifying moves the expectation. `alias` is factor x feature.
    """

    crude: Statistic
    weakest: Floats
    by: NDArray[np.int16]
    selected: Flags
    shift: NDArray[np.float32]
    alias: Flags


def screen(
    consequent: Consequent,
    strata: list[Stratification],
    whole: Stratification,
    features: Features,
    levels: slice | None = None,
) -> Screen:
    """Test all features against (a block of) the consequent's levels, or against its numbers."""
    measure = _Measure.of(consequent, features, levels)
    crude = measure.statistic(whole)
    found = _empty_screen(crude, len(strata))
    signs = np.zeros(crude.excess.shape)
    for g, by in enumerate(strata):
        if by.name == consequent.name or by.name in consequent.not_by:
            continue
        stat = measure.statistic(by)
        retained = stat.variance / np.maximum(crude.variance, 1e-12)
        own = np.array([owner == by.name for owner in features.owners], dtype=bool)
        found.alias[g] = ~own & (retained.max(axis=1) < LEAST_INFORMATION)
        both = goes_with_features(by)[:, None] & measure.goes_with(by)
        possible = (both | explains(by, crude, stat)) & ~own[:, None]
        found.selected[g] = possible & (retained >= LEAST_INFORMATION)
        found.shift[g] = np.abs(crude.excess - stat.excess) / np.sqrt(
            np.maximum(crude.variance, 1e-12)
        )
        _weaken(found, signs, stat.z, g)
    return found


def _empty_screen(crude: Statistic, factors: int) -> Screen:
    shape = crude.excess.shape
    return Screen(
        crude,
        crude.z.copy(),
        np.full(shape, -1, dtype=np.int16),
        np.zeros((factors, *shape), dtype=bool),
        np.zeros((factors, *shape), dtype=np.float32),
        np.zeros((factors, shape[0]), dtype=bool),
    )


def _weaken(found: Screen, signs: Floats, z: Floats, g: int) -> None:
    """Keep the z nearest to 0 among the selected factors; 0 for good once signs disagree."""
    chosen = found.selected[g]
    first = chosen & (signs == 0)
    opposed = chosen & ~first & (np.sign(z) != signs)
    weaker = first | (chosen & (np.abs(z) < np.abs(found.weakest)))
    found.weakest[weaker] = z[weaker]
    found.weakest[opposed] = 0.0
    found.by[weaker | opposed] = g
    signs[first] = np.where(z[first] >= 0, 1.0, -1.0)


@dataclass(frozen=True, slots=True)
class _Measure:
    """Levels or numbers behind one face: the statistic in strata, and what goes with the factor."""

    features: Features
    codes: Codes | None
    levels: int
    block: slice
    observed: Floats
    values: Floats | None
    scores: Floats | None

    @classmethod
    def of(cls, consequent: Consequent, features: Features, block: slice | None) -> "_Measure":
        part = block or slice(None)
        if consequent.codes is not None:
            count = len(consequent.levels)
            observed = feature_level_counts(consequent.codes, count, features)[:, part]
            return cls(features, consequent.codes, count, part, observed, None, None)
        assert consequent.values is not None  # noqa: S101 - one of the two is given
        codes = np.zeros(consequent.values.size, dtype=np.int32)
        whole = Stratification("", codes, np.array([float(codes.size)]), np.zeros((0, 1)))
        scores = rank_scores(consequent.values, whole)
        return cls(features, None, 1, part, np.zeros((0, 0)), consequent.values, scores)

    def statistic(self, by: Stratification) -> Statistic:
        if self.codes is None:
            assert self.values is not None  # noqa: S101
            return rank_statistic(self.values, by, self.features)
        affected = level_counts(self.codes, self.levels, by)[:, self.block]
        return level_statistic(self.observed, by, affected)

    def goes_with(self, by: Stratification) -> Flags:
        if self.codes is None:
            assert self.scores is not None  # noqa: S101
            return goes_with_values(by, self.scores)
        return goes_with_levels(by, level_counts(self.codes, self.levels, by)[:, self.block])


def joint_codes(parts: list[Codes]) -> tuple[Codes, int]:
    """The common refinement of several partitions, as dense codes, and its number of strata."""
    codes: NDArray[np.int64] = parts[0].astype(np.int64)
    for part in parts[1:]:
        codes = codes * (int(part.max(initial=0)) + 1) + part
        codes = np.unique(codes, return_inverse=True)[1] if codes.max(initial=0) > 1e7 else codes
    return dense(codes)
