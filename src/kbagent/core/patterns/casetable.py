"""Cases as columns: what is known when a case arrives, and what became of it.

`Factor` is a recorded attribute with a level per case, `Features` the sparse binary
case x antecedent matrix stored by column, `Consequent` what may follow (levels or numbers).
Does not read cases from anywhere and does not test anything.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

UNRECORDED = -1
"""Code of a case whose level was not recorded."""
MOST_LEVELS = 1000
"""Levels of a factor kept apart when stratifying; rarer ones share one stratum."""


class Kind(StrEnum):
    """What an antecedent is made of."""

    PHRASING = "phrasing"
    TIMING = "timing"
    COHORT = "cohort"
    KEYWORD = "keyword"
    RELEASE = "release"


def _no_pairs() -> Codes:
    return np.zeros((2, 0), dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Factor:
    """A recorded attribute: `codes[i]` is the level of case i, `UNRECORDED` when it has none.

    `testable` factors are antecedents themselves; the others only serve to stratify. A case with
    several levels is stratified by the one in `codes`; its further ones are in `beside`, the
    cases in row 0 and their levels in row 1: as an antecedent it has them all.
    """

    name: str
    levels: tuple[str, ...]
    codes: Codes
    kind: Kind = Kind.COHORT
    testable: bool = True
    beside: Codes = field(default_factory=_no_pairs)

    @classmethod
    def of(
        cls,
        name: str,
        values: Sequence[str | None],
        kind: Kind = Kind.COHORT,
        *,
        testable: bool = True,
    ) -> "Factor":
        """A factor from one value per case; levels are sorted, None and "" are unrecorded."""
        levels = tuple(sorted({v for v in values if v}))
        place = {level: i for i, level in enumerate(levels)}
        codes = np.array([place.get(v or "", UNRECORDED) for v in values], dtype=np.int32)
        return cls(name, levels, codes, kind, testable)

    def restricted(self, known: Mask) -> "Factor":
        """The same factor over the cases where `known` is true."""
        beside = self.beside
        if beside.size:
            beside = beside[:, known[beside[0]]]
            renumber = np.cumsum(known, dtype=np.int32) - 1
            beside = np.stack((renumber[beside[0]], beside[1]))
        return replace(self, codes=self.codes[known], beside=beside)

    def with_it(self, level: int) -> Codes:
        """The cases that have this level, alone or among others, ascending.

        >>> beside = np.array([[1], [0]], dtype=np.int32)
        >>> codes = np.array([0, 1, UNRECORDED], dtype=np.int32)
        >>> Factor("os", ("linux", "mac"), codes, beside=beside).with_it(0).tolist()
        [0, 1]
        """
        further = self.beside[0, self.beside[1] == level]
        return _with(np.flatnonzero(self.codes == level).astype(np.int32), further)


def _with(first: Codes, further: Codes) -> Codes:
    """These cases, and those that have the level beside another, ascending."""
    return np.union1d(first, further).astype(np.int32) if further.size else first


@dataclass(frozen=True, slots=True)
class Features:
    """A sparse binary matrix by column: `rows[starts[j]:starts[j+1]]` are the cases of feature j.

    `owners[j]` is the name of the factor that feature j is a level of, "" when of none.
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    owners: tuple[str, ...]
    starts: NDArray[np.int64]
    rows: Codes

    def __len__(self) -> int:
        return len(self.names)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many cases have each feature."""
        return np.diff(self.starts)

    def column(self, j: int) -> Codes:
        """The cases that have feature j, ascending."""
        return self.rows[self.starts[j] : self.starts[j + 1]]

    def restricted(self, known: Mask) -> "Features":
        """The same features over the cases where `known` is true, renumbered."""
        if known.all():
            return self
        renumber = np.cumsum(known, dtype=np.int64) - 1
        kept = known[self.rows]
        ends = np.concatenate(([0], np.cumsum(kept, dtype=np.int64)))
        rows = renumber[self.rows[kept]].astype(np.int32)
        return Features(self.names, self.kinds, self.owners, ends[self.starts], rows)

    def chosen(self, which: Sequence[int]) -> "Features":
        """Only the features with these places, in that order."""
        columns = [self.column(j) for j in which]
        return _stack(
            [self.names[j] for j in which],
            [self.kinds[j] for j in which],
            [self.owners[j] for j in which],
            columns,
        )


def _stack(
    names: Iterable[str], kinds: Iterable[Kind], owners: Iterable[str], columns: list[Codes]
) -> Features:
    starts = np.zeros(len(columns) + 1, dtype=np.int64)
    np.cumsum([c.size for c in columns], out=starts[1:])
    rows = np.concatenate(columns) if columns else np.zeros(0, dtype=np.int32)
    return Features(tuple(names), tuple(kinds), tuple(owners), starts, rows.astype(np.int32))


def features_of(factors: Sequence[Factor]) -> Features:
    """One feature per level of each testable factor, named `factor=level`, with all its cases.

    >>> f = features_of([Factor.of("os", ["mac", "linux", None, "mac"])])
    >>> f.names, f.column(1).tolist()
    (('os=linux', 'os=mac'), [0, 3])
    """
    names, kinds, owners, columns = [], [], [], []
    for factor in factors:
        if not factor.testable:
            continue
        # 16-bit numbers are sorted by radix, ten times as fast
        small = len(factor.levels) <= np.iinfo(np.int16).max
        codes = factor.codes.astype(np.int16) if small else factor.codes
        order = np.argsort(codes, kind="stable").astype(np.int32)
        edges = np.searchsorted(codes[order], np.arange(len(factor.levels) + 1))
        beside = factor.beside[:, np.argsort(factor.beside[1], kind="stable")]
        ends = np.searchsorted(beside[1], np.arange(len(factor.levels) + 1))
        for j, level in enumerate(factor.levels):
            names.append(f"{factor.name}={level}")
            kinds.append(factor.kind)
            owners.append(factor.name)
            further = beside[0, ends[j] : ends[j + 1]]
            columns.append(_with(order[edges[j] : edges[j + 1]], further))
    return _stack(names, kinds, owners, columns)


def features_from(named: Sequence[tuple[str, Kind, Codes]]) -> Features:
    """Features that are no factor's level (words, form): name, kind, ascending case numbers."""
    return _stack(
        [n for n, _, _ in named],
        [k for _, k, _ in named],
        [""] * len(named),
        [c for _, _, c in named],
    )


