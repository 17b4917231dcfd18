"""How sentences and clauses begin, where many texts do so alike: formulations no list foresees.

Words alone miss what a formulation is ("You will know it worked when" is made of stop words). An
opening is the first `LEAST_WORDS` to `MOST_WORDS` words of a sentence. Of openings that occur in
the very same texts the longest is kept. A clause after a comma, a colon or a dash begins like a
sentence, without the word that joins it: what some texts say in a sentence of its own, and more of
them as "…, and you will know it worked when", is a second formulation beside that of the
sentence. Does not look inside clauses.
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
_BREAK = re.compile(r"(?<=[,;])\s+|\s+[–—-]+\s+")
_JOINING = frozenset(
    ("and", "but", "so", "or", "then", "und", "aber", "oder", "et", "mais", "y", "pero")
)


def openings_of(text: str) -> set[str]:
    """The openings of a text's sentences, each once.

    >>> sorted(openings_of("It works. You will see it"))
    ['you will see', 'you will see it']
    """
    return {o for sentence in _sentences(text) for o in _openings(words(sentence))}


def clause_openings_of(text: str) -> set[str]:
    """The openings of its clauses that begin within a sentence, without the joining word.

    >>> sorted(clause_openings_of("It works, and you will see it"))
    ['you will see', 'you will see it']
    """
    found: set[str] = set()
    for sentence in _sentences(text):
        for clause in _BREAK.split(sentence)[1:]:
            said = words(clause)
            found.update(_openings(said[1:] if said[:1] and said[0] in _JOINING else said))
    return found


def _sentences(text: str) -> list[str]:
    return _END.split(text)[:MOST_SENTENCES]


def _openings(said: list[str]) -> Iterable[str]:
    first = said[:MOST_WORDS]
    return (" ".join(first[:n]) for n in range(LEAST_WORDS, len(first) + 1))


def opening_features(texts: Iterable[str], least: int) -> Features:
    """One feature per opening that `least` texts or more have, by name.

    “… so …” has the texts that begin a sentence or a clause so, where a clause does in some that
    have no such sentence; “so …” those that begin a sentence so. Openings are counted on all
    texts; no more is held than the texts' numbers per opening.
    """
    sentences: dict[str, list[int]] = {}
    anywhere: dict[str, list[int]] = {}
    for i, text in enumerate(texts):
        own = openings_of(text)
        for opening in own:
            sentences.setdefault(opening, []).append(i)
        for opening in own | clause_openings_of(text):
            anywhere.setdefault(opening, []).append(i)
    more = {o: r for o, r in anywhere.items() if len(r) > len(sentences.get(o, ()))}
    kept = [(o, f"“{o} …”", r) for o, r in _kept(sentences, least).items()]
    kept += [(o, f"“… {o} …”", r) for o, r in _kept(more, least).items()]
    return features_from([(name, Kind.PHRASING, r) for _, name, r in sorted(kept, key=_by_words)])


def _by_words(one: tuple[str, str, Codes]) -> tuple[str, str]:
    return one[0], one[1]


def _kept(where: dict[str, list[int]], least: int) -> dict[str, Codes]:
    """Those that enough texts have, without an opening that always goes on to a longer one."""
    rows = {o: np.array(r, dtype=np.int32) for o, r in where.items() if len(r) >= least}
    longer = {o.rsplit(" ", 1)[0]: rows[o].size for o in sorted(rows, key=lambda o: rows[o].size)}
    return {o: r for o, r in rows.items() if longer.get(o) != r.size}
