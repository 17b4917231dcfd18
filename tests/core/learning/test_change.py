"""The CUSUM: when it speaks, when it is silent, and where it puts the change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.learning.change import Watch, follow, last_break, observe, pooled_break
from kbagent.model.outcome import Trial
from tests.core.learning.trials import START, trials


def test_a_fix_that_stops_working_is_noticed_and_dated() -> None:
    history = trials([1.0] * 18 + [0.0] + [1.0] * 13 + [0.0] * 7)
    begin, broke = last_break(history, 0.8, 4.0)
    assert begin == 32
    assert broke is not None
    assert (broke.worked_before, broke.tried_before) == (31.0, 32.0)
    assert (broke.worked_since, broke.tried_since) == (0.0, 7.0)
    assert (broke.at - START).days == 32
    assert broke.noticed_at is not None
    assert 32 < (broke.noticed_at - START).days <= 38


def test_it_waits_for_eight_outcomes() -> None:
    assert last_break(trials([1.0] * 7 + [0.0] * 1), 0.9, 4.0) == (0, None)
    young, _ = observe(Watch(tried=7, worked=7), 0.0, 1.0, 0.5, 4.0)
    assert young.score == 0.0
    grown, _ = observe(Watch(tried=8, worked=8), 0.0, 1.0, 0.5, 4.0)
    assert grown.score > 0.0


def test_a_fix_that_broke_is_told_sooner_than_one_that_got_worse() -> None:
    """From 0.85: each sum is the quicker one for the fall it is tuned to."""
    rng = np.random.default_rng(31)

    def median_delay(after: float) -> float:
        delays = []
        for _ in range(200):
            watch = Watch(tried=75, worked=64)
            for place, worked in enumerate(rng.random(400) < after):
                watch, fell = observe(watch, float(worked), 1.0, 0.6, 4.0)
                if fell:
                    delays.append(place + 1)
                    break
            else:
                delays.append(400)
        return float(np.median(delays))

    assert median_delay(0.30) <= 15
    assert median_delay(0.30) < median_delay(0.55) <= 50


def test_the_outcomes_that_fell_are_those_of_the_excursion() -> None:
    watch, alarm = Watch(tried=20, worked=18), 0
    for reward in (0.0, 1.0, 1.0, 1.0, *[0.0] * 6):
        watch, alarm = observe(watch, reward, 1.0, 0.8, 4.0)
        if alarm:
            break
    assert alarm == 6  # the failure before the successes does not count: the sum was zero again
    assert (watch.tried, watch.worked, watch.score) == (3.0, 0.0, 0.0)


def test_single_failures_raise_no_alarm() -> None:
    assert last_break(trials(([1.0] * 9 + [0.0]) * 20), 0.8, 4.0)[1] is None


def test_steady_cells_are_seldom_disturbed() -> None:
    rng = np.random.default_rng(3)
    alarms = 0
    for rate in (0.7, 0.8, 0.9, 0.95):
        for _ in range(50):
            rewards = (rng.random(60) < rate).astype(float)
            alarms += last_break(trials(rewards), rate, 4.0)[1] is not None
    assert alarms <= 8  # of 200


def test_a_long_steady_history_is_not_disturbed() -> None:
    rng = np.random.default_rng(8)
    alarms = sum(
        last_break(trials((rng.random(2000) < 0.8).astype(float)), 0.8, 4.0)[1] is not None
        for _ in range(20)
    )
    assert alarms <= 2


def test_a_second_break_counts_from_the_first() -> None:
    history = trials([1.0] * 20 + [0.0] * 8 + [1.0] * 60 + [0.0] * 12)
    begin, broke = last_break(history, 0.8, 4.0)
    assert begin == 88
    assert broke is not None
    assert broke.tried_before == 68.0


def test_nothing_to_see_in_nothing() -> None:
    assert last_break([], 0.5, 4.0) == (0, None)


@pytest.mark.parametrize("weight", [0.25, 1.0])
def test_less_trusted_outcomes_take_longer(weight: float) -> None:
    watch = Watch(tried=40, worked=36)
    steps = 0
    fell = 0
    while not fell:
        watch, fell = observe(watch, 0.0, weight, 0.8, 4.0)
        steps += 1
    assert steps == (6 if weight == 1.0 else 23)
    assert fell == steps


def _mixed(*parts: tuple[int, list[float]]) -> list[Trial]:
    """Outcomes on these issues, one a day, in this order."""
    every = []
    for issue, rewards in parts:
        every += trials(rewards, issue=issue, day=len(every))
    return every


class TestAFixOverSeveralIssues:
    def test_a_fall_that_no_issue_alone_can_tell_is_noticed(self) -> None:
        history = _mixed((1, [1.0] * 13), (2, [1.0] * 5), (1, [0.0] * 3), (2, [0.0] * 2))
        for issue in (1, 2):
            assert last_break([t for t in history if t.issue_id == issue], 0.7, 4.0)[1] is None
        since, broke = pooled_break(history, 0.7, 4.0)
        assert broke is not None
        assert (broke.worked_before, broke.tried_before) == (18.0, 18.0)
        assert (broke.worked_since, broke.tried_since) == (0.0, 5.0)
        assert [t.issue_id for t in since] == [1, 1, 1, 2, 2]

    def test_failing_where_it_never_worked_is_no_fall(self) -> None:
        assert pooled_break(_mixed((1, [1.0] * 18), (2, [0.0] * 12)), 0.7, 4.0) == ((), None)

    def test_a_move_to_an_issue_where_it_always_was_poor_is_no_fall(self) -> None:
        poor = [1.0, 0.0, 0.0] * 4
        early = [part for one in poor for part in ((1, [1.0] * 5), (2, [one]))]
        history = _mixed(*early, (2, [0.0] * 9))
        assert pooled_break(history, 0.7, 4.0)[1] is None
        whole = [t._replace(issue_id=1) for t in history]
        assert pooled_break(whole, 0.7, 4.0)[1] is not None  # of one issue it would be a fall

    def test_steady_rates_raise_few_alarms_however_the_mix_moves(self) -> None:
        rng, false, counted = np.random.default_rng(77), 0, 0
        for _ in range(150):
            rates = np.clip(rng.uniform(0.6, 0.95) + rng.normal(0, 0.1, 3), 0.05, 0.98)
            size = int(rng.integers(40, 160))
            issues = rng.integers(0, 3, size).tolist()
            history = _mixed(*((i, [float(rng.random() < rates[i])]) for i in issues))
            false, counted = (
                false + (pooled_break(history, 0.7, 4.0)[1] is not None),
                counted + size,
            )
        assert 1000 * false / counted <= 1.0


@given(
    st.lists(st.sampled_from([1.0, 1.0, 1.0, 0.5, 0.0]), max_size=80),
    st.sampled_from([1.0, 0.5]),
)
def test_following_a_cell_is_observing_each_outcome(rewards: list[float], weight: float) -> None:
    history = [trial._replace(weight=weight) for trial in trials(rewards)]
    watch = Watch()
    for trial in history:
        watch, _ = observe(watch, trial.reward, trial.weight, 0.7, 4.0)
    found = follow(history, 0.7, 4.0)
    assert (found.tried, found.worked) == pytest.approx((watch.tried, watch.worked))
