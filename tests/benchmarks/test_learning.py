"""The simulators choose what the product chooses, and judge nothing they should not."""

import numpy as np
import pytest

from benchmarks.learning.bandits import DEFAULT, EXPLORING
from benchmarks.learning.policies import FlatThompson, KbagentPolicy, NoFeedback
from benchmarks.learning.simulation import Protocol, run
from benchmarks.learning.worlds import TUNING, many_issues, two_arms
from kbagent.core.learning.evidence import weigh
from kbagent.core.learning.ranking import rank
from kbagent.model.evidence import Pool, Tally
from kbagent.model.policy import PolicyParameters
from tests.core.learning.trials import trials


@pytest.mark.parametrize("parameters", [DEFAULT, EXPLORING])
def test_the_simulated_policy_is_the_product(parameters: PolicyParameters) -> None:
    worlds = many_issues(range(TUNING, TUNING + 1), issues=3)
    policy = KbagentPolicy(worlds, parameters)
    rng = np.random.default_rng(5)
    told = [(int(rng.integers(4)), float(rng.random() < 0.6)) for _ in range(60)]
    for choice, reward in told:
        policy.learn(0, 1, choice, reward, 1.0)
    ids = [int(i) for i in worlds.resolution[0, 1]]
    history = []
    for place, (choice, reward) in enumerate(told):
        history += trials([reward], resolution=ids[choice], day=place)
    pool = Pool(
        overall=Tally(60, sum(r for _, r in told)),
        resolutions={
            i: Tally(float(policy.pool_tried[0, i]), float(policy.pool_worked[0, i])) for i in ids
        },
        strength=float(policy.kappa[0]),
    )
    first = rank(weigh(history, ids, pool, parameters), parameters, np.random.default_rng(0))[0]
    expected = dict(zip(ids, policy.shares(np.array([1]))[0], strict=True))
    shown = {i: s for i, s in expected.items() if s > 0}
    assert dict(first.alternatives) == pytest.approx(shown, abs=1e-9)


def test_capture_is_one_for_an_oracle_and_zero_for_chance() -> None:
    worlds = many_issues(range(TUNING, TUNING + 4))
    oracle, chance = NoFeedback(worlds), FlatThompson(worlds)
    protocol = Protocol(cases=300, report=0.0)
    assert run(worlds, chance, protocol).capture() == pytest.approx(np.zeros(4), abs=0.01)

    class Oracle(NoFeedback):
        def shares(self, issues: np.ndarray) -> np.ndarray:
            rates = worlds.rates[0, np.arange(4), issues]
            return np.eye(4)[rates.argmax(axis=1)]

    assert run(worlds, Oracle(worlds), protocol).capture() == pytest.approx(np.ones(4))
    assert run(worlds, oracle, protocol).share.max() == 1.0


def test_wrong_reports_mislead_and_true_ones_teach() -> None:
    worlds = two_arms(20, 0.2, 0.9)
    for wrong, low, high in ((0.0, 0.9, 1.0), (1.0, 0.0, 0.1)):
        policy = KbagentPolicy(worlds, EXPLORING)
        result = run(worlds, policy, Protocol(cases=150, wrong=wrong))
        assert low <= result.share[-20:, :, 1].mean() <= high


def test_worlds_are_the_same_for_the_same_seed_and_break_only_the_best() -> None:
    once, again = (many_issues(range(3, 5)) for _ in range(2))
    assert np.array_equal(once.rates, again.rates)
    changed = once.rates[0] != once.rates[1]
    best = np.eye(4, dtype=bool)[once.rates[0].argmax(axis=-1)]
    assert np.array_equal(changed, best & once.broken[..., None])
