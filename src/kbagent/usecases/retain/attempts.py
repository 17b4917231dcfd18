"""What was tried on a case, and what became of it, as the export tells it now.

Importing a case again compares what it tells with what is stored: a verdict that changed, a
score that came in or an attempt that vanished becomes an entry of the ledger, once. Answers that
were merely not chosen have no outcome at all.
"""

import hashlib
import re
import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime

from kbagent.model.case import Attempt, AttemptRecord, CaseRecord, CaseStatus, Verdict
from kbagent.model.outcome import Outcome, OutcomeSource
from kbagent.store import ledger, resolutions

_SPACE = re.compile(r"\s+")
_EDGES = " \t\r\n.!,;:"


@dataclass(frozen=True, slots=True)
class AttemptChanges:
    """How many attempts and ledger entries were added."""

    attempts: int
    outcomes: int


def resolution_hash(text: str) -> bytes:
    """The key under which equal resolutions meet: letter case, spacing and end marks aside."""
    normal = _SPACE.sub(" ", text.casefold()).strip(_EDGES)
    return hashlib.blake2b(normal.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def retain_attempts(
    connection: sqlite3.Connection, case_id: int, record: CaseRecord, now: datetime
) -> AttemptChanges:
    """Bring the attempts of a case up to what `record` tells, and the ledger with them."""
    told = [attempt for attempt in told_attempts(record) if attempt.text.strip()]
    before = {
        attempt.resolution_id: attempt for attempt in resolutions.attempts_of(connection, [case_id])
    }
    last = _last_known(told)
    added = outcomes = 0
    seen: set[int] = set()
    for ordinal, attempt in enumerate(told):
        resolution_id = resolutions.intern(connection, attempt, resolution_hash(attempt.text), now)
        if resolution_id in seen:
            continue
        seen.add(resolution_id)
        standing = ledger.standing_on(connection, case_id, resolution_id)
        verdict = _verdict_now(record, attempt, standing)
        now_told = replace(attempt, verdict=verdict)
        if resolution_id not in before:
            resolutions.insert_attempt(connection, case_id, resolution_id, ordinal, now_told, now)
            added += 1
        elif before[resolution_id].verdict is not verdict and (
            standing is not None or verdict is not Verdict.UNKNOWN
        ):  # where the export says nothing, what a person said of the attempt stays
            resolutions.set_verdict(connection, before[resolution_id].id, verdict)
        entry = _entry(record, now_told, now, with_secondary=attempt is last)
        entry = replace(entry, case_id=case_id, resolution_id=resolution_id)
        outcomes += _account(connection, entry, standing)
    for attempt_before in before.values():
        if attempt_before.resolution_id not in seen:
            outcomes += _withdraw(connection, record, attempt_before, now)
    return AttemptChanges(added, outcomes)


def told_attempts(record: CaseRecord) -> tuple[AttemptRecord, ...]:
    """The attempts of a record; in a reopened case the last one that worked did not."""
    attempts = record.attempts
    if record.status is not CaseStatus.REOPENED:
        return attempts
    worked = [i for i, attempt in enumerate(attempts) if attempt.verdict is Verdict.WORKED]
    if not worked:
        return attempts
    last = worked[-1]
    return (
        *attempts[:last],
        replace(attempts[last], verdict=Verdict.FAILED),
        *attempts[last + 1 :],
    )


def _verdict_now(record: CaseRecord, attempt: AttemptRecord, standing: Outcome | None) -> Verdict:
    """What to hold of an attempt; in a reopened case what had worked did not last.

    A ticket system that sets a case back to open says nothing of its answer any more.
    """
    if (
        record.status is CaseStatus.REOPENED
        and attempt.verdict is Verdict.UNKNOWN
        and standing is not None
    ):
        return Verdict.FAILED
    return attempt.verdict


def _last_known(attempts: list[AttemptRecord]) -> AttemptRecord | None:
    """The attempt that satisfaction and time to resolve speak of: the last with an outcome."""
    known = [attempt for attempt in attempts if attempt.verdict is not Verdict.UNKNOWN]
    return known[-1] if known else None


def _entry(
    record: CaseRecord, attempt: AttemptRecord, now: datetime, *, with_secondary: bool
) -> Outcome:
    happened = attempt.at or record.closed_at or record.opened_at or now
    return Outcome(
        id=0,
        uid="",
        recorded_at=now,
        happened_at=happened,
        case_id=0,
        resolution_id=0,
        verdict=attempt.verdict,
        source=OutcomeSource.IMPORTED,
        by=attempt.by,
        csat=record.csat if with_secondary else None,
        minutes=record.minutes if with_secondary else None,
        escalated=record.escalated if with_secondary else None,
    )


def _account(connection: sqlite3.Connection, entry: Outcome, standing: Outcome | None) -> int:
    """Append what is new about an attempt; 1 when something was, else 0."""
    if standing is None:
        taken_back = ledger.taken_back_on(connection, entry.case_id, entry.resolution_id)
        if entry.verdict in (Verdict.UNKNOWN, taken_back):
            return 0  # what a person took back is not said again by the same export
        return _append(connection, entry)
    if standing.verdict is entry.verdict and entry.csat in (None, standing.csat):
        return 0
    changed = replace(entry, source=OutcomeSource.INFERRED, undoes=standing.id)
    return _append(connection, replace(changed, reason=_reason(standing, changed)))


def _reason(before: Outcome, after: Outcome) -> str:
    if before.verdict is Verdict.WORKED and after.verdict is Verdict.FAILED:
        return "reopened"
    if before.verdict is after.verdict:
        return "satisfaction"
    return f"{before.verdict} became {after.verdict}"


def _withdraw(
    connection: sqlite3.Connection, record: CaseRecord, attempt: Attempt, now: datetime
) -> int:
    """An attempt that the export tells no longer: its outcome no longer counts.

    Where the case was reopened it failed: many systems empty the resolution then.
    """
    standing = ledger.standing_on(connection, attempt.case_id, attempt.resolution_id)
    if standing is None and attempt.verdict is not Verdict.UNKNOWN:
        return 0  # given by a person on this case, not by the export
    if standing is not None and record.status is CaseStatus.REOPENED:
        resolutions.set_verdict(connection, attempt.id, Verdict.FAILED)
        fallen = replace(standing, recorded_at=now, happened_at=now, verdict=Verdict.FAILED)
        return _account(connection, fallen, standing)
    resolutions.retire_attempt(connection, attempt.id, now)
    if standing is None:
        return 0
    gone = replace(
        standing,
        recorded_at=now,
        verdict=Verdict.UNKNOWN,
        source=OutcomeSource.INFERRED,
        reason="no longer in the export",
        undoes=standing.id,
    )
    return _append(connection, gone)


def _append(connection: sqlite3.Connection, entry: Outcome) -> int:
    number = connection.execute(
        "SELECT count(*) FROM outcomes WHERE case_id = ? AND resolution_id = ?",
        (entry.case_id, entry.resolution_id),
    ).fetchone()[0]
    uid = f"import:{entry.case_id}:{entry.resolution_id}:{number}"
    return int(ledger.append(connection, replace(entry, uid=uid)) is not None)
