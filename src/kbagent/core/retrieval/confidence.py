"""How sure we are that an issue shown is the same problem as the query's.

Three things say so: how well its best case stands, how many of the ten best candidates are its
own, and how crowded the query's surroundings are (0.7 is much where the next twenty have 0.4, and
nothing where they have 0.68). They are put together to one margin, and a logistic curve over it
(Platt 1999) makes it a probability; the two numbers of the curve are a knowledge base's own, kept
in its policy. Fitting them anew (`fit_platt`) and checking the calibration is
`core.verification`'s.

The default was fitted on CLINC150 (validation part stored with 90 of 150 intents, test part and
out-of-scope queries asked) and on half of StackFAQ (40 of 62 issues stored), weighted equally;
benchmarks/verification checks confidences on others.
"""

from collections.abc import Sequence
from heapq import nlargest, nsmallest
from math import exp

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
    owned = [(-case.score, case.case_id, hit.issue_id) for hit in issues for case in hit.members]
    near = [issue for _, _, issue in nsmallest(NEAREST, owned)]
    standings = [[case.standing for case in hit.members] for hit in issues]
    crowd = nlargest(SURROUNDINGS, (one for some in standings for one in some))
    crowding = sum(crowd) / max(len(crowd), 1)
    return {
        hit.issue_id: max(own)
        + PER_SHARE * near.count(hit.issue_id) / len(near)
        - PER_CROWDING * crowding
        for hit, own in zip(issues, standings, strict=True)
    }


def confidence(margin: float, platt: tuple[float, float] = DEFAULT_PLATT) -> float:
    """1 / (1 + e^-(slope·margin + intercept)), in [0, 1].

    >>> confidence(0.5, (2.0, -1.0))
    0.5
    """
    slope, intercept = platt
    return logistic(slope * margin + intercept)


def logistic(logit: float) -> float:
    """1 / (1 + e^-x) without overflow, in [0, 1]."""
    if logit >= 0.0:
        return 1.0 / (1.0 + exp(-logit))
    return exp(logit) / (1.0 + exp(logit))
