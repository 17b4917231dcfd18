"""Patterns: what of a case goes with what became of it, beyond chance and beyond confounding.

Tests every feature against every consequent within strata of the recorded confounders, controls
the false discovery rate over everything tested, estimates effects (shrunk), names Simpson
reversals, aliases and what was only apparent, folds what another pattern explains, and says in
which period each pattern holds. Does not choose words to test (`terms`) nor phrase sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kbagent.core.patterns.adjustment import Part, Tested, group_codes, tested
from kbagent.core.patterns.casetable import CaseTable, Codes, Consequent, Kind
from kbagent.core.patterns.contingency import (
    Counts,
    Difference,
    Floats,
    Strata,
    adjusted_lift,
    cmh,
    lift,
    pooled_difference,
    risk_difference,
    shrunk_lift,
)
from kbagent.core.patterns.families import Hit, claimed
from kbagent.core.patterns.lifetime import Lifetime, lifetime, with_end
from kbagent.core.patterns.screening import rank_scores, stratification
from kbagent.core.patterns.subsumption import Claim, folded

REVERSAL_Z = 1.96
"""Crude and adjusted z must both pass it, on opposite sides, to be called a reversal."""
APPARENT_Z = 4.0
"""Crude z from which an association that vanishes within strata is worth naming."""
MOST_APPARENT = 20


@dataclass(frozen=True, slots=True)
class Settings:
    """What is asked of a pattern.

    `min_support` cases on each side; `false_discovery` the rate among all claimed; `min_lift` the
    least shrunk lift (or its inverse) that is told; `min_superiority` the same for numbers, as a
    distance from ½; `examples` how many cases each pattern shows.
    """

    min_support: int = 20
    false_discovery: float = 0.05
    min_lift: float = 1.1
    min_superiority: float = 0.03
    examples: int = 5


@dataclass(frozen=True, slots=True)
class LevelEffect:
    """How much likelier the consequent is: crude, within strata, and shrunk toward no effect."""

    counts: Counts
    lift: float
    adjusted_lift: float
    shrunk_lift: float
    difference: Difference
    adjusted: Difference


@dataclass(frozen=True, slots=True)
class RankEffect:
    """How numbers compare: P(with > without) + ½ P(equal), crude and within strata; medians."""

    exposed: int
    total: int
    superiority: float
    adjusted: float
    median_with: float
    median_without: float

    @property
    def cliffs_delta(self) -> float:
        """P(with > without) − P(with < without) within strata, in [−1, 1]."""
        return 2 * self.adjusted - 1


@dataclass(frozen=True, slots=True)
class Pattern:
    """One discovery. `level` is "" for numbers. `examples` are rows of the table, latest first.

    `confounders` are the factors the adjusted effect is stratified by; `aliases` factors that
    cannot be told apart from the antecedent; `explains` patterns folded under this one.
    """

    antecedent: str
    kind: Kind
    consequent: str
    level: str
    effect: LevelEffect | RankEffect
    z: float
    p: float
    q: float
    confounders: tuple[str, ...]
    aliases: tuple[str, ...]
    reversal: bool
    lifetime: Lifetime
    examples: tuple[int, ...]
    explains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Apparent:
    """An association that vanishes within strata of `because`: no pattern, and worth saying."""

    antecedent: str
    kind: Kind
    consequent: str
    level: str
    crude_z: float
    because: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """All patterns, strongest first, how many pairs were tested, and what was only apparent."""

    patterns: tuple[Pattern, ...]
    tested: int
    apparent: tuple[Apparent, ...]


def discover(
    table: CaseTable,
    consequents: Sequence[Consequent],
    settings: Settings = Settings(),
    left_out: int = 0,
) -> Discovery:
    """Everything that goes with something, at the stated false discovery rate.

    The rate holds within each of four families: words and form or what is recorded, by which of
    several (an issue, a queue) or how it went. `left_out` words were looked at before and not made
    features; they are corrected for with every consequent. An empty table or no consequents give
    an empty discovery.
    """
    if not table.size or not len(table.features):
        return Discovery((), 0, ())
    supported = _supported(table, settings.min_support)
    results = _results(supported, consequents, settings.min_support)
    hits, count = claimed(results, settings.false_discovery, left_out)
    patterns = []
    for where in results:
        own = [h for h in hits if h.where is where]
        patterns += _patterns(where, own, settings)
    patterns.sort(key=_strength)
    return Discovery(tuple(patterns), count, _apparent(results))


def retested(
    table: CaseTable,
    consequents: Sequence[Consequent],
    antecedent: str,
    consequent: str,
    level: str,
    settings: Settings = Settings(),
) -> Pattern | None:
    """One pattern that was stated beforehand, tested by itself within the same confounders.

    Nothing else is corrected for: its q is its p, and it is given whatever that is. None where no
    case has the antecedent, none the level, or they are too few for any test.
    """
    column = next((j for j, name in enumerate(table.features.names) if name == antecedent), None)
    outcome = next((one for one in consequents if one.name == consequent), None)
    if column is None or outcome is None or not outcome.known.any():
        return None
    place = 0
    if outcome.codes is not None:
        if level not in outcome.levels:
            return None
        place = outcome.levels.index(level)
        outcome = replace(outcome, told=(place,))
    alone = replace(table, features=table.features.chosen([column]))
    where = tested(Part.of(alone, outcome.known), outcome, min_support=1)
    p = float(where.p[0, place])
    return None if np.isnan(p) else _pattern(where, Hit(where, 0, place, p, p), settings)


def _results(table: CaseTable, consequents: Sequence[Consequent], min_support: int) -> list[Tested]:
    """All tests, consequent by consequent."""
    parts: list[Part] = []
    results = []
    for consequent in consequents:
        known = consequent.known
        if not known.any():
            continue
        part = next((one for one in parts if np.array_equal(one.known, known)), None)
        if part is None:
            parts.append(part := Part.of(table, known))
        results.append(tested(part, consequent, min_support))
    return results


def _supported(table: CaseTable, min_support: int) -> CaseTable:
    """The table without features too rare to be tested anywhere."""
    kept = np.flatnonzero(table.features.sizes >= min_support).tolist()
    return replace(table, features=table.features.chosen(kept))


def _patterns(where: Tested, hits: list[Hit], settings: Settings) -> list[Pattern]:
    """The told patterns of one consequent, with what they explain folded under them."""
    told: list[Pattern] = []
    for k in sorted({h.k for h in hits}):
        made = [(h, _pattern(where, h, settings)) for h in hits if h.k == k]
        kept = [(h, p) for h, p in made if _worth_telling(where, p, settings)]
        kept.sort(key=lambda hp: _strength(hp[1]))
        claims = [_claim(where, h) for h, _ in kept]
        under = _with_other_sides(
            [pattern for _, pattern in kept], folded(claims, _outcome_scores(where, k))
        )
        for i, (_, pattern) in enumerate(kept):
            if under[i] < 0:
                names = tuple(kept[m][1].antecedent for m in range(len(kept)) if under[m] == i)
                told.append(replace(pattern, explains=names))
    return told


def _with_other_sides(kept: Sequence[Pattern], under: Sequence[int]) -> list[int]:
    """The same, with the hours (weekdays) that go the other way folded under those that stand.

    The hours share out one day: where some are worse all others together are better, so the one
    tells what the other does. Of a level those stand that make it likelier, else the stronger.
    With any other factor a second level may be news of its own.
    """
    result = list(under)
    for i, one in enumerate(kept):
        likelier = isinstance(one.effect, LevelEffect)
        if one.kind is not Kind.TIMING or result[i] >= 0 or (likelier and one.z > 0):
            continue
        sides = [
            j
            for j, other in enumerate(kept)
            if _factor(one) == _factor(other) and one.z * other.z < 0
            if (likelier and result[j] in (-1, i)) or (j < i and result[j] < 0)
        ]
        if sides:
            first = sides[0]
            result = [first if i in (place, up) else up for place, up in enumerate(result)]
            result[first] = -1
    return result


def _factor(one: Pattern) -> str:
    """What the antecedent is a level of; a flag is its own."""
    return one.antecedent.partition("=")[0]


def _strength(pattern: Pattern) -> tuple[float, bool, str, str, str]:
    """Strongest first; of two that are each other's complement the one that raises, then names."""
    names = pattern.antecedent, pattern.consequent, pattern.level
    return -round(abs(pattern.z), 6), pattern.z < 0, *names


