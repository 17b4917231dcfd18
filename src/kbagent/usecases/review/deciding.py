"""Deciding: an answer to an item becomes a decision with its author, and can be taken back.

A decision holds the item's key and state, the answer, what it teaches, and the decisions that its
deed left. It holds no text of a case: what is purged later must not live on here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from kbagent.errors import UnknownHandle, UsageError
from kbagent.store import decisions
from kbagent.store.decisions import Decision
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.review import deeds
from kbagent.usecases.review.items import Answer, Item
from kbagent.usecases.review.lessons import REVIEW, told_of


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A decision of a review, and whether it was taken back since."""

    decision: Decision
    undone: bool

    @property
    def item(self) -> str:
        """The key of the item that was decided."""
        return str(self.decision.data["item"])

    @property
    def answer(self) -> str:
        """What was decided."""
        return str(self.decision.data["decision"])


def decide(
    kb: KnowledgeBase,
    item: Item,
    answer: str,
    *,
    by: str | None = None,
    reason: str | None = None,
) -> int:
    """Answer an item; the decision's id. The deed and the decision are one transaction.

    Raises:
        BadValue: it is no answer.
        UsageError: somebody answered it meanwhile, or the deed cannot be done (any more).
    """
    choice = item.choice(answer)
    with kb.database.write() as connection:
        former = standing_answers(kb).get(item.key)
        if former is not None and is_settled_by(former, item):
            who = f" by {former.by}" if former.by else ""
            raise UsageError(
                what=f"{item.key} was decided meanwhile{who}: {former.data['decision']}"
                f" (decision {former.id})."
            )
        before = decisions.last_id(connection)
        deeds.do(kb, choice.deed, by=by, reason=reason)
        data: dict[str, object] = {
            "item": item.key,
            "decision": str(choice.answer),
            "state": item.state,
            "made": decisions.ids_after(connection, before),
            **told_of(choice.lesson),
        }
        if reason:
            data["reason"] = reason
        issue = item.issues[0] if item.issues else None
        return decisions.add(connection, REVIEW, kb.clock(), by=by, issue_id=issue, data=data)


def undo(kb: KnowledgeBase, decision_id: int | None = None, *, by: str | None = None) -> Decision:
    """Take a decision of a review back, the newest standing one when none is named; it.

    What its answer did is taken back too, the last deed first; all of it or nothing.

    Raises:
        UnknownHandle: there is no such decision, or it is taken back already.
        UsageError: a later decision builds upon it; that one has to go first.
    """
    with kb.database.write() as connection:
        decision = _named(kb, decision_id)
        for made in reversed(decision.data.get("made", ())):
            entry = decisions.get(connection, int(made))
            if entry is not None:
                deeds.take_back(kb, entry, by=by)
        decisions.add(
            connection,
            f"undo {REVIEW}",
            kb.clock(),
            by=by,
            issue_id=decision.issue_id,
            undoes=decision.id,
        )
    return decision


def standing_answers(kb: KnowledgeBase) -> Mapping[str, Decision]:
    """The newest decision in force of each item that was ever answered, by its key."""
    return {str(one.data["item"]): one for one in decisions.standing(kb.connection, REVIEW)}


def is_settled(kb: KnowledgeBase, item: Item) -> bool:
    """Whether an item needs no answer any more: somebody gave it, or another one settled it."""
    former = standing_answers(kb).get(item.key)
    answered = former is not None and is_settled_by(former, item)
    return answered or deeds.is_settled(kb, item)


def is_settled_by(decision: Decision, item: Item) -> bool:
    """Whether a decision still answers an item: it is no `later`, and nothing changed since."""
    put_off = decision.data["decision"] == Answer.LATER
    return not put_off and str(decision.data["state"]) == item.state


def log(kb: KnowledgeBase, limit: int) -> list[Reviewed]:
    """The newest decisions, newest first, with those that were taken back."""
    found = decisions.latest(kb.connection, limit, REVIEW)
    return [Reviewed(one, decisions.is_undone(kb.connection, one.id)) for one in found]


def _named(kb: KnowledgeBase, decision_id: int | None) -> Decision:
    if decision_id is None:
        found = decisions.standing(kb.connection, REVIEW)
        if not found:
            raise UnknownHandle(handle="the last decision", hint="Nothing is decided in a review.")
        return found[-1]
    decision = decisions.get(kb.connection, decision_id)
    if decision is None or decision.kind != REVIEW:
        raise UnknownHandle(handle=str(decision_id), hint="`kbagent review log` names them.")
    if decisions.is_undone(kb.connection, decision_id):
        raise UnknownHandle(handle=str(decision_id), hint="It is taken back already.")
    return decision
