"""Closeness by way of other candidates: chains count, order does not, bounds hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.retrieval.fusion import candidates, fuse
from kbagent.core.retrieval.neighbourhood import closeness, drawn_together, with_closeness


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    drawn = rng.normal(size=shape)
    return drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)


def test_no_candidates_have_no_closeness() -> None:
    assert closeness([], np.zeros((0, 4))).shape == (0,)


def test_the_only_candidate_is_the_best_connected() -> None:
    assert closeness([0.3], np.array([[1.0, 0.0]])) == pytest.approx(1.0)


def test_a_paraphrase_of_a_near_case_overtakes_a_stranger_of_equal_similarity() -> None:
    rng = np.random.default_rng(3)
    topic, strangers = unit(rng, 1, 64), unit(rng, 60, 64)
    query = topic[0]
    family = topic + 0.08 * rng.normal(size=(6, 64))
    family /= np.linalg.norm(family, axis=1, keepdims=True)
    vectors = np.vstack([family, strangers])
    similarities = vectors @ query
    similarities[5] = 0.2  # a member in words of its own ...
    similarities[6] = 0.2  # ... and a stranger, equally far from the query itself
    found = closeness(similarities, vectors)
    assert found[5] > found[6] + 0.3


@given(st.integers(1, 40), st.integers(0, 2**31))
def test_closeness_is_bounded_and_follows_a_permutation(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, query = unit(rng, size, 8), unit(rng, 8)
    order = rng.permutation(size)
    found = closeness(vectors @ query, vectors)
    assert ((found >= 0.0) & (found <= 1.0)).all()
    assert found.max() == pytest.approx(1.0)
    assert closeness(vectors[order] @ query, vectors[order]) == pytest.approx(found[order])


def test_weight_zero_changes_no_score() -> None:
    terms = fuse([1, 2], [0.4, 0.6], [0.1, 0.0], dense_weight=0.7)
    moved = with_closeness(terms, {1: 1.0}, weight=0.0)
    assert [case.score for case in moved] == [case.score for case in terms]


def test_closeness_enters_the_score_by_its_weight() -> None:
    terms = fuse([1, 2], [0.4, 0.5], [0.0, 0.0], dense_weight=1.0)
    moved = with_closeness(terms, {1: 1.0}, weight=0.25)
    assert [case.case_id for case in moved] == [1, 2]
    assert moved[0].score == pytest.approx(0.75 * 0.4 + 0.25)


def test_an_exact_identifier_still_comes_first() -> None:
    terms = fuse([1, 2], [0.9, 0.0], [0.0, 0.2], [0.0, 1.0], dense_weight=0.7, identifier_share=1)
    assert with_closeness(terms, {1: 1.0, 2: 0.0}, weight=0.25)[0].case_id == 2


@given(
    st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=20),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_columns_and_single_entries_give_the_same_terms(rows, dense_weight, weight):
    similar, lexical, exact, near = (list(column) for column in zip(*rows, strict=True))
    ids = list(range(7, 7 + len(rows)))
    options = {"dense_weight": dense_weight, "identifier_share": 0.5}
    columns = candidates(ids, similar, lexical, exact, **options)
    terms = fuse(ids, similar, lexical, exact, **options)
    assert columns.terms() == terms
    assert columns.scores.tolist() == [one.score for one in terms]
    moved = drawn_together(columns, near, weight=weight)
    closeness_of = dict(zip(columns.case_ids.tolist(), near, strict=True))
    assert moved.terms() == with_closeness(terms, closeness_of, weight=weight)
