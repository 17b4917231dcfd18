"""Novelty learned from a knowledge base's own history: some issues are hidden, as if new.

Leave-issues-out: the cases of a hidden issue are new problems, and cases held out of the
other issues are known ones. So no outside example of novelty is ever needed. Works on a
sample; does not read the store.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kbagent.core.verification.kinship import Kinship, fit_kinship
from kbagent.core.verification.novelty import (
    NEAREST,
    SIGNALS,
    Neighbours,
    NoveltyModel,
    fit_novelty,
    member_density,
    observe,
)
from kbagent.core.verification.words import Words, count_words

Array = npt.NDArray[np.float64]

ROUNDS = 4  # each hides another quarter of the issues
HELD_OUT = 0.2  # share of the other issues' cases that are asked as known problems
_BLOCK = 512  # queries compared at once: bounds memory to 512 × n doubles


@dataclass(frozen=True, slots=True)
class History:
    """What is stored, as novelty sees it: vectors (n, d), issues (n,), words, identifiers."""

    vectors: Array
    issues: npt.NDArray[np.int64]
    words: tuple[frozenset[str], ...]
    identifiers: tuple[frozenset[str], ...]

    def at(self, places: npt.NDArray[np.intp]) -> "History":
        """The part of the history at these positions."""
        chosen = places.tolist()
        return History(
            self.vectors[places],
            self.issues[places],
            tuple(self.words[i] for i in chosen),
            tuple(self.identifiers[i] for i in chosen),
        )


@dataclass(frozen=True, slots=True)
class Reference:
    """A history with what `observe` needs computed from it."""

    history: History
    kinship: Kinship
    words: Words
    density: Array

    def signals(self, asked: History) -> Array:
        """The novelty signals of `asked` (its issues are not looked at), by exact search."""
        blocks = [
            self._signals(asked.at(np.arange(i, min(i + _BLOCK, len(asked.issues)))))
            for i in range(0, len(asked.issues), _BLOCK)
        ]
        return np.concatenate(blocks)

    def _signals(self, asked: History) -> Array:
        similarity = asked.vectors @ self.history.vectors.T
        k = min(2 * NEAREST, similarity.shape[1])
        top = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(similarity, top, 1), axis=1, kind="stable")
        top = np.take_along_axis(top, order, 1)
        near = Neighbours(
            np.take_along_axis(similarity, top, 1), self.history.issues[top], self.density[top]
        )
        counts = [
            _identifiers_known(wanted, [self.history.identifiers[i] for i in row])
            for wanted, row in zip(asked.identifiers, top.tolist(), strict=True)
        ]
        texts = [sorted(words) for words in asked.words]
        return observe(asked.vectors, texts, near, self.kinship, self.words, counts)


def refer(history: History) -> Reference:
    """Everything `observe` needs, computed from this history."""
    return Reference(
        history,
        fit_kinship(history.vectors, history.issues),
        count_words(history.words, history.issues.tolist()),
        member_density(history.vectors, history.issues),
    )


def rehearse(history: History, rng: np.random.Generator) -> tuple[Array, Array]:
    """Signals of (known, new) problems when each quarter of the issues is hidden in turn.

    In each of `ROUNDS` rounds another part of the issues is hidden; of the others, `HELD_OUT`
    of the cases are asked, only such whose issue keeps a case. Needs two issues or more, else
    both are empty.
    """
    ids = rng.permutation(np.unique(history.issues))
    known, new = [], []
    for part in range(min(ROUNDS, len(ids)) if len(ids) > 1 else 0):
        hidden = np.isin(history.issues, ids[part::ROUNDS])
        asked = ~hidden & (rng.random(len(hidden)) < HELD_OUT)
        asked &= np.isin(history.issues, history.issues[~hidden & ~asked])
        stored = np.flatnonzero(~hidden & ~asked)
        if not len(stored) or not asked.any():
            continue
        reference = refer(history.at(stored))
        known.append(reference.signals(history.at(np.flatnonzero(asked))))
        new.append(reference.signals(history.at(np.flatnonzero(hidden))))
    empty = np.empty((0, len(SIGNALS)))
    return np.concatenate([empty, *known]), np.concatenate([empty, *new])


def learn_novelty(history: History, rng: np.random.Generator) -> NoveltyModel:
    """A novelty model from this history alone, scaled by its own known problems."""
    known, new = rehearse(history, rng)
    return fit_novelty(known, new)


def _identifiers_known(wanted: frozenset[str], stored: Sequence[frozenset[str]]) -> tuple[int, int]:
    seen = frozenset().union(*stored)
    return len(wanted), len(wanted & seen)
