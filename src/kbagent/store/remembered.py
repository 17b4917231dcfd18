"""What a process read of many rows, as columns by id: whose a passage is, the vectors of cases.

A lookup of hundreds of ids is one step of NumPy here, and a statement for what was not read yet.
Ids start at 1 and have few gaps, so a column costs eight bytes for each up to the largest; pages
that nobody touches are not there. What a column may remember, and until when, `memory` decides.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]

NONE = -1  # of a value: read, and there is none
_UNREAD = 0
_FIRST_ROWS = 1024
MOST_ROWS = 50_000  # vectors kept: about 80 MB

ReadValues = Callable[[list[int]], Mapping[int, int]]
ReadVectors = Callable[[list[int]], tuple[Ids, Vectors]]


class IdColumn:
    """A positive number for each id."""

    def __init__(self) -> None:
        self._values: Ids = np.zeros(0, dtype=np.int64)

    def of(self, ids: Ids, read: ReadValues) -> Ids:
        """The value of each id, `NONE` where there is none; `read` gives those not read yet."""
        if not len(ids):
            return np.zeros(0, dtype=np.int64)
        self._reach(int(ids.max()))
        found = self._values[ids]
        missing = distinct(ids[found == _UNREAD])
        if not len(missing):
            return found
        self.put(missing, np.full(len(missing), NONE, dtype=np.int64))
        values = read(missing.tolist())
        self.put(
            np.fromiter(values.keys(), np.int64, len(values)),
            np.fromiter(values.values(), np.int64, len(values)),
        )
        result: Ids = self._values[ids]
        return result

    def unread(self, ids: Ids) -> Ids:
        """Those of the ids that were never put, ascending."""
        if not len(ids):
            return ids
        self._reach(int(ids.max()))
        return distinct(ids[self._values[ids] == _UNREAD])

    def put(self, ids: Ids, values: Ids) -> None:
        """Set the values of these ids."""
        if len(ids):
            self._reach(int(ids.max()))
            self._values[ids] = values

    def _reach(self, largest: int) -> None:
        if largest >= len(self._values):
            longer = np.zeros(max(largest + 1, 2 * len(self._values)), dtype=np.int64)
            longer[: len(self._values)] = self._values
            self._values = longer


class CaseVectors:
    """The vectors of all passages of cases, one block of rows a case."""

    def __init__(self) -> None:
        self._matrix: Vectors = np.zeros((0, 0), dtype=np.float32)
        self._used = 0
        self._start = IdColumn()  # row + 1 of a case's first passage
        self._count = IdColumn()

    def of(self, case_ids: Ids, read: ReadVectors) -> tuple[Ids, Vectors]:
        """(position in `case_ids` of each row, rows), in the order of `case_ids`.

        `read` gives (case of each row, ascending; rows) for cases not read yet. A case without
        any passage has no row.
        """
        missing = self._start.unread(case_ids)
        if self._used + len(missing) > MOST_ROWS:
            self.__init__()  # type: ignore[misc]
            missing = distinct(case_ids)
        if len(missing):
            self._add(missing, *read(missing.tolist()))
        if not self._used:
            return np.zeros(0, dtype=np.int64), self._matrix
        start = self._start.of(case_ids, _nothing)
        count = self._count.of(case_ids, _nothing)
        if (count == 1).all():
            return np.arange(len(case_ids)), self._matrix[start - 1]
        lengths = np.maximum(count, 0)
        positions = np.repeat(np.arange(len(case_ids)), lengths)
        within = np.arange(len(positions)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return positions, self._matrix[start[positions] - 1 + within]

    def _add(self, case_ids: Ids, owners: Ids, rows: Vectors) -> None:
        nobody = np.full(len(case_ids), NONE, dtype=np.int64)
        self._start.put(case_ids, nobody)
        self._count.put(case_ids, nobody)
        if not len(owners):
            return
        first = np.flatnonzero(np.diff(owners, prepend=-1))
        self._start.put(owners[first], self._used + first + 1)
        self._count.put(owners[first], np.diff(first, append=len(owners)))
        needed = self._used + len(rows)
        if needed > len(self._matrix):
            longer = np.empty(
                (max(needed, 2 * len(self._matrix), _FIRST_ROWS), rows.shape[1]), np.float32
            )
            if self._used:
                longer[: self._used] = self._matrix[: self._used]
            self._matrix = longer
        self._matrix[self._used : needed] = rows
        self._used = needed


def distinct(ids: Ids) -> Ids:
    """The ids ascending, each once. (NumPy's `unique` imports its masked arrays: 10 ms.)"""
    ordered = np.sort(ids, axis=None)
    return ordered[np.diff(ordered, prepend=ordered[:1] - 1) > 0]


def _nothing(_ids: Sequence[int]) -> Mapping[int, int]:
    return {}
