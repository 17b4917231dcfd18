"""Change: noticing that a resolution has stopped working.

Two one-sided CUSUMs of the log-likelihood ratio run over the outcomes of one cell, from the cell's
mean p₀ to p₁ = max(0.05, p₀ − d): d = 0.3 for a fix that got worse, 0.5 for one that broke. When
one passes 6.5 + 1.5·ln(n/8), n the outcomes before, the cell has changed (the alarm rises with n
because a long history gives chance more opportunities: a plain 6 raised false alarms in half of all
cells within 10,000 outcomes). The change lies where the excursion began (the last zero of the sum),
which is the maximum-likelihood place. Evidence from before no longer counts for ranking; nothing is
deleted. It looks for falling rates only: a resolution that got better shows it by its posterior.

A CUSUM is the quickest detector of the one fall it is tuned to (Moustakides 1986), so one tuned to
0.3 alone is slow where a fix breaks: with both, at a bar raised from 6 to 6.5, there are no more
false alarms at any steady rate and a fall from 0.85 to 0.30 is told at 13 outcomes instead of 15.

A problem whose cases fell into several issues has a fix whose history is in several cells, each
too short to tell. `pooled_break` watches all cells of a fix together: every outcome is compared
with what its own cell leads one to expect, which is drawn to the mean of all cells by as much as
the prior weighs, so that a move from an easy issue to a hard one is no fall; and a failure where
the fix has never worked says that it is no fix for that issue, not that it stopped, so it does not
count. Simulated with steady rates in two to five issues it raises 0.3 to 0.7 false alarms per 1,000
outcomes, 1.8 where rates differ by .3 and the mix moves to the hard issues (one sum over all of
them: 0.35 to 1.7, and 4.2); a fall from 0.85 to 0.30 spread over three issues is told at 14
outcomes, at 20 by the cells apart.

Sources: Page 1954, *Biometrika* 41; Moustakides 1986, *Annals of Statistics* 14; several sums side
by side, Lorden 1971, *Annals of Mathematical Statistics* 42. Numbers: simulated, see
`benchmarks/results/patterns.md`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kbagent.model.evidence import Break
from kbagent.model.outcome import Trial

MIN_TRIED = 8.0  # known outcomes before the watch begins
DROPS = (0.3, 0.5)  # the falls it is tuned to notice
FLOOR = 0.05  # lowest rate it expects after a fall
CEILING = 0.98  # highest rate it believes in before a fall; one failure must not raise the alarm
ALARM = 6.5  # nats, at MIN_TRIED outcomes
GROWTH = 1.5  # of the alarm with ln n; above 1, so that false alarms stay few for ever
SELECTED = 0.5  # weight of the outcomes that raised the alarm: they were picked for being bad
CAUTION = 0.5  # standard deviations by which the mean before a fall is taken lower


@dataclass(frozen=True, slots=True)
class Excursion:
    """One sum since it last was zero: nats, outcomes (weighed and counted) and their worth."""

    score: float = 0.0
    tried: float = 0.0
    worked: float = 0.0
    length: int = 0


CALM = Excursion()
ALL_CALM = (CALM,) * len(DROPS)


@dataclass(frozen=True, slots=True)
class Watch:
    """A cell under watch: what counts now, and an excursion for each of `DROPS`."""

    tried: float = 0.0
    worked: float = 0.0
    sums: tuple[Excursion, ...] = ALL_CALM

    @property
    def score(self) -> float:
        """The higher of the sums, in nats; 0 while nothing speaks for a fall."""
        return max(one.score for one in self.sums)


def observe(
    watch: Watch, reward: float, weight: float, prior_mean: float, prior_strength: float
) -> tuple[Watch, int]:
    """The watch after one more outcome; and after an alarm how many outcomes fell, else 0.

    After an alarm only the outcomes of the excursion are left in `tried` and `worked`, each
    counted half: chance picked them, and a false alarm must be found out by trying again. p₀ is
    the mean of what lay before the excursion, so that a fall does not hide itself by lowering
    the mean it is compared with. `reward` lies in [0, 1], `weight` ≥ 0.

    >>> watch = Watch(tried=20, worked=18)
    >>> for _ in range(6):
    ...     watch, fell = observe(watch, 0.0, 1.0, 0.8, 4.0)
    >>> fell, watch.tried, watch.worked
    (6, 3.0, 0.0)
    """
    tried, worked = watch.tried + weight, watch.worked + weight * reward
    if reward >= 1.0 and watch.sums == ALL_CALM:  # a success cannot begin a fall
        return Watch(tried, worked), 0
    prior = prior_mean, prior_strength
    sums = tuple(
        _further(watch, one, drop, reward, weight, prior)
        for one, drop in zip(watch.sums, DROPS, strict=True)
    )
    over = [one for one in sums if one.score > _bar(tried - one.tried)]
    if over:
        most = max(over, key=lambda one: one.score)
        return Watch(most.tried * SELECTED, most.worked * SELECTED), most.length
    return Watch(tried, worked, sums), 0


def _further(
    watch: Watch,
    one: Excursion,
    drop: float,
    reward: float,
    weight: float,
    prior: tuple[float, float],
) -> Excursion:
    """The excursion with this outcome; calm when its sum falls to zero."""
    before = watch.tried - one.tried
    if before < MIN_TRIED:
        return CALM
    calm = _calm(watch.worked - one.worked, before, *prior)
    score = one.score + weight * _evidence_of_fall(calm, drop, reward)
    if score <= 0.0:
        return CALM
    return Excursion(score, one.tried + weight, one.worked + weight * reward, one.length + 1)


def _bar(before: float) -> float:
    """Nats at which `before` outcomes make an alarm."""
    return ALARM + GROWTH * math.log(max(before, MIN_TRIED) / MIN_TRIED)


@dataclass(frozen=True, slots=True)
class Followed:
    """A cell followed to its end: what counts now, from which trial on, and its latest change."""

    tried: float
    worked: float
    begin: int
    broke: Break | None


def last_break(
    trials: Sequence[Trial], prior_mean: float, prior_strength: float
) -> tuple[int, Break | None]:
    """How many of the trials lie before the latest change, and that change; (0, None) without."""
    followed = follow(trials, prior_mean, prior_strength)
    return followed.begin, followed.broke


def follow(trials: Sequence[Trial], prior_mean: float, prior_strength: float) -> Followed:
    """What counts of these trials after all changes.

    `trials` are those of one cell in order of time. `Break.at` is when the first trial after
    the change happened, `noticed_at` when the alarm was raised; the counts before reach back
    to the change before that one, or to the beginning.
    """
    tried, worked, sums = 0.0, 0.0, ALL_CALM
    previous, begin, noticed = 0, 0, -1
    for place, trial in enumerate(trials):
        if trial.reward >= 1.0 and sums == ALL_CALM:  # as `observe` has it, for most of them
            tried, worked = tried + trial.weight, worked + trial.weight * trial.reward
            continue
        watch, fell = observe(
            Watch(tried, worked, sums), trial.reward, trial.weight, prior_mean, prior_strength
        )
        tried, worked, sums = watch.tried, watch.worked, watch.sums
        if fell:
            previous, begin, noticed = begin, place - fell + 1, place
    if noticed < 0:
        return Followed(tried, worked, 0, None)
    return Followed(tried, worked, begin, _break(trials, previous, begin, noticed))


def pooled_break(
    trials: Sequence[Trial], prior_mean: float, prior_strength: float
) -> tuple[tuple[Trial, ...], Break | None]:
    """The outcomes since the latest change of one fix over all its issues, and that change.

    `trials` are of one resolution on any issues, in order of time. The counts of the break are of
    the issues on which the fix had worked before it failed. ((), None) without a change.
    """
    counted = _where_it_worked(trials)
    watch, begun, previous, begin, noticed = _Pool(prior_mean, prior_strength), 0, 0, 0, -1
    for place, trial in enumerate(counted):
        fell = watch.observe(trial)
        if fell:
            previous, begin, noticed = begun, place - fell + 1, place
            watch, begun = _Pool(prior_mean, prior_strength), begin
    if noticed < 0:
        return (), None
    return tuple(counted[begin:]), _break(counted, previous, begin, noticed)


def _where_it_worked(trials: Sequence[Trial]) -> list[Trial]:
    """The trials on issues on which the resolution had worked by then, that success included."""
    proven: set[int] = set()
    kept = []
    for trial in trials:
        if trial.reward >= 1.0:
            proven.add(trial.issue_id)
        if trial.issue_id in proven:
            kept.append(trial)
    return kept


class _Tallies:
    """Outcomes and their worth, of all issues and of each."""

    def __init__(self) -> None:
        self._by_issue: dict[int | None, tuple[float, float]] = {}

    def add(self, trial: Trial) -> None:
        for key in (None, trial.issue_id):
            tried, worked = self.of(key)
            self._by_issue[key] = tried + trial.weight, worked + trial.weight * trial.reward

    def of(self, issue: int | None = None) -> tuple[float, float]:
        """(tried, worked) of an issue, or of all."""
        return self._by_issue.get(issue, (0.0, 0.0))


class _Pool:
    """The watch over all cells of a fix: what was counted, and a sum for each of `DROPS`."""

    def __init__(self, prior_mean: float, prior_strength: float) -> None:
        self._mean, self._strength = prior_mean, prior_strength
        self._counted = _Tallies()
        self._scores = [0.0] * len(DROPS)
        self._fallen = [_Tallies() for _ in DROPS]
        self._lengths = [0] * len(DROPS)

    def observe(self, trial: Trial) -> int:
        """How many outcomes fell, when this one raises the alarm; else 0."""
        alarms = [self._further(i, drop, trial) for i, drop in enumerate(DROPS)]
        self._counted.add(trial)
        return max(alarms)

    def _further(self, i: int, drop: float, trial: Trial) -> int:
        before = self._before(i, None)[0]
        score = 0.0
        if before >= MIN_TRIED:
            calm = self._expected(i, trial.issue_id)
            score = self._scores[i] + trial.weight * _evidence_of_fall(calm, drop, trial.reward)
        if score <= 0.0:
            self._scores[i], self._lengths[i], self._fallen[i] = 0.0, 0, _Tallies()
            return 0
        self._fallen[i].add(trial)
        self._scores[i], self._lengths[i] = score, self._lengths[i] + 1
        return self._lengths[i] if score > _bar(before) else 0

    def _before(self, i: int, issue: int | None) -> tuple[float, float]:
        """(tried, worked) before the excursion, so that a fall does not hide itself."""
        tried, worked = self._counted.of(issue)
        fell, still = self._fallen[i].of(issue)
        return tried - fell, worked - still

    def _expected(self, i: int, issue: int) -> float:
        """The lower of what all cells and what this one lead one to expect.

        The cell's own mean is drawn to that of all, and left of its first success, which is why
        it is watched at all, and taken lower by its doubt.
        """
        tried, worked = self._before(i, None)
        every = max(_calm(worked, tried, self._mean, self._strength), FLOOR)
        own_tried, own_worked = self._before(i, issue)
        rest = max(own_tried - 1.0, 0.0), max(own_worked - 1.0, 0.0)
        own = (rest[1] + every * self._strength) / (rest[0] + self._strength)
        doubt = math.sqrt(max(own * (1.0 - own), 0.0) / (rest[0] + self._strength))
        return min(every, max(own - CAUTION * doubt, FLOOR))


def _break(trials: Sequence[Trial], previous: int, begin: int, noticed: int) -> Break:
    """The change at `begin`, with the counts since the one before it."""
    before, since = trials[previous:begin], trials[begin:]
    return Break(
        at=trials[begin].at,
        worked_before=sum(t.weight * t.reward for t in before),
        tried_before=sum(t.weight for t in before),
        worked_since=sum(t.weight * t.reward for t in since),
        tried_since=sum(t.weight for t in since),
        noticed_at=trials[noticed].at,
    )


def _calm(worked: float, tried: float, prior_mean: float, prior_strength: float) -> float:
    """The lower of plain and shrunk mean, less half a standard deviation of what is not known.

    Neither luck in the first outcomes nor the prior may make a fall up: at a steady rate of 0.7
    this gives a third of the false alarms within 60 outcomes (4 % for 12 %), and notices a fall
    one or two outcomes later.
    """
    shrunk = (worked + prior_mean * prior_strength) / (tried + prior_strength)
    smooth = (worked + 1.0) / (tried + 2.0)
    doubt = math.sqrt(smooth * (1.0 - smooth) / (tried + 3.0))
    return min(worked / tried, shrunk) - CAUTION * doubt


def _evidence_of_fall(calm: float, drop: float, reward: float) -> float:
    """The log-likelihood ratio of one outcome, fallen against calm; partly lies between."""
    p0 = min(calm, CEILING)
    p1 = max(FLOOR, p0 - drop)
    if p1 >= p0:
        return 0.0  # nothing lower to fall to
    return reward * math.log(p1 / p0) + (1.0 - reward) * math.log((1.0 - p1) / (1.0 - p0))
