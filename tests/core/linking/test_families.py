"""Families by explicit links: components, kept apart where someone said so."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from kbagent.core.linking.families import families, most_central, refused_links

pairs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=15)


@given(pairs)
def test_without_prohibitions_families_are_connected_components(
    same: list[tuple[int, int]],
) -> None:
    rows = [one for one, _ in same]
    columns = [other for _, other in same]
    graph = coo_matrix((np.ones(len(same)), (rows, columns)), shape=(10, 10))
    _, labels = connected_components(graph, directed=False)
    roots = families(10, same)
    for one in range(10):
        for other in range(10):
            assert (roots[one] == roots[other]) == (labels[one] == labels[other])


@given(pairs, pairs)
def test_what_is_apart_stays_apart_and_every_refusal_has_a_reason(
    same: list[tuple[int, int]], apart: list[tuple[int, int]]
) -> None:
    roots = families(10, same, apart)
    assert all(roots[one] != roots[other] for one, other in apart if one != other)
    assert (roots <= np.arange(10)).all()
    for one, other in refused_links(roots, same):
        between = {int(roots[one]), int(roots[other])}
        assert any({int(roots[a]), int(roots[b])} == between for a, b in apart)


def test_the_stronger_link_comes_first_and_wins() -> None:
    assert families(3, [(1, 2), (0, 1)], apart=[(0, 2)]).tolist() == [0, 1, 1]


def test_the_centre_is_nearest_to_all_and_ties_go_to_the_first() -> None:
    vectors = np.array([[0, 1], [0.6, 0.8], [0.8, 0.6], [1, 0]], dtype=np.float32)
    assert most_central(vectors) == 1
    assert most_central(vectors[:1]) == 0
