"""What checks were worth, and when a threshold may move."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from kbagent.core.verification.bounds import upper_bound
from kbagent.core.verification.deviations import FEWEST, Sighting, recalibrate, statistics

START = datetime(2024, 1, 1, tzinfo=UTC)


def seen(i, value, wrong, threshold=0.15, handed_over=False):
    at = START + timedelta(hours=i)
    return Sighting("margin", at, value, value < threshold, wrong, handed_over)


def world(n, rng, boundary):
    """Wrong answers lie below `boundary`, with one in ten on the other side."""
    values = rng.random(n)
    wrong = (values < boundary) ^ (rng.random(n) < 0.1)
    return [seen(i, float(v), bool(w)) for i, (v, w) in enumerate(zip(values, wrong, strict=True))]


def test_statistics_by_hand():
    rows = [seen(0, 0.1, True), seen(1, 0.1, False, handed_over=True), seen(2, 0.9, True)]
    [row] = statistics(rows)
    assert (row.seen, row.alarms, row.right, row.needless) == (3, 2, 1, 1)
    assert (row.precision, row.recall) == (0.5, 0.5)
    assert row.interval[1] == pytest.approx(upper_bound(1, 2, doubt=0.05))
    assert not row.in_the_way


def test_a_check_without_alarms_has_no_precision():
    [row] = statistics([seen(0, 0.9, False)])
    assert math.isnan(row.precision)
    assert math.isnan(row.recall)
    assert row.interval == (0.0, 1.0)


def test_a_check_whose_alarms_are_nearly_all_false_is_named():
    rows = [seen(i, 0.1, i == 0) for i in range(12)]
    assert statistics(rows)[0].in_the_way
    assert not statistics(rows[:9])[0].in_the_way


def test_checks_are_counted_apart_and_in_order():
    other = Sighting("agreement", START, 0.2, True, True)
    assert [row.check for row in statistics([seen(0, 0.1, True), other])] == ["agreement", "margin"]


def test_a_threshold_far_off_moves_towards_where_the_wrong_answers_are():
    rng = np.random.default_rng(0)
    change = recalibrate("margin", world(400, rng, 0.5), 0.1, rng)
    assert change.adopted
    assert 0.4 < change.proposed < 0.95
    assert change.interval[0] > 0
    assert change.judged_on == 200


def test_a_good_threshold_is_hardly_ever_replaced():
    adopted = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        values = rng.random(200)
        rows = [seen(i, float(v), bool(rng.random() < 1 / 6)) for i, v in enumerate(values)]
        adopted += recalibrate("margin", rows, 0.5, rng).adopted
    assert adopted <= 8


def test_too_few_outcomes_move_nothing():
    rng = np.random.default_rng(1)
    change = recalibrate("margin", world(FEWEST - 1, rng, 0.5), 0.1, rng)
    assert (change.adopted, change.proposed) == (False, 0.1)
    assert "too few" in change.reason


def test_others_checks_do_not_count():
    rng = np.random.default_rng(2)
    assert "0 outcomes" in recalibrate("scope", world(100, rng, 0.5), 0.1, rng).reason
