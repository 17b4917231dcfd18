"""The simulator: cases come, a policy shows, some outcomes are reported, some of them wrongly."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning.policies import BanditPolicy
from benchmarks.learning.worlds import Worlds

Reporter = Callable[
    [np.random.Generator, NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]
]


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a simulation runs: `report` outcomes are told, `wrong` of those are the opposite.

    `shuffled` tells outcomes that are drawn without regard to what was shown.
    """

    cases: int
    report: float = 1.0
    wrong: float = 0.0
    break_at: int | None = None
    shuffled: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """What came of it, one row a case: issue, true expected reward, best and random ones.

    issue, value, best, random: (cases, S); share: (cases, S, K) of what was shown first.
    outcomes: list of (case, world, issue, choice, told reward).
    """

    issue: NDArray[np.int64]
    value: NDArray[np.float64]
    best: NDArray[np.float64]
    random: NDArray[np.float64]
    share: NDArray[np.float32]

    def capture(self) -> NDArray[np.float64]:
        """(policy − random)/(oracle − random), one for each world."""
        random = self.random.sum(axis=0)
        return np.asarray((self.value.sum(axis=0) - random) / (self.best.sum(axis=0) - random))


def run(worlds: Worlds, policy: BanditPolicy, protocol: Protocol) -> Run:
    """Let `protocol.cases` cases come in every world; the same seed gives all policies the same."""
    s, g, k = worlds.rates.shape[1:]
    rng = np.random.default_rng([protocol.seed, 7])
    draw = np.random.default_rng([protocol.seed, 8])
    n = protocol.cases
    issue = rng.choice(g, size=(n, s), p=worlds.popularity)
    luck, told, flip = rng.random((n, s)), rng.random((n, s)), rng.random((n, s))
    rows = np.arange(s)
    value, share = np.empty((n, s)), np.empty((n, s, k), dtype=np.float32)
    best, random = np.empty((n, s)), np.empty((n, s))
    for case in range(n):
        after = int(protocol.break_at is not None and case >= protocol.break_at)
        rates = worlds.rates[after, rows, issue[case]]
        shares = policy.shares(issue[case])
        choice = np.minimum((shares.cumsum(axis=1) < draw.random((s, 1))).sum(axis=1), k - 1)
        value[case] = (shares * rates).sum(axis=1)
        best[case], random[case], share[case] = rates.max(axis=1), rates.mean(axis=1), shares
        p = np.full(s, 0.6) if protocol.shuffled else rates[rows, choice]
        rewards = (luck[case] < p) ^ (flip[case] < protocol.wrong)
        for world in np.flatnonzero(told[case] < protocol.report):
            policy.learn(
                int(world),
                int(issue[case, world]),
                int(choice[world]),
                float(rewards[world]),
                float(shares[world, choice[world]]),
            )
    return Run(issue, value, best, random, share)
