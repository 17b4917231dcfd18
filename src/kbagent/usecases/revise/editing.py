"""Putting a case right by hand: title, text, columns, and what was tried with which verdict.

What it said before is kept (`case_versions`, the ledger, the decision), the text is encoded anew
and found at once. How a correction outlasts the next import is in `retain.corrections`. Attempts
are put right, not added or taken away: `kbagent worked R --case CASE` adds what was tried.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kbagent.core.text.redaction import Redactor
from kbagent.errors import UnknownHandle, UsageError
from kbagent.model.case import Attempt, AttemptRecord, Case, CaseRecord, Verdict
from kbagent.model.outcome import Outcome, OutcomeSource
from kbagent.store import cases, decisions, ledger, passages, purge, resolutions
from kbagent.store.decisions import Decision
from kbagent.store.encoder.passages import passages as split_passages
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.maintain.encoding import enrolled
from kbagent.usecases.maintain.indexing import refresh_indexes
from kbagent.usecases.retain.attempts import resolution_hash
from kbagent.usecases.retain.corrections import (
    ATTEMPT,
    EDIT,
    FACET,
    OVERTAKEN,
    TEXT,
    TITLE,
    digest,
    edits_of,
    values_of,
    with_values,
)
from kbagent.usecases.revise.families import named_case


@dataclass(frozen=True, slots=True)
class TriedText:
    """One attempt as it is edited: its resolution's handle stays, text and verdict may change."""

    resolution_id: int
    text: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class CaseText:
    """What of a case can be put right."""

    title: str
    body: str
    facets: tuple[tuple[str, str], ...]
    attempts: tuple[TriedText, ...]


@dataclass(frozen=True, slots=True)
class Edited:
    """A case that was put right: in what, and by which decision."""

    case: Case
    columns: tuple[str, ...]
    decision: int


def case_text(kb: KnowledgeBase, ref: str) -> CaseText:
    """A case as it can be edited.

    Raises:
        UnknownHandle: there is no such case.
        UsageError: it was purged.
    """
    case = named_case(kb, ref)
    if case.title == purge.GONE and case.withdrawn_at is not None:
        raise UsageError(what=f"{case.ref} was purged: there is nothing left to edit.")
    attempts = resolutions.attempts_of(kb.connection, [case.id])
    texts = resolutions.texts(kb.connection, [one.resolution_id for one in attempts])
    return CaseText(
        case.title,
        case.body,
        tuple(cases.facets(kb.connection, case.id)),
        tuple(TriedText(a.resolution_id, texts[a.resolution_id], a.verdict) for a in attempts),
    )


def edit(
    kb: KnowledgeBase,
    encoder: Encoder,
    ref: str,
    wanted: CaseText,
    *,
    base: CaseText | None = None,
    by: str | None = None,
    redactor: Redactor | None = None,
) -> Edited | None:
    """Put a case right; None when nothing is different. New texts are redacted as in an import.

    `base` is what was edited: a column of it that changed meanwhile is not overwritten.

    Raises:
        UnknownHandle: there is no such case, or no such attempt on it.
        UsageError: neither title nor text is left, or it was changed meanwhile.
    """
    model = enrolled(kb, encoder)
    with kb.database.write():
        case, now = named_case(kb, ref), case_text(kb, ref)
        if base is not None and base != now:
            raise UsageError(what=f"{case.ref} was changed meanwhile; nothing was edited.")
        wanted = _redacted(now, wanted, redactor or Redactor())
        if not (wanted.title.strip() or wanted.body.strip()):
            raise UsageError(what="A case needs a title or a description; nothing was edited.")
        columns = columns_changed(now, wanted)
        if not columns:
            return None
        data = {"case": case.id, "said": _said(now, columns)}
        data["attempts"] = _put_attempts_right(kb, case, now, wanted, by)
        data["version"] = _rewrite(kb, encoder, model.id, case, now, wanted)
        decision = decisions.add(kb.connection, EDIT, kb.clock(), by=by, data=data)
        told = {"case": case.id, "columns": list(columns)}
        ledger.record_event(kb.connection, None, EDIT, kb.clock(), by, told)
    refresh_indexes(kb, model)
    return Edited(named_case(kb, ref), columns, decision)


def undo(kb: KnowledgeBase, encoder: Encoder, decision_id: int, *, by: str | None = None) -> Edited:
    """Take a correction back: each column says again what it said before it.

    Raises:
        UnknownHandle: there is no such correction, or it is taken back already.
        UsageError: a later correction of the same columns has to go first.
    """
    model = enrolled(kb, encoder)
    with kb.database.write():
        decision = _correction(kb, decision_id)
        case = cases.by_ids(kb.connection, [int(decision.data["case"])])[decision.data["case"]]
        _refuse_if_later(kb, decision)
        now = case_text(kb, case.ref)
        before = _before(kb, decision, now, _overtaken_since(kb, decision))
        _put_attempts_right(kb, case, now, before, by)
        _rewrite(kb, encoder, model.id, case, now, before)
        decisions.add(kb.connection, f"undo {EDIT}", kb.clock(), by=by, undoes=decision.id)
    refresh_indexes(kb, model)
    return Edited(case, columns_changed(now, before), decision.id)