def _worth_telling(where: Tested, pattern: Pattern, settings: Settings) -> bool:
    """Large enough; and of a consequent with many levels only what makes a level likelier."""
    if pattern.z < 0 and where.consequent.is_choice:
        return False
    return is_large(pattern.effect, settings)


def is_large(effect: LevelEffect | RankEffect, settings: Settings) -> bool:
    """Whether an effect is as large as what is told."""
    if isinstance(effect, RankEffect):
        return abs(effect.adjusted - 0.5) >= settings.min_superiority
    return max(effect.shrunk_lift, 1 / max(effect.shrunk_lift, 1e-9)) >= settings.min_lift


def _claim(where: Tested, hit: Hit) -> Claim:
    group = where.adjusted_by.get((hit.j, hit.k), ())
    return Claim(where.table.features.column(hit.j), group_codes(where.table, group)[0])


def _outcome_scores(where: Tested, k: int) -> Floats:
    """What subsumption compares: 1 for the level, or the numbers' ranks."""
    if where.consequent.codes is not None:
        return np.asarray(where.consequent.codes == k, dtype=np.float64)
    assert where.consequent.values is not None  # noqa: S101 - one of the two is given
    codes = np.zeros(where.table.size, dtype=np.int32)
    return rank_scores(where.consequent.values, stratification("", codes, 1, where.table.features))


