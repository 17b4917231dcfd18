"""Fixes in other words: when what was recommended is what worked, though it is written differently.

People write one fix in many ways, and only the nearest wordings count as one approach. Success is
judged a little more widely: a fix is right where its stored vector and its words say nearly the
same as what worked (`core.linking.resolutions.reworded`). Outcomes have no say in that, with one
exception, which only takes away: what was tried on the very case is judged by what came of it
there. Two fixes that people told apart stay two. Nothing is joined here.
"""

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from kbagent.core.linking.resolutions import NEGATIONS, REWORDED, FixText, reworded
from kbagent.core.verification.signatures import stripped
from kbagent.model.case import Resolution, Verdict
from kbagent.store import fixes, resolutions
from kbagent.store.passages import Vectors
from kbagent.usecases.evaluate.history import History
from kbagent.usecases.retain.fixes import compared, kept_apart

BLOCK = 4_096  # approaches compared at once

_WORD = re.compile(r"\w+")

NOTHING: frozenset[int] = frozenset()


@dataclass(slots=True)
class Wordings:
    """Which approaches say nearly the same. Vectors and words are read when first asked for."""

    connection: sqlite3.Connection
    model_id: int
    _apart: set[tuple[int, int]] = field(default_factory=set)
    _vectors: dict[int, Vectors] = field(default_factory=dict)
    _texts: dict[int, FixText] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._apart = kept_apart(self.connection)

    def say_the_same(self, one: int, other: int) -> bool:
        """Whether these two, of which `read` was told, are one fix in nearly the same words."""
        if one == other:
            return True
        if one not in self._vectors or other not in self._vectors:
            return False
        if (min(one, other), max(one, other)) in self._apart:
            return False
        cosine = float(self._vectors[one] @ self._vectors[other])
        return reworded(cosine, self._texts[one], self._texts[other])

    def alike(self, asked: Iterable[int], every: Iterable[int]) -> dict[int, frozenset[int]]:
        """For each approach asked those of `every` that say nearly the same, itself included."""
        wanted, others = sorted(set(asked)), sorted(set(every))
        self.read(wanted)
        found = {one: {one} for one in wanted}
        told = [one for one in wanted if one in self._vectors]
        if not told:
            return {one: frozenset(same) for one, same in found.items()}
        matrix = np.stack([self._vectors[one] for one in told])
        for begin in range(0, len(others), BLOCK):
            heads, cosines = self.compared(matrix, others[begin : begin + BLOCK])
            near = np.argwhere(cosines >= REWORDED).tolist()
            self.read(heads[j] for _, j in near)
            for i, j in near:
                if self.say_the_same(told[i], heads[j]):
                    found[told[i]].add(heads[j])
        return {one: frozenset(same) for one, same in found.items()}

    def compared(
        self, matrix: Vectors, approaches: Sequence[int]
    ) -> tuple[list[int], NDArray[np.float32]]:
        """Those of the approaches that have a vector, and the cosine of each row with each."""
        found = fixes.vectors(self.connection, self.model_id, approaches)
        heads = sorted(found)
        if not heads:
            return [], np.zeros((len(matrix), 0), dtype=np.float32)
        return heads, matrix @ fixes.unit(np.stack([found[one] for one in heads])).T

    def read(self, approaches: Iterable[int]) -> None:
        """Read what is compared of these, unless it is read already."""
        wanted = sorted({one for one in approaches if one not in self._texts})
        if not wanted:
            return
        found = fixes.vectors(self.connection, self.model_id, wanted)
        self._vectors.update((one, fixes.unit(row[None, :])[0]) for one, row in found.items())
        texts = resolutions.by_ids(self.connection, wanted)
        self._texts.update((one, _with_negations(text)) for one, text in texts.items())

    def vector(self, approach: int) -> Vectors | None:
        """The vector of an approach that was read; None where none is kept."""
        return self._vectors.get(approach)


