"""What people say about which cases belong together; it outranks links and assignments."""

from kbagent.errors import UnknownHandle
from kbagent.model.case import Case, LinkKind
from kbagent.store import cases, issues, ledger
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.retain.placing import found_issue, join_issues

PERSON = "person"


def link(kb: KnowledgeBase, first: str, second: str, *, by: str | None = None) -> int:
    """Two cases are the same issue: their issues become one; its id.

    Raises:
        UnknownHandle: a case is not known, or both are the same case.
    """
    one, other = _named(kb, first), _named(kb, second)
    if one.id == other.id:
        raise UnknownHandle(handle=second, hint="That is the same case; name another one.")
    with kb.database.write():
        now = kb.clock()
        issues.undo_links(kb.connection, one.id, other.id, now)
        issues.add_link(kb.connection, one.id, other.id, LinkKind.SAME_ISSUE, PERSON, now, by=by)
        join_issues(
            kb, one.id, other.id, method="human", why="a person linked them", by=by or PERSON
        )
        ledger.record_event(kb.connection, None, "link", now, by, {"cases": [one.id, other.id]})
    membership = issues.membership_of(kb.connection, one.id)
    return membership.issue_id if membership else 0


def unlink(kb: KnowledgeBase, first: str, second: str, *, by: str | None = None) -> None:
    """Two cases are not the same issue: the second one gets an issue of its own.

    Raises:
        UnknownHandle: a case is not known.
    """
    one, other = _named(kb, first), _named(kb, second)
    with kb.database.write():
        now = kb.clock()
        issues.undo_links(kb.connection, one.id, other.id, now)
        issues.add_link(kb.connection, one.id, other.id, LinkKind.NOT_SAME, PERSON, now, by=by)
        own = issues.membership_of(kb.connection, one.id)
        theirs = issues.membership_of(kb.connection, other.id)
        if own is not None and theirs is not None and own.issue_id == theirs.issue_id:
            found_issue(kb, other.id, kind="human", why="a person took it apart", by=by)
        ledger.record_event(kb.connection, None, "unlink", now, by, {"cases": [one.id, other.id]})


def _named(kb: KnowledgeBase, ref: str) -> Case:
    case = cases.by_ref(kb.connection, ref)
    if case is None:
        raise UnknownHandle(handle=ref, hint="Name a case as SOURCE:ID, as a search shows it.")
    return case
