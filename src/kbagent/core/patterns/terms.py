"""Words and phrases as antecedents: which ones occur often enough, and which are worth testing.

A term is one word or two in a row, as people wrote them: unlike the tokens of the search index
(`core.text`), which are stemmed to be found, these are to be read.
Candidates are chosen by class-based TF-IDF, the weight of a term in a class (an issue, a queue):
tf(term, class) · log(1 + A / f(term)), A the mean number of terms per class and f the term's
count over all. Since that choice looks at what is tested later, `Candidates.considered` tells
how many terms were eligible: all of them must be corrected for.

Source: Grootendorst 2022 (BERTopic, arXiv 2203.05794) for class-based TF-IDF.
"""

import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.casetable import UNRECORDED, Codes, Features, Kind, features_from

LEAST_LENGTH = 2
"""Characters of a term's words; single letters and digits say nothing on their own."""
MOST_CHARACTERS = 64
"""Characters kept of one word."""
_WORD = re.compile(r"[^\W_]+(?:[.'_@-][^\W_]+)*")
MOST_SHARE = 0.5
"""Share of cases above which a term is no distinction."""
STOP_WORDS = frozenset(
    """a about after again all also am an and any anyone are as at be because been before but by can
    can't cannot could did didn't do does doesn't doing don't done else even ever every for from get
    getting go going got had has have haven't having hello help here hi how however i i'd i'll i'm
    i've if in into is isn't it it's its just know like make many may me more much my need never no
    not now of off on once one only or other our out over please same see seem seems should since so
    some still such sure take than thank thanks that that's the their them then there there's these
    they thing things think this those though time to too tried try trying up us use used using very
    want was wasn't way we well were what when where which while who why will with within without
    won't work working works would yet you your""".split()  # noqa: SIM905 - reads better
)
"""Words that begin or end no phrase and are no term by themselves."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Terms as features, and how many were eligible before any were chosen."""

    features: Features
    considered: int


def words(text: str) -> list[str]:
    """The words of a text in order, lower-cased; versions, codes and hyphenated words are whole.

    >>> words("TB 115.3.1 doesn't start (0x80070035), e-mail lost.")
    ['tb', '115.3.1', "doesn't", 'start', '0x80070035', 'e-mail', 'lost']
    """
    found = _WORD.findall(text.lower().replace("’", "'"))
    if max(map(len, found), default=0) > MOST_CHARACTERS:
        return [word[:MOST_CHARACTERS] for word in found]
    return found


def terms_of(tokens: Sequence[str]) -> set[str]:
    """The terms of one text, each once: words that are no stop words, and pairs of such in a row.

    >>> sorted(terms_of(["the", "send", "button", "is", "grey"]))
    ['button', 'grey', 'send', 'send button']
    """
    kept = [t if len(t) >= LEAST_LENGTH and t not in STOP_WORDS else "" for t in tokens]
    pairs = {f"{a} {b}" for a, b in pairwise(kept) if a and b and a != b}
    return pairs.union(t for t in kept if t)


def quoted(term: str) -> str:
    """What a term is called as an antecedent."""
    return f"“{term}”"


def term_rows(texts: Iterable[Sequence[str]], least: int) -> dict[str, Codes]:
    """The cases of each term that occurs in `least` cases or more and in no more than half.

    `texts` holds the tokens of each case. Terms that occur in exactly the same cases as a longer
    one are left out, the longer one says more.
    """
    once: dict[str, int] = {}  # most phrases occur once: a number takes less than a list of one
    where: dict[str, array[int]] = {}
    size = 0
    for i, tokens in enumerate(texts):
        size = i + 1
        for term in terms_of(tokens):
            own = where.get(term)
            if own is not None:
                own.append(i)
            elif term in once:
                where[term] = array("i", (once.pop(term), i))
            else:
                once[term] = i
    if least <= 1:
        where |= {term: array("i", (i,)) for term, i in once.items()}
    kept = {
        term: np.frombuffer(rows, dtype=np.int32)
        for term, rows in where.items()
        if len(rows) >= least and len(rows) <= max(least, MOST_SHARE * size)
    }
    return _without_shadows(kept)


