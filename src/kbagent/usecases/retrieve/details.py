"""`kbagent show`: one case, resolution, issue or lookup in full."""

import re
from collections import defaultdict
from datetime import datetime

from kbagent.errors import UnknownHandle
from kbagent.model.case import Case, Resolution
from kbagent.model.details import (
    CaseDetails,
    IssueDetails,
    IssueUse,
    LookupDetails,
    ResolutionDetails,
)
from kbagent.model.outcome import REWARD, Outcome
from kbagent.store import cases, issues, ledger, lookups, resolutions, spool
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.lookups import Lookup
from kbagent.usecases.retain.corrections import told_of
from kbagent.usecases.reuse.boundaries import freeze_of
from kbagent.usecases.revise.rewording import edits_of

_ID = re.compile(r"([ri])(\d{1,18})", flags=re.ASCII)
_CASES_SHOWN = 200

Details = CaseDetails | ResolutionDetails | IssueDetails | LookupDetails


def details_of(kb: KnowledgeBase, handle: str) -> Details:
    """Whatever is called `handle`: a case, `r17`, `i5` or a lookup.

    Raises:
        UnknownHandle: nothing is.
    """
    spool.absorb_if_free(kb.database, kb.folder)
    with kb.database.read():
        case = cases.by_ref(kb.connection, handle)
        if case is not None:
            return _case(kb, case)
        match = _ID.fullmatch(handle)
        if match is not None:
            number = int(match[2])
            found = _resolution(kb, number) if match[1] == "r" else _issue(kb, number)
            if found is not None:
                return found
        lookup = lookups.by_handle(kb.connection, handle)
        if lookup is not None:
            return _lookup(kb, lookup)
        moved = issues.successors(kb.connection, int(match[2])) if match and match[1] == "i" else []
    hint = "Give a case (SOURCE:ID), a resolution (r17), an issue (i5) or a lookup."
    if moved:
        hint = f"Its cases are in {', '.join(f'i{one}' for one in moved)} now."
    raise UnknownHandle(handle=handle, hint=hint)


def _case(kb: KnowledgeBase, case: Case) -> CaseDetails:
    connection = kb.connection
    attempts = resolutions.attempts_of(connection, [case.id])
    texts = resolutions.by_ids(connection, {attempt.resolution_id for attempt in attempts})
    membership = issues.membership_of(connection, case.id)
    members = issues.members(connection, case.issue_id) if membership else []
    named = cases.by_ids(connection, [one for one in members if one != case.id][:_CASES_SHOWN])
    kept = connection.execute(
        "SELECT count(*) FROM case_versions WHERE case_id = ?", (case.id,)
    ).fetchone()[0]
    return CaseDetails(
        case=case,
        facets=tuple(cases.facets(connection, case.id)),
        attempts=tuple((attempt, texts[attempt.resolution_id].text) for attempt in attempts),
        outcomes=tuple(ledger.standing(connection, [case.id])),
        issue_title=issues.titles(connection, [case.issue_id]).get(case.issue_id, ""),
        membership=membership.kind if membership else "",
        siblings=tuple(one.ref for one in named.values()),
        versions_kept=kept,
        corrections=told_of(connection, case.id),
    )


def _resolution(kb: KnowledgeBase, number: int) -> ResolutionDetails | None:
    connection = kb.connection
    found = resolutions.by_ids(connection, [number]).get(number)
    if found is None:
        return None
    wordings = resolutions.wordings(connection, found.canonical_id)
    case_ids = resolutions.cases_of(connection, [one.id for one in wordings])
    stored = cases.by_ids(connection, case_ids)
    wanted = {one.id for one in wordings}
    entries = [
        entry
        for entry in ledger.standing(connection, sorted(stored))
        if entry.resolution_id in wanted
    ]
    verdicts = {entry.case_id: str(entry.verdict) for entry in entries}
    return ResolutionDetails(
        resolution=found,
        wordings=tuple(one for one in wordings if one.text != found.text),
        uses=_uses(kb, entries, stored),
        cases=tuple(
            (case.ref, verdicts.get(case.id, "unknown"), case.opened_at)
            for case in list(stored.values())[:_CASES_SHOWN]
        ),
        tried=float(len(entries)),
        worked=sum(REWARD[entry.verdict] for entry in entries),
        corrections=edits_of(kb, [one.id for one in wordings]),
    )


