"""Confidence: a margin by hand, and what raises and lowers it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.retrieval.confidence import (
    confidences,
    logistic,
    margins,
)
from kbagent.core.retrieval.fusion import fuse
from kbagent.core.retrieval.grouping import IssueHit, group_by_issue


def found(similarities: list[float], issues: list[int]) -> tuple[IssueHit, ...]:
    cases = fuse(range(len(issues)), similarities, [0.0] * len(issues), dense_weight=1.0)
    return group_by_issue(cases, dict(enumerate(issues)))


def test_the_margin_by_hand() -> None:
    margin = margins(found([0.8, 0.4], [1, 2]))
    assert margin[1] == pytest.approx(0.8 + 0.18 * 0.5 - 0.353 * 0.6)
    assert margin[2] == pytest.approx(0.4 + 0.18 * 0.5 - 0.353 * 0.6)


def test_nothing_found_has_no_confidence() -> None:
    assert confidences(()) == {}


def test_more_instances_among_the_best_raise_it_and_crowding_lowers_it() -> None:
    alone = confidences(found([0.7, 0.65, 0.65], [1, 2, 3]))[1]
    several = confidences(found([0.7, 0.65, 0.65], [1, 1, 1]))[1]
    distinct = confidences(found([0.7, 0.2, 0.2], [1, 2, 3]))[1]
    assert several > alone
    assert distinct > alone


def test_closeness_does_not_change_the_scale() -> None:
    case = fuse([1], [0.6], [0.2], dense_weight=0.7)[0]
    assert case.standing == case.score


@given(st.floats(-1e6, 1e6))
def test_the_logistic_is_bounded_and_symmetric(logit: float) -> None:
    assert 0.0 <= logistic(logit) <= 1.0
    assert logistic(logit) + logistic(-logit) == pytest.approx(1.0)