def _without_shadows(rows: dict[str, Codes]) -> dict[str, Codes]:
    """Leave out words that never occur but in one phrase."""
    shadowed = {
        word
        for phrase in rows
        if " " in phrase
        for word in phrase.split(" ")
        if word in rows and rows[word].size == rows[phrase].size
    }
    return {term: r for term, r in sorted(rows.items()) if term not in shadowed}


def class_weights(rows: Sequence[Codes], classes: Codes, count: int) -> NDArray[np.float64]:
    """Class-based TF-IDF, term x class; cases without a class (`UNRECORDED`) do not count.

    >>> weights = class_weights([np.array([0, 1]), np.array([0, 2])], np.array([0, 0, 1]), 2)
    >>> np.round(weights, 4).tolist()
    [[0.4621, 0.0], [0.231, 0.6931]]
    """
    counts = np.zeros((len(rows), count))
    for i, cases in enumerate(rows):
        of = classes[cases]
        counts[i] = np.bincount(of[of != UNRECORDED], minlength=count)
    totals = counts.sum(axis=0)
    mean = totals.sum() / max(count, 1)
    idf = np.log1p(mean / np.maximum(counts.sum(axis=1), 1e-12))
    return np.asarray(counts / np.maximum(totals, 1e-12) * idf[:, None])


def telling(rows: Sequence[Codes], classes: Codes, count: int) -> NDArray[np.float64]:
    """How much more often each term occurs in each class than expected: z, term x class.

    Hypergeometric: z = (o − nm/N) / √(nm(N − n)(N − m) / (N²(N − 1))), n cases with the term and m
    of the class among the N cases that have a class. 0 where nothing varies.

    >>> telling([np.array([0, 1])], np.array([0, 0, 1, 1]), 2).round(3).tolist()
    [[1.732, -1.732]]
    """
    sizes = np.bincount(classes[classes != UNRECORDED], minlength=count).astype(np.float64)
    total = float(sizes.sum())
    found = np.zeros((len(rows), count))
    for i, cases in enumerate(rows):
        of = classes[cases]
        observed = np.bincount(of[of != UNRECORDED], minlength=count)
        n = float(observed.sum())
        spread = n * sizes * (total - n) * (total - sizes) / max(total**2 * (total - 1), 1.0)
        varies = spread > 0
        excess = observed - n * sizes / max(total, 1.0)
        found[i, varies] = excess[varies] / np.sqrt(spread[varies])
    return found


def candidates(
    rows: dict[str, Codes],
    classes: Codes,
    count: int,
    flags: Sequence[tuple[Codes, int]] = (),
    per_class: int = 20,
    most: int = 2000,
) -> Candidates:
    """The terms with the highest weight in each class, at most `most` over all; ties by name.

    `classes[i]` is the class of case i in [0, `count`) or `UNRECORDED`. Identifiers count as
    terms. `flags` are further classes, few and large, (codes, number): for each the `per_class`
    terms that are most telling. Without classes (count 0) the most frequent terms are taken.
    """
    names = list(rows)
    if not names:
        return Candidates(features_from([]), 0)
    columns = [rows[name] for name in names]
    if count:
        strength = _best(class_weights(columns, classes, count), per_class)
    else:
        strength = {j: float(c.size) for j, c in enumerate(columns)}
    chosen = sorted(
        (j for j in strength if strength[j] > 0), key=lambda j: (-strength[j], names[j])
    )
    also = {j for codes, n in flags for j in _best(telling(columns, codes, n), per_class)}
    picked = sorted({*chosen[:most], *also})
    return Candidates(
        features_from([(quoted(names[j]), Kind.KEYWORD, columns[j]) for j in picked]), len(names)
    )


def _best(weights: NDArray[np.float64], per_class: int) -> dict[int, float]:
    """The terms that are among the best of some class, with their highest weight."""
    top = np.argsort(-weights, axis=0, kind="stable")[:per_class]
    best = np.take_along_axis(weights, top, axis=0)
    strength: dict[int, float] = {}
    for j, w in zip(top.ravel().tolist(), best.ravel().tolist(), strict=True):
        strength[j] = max(strength.get(j, 0.0), w)
    return strength
