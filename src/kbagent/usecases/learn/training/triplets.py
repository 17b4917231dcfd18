"""Triplets for sentence-transformers' trainer: anchor, positive, negative.

Anchor and positive are cases that links or people put into one issue; the negative is the nearest
case of another such issue. Cases that only similarity grouped teach nothing new.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

import numpy as np

from kbagent.usecases.evaluate.history import History

BLOCK = 512


def triplets(history: History, since: datetime | None) -> Iterator[dict[str, str]]:
    """One row for each linked case with a partner, in order of time."""
    linked = np.flatnonzero(history.linked >= 0)
    members: dict[int, list[int]] = defaultdict(list)
    for place in linked.tolist():
        members[int(history.linked[place])].append(place)
    vectors = history.vectors[history.starts[linked]]
    labels = history.linked[linked]
    if len(members) < 2:
        return
    for begin in range(0, len(linked), BLOCK):
        similar = vectors[begin : begin + BLOCK] @ vectors.T
        similar[labels[begin : begin + BLOCK, None] == labels[None, :]] = -np.inf
        for row, place in enumerate(linked[begin : begin + BLOCK].tolist()):
            family = members[int(history.linked[place])]
            if len(family) < 2 or (since is not None and history.opened[place] < since):
                continue
            partner = family[(family.index(place) + 1) % len(family)]
            yield {
                "anchor": history.texts[place].strip(),
                "positive": history.texts[partner].strip(),
                "negative": history.texts[int(linked[int(similar[row].argmax())])].strip(),
            }
