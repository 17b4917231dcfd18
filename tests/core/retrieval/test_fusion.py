"""Fusion: hand-computed scores, identifiers first, and scores that can be computed again."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.retrieval.fusion import (
    FusedTerms,
    bm25_ceiling,
    exact_matches,
    fuse,
    identifier_share,
    inverse_frequency,
    normalised_bm25,
)

share = st.floats(0, 1)
cosine = st.floats(-1, 1, width=32)


def test_without_identifiers_the_score_is_the_convex_combination() -> None:
    terms = fuse([7], [0.5], [0.2], dense_weight=0.75)
    assert terms[0].score == pytest.approx(0.75 * 0.5 + 0.25 * 0.2)


def test_a_query_that_is_one_identifier_puts_the_case_with_it_first() -> None:
    terms = fuse(
        [1, 2], [0.99, -0.3], [0.0, 0.1], [0.0, 1.0], dense_weight=0.85, identifier_share=1.0
    )
    assert [term.case_id for term in terms] == [2, 1]


def test_equal_scores_are_ordered_by_id() -> None:
    terms = fuse([9, 3, 5], [0.5] * 3, [0.1] * 3, dense_weight=0.85)
    assert [term.case_id for term in terms] == [3, 5, 9]


def test_no_candidates_give_nothing() -> None:
    assert fuse([], [], [], dense_weight=0.85) == ()


@given(st.lists(st.tuples(cosine, share, share), max_size=20), share, share)
def test_scores_are_bounded_sorted_and_computed_again_from_json(
    rows: list[tuple[float, float, float]], weight: float, identifiers: float
) -> None:
    similarities = np.array([row[0] for row in rows], dtype=np.float32)
    terms = fuse(
        range(len(rows)),
        similarities,
        [row[1] for row in rows],
        [row[2] for row in rows],
        dense_weight=weight,
        identifier_share=identifiers,
    )
    scores = [term.score for term in terms]
    assert scores == sorted(scores, reverse=True)
    assert all(-1.0 <= score <= 1.0 + 1e-12 for score in scores)
    assert scores == [FusedTerms(**json.loads(json.dumps(t._asdict()))).score for t in terms]


@given(st.permutations(range(6)))
def test_the_order_of_candidates_does_not_matter(order: list[int]) -> None:
    similarities, lexical = [0.1, 0.5, 0.5, 0.2, 0.9, 0.5], [0.3, 0.0, 0.0, 0.2, 0.1, 0.4]
    plain = fuse(range(6), similarities, lexical, dense_weight=0.6)
    shuffled = fuse(
        order, [similarities[i] for i in order], [lexical[i] for i in order], dense_weight=0.6
    )
    assert plain == shuffled


def test_bm25_of_a_text_never_exceeds_its_ceiling() -> None:
    idf = [inverse_frequency(n, 1000) for n in (1, 30, 900)]
    endless = sum(f * 1e9 * 2.2 / (1e9 + 1.2 * 0.25) for f in idf)
    assert endless == pytest.approx(bm25_ceiling(idf), rel=1e-6)
    assert normalised_bm25([endless, 0.0], bm25_ceiling(idf))[0] <= 1.0


def test_a_query_without_terms_scores_nothing() -> None:
    assert normalised_bm25([0.0, 3.0], 0.0).tolist() == [0.0, 0.0]
    assert identifier_share({}, {"tb-1"}) == 0.0
    assert exact_matches([1, 2], {}, {}).tolist() == [0.0, 0.0]


def test_rare_terms_weigh_more() -> None:
    assert inverse_frequency(1, 100) > inverse_frequency(50, 100) > inverse_frequency(100, 100) > 0


def test_the_parts_of_an_identifier_belong_to_it() -> None:
    idf = {"print": 2.0, "margin": 3.0, "print.margin": 7.0, "left": 4.0}
    assert identifier_share(idf, {"print.margin"}) == pytest.approx(12 / 16)
    assert identifier_share({"print": 2.0, "margin": 3.0}, {"print.margin"}) == 0.0


def test_an_identifier_nobody_has_met_is_left_out() -> None:
    assert identifier_share({"fails": 1.0}, {"0xdead"}) == 0.0
    assert exact_matches([1], {"0xdead": set(), "tb-1": {1}}, {"tb-1": 2.0}).tolist() == [1.0]
