"""Earlier cases as a router reads them: vectors and labels, words only where they are needed."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kbagent.core.patterns.casetable import UNRECORDED, Codes, Factor
from kbagent.core.patterns.routing import Past
from kbagent.core.text.tokens import tokens
from kbagent.store import cases, models, passages
from kbagent.usecases.mine.columns import Columns

MOST_PAST = 20_000
"""Latest cases that are learned from, while there are few classes."""
FEWEST_PAST = 5_000
MOST_CELLS = 400_000
"""Cases times classes that are learned from: what a minute allows, once."""
FEWEST_LABELLED = 40
"""Cases with a label below which nothing could be calibrated, so nothing is predicted."""
MOST_CLASSES = 200
ESCALATION = "escalated"

Vectors = NDArray[np.float32]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Experience:
    """The latest cases that have a vector, oldest first; `places` are theirs in the columns."""

    connection: sqlite3.Connection
    found: Columns
    places: Rows
    vectors: Vectors
    model_id: int

    @property
    def size(self) -> int:
        """How many cases there are."""
        return int(self.places.size)

    def labelled(self, codes: Codes) -> Rows:
        """The rows with a label, oldest first: as many as can be learned from."""
        own = np.flatnonzero(codes[self.places] != UNRECORDED)
        classes = np.unique(codes[self.places[own]]).size
        return own[-most_past(classes) :]

    def past(self, rows: Rows, labels: NDArray[np.integer], *, words: bool = True) -> Past:
        """These rows as the core wants them; without `words` for a router that is fitted."""
        seconds = self.found.seconds[self.places[rows]]
        ages = (seconds.max(initial=0) - seconds) / 86_400
        own = self.tokens(rows) if words else []
        return Past(self.vectors[rows], own, labels, ages)

    def tokens(self, rows: Rows) -> Sequence[Sequence[str]]:
        """The words of these cases."""
        ids = self.found.case_ids[self.places[rows]].tolist()
        texts = {key: f"{t}\n{b}" for key, t, b in cases.texts(self.connection, sorted(ids))}
        return [tokens(texts[key]) for key in ids]


def most_past(classes: int) -> int:
    """How many cases are learned from when there are that many classes."""
    return max(FEWEST_PAST, min(MOST_PAST, MOST_CELLS // max(classes, 1)))


def experience_of(connection: sqlite3.Connection, found: Columns) -> Experience:
    """The latest cases of the columns; none without vectors."""
    model = models.active(connection)
    latest = found.case_ids[-MOST_PAST:]
    if model is None or not latest.size:
        return Experience(connection, found, np.zeros(0, np.intp), np.zeros((0, 1), np.float32), -1)
    owners, vectors = passages.of_cases(connection, model.id, sorted(latest.tolist()))
    ids, firsts = np.unique(owners, return_index=True)
    places = found.places(ids)
    order = np.argsort(places, kind="stable")
    return Experience(connection, found, places[order], vectors[firsts[order]], model.id)


def escalation_factor(found: Columns) -> Factor:
    """Whether a case was escalated, as what can be predicted."""
    return replace(Factor(ESCALATION, ("no", "yes"), found.escalated), testable=False)


def can_be_learned(codes: Codes, past: Experience) -> bool:
    """Whether enough cases have a label, and not all the same."""
    own = past.labelled(codes)
    classes = np.unique(codes[past.places[own]]).size
    return own.size >= FEWEST_LABELLED and 1 < classes <= MOST_CLASSES
