"""What tells issues apart in this knowledge base, learned from the cases it knows to be linked.

A shrunken linear discriminant in the form of Ioffe 2006, "Probabilistic Linear Discriminant
Analysis": directions in which cases of one issue differ anyway count less, directions in which
issues differ count more. Both covariances are shrunk towards a multiple of the identity, at which
the plain cosine comes out; so a few links change little and cannot do harm.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.core.linking.neighbours import Floats, Ints, Vectors

LEAST_LINKED = 100  # linked cases below which nothing is learned
LEAST_ISSUES = 10  # issues of two linked cases or more below which nothing is learned
WITHIN_SHRINKAGE = 0.3  # towards the identity; 0.1 to 0.5 differ by less than 0.003 (CLINC150)
BETWEEN_SHRINKAGE = 0.1
SHRINKAGE_CASES = 384.0  # pseudo-cases that speak for the identity


@dataclass(frozen=True, slots=True)
class Discriminant:
    """An affine map into a space whose cosine tells issues apart: (x - mean) @ matrix."""

    mean: Floats
    matrix: Floats

    def transform(self, vectors: Vectors) -> NDArray[np.float32]:
        """(n, d) unit vectors of these (n, d) vectors in the discriminating space."""
        moved = (vectors.astype(np.float64) - self.mean) @ self.matrix
        length = np.linalg.norm(moved, axis=1, keepdims=True)
        result: NDArray[np.float32] = (moved / np.maximum(length, 1e-12)).astype(np.float32)
        return result


def fit_discriminant(vectors: Vectors, issues: Ints) -> Discriminant | None:
    """The discriminant of linked cases (n, d) with their issues (n,); None when too few.

    Only issues with two cases or more teach. Symbols: W the covariance within issues, B between
    their means (less the share of W in it), ψ the ratio B/W along each common eigenvector; each
    is scaled by √(ψ/(1+ψ)), the correlation of two cases of one issue along it.
    """
    _, codes, counts = np.unique(issues, return_inverse=True, return_counts=True)
    taught = counts[codes] >= 2
    if taught.sum() < LEAST_LINKED or (counts >= 2).sum() < LEAST_ISSUES:
        return None
    _, codes, counts = np.unique(issues[taught], return_inverse=True, return_counts=True)
    plain = vectors[taught].astype(np.float64)
    mean = plain.mean(axis=0)
    plain -= mean
    centres = np.zeros((len(counts), plain.shape[1]))
    np.add.at(centres, codes, plain)
    centres /= counts[:, None]
    apart = plain - centres[codes]
    freedom = max(len(plain) - len(counts), 1)
    own = apart.T @ apart / freedom
    within = _shrunk(own, _share(WITHIN_SHRINKAGE, freedom))
    between = centres.T @ centres / len(counts) - own * float((1.0 / counts).mean())
    between = _shrunk(between, _share(BETWEEN_SHRINKAGE, len(counts)))
    return Discriminant(mean, _diagonalised(within, between))


def _diagonalised(within: Floats, between: Floats) -> Floats:
    values, directions = np.linalg.eigh(within)
    whitening = directions / np.sqrt(values)
    ratios, rotation = np.linalg.eigh(whitening.T @ between @ whitening)
    ratios = np.maximum(ratios, 1e-4)
    result: Floats = (whitening @ rotation) * np.sqrt(ratios / (1.0 + ratios))
    return result


def _shrunk(covariance: Floats, share: float) -> Floats:
    dimension = len(covariance)
    level = max(float(np.trace(covariance)), 1e-9) / dimension
    result: Floats = (1.0 - share) * covariance + share * level * np.eye(dimension)
    return result


def _share(least: float, cases: float) -> float:
    """Weight of the identity: `least`, more when fewer cases than dimensions speak."""
    return max(least, SHRINKAGE_CASES / (SHRINKAGE_CASES + cases))
