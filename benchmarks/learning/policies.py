# ruff: noqa: ARG002 - a baseline need not use all that the protocol tells it
"""Policies under test: kbagent's own core functions run for many worlds at once, and baselines.

A policy is asked which resolution comes first, for one case in each of S worlds at a time, and
told of outcomes. `KbagentPolicy` holds the tallies that a knowledge base keeps and calls the
product's functions on them; `tests/benchmarks` checks that it chooses what `ranking.rank` does.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning.worlds import Worlds
from kbagent.core.learning.change import Watch, observe
from kbagent.core.learning.choice import SHARPNESS, exploring_shares, gate_score, thompson_shares
from kbagent.core.learning.pooling import moments_of, overall_rate, strength
from kbagent.model.evidence import Pool, Tally
from kbagent.model.policy import PolicyParameters

Floats = NDArray[np.float64]
Issues = NDArray[np.int64]

LEARN_EVERY = 100  # outcomes after which κ is computed anew, as `kbagent learn` would


class BanditPolicy(Protocol):
    def shares(self, issues: Issues) -> Floats:
        """(S, K): with which probability each resolution is shown first."""
        ...

    def learn(self, world: int, issue: int, choice: int, reward: float, share: float) -> None: ...


class NoFeedback:
    """Similarity's order, for ever."""

    def __init__(self, worlds: Worlds) -> None:
        self._shares = np.zeros((worlds.seeds, worlds.rates.shape[-1]))
        self._shares[:, 0] = 1.0

    def shares(self, issues: Issues) -> Floats:
        return self._shares

    def learn(self, world: int, issue: int, choice: int, reward: float, share: float) -> None:
        pass


class FlatThompson:
    """Thompson sampling with Beta(1, 1) for each cell, nothing shared, nothing forgotten."""

    def __init__(self, worlds: Worlds) -> None:
        shape = worlds.rates.shape[1:]
        self.alpha, self.beta = np.ones(shape), np.ones(shape)
        self._rows = np.arange(worlds.seeds)
        self._all = np.ones((worlds.seeds, shape[-1]), dtype=bool)

    def shares(self, issues: Issues) -> Floats:
        # thompson_shares sharpens; undone, it is plain Thompson sampling
        a = self.alpha[self._rows, issues] / SHARPNESS
        b = self.beta[self._rows, issues] / SHARPNESS
        return thompson_shares(a, b, self._all)

    def learn(self, world: int, issue: int, choice: int, reward: float, share: float) -> None:
        self.alpha[world, issue, choice] += reward
        self.beta[world, issue, choice] += 1.0 - reward