def _uses(
    kb: KnowledgeBase, entries: list[Outcome], stored: dict[int, Case]
) -> tuple[IssueUse, ...]:
    sums: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for entry in entries:
        issue_id = stored[entry.case_id].issue_id
        sums[issue_id][0] += 1
        sums[issue_id][1] += REWARD[entry.verdict]
    titles = issue_titles(kb, list(sums))
    ordered = sorted(sums, key=lambda issue_id: (-sums[issue_id][0], issue_id))
    return tuple(
        IssueUse(issue_id, titles.get(issue_id, ""), *sums[issue_id]) for issue_id in ordered
    )


def _issue(kb: KnowledgeBase, issue_id: int) -> IssueDetails | None:
    connection = kb.connection
    members = issues.members(connection, issue_id)
    if not members:
        return None
    stored = cases.by_ids(connection, members)
    placed = issues.memberships(connection, members)
    attempts = resolutions.attempts_of(connection, members)
    texts = resolutions.by_ids(connection, {attempt.resolution_id for attempt in attempts})
    heads = resolutions.by_ids(connection, {one.canonical_id for one in texts.values()})
    tried: dict[int, float] = defaultdict(float)
    worked: dict[int, float] = defaultdict(float)
    used: dict[int, int] = defaultdict(int)
    for attempt in attempts:
        used[texts[attempt.resolution_id].canonical_id] += 1
    for entry in ledger.standing(connection, members):
        head = resolutions.by_ids(connection, [entry.resolution_id])[entry.resolution_id]
        tried[head.canonical_id] += 1
        worked[head.canonical_id] += REWARD[entry.verdict]
    order = sorted(heads, key=lambda one: (-worked[one], -tried[one], -used[one], one))
    return IssueDetails(
        issue_id=issue_id,
        title=issue_titles(kb, [issue_id])[issue_id],
        instances=tuple(
            (stored[one], placed[one].kind, placed[one].confidence)
            for one in members
            if one in stored
        ),
        uses=tuple((heads[one], tried[one], worked[one], used[one]) for one in order),
        frozen=_frozen(kb, issue_id),
    )


def _frozen(kb: KnowledgeBase, issue_id: int) -> tuple[datetime, tuple[str, ...]] | None:
    rule = freeze_of(kb, issue_id)
    return None if rule is None else (rule.at, tuple(map(str, rule.data["order"])))


def issue_titles(kb: KnowledgeBase, issue_ids: list[int]) -> dict[int, str]:
    """The title of each issue: the one it was given, else that of its first case."""
    titles = issues.titles(kb.connection, issue_ids)
    for issue_id in issue_ids:
        if issue_id not in titles:
            members = issues.members(kb.connection, issue_id)[:1]
            titles[issue_id] = "".join(
                case.title for case in cases.by_ids(kb.connection, members).values()
            )
    return titles


def _lookup(kb: KnowledgeBase, lookup: Lookup) -> LookupDetails:
    shown = lookups.showings(kb.connection, lookup.id)
    texts: dict[int, Resolution] = resolutions.by_ids(
        kb.connection, {one.resolution_id for one in shown if one.resolution_id is not None}
    )
    return LookupDetails(
        handle=lookup.handle,
        kind=lookup.kind,
        at=lookup.at,
        query=lookup.query,
        policy_version=lookup.policy_version,
        confident=lookup.confident,
        by=lookup.by,
        shown=tuple(
            (
                one.rank,
                one.issue_id,
                texts[one.resolution_id].text if one.resolution_id is not None else "",
                one.confidence,
                one.propensity,
            )
            for one in shown
        ),
        outcomes=tuple(ledger.of_lookup(kb.connection, lookup.id)),
    )
