"""How near cases are to a query: the cosine of the nearest pair of their passages.

From the exact vectors, so that a similarity is the same whichever index served.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.store import passages
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.remembered import CaseVectors
from kbagent.usecases.maintain.spaces import Space

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]
Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Likeness:
    """A query's passages (q, dimension) in the space in which cases are compared with it."""

    kb: KnowledgeBase
    space: Space
    query: Vectors

    def of(self, case_ids: Ids) -> Floats:
        """The similarity of each case, [-1, 1]; 0 of a case without vectors."""
        return self._best(case_ids, *self._rows(case_ids))

    def by_case(self, case_ids: Sequence[int]) -> dict[int, float]:
        """The same by case id."""
        found = self.of(np.array(case_ids, dtype=np.int64))
        return dict(zip(case_ids, found.tolist(), strict=True))

    def representatives(self, case_ids: Ids) -> tuple[Ids, Floats, Vectors]:
        """Of each case that has vectors, the passage that is nearest to the query.

        (position in `case_ids`, similarity, vector), in the order of `case_ids`.
        """
        positions, rows = self._rows(case_ids)
        cosines = _cosines(self.query, rows)
        order = np.lexsort((-cosines, positions))
        best = order[np.diff(positions[order], prepend=-1) > 0]
        return positions[best], cosines[best], rows[best]

    def _best(self, case_ids: Ids, positions: Ids, rows: Vectors) -> Floats:
        cosines = _cosines(self.query, rows)
        if len(rows) == len(case_ids):
            return cosines
        found = np.full(len(case_ids), -np.inf)
        np.maximum.at(found, positions, cosines)
        return np.where(np.isfinite(found), found, 0.0)

    def _rows(self, case_ids: Ids) -> tuple[Ids, Vectors]:
        name = f"vectors {self.space.model.id} {self.space.adapter}"
        return self.kb.memory.one(name, CaseVectors).of(case_ids, self._read)

    def _read(self, case_ids: list[int]) -> tuple[Ids, Vectors]:
        owners, rows = passages.of_cases(self.kb.connection, self.space.model.id, case_ids)
        return owners, self.space.turned(rows) if len(owners) else rows


def _cosines(query: Vectors, rows: Vectors) -> Floats:
    """Of each row its cosine with the nearest passage of the query.

    Summed row by row: a matrix product rounds differently with other rows beside it, and a score
    must not depend on what else was found.
    """
    if not len(rows):
        return np.zeros(0)
    exact = rows.astype(np.float64)
    found = [np.vecdot(exact, one) for one in query.astype(np.float64)]
    nearest: Floats = found[0] if len(found) == 1 else np.stack(found).max(axis=0)
    return nearest