def columns_changed(before: CaseText, after: CaseText) -> tuple[str, ...]:
    """The columns in which two texts of a case differ, as `show` names them.

    Raises:
        UnknownHandle: an attempt is named that was not made.
    """
    found = [TITLE] if before.title != after.title else []
    found += [TEXT] if before.body != after.body else []
    names = dict.fromkeys(name for name, _ in (*before.facets, *after.facets))
    for name in names:
        if values_of(before.facets, name) != values_of(after.facets, name):
            found.append(f"{FACET}{name}")
    known = {one.resolution_id: one for one in before.attempts}
    for one in after.attempts:
        if one.resolution_id not in known:
            hint = "It was not tried on this case: `kbagent worked R --case CASE` says so."
            raise UnknownHandle(handle=f"r{one.resolution_id}", hint=hint)
        if one != known[one.resolution_id]:
            found.append(f"{ATTEMPT}{one.resolution_id}")
    return tuple(found)


def _redacted(before: CaseText, after: CaseText, redactor: Redactor) -> CaseText:
    """What is new, redacted; what was there stays as it was stored."""

    def clean(new: str, old: Sequence[str]) -> str:
        return new if new in old else redactor.redact(new).text

    texts = {one.resolution_id: one.text for one in before.attempts}
    return CaseText(
        clean(after.title.strip(), [before.title]),
        clean(after.body, [before.body]),
        tuple((name, clean(value, values_of(before.facets, name))) for name, value in after.facets),
        tuple(
            replace(one, text=clean(one.text.strip(), [texts.get(one.resolution_id, "")]))
            for one in after.attempts
        ),
    )


def _said(before: CaseText, columns: Sequence[str]) -> dict[str, str]:
    """The digests of what the changed columns say, by which the source is compared later."""
    said = {TITLE: digest(before.title), TEXT: digest(before.body)}
    for name in {name for name, _ in before.facets}:
        said[f"{FACET}{name}"] = digest(values_of(before.facets, name))
    wanted = [one for one in columns if not one.startswith(ATTEMPT)]
    return {one: said.get(one, digest(())) for one in wanted}


def _rewrite(
    kb: KnowledgeBase,
    encoder: Encoder,
    model_id: int,
    case: Case,
    before: CaseText,
    after: CaseText,
) -> int:
    """Store title, text and columns; the id of the version that is kept of what they said."""
    connection = kb.connection
    stored = cases.stored(connection, case.source, case.external_id)
    assert stored is not None  # noqa: S101 -- it was just read
    record = CaseRecord(
        source=case.source,
        external_id=case.external_id,
        title=after.title,
        body=after.body,
        status=case.status,
        opened_at=case.opened_at,
        closed_at=case.closed_at,
        url=case.url,
        facets=after.facets,
        csat=case.csat,
        minutes=case.minutes,
        escalated=case.escalated,
    )
    cases.replace(connection, case.id, record, stored.record_hash, kb.clock())
    if (before.title, before.body) != (after.title, after.body):
        texts = list(split_passages(after.title, after.body, encoder))
        passages.retire(connection, case.id)
        passages.insert(
            connection,
            model_id,
            case.id,
            [passages.text_hash(text) for text in texts],
            [passages.to_blob(vector) for vector in encoder.encode(texts)],
        )
        passages.insert_document(connection, case.id)
    return cases.last_version(connection, case.id)


def _put_attempts_right(
    kb: KnowledgeBase, case: Case, before: CaseText, after: CaseText, by: str | None
) -> list[list[object]]:
    """Change what was tried; for each change [from, to, verdict before, verdict now]."""
    known = {one.resolution_id: one for one in before.attempts}
    attempts = {a.resolution_id: a for a in resolutions.attempts_of(kb.connection, [case.id])}
    changed: list[list[object]] = []
    for one in after.attempts:
        was = known[one.resolution_id]
        if one == was:
            continue
        attempt, target = attempts[one.resolution_id], one.resolution_id
        if one.text != was.text:
            target = _resolution(kb, one.text)
            if target in attempts and target != one.resolution_id:
                raise UsageError(what=f"r{target} says just that and was tried on {case.ref} too.")
        if target == one.resolution_id:
            resolutions.set_verdict(kb.connection, attempt.id, one.verdict)
        else:
            _replace_attempt(kb, attempt, target, one)
        _correct_outcomes(kb, case, attempt, target, one.verdict, by)
        changed.append([one.resolution_id, target, str(was.verdict), str(one.verdict)])
    return changed


def _resolution(kb: KnowledgeBase, text: str) -> int:
    if not text.strip():
        raise UsageError(what="A resolution's text is empty; nothing was edited.")
    record = AttemptRecord(text)
    return resolutions.intern(kb.connection, record, resolution_hash(text), kb.clock())


