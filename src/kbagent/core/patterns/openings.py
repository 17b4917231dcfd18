"""How sentences begin, where many texts begin one alike: formulations that no list foresees.

Words alone miss what a formulation is ("You will know it worked when" is made of stop words). An
opening is the first `LEAST_WORDS` to `MOST_WORDS` words of a sentence. Of openings that occur in
the very same texts the longest is kept. Does not look inside sentences.
"""

import re
from collections.abc import Iterable

import numpy as np

from kbagent.core.patterns.casetable import Codes, Features, Kind, features_from
from kbagent.core.patterns.terms import words

LEAST_WORDS, MOST_WORDS = 3, 6
MOST_SENTENCES = 40
"""Sentences of one text that are looked at."""
_END = re.compile(r"(?<=[.!?:])\s+|\n+")


def openings_of(text: str) -> set[str]:
    """The openings of a text's sentences, each once.

    >>> sorted(openings_of("It works. You will see it"))
    ['you will see', 'you will see it']
    """
    found: set[str] = set()
    for sentence in _END.split(text)[:MOST_SENTENCES]:
        first = words(sentence)[:MOST_WORDS]
        found.update(" ".join(first[:n]) for n in range(LEAST_WORDS, len(first) + 1))
    return found


def opening_features(texts: Iterable[str], least: int) -> Features:
    """One feature per opening that `least` texts or more have, by name.

    Openings are counted on all texts; no more is held than the texts' numbers per opening.
    """
    where: dict[str, list[int]] = {}
    for i, text in enumerate(texts):
        for opening in openings_of(text):
            where.setdefault(opening, []).append(i)
    rows = {o: np.array(r, dtype=np.int32) for o, r in where.items() if len(r) >= least}
    kept = _without_beginnings(rows)
    return features_from([(f"“{o} …”", Kind.PHRASING, kept[o]) for o in sorted(kept)])


def _without_beginnings(rows: dict[str, Codes]) -> dict[str, Codes]:
    """Leave out an opening that always goes on to one that is longer."""
    longer = {o.rsplit(" ", 1)[0]: rows[o].size for o in sorted(rows, key=lambda o: rows[o].size)}
    return {o: r for o, r in rows.items() if longer.get(o) != r.size}