@dataclass(slots=True)
class Rewordings:
    """What says the same as what worked, on the cases of a history (by place)."""

    connection: sqlite3.Connection
    model_id: int
    history: History
    wordings: Wordings = field(init=False)
    _judged: dict[int, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wordings = Wordings(self.connection, self.model_id)
        self._judged = _judged(self.history)

    def right(self, place: int, shown: Sequence[int]) -> frozenset[int]:
        """Those of the approaches shown that count as what worked on a case."""
        worked = self.history.worked.get(place, NOTHING)
        if not worked:
            return NOTHING
        judged = self._judged.get(place, set())
        rest = [one for one in dict.fromkeys(shown) if one not in judged and one not in worked]
        self.wordings.read([*rest, *worked])
        said = {
            one for one in rest if any(self.wordings.say_the_same(one, other) for other in worked)
        }
        return worked.intersection(shown) | said

    def shared(self, place: int, earlier: int) -> tuple[int, int] | None:
        """(what worked earlier, what worked now) where the two are one fix; None: they are not."""
        before = self.history.worked.get(earlier, NOTHING)
        now = self.history.worked.get(place, NOTHING)
        if before & now:
            return min(before & now), min(before & now)
        same = self.right(place, sorted(before))
        pairs = [
            (one, other) for one in same for other in now if self.wordings.say_the_same(one, other)
        ]
        return min(pairs) if pairs else None

    def worked_alike(self, approaches: Iterable[int]) -> dict[int, frozenset[int]]:
        """For each approach the places on which it worked, or what says nearly the same."""
        where: defaultdict[int, set[int]] = defaultdict(set)
        for place, worked in self.history.worked.items():
            for one in worked:
                where[one].add(place)
        found = self.wordings.alike(approaches, where)
        return {
            one: frozenset[int]().union(*(where[other] for other in same))
            for one, same in found.items()
        }

    def possible(self, places: Sequence[int]) -> NDArray[np.bool_]:
        """On which of these cases something worked that had worked on a case before.

        A case is before when it was opened earlier; a replay is stricter and wants it closed.
        """
        before = self._first_worked()
        found = [
            any(before[one] < place for one in self.history.worked.get(place, NOTHING))
            for place in places
        ]
        open_rows = [i for i, place in enumerate(places) if not found[i] and self._worked(place)]
        for row in self._reworded_before(places, open_rows, before):
            found[row] = True
        return np.array(found, dtype=np.bool_)

    def _worked(self, place: int) -> frozenset[int]:
        return self.history.worked.get(place, NOTHING)

    def _first_worked(self) -> dict[int, int]:
        """For each approach the first place on which it worked."""
        before: dict[int, int] = {}
        for place in sorted(self.history.worked):
            for approach in self.history.worked[place]:
                before.setdefault(approach, place)
        return before

    def _reworded_before(
        self, places: Sequence[int], rows: Sequence[int], before: dict[int, int]
    ) -> set[int]:
        """Those rows of `places` on which a fix worked that had worked before in other words."""
        asked = [(row, one) for row in rows for one in sorted(self._worked(places[row]))]
        self.wordings.read(one for _, one in asked)
        vectors = [self.wordings.vector(one) for _, one in asked]
        asked = [pair for pair, own in zip(asked, vectors, strict=True) if own is not None]
        if not asked:
            return set()
        matrix = np.stack([own for own in vectors if own is not None])
        every = sorted(before)
        done: set[int] = set()
        for begin in range(0, len(every), BLOCK):
            heads, cosines = self.wordings.compared(matrix, every[begin : begin + BLOCK])
            if not heads:
                continue
            first = np.array([before[one] for one in heads])
            for i, (row, one) in enumerate(asked):
                if row in done:
                    continue
                judged = self._judged.get(places[row], set())
                near = np.flatnonzero((cosines[i] >= REWORDED) & (first < places[row]))
                for j in near[np.argsort(-cosines[i][near], kind="stable")].tolist():
                    self.wordings.read([heads[j]])
                    if heads[j] not in judged and self.wordings.say_the_same(heads[j], one):
                        done.add(row)
                        break
        return done


def _with_negations(one: Resolution) -> FixText:
    """What is compared of a fix, its `not` and `no` included, which `tokens` leaves out."""
    found = compared(one)
    text = stripped(one.text) or one.text
    return replace(found, words=found.words | NEGATIONS.intersection(_WORD.findall(text.lower())))


def _judged(history: History) -> dict[int, set[int]]:
    """By place the approaches that were tried on the case itself, with a known outcome."""
    found: defaultdict[int, set[int]] = defaultdict(set)
    for event in history.events:
        if event.attempt is not None and event.attempt.verdict is not Verdict.UNKNOWN:
            found[event.place].add(history.canonical[event.attempt.resolution_id])
        elif event.outcome is not None:
            found[event.place].add(history.canonical[event.outcome.resolution_id])
    return dict(found)
