"""Suspected duplicates: two approaches of an issue that say nearly the same.

Their texts are near, but not near enough to be taken for one (`core.linking.resolutions`); or
near enough, and kept apart only because one says "not" and the other does not.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.core.linking.resolutions import SAME_FIX, FixText, contradict
from kbagent.core.verification.contradiction import exclude_each_other, surely_differ
from kbagent.model.outcome import REWARD
from kbagent.store import fixes, models, resolutions
from kbagent.usecases.retain.fixes import MOST_WORDINGS, compared, kept_apart
from kbagent.usecases.review.ground import Ground
from kbagent.usecases.review.items import (
    Answer,
    Choice,
    Item,
    JoinFixes,
    Kind,
    PartFixes,
    state_of,
)

NEARLY_SAME = 0.6  # mean cosine of the wordings from which a pair is put before people
MOST_WORDS = 40  # different ones of a text; longer ones are stories, and alike by what they tell

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Texts:
    """The wordings of each approach, what is compared of each, and their vectors."""

    wordings: Mapping[int, Sequence[int]]
    compared: Mapping[int, FixText]
    vectors: Mapping[int, NDArray[np.float32]]

    def of(self, head: int) -> list[FixText]:
        """What is compared of an approach."""
        return [self.compared[one] for one in self.wordings[head]]


def items(ground: Ground) -> Iterator[Item]:
    """One item for each near pair, told of the issue in which both were tried most."""
    model = models.active(ground.connection)
    if model is None:
        return
    approaches = _approaches(ground)
    texts = _texts(
        ground, model.id, sorted({head for known in approaches.values() for head in known})
    )
    near: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    cosines: dict[tuple[int, int], float] = {}
    for issue, known in approaches.items():
        for one, other, cosine in _near(known, texts):
            near[one, other].append(issue)
            cosines[one, other] = cosine
    apart = kept_apart(ground.connection)
    for pair, shared in near.items():
        if pair in apart or _differ(ground, pair, shared):
            continue
        against = _against(texts, pair)
        if against is not None and (SAME_FIX if against else NEARLY_SAME) <= cosines[pair]:
            where = max(shared, key=lambda one: (_tried(ground, one, pair), -one))
            yield _item(ground, pair, cosines[pair], where, against=against)


def _approaches(ground: Ground) -> dict[int, list[int]]:
    """The approaches of each issue of which an outcome is known, where there are several."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for issue, approach in sorted(ground.cells):
        found[issue].append(approach)
    return {one: some for one, some in found.items() if 1 < len(some) <= MOST_WORDINGS}


def _texts(ground: Ground, model_id: int, heads: Sequence[int]) -> _Texts:
    wordings = {
        head: [one.id for one in resolutions.wordings(ground.connection, head)] for head in heads
    }
    known = resolutions.by_ids(
        ground.connection, [one for some in wordings.values() for one in some]
    )
    return _Texts(
        wordings,
        {one: compared(found) for one, found in known.items()},
        fixes.vectors(ground.connection, model_id, sorted(known)),
    )


def _near(heads: Sequence[int], texts: _Texts) -> Iterator[tuple[int, int, float]]:
    """(one, other, mean cosine) of approaches that are each other's nearest, lower id first.

    Among hundreds of fixes some are always near; when one pair is decided the next may follow.
    """
    wordings, vectors = texts.wordings, texts.vectors
    known = [head for head in heads if any(w in vectors for w in wordings[head])]
    if len(known) < 2:
        return
    rows = [(place, w) for place, head in enumerate(known) for w in wordings[head] if w in vectors]
    matrix = fixes.unit(np.stack([vectors[w] for _, w in rows])).astype(np.float64)
    owner = np.zeros((len(known), len(rows)))
    owner[[place for place, _ in rows], np.arange(len(rows))] = 1.0
    centres = (owner @ matrix) / owner.sum(axis=1, keepdims=True)
    mean: Matrix = centres @ centres.T
    np.fill_diagonal(mean, -np.inf)
    nearest = mean.argmax(axis=1)
    for low, high in enumerate(nearest.tolist()):
        if low < high and nearest[high] == low and mean[low, high] >= NEARLY_SAME:
            yield known[low], known[high], float(mean[low, high])


def _against(texts: _Texts, pair: tuple[int, int]) -> bool | None:
    """Whether the wordings `contradict` each other; None when nothing is asked of them at all."""
    mine, theirs = (texts.of(head) for head in pair)
    if max(len(one.words) for one in (*mine, *theirs)) > MOST_WORDS:
        return None
    if any(_exclude(a, b) for a in mine for b in theirs):
        return None
    return any(contradict(a, b) for a in mine for b in theirs)


def _exclude(one: FixText, other: FixText) -> bool:
    """Whether two texts cannot be one fix: other codes, other versions or paths, the contrary."""
    coded = bool(one.code and other.code and one.code.casefold() != other.code.casefold())
    named = bool(one.identifiers and other.identifiers)
    disjoint = named and not one.identifiers & other.identifiers
    return coded or disjoint or exclude_each_other(one, other)


def _differ(ground: Ground, pair: tuple[int, int], shared: Sequence[int]) -> bool:
    """Whether the two surely differ in what came of them, within the issues that they share."""
    counts = []
    for head in pair:
        told = [one for issue in shared for one in ground.cells[issue, head]]
        counts += [round(sum(REWARD[one.verdict] for one in told)), len(told)]
    return surely_differ(counts[0], counts[1], counts[2], counts[3])


def _tried(ground: Ground, issue: int, pair: tuple[int, int]) -> int:
    return sum(len(ground.cells[issue, head]) for head in pair)


def _item(
    ground: Ground, pair: tuple[int, int], cosine: float, issue: int, *, against: bool
) -> Item:
    one, other = pair
    told = {fix: len(ground.cells[issue, fix]) for fix in pair}
    kept, absorbed = sorted(told, key=lambda fix: (-told[fix], fix))
    why = (
        "so alike they would count as one, but only one of them says 'not', or the contrary"
        if against
        else f"texts count as one approach by themselves from {SAME_FIX:.2f} on"
    )
    return Item(
        key=f"duplicate:r{one}:r{other}",
        kind=Kind.DUPLICATE,
        question=f"Are r{kept} and r{absorbed} the same approach?",
        sides=(ground.fix(kept, [issue]), ground.fix(absorbed, [issue]), ground.issue(issue)),
        evidence=(f"the likeness of their texts is {cosine:.2f}", why),
        accept=Choice(
            Answer.ACCEPT,
            "the same",
            f"r{absorbed} counts as r{kept}; their outcomes are added up",
            JoinFixes(kept, absorbed),
        ),
        reject=Choice(
            Answer.REJECT,
            "two",
            "they stay two, and are never taken for one by their likeness",
            PartFixes(one, other),
        ),
        state=state_of(one, other),
        weight=cosine + 0.01 * min(told.values()),
        issues=(issue,),
    )
