"""The boundaries that people draw: pins, deprecations, prohibitions, what needs a human, whom to
trust. Frozen issues are in `freezing`, all of them as one document in `charter`.

Each is a decision with its author, kept and undoable; nothing learned crosses it
(`usecases.reuse.boundaries`, `usecases.solve.people`). Resolutions are named by any of their
wordings and held as approaches, so that grouping wordings later takes nothing out of force.
"""

from dataclasses import dataclass
from datetime import datetime

from kbagent.errors import BadValue, UnknownHandle, UsageError
from kbagent.model.case import Resolution
from kbagent.store import decisions, issues, resolutions
from kbagent.store.decisions import Decision
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.reuse.boundaries import FREEZE, TRUST
from kbagent.usecases.revise.families import issue_number
from kbagent.usecases.revise.targets import resolution_number

PIN, FORBID, DEPRECATE = "pin", "forbid", "deprecate"
REQUIRE_HUMAN = "require-human"
MAX_DISPLACEMENT, MINIMUM_EVIDENCE = "max-displacement", "minimum-evidence"
KINDS = (
    PIN,
    FORBID,
    DEPRECATE,
    REQUIRE_HUMAN,
    MAX_DISPLACEMENT,
    MINIMUM_EVIDENCE,
    FREEZE,
    TRUST,
)


@dataclass(frozen=True, slots=True)
class Remark:
    """What goes with a rule: who, why, and what it needs beside."""

    by: str | None = None
    reason: str | None = None
    replaced_by: str | None = None
    until: datetime | None = None
    queue: str | None = None


def pin(kb: KnowledgeBase, issue: str, resolution: str, remark: Remark) -> int:
    """A resolution always comes first for an issue; the decision's id.

    Raises:
        UnknownHandle: the issue or the resolution is not known.
        UsageError: the resolution was never tried on the issue, or is forbidden there.
    """
    with kb.database.write():
        issue_id, approach = _issue(kb, issue), _approach(kb, resolution)
        members = issues.members(kb.connection, issue_id)
        tried = resolutions.attempts_of(kb.connection, members)
        known = resolutions.by_ids(kb.connection, {one.resolution_id for one in tried})
        if approach.canonical_id not in {one.canonical_id for one in known.values()}:
            raise UsageError(
                what=f"{resolution} was never tried on i{issue_id}. Try it first:"
                f" `kbagent worked {resolution} --case CASE`."
            )
        against = _same_approach(kb, FORBID, approach, issue_id)
        if against is not None:
            raise UsageError(
                what=f"{resolution} is forbidden there by rule {against.id}, which outranks a pin."
                f" Take that back first: `kbagent rules undo {against.id}`."
            )
        return _decide(kb, PIN, remark, issue_id=issue_id, approach=approach)


def forbid(kb: KnowledgeBase, resolution: str, issue: str | None, remark: Remark) -> int:
    """A resolution is never shown again, for an issue or for any; the decision's id.

    A pin of it stays on record and has no effect any more, which is said.

    Raises:
        UnknownHandle: the resolution or the issue is not known.
    """
    with kb.database.write():
        issue_id = _issue(kb, issue) if issue else None
        approach = _approach(kb, resolution)
        pinned = _same_approach(kb, PIN, approach, issue_id)
        if pinned is not None:
            kb.notify(
                f"{resolution} is pinned for i{pinned.issue_id} by rule {pinned.id}: the"
                f" prohibition outranks that  (kbagent rules undo {pinned.id})"
            )
        return _decide(kb, FORBID, remark, issue_id=issue_id, approach=approach)


def deprecate(kb: KnowledgeBase, resolution: str, issue: str | None, remark: Remark) -> int:
    """A resolution comes after all others, for an issue or for any; the decision's id.

    Raises:
        UnknownHandle: the resolution, its replacement or the issue is not known.
        UsageError: it is its own replacement.
    """
    with kb.database.write():
        data: dict[str, object] = {}
        if remark.replaced_by is not None:
            data["replaced_by"] = f"r{_approach(kb, remark.replaced_by).canonical_id}"
        if remark.until is not None:
            data["until"] = remark.until.isoformat()
        issue_id = _issue(kb, issue) if issue else None
        approach = _approach(kb, resolution)
        if data.get("replaced_by") == f"r{approach.canonical_id}":
            raise UsageError(
                what=f"{resolution} cannot replace itself; name another --replaced-by."
            )
        return _decide(kb, DEPRECATE, remark, issue_id=issue_id, approach=approach, data=data)


