"""What people corrected in a case, and how it outlasts the next import.

A correction stands, column by column, for as long as the source goes on saying what it said when
it was corrected. Where the source says something else, it knows something new: then it is believed,
and the correction is overtaken, which is noted and told. Decisions keep a digest of what the source
said, never its text, so that a purge leaves nothing of a case in them.

kind `edit case`           data {"case": id, "said": {column: digest}, "version": of case_versions,
                           "attempts": [[from, to, verdict said, verdict now], …]}
kind `correction overtaken`  data {"case": id, "columns": [column, …]}
"""

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from kbagent.model.case import AttemptRecord, CaseRecord, Verdict
from kbagent.model.details import Correction
from kbagent.store import cases, decisions, resolutions
from kbagent.store.decisions import Decision
from kbagent.usecases.retain.attempts import resolution_hash

EDIT, OVERTAKEN = "edit case", "correction overtaken"
TITLE, TEXT, FACET, ATTEMPT = "title", "text", "column ", "resolution r"


@dataclass(frozen=True, slots=True)
class CorrectedAttempt:
    """An attempt as people put it right: the source's resolution and verdict, and theirs."""

    resolution_id: int
    said: Verdict
    verdict: Verdict


@dataclass(slots=True)
class Corrections:
    """What stands of the corrections of one case.

    `said` has, for each corrected column, the digest of what the source said; `attempts` is by
    the resolution that the source names.
    """

    said: dict[str, str] = field(default_factory=dict)
    attempts: dict[int, CorrectedAttempt] = field(default_factory=dict)


def digest(value: object) -> str:
    """A short key of a value that tells nothing of it."""
    return hashlib.blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def corrected_cases(connection: sqlite3.Connection) -> set[int]:
    """The cases that people corrected anything in."""
    return {int(one.data["case"]) for one in decisions.standing(connection, EDIT)}


def edits_of(connection: sqlite3.Connection, case_id: int) -> list[Decision]:
    """The corrections of a case, and where they were overtaken, oldest first."""
    return [
        one
        for one in decisions.standing(connection, EDIT, OVERTAKEN)
        if one.data.get("case") == case_id
    ]


def corrections_of(connection: sqlite3.Connection, case_id: int) -> Corrections:
    """What stands of the corrections of a case now."""
    found = Corrections()
    for one in edits_of(connection, case_id):
        if one.kind == OVERTAKEN:
            _overtake(found, one.data["columns"])
            continue
        for column, said in one.data.get("said", {}).items():
            found.said.setdefault(column, said)
        for before, after, said, verdict in one.data.get("attempts", []):
            _follow(found, before, CorrectedAttempt(after, Verdict(said), Verdict(verdict)))
    return found


def told_of(connection: sqlite3.Connection, case_id: int) -> tuple[Correction, ...]:
    """Who put what right in a case, and what the source has changed since, oldest first."""
    entries = edits_of(connection, case_id)
    found = []
    for place, one in enumerate(entries):
        if one.kind != EDIT:
            continue
        columns = [*one.data.get("said", {})]
        columns += [f"{ATTEMPT}{change[0]}" for change in one.data.get("attempts", [])]
        later = (other.data["columns"] for other in entries[place:] if other.kind == OVERTAKEN)
        gone = {column for some in later for column in some}
        overtaken = tuple(column for column in columns if column in gone)
        found.append(Correction(one.id, one.at, one.by, tuple(columns), overtaken))
    return tuple(found)


def as_corrected(
    connection: sqlite3.Connection, case_id: int, record: CaseRecord
) -> tuple[CaseRecord, tuple[str, ...]]:
    """A record that the source tells now with what stands of people's corrections, and the columns
    in which it has overtaken them.
    """
    standing = corrections_of(connection, case_id)
    stored = cases.by_ids(connection, [case_id])[case_id]
    overtaken: list[str] = []

    def holds(column: str, told: object) -> bool:
        if column not in standing.said:
            return False
        if standing.said[column] == digest(told):
            return True
        overtaken.append(column)
        return False

    if holds(TITLE, record.title):
        record = replace(record, title=stored.title)
    if holds(TEXT, record.body):
        record = replace(record, body=stored.body)
    kept = tuple(cases.facets(connection, case_id))
    for column in [one for one in standing.said if one.startswith(FACET)]:
        name = column.removeprefix(FACET)
        if holds(column, values_of(record.facets, name)):
            record = replace(record, facets=with_values(record.facets, name, values_of(kept, name)))
    attempts, gone = _attempts(connection, record.attempts, standing.attempts)
    return replace(record, attempts=attempts), (*overtaken, *gone)


def note_overtaken(
    connection: sqlite3.Connection, case_id: int, columns: Sequence[str], now: datetime
) -> None:
    """The source says something else of these columns now, so that it is believed again."""
    data = {"case": case_id, "columns": list(columns)}
    decisions.add(connection, OVERTAKEN, now, data=data)


def values_of(pairs: Sequence[tuple[str, str]], name: str) -> tuple[str, ...]:
    """All values of a column, in their order."""
    return tuple(value for key, value in pairs if key == name)


def with_values(
    pairs: Sequence[tuple[str, str]], name: str, values: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """The pairs with these values of one column, where it stood; at the end when it is new."""
    place = next((i for i, (key, _) in enumerate(pairs) if key == name), len(pairs))
    others = [(key, value) for key, value in pairs if key != name]
    before = sum(key != name for key, _ in pairs[:place])
    return (*others[:before], *((name, value) for value in values), *others[before:])


def _overtake(found: Corrections, columns: Sequence[str]) -> None:
    for column in columns:
        found.said.pop(column, None)
        if column.startswith(ATTEMPT):
            found.attempts.pop(int(column.removeprefix(ATTEMPT)), None)


def _follow(found: Corrections, before: int, now: CorrectedAttempt) -> None:
    """A correction of a correction is one of what the source said."""
    for source, earlier in found.attempts.items():
        if earlier.resolution_id == before:
            found.attempts[source] = replace(now, said=earlier.said)
            return
    found.attempts[before] = now


def _attempts(
    connection: sqlite3.Connection,
    told: Sequence[AttemptRecord],
    corrected: Mapping[int, CorrectedAttempt],
) -> tuple[tuple[AttemptRecord, ...], tuple[str, ...]]:
    """The attempts with their corrections; those that the source names no more are overtaken."""
    wanted = [one.resolution_id for one in corrected.values()]
    texts = resolutions.texts(connection, wanted)
    found, met = [], set()
    overtaken = []
    for attempt in told:
        known = resolutions.by_hash(connection, resolution_hash(attempt.text))
        mine = corrected.get(known or 0)
        if mine is None or known is None:
            found.append(attempt)
            continue
        met.add(known)
        moved = mine.resolution_id != known
        text = texts[mine.resolution_id] if moved else attempt.text
        holds = attempt.verdict is mine.said
        verdict = mine.verdict if holds else attempt.verdict
        found.append(replace(attempt, text=text, verdict=verdict))
        if not holds:
            overtaken.append(f"{ATTEMPT}{known}")
    overtaken += [f"{ATTEMPT}{one}" for one in corrected if one not in met]
    return tuple(found), tuple(overtaken)
