"""Recording what became of a resolution: one entry in the ledger, and what follows from it.

Credit goes only to the resolution that was named as used. With a case of its own the knowledge
base grows by one instance; without one the outcome sits on the instance the resolution was taken
from. Taking back is another entry.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace

from kbagent.core.learning.change import last_break
from kbagent.core.learning.evidence import counted
from kbagent.core.learning.pooling import pooled_mean
from kbagent.errors import BadValue, UnknownHandle, UsageError
from kbagent.model.case import AttemptRecord, CaseRecord, CaseStatus, LinkKind, Verdict
from kbagent.model.evidence import Break
from kbagent.model.feedback import Given, Remark
from kbagent.model.filters import FilterOperator
from kbagent.model.outcome import REWARD, Outcome, OutcomeSource
from kbagent.store import cases, issues, ledger, policies, resolutions, runs
from kbagent.store.issues import Membership
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.lookups import Lookup
from kbagent.usecases.reuse.boundaries import trust
from kbagent.usecases.reuse.evidence import pool_of, trial_of
from kbagent.usecases.revise.targets import Target, target_of

LOCAL_SOURCE = "local"  # the source of cases that were never exported from a ticket system
_TITLE_LIMIT = 120  # characters of a query that become the title of a new case


def give(
    kb: KnowledgeBase,
    verdict: Verdict,
    words: Sequence[str],
    remark: Remark,
    *,
    case_ref: str | None = None,
) -> Given:
    """Record the verdict on the resolution that `words` name (see `target_of`).

    Raises:
        UnknownHandle: no such lookup, resolution or case.
        BadValue: satisfaction or minutes are out of range.
        UsageError: the lookup that was named did not show the resolution, and no case is named.
    """
    _check(remark)
    target = target_of(kb, words)
    if target.lookup is not None and target.showing is None and case_ref is None:
        raise UsageError(
            what=f"Lookup {target.lookup.handle} did not show r{target.resolution_id}. Name the"
            " case that it was tried on: add --case CASE."
        )
    with kb.database.write():
        case_id, is_new = (
            (target.case_id, False)
            if case_ref is None
            else _case_for(kb, case_ref, target, verdict, remark)
        )
        if case_ref is not None:
            _note_attempt(kb, case_id, target, verdict, remark)
        outcome_id = _append(kb, case_id, target, verdict, remark)
        ledger.record_event(
            kb.connection,
            target.lookup.id if target.lookup else None,
            "outcome",
            kb.clock(),
            remark.by,
            {"outcome": outcome_id, "verdict": str(verdict), "resolution": target.resolution_id},
        )
        _blame(kb, target, verdict)
    return _given(kb, outcome_id, is_new=is_new, target=target)


def _blame(kb: KnowledgeBase, target: Target, verdict: Verdict) -> None:
    """An outcome of a run of `solve` goes to the step that it proves wrong."""
    if target.lookup is None or target.lookup.kind != "solve":
        return
    from kbagent.usecases.solve.following import credit

    shown = issues.membership_of(kb.connection, target.case_id)
    issue_id = shown.issue_id if shown else -target.case_id
    credit(kb, target.lookup.id, target.resolution_id, issue_id, verdict)


def undo(kb: KnowledgeBase, outcome_id: int, *, by: str | None = None) -> Outcome:
    """Take an outcome back by another entry; the entry taken back.

    Raises:
        UnknownHandle: there is no such outcome, it is an undo, or it is already undone.
    """
    with kb.database.write():
        entry = ledger.get(kb.connection, outcome_id)
        if entry is None or entry.verdict is Verdict.UNKNOWN:
            raise UnknownHandle(handle=str(outcome_id), hint="`kbagent feedback list` names them.")
        if ledger.is_undone(kb.connection, outcome_id):
            raise UnknownHandle(
                handle=str(outcome_id), hint="It is taken back or replaced already."
            )
        now = kb.clock()
        ledger.append(
            kb.connection,
            replace(
                entry,
                uid=uuid.uuid4().hex,
                recorded_at=now,
                happened_at=now,
                verdict=Verdict.UNKNOWN,
                source=OutcomeSource.EXPLICIT,
                by=by,
                reason="undo",
                undoes=entry.id,
            ),
        )
        ledger.record_event(
            kb.connection, entry.lookup_id, "undo", now, by, {"outcome": outcome_id}
        )
        if entry.lookup_id is not None:
            from kbagent.usecases.solve.following import forgive

            forgive(kb, entry.lookup_id)
    return entry


def _check(remark: Remark) -> None:
    if remark.csat is not None and not 0.0 <= remark.csat <= 1.0:
        raise BadValue(name="--csat", value=f"{remark.csat:g}", reason="give 0 to 1, or 1/5 to 5/5")
    if remark.minutes is not None and not 0.0 <= remark.minutes < float("inf"):
        raise BadValue(name="--minutes", value=f"{remark.minutes:g}", reason="give 0 or more")


def _case_for(
    kb: KnowledgeBase, case_ref: str, target: Target, verdict: Verdict, remark: Remark
) -> tuple[int, bool]:
    """The engineer's own case: found, or retained with the query as its problem."""
    known = cases.by_ref(kb.connection, case_ref)
    is_new = known is None
    if known is not None:
        case_id = known.id
    else:
        if target.lookup is None:
            raise UnknownHandle(
                handle=case_ref,
                hint="It is not in the knowledge base, and without a lookup there is no text to"
                " retain for it: `kbagent search TEXT` first, or `kbagent add`.",
            )
        case_id = _retain_query(kb, case_ref, target.lookup, verdict, remark)
    _join(kb, case_id, target, verdict, remark)
    return case_id, is_new


