"""What people's decisions teach: examples for the linking threshold and for the confidence.

Every decision of a review is one row of `decisions` of kind `review`; what it teaches is kept in
its data. A decision taken back teaches nothing any more.
"""

import sqlite3
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kbagent.store import decisions
from kbagent.usecases.review.items import AnswerLesson, Lesson, LinkLesson

REVIEW = "review"


def link_lessons(
    connection: sqlite3.Connection,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(confidence, whether it was right) of each placement that people judged, each (n,)."""
    told = [lesson for lesson in _lessons(connection) if "confidence" in lesson]
    return (
        np.array([float(one["confidence"]) for one in told], dtype=np.float64),
        np.array([bool(one["right"]) for one in told], dtype=np.bool_),
    )


def answer_lessons(connection: sqlite3.Connection) -> dict[int, bool]:
    """For each lookup that people judged whether the issue whose resolution worked was right."""
    return {
        int(one["lookup"]): bool(one["right"]) for one in _lessons(connection) if "lookup" in one
    }


def told_of(lesson: Lesson | None) -> dict[str, Any]:
    """A lesson as a decision keeps it."""
    match lesson:
        case LinkLesson(confidence, right):
            return {"lesson": {"confidence": round(confidence, 4), "right": right}}
        case AnswerLesson(lookup, right):
            return {"lesson": {"lookup": lookup, "right": right}}
    return {}


def _lessons(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    standing = decisions.standing(connection, REVIEW)
    return [one.data["lesson"] for one in standing if "lesson" in one.data]
