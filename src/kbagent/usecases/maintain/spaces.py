"""The space in which vectors are compared: as the encoder made them, or turned by an adapter.

Raw vectors stay as they are. A learned adapter turns them when they are read, and has a dense
index of its own beside the plain one, so that going back costs nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.store import adapters
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.models import StoredModel

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Space:
    """An encoder's vectors, and the matrix (d, d) that turns them; None: none does."""

    model: StoredModel
    adapter: str | None = None
    matrix: NDArray[np.float64] | None = None

    def turned(self, vectors: Vectors) -> Vectors:
        """The vectors of this space, unit length, (n, d).

        In double precision: a row must not depend on the rows beside it, and does not after
        rounding to single precision.
        """
        if self.matrix is None or not len(vectors):
            return vectors
        product = vectors.astype(np.float64) @ self.matrix
        length = np.linalg.norm(product, axis=1, keepdims=True)
        return np.asarray(product / np.where(length > 0.0, length, 1.0), dtype=np.float32)


def space_of(kb: KnowledgeBase, model: StoredModel, adapter: str | None) -> Space:
    """The space of an adapter; the plain one where the adapter is none or another encoder's."""
    matrix = adapters.load(kb.connection, adapter, model.id)
    if matrix is None:
        return Space(model)
    return Space(model, adapter, matrix.astype(np.float64))
