"""Families of cases by explicit links: what people and exports said, and nothing else.

Links that say "the same" join (transitively); links that say "not the same" keep apart, and win:
the stronger word of a human comes first in `same`. Not here: similarity (`assignment`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kbagent.core.linking.neighbours import Ints, Vectors

MOST_FOR_CENTRE = 2000  # members beyond which the centre is sought among the first ones


def families(
    size: int, same: Sequence[tuple[int, int]], apart: Sequence[tuple[int, int]] = ()
) -> Ints:
    """For each of `size` rows the lowest row of its family, (size,).

    Pairs of `same` join in the order given (strongest evidence first), unless the join would
    bring a pair of `apart` into one family; such a link is passed over. A row without a link is
    its own family.

    >>> families(5, [(3, 1), (1, 4)]).tolist()
    [0, 1, 2, 1, 1]
    >>> families(3, [(0, 1), (1, 2)], apart=[(0, 2)]).tolist()
    [0, 0, 2]
    """
    parent = list(range(size))
    against: list[set[int]] = [set() for _ in range(size)]
    for one, other in apart:
        if one != other:
            against[one].add(other)
            against[other].add(one)
    for one, other in same:
        low, high = sorted((_root(parent, one), _root(parent, other)))
        if low == high or high in against[low]:
            continue
        parent[high] = low
        for enemy in against[high]:
            against[enemy].discard(high)
            against[enemy].add(low)
        against[low] |= against[high]
        against[high] = set()
    return np.array([_root(parent, row) for row in range(size)], dtype=np.int64)


def refused_links(roots: Ints, same: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The links that `families` passed over: their ends are in two families."""
    return tuple((one, other) for one, other in same if roots[one] != roots[other])


def most_central(vectors: Vectors) -> int:
    """The row (n, d; unit length, n ≥ 1) whose mean similarity to the others is greatest.

    Its title becomes the issue's. Ties: the lower row. Of more than 2000 members the centre is
    that of all, the row one of the first 2000.

    >>> most_central(np.array([[1, 0], [0.8, 0.6], [0, 1]], dtype=np.float32))
    1
    """
    total: NDArray[np.float64] = vectors.sum(axis=0, dtype=np.float64)
    some = vectors[:MOST_FOR_CENTRE].astype(np.float64)
    return int(np.argmax(np.round(some @ total, 9)))


def _root(parent: list[int], row: int) -> int:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row
