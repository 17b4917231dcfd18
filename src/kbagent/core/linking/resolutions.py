"""Resolutions of one issue that say the same fix in other words count as one approach.

Precision first: two fixes wrongly taken for one would add up the evidence of a fix that works and
one that does not. So the texts must be near (average linkage, `clustering`, without local
scaling), an equal fix code helps and a different one forbids, and so do contrary words ("enable"
and "disable") and different identifiers. What a human merged or split stays so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kbagent.core.linking.families import families
from kbagent.core.linking.neighbours import Floats, Ints, Vectors

SAME_FIX = 0.70  # mean cosine from which two texts say the same fix; on half of the issues of
# sample_data .98 of the pairs are right, on the other half all (recall .43 and .28)
SAME_CODE = 0.60  # the same, when both carry one fix code
REWORDED = 0.60  # cosine from which two texts are taken for one fix where success is judged
WORTH_READING = 0.4  # cosine below which two texts are not even compared word by word
CONTRARY = frozenset(
    {
        frozenset(pair)
        for pair in (
            ("enable", "disable"),
            ("enabled", "disabled"),
            ("enabling", "disabling"),
            ("install", "uninstall"),
            ("installed", "uninstalled"),
            ("upgrade", "downgrade"),
            ("upgraded", "downgraded"),
            ("add", "remove"),
            ("added", "removed"),
            ("allow", "block"),
            ("increase", "decrease"),
            ("increased", "decreased"),
            ("check", "uncheck"),
            ("start", "stop"),
            ("lock", "unlock"),
            ("connect", "disconnect"),
            ("on", "off"),
        )
    }
)
CONTRARY_WORDS = frozenset(word for pair in CONTRARY for word in pair)
"""They are compared as they are spelled: a stemmer makes "enabl" of "enable"."""
NEGATIONS = frozenset({"not", "never", "no", "don", "cannot", "without", "didn", "doesn", "isn"})


@dataclass(frozen=True, slots=True)
class FixText:
    """What is compared of one resolution's text.

    words        its words, lower-cased; those of `CONTRARY_WORDS` as they are spelled
    identifiers  its versions, paths, codes (`core.text.tokens.identifiers`)
    code         canonical fix code of the export, None without one
    """

    words: frozenset[str]
    identifiers: frozenset[str] = field(default_factory=frozenset)
    code: str | None = None


def group_resolutions(
    vectors: Vectors,
    texts: Sequence[FixText],
    *,
    same: Sequence[tuple[int, int]] = (),
    apart: Sequence[tuple[int, int]] = (),
) -> Ints:
    """For each of n resolutions of one issue the lowest row of its approach, (n,).

    `vectors` (n, d; unit length). `same` and `apart` are people's decisions; `apart` is never
    violated, and `same` only where it contradicts it. The most similar groups merge first, ties
    by row, as long as the mean cosine of their pairs, each measured by its own bar, stays above.
    """
    size = len(texts)
    roots = families(size, same, apart)
    margin = _margins(vectors, texts)
    for one, other in apart:
        margin[one, other] = margin[other, one] = -np.inf
    return _linked(margin, roots)


def contradict(one: FixText, other: FixText) -> bool:
    """Whether two texts cannot be one fix, however alike they are.

    They carry different fix codes or different identifiers, only one of them negates, or one
    has a word where the other has its contrary.

    >>> contradict(FixText(frozenset({"enable", "sync"})), FixText(frozenset({"disable", "sync"})))
    True
    >>> contradict(FixText(frozenset({"restart"})), FixText(frozenset({"restart", "it"})))
    False
    """
    if one.code and other.code and one.code.casefold() != other.code.casefold():
        return True
    if one.identifiers and other.identifiers and not one.identifiers & other.identifiers:
        return True
    if bool(one.words & NEGATIONS) != bool(other.words & NEGATIONS):
        return True
    mine, theirs = one.words - other.words, other.words - one.words
    return any(
        (pair & mine) and (pair & theirs) and len(pair & (mine | theirs)) == 2 for pair in CONTRARY
    )


def reworded(cosine: float, one: FixText, other: FixText) -> bool:
    """Whether what one text recommends is what the other did, in nearly the same words.

    Less is asked than of one approach: nothing is added up, and what has no outcome is no success.

    >>> one, other = FixText(frozenset({"clear", "queue"})), FixText(frozenset({"empty", "queue"}))
    >>> reworded(0.65, one, other), reworded(0.55, one, other)
    (True, False)
    >>> reworded(0.65, one, FixText(frozenset({"not", "queue"})))
    False
    """
    return cosine >= REWORDED and not contradict(one, other)


def _margins(vectors: Vectors, texts: Sequence[FixText]) -> Floats:
    """Cosine minus the bar of each pair; -inf where the texts contradict each other."""
    plain = vectors.astype(np.float64)
    margins: Floats = plain @ plain.T - SAME_FIX
    near = np.argwhere(np.triu(margins > WORTH_READING - SAME_FIX, k=1)).tolist()
    for one, other in near:
        if contradict(texts[one], texts[other]):
            margins[one, other] = margins[other, one] = -np.inf
        elif texts[one].code and texts[other].code:
            margins[one, other] = margins[other, one] = margins[one, other] + SAME_FIX - SAME_CODE
    return margins


def _linked(margin: Floats, roots: Ints) -> Ints:
    """Average linkage from the groups in `roots`, as long as a mean margin is not negative."""
    names, codes = np.unique(roots, return_inverse=True)
    member = np.zeros((len(names), len(roots)))
    member[codes, np.arange(len(roots))] = 1.0
    forbidden = member @ np.isneginf(margin) @ member.T > 0.0
    total = member @ np.where(np.isneginf(margin), 0.0, margin) @ member.T
    sizes = member.sum(axis=1)
    parent = np.arange(len(names))
    alive = np.ones(len(names), dtype=bool)
    while alive.sum() > 1:
        mean = np.where(forbidden, -np.inf, total / np.outer(sizes, sizes))
        mean[~alive] = -np.inf
        mean[:, ~alive] = -np.inf
        np.fill_diagonal(mean, -np.inf)
        low, high = np.unravel_index(int(np.argmax(mean)), mean.shape)
        if mean[low, high] < 0.0:
            break
        total[low] += total[high]
        total[:, low] += total[:, high]
        forbidden[low] |= forbidden[high]
        forbidden[:, low] |= forbidden[:, high]
        sizes[low] += sizes[high]
        alive[high] = False
        parent[parent == high] = low
    result: Ints = names[parent[codes]].astype(np.int64)
    return result
