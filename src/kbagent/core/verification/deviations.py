"""What the checks were worth: how often an alarm was right, and what it cost to heed it.

A deviation is a failed check with what came of it. From these: the precision of each check's
alarm, what it cost in needless hand-overs, and a new threshold, which replaces the old one only
if it did better on later deviations than on those it was chosen from. Keeps nothing itself.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np

from kbagent.core.verification.bounds import lower_bound, upper_bound
from kbagent.core.verification.calibration import time_split

MISS_COST = 5.0  # one wrong answer given weighs as much as this many needless hand-overs
FEWEST = 40  # outcomes before a threshold is moved: twenty to choose on, twenty to judge by
FEWEST_ALARMS = 10  # before a check is named for getting in the way
EARNS = 0.5  # an alarm right less often than this only gets in the way


@dataclass(frozen=True, slots=True)
class Sighting:
    """One run of a check whose later outcome is known.

    value      what the check compared with its threshold; larger is safer
    alarm      whether it failed
    wrong      whether the answer that it guarded was (or would have been) wrong
    handed_over  whether the run ended without an answer because of it
    """

    check: str
    at: datetime
    value: float
    alarm: bool
    wrong: bool
    handed_over: bool = False


@dataclass(frozen=True, slots=True)
class CheckStatistics:
    """How one check fared.

    precision  share of its alarms that were right; its 90 % Clopper–Pearson interval beside it
    recall     share of the wrong answers it gave an alarm for
    needless   runs handed over by a false alarm
    in_the_way whether even the upper end of the precision lies below `EARNS`
    """

    check: str
    seen: int
    alarms: int
    right: int
    precision: float
    interval: tuple[float, float]
    recall: float
    needless: int
    in_the_way: bool


@dataclass(frozen=True, slots=True)
class Recalibration:
    """A proposal for one check's threshold, and whether it may replace the current one.

    Costs are per run, on sightings later than those the proposal was chosen from: needless
    alarms count 1, wrong answers without alarm `MISS_COST`. `gain` is current minus proposed
    cost, with its 90 % interval.
    """

    check: str
    current: float
    proposed: float
    gain: float
    interval: tuple[float, float]
    judged_on: int
    adopted: bool
    reason: str


def statistics(sightings: Iterable[Sighting]) -> tuple[CheckStatistics, ...]:
    """One row for each check, in order of name; NaN where a share has no basis."""
    groups: defaultdict[str, list[Sighting]] = defaultdict(list)
    for sighting in sightings:
        groups[sighting.check].append(sighting)
    return tuple(_statistics(name, groups[name]) for name in sorted(groups))


def recalibrate(
    check: str, sightings: Sequence[Sighting], current: float, rng: np.random.Generator
) -> Recalibration:
    """A threshold with the least cost on the earlier half, judged on the later half.

    An alarm is value < threshold. Adopted only when the later half shows less cost with the
    lower end of a bootstrap interval above 0; a proposal equal to the current threshold, or
    fewer than `FEWEST` sightings, changes nothing. Ties go to the threshold nearest `current`.
    """
    mine = [s for s in sightings if s.check == check]
    if len(mine) < FEWEST:
        reason = f"{len(mine)} outcomes; too few to move a threshold below {FEWEST}"
        return _unchanged(check, current, reason)
    earlier, later = time_split([s.at for s in mine])
    proposed = _cheapest([mine[i] for i in earlier], current)
    if proposed == current:
        return _unchanged(check, current, "no other threshold costs less")
    judged = [mine[i] for i in later]
    gains = np.array([_cost(s, current) - _cost(s, proposed) for s in judged])
    means = rng.choice(gains, (2000, len(gains))).mean(axis=1)
    low, high = np.quantile(means, [0.05, 0.95])
    adopted = bool(low > 0)
    reason = "costs less on later runs" if adopted else "not shown to cost less on later runs"
    return Recalibration(
        check,
        current,
        proposed,
        float(gains.mean()),
        (float(low), float(high)),
        len(judged),
        adopted,
        reason,
    )


def _statistics(name: str, seen: Sequence[Sighting]) -> CheckStatistics:
    alarms = [s for s in seen if s.alarm]
    right = sum(s.wrong for s in alarms)
    wrong = sum(s.wrong for s in seen)
    high = upper_bound(right, len(alarms), doubt=0.05)
    return CheckStatistics(
        check=name,
        seen=len(seen),
        alarms=len(alarms),
        right=right,
        precision=right / len(alarms) if alarms else math.nan,
        interval=(lower_bound(right, len(alarms), doubt=0.05), high),
        recall=right / wrong if wrong else math.nan,
        needless=sum(s.handed_over and not s.wrong for s in alarms),
        in_the_way=len(alarms) >= FEWEST_ALARMS and high < EARNS,
    )


def _cheapest(sightings: Sequence[Sighting], current: float) -> float:
    """The threshold of least total cost among the middles between values, and `current`."""
    values = sorted({s.value for s in sightings})
    middles = [(a + b) / 2 for a, b in pairwise(values)]
    options = [current, values[0], *middles]
    costs = [(sum(_cost(s, t) for s in sightings), abs(t - current), t) for t in options]
    return min(costs)[2]


def _cost(sighting: Sighting, threshold: float) -> float:
    alarm = sighting.value < threshold
    if sighting.wrong:
        return 0.0 if alarm else MISS_COST
    return 1.0 if alarm else 0.0


def _unchanged(check: str, current: float, reason: str) -> Recalibration:
    return Recalibration(check, current, current, 0.0, (0.0, 0.0), 0, adopted=False, reason=reason)
