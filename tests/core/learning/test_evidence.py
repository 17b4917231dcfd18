"""From trials to evidence: trust, facets, breaks, and what is shown."""

import pytest

from kbagent.core.learning.evidence import counted, weigh
from kbagent.model.evidence import Pool, Tally
from kbagent.model.policy import PolicyParameters
from tests.core.learning.trials import START, trials

PARAMETERS = PolicyParameters()
POOL = Pool(overall=Tally(98, 49))


def test_posterior_is_shrunk_to_the_pooled_mean() -> None:
    (cell,) = weigh(trials([1.0] * 8 + [0.0] * 2), [1], POOL, PARAMETERS)
    assert (cell.alpha, cell.beta) == (8 + 4 * 0.5, 2 + 4 * 0.5)
    assert cell.evidence.rate == pytest.approx(10 / 14)
    assert (cell.evidence.tried, cell.evidence.worked) == (10.0, 8.0)
    low, high = cell.evidence.interval
    assert low < 10 / 14 < high


def test_partly_counts_one_half_and_unknown_nothing() -> None:
    (cell,) = weigh(trials([0.5]), [1], POOL, PARAMETERS, unknown={1: 7})
    assert (cell.evidence.tried, cell.evidence.worked, cell.evidence.unknown) == (1.0, 0.5, 7)
    assert cell.evidence.rate == pytest.approx(0.5)


def test_untried_resolution_is_missing_data() -> None:
    (cell,) = weigh([], [1], POOL, PARAMETERS)
    assert cell.evidence.tried == 0
    assert cell.evidence.rate == pytest.approx(0.5)
    assert cell.evidence.last_worked is None


def test_other_issues_lend_their_evidence() -> None:
    pool = Pool(overall=Tally(98, 49), resolutions={1: Tally(90, 90)})
    (cell,) = weigh([], [1], pool, PARAMETERS)
    assert cell.evidence.rate == pytest.approx(0.95)


def test_two_votes_of_a_source_count_and_they_are_its_latest() -> None:
    votes = trials([0.0, 0.0, 1.0, 1.0], by="anna") + trials([0.0] * 3, day=10)
    kept = counted(votes, 2)
    assert [t.reward for t in kept] == [1.0, 1.0, 0.0, 0.0, 0.0]


def test_votes_are_counted_for_an_issue_not_a_resolution() -> None:
    votes = trials([1.0], by="anna") + trials([0.0, 0.0], by="anna", resolution=2, day=5)
    assert {t.resolution_id for t in counted(votes, 2)} == {2}
    votes += trials([1.0], by="anna", issue=2)
    assert {t.issue_id for t in counted(votes, 2)} == {1, 2}


def test_one_hostile_source_hardly_moves_the_rate() -> None:
    honest = trials([1.0] * 9 + [0.0])
    (before,) = weigh(honest, [1], POOL, PARAMETERS)
    (after,) = weigh(honest + trials([0.0] * 500, by="eve", day=20), [1], POOL, PARAMETERS)
    assert after.evidence.tried == 12
    assert before.evidence.rate - after.evidence.rate < 0.11


def test_votes_per_source_is_a_parameter() -> None:
    votes = trials([0.0] * 5, by="eve")
    (cell,) = weigh(votes, [1], POOL, PolicyParameters(votes_per_source=4))
    assert cell.evidence.tried == 4


def test_weight_of_a_source_moves_the_rate_and_not_the_counts() -> None:
    (cell,) = weigh(trials([0.0] * 10, weight=0.1), [1], POOL, PARAMETERS)
    assert cell.evidence.tried == 10
    assert cell.evidence.rate == pytest.approx(2 / 5)


def test_a_fix_that_works_on_115_and_fails_on_128_is_told_apart() -> None:
    history = trials([1.0] * 12, facets=(("version", "115.2"),)) + trials(
        [0.0] * 6, facets=(("version", "128.0"),), day=30
    )
    for version, rate, within in (
        ("115.9", 0.88, "version < 128.0"),
        ("130", 0.2, "version >= 128.0"),
    ):
        (cell,) = weigh(history, [1], POOL, PARAMETERS, facets=(("version", version),))
        assert cell.evidence.rate == pytest.approx(rate, abs=0.01)
        assert cell.evidence.within == within
    assert cell.evidence.versions == ("115.2",)


def test_facets_that_make_no_difference_do_not_split() -> None:
    history = trials([1.0, 1.0, 0.0] * 4, facets=(("os", "Windows"),)) + trials(
        [1.0, 0.0, 1.0] * 4, facets=(("os", "Linux"),), day=30
    )
    (cell,) = weigh(history, [1], POOL, PARAMETERS, facets=(("os", "Linux"),))
    assert cell.evidence.within is None
    assert cell.evidence.tried == 24


def test_trials_without_the_facet_are_on_neither_side() -> None:
    unlabelled = trials([0.0] * 20)
    labelled = trials([1.0] * 6, facets=(("os", "Linux"),), day=30)
    (cell,) = weigh(unlabelled + labelled, [1], POOL, PARAMETERS, facets=(("os", "Linux"),))
    assert cell.evidence.within is None


def test_after_a_break_only_what_came_since_counts() -> None:
    (cell,) = weigh(trials([1.0] * 31 + [0.0] * 6 + [1.0]), [1], POOL, PARAMETERS)
    assert cell.evidence.broke is not None
    assert (cell.evidence.tried, cell.evidence.worked) == (7.0, 1.0)
    assert (cell.evidence.broke.worked_before, cell.evidence.broke.tried_before) == (31.0, 31.0)
    assert cell.evidence.last_worked is not None
    assert (cell.evidence.last_worked - START).days == 37


def test_the_order_of_trials_does_not_matter() -> None:
    history = trials([1.0] * 31 + [0.0] * 7) + trials([1.0, 0.5], resolution=2)
    assert weigh(history, [2, 1], POOL, PARAMETERS) == weigh(
        history[::-1], [2, 1], POOL, PARAMETERS
    )
