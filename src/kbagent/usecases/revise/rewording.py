"""Putting the wording of a resolution right; its evidence stays where it is.

The wording is shown and compared in its new form, everywhere it was tried. Exports that still tell
the former one still mean it, and those that tell the new one mean it too.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from kbagent.core.text.redaction import Redactor
from kbagent.errors import UnknownHandle, UsageError
from kbagent.model.case import AttemptRecord
from kbagent.model.details import Correction
from kbagent.store import decisions, purge, resolutions
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.resolutions import Grouping
from kbagent.usecases.retain.attempts import resolution_hash
from kbagent.usecases.revise.targets import resolution_number

EDIT = "edit resolution"
_HUMAN = "human"  # `grouped_by` of what people decided


@dataclass(frozen=True, slots=True)
class Reworded:
    """A wording that was put right, the approach it counts as, and the decision."""

    resolution_id: int
    approach: int
    decision: int


def wording_of(kb: KnowledgeBase, handle: str) -> str:
    """The text of a wording, without its approach's short name.

    Raises:
        UnknownHandle: there is none.
    """
    number = resolution_number(handle)
    found = {} if number is None else resolutions.texts(kb.connection, [number])
    if number is None or number not in found:
        raise UnknownHandle(handle=handle, hint="Name a resolution as a search shows it, like r17.")
    return found[number]


def reword(
    kb: KnowledgeBase,
    handle: str,
    text: str,
    *,
    by: str | None = None,
    redactor: Redactor | None = None,
) -> Reworded | None:
    """Give a wording another text, redacted as in an import; None when it is the same.

    Raises:
        UnknownHandle: there is none.
        UsageError: the text is empty, or another resolution says just that.
    """
    with kb.database.write() as connection:
        before = wording_of(kb, handle)
        number = resolution_number(handle) or 0
        told = text.strip()
        told = before if told == before.strip() else (redactor or Redactor()).redact(told).text
        if not told:
            raise UsageError(what="The text of a resolution cannot be empty; nothing was edited.")
        if told == before:
            return None
        approach = resolutions.by_ids(connection, [number])[number].canonical_id
        _meant_by(kb, number, approach, told)
        resolutions.set_text(connection, number, told)
        decision = decisions.add(
            connection,
            EDIT,
            kb.clock(),
            by=by,
            resolution_id=number,
            data={"before": before, "after": told},
        )
    return Reworded(number, approach, decision)


def put_back(kb: KnowledgeBase, resolution_id: int, data: dict[str, str]) -> None:
    """The wording says again what it said before a decision.

    Raises:
        UsageError: it was edited again since; that edit has to be taken back first.
    """
    if resolutions.texts(kb.connection, [resolution_id])[resolution_id] != data["after"]:
        raise UsageError(
            what=f"r{resolution_id} was edited again since; take the later edit back first"
            " (`kbagent resolution history`)."
        )
    resolutions.set_text(kb.connection, resolution_id, data["before"])


def edits_of(kb: KnowledgeBase, resolution_ids: Sequence[int]) -> tuple[Correction, ...]:
    """Who put these wordings right, and when."""
    wanted = set(resolution_ids)
    return tuple(
        Correction(one.id, one.at, one.by, (f"r{one.resolution_id}",))
        for one in decisions.standing(kb.connection, EDIT)
        if one.resolution_id in wanted
    )


def reworded(connection: sqlite3.Connection) -> dict[int, str]:
    """The texts of the wordings that people put right, as they were left."""
    found = {}
    for one in decisions.standing(connection, EDIT):
        if one.resolution_id is not None and one.data.get("after") not in (None, purge.GONE):
            found[one.resolution_id] = str(one.data["after"])
    return found


def _meant_by(kb: KnowledgeBase, number: int, approach: int, text: str) -> None:
    """Who tells the new text from now on means this approach.

    Raises:
        UsageError: another resolution says just that.
    """
    key = resolution_hash(text)
    other = resolutions.by_hash(kb.connection, key)
    if other is None:
        other = resolutions.intern(kb.connection, AttemptRecord(text), key, kb.clock())
        resolutions.regroup(kb.connection, Grouping(other, approach, _HUMAN))
        return
    counts_as = resolutions.by_ids(kb.connection, [other])[other].canonical_id
    if other != number and counts_as != approach:
        raise UsageError(
            what=f"r{other} says just that. If both are one fix:"
            f" `kbagent resolution merge r{other} r{number}`."
        )
