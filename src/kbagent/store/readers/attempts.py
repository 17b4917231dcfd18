"""What was tried on a case, and what became of it, as far as the export says so.

A resolved case proves the attempts that the mapping names (`when_resolved`), a reopened case
turns its last attempt into a failed one, and nothing is concluded of an answer that merely was
not chosen: its outcome is unknown.
"""

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kbagent.model.case import AttemptRecord, CaseStatus, Verdict
from kbagent.store.readers import values
from kbagent.store.readers.choices import first_text, first_value, moment_in, scopes
from kbagent.store.readers.mapping import AttemptRule, Mapping

_SAID = (("failed", Verdict.FAILED), ("worked", Verdict.WORKED), ("partly", Verdict.PARTLY))


@dataclass(frozen=True, slots=True)
class _Tried:
    """An attempt, and whether the export itself says what became of it."""

    attempt: AttemptRecord
    said: bool


def attempts_of(
    mapping: Mapping, row: AnyMapping[str, object], status: CaseStatus, *, day_first: bool
) -> tuple[AttemptRecord, ...]:
    """All attempts of a row in the order of the export; empty texts are none.

    Raises: ValueError with field and reason for a date or a verdict that cannot be read.
    """
    found: list[AttemptRecord] = []
    for rule in mapping.attempts:
        tried = [
            attempt
            for scope in scopes(rule.each, row)
            if rule.only is None or _holds(first_value((rule.only,), scope))
            if (attempt := _attempt(mapping, rule, scope, day_first=day_first)) is not None
        ]
        found.extend(_concluded(tried, rule.when_resolved, status))
    distinct = _without_copies(found)
    return _reopened(distinct) if status is CaseStatus.REOPENED else tuple(distinct)


def _attempt(
    mapping: Mapping, rule: AttemptRule, scope: AnyMapping[str, object], *, day_first: bool
) -> _Tried | None:
    text = first_text(rule.fields["text"], scope)
    if values.is_nothing(text):
        return None
    fields = rule.fields
    steps = first_value(fields["steps"], scope) if "steps" in fields else None
    verdict = _verdict(rule, scope)
    attempt = AttemptRecord(
        text=text,
        verdict=verdict or Verdict.UNKNOWN,
        at=moment_in(mapping, fields.get("at"), scope, day_first=day_first),
        by=_text_or_none(rule, "by", scope),
        code=_text_or_none(rule, "code", scope),
        external_id=_text_or_none(rule, "id", scope),
        steps=tuple(map(values.as_text, steps)) if isinstance(steps, list) else (),
    )
    return _Tried(attempt, said=verdict is not None)


def _text_or_none(rule: AttemptRule, name: str, scope: AnyMapping[str, object]) -> str | None:
    return first_text(rule.fields[name], scope) or None if name in rule.fields else None


def _verdict(rule: AttemptRule, scope: AnyMapping[str, object]) -> Verdict | None:
    """What the export says of an attempt; None when it says nothing."""
    for name, verdict in _SAID:
        if name in rule.fields and _holds(first_value(rule.fields[name], scope)):
            return verdict
    word = first_text(rule.fields["verdict"], scope) if "verdict" in rule.fields else ""
    return values.verdict(word, rule.verdicts)


def _holds(value: object) -> bool:
    """A condition holds unless its value is empty, false, no or 0."""
    return bool(value) and values.truth(value) is not False


def _concluded(
    tried: Sequence[_Tried], when_resolved: str, status: CaseStatus
) -> list[AttemptRecord]:
    """What a resolved case proves of attempts of which nothing else is said."""
    made = [each.attempt for each in tried]
    if status is not CaseStatus.RESOLVED or when_resolved == "none" or not made:
        return made
    chosen = range(len(made)) if when_resolved == "all" else [_last(made)]
    for i in chosen:
        if not tried[i].said:
            made[i] = replace(made[i], verdict=Verdict.WORKED)
    return made


def _last(made: Sequence[AttemptRecord]) -> int:
    """The latest attempt by its date; by its place where a date is missing."""
    if any(attempt.at is None for attempt in made):
        return len(made) - 1
    dates: list[datetime] = [attempt.at for attempt in made if attempt.at is not None]
    return max(range(len(made)), key=lambda i: (dates[i], i))


def _reopened(made: Sequence[AttemptRecord]) -> tuple[AttemptRecord, ...]:
    if not made:
        return ()
    last = _last(made)
    return tuple(
        replace(attempt, verdict=Verdict.FAILED) if i == last else attempt
        for i, attempt in enumerate(made)
    )


def _without_copies(found: Sequence[AttemptRecord]) -> list[AttemptRecord]:
    """The same text at the same time is one attempt, with the verdict that says more."""
    kept: dict[tuple[str, datetime | None, str | None], AttemptRecord] = {}
    for attempt in found:
        key = (attempt.text, attempt.at, attempt.external_id)
        earlier = kept.get(key)
        if earlier is None or earlier.verdict is Verdict.UNKNOWN:
            kept[key] = attempt
    return list(kept.values())
