"""Taking a case out: for the time being, or for good."""

from dataclasses import dataclass

from kbagent.errors import UsageError
from kbagent.model.case import Case
from kbagent.store import decisions, ledger, purge, spool
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.maintain.rebuilding import rebuild_from_nothing
from kbagent.usecases.retain.naming import name_issues
from kbagent.usecases.revise.families import named_case

WITHDRAW, BRING_BACK, PURGE = "withdraw", "bring back", "purge"


@dataclass(frozen=True, slots=True)
class Taken:
    """A case that was taken out or brought back, and the decision about it."""

    case: Case
    decision: int


def withdraw(
    kb: KnowledgeBase, ref: str, *, reason: str | None = None, by: str | None = None
) -> Taken:
    """A case counts no longer; everything of it is kept.

    Raises:
        UnknownHandle: the case is not known.
        UsageError: it is withdrawn already.
    """
    with kb.database.write():
        case = named_case(kb, ref)
        if case.withdrawn_at is not None:
            raise UsageError(what=f"{case.ref} is withdrawn already.")
        purge.withdraw(kb.connection, case.id, kb.clock())
        return Taken(case, _note(kb, WITHDRAW, case, reason, by))


def bring_back(kb: KnowledgeBase, ref: str, *, by: str | None = None) -> Taken:
    """A withdrawn case counts again.

    Raises:
        UnknownHandle: the case is not known.
        UsageError: it was not withdrawn, or it was purged.
    """
    with kb.database.write():
        case = named_case(kb, ref)
        if case.withdrawn_at is None:
            raise UsageError(what=f"{case.ref} is not withdrawn.")
        if case.title == purge.GONE:
            raise UsageError(what=f"{case.ref} was purged; import it again if it may be kept.")
        purge.bring_back(kb.connection, case.id)
        return Taken(case, _note(kb, BRING_BACK, case, None, by))


def remove_for_good(
    kb: KnowledgeBase, ref: str, *, reason: str | None = None, by: str | None = None
) -> Taken:
    """A case's text, columns and vectors are gone from the database and from both indexes.

    Copies that were made before (backups, exports) still have them; only their keepers can
    remove them there.

    Raises:
        UnknownHandle: the case is not known.
    """
    spool.absorb(kb.database, kb.folder)  # a lookup that waits may quote it
    with kb.database.write():
        case = named_case(kb, ref)
        untitled = purge.purge(kb.connection, case.id, kb.clock())
        name_issues(kb, {*untitled, case.issue_id})
        decision = _note(kb, PURGE, case, reason, by)
    purge.empty_log(kb.connection)
    rebuild_from_nothing(kb)
    return Taken(case, decision)


def _note(kb: KnowledgeBase, kind: str, case: Case, reason: str | None, by: str | None) -> int:
    now = kb.clock()
    told = {"case": case.ref, **({"reason": reason} if reason else {})}
    ledger.record_event(kb.connection, None, kind, now, by, {"case": case.id})
    return decisions.add(kb.connection, kind, now, by=by, data=told)
