"""The problem as `solve` carries it from step to step, and the thresholds of its checks."""

import json
from dataclasses import asdict, dataclass

from kbagent.core.verification import checks
from kbagent.model.filters import Filter
from kbagent.store import settings
from kbagent.store.knowledge_base import KnowledgeBase

KEY = "solve.checks"  # in `settings`: thresholds that `learn --checks` proved


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which value each check holds; larger is stricter."""

    margin: float = checks.LEAST_MARGIN
    agreement: float = checks.LEAST_AGREEMENT
    evidence: float = checks.LEAST_SUCCESS
    known_good: float = checks.LEAST_REPLAYED
    nearness: float = checks.LEAST_NEARNESS


NAMES = {
    "margin": "margin",
    "agreement": "agreement",
    "evidence": "evidence",
    "known-good": "known_good",
    "tried-nearby": "nearness",
}
"""Checks with a threshold that can be learned, and their field above."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is asked, and what is known of it so far.

    filters   applied before ranking (`--where`, answers to questions)
    told      facets of the case at hand, from the ticket or given; they refine the evidence
    excluded  resolutions (by approach) that were tried already
    case_id   the stored case that is being solved; it is no evidence for itself
    issue_id  the issue that a person said it is, in answer to a question
    checked   whether checks may stop and correct (off only to measure what they are worth)
    """

    text: str
    filters: tuple[Filter, ...] = ()
    told: tuple[tuple[str, str], ...] = ()
    excluded: tuple[int, ...] = ()
    case_id: int | None = None
    issue_id: int | None = None
    checked: bool = True


def thresholds_of(kb: KnowledgeBase) -> Thresholds:
    """Those in force: learned ones, else the defaults."""
    kept = settings.get(kb.connection, KEY)
    return Thresholds(**json.loads(kept)) if kept else Thresholds()


def keep_thresholds(kb: KnowledgeBase, thresholds: Thresholds) -> None:
    """Put learned thresholds in force."""
    with kb.database.write() as connection:
        settings.put(connection, KEY, json.dumps(asdict(thresholds)))