def _replace_attempt(kb: KnowledgeBase, attempt: Attempt, target: int, wanted: TriedText) -> None:
    """Another resolution was tried than was told; the former attempt is kept, retired."""
    now = kb.clock()
    resolutions.retire_attempt(kb.connection, attempt.id, now)
    record = AttemptRecord(wanted.text, wanted.verdict, attempt.at, attempt.by)
    resolutions.insert_attempt(kb.connection, attempt.case_id, target, attempt.ordinal, record, now)


def _correct_outcomes(
    kb: KnowledgeBase, case: Case, attempt: Attempt, target: int, verdict: Verdict, by: str | None
) -> None:
    """The ledger follows: what counted of the attempt counts as it is now, by another entry.

    Who reported an outcome of it explicitly is corrected likewise; it counts once from now on.
    """
    now = kb.clock()
    standing = [
        one
        for one in ledger.standing(kb.connection, [case.id])
        if one.resolution_id == attempt.resolution_id
    ]
    base = standing[-1] if standing else None
    moved = target != attempt.resolution_id
    for one in standing if moved else standing[:-1]:
        gone = replace(one, verdict=Verdict.UNKNOWN, undoes=one.id)
        _append(kb, gone, by, "corrected")
    if verdict is Verdict.UNKNOWN and (moved or base is None):
        return
    entry = base or Outcome(
        id=0,
        uid="",
        recorded_at=now,
        happened_at=attempt.at or case.closed_at or case.opened_at or now,
        case_id=case.id,
        resolution_id=target,
        verdict=verdict,
        source=OutcomeSource.INFERRED,
    )
    if not moved and base is not None and base.verdict is verdict:
        return
    said = "corrected" if base is None else f"corrected: {base.verdict} became {verdict}"
    new = replace(
        entry,
        resolution_id=target,
        verdict=verdict,
        source=OutcomeSource.INFERRED,
        undoes=None if moved or base is None else base.id,
    )
    _append(kb, new, by, said)


def _append(kb: KnowledgeBase, entry: Outcome, by: str | None, reason: str) -> None:
    now, uid = kb.clock(), uuid.uuid4().hex
    ledger.append(kb.connection, replace(entry, uid=uid, recorded_at=now, by=by, reason=reason))


def _correction(kb: KnowledgeBase, decision_id: int) -> Decision:
    found = decisions.get(kb.connection, decision_id)
    if found is None or found.kind != EDIT or found.undoes is not None:
        raise UnknownHandle(handle=str(decision_id), hint="`kbagent show CASE` names them.")
    if decisions.is_undone(kb.connection, decision_id):
        raise UnknownHandle(handle=str(decision_id), hint="It is taken back already.")
    return found


def _refuse_if_later(kb: KnowledgeBase, decision: Decision) -> None:
    mine = set(decision.data.get("said", {}))
    results = {change[1] for change in decision.data.get("attempts", [])}
    for one in decisions.standing(kb.connection, EDIT):
        if one.id <= decision.id or one.data["case"] != decision.data["case"]:
            continue
        again = {change[0] for change in one.data.get("attempts", [])}
        if mine & set(one.data.get("said", {})) or results & again:
            raise UsageError(
                what=f"Correction {one.id} came later and concerns the same; take it back first:"
                f" `kbagent case undo {one.id}`."
            )


def _overtaken_since(kb: KnowledgeBase, decision: Decision) -> set[str]:
    """The columns in which the source has said something new since; those stay as they are."""
    later = edits_of(kb.connection, int(decision.data["case"]))
    return {
        column
        for one in later
        if one.kind == OVERTAKEN and one.id > decision.id
        for column in one.data["columns"]
    }


def _before(kb: KnowledgeBase, decision: Decision, now: CaseText, left: set[str]) -> CaseText:
    """What the corrected columns said before; all others, and those of `left`, as they are."""
    kept: Mapping[str, object] = cases.version(kb.connection, int(decision.data["version"]))
    pairs = tuple((str(n), str(v)) for n, v in kept["facets"])  # type: ignore[attr-defined]
    said = [one for one in decision.data.get("said", {}) if one not in left]
    facets = now.facets
    for column in [one for one in said if one.startswith(FACET)]:
        name = column.removeprefix(FACET)
        facets = with_values(facets, name, values_of(pairs, name))
    changes = [one for one in decision.data.get("attempts", []) if f"{ATTEMPT}{one[0]}" not in left]
    texts = resolutions.texts(kb.connection, [change[0] for change in changes])
    back = {to: (texts[start], Verdict(was)) for start, to, was, _ in changes}
    return CaseText(
        str(kept["title"]) if TITLE in said else now.title,
        str(kept["body"]) if TEXT in said else now.body,
        facets,
        tuple(
            TriedText(one.resolution_id, *back[one.resolution_id])
            if one.resolution_id in back
            else one
            for one in now.attempts
        ),
    )
