"""Near misses: what would be placed elsewhere, and which issues are nearly one."""

import numpy as np
import pytest

from kbagent.core.linking.assignment import place
from kbagent.core.linking.nearmisses import Home, homes, near_joins
from kbagent.core.linking.neighbours import nearest_neighbours

ISSUES = np.array([1, 1, 1, 2, 2, 3])


def home(row: int, other: int, sure: float, nearest: int, cosine: float = 0.9) -> Home:
    return Home(row, 0.9, other, sure, nearest, cosine, -1, 0.0)


def test_a_home_is_where_a_new_case_would_be_placed() -> None:
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((40, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    issues = rng.integers(0, 6, 40)
    near = nearest_neighbours(vectors, 12)
    for one in homes(np.arange(40), near.positions, near.similarities, issues):
        cosines, owners = near.similarities[one.row], issues[near.positions[one.row]]
        own = issues[one.row]
        expected = place(cosines, owners)
        assert expected is not None
        assert one.own == (expected.confidence if expected.issue == own else 0.0)
        elsewhere = place(cosines[owners != own], owners[owners != own])
        assert elsewhere is not None
        assert (one.other, one.sure) == (elsewhere.issue, elsewhere.confidence)
        assert issues[one.nearest] == one.other
        assert one.cosine == pytest.approx(float(vectors[one.row] @ vectors[one.nearest]), abs=1e-6)


def test_a_case_alone_has_no_other_home() -> None:
    (found,) = homes(np.array([0]), np.array([[1]]), np.array([[0.9]]), np.array([4, 4]))
    assert (found.other, found.nearest, found.sibling) == (-1, -1, 1)


def test_the_mean_over_the_cases_of_an_issue_counts() -> None:
    found = [home(0, 2, 0.9, 3), home(1, 2, 0.7, 4, 0.95), home(2, 3, 0.99, 5)]
    assert near_joins(found, ISSUES, least=0.6) == []  # (0.9 + 0.7) / 3 = .533
    (pair,) = near_joins(found, ISSUES, least=0.5)
    assert (pair.low, pair.high, pair.asked) == (1, 2, 3)
    assert pair.confidence == pytest.approx(1.6 / 3)
    assert (pair.case, pair.nearest, pair.cosine) == (1, 4, 0.95)


def test_of_two_issues_that_point_to_each_other_the_surer_one_speaks() -> None:
    found = [home(3, 3, 0.8, 5), home(4, 3, 0.8, 5), home(5, 2, 0.95, 3)]
    (pair,) = near_joins(found, ISSUES)
    assert (pair.low, pair.high, pair.confidence, pair.asked) == (2, 3, 0.95, 1)


def test_however_sure_what_is_far_is_no_near_join() -> None:
    assert near_joins([home(5, 2, 0.99, 3, cosine=0.3)], ISSUES) == []