def _retain_query(
    kb: KnowledgeBase, case_ref: str, lookup: Lookup, verdict: Verdict, remark: Remark
) -> int:
    """A case of what was asked, with the columns that were told of it."""
    from kbagent.usecases.retain.addition import store_record

    query = lookup.query

    source, separator, external_id = case_ref.partition(":")
    if not separator:
        source, external_id = LOCAL_SOURCE, case_ref
    first, _, rest = query.strip().partition("\n")
    if len(first) > _TITLE_LIMIT:
        first, rest = first[:_TITLE_LIMIT].rsplit(" ", 1)[0] + " …", query
    record = CaseRecord(
        source=source,
        external_id=external_id,
        title=first,
        body=rest.strip(),
        status=CaseStatus.RESOLVED if verdict is Verdict.WORKED else CaseStatus.UNKNOWN,
        opened_at=remark.at or kb.clock(),
        facets=_told_of(kb, lookup),
        csat=remark.csat,
        minutes=remark.minutes,
        escalated=remark.escalated,
    )
    return store_record(kb, record)


def _told_of(kb: KnowledgeBase, lookup: Lookup) -> tuple[tuple[str, str], ...]:
    """What is known of the case that was asked about, under the names of columns on record.

    Of a run of `solve` what it read in the text, and was answered, but for what it guessed; else
    what `--where` said to be equal. Without it what worked on 4.3 would be evidence for no version.
    """
    from kbagent.core.retrieval.filters import name_key, parse_filter
    from kbagent.usecases.solve.reading import is_guess
    from kbagent.usecases.solve.trace import run_from

    stored = runs.of_lookup(kb.connection, lookup.id)
    if stored is not None:
        run = run_from(stored.record)
        told = tuple(pair for pair in run.facets if not is_guess(run, *pair))
    else:
        filters = [parse_filter(text) for text in json.loads(lookup.request).get("filters", [])]
        told = tuple((f.name, f.value) for f in filters if f.operator is FilterOperator.EQUAL)
    names = {name_key(name): name for name in cases.facet_names(kb.connection)}
    kept = ((names.get(name_key(name)), value) for name, value in told)
    return tuple((name, value) for name, value in kept if name is not None)


