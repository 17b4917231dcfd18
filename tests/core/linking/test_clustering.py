"""Grouping by similarity: against scipy's average linkage, and independent of order."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from kbagent.core.linking.clustering import LOCAL_SCALING, cluster
from kbagent.core.linking.neighbours import density, nearest_neighbours


def unit(rng: np.random.Generator, size: int, dimension: int = 4) -> np.ndarray:
    drawn = rng.normal(size=(size, dimension))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(((one[:, None] == one[None]) == (other[:, None] == other[None])).all())


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 25), st.integers(0, 10**6), st.floats(0.0, 0.7))
def test_it_is_average_linkage(size: int, seed: int, threshold: float) -> None:
    vectors = unit(np.random.default_rng(seed), size)
    near = nearest_neighbours(vectors, size - 1)
    crowd = density(near)
    score = vectors.astype(float) @ vectors.T.astype(float)
    score -= LOCAL_SCALING * (crowd[:, None] + crowd[None]) / 2
    distance = 3.0 - score
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), "average")
    expected = fcluster(tree, 3.0 - threshold, "distance")
    assert same_partition(cluster(vectors, near, crowd, threshold=threshold), expected)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 30), st.integers(0, 10**6))
def test_any_order_gives_the_same_groups(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = unit(rng, size)
    order = rng.permutation(size)
    parts = []
    for rows in (vectors, vectors[order]):
        near = nearest_neighbours(rows, 5)
        parts.append(cluster(rows, near, density(near), threshold=0.3))
    assert same_partition(parts[0][order], parts[1])


def test_what_is_apart_is_never_grouped() -> None:
    vectors = np.repeat(np.array([[1.0, 0.0]], dtype=np.float32), 3, axis=0)
    near = nearest_neighbours(vectors, 2)
    groups = cluster(vectors, near, density(near), threshold=0.1, apart=[(0, 2)])
    assert groups[0] != groups[2]
    assert groups[1] in (groups[0], groups[2])


def test_neighbours_are_found_exactly_and_density_is_their_mean() -> None:
    vectors = unit(np.random.default_rng(0), 40)
    near = nearest_neighbours(vectors, 6)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    assert (near.positions == np.argsort(-cosines, axis=1)[:, :6]).all()
    assert np.allclose(density(near), near.similarities.mean(axis=1))


def test_fewer_rows_than_neighbours_are_filled_up() -> None:
    near = nearest_neighbours(unit(np.random.default_rng(0), 2), 4)
    assert near.positions.tolist() == [[1, -1, -1, -1], [0, -1, -1, -1]]
    assert nearest_neighbours(np.zeros((0, 3), dtype=np.float32), 4).positions.shape == (0, 4)
