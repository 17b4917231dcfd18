"""The verdict on each pair: the weakest z over its confounders, singly and together, and its p.

Takes what `screening` found for single factors, adds joint strata of the factors that move the
expectation most, and replaces normal tails by exact ones where counts are small.
"""

import math
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.casetable import (
    CaseTable,
    Codes,
    Consequent,
    Features,
    Floats,
    strata_codes,
)
from kbagent.core.patterns.contingency import EXACT_BELOW, exact_mid_p, normal_two_sided
from kbagent.core.patterns.screening import (
    LEAST_INFORMATION,
    LEAST_JOINT_INFORMATION,
    LEAST_SHIFT,
    MOST_JOINT,
    Screen,
    Statistic,
    Stratification,
    feature_level_counts,
    joint_codes,
    level_counts,
    level_statistic,
    rank_statistic,
    screen,
    stratification,
    stratifications,
    unstratified,
)

Pair = tuple[int, int]
Group = tuple[int, ...]

WORTH_REFINING = 0.1
"""p up to which joint strata and exact tails are computed; larger ones are no discovery anyway."""
LEVELS_AT_ONCE = 512
"""Levels of a consequent screened together, which bounds memory."""


@dataclass(frozen=True, slots=True)
class Tested:
    """All pairs of one consequent: z and p (NaN where support is too small), feature x level.

    `rows[i]` is the row in the whole table of case i here (cases of unknown consequent are left
    out). `adjusted_by` names for each refined pair the factors (places in `table.factors`) whose
    joint strata give its adjusted effect; a pair that is missing was not adjusted. `weakest_by`
    is for each pair the factor in whose strata it looked weakest (−1: unstratified).
    """

    table: CaseTable
    consequent: Consequent
    rows: NDArray[np.intp]
    crude_z: Floats
    z: Floats
    p: Floats
    adjusted_by: dict[Pair, Group]
    weakest_by: NDArray[np.intp]
    alias: dict[int, Group]


@dataclass(slots=True)
class _Work:
    """What one consequent's refinement shares."""

    table: CaseTable
    consequent: Consequent
    strata: list[Stratification]
    places: list[int]
    adjusted_by: dict[Pair, Group] = field(default_factory=dict)
    counted: dict[int, Floats] = field(default_factory=dict)

    def affected(self, by: Stratification, g: int, level: int) -> Floats:
        """How many cases of each stratum have the level; counted once per factor."""
        if g not in self.counted:
            assert self.consequent.codes is not None  # noqa: S101 - levels are counted
            width = len(self.consequent.levels)
            self.counted[g] = level_counts(self.consequent.codes, width, by)
        return np.asarray(self.counted[g][:, level])


@dataclass(frozen=True, slots=True)
class Part:
    """The cases of which a consequent is known, and their stratifications; shared by all
    consequents that are known of the same cases, since counting is most of the work."""

    known: NDArray[np.bool_]
    table: CaseTable
    strata: tuple[Stratification, ...]

    @classmethod
    def of(cls, table: CaseTable, known: NDArray[np.bool_]) -> "Part":
        """The part of the table in which `known` is true."""
        part = table.restricted(known)
        return cls(known, part, tuple(stratifications(part)))


def tested(part_of: Part, consequent: Consequent, min_support: int) -> Tested:
    """Every feature of the table against every level (or the numbers) of the consequent.

    `part_of` holds the cases of which this consequent is known.
    """
    known, part, strata = part_of.known, part_of.table, list(part_of.strata)
    outcome = _restricted(consequent, known)
    by_name = {factor.name: i for i, factor in enumerate(part.factors)}
    work = _Work(part, outcome, strata, [by_name[s.name] for s in strata])
    width = len(outcome.levels) if outcome.codes is not None else 1
    blocks = [slice(i, min(i + LEVELS_AT_ONCE, width)) for i in range(0, width, LEVELS_AT_ONCE)]
    results = [_tested_block(work, block, min_support) for block in blocks]
    places = np.array([*work.places, -1])
    return Tested(
        part,
        outcome,
        np.flatnonzero(known),
        np.hstack([r.crude for r in results]),
        np.hstack([r.z for r in results]),
        np.hstack([r.p for r in results]),
        work.adjusted_by,
        places[np.hstack([r.by for r in results])],
        _aliases(results[0].alias, work.places),
    )


