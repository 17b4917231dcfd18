"""Frozen issues: nothing learned moves their resolutions or their cases.

What is frozen is the order in which the resolutions stand now, whatever is asked: evidence,
policies and models learned later do not move it, and it is written down with the decision, so that
people can read and edit it. What is tried for the first time later comes after it, in the order
without feedback. New cases may still join; no case that has its issue already is moved in or out
by import, similarity or links of an export. People may move what they like.
"""

from dataclasses import replace

from kbagent.errors import UnknownHandle, UsageError
from kbagent.store import decisions, issues, policies
from kbagent.store.decisions import Decision
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.reuse.approaches import approaches
from kbagent.usecases.reuse.boundaries import FREEZE, freeze_of, limits_of, trust
from kbagent.usecases.reuse.evidence import experience
from kbagent.usecases.revise.families import issue_number, whereabouts


def freeze(
    kb: KnowledgeBase, issue: str, *, reason: str | None = None, by: str | None = None
) -> tuple[int, tuple[int, ...]]:
    """Freeze an issue; (the decision's id, the order of its resolutions that is kept).

    Raises:
        UnknownHandle: there is no such issue.
        UsageError: it is frozen already.
    """
    with kb.database.write():
        issue_id = issue_number(issue)
        if not issues.members(kb.connection, issue_id):
            raise UnknownHandle(handle=issue, hint=whereabouts(kb, issue_id))
        if freeze_of(kb, issue_id) is not None:
            raise UsageError(
                what=f"i{issue_id} is frozen already; to take its order of today:"
                f" `kbagent issue freeze i{issue_id} --off`, then freeze it again."
            )
        order = order_now(kb, issue_id)
        data: dict[str, object] = {"order": [f"r{one}" for one in order]}
        if reason:
            data["reason"] = reason
        made = decisions.add(kb.connection, FREEZE, kb.clock(), by=by, issue_id=issue_id, data=data)
    return made, order


def thaw(kb: KnowledgeBase, issue: str, *, by: str | None = None) -> Decision:
    """Let what is learned move a frozen issue again; the decision taken back.

    Raises:
        UnknownHandle: there is no such issue.
        UsageError: it is not frozen.
    """
    with kb.database.write():
        frozen = freeze_of(kb, issue_number(issue))
        if frozen is None:
            raise UsageError(what=f"{issue} is not frozen.")
        decisions.add(kb.connection, f"undo {FREEZE}", kb.clock(), by=by, undoes=frozen.id)
    return frozen


def order_now(kb: KnowledgeBase, issue_id: int) -> tuple[int, ...]:
    """The approaches of an issue in their order of today, whatever is asked.

    Those never reported on are left out where something is known to have worked, as in a search.
    """
    parameters = replace(policies.live(kb.connection).parameters, exploration=False)
    known = experience(
        kb.connection,
        dict.fromkeys(issues.members(kb.connection, issue_id), issue_id),
        strength=parameters.prior_strength,
        weights=trust(kb.connection),
    )
    limits = limits_of(kb.connection, issue_id)
    ordered = [one.ranked for one in approaches(issue_id, {}, known, parameters, limits=limits)]
    told = [one for one in ordered if one.cell.evidence.tried > 0 or one.held]
    worked = any(one.cell.evidence.worked > 0 for one in told)
    return tuple(one.resolution_id for one in (told if worked else ordered))