def _join(
    kb: KnowledgeBase, case_id: int, target: Target, verdict: Verdict, remark: Remark
) -> None:
    """A case on which an issue's resolution worked is an instance of that issue.

    Not so where the lookup showed neither: that it worked elsewhere too says nothing of the issue.
    """
    if case_id == target.case_id or (target.lookup is not None and target.showing is None):
        return
    own = issues.membership_of(kb.connection, case_id)
    theirs = issues.membership_of(kb.connection, target.case_id)
    if theirs is None or (own is not None and own.kind in {"human", "linked"}):
        return
    now = kb.clock()
    if verdict is Verdict.FAILED:
        confidence = target.showing.confidence if target.showing else 0.5
        place = Membership(case_id, theirs.issue_id, "assigned", confidence, "outcome")
        why = "a resolution of this issue was tried on it"
    else:
        issues.add_link(
            kb.connection,
            case_id,
            target.case_id,
            LinkKind.SAME_ISSUE,
            "outcome",
            now,
            remark.by,
        )
        place = Membership(case_id, theirs.issue_id, "linked", 1.0, "outcome")
        why = "a resolution of this issue worked on it"
    issues.place(kb.connection, place, now, why=why, by=remark.by)


def _note_attempt(
    kb: KnowledgeBase, case_id: int, target: Target, verdict: Verdict, remark: Remark
) -> None:
    """The attempt itself belongs to the case's record, beside the outcome in the ledger."""
    attempts = resolutions.attempts_of(kb.connection, [case_id])
    for attempt in attempts:
        if attempt.resolution_id == target.resolution_id:
            resolutions.set_verdict(kb.connection, attempt.id, verdict)
            return
    record = AttemptRecord(target.text, verdict, remark.at or kb.clock(), remark.by)
    resolutions.insert_attempt(
        kb.connection, case_id, target.resolution_id, len(attempts), record, kb.clock()
    )


def _append(
    kb: KnowledgeBase, case_id: int, target: Target, verdict: Verdict, remark: Remark
) -> int:
    now = kb.clock()
    entry = Outcome(
        id=0,
        uid=uuid.uuid4().hex,
        recorded_at=now,
        happened_at=remark.at or now,
        case_id=case_id,
        resolution_id=target.resolution_id,
        verdict=verdict,
        source=OutcomeSource.EXPLICIT,
        lookup_id=target.lookup.id if target.lookup else None,
        by=remark.by,
        note=remark.note,
        csat=remark.csat,
        minutes=remark.minutes,
        escalated=remark.escalated,
    )
    outcome_id = ledger.append(kb.connection, entry)
    assert outcome_id is not None  # noqa: S101 -- the uid is new
    return outcome_id


def _given(kb: KnowledgeBase, outcome_id: int, *, is_new: bool, target: Target) -> Given:
    entry = ledger.get(kb.connection, outcome_id)
    assert entry is not None  # noqa: S101 -- appended just now
    head = resolutions.by_ids(kb.connection, [target.resolution_id])[target.resolution_id]
    every = _entries_of_issue(kb, entry.case_id)
    entries = [one for approach, one in every if approach == head.canonical_id]
    return Given(
        outcome_id=outcome_id,
        verdict=entry.verdict,
        resolution_id=target.resolution_id,
        text=target.text,
        case_ref=cases.by_ids(kb.connection, [entry.case_id])[entry.case_id].ref,
        new_case=is_new,
        lookup=target.lookup.handle if target.lookup else None,
        tried=float(len(entries)),
        worked=sum(REWARD[one.verdict] for one in entries),
        broke=_break_of(kb, head.canonical_id, every),
    )


def _break_of(
    kb: KnowledgeBase, approach: int, every: Sequence[tuple[int, Outcome]]
) -> Break | None:
    """Whether the approach has stopped working, as the next search will see it."""
    parameters = policies.live(kb.connection).parameters
    weights = trust(kb.connection)
    trials = [trial_of(one, 0, head, (), weights) for head, one in every]
    pool = pool_of(kb.connection, [approach], strength=parameters.prior_strength)
    mean = pooled_mean(pool, approach, parameters.pool_strength)
    kept = counted(trials, parameters.votes_per_source)
    ours = [trial for trial in kept if trial.resolution_id == approach]
    return last_break(ours, mean, pool.strength)[1]


def _entries_of_issue(kb: KnowledgeBase, case_id: int) -> list[tuple[int, Outcome]]:
    """What counts within the issue of a case: (approach, outcome), by id."""
    membership = issues.membership_of(kb.connection, case_id)
    members = issues.members(kb.connection, membership.issue_id) if membership else [case_id]
    entries = ledger.standing(kb.connection, members)
    known = resolutions.by_ids(kb.connection, {entry.resolution_id for entry in entries})
    return [(known[entry.resolution_id].canonical_id, entry) for entry in entries]
