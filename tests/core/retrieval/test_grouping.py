"""Grouping: one problem once, the best member counts, the bonus is bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.retrieval.fusion import fuse
from kbagent.core.retrieval.grouping import bounded, group_by_issue


def test_each_issue_appears_once_with_its_members_best_first() -> None:
    cases = fuse([1, 2, 3], [0.5, 0.9, 0.7], [0.0] * 3, dense_weight=1.0)
    hits = group_by_issue(cases, {1: 10, 2: 20, 3: 10})
    assert [hit.issue_id for hit in hits] == [20, 10]
    assert [case.case_id for case in hits[1].members] == [3, 1]


def test_evidence_moves_issues_within_its_bound() -> None:
    cases = fuse([1, 2, 3], [0.70, 0.69, 0.60], [0.0] * 3, dense_weight=1.0)
    hits = group_by_issue(cases, {1: 1, 2: 2, 3: 3}, evidence={2: 0.9, 3: 0.9}, evidence_bound=0.03)
    assert [hit.issue_id for hit in hits] == [2, 1, 3]
    assert hits[0].score == hits[0].match + 0.03


def test_equal_issues_are_ordered_by_id() -> None:
    cases = fuse([1, 2], [0.5, 0.5], [0.0, 0.0], dense_weight=1.0)
    assert [hit.issue_id for hit in group_by_issue(cases, {1: 8, 2: 4})] == [4, 8]


def test_a_case_without_an_issue_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        group_by_issue(fuse([1], [0.5], [0.0], dense_weight=1.0), {})


@given(st.lists(st.floats(-1, 1), max_size=12), st.integers(1, 4))
def test_every_case_is_under_exactly_one_issue(similarities: list[float], issues: int) -> None:
    cases = fuse(range(len(similarities)), similarities, [0.0] * len(similarities), dense_weight=1)
    hits = group_by_issue(cases, {i: i % issues for i in range(len(similarities))})
    grouped = sorted(case.case_id for hit in hits for case in hit.members)
    assert grouped == list(range(len(similarities)))
    assert all(hit.match == hit.members[0].score for hit in hits)


@given(st.floats(-10, 10), st.floats(0, 1))
def test_a_bonus_stays_within_its_bound(value: float, bound: float) -> None:
    assert abs(bounded(value, bound)) <= bound
