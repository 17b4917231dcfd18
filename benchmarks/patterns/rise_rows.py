"""Rises and broken fixes: how soon they are told and how often falsely."""

import numpy as np

from benchmarks.learning.table import Row
from benchmarks.patterns.series import CLUSTERS, DAYS, Series, series, weekly_doubling
from kbagent.core.learning.change import Watch as FixWatch
from kbagent.core.learning.change import observe
from kbagent.core.patterns.rises import Watch, rises

Alarms = list[tuple[int, int]]
TARGETS = {2.0: 10, 3.0: 4, 5.0: 2}
NEVER = 10_000


def rise_rows(worlds: int) -> list[Row]:
    """Worlds 0, 1, …: the bar, the window and the prior were settled on worlds 500 to 511."""
    rows = []
    for ratio, target in TARGETS.items():
        made = [series(ratio, seed) for seed in range(worlds)]
        ours = [(s, [(r.series, r.told) for r in rises(s.counts, s.weekdays)]) for s in made]
        rule = [(s, weekly_doubling(s.counts)) for s in made]
        what = f"rise ×{ratio:g}, {worlds} worlds of {CLUSTERS} clusters"
        rows.append(_row(what, "negative-binomial CUSUM", ours, target))
        rows.append(_row(what, "rule: week at least twice the last", rule, None))
    return rows


def _row(what: str, policy: str, told: list[tuple[Series, Alarms]], target: int | None) -> Row:
    delays = [d for s, alarms in told for d in _delays(s, alarms)]
    false = sum(_false(s, alarms) for s, alarms in told)
    days = sum(_calm_days(s) for s, _ in told)
    rate = 1000 * false / days
    half = 1.96 * 1000 * false**0.5 / days
    missed = sum(d == NEVER for d in delays) / len(delays)
    middle = float(np.median(delays))
    return Row(
        what,
        policy,
        "–" if target is None else f"median ≤ {target} days at ≤ 1 false per 1,000",
        f"median {middle:g} days (90 % within {_shown(np.quantile(delays, 0.9))}, "
        f"never {missed:.0%}); {rate:.2f} ± {half:.2f} false per 1,000 cluster-days",
        None if target is None else middle <= target and rate <= 1,
    )


def _shown(delay: float) -> str:
    return "–" if delay >= NEVER else f"{delay:.0f}"


def _delays(s: Series, alarms: Alarms) -> list[int]:
    """Days of data since the rise began, the day of the alarm included."""
    return [
        min((day - onset + 1 for c, day in alarms if c == cluster and day >= onset), default=NEVER)
        for cluster, onset in s.onset.items()
    ]


def _false(s: Series, alarms: Alarms) -> int:
    return sum(day < s.onset.get(cluster, DAYS) for cluster, day in alarms)


def _calm_days(s: Series) -> int:
    return sum(s.onset.get(c, DAYS) - Watch().warm_up for c in range(CLUSTERS))


def broken_fix_rows(runs: int) -> list[Row]:
    """A fix at 0.85 falls to 0.30 after 30 to 120 outcomes; another never falls."""
    rng = np.random.default_rng(99)
    delays, false, calm = [], 0, 0
    for _ in range(runs):
        before = int(rng.integers(30, 121))
        outcomes = np.concatenate((rng.random(before) < 0.85, rng.random(200) < 0.30))
        alarms = _fix_alarms(outcomes)
        delays.append(min((a - before + 1 for a in alarms if a >= before), default=NEVER))
        steady = _fix_alarms(rng.random(300) < 0.85)
        false, calm = false + len(steady) + sum(a < before for a in alarms), calm + 300 + before
    middle, rate = float(np.median(delays)), 1000 * false / calm
    rule = [_doubling_rule(rng) for _ in range(runs)]
    return [
        Row(
            f"a broken fix, 0.85 → 0.30, {runs} runs",
            "CUSUM of `core.learning.change`",
            "median ≤ 15 outcomes, ≤ 1 false per 1,000",
            f"median {middle:g} outcomes (90 % within {np.quantile(delays, 0.9):.0f}); "
            f"{rate:.2f} false per 1,000 outcomes",
            middle <= 15 and rate <= 1,
        ),
        Row(
            f"a broken fix, 0.85 → 0.30, {runs} runs",
            "rule: at most 5 of the last 10 worked",
            "–",
            f"median {np.median([d for d, _ in rule]):g} outcomes; "
            f"{1000 * sum(f for _, f in rule) / (300 * runs):.2f} false per 1,000 outcomes",
        ),
    ]


def _fix_alarms(outcomes: np.ndarray) -> list[int]:
    watch, told = FixWatch(), []
    for place, worked in enumerate(outcomes):
        watch, alarm = observe(watch, float(worked), 1.0, 0.6, 4.0)
        if alarm:
            told.append(place)
    return told


def _doubling_rule(rng: np.random.Generator) -> tuple[int, int]:
    """Delay after a fall at 60, and false alarms over 300 steady outcomes (once per ten)."""
    fall = np.convolve(np.concatenate((rng.random(60) < 0.85, rng.random(200) < 0.3)), np.ones(10))
    steady = np.convolve(rng.random(300) < 0.85, np.ones(10))[9:300]
    first = int(np.argmax(fall[60:260] <= 5)) + 1
    return first, int(np.ceil(np.count_nonzero(steady <= 5) / 10))
