"""The weighted vote, by hand."""

import numpy as np
import pytest

from kbagent.core.verification.novelty import Neighbours
from kbagent.core.verification.recognition import clearness, recognise


def near(similarities, issues):
    return Neighbours(np.array([similarities]), np.array([issues]), np.zeros((1, len(issues))))


def test_nearer_cases_count_for_more_than_many_far_ones():
    [winner] = recognise(near([0.9, 0.75, 0.74, 0.73], [1, 2, 2, 2]))
    assert winner.issue == 1
    assert winner.runner_up == 2
    far = sum(np.exp(-d / 0.05) for d in (0.15, 0.16, 0.17))
    assert winner.share == pytest.approx(1 / (1 + far))
    assert winner.margin == pytest.approx((1 - far) / (1 + far))


def test_a_wider_vote_hears_the_far_ones():
    [winner] = recognise(near([0.9, 0.75, 0.74, 0.73], [1, 2, 2, 2]), width=0.5)
    assert winner.issue == 2


def test_ties_go_to_the_lower_id_and_one_issue_has_no_runner_up():
    assert recognise(near([0.8, 0.8], [9, 3]))[0].issue == 3
    alone = recognise(near([0.8, 0.7], [9, 9]))[0]
    assert (alone.share, alone.runner_up, alone.margin) == (1.0, None, 1.0)


def test_clearness_rises_and_is_finite():
    values = clearness([0.0, 0.5, 1.0])
    assert values[1] == 0.0
    assert values[2] == pytest.approx(np.log(101))
    assert values[0] == -values[2]