def _pattern(where: Tested, hit: Hit, settings: Settings) -> Pattern:
    features, factors = where.table.features, where.table.factors
    group = where.adjusted_by.get((hit.j, hit.k), ())
    z, crude_z = float(where.z[hit.j, hit.k]), float(where.crude_z[hit.j, hit.k])
    ranked = where.consequent.codes is None
    return Pattern(
        antecedent=features.names[hit.j],
        kind=features.kinds[hit.j],
        consequent=where.consequent.name,
        level="" if ranked else where.consequent.levels[hit.k],
        effect=_rank_effect(where, hit, group) if ranked else _level_effect(where, hit, group),
        z=z,
        p=hit.p,
        q=hit.q,
        confounders=tuple(factors[g].name for g in group),
        aliases=tuple(factors[g].name for g in where.alias.get(hit.j, ())),
        reversal=z * crude_z < 0 and min(abs(z), abs(crude_z)) >= REVERSAL_Z,
        lifetime=_lifetime(where, hit),
        examples=_examples(where, hit, settings.examples),
    )


def strata_of(rows: Codes, hit: Codes, codes: Codes, count: int) -> Strata:
    """The stratified table of the cases `rows` and the cases `hit`, strata given by `codes`."""
    in_rows = np.zeros(codes.size, dtype=bool)
    in_rows[rows] = True
    columns = (codes[hit[in_rows[hit]]], codes[rows], codes[hit], codes)
    return Strata(*(np.bincount(c, minlength=count).astype(np.float64) for c in columns))


def _level_effect(where: Tested, hit: Hit, group: tuple[int, ...]) -> LevelEffect:
    rows = where.table.features.column(hit.j)
    affected = np.flatnonzero(where.consequent.codes == hit.k).astype(np.int32)
    strata = strata_of(rows, affected, *group_codes(where.table, group))
    found, counts = cmh(strata), strata.crude
    return LevelEffect(
        counts,
        lift(counts),
        adjusted_lift(strata),
        shrunk_lift(found.observed, found.expected, found.variance),
        risk_difference(counts),
        pooled_difference(strata),
    )


