"""Each case's nearest other cases, exactly, block by block: what all linking starts from.

The use case may take neighbours from an index instead; these are for a run over many new cases
at once, where a product of matrices is faster than one query after another.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BLOCK = 1024  # rows whose similarities to all others are held at once
DENSITY_NEIGHBOURS = 20  # over which a case's surroundings are averaged


@dataclass(frozen=True, slots=True)
class Neighbours:
    """For each of n cases its k nearest others, nearest first, ties by position.

    positions     (n, k) rows of the neighbours in the same set; -1 where there are fewer than k
    similarities  (n, k) cosines, -1 where there are fewer than k
    """

    positions: Ints
    similarities: Floats


def nearest_neighbours(vectors: Vectors, count: int) -> Neighbours:
    """The `count` nearest rows of every row of `vectors` (n, d; unit length), itself left out.

    >>> square = np.array([[1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32)
    >>> nearest_neighbours(square, 1).positions.ravel().tolist()
    [1, 2, 1]
    """
    size = len(vectors)
    kept = max(0, min(count, size - 1))
    positions = np.full((size, count), -1, dtype=np.int64)
    similarities = np.full((size, count), -1.0)
    if kept == 0:
        return Neighbours(positions, similarities)
    for start in range(0, size, BLOCK):
        rows = np.arange(start, min(start + BLOCK, size))
        block = vectors[rows] @ vectors.T
        block[np.arange(len(rows)), rows] = -np.inf
        best = np.argpartition(-block, kept - 1, axis=1)[:, :kept]
        values = np.take_along_axis(block, best, axis=1)
        order = np.lexsort((best, -values), axis=1)
        positions[rows, :kept] = np.take_along_axis(best, order, axis=1)
        similarities[rows, :kept] = np.take_along_axis(values, order, axis=1)
    return Neighbours(positions, similarities)


def density(neighbours: Neighbours) -> Floats:
    """Mean similarity of each case to its nearest 20, (n,): how crowded its surroundings are.

    0 for a case without neighbours.
    """
    near = neighbours.similarities[:, :DENSITY_NEIGHBOURS]
    known = neighbours.positions[:, :DENSITY_NEIGHBOURS] >= 0
    total = np.where(known, near, 0.0).sum(axis=1)
    result: Floats = total / np.maximum(known.sum(axis=1), 1)
    return result