def _aliases(alias: NDArray[np.bool_], places: list[int]) -> dict[int, Group]:
    with_one = np.flatnonzero(alias.any(axis=0)).tolist()
    return {j: tuple(places[g] for g in np.flatnonzero(alias[:, j])) for j in with_one}


def _restricted(consequent: Consequent, known: NDArray[np.bool_]) -> Consequent:
    c = consequent
    codes = None if c.codes is None else c.codes[known]
    values = None if c.values is None else c.values[known]
    return Consequent(c.name, c.levels, codes, values, c.not_by, c.told)


@dataclass(frozen=True, slots=True)
class _Block:
    """A block of levels: crude z, z, p, where it was weakest; and aliases, factor x feature."""

    crude: Floats
    z: Floats
    p: Floats
    by: NDArray[np.int16]
    alias: NDArray[np.bool_]


def _tested_block(work: _Work, block: slice, min_support: int) -> _Block:
    whole = unstratified(work.table)
    found = screen(work.consequent, work.strata, whole, work.table.features, block)
    eligible = _eligible(work, block, min_support)
    p = np.where(eligible, normal_two_sided(found.weakest), np.nan)
    near = np.argwhere(eligible & (p <= WORTH_REFINING))
    z = found.weakest
    for j, k in near.tolist():
        p[j, k] = max(p[j, k], _exact_single(work, found, j, k, block.start))
    for (j, k), (joint_z, joint_p) in _jointly(work, found, near, block.start).items():
        if abs(joint_z) < abs(z[j, k]) or joint_z * z[j, k] < 0:
            z[j, k] = joint_z if joint_z * z[j, k] > 0 else 0.0
        p[j, k] = max(p[j, k], joint_p) if z[j, k] else 1.0
    return _Block(found.crude.z, z, p, found.by, found.alias)


def _eligible(work: _Work, block: slice, min_support: int) -> NDArray[np.bool_]:
    """Enough cases on each side; decided by the margins only, so that it cannot bias the test."""
    n, sizes = work.table.size, work.table.features.sizes
    rows = (sizes >= min_support) & (n - sizes >= min_support)
    if work.consequent.codes is None:
        return np.asarray(rows[:, None])
    affected = np.bincount(work.consequent.codes, minlength=len(work.consequent.levels))[block]
    told = work.consequent.told
    columns = (affected >= min_support) & (n - affected >= min_support)
    if told is not None:
        columns &= np.isin(np.arange(block.start, block.stop), told)
    expected = sizes[:, None] * affected[None, :] / max(n, 1)
    return np.asarray(rows[:, None] & columns[None, :] & (expected >= 1))


def _exact_single(work: _Work, found: Screen, j: int, k: int, offset: int) -> float:
    """The exact p in the strata where the association was weakest; 0 when normal is enough."""
    if work.consequent.codes is None or found.crude.variance[j, k] >= EXACT_BELOW:
        return 0.0
    g = int(found.by[j, k])
    by = work.strata[g] if g >= 0 else unstratified(work.table)
    affected = work.affected(by, g, k + offset)
    rows = work.table.features.column(j)
    both = float(np.count_nonzero(work.consequent.codes[rows] == k + offset))
    return exact_mid_p(both, by.counts[j], affected, by.sizes)


