"""Which resolutions a ticket says were tried, by words and by meaning.

`core.verification.tried` compares words; other wordings of the same act ('cleared the spooler',
'emptied the print queue') are found by the vectors that are kept of fixes. What is a near
rewording of something tried counts as tried too.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from kbagent.core.verification.tried import already_tried, telling_words, tried_clauses
from kbagent.store import fixes, models
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.passages import Vectors

SAID = 0.6  # cosine of clause and resolution; on the sample data others lie below .55
NAMED = 0.5  # the same where the clause names something that few of the others have
RARE = 3  # at most one in so many of the resolutions has it
REWORDED = 0.82  # cosine of two wordings of one act; two acts on one thing reach .8
_MOST_CLAUSES = 6
_COMMA = re.compile(r"\s*[,;:]\s+")


def tried_by_ticket(
    kb: KnowledgeBase,
    encoder: Encoder,
    text: str,
    resolutions: Mapping[int, str],
    excluded: Collection[int] = (),
) -> dict[int, str]:
    """resolution → the clause that says so, or what it is a rewording of; `excluded` are tried."""
    ids = sorted(resolutions)
    found = {
        ids[one.position]: one.clause for one in already_tried(text, [resolutions[i] for i in ids])
    }
    found |= {one: "answered before in this run" for one in excluded if one in resolutions}
    told = set(found.values())
    clauses = _acts(text)
    worded = [any(act in one for one in told) for act in clauses]
    model = models.active(kb.connection)
    if model is None or not (clauses or found):
        return found
    vectors = fixes.vectors(kb.connection, model.id, ids)
    if clauses and vectors:
        spoken = encoder.encode(clauses)
        shared = _shared_words(clauses, resolutions)
        for one in ids:
            if one in vectors and one not in found:
                similar = spoken @ vectors[one]
                least = [
                    _least(named=place in shared[one], worded=worded[place])
                    for place in range(len(clauses))
                ]
                said = int((similar - least).argmax())
                if float(similar[said]) >= least[said]:
                    found[one] = clauses[said]
    return found | _reworded(found, vectors, ids)


def _least(*, named: bool, worded: bool) -> float:
    """The cosine from which a clause means a resolution.

    A clause whose words already tell which one it means (`worded`) means another one only where it
    names something of that too: fixes of one thing are all alike.
    """
    if named:
        return NAMED
    return np.inf if worded else SAID


def _shared_words(
    clauses: Sequence[str], resolutions: Mapping[int, str]
) -> dict[int, frozenset[int]]:
    """resolution → the clauses that name something of it which few of the others have."""
    words = {one: frozenset(telling_words(text)) for one, text in resolutions.items()}
    counts = Counter(word for some in words.values() for word in some)
    most = max(1, len(words) // RARE)
    spoken = [frozenset(telling_words(clause)) for clause in clauses]
    return {
        one: frozenset(
            place
            for place, said in enumerate(spoken)
            if any(counts[word] <= most for word in said & words[one])
        )
        for one in resolutions
    }


def _reworded(
    found: Mapping[int, str], vectors: Mapping[int, Vectors], ids: Sequence[int]
) -> dict[int, str]:
    """Near rewordings of what was tried, one step away."""
    return {
        one: f"a rewording of r{other}"
        for one in ids
        if one not in found and one in vectors
        for other in found
        if other in vectors and float(vectors[one] @ vectors[other]) >= REWORDED
    }


def _acts(text: str) -> list[str]:
    """The parts of clauses that report something done."""
    pieces = [
        piece
        for clause in tried_clauses(text)
        for piece in _COMMA.split(clause)
        if tried_clauses(piece) and len(piece.split()) > 2
    ]
    return list(dict.fromkeys(pieces))[:_MOST_CLAUSES]
