"""Outcomes from a closing script: a CSV, row by row, each known by an id of its own.

Columns: `id` (any text that is the script's own and never used twice), `outcome` (worked, partly,
failed), then either `lookup` and `rank`, or `case` and `resolution` (`r17`, or the resolution's
text); and `at`, `by`, `note`, `csat`, `minutes`, `escalated` where known. Importing the same file
again changes nothing.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from kbagent.core.retrieval.periods import parse_period
from kbagent.errors import UsageError
from kbagent.model.case import AttemptRecord, Verdict
from kbagent.model.feedback import FeedbackImport, Remark
from kbagent.model.outcome import Outcome, OutcomeSource
from kbagent.store import cases, ledger, lookups, resolutions, spool
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.retain.attempts import resolution_hash
from kbagent.usecases.revise.targets import resolution_number

REQUIRED = ("id", "outcome")
_CELL_LIMIT = 16 * 2**20  # characters, as for exports
BATCH = 500  # rows a transaction
_TRUE = {"1", "true", "yes", "y"}
_FALSE = {"0", "false", "no", "n"}


class _BadRowError(Exception):
    """A row that cannot be used: which field, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


def import_outcomes(kb: KnowledgeBase, text: str, *, namespace: str = "feedback") -> FeedbackImport:
    """Append every outcome of a CSV that is not known yet.

    Raises:
        UsageError: the header lacks `id` or `outcome`.
    """
    csv.field_size_limit(_CELL_LIMIT)
    spool.absorb(kb.database, kb.folder)
    text = text.encode("utf-8", "replace").decode("utf-8")  # halves of surrogate pairs
    text = text.removeprefix("\ufeff").replace("\0", "")
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    names = [name.strip().casefold() for name in reader.fieldnames or []]
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise UsageError(
            what=f"The file of outcomes has no column {' and '.join(missing)}. Its header must"
            " name id, outcome, and lookup and rank or case and resolution."
        )
    reader.fieldnames = names
    counts = {"read": 0, "recorded": 0, "known": 0}
    rejects: list[tuple[int, str, str]] = []
    batch: list[tuple[int, Mapping[str, str]]] = []

    def flush() -> None:
        with kb.database.write():
            for line, row in batch:
                try:
                    recorded = _record(kb, row, namespace)
                except _BadRowError as bad:
                    rejects.append((line, bad.field, bad.reason))
                    continue
                counts["recorded" if recorded else "known"] += 1
        batch.clear()

    for row in reader:
        counts["read"] += 1
        batch.append((reader.line_num, {k: (v or "").strip() for k, v in row.items() if k}))
        if len(batch) == BATCH:
            flush()
    flush()
    return FeedbackImport(counts["read"], counts["recorded"], counts["known"], tuple(rejects))


def _delimiter(text: str) -> str:
    """What parts the names of the header: spreadsheets write semicolons in half of Europe."""
    header = text.partition("\n")[0]
    return max(",;\t", key=header.count)


def _record(kb: KnowledgeBase, row: Mapping[str, str], namespace: str) -> bool:
    own_id = row.get("id", "")
    if not own_id:
        raise _BadRowError("id", "is empty")
    uid = f"{namespace}:{own_id}"
    if ledger.uid_known(kb.connection, uid):
        return False
    remark = _remark(row)
    case_id, resolution_id, lookup_id = _target(kb, row)
    now = kb.clock()
    entry = Outcome(
        id=0,
        uid=uid,
        recorded_at=now,
        happened_at=remark.at or now,
        case_id=case_id,
        resolution_id=resolution_id,
        verdict=_verdict(row),
        source=OutcomeSource.EXPLICIT,
        lookup_id=lookup_id,
        by=remark.by,
        note=remark.note,
        csat=remark.csat,
        minutes=remark.minutes,
        escalated=remark.escalated,
    )
    _note_attempt(kb, entry)
    outcome_id = ledger.append(kb.connection, entry)
    ledger.record_event(
        kb.connection,
        lookup_id,
        "outcome",
        now,
        remark.by,
        {"outcome": outcome_id, "verdict": str(entry.verdict), "resolution": resolution_id},
    )
    return True


def _note_attempt(kb: KnowledgeBase, entry: Outcome) -> None:
    """What was never tried on the case before belongs to its record now, and so to its issue."""
    attempts = resolutions.attempts_of(kb.connection, [entry.case_id])
    if any(one.resolution_id == entry.resolution_id for one in attempts):
        return
    named = resolutions.by_ids(kb.connection, [entry.resolution_id])[entry.resolution_id]
    record = AttemptRecord(named.text, entry.verdict, entry.happened_at, entry.by)
    resolutions.insert_attempt(
        kb.connection, entry.case_id, named.id, len(attempts), record, entry.recorded_at
    )


def _verdict(row: Mapping[str, str]) -> Verdict:
    word = row.get("outcome", "").casefold()
    if word in (Verdict.WORKED, Verdict.PARTLY, Verdict.FAILED):
        return Verdict(word)
    raise _BadRowError("outcome", f"'{word}' is none of worked, partly, failed")


def _target(kb: KnowledgeBase, row: Mapping[str, str]) -> tuple[int, int, int | None]:
    if row.get("lookup"):
        return _by_lookup(kb, row["lookup"], row.get("rank", ""))
    if not row.get("case"):
        raise _BadRowError("case", "neither a lookup nor a case is named")
    case = cases.by_ref(kb.connection, row["case"])
    if case is None:
        raise _BadRowError("case", f"'{row['case']}' is not in the knowledge base")
    return case.id, _resolution(kb, row.get("resolution", "")), None


def _by_lookup(kb: KnowledgeBase, handle: str, rank: str) -> tuple[int, int, int | None]:
    lookup = lookups.by_handle(kb.connection, handle)
    if lookup is None:
        raise _BadRowError("lookup", f"there is no lookup '{handle}'")
    for showing in lookups.showings(kb.connection, lookup.id):
        if str(showing.rank) == rank and showing.resolution_id is not None:
            return showing.case_id, showing.resolution_id, lookup.id
    raise _BadRowError("rank", f"lookup {handle} showed nothing at '{rank}'")


def _resolution(kb: KnowledgeBase, named: str) -> int:
    number = resolution_number(named)
    if number is not None and resolutions.by_ids(kb.connection, [number]):
        return number
    found = resolutions.by_hash(kb.connection, resolution_hash(named)) if named else None
    if found is None:
        raise _BadRowError("resolution", f"'{named[:60]}' is no resolution's id or text")
    return found


def _remark(row: Mapping[str, str]) -> Remark:
    remark = Remark(by=row.get("by") or None, note=row.get("note") or None)
    return replace(
        remark,
        at=_moment(row.get("at", "")),
        csat=_number(row, "csat", 1.0),
        minutes=_number(row, "minutes", 1e9),
        escalated=_flag(row.get("escalated", "")),
    )


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    period = parse_period(text)
    if period is None:
        raise _BadRowError("at", f"'{text}' is no date like 2025-06-30 or 2025-06-30T09:54:00Z")
    return period.start


def _number(row: Mapping[str, str], name: str, most: float) -> float | None:
    text = row.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= most:
        raise _BadRowError(name, f"'{text}' is no number from 0 to {most:g}")
    return value


def _flag(text: str) -> bool | None:
    if not text:
        return None
    if text.casefold() in _TRUE | _FALSE:
        return text.casefold() in _TRUE
    raise _BadRowError("escalated", f"'{text}' is neither yes nor no")
