"""The order shown: evidence moves it, the gate holds it, people's limits bound it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbagent.core.learning import ranking
from kbagent.core.learning.evidence import weigh
from kbagent.core.learning.ranking import issue_shift, rank
from kbagent.model.evidence import Cell, Evidence, Pool, Tally
from kbagent.model.policy import Limits, PolicyParameters
from tests.core.learning.trials import trials

PARAMETERS = PolicyParameters()
EXPLORING = PolicyParameters(exploration=True)
POOL = Pool(overall=Tally(200, 170))


def cell(resolution: int, worked: float, failed: float, secondary: float | None = None) -> Cell:
    evidence = Evidence(resolution, worked + failed, worked, worked / (worked + failed), (0.0, 1.0))
    return Cell(evidence, worked, failed, secondary)


def ids(ranked: tuple) -> list[int]:
    return [r.resolution_id for r in ranked]


def eighty_and_ninety() -> list:
    return trials([1.0, 1.0, 1.0, 1.0, 0.0] * 20) + trials(([1.0] * 9 + [0.0]) * 10, resolution=2)


def test_ninety_of_a_hundred_overtakes_eighty() -> None:
    cells = weigh(eighty_and_ninety(), [1, 2], POOL, PARAMETERS)
    ranked = rank(cells, PARAMETERS)
    assert ids(ranked) == [2, 1]
    assert ranked[0].overtook
    assert not ranked[1].overtook


def test_forty_later_failures_put_the_first_back() -> None:
    history = eighty_and_ninety() + trials([0.0] * 40, resolution=2, day=100)
    cells = weigh(history, [1, 2], POOL, PARAMETERS)
    assert ids(rank(cells, PARAMETERS)) == [1, 2]
    assert cells[1].evidence.broke is not None
    assert (cells[1].evidence.broke.tried_before, cells[1].evidence.broke.tried_since) == (99, 41)


def test_a_little_evidence_does_not_pass_the_gate() -> None:
    history = trials([1.0, 0.0]) + trials([1.0, 1.0], resolution=2)
    cells = weigh(history, [1, 2], POOL, PARAMETERS)
    assert ids(rank(cells, PARAMETERS)) == [1, 2]


def test_gate_and_choice_bonus_are_parameters() -> None:
    cells = (cell(1, 6, 4), cell(2, 8, 2))
    assert ids(rank(cells, PolicyParameters(choice_bonus=0.0, gate=2.0))) == [1, 2]
    assert ids(rank(cells, PolicyParameters(choice_bonus=0.0, gate=0.5))) == [2, 1]
    assert ids(rank(cells, PolicyParameters(choice_bonus=9.0, gate=0.5))) == [1, 2]


def test_secondary_rewards_break_ties_and_never_outvote_success() -> None:
    parameters = PolicyParameters(choice_bonus=0.0, gate=-0.1)
    assert ids(rank((cell(1, 8, 2, 0.1), cell(2, 8, 2, 0.9)), parameters)) == [2, 1]
    assert ids(rank((cell(1, 9, 2, 0.0), cell(2, 8, 2, 1.0)), parameters)) == [1, 2]


def test_without_exploration_nothing_is_sampled() -> None:
    cells = (cell(1, 3, 2), cell(2, 3, 2), cell(3, 1, 1))
    once = rank(cells, PARAMETERS, np.random.default_rng(1))
    assert once == rank(cells, PARAMETERS, np.random.default_rng(2))
    assert [r.propensity for r in once] == [1.0, 1.0, 1.0]


def test_exploration_follows_its_own_propensities() -> None:
    cells = (cell(1, 16, 4), cell(2, 4, 1), cell(3, 3, 3))
    rng = np.random.default_rng(7)
    firsts = [rank(cells, EXPLORING, rng)[0] for _ in range(4000)]
    for resolution, share in firsts[0].alternatives:
        seen = sum(first.resolution_id == resolution for first in firsts) / len(firsts)
        assert seen == pytest.approx(share, abs=0.03)
    assert any(first.explored for first in firsts)


def test_the_same_seed_gives_the_same_order() -> None:
    cells = (cell(1, 16, 4), cell(2, 4, 1), cell(3, 3, 3))
    orders = {tuple(ids(rank(cells, EXPLORING, np.random.default_rng(11)))) for _ in range(5)}
    assert len(orders) == 1


def test_pins_forbids_and_deprecations_outrank_evidence() -> None:
    cells = (cell(1, 1, 9), cell(2, 90, 1), cell(3, 50, 50), cell(4, 99, 1))
    limits = Limits(pinned=(3,), forbidden=frozenset({4}), deprecated=frozenset({2}))
    ranked = rank(cells, PARAMETERS, None, limits)
    assert ids(ranked) == [3, 1, 2]
    assert [r.place for r in ranked] == [0, 1, 2]
    assert [r.held for r in ranked] == [True, False, True]


def test_a_forbidden_pin_stays_away() -> None:
    limits = Limits(pinned=(1,), forbidden=frozenset({1}))
    assert ids(rank((cell(1, 9, 1), cell(2, 1, 9)), PARAMETERS, None, limits)) == [2]


def test_a_frozen_order_outranks_evidence_and_what_is_new_follows_as_it_is_similar() -> None:
    cells = (cell(1, 1, 9), cell(5, 1, 9), cell(2, 90, 1), cell(3, 50, 50), cell(4, 99, 1))
    limits = Limits(pinned=(3,), deprecated=frozenset({2}), frozen=(3, 2, 1, 77))
    for rng in (None, np.random.default_rng(3)):
        ranked = rank(cells, EXPLORING, rng, limits)
        assert ids(ranked) == [3, 1, 5, 4, 2]
        assert {r.propensity for r in ranked} == {1.0}
    assert ids(rank(cells, PARAMETERS, None, Limits(frozen=())))[0] == 1


def test_nothing_to_rank() -> None:
    assert rank((), PARAMETERS) == ()


counts = st.tuples(st.floats(0.2, 200), st.floats(0.2, 200))


@given(
    st.lists(counts, min_size=1, max_size=7), st.integers(0, 4), st.booleans(), st.integers(0, 99)
)
@settings(max_examples=150, deadline=None)
def test_properties_of_any_ranking(
    shapes: list[tuple[float, float]], displacement: int, exploring: bool, seed: int
) -> None:
    cells = tuple(cell(i, s, f) for i, (s, f) in enumerate(shapes))
    parameters = EXPLORING if exploring else PARAMETERS
    ranked = rank(
        cells, parameters, np.random.default_rng(seed), Limits(max_displacement=displacement)
    )
    assert sorted(ids(ranked)) == list(range(len(shapes)))
    for place, one in enumerate(ranked):
        assert one.place == place
        assert abs(one.resolution_id - place) <= displacement
        assert 0.0 < one.propensity <= 1.0
        assert sum(share for _, share in one.alternatives) == pytest.approx(1.0)
        assert all(share > 0.0 for _, share in one.alternatives)
        assert dict(one.alternatives)[one.resolution_id] == one.propensity


def test_issues_move_within_the_bound_only() -> None:
    good = rank((cell(1, 1000, 1),), PARAMETERS)
    untried = rank(weigh([], [1], POOL, PARAMETERS), PARAMETERS)
    assert 0.0 < issue_shift(good, 0.5, 0.03) <= 0.03
    assert issue_shift(untried, 0.5, 0.03) == 0.0
    assert issue_shift((), 0.5, 0.03) == 0.0


@pytest.mark.parametrize("overall", [0.0, 0.3, 1.0])
def test_no_two_shifts_differ_by_more_than_the_bound(overall: float) -> None:
    found = [
        issue_shift(rank((cell(1, worked, failed),), PARAMETERS), overall, 0.03)
        for worked in (0, 1, 5000)
        for failed in (0, 1, 5000)
        if worked or failed
    ]
    assert max(found) - min(found) <= 0.03
    assert max(found) - min(found) > 0.02  # and nearly that much they do differ


@given(
    st.lists(st.tuples(st.floats(0.1, 30.0), st.floats(0.1, 30.0)), min_size=1, max_size=12),
    st.floats(-0.5, 3.0),
    st.one_of(st.none(), st.integers(0, 4)),
)
def test_the_short_way_gives_what_choosing_at_every_place_gives(
    posteriors: list[tuple[float, float]], gate: float, most: int | None
) -> None:
    cells = [
        Cell(Evidence(number, 0.0, 0.0, 0.5, (0.0, 1.0)), alpha, beta)
        for number, (alpha, beta) in enumerate([*posteriors, *posteriors[:3]])
    ]
    parameters = PolicyParameters(gate=gate)
    limits = Limits(max_displacement=most)
    quick = rank(cells, parameters, limits=limits)
    left = [
        ranking._Entry(i, c, c.alpha + (parameters.choice_bonus if i == 0 else 0.0), c.beta)
        for i, c in enumerate(cells)
    ]
    for place, one in enumerate(quick):
        candidates = ranking._within_reach(left, place, most)
        assert one == ranking._choose(candidates, parameters, None, place, 0)
        left = [e for e in left if e.cell is not one.cell]