def joined(first: Features, second: Features) -> Features:
    """All features of both, the first ones first."""
    return Features(
        first.names + second.names,
        first.kinds + second.kinds,
        first.owners + second.owners,
        np.concatenate((first.starts, first.starts[-1] + second.starts[1:])),
        np.concatenate((first.rows, second.rows)),
    )


@dataclass(frozen=True, slots=True)
class Consequent:
    """What may follow: levels (issue, queue, escalated) or numbers (satisfaction, minutes).

    Of `codes` and `values` exactly one is given. `UNRECORDED` and NaN are unknown: such cases do
    not take part. `not_by` names factors that must not serve as confounders because they are
    consequences themselves, or this one under another name. `told` are the level codes of
    interest; None is all of them.
    """

    name: str
    levels: tuple[str, ...] = ()
    codes: Codes | None = None
    values: Floats | None = None
    not_by: frozenset[str] = frozenset()
    told: tuple[int, ...] | None = None

    @property
    def known(self) -> Mask:
        """Which cases take part."""
        if self.codes is not None:
            return np.asarray(self.codes != UNRECORDED)
        assert self.values is not None  # noqa: S101 - one of the two is given
        return ~np.isnan(self.values)

    @property
    def is_choice(self) -> bool:
        """Whether it is one of several (an issue, a queue): told is what makes one likelier."""
        return self.codes is not None and (self.told is None or len(self.told) > 1)

    @property
    def width(self) -> int:
        """How many hypotheses one antecedent makes with it."""
        return 1 if self.codes is None else len(self.told or self.levels)

    def restricted(self, kept: Mask) -> "Consequent":
        """The same consequent over the cases where `kept` is true."""
        codes = None if self.codes is None else self.codes[kept]
        return replace(self, codes=codes, values=None if self.values is None else self.values[kept])

    @classmethod
    def of_levels(
        cls, name: str, values: Sequence[str | None], not_by: frozenset[str] = frozenset()
    ) -> "Consequent":
        """A consequent with levels, from one value per case."""
        factor = Factor.of(name, values)
        return cls(name, factor.levels, factor.codes, not_by=not_by)

    @classmethod
    def of_flags(
        cls, name: str, flags: Sequence[bool | None], not_by: frozenset[str] = frozenset()
    ) -> "Consequent":
        """A yes-or-no consequent of which only "yes" is told."""
        codes = np.array([UNRECORDED if f is None else int(f) for f in flags], dtype=np.int32)
        return cls(name, ("no", "yes"), codes, not_by=not_by, told=(1,))


@dataclass(frozen=True, slots=True)
class CaseTable:
    """Cases as columns; every factor and feature counts the same `size` cases.

    `when` is the month (or any ordinal period) of each case, for the period a pattern holds in.
    """

    size: int
    factors: tuple[Factor, ...]
    features: Features
    when: Codes

    @classmethod
    def of(
        cls, factors: Sequence[Factor], extra: Features | None = None, when: Codes | None = None
    ) -> "CaseTable":
        """A table whose features are the factors' levels and `extra` ones."""
        features = features_of(factors)
        if extra is not None:
            features = joined(features, extra)
        size = factors[0].codes.size if factors else (0 if when is None else when.size)
        times = np.zeros(size, dtype=np.int32) if when is None else when
        return cls(size, tuple(factors), features, times)

    def restricted(self, known: Mask) -> "CaseTable":
        """The table of the cases where `known` is true."""
        if known.all():
            return self
        return CaseTable(
            int(known.sum()),
            tuple(f.restricted(known) for f in self.factors),
            self.features.restricted(known),
            self.when[known],
        )


def strata_codes(factor: Factor) -> tuple[Codes, int]:
    """Dense codes from 0 for stratifying and their number; unrecorded is a stratum of its own.

    When there are more than `MOST_LEVELS` levels the rarest share one stratum.
    """
    shifted = factor.codes + 1
    counts = np.bincount(shifted, minlength=len(factor.levels) + 1)
    if np.count_nonzero(counts) > MOST_LEVELS:
        rank = np.empty(counts.size, dtype=np.int32)
        rank[np.argsort(-counts, kind="stable")] = np.arange(counts.size, dtype=np.int32)
        shifted = np.minimum(rank, MOST_LEVELS - 1)[shifted]
        return shifted.astype(np.int32), MOST_LEVELS
    return dense(shifted)


def dense(codes: NDArray[np.integer]) -> tuple[Codes, int]:
    """The same partition with codes 0, 1, … in order of the old codes, and their number."""
    counts = np.bincount(codes) if codes.size else np.zeros(0, dtype=np.int64)
    present = counts > 0
    renumber = (np.cumsum(present) - 1).astype(np.int32)
    return renumber[codes] if codes.size else codes.astype(np.int32), int(present.sum())
