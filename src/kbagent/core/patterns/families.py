"""Which of the tested pairs are claimed: four families, each at its own false discovery rate.

Words and form, or what is recorded; by which of several (an issue, a queue), or how it went. Nearly
every word goes with some problem: corrected for together with these, what goes with escalation by
chance would be claimed as a small share of many true claims, and these few are what is told.
Source: Efron 2008 (Annals of Applied Statistics 2, 197-223), on separate and combined families.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.adjustment import Tested
from kbagent.core.patterns.casetable import Floats, Kind
from kbagent.core.patterns.multiplicity import q_values


@dataclass(frozen=True, slots=True)
class Hit:
    """A discovered pair: which consequent's tests, feature, level, p and q."""

    where: Tested
    j: int
    k: int
    p: float
    q: float


def claimed(results: Sequence[Tested], rate: float, left_out: int) -> tuple[list[Hit], int]:
    """What is claimed, each family at this false discovery rate; and how many were tested.

    `left_out` words were looked at before; they count as tested with every consequent.
    """
    hits: list[Hit] = []
    count = 0
    for worded in (True, False):
        for choice in (True, False):
            family = [
                _Candidates(where, np.flatnonzero(_is_worded(where) == worded))
                for where in results
                if where.consequent.is_choice == choice
            ]
            unseen = left_out * sum(one.where.consequent.width for one in family) * worded
            own, tested_here = _claimed(family, rate, unseen)
            hits += own
            count += tested_here
    return hits, count


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Some features (places `j`) of one consequent's tests."""

    where: Tested
    j: NDArray[np.intp]

    @property
    def p(self) -> Floats:
        """Their p-values, (features, levels): one-sided where only one side is ever told.

        NaN for a feature that names the consequent in other words.
        """
        consequent, owners = self.where.consequent, self.where.table.features.owners
        p = self.where.p[self.j]
        if consequent.is_choice:
            p = np.where(self.where.z[self.j] > 0, p / 2, 1 - p / 2)
        itself = np.array([owners[j] in consequent.not_by for j in self.j.tolist()], dtype=bool)
        return np.where(itself[:, None], np.nan, p)


def _is_worded(where: Tested) -> NDArray[np.bool_]:
    """Which features are words, or the form of the message."""
    kinds = where.table.features.kinds
    return np.array([one in (Kind.KEYWORD, Kind.PHRASING) for one in kinds], dtype=bool)


def _claimed(family: Sequence[_Candidates], rate: float, unseen: int) -> tuple[list[Hit], int]:
    """What is claimed of one family, `unseen` hypotheses counted too; and how many these are."""
    if not family:
        return [], 0
    tables = [one.p for one in family]
    p = np.concatenate([one.ravel() for one in tables])
    count = int(np.count_nonzero(~np.isnan(p))) + unseen
    q = q_values(p, considered=count)
    hits, offset = [], 0
    for one, table in zip(family, tables, strict=True):
        good = np.flatnonzero(q[offset : offset + table.size] <= rate)
        width = table.shape[1]
        hits += [
            Hit(one.where, int(one.j[i // width]), i % width, p[offset + i], q[offset + i])
            for i in good.tolist()
        ]
        offset += table.size
    return hits, count
