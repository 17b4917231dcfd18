"""Worlds for the simulators: issues, resolutions, true rates, breaks; drawn from a seed.

A world is a knowledge base's reality: which issue comes how often (Zipf), in which order
similarity alone would show its resolutions, and how often each resolution truly works before
and after things break. Tuning worlds have seeds from 10,000 on. Reporting worlds
begin at 5,000 and were run once the method stood; those below 1,000 were looked at while it was
still being changed, so that no figure comes from them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TUNING = 10_000  # seeds of tuning worlds begin here
REPORTING = 5_000  # seeds of reporting worlds begin here


@dataclass(frozen=True, slots=True)
class Worlds:
    """S worlds side by side: G issues with K resolutions each, the first one similarity's choice.

    rates       (2, S, G, K) true success rates before and after the break
    resolution  (S, G, K) which resolution of the catalogue each one is
    popularity  (G,) share of each issue in the cases
    broken      (S, G) whether the best fix of the issue breaks
    """

    rates: NDArray[np.float64]
    resolution: NDArray[np.int64]
    popularity: NDArray[np.float64]
    broken: NDArray[np.bool_]
    catalogue: int

    @property
    def seeds(self) -> int:
        return int(self.rates.shape[1])


def two_arms(seeds: int, first: float, second: float) -> Worlds:
    """One issue with two resolutions that never change; similarity prefers the first."""
    rates = np.broadcast_to(np.array([first, second]), (2, seeds, 1, 2)).copy()
    resolution = np.broadcast_to(np.arange(2), (seeds, 1, 2)).copy()
    return Worlds(rates, resolution, np.ones(1), np.zeros((seeds, 1), dtype=bool), 2)


def many_issues(
    seeds: range,
    *,
    issues: int = 50,
    choices: int = 4,
    break_share: float = 0.3,
    similarity_right: float = 0.4,
    catalogue: int = 80,
    strength: float = 4.0,
) -> Worlds:
    """Zipf issues whose resolutions come from one catalogue and differ between issues.

    A resolution's mean is Beta(3, 2); its rate within an issue Beta(κm, κ(1 − m)), κ = 4.
    Similarity puts the best one first in 40 % of issues, any other otherwise (random: 25 %).
    A best fix that breaks keeps a fifth of its rate.
    """
    rates = np.empty((2, len(seeds), issues, choices))
    resolution = np.empty((len(seeds), issues, choices), dtype=np.int64)
    broken = np.zeros((len(seeds), issues), dtype=bool)
    for place, seed in enumerate(seeds):
        rng = np.random.default_rng([seed, 4])
        means = rng.beta(3.0, 2.0, catalogue)
        for issue in range(issues):
            ids = rng.choice(catalogue, choices, replace=False)
            p = rng.beta(strength * means[ids], strength * (1.0 - means[ids]))
            best = int(p.argmax())
            others = [i for i in rng.permutation(choices) if i != best]
            at = 0 if rng.random() < similarity_right else int(rng.integers(1, choices))
            order = [*others[:at], best, *others[at:]]
            resolution[place, issue] = ids[order]
            rates[:, place, issue] = p[order]
            if rng.random() < break_share:
                broken[place, issue] = True
                rates[1, place, issue, at] *= 0.2
    popularity = 1.0 / np.arange(1, issues + 1)
    return Worlds(rates, resolution, popularity / popularity.sum(), broken, catalogue)