def require_human(
    kb: KnowledgeBase,
    remark: Remark,
    *,
    issue: str | None = None,
    keyword: str | None = None,
    facet: str | None = None,
) -> int:
    """What `solve` must hand over: an issue, a word in the text, or a facet; the decision's id.

    Raises:
        UsageError: none or several of the three are given.
        UnknownHandle: the issue is not known.
        BadValue: the facet is not NAME=VALUE.
    """
    if sum(one is not None for one in (issue, keyword, facet)) != 1:
        raise UsageError(what="Name one of --issue, --keyword and --facet.")
    data: dict[str, object] = {"queue": remark.queue} if remark.queue else {}
    if keyword is not None:
        if not keyword.strip():
            raise BadValue(name="--keyword", value=keyword, reason="it is empty")
        data["keyword"] = keyword.strip()
    if facet is not None:
        name, separator, value = facet.partition("=")
        if not (separator and name.strip() and value.strip()):
            raise BadValue(name="--facet", value=facet, reason="write NAME=VALUE")
        data |= {"facet": name.strip(), "value": value.strip()}
    with kb.database.write():
        issue_id = _issue(kb, issue) if issue else None
        return _decide(kb, REQUIRE_HUMAN, remark, issue_id=issue_id, data=data)


def limit(
    kb: KnowledgeBase,
    remark: Remark,
    *,
    places: int | None = None,
    evidence: int | None = None,
    issue: str | None = None,
) -> list[int]:
    """How far evidence may move a resolution, and how often one must have been tried.

    Raises:
        UsageError: neither is given.
        UnknownHandle: the issue is not known.
    """
    if places is None and evidence is None:
        raise UsageError(what="Give --places, --evidence or both.")
    with kb.database.write():
        issue_id = _issue(kb, issue) if issue else None
        made = []
        if places is not None:
            data: dict[str, object] = {"places": places}
            made.append(_decide(kb, MAX_DISPLACEMENT, remark, issue_id=issue_id, data=data))
        if evidence is not None:
            made.append(_decide(kb, MINIMUM_EVIDENCE, remark, data={"tried": evidence}))
    return made


def standing(kb: KnowledgeBase) -> list[Decision]:
    """Every rule in force, oldest first."""
    return decisions.standing(kb.connection, *KINDS)


def undo(kb: KnowledgeBase, rule: int, *, by: str | None = None) -> Decision:
    """Take a rule back; the rule.

    Raises:
        UnknownHandle: there is no such rule, or it is taken back already.
    """
    with kb.database.write():
        decision = decisions.get(kb.connection, rule)
        if decision is None or decision.kind not in KINDS or decision.undoes is not None:
            raise UnknownHandle(handle=str(rule), hint="`kbagent rules list` names them.")
        if decisions.is_undone(kb.connection, rule):
            raise UnknownHandle(handle=str(rule), hint="It is taken back already.")
        decisions.add(kb.connection, f"undo {decision.kind}", kb.clock(), by=by, undoes=decision.id)
    return decision


def _decide(
    kb: KnowledgeBase,
    kind: str,
    remark: Remark,
    *,
    issue_id: int | None = None,
    approach: Resolution | None = None,
    data: dict[str, object] | None = None,
) -> int:
    told = dict(data or {})
    if remark.reason:
        told["reason"] = remark.reason
    return decisions.add(
        kb.connection,
        kind,
        kb.clock(),
        by=remark.by,
        issue_id=issue_id,
        resolution_id=approach.canonical_id if approach else None,
        data=told,
    )


def _same_approach(
    kb: KnowledgeBase, kind: str, approach: Resolution, issue_id: int | None
) -> Decision | None:
    """A rule in force of this kind about the same approach, on this issue or on any."""
    rules = decisions.standing(kb.connection, kind)
    named = resolutions.by_ids(kb.connection, {r.resolution_id for r in rules if r.resolution_id})
    for one in rules:
        known = named.get(one.resolution_id or 0)
        overlaps = one.issue_id is None or issue_id is None or one.issue_id == issue_id
        if known is not None and known.canonical_id == approach.canonical_id and overlaps:
            return one
    return None


def _issue(kb: KnowledgeBase, handle: str) -> int:
    number = issue_number(handle)
    if not issues.members(kb.connection, number):
        raise UnknownHandle(handle=handle, hint="`kbagent issue list` names the issues.")
    return number


def _approach(kb: KnowledgeBase, handle: str) -> Resolution:
    number = resolution_number(handle)
    found = resolutions.by_ids(kb.connection, [number]) if number is not None else {}
    if number is None or number not in found:
        raise UnknownHandle(handle=handle, hint="Name a resolution as a search shows it, like r17.")
    return found[number]
