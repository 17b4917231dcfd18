"""Which issue a ticket's nearest cases speak for, when it is not a new problem.

The same vote, confidence and novelty as `solve` goes by; where the confidence was not learned from
this knowledge base, novelty overrules it always. Beside that the nearest case must be nearer than
cases of different issues are here: with few cases a vote is unanimous whatever is asked.
"""

import numpy as np
from numpy.typing import NDArray

from kbagent.errors import Locked, UnreadableFile
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.learn.confidence import certain_of
from kbagent.usecases.mine.experience import Experience, Vectors
from kbagent.usecases.retrieve.details import issue_titles
from kbagent.usecases.retrieve.votes import NEAREST, Relatives, vote_of
from kbagent.usecases.solve.familiarity import Familiarity, familiarity_of, novelty_among
from kbagent.usecases.solve.recognising import SURE

UNRELATED = 0.99
"""Share of pairs of unrelated cases that are less alike than a ticket and its nearest must be."""
MOST_COMPARED = 1_000
"""Latest cases that say how alike unrelated ones are."""
FEWEST_COMPARED = 40
"""Cases below which they cannot say it, so that at least `ALIKE` is wanted."""
ALIKE = 0.5
"""More than 99 % of the unrelated pairs of the sample data reach, 0.43."""
_LOOKED_AT = 40
"""Nearest cases by which novelty goes."""


class Recogniser:
    """What recognising needs, read when the first text asks for it."""

    def __init__(self, kb: KnowledgeBase, past: Experience) -> None:
        self._kb = kb
        self._past = past
        self._certain = certain_of(kb)
        self._bar: float | None = None
        self._known: list[Familiarity | None] = []

    @property
    def relatives(self) -> Relatives:
        """The issues that are nearly one with each."""
        return self._certain.relatives

    def issue_of(self, text: str, vector: Vectors) -> tuple[int, str, float] | None:
        """(id, title, confidence) of the issue of this text, vector (d,); None if not sure."""
        past = self._past
        if not past.size:
            return None
        similar = past.vectors @ vector
        order = np.argsort(-similar, kind="stable")
        best = order[:NEAREST]
        issues = past.found.issue[past.places[best]].tolist()
        votes = vote_of(similar[best].tolist(), issues, self._certain.relatives)
        confidence, issue_id = self._certain.confidence(votes), votes.winner.issue
        if confidence < self._certain.threshold or issue_id < 0 or votes.near <= self._unrelated():
            return None
        if self._is_new(text, vector, similar, order, confidence):
            return None
        return issue_id, issue_titles(self._kb, [issue_id]).get(issue_id, ""), confidence

    def _unrelated(self) -> float:
        if self._bar is None:
            past = self._past
            issues = past.found.issue[past.places[-MOST_COMPARED:]]
            self._bar = unrelated_similarity(past.vectors[-MOST_COMPARED:], issues)
        return self._bar

    def _is_new(
        self,
        text: str,
        vector: Vectors,
        similar: NDArray[np.float32],
        order: NDArray[np.intp],
        confidence: float,
    ) -> bool:
        if self._certain.learned and confidence >= max(SURE, self._certain.threshold):
            return False  # solve calls this a doubt, not a reason to say nothing
        if not self._known:
            self._known.append(_familiarity(self._kb))
        known, past = self._known[0], self._past
        if known is None:
            return False
        near = order[:_LOOKED_AT]
        ids = past.found.case_ids[past.places[near]].tolist()
        pairs = list(zip(ids, similar[near].tolist(), strict=True))
        found = novelty_among(self._kb, known, vector[None, :], pairs, text)
        return found.probability > found.most


def _familiarity(kb: KnowledgeBase) -> Familiarity | None:
    try:
        return familiarity_of(kb)
    except (Locked, UnreadableFile, OSError):
        kb.notify("what is usual here could not be learned, so no ticket is called new by it")
        return None


def unrelated_similarity(vectors: Vectors, issues: NDArray[np.int64]) -> float:
    """The similarity that 99 % of the pairs of cases of different issues do not reach.

    With fewer than `FEWEST_COMPARED` cases, or one issue alone, it is at least `ALIKE`.
    """
    apart = issues[:, None] != issues[None, :]
    if not apart.any():
        return ALIKE
    usual = float(np.quantile((vectors @ vectors.T)[apart], UNRELATED))
    return usual if issues.size >= FEWEST_COMPARED else max(usual, ALIKE)
