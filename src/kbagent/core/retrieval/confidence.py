"""How sure we are that an issue shown is the same problem as the query's.

Three things say so: how well its best case stands, how many of the ten best candidates are its
own, and how crowded the query's surroundings are (0.7 is much where the next twenty have 0.4, and
nothing where they have 0.68). They are put together to one margin, and a logistic curve over it
(Platt 1999) makes it a probability; the two numbers of the curve are a knowledge base's own, kept
in its policy. Whether it is calibrated is checked by `core.verification`.

The default was fitted on CLINC150 (validation part stored with 90 of 150 intents, test part and
out-of-scope queries asked) and on half of StackFAQ (40 of 62 issues stored), weighted equally;
benchmarks/retrieval says how it does on others.
"""

from collections.abc import Sequence
from math import exp, log1p

from kbagent.core.retrieval.grouping import IssueHit

DEFAULT_PLATT = (18.65, -9.45)
PER_SHARE = 0.18  # 3.36 / 18.65
PER_CROWDING = 0.353  # 6.59 / 18.65
NEAREST = 10  # candidates among which an issue's share is counted
SURROUNDINGS = 20  # candidates whose mean standing is the crowding


def confidences(
    issues: Sequence[IssueHit], platt: tuple[float, float] = DEFAULT_PLATT
) -> dict[int, float]:
    """The confidence of each issue found, by issue id; all issues of one query together."""
    return {issue: confidence(margin, platt) for issue, margin in margins(issues).items()}


def margins(issues: Sequence[IssueHit]) -> dict[int, float]:
    """standing + 0.18·share - 0.353·crowding of each issue, by issue id.

    Over all candidate cases of the issues: standing is that of the issue's best one, share its
    part of the ten with the best scores, crowding the mean standing of the best twenty. Ties by
    case id. No issues: empty.
    """
    owned = [(case, hit.issue_id) for hit in issues for case in hit.members]
    by_score = sorted(owned, key=lambda pair: (-pair[0].score, pair[0].case_id))
    near = [issue for _, issue in by_score[:NEAREST]]
    standings = sorted((case.standing for case, _ in owned), reverse=True)[:SURROUNDINGS]
    crowding = sum(standings) / max(len(standings), 1)
    return {
        hit.issue_id: max(case.standing for case in hit.members)
        + PER_SHARE * near.count(hit.issue_id) / len(near)
        - PER_CROWDING * crowding
        for hit in issues
    }


def confidence(margin: float, platt: tuple[float, float] = DEFAULT_PLATT) -> float:
    """1 / (1 + e^-(slope·margin + intercept)), in [0, 1].

    >>> confidence(0.5, (2.0, -1.0))
    0.5
    """
    slope, intercept = platt
    return logistic(slope * margin + intercept)


def fit_platt(
    observed: Sequence[tuple[float, bool]], *, prior: tuple[float, float] = DEFAULT_PLATT
) -> tuple[float, float]:
    """(slope, intercept) fitted to (margin, was it the same problem) pairs.

    Platt's regularised targets (n₊+1)/(n₊+2) and 1/(n₋+2), damped Newton steps on the
    log-likelihood (Lin, Lin, Weng 2007) with a ridge towards `prior`; so that a few
    pairs move little, and pairs of one kind alone do not run away. No pairs: the prior.
    """
    if not observed:
        return prior
    positives = sum(right for _, right in observed)
    high = (positives + 1.0) / (positives + 2.0)
    low = 1.0 / (len(observed) - positives + 2.0)
    targets, at = (low, high), prior
    for _ in range(_STEPS):
        further = _damped(observed, at, prior, targets)
        if further == at:
            break
        at = further
    return at


_STEPS, _HALVINGS = 100, 20
_RIDGE = (0.02, 0.2)  # pull of the prior on slope and intercept, in observations' curvature


def _damped(
    observed: Sequence[tuple[float, bool]],
    at: tuple[float, float],
    prior: tuple[float, float],
    targets: tuple[float, float],
) -> tuple[float, float]:
    """The Newton step, halved until the loss falls; where it was when nothing is gained."""
    step = _newton(observed, at, prior, targets)
    here = _loss(observed, at, prior, targets)
    for halving in range(_HALVINGS):
        further = (at[0] - step[0] / 2**halving, at[1] - step[1] / 2**halving)
        if _loss(observed, further, prior, targets) < here - 1e-10 * abs(here):
            return further
    return at


def _loss(
    observed: Sequence[tuple[float, bool]],
    at: tuple[float, float],
    prior: tuple[float, float],
    targets: tuple[float, float],
) -> float:
    """Cross-entropy with the targets plus the ridge, up to a constant."""
    ridge = sum(r * (a - p) ** 2 / 2.0 for r, a, p in zip(_RIDGE, at, prior, strict=True))
    logits = ((at[0] * margin + at[1], targets[right]) for margin, right in observed)
    return ridge + sum(max(x, 0.0) + log1p(exp(-abs(x))) - target * x for x, target in logits)


def _newton(
    observed: Sequence[tuple[float, bool]],
    at: tuple[float, float],
    prior: tuple[float, float],
    targets: tuple[float, float],
) -> tuple[float, float]:
    gradient = [_RIDGE[0] * (at[0] - prior[0]), _RIDGE[1] * (at[1] - prior[1])]
    curvature = [_RIDGE[0], 0.0, _RIDGE[1]]
    for margin, right in observed:
        sure = confidence(margin, at)
        error, weight = sure - targets[right], sure * (1.0 - sure)
        gradient = [gradient[0] + error * margin, gradient[1] + error]
        curvature = [
            curvature[0] + weight * margin * margin,
            curvature[1] + weight * margin,
            curvature[2] + weight,
        ]
    determinant = curvature[0] * curvature[2] - curvature[1] ** 2
    return (
        (curvature[2] * gradient[0] - curvature[1] * gradient[1]) / determinant,
        (curvature[0] * gradient[1] - curvature[1] * gradient[0]) / determinant,
    )


def fitted_on(
    rankings: Sequence[tuple[Sequence[IssueHit], int | None]],
) -> list[tuple[float, bool]]:
    """What `fit_platt` needs, from queries with their issues found and the right one (or none).

    One pair per query: the margin of the first issue, and whether it is the right one.
    """
    return [
        (margins(found)[found[0].issue_id], found[0].issue_id == right)
        for found, right in rankings
        if found
    ]


def logistic(logit: float) -> float:
    """1 / (1 + e^-x) without overflow, in [0, 1]."""
    if logit >= 0.0:
        return 1.0 / (1.0 + exp(-logit))
    return exp(logit) / (1.0 + exp(logit))


__all__ = [
    "DEFAULT_PLATT",
    "confidence",
    "confidences",
    "fit_platt",
    "fitted_on",
    "logistic",
    "margins",
]
