"""Formulations in resolutions that go with satisfied customers and fewer reopenings.

Every comparison is made within one issue: an easy issue has satisfied customers and its own
words, and that is not what is asked. It may further be made within who answered or any other
recorded factor; the weakest result counts. Does not say that the words are the cause: it says
that, issue by issue, cases answered with them went better than cases answered without.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.casetable import (
    Codes,
    Consequent,
    Factor,
    Features,
    Floats,
    Kind,
    dense,
    features_from,
)
from kbagent.core.patterns.multiplicity import q_values
from kbagent.core.patterns.screening import Stratification, joint_codes, rank_scores
from kbagent.core.patterns.subsumption import Claim, excess_within, folded

WAYS: dict[str, re.Pattern[str]] = {
    "numbers its steps": re.compile(r"(?m)^\s*(?:step\s*)?[1-9][.):]\s", re.I),
    "apologises": re.compile(r"\b(sorry|apolog\w+|regret)\b", re.I),
    "thanks": re.compile(r"\b(thank\w*|appreciate\w*)\b", re.I),
    "says why": re.compile(r"\b(because|the reason|caused by|this happens when|due to)\b", re.I),
    "offers to follow up": re.compile(
        r"\b(let (?:me|us) know|follow(?:ing)? up|get back to you|feel free|reply here)\b",
        re.I,
    ),
    "gives a link": re.compile(r"https?://"),
    "asks to confirm": re.compile(
        r"\b(does (?:this|that) (?:help|work|solve)|please confirm)\b", re.I
    ),
}
"""Ways of answering that are no single word; each is a pattern one can point to."""


@dataclass(frozen=True, slots=True)
class Formulation:
    """A formulation and what goes with it, within issues.

    `excess` is the adjusted difference of the mean for flags (−1 to 1), and for numbers
    2·P(with > without) − 1 (Cliff's delta). `cases` answered so, in `issues` issues where both
    ways occur. `examples` are rows of the cases, latest first. `months` are the first and the last
    one in which it was written, None where nobody said when.
    """

    phrase: str
    consequent: str
    excess: float
    cases: int
    issues: int
    z: float
    p: float
    q: float
    examples: tuple[int, ...]
    explains: tuple[str, ...] = ()
    months: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    where: int
    j: int
    excess: float
    issues: int
    z: float
    p: float


@dataclass(frozen=True, slots=True)
class _Setting:
    """One consequent's cases: their rows, features, strata (issue first) and scores in each."""

    consequent: Consequent
    rows: NDArray[np.intp]
    features: Features
    strata: tuple[Codes, ...]
    scores: tuple[Floats, ...]


def way_features(resolutions: Sequence[str]) -> Features:
    """One feature per way of answering, named "resolution …"."""
    rows = {
        name: [i for i, text in enumerate(resolutions) if way.search(text)]
        for name, way in WAYS.items()
    }
    return features_from(
        [(f"resolution {n}", Kind.PHRASING, np.array(r, dtype=np.int32)) for n, r in rows.items()]
    )


def formulations(
    features: Features,
    issues: Codes,
    consequents: Sequence[Consequent],
    further: Sequence[Factor] = (),
    *,
    min_support: int = 20,
    false_discovery: float = 0.05,
    also_considered: int = 0,
) -> list[Formulation]:
    """The formulations that go with the consequents within issues, strongest first.

    `features` are over the resolutions' cases, `issues` their issue codes (≥ 0). A consequent is
    numbers, or levels of which level 1 is "yes". A formulation is tested when at least
    `min_support` cases with it lie in issues that also have cases without it.
    """
    settings = [_setting(features, issues, c, further) for c in consequents if c.known.any()]
    found = [
        result
        for where, setting in enumerate(settings)
        for j in range(len(features))
        if (result := _test(setting, where, j, min_support)) is not None
    ]
    p = np.array([f.p for f in found])
    q = q_values(p, considered=len(found) + also_considered)
    kept = [(f, float(x)) for f, x in zip(found, q, strict=True) if x <= false_discovery]
    told = [
        t
        for w, s in enumerate(settings)
        for t in _told(s, [(f, x) for f, x in kept if f.where == w])
    ]
    return sorted(told, key=lambda t: (-abs(t.z), t.phrase, t.consequent))


def _setting(
    features: Features, issues: Codes, consequent: Consequent, further: Sequence[Factor]
) -> _Setting:
    known = consequent.known
    own, _ = dense(issues[known])
    strata = [own] + [joint_codes([own, f.codes[known] + 1])[0] for f in further]
    return _Setting(
        consequent,
        np.flatnonzero(known),
        features.restricted(known),
        tuple(strata),
        tuple(_scores(consequent, known, s) for s in strata),
    )


def _scores(consequent: Consequent, known: NDArray[np.bool_], strata: Codes) -> Floats:
    if consequent.values is None:
        assert consequent.codes is not None  # noqa: S101 - one of the two is given
        return np.asarray(consequent.codes[known] == 1, dtype=np.float64)
    sizes = np.bincount(strata).astype(np.float64)
    return rank_scores(consequent.values[known], Stratification("", strata, sizes, sizes[None]))


def _test(setting: _Setting, where: int, j: int, min_support: int) -> _Found | None:
    rows = setting.features.column(j)
    sizes, with_it = (
        np.bincount(setting.strata[0]),
        np.bincount(setting.strata[0][rows], minlength=int(setting.strata[0].max(initial=0)) + 1),
    )
    mixed = (with_it > 0) & (with_it < sizes)
    if with_it[mixed].sum() < min_support:
        return None
    zs, first = [], None
    for strata, scores in zip(setting.strata, setting.scores, strict=True):
        excess, variance = excess_within(rows, strata, scores)
        first = excess if first is None else first
        zs.append(excess / math.sqrt(variance) if variance > 1e-12 else 0.0)
    z = min(zs, key=abs) if min(zs) > 0 or max(zs) < 0 else 0.0
    sizes_at_least = sizes + (1 if setting.consequent.values is not None else 0)
    weight = float((with_it * (sizes - with_it) / np.maximum(sizes_at_least, 1)).sum())
    effect = (first or 0.0) / weight * (2 if setting.consequent.values is not None else 1)
    return _Found(where, j, effect, int(mixed.sum()), z, math.erfc(abs(z) / math.sqrt(2)))


def _told(setting: _Setting, kept: list[tuple[_Found, float]]) -> list[Formulation]:
    ordered = sorted(kept, key=lambda fq: (-abs(fq[0].z), setting.features.names[fq[0].j]))
    columns = [setting.features.column(f.j) for f, _ in ordered]
    under = folded([Claim(c, setting.strata[0]) for c in columns], setting.scores[0])
    names = [setting.features.names[f.j] for f, _ in ordered]
    return [
        Formulation(
            names[i],
            setting.consequent.name,
            f.excess,
            columns[i].size,
            f.issues,
            f.z,
            f.p,
            q,
            tuple(int(r) for r in setting.rows[columns[i][::-1][:5]]),
            tuple(names[m] for m in range(len(names)) if under[m] == i),
        )
        for i, (f, q) in enumerate(ordered)
        if under[i] < 0
    ]