def _rank_effect(where: Tested, hit: Hit, group: tuple[int, ...]) -> RankEffect:
    values, rows = where.consequent.values, where.table.features.column(hit.j)
    assert values is not None  # noqa: S101 - numbers, since they are ranked
    has = np.zeros(where.table.size, dtype=bool)
    has[rows] = True
    return RankEffect(
        exposed=rows.size,
        total=where.table.size,
        superiority=superiority(where, rows, ()),
        adjusted=superiority(where, rows, group),
        median_with=float(np.median(values[has])),
        median_without=float(np.median(values[~has])),
    )


def superiority(where: Tested, rows: Codes, group: tuple[int, ...]) -> float:
    """P(with > without) + ½ P(equal) in joint strata, weighted by n₁n₀/(n + 1) (van Elteren)."""
    assert where.consequent.values is not None  # noqa: S101
    codes, count = group_codes(where.table, group)
    by = stratification("", codes, count, where.table.features.chosen(()))
    scores = rank_scores(where.consequent.values, by)
    with_it = np.bincount(codes[rows], minlength=count)
    weight = float((with_it * (by.sizes - with_it) / (by.sizes + 1)).sum())
    return 0.5 + float(scores[rows].sum()) / weight if weight else 0.5


def _lifetime(where: Tested, hit: Hit) -> Lifetime:
    """Excess and variance per period, expectations within period.

    It holds no sooner than the first case with the antecedent, nor than the first of the level.
    Its cases are those with both; where it is about numbers or makes a level rarer, all those
    with the antecedent.
    """
    when, rows = where.table.when, where.table.features.column(hit.j)
    periods, codes = np.unique(when, return_inverse=True)
    sizes = np.bincount(codes)
    with_it = np.bincount(codes[rows], minlength=sizes.size)
    scores = _outcome_scores(where, hit.k)
    sums, squares = (np.bincount(codes, weights=s) for s in (scores, scores * scores))
    mean = sums / sizes
    excess = np.bincount(codes[rows], weights=scores[rows], minlength=sizes.size) - with_it * mean
    spread = (squares / sizes - mean * mean) / np.maximum(sizes - 1, 1)
    variance = np.maximum(with_it * (sizes - with_it) * spread, 0.0)
    found = lifetime(periods.astype(np.int64), excess, variance)
    first = int(periods[with_it > 0][0])
    if where.consequent.codes is not None and sums.any():
        first = max(first, int(periods[sums > 0][0]))
    found = replace(found, first=max(found.first, first))
    likelier = where.consequent.codes is not None and where.z[hit.j, hit.k] > 0
    both = np.bincount(codes[rows], weights=scores[rows], minlength=sizes.size)
    own = np.asarray(both if likelier else with_it, dtype=np.float64)
    return with_end(found, periods.astype(np.int64), own, sizes.astype(np.float64))


def _examples(where: Tested, hit: Hit, count: int) -> tuple[int, ...]:
    rows = where.table.features.column(hit.j)
    if where.consequent.codes is not None:
        rows = rows[where.consequent.codes[rows] == hit.k]
    order = np.lexsort((-rows, -where.table.when[rows].astype(np.int64)))
    return tuple(int(r) for r in where.rows[rows[order[:count]]])


def _apparent(results: Sequence[Tested]) -> tuple[Apparent, ...]:
    """Strong crude associations that vanish in the strata of one factor, strongest first."""
    found = []
    for where in results:
        gone = (np.abs(where.crude_z) >= APPARENT_Z) & (where.p > 0.05)
        for j, k in np.argwhere(gone).tolist():
            g = int(where.weakest_by[j, k])
            if g >= 0:
                found.append(_apparent_pair(where, j, k, where.table.factors[g].name))
    found.sort(key=lambda a: (-abs(a.crude_z), a.antecedent, a.consequent, a.level))
    return tuple(found[:MOST_APPARENT])


def _apparent_pair(where: Tested, j: int, k: int, because: str) -> Apparent:
    level = where.consequent.levels[k] if where.consequent.codes is not None else ""
    name, kind = where.table.features.names[j], where.table.features.kinds[j]
    crude_z = float(where.crude_z[j, k])
    return Apparent(name, kind, where.consequent.name, level, crude_z, because)
