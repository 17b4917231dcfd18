"""The rows of estimates and tests: off-policy values with known truth, promotion's two errors."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning.table import Row
from benchmarks.learning.worlds import Worlds, many_issues
from kbagent.core.learning.offpolicy import Estimate, Estimator, Rounds, evaluate
from kbagent.core.learning.promotion import Plan, Ruling, decide

FLOOR = 0.1  # ε of the behavior policy: uniform over all of an issue's resolutions


def off_policy(repetitions: int, rounds: int = 10_000, start: int = 0) -> Iterator[Row]:
    """Estimates against the truth, each repetition in a world of its own.

    The behavior policy shows the best by 100 earlier outcomes of each issue's three first
    resolutions with probability 1 − ε (plus its part of ε); the evaluation policy, in question,
    shows the best by 40 outcomes of every resolution. They differ in about a third of the cases.
    """
    errors: dict[Estimator, list[float]] = {e: [] for e in Estimator}
    covered: dict[Estimator, list[bool]] = {e: [] for e in Estimator}
    differing = []
    for repetition in range(start, start + repetitions):
        rng = np.random.default_rng([repetition, 21])
        worlds = many_issues(range(repetition, repetition + 1), break_share=0.0)
        rates = worlds.rates[0, 0]
        behavior = _greedy(rates, rng, outcomes=100, choices=3)
        behavior = (1.0 - FLOOR) * behavior + FLOOR / rates.shape[1]
        evaluation = _greedy(rates, rng, outcomes=40, choices=rates.shape[1])
        differing.append(_differ(worlds, behavior, evaluation))
        truth = float((worlds.popularity[:, None] * evaluation * rates).sum())
        log = _log(worlds, behavior, evaluation, rounds, rng)
        for estimator in Estimator:
            found = evaluate(log, estimator, rng)
            if isinstance(found, Estimate):
                errors[estimator].append(found.value - truth)
                covered[estimator].append(found.interval[0] <= truth <= found.interval[1])
    yield Row("off-policy: cases in which the policies differ", "", "", f"{np.mean(differing):.2f}")
    for estimator in Estimator:
        yield from _judged(estimator, errors[estimator], covered[estimator], repetitions)


def promotion(runs: int, outcomes: int = 10_000, start: int = 0) -> Iterator[Row]:
    """How often the sequential test promotes; looked at after every 100 outcomes, as people do."""
    for gain, target in ((0.0, "≤ 0.05"), (0.02, ""), (0.05, "≥ 0.80"), (-0.05, "")):
        promoted = [_ever_promoted(gain, seed, outcomes) for seed in range(start, start + runs)]
        share = float(np.mean(promoted))
        met = {0.0: share <= 0.05, 0.05: share >= 0.80}.get(gain)
        half = 1.96 * (share * (1 - share) / runs) ** 0.5
        measured = f"{share:.3f} [{max(0.0, share - half):.3f}, {min(1.0, share + half):.3f}]"
        yield Row(
            f"promotion: candidate {100 * gain:+.0f} points", "kbagent", target, measured, met
        )


def _judged(
    estimator: Estimator, errors: list[float], covered: list[bool], repetitions: int
) -> Iterator[Row]:
    rmse = float(np.sqrt(np.mean(np.square(errors)))) if errors else float("nan")
    judged = estimator is Estimator.DR
    given = f"{rmse:.4f} ({len(errors)} of {repetitions} given, bias {np.mean(errors):+.4f})"
    yield Row(
        "off-policy: RMSE",
        estimator.value,
        "≤ 0.015" if judged else "",
        given,
        rmse <= 0.015 if judged else None,
    )
    share = float(np.mean(covered))
    yield Row(
        "off-policy: 95 % interval covers",
        estimator.value,
        "≥ 0.93" if judged else "",
        f"{share:.3f}",
        share >= 0.93 if judged else None,
    )


def _greedy(
    rates: NDArray[np.float64], rng: np.random.Generator, *, outcomes: int, choices: int
) -> NDArray[np.float64]:
    """(G, K) with 1 at the best by this many simulated outcomes of the first `choices`."""
    seen = rng.binomial(outcomes, rates[:, :choices]) + rng.random((len(rates), choices)) / 2
    return np.asarray(np.eye(rates.shape[1])[seen.argmax(axis=1)])


def _differ(
    worlds: Worlds, behavior: NDArray[np.float64], evaluation: NDArray[np.float64]
) -> float:
    return float(worlds.popularity[behavior.argmax(axis=1) != evaluation.argmax(axis=1)].sum())


def _log(
    worlds: Worlds,
    behavior: NDArray[np.float64],
    evaluation: NDArray[np.float64],
    rounds: int,
    rng: np.random.Generator,
) -> Rounds:
    issue = rng.choice(len(worlds.popularity), size=rounds, p=worlds.popularity)
    cumulative = behavior[issue].cumsum(axis=1)
    action = (cumulative < rng.random((rounds, 1))).sum(axis=1).clip(max=behavior.shape[1] - 1)
    rates = worlds.rates[0, 0]
    reward = (rng.random(rounds) < rates[issue, action]).astype(np.float64)
    pscore = behavior[issue, action]
    ids = worlds.resolution[0, issue]
    return Rounds(issue, action, reward, pscore, evaluation[issue], ids)


def _ever_promoted(gain: float, seed: int, outcomes: int) -> bool:
    """One stream of paired differences; issues differ in which policy is better for them.

    Candidate and live differ in three of ten cases; in each issue the candidate wins or loses
    more of those, balanced so that over all cases it is better by exactly `gain`.
    """
    rng = np.random.default_rng([seed, 22])
    popularity = 1.0 / np.arange(1, 51)
    popularity /= popularity.sum()
    effect = rng.uniform(-0.15, 0.15, 50)
    effect += gain - float((popularity * effect).sum())
    effect = effect.clip(-0.3, 0.3)
    effect += gain - float((popularity * effect).sum())
    issue = rng.choice(50, size=outcomes, p=popularity)
    draw, win = rng.random(outcomes), (0.3 + effect[issue]) / 2.0
    differences = np.where(draw < win, 1.0, np.where(draw < 0.3, -1.0, 0.0))
    plan = Plan()
    return any(
        decide(differences[:seen], plan).ruling is Ruling.PROMOTE
        for seen in range(100, outcomes + 1, 100)
    )