class KbagentPolicy:
    """The product's posterior, gate, sampling, pooling and change detection on S worlds."""

    def __init__(self, worlds: Worlds, parameters: PolicyParameters) -> None:
        self.worlds, self.parameters = worlds, parameters
        s, g, k = worlds.rates.shape[1:]
        self.tried, self.worked = np.zeros((s, g, k)), np.zeros((s, g, k))
        self.pool_tried = np.zeros((s, worlds.catalogue))
        self.pool_worked = np.zeros((s, worlds.catalogue))
        self.overall = np.full(s, overall_rate(Pool()))
        self.kappa = np.full(s, Pool().strength)
        self.outcomes = np.zeros(s, dtype=np.int64)
        self.alarms: list[list[tuple[int, int]]] = [[] for _ in range(s)]
        self._watches: dict[tuple[int, int, int], Watch] = {}
        self._rows = np.arange(s)

    def preload(self, issue: int, choice: int, *, tried: int, worked: int) -> None:
        """Give every world this history of one cell before the first case."""
        for world in self._rows:
            key = (int(world), issue, choice)
            self._watches[key] = Watch(tried=float(tried), worked=float(worked))
            self.tried[key], self.worked[key] = tried, worked
            resolution = self.worlds.resolution[key]
            self.pool_tried[world, resolution] += tried
            self.pool_worked[world, resolution] += worked
            self.outcomes[world] += tried
            self._learn_pool(int(world))

    def prior_means(self, issues: Issues) -> Floats:
        ids = self.worlds.resolution[self._rows, issues]
        pull = self.parameters.pool_strength
        rows = self._rows[:, None]
        return (self.pool_worked[rows, ids] + pull * self.overall[:, None]) / (
            self.pool_tried[rows, ids] + pull
        )

    def posterior(self, issues: Issues) -> tuple[Floats, Floats]:
        means, kappa = self.prior_means(issues), self.kappa[:, None]
        worked = self.worked[self._rows, issues]
        failed = self.tried[self._rows, issues] - worked
        alpha, beta = worked + kappa * means, failed + kappa * (1.0 - means)
        alpha[:, 0] += self.parameters.choice_bonus
        return alpha, beta

    def shares(self, issues: Issues) -> Floats:
        alpha, beta = self.posterior(issues)
        p = self.parameters
        if p.exploration:
            return exploring_shares(
                alpha,
                beta,
                self.tried[self._rows, issues].sum(axis=1),
                p.exploration_reach,
                p.exploration_floor,
            )
        allowed = gate_score(alpha, beta, np.zeros(len(alpha), dtype=np.intp)) > p.gate
        allowed[:, 0] = True
        means = np.where(allowed, alpha / (alpha + beta), -1.0)
        return np.asarray(np.eye(alpha.shape[1])[means.argmax(axis=1)])

    def learn(self, world: int, issue: int, choice: int, reward: float, share: float) -> None:
        resolution = self.worlds.resolution[world, issue, choice]
        pull = self.parameters.pool_strength
        prior = (self.pool_worked[world, resolution] + pull * self.overall[world]) / (
            self.pool_tried[world, resolution] + pull
        )
        key = (world, issue, choice)
        watch, alarm = observe(
            self._watches.get(key, Watch()), reward, 1.0, float(prior), float(self.kappa[world])
        )
        self._watches[key] = watch
        self.tried[key], self.worked[key] = watch.tried, watch.worked
        self.pool_tried[world, resolution] += 1.0
        self.pool_worked[world, resolution] += reward
        if alarm:
            self.alarms[world].append((issue, choice))
        self.outcomes[world] += 1
        if self.outcomes[world] % LEARN_EVERY == 0 or self.outcomes[world] < LEARN_EVERY:
            self._learn_pool(world)

    def _learn_pool(self, world: int) -> None:
        tally = Tally(float(self.pool_tried[world].sum()), float(self.pool_worked[world].sum()))
        self.overall[world] = overall_rate(Pool(overall=tally))
        if self.outcomes[world] % LEARN_EVERY == 0:
            cells = zip(self.tried[world].ravel(), self.worked[world].ravel(), strict=True)
            self.kappa[world] = strength(moments_of(Tally(float(n), float(s)) for n, s in cells))


class VowpalWabbit:
    """Contextual bandit with action-dependent features: issue, resolution, cell, first choice."""

    def __init__(self, worlds: Worlds, workspaces: list[Any]) -> None:
        self.worlds, self._workspaces = worlds, workspaces
        self._rows = range(worlds.seeds)

    @classmethod
    def start(cls, worlds: Worlds, arguments: str) -> "VowpalWabbit | None":
        """One workspace a world; None where the package is not installed."""
        try:
            import vowpalwabbit  # type: ignore[import-untyped]
        except ImportError:
            return None
        options = f"--cb_explore_adf --quiet {arguments}"
        return cls(worlds, [vowpalwabbit.Workspace(options) for _ in range(worlds.seeds)])

    def shares(self, issues: Issues) -> Floats:
        found = np.empty((self.worlds.seeds, self.worlds.rates.shape[-1]))
        for world in self._rows:
            found[world] = self._workspaces[world].predict(self._lines(world, int(issues[world])))
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def learn(self, world: int, issue: int, choice: int, reward: float, share: float) -> None:
        lines = self._lines(world, issue)
        lines[choice + 1] = f"0:{-reward}:{share:.6f} {lines[choice + 1]}"
        self._workspaces[world].learn(lines)

    def _lines(self, world: int, issue: int) -> list[str]:
        resolutions = self.worlds.resolution[world, issue]
        return ["shared |"] + [
            f"|r id={r} cell={issue}_{r} {'first' if place == 0 else ''}"
            for place, r in enumerate(resolutions)
        ]


def vowpal_wabbit_grid() -> tuple[str, ...]:
    """A small grid: how it explores and how fast it learns."""
    ways = (
        "--epsilon 0.05",
        "--squarecb",
        "--squarecb --gamma_scale 100",
        "--regcbopt --cb_min_cost -1 --cb_max_cost 0",
        "--bag 5 --epsilon 0.02",
    )
    return tuple(f"{way} -l {rate}" for way in ways for rate in ("0.5", "2"))
