"""The confidence from which a case joins an issue: learned from this knowledge base's own links.

What people said of placements in a review moves it at once, by as much as their words bear.
"""

import json
from dataclasses import replace

import numpy as np

from kbagent.core.linking.assignment import DEFAULT_THRESHOLD
from kbagent.core.linking.threshold import (
    DEFAULT_PRECISION,
    LEAST_HIDDEN,
    Threshold,
    choose_threshold,
    judged_threshold,
)
from kbagent.store import fixes, passages, settings
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.models import StoredModel
from kbagent.usecases.review.lessons import link_lessons

KEY = "linking.threshold"
GROWTH = 1.2  # explicit placements since the threshold was learned, before it is learned again
MOST_CASES = 30_000  # linked cases it is learned on, the newest


def link_threshold(kb: KnowledgeBase) -> Threshold:
    """The threshold in force: the learned one, else the default, moved by people's judgements."""
    learned = _learned(kb)
    confidences, right = link_lessons(kb.connection)
    moved = judged_threshold(learned.confidence, confidences, right)
    return replace(learned, confidence=moved, learned_on=learned.learned_on + len(right))


def _learned(kb: KnowledgeBase) -> Threshold:
    kept = settings.get(kb.connection, KEY)
    if kept is None:
        return Threshold(DEFAULT_THRESHOLD, DEFAULT_PRECISION, 0)
    values = json.loads(kept)
    return Threshold(values["confidence"], values["precision"], values["learned_on"])


def refresh_threshold(kb: KnowledgeBase, model: StoredModel) -> Threshold:
    """Learn the threshold again when there are enough, and enough new, explicit placements."""
    rows = kb.connection.execute(
        """SELECT case_id, issue_id FROM memberships WHERE kind IN ('linked', 'human')
        ORDER BY case_id DESC LIMIT ?""",
        (MOST_CASES,),
    ).fetchall()
    kept = settings.get(kb.connection, KEY)
    seen = json.loads(kept)["seen"] if kept else 0
    if len(rows) < 2 * LEAST_HIDDEN or len(rows) < GROWTH * seen:
        return link_threshold(kb)
    placed = dict(rows)
    owners, matrix = passages.of_cases(kb.connection, model.id, sorted(placed))
    first = np.unique(owners, return_index=True)[1]
    issues = np.array([placed[int(one)] for one in owners[first]], dtype=np.int64)
    learned = choose_threshold(fixes.unit(matrix[first]), issues)
    text = json.dumps(
        {
            "confidence": learned.confidence,
            "precision": learned.precision,
            "learned_on": learned.learned_on,
            "seen": len(rows),
        }
    )
    with kb.database.write() as connection:
        settings.put(connection, KEY, text)
    return link_threshold(kb)