def _jointly(
    work: _Work, found: Screen, near: NDArray[np.int64], offset: int
) -> dict[Pair, tuple[float, float]]:
    """z and p of each near pair in the joint strata of its strongest confounders."""
    pending: dict[Group, list[Pair]] = defaultdict(list)
    for j, k in near.tolist():
        group = _strongest(found, j, k)
        work.adjusted_by[j, k + offset] = tuple(work.places[g] for g in group[:1])
        if len(group) > 1:
            pending[group].append((j, k))
    results: dict[Pair, tuple[float, float]] = {}
    for group in sorted(pending, key=lambda g: (-len(g), g)):
        _test_group(work, found, group, pending, results, offset)
    return results


def _strongest(found: Screen, j: int, k: int) -> Group:
    """The selected factors that move the expectation most, strongest first, ties by place."""
    shifts = np.where(found.selected[:, j, k], found.shift[:, j, k], 0.0)
    order = np.argsort(-shifts, kind="stable")[:MOST_JOINT]
    return tuple(int(g) for g in order if shifts[g] >= LEAST_SHIFT)


def _test_group(
    work: _Work,
    found: Screen,
    group: Group,
    pending: dict[Group, list[Pair]],
    results: dict[Pair, tuple[float, float]],
    offset: int,
) -> None:
    """Test these pairs in the group's joint strata; a pair they starve gets a smaller group.

    A pair that even its two strongest confounders starve cannot be told apart from them: it is
    no pattern. (Were it judged within each alone, each would leave it what the other explains.)
    """
    pairs = pending[group]
    features = work.table.features.chosen(wanted := sorted({j for j, _ in pairs}))
    levels = sorted({k for _, k in pairs})
    codes, count = joint_codes([work.strata[g].codes for g in group])
    by = stratification("", codes, count, features)
    joint = _Joint.of(work.consequent, by, features, [k + offset for k in levels])
    for j, k in pairs:
        i, column = wanted.index(j), levels.index(k)
        kept = float(joint.statistic.variance[i, column]) / float(found.crude.variance[j, k])
        if kept >= (LEAST_JOINT_INFORMATION if len(group) > 2 else LEAST_INFORMATION):
            work.adjusted_by[j, k + offset] = tuple(work.places[g] for g in group)
            results[j, k] = joint.verdict(i, column)
        elif len(group) > 2:
            _test_group(work, found, group[:-1], {group[:-1]: [(j, k)]}, results, offset)
        else:
            results[j, k] = 0.0, 1.0


@dataclass(frozen=True, slots=True)
class _Joint:
    """The test of some features against some levels in one joint stratification."""

    by: Stratification
    statistic: Statistic
    observed: Floats
    affected: Floats | None

    @classmethod
    def of(
        cls, consequent: Consequent, by: Stratification, features: Features, levels: list[int]
    ) -> "_Joint":
        if consequent.codes is None:
            assert consequent.values is not None  # noqa: S101 - one of the two is given
            stat = rank_statistic(consequent.values, by, features)
            return cls(by, stat, np.zeros((0, 0)), None)
        width = len(levels) + 1
        place = np.full(len(consequent.levels), width - 1, dtype=np.int32)
        place[levels] = np.arange(width - 1)
        codes = place[consequent.codes]
        affected = level_counts(codes, width, by)[:, :-1]
        observed = feature_level_counts(codes, width, features)[:, :-1]
        return cls(by, level_statistic(observed, by, affected), observed, affected)

    def verdict(self, i: int, column: int) -> tuple[float, float]:
        """z and p, exact where counts are small."""
        z = float(self.statistic.z[i, column])
        if self.affected is not None and self.statistic.variance[i, column] < EXACT_BELOW:
            observed = float(self.observed[i, column])
            margins = self.by.counts[i], self.affected[:, column], self.by.sizes
            return z, exact_mid_p(observed, *margins)
        return z, math.erfc(abs(z) / math.sqrt(2))


def group_codes(table: CaseTable, group: Group) -> tuple[Codes, int]:
    """Joint strata of these factors; one stratum when there are none."""
    if not group:
        return np.zeros(table.size, dtype=np.int32), 1
    return joint_codes([strata_codes(table.factors[g])[0] for g in group])
