"""A row and a mapping become a case, or a reject that says which field is wrong and why."""

import hashlib
import json
from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from datetime import datetime

from kbagent.model.case import AttemptRecord, CaseRecord, CaseStatus, LinkRecord, Reject
from kbagent.store.readers import values
from kbagent.store.readers.attempts import attempts_of
from kbagent.store.readers.choices import first_text, first_value, moment_in, scopes
from kbagent.store.readers.facets import flattened, gathered
from kbagent.store.readers.mapping import Mapping
from kbagent.store.readers.rows import Row, plain_name, rejected

_TITLE_CHARS = 160  # of the first line of a body that serves as title
_REFERENCE = frozenset({"link", "value", "display_value"})


class _Wrong(Exception):
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field, self.reason = field, reason


class Assembler:
    """Turns the rows of one export into cases by its mapping."""

    def __init__(self, mapping: Mapping, source: str | None, *, day_first: bool) -> None:
        self._mapping = mapping
        self._source = source
        self._day_first = day_first if mapping.day_first is None else mapping.day_first
        self._used = mapping.used

    def case(self, row: Row) -> CaseRecord | Reject | None:
        """The case in a row; None for a row that the mapping skips."""
        cells = self.prepared(row.values)
        if "skip" in self._mapping.case and first_value(self._mapping.case["skip"], cells):
            return None
        try:
            return self._case(cells, row.place)
        except _Wrong as wrong:
            shown = json.dumps(row.values, ensure_ascii=False, default=str)
            return rejected(row.place, wrong.field, wrong.reason, shown)

    def prepared(self, cells: dict[str, object]) -> dict[str, object]:
        """The row as expressions see it: names and references as the mapping wants them."""
        made = _unwrapped_members(cells) if self._mapping.unwrap else cells
        if not self._mapping.plain_names:
            return made
        plain: dict[str, object] = {}
        for name, value in made.items():
            key = plain_name(name)
            earlier = plain.get(key)
            plain[key] = _both(earlier, value) if earlier not in (None, "") else value
        return plain

    def _case(self, cells: dict[str, object], place: str) -> CaseRecord:
        title, body = self._texts(cells)
        opened, closed = self._moment("opened_at", cells), self._moment("closed_at", cells)
        status = self._status(cells, closed)
        attempts = self._attempts(cells, status)
        texts = (title, body, *(attempt.text for attempt in attempts))
        return CaseRecord(
            source=self._source or self._text("source", cells) or self._mapping.name,
            external_id=self._external_id(cells, title, body),
            title=title,
            body=body,
            status=status,
            opened_at=opened,
            closed_at=closed,
            url=self._text("url", cells) or None,
            facets=gathered(self._facets(cells), texts),
            attempts=attempts,
            links=tuple(dict.fromkeys(self._links(cells))),
            csat=self._csat(cells),
            minutes=self._minutes(cells, opened, closed),
            escalated=self._escalated(cells),
            place=place,
        )

    def _text(self, field: str, cells: AnyMapping[str, object]) -> str:
        choice = self._mapping.case.get(field)
        return first_text(choice, cells) if choice else ""

    def _texts(self, cells: AnyMapping[str, object]) -> tuple[str, str]:
        """Title and body; the first line of the body where there is no title."""
        title, body = " ".join(self._text("title", cells).split()), self._text("body", cells)
        if not title and not body:
            raise _Wrong("title", "there is neither a title nor a description")
        if not title:
            line = next(line for line in body.splitlines() if line.strip()).strip()
            title = line if len(line) <= _TITLE_CHARS else line[:_TITLE_CHARS].rstrip() + "…"
        return title, "" if body == title else body

    def _external_id(self, cells: AnyMapping[str, object], title: str, body: str) -> str:
        if "id" not in self._mapping.case:
            digest = hashlib.sha256(f"{title}\n{body}".encode()).hexdigest()
            return digest[:12]
        found = self._text("id", cells)
        if values.is_nothing(found):
            raise _Wrong("id", "is empty")
        return found

    def _status(self, cells: AnyMapping[str, object], closed: datetime | None) -> CaseStatus:
        """The first word that means a status; in an export without one, closed is resolved."""
        if "status" not in self._mapping.case:
            return CaseStatus.RESOLVED if closed else CaseStatus.UNKNOWN
        for expression in self._mapping.case["status"]:
            word = first_text((expression,), cells)
            known = values.status(word, self._mapping.status_words) if word else None
            if known is not None:
                return known
        return CaseStatus.UNKNOWN

    def _moment(self, field: str, cells: AnyMapping[str, object]) -> datetime | None:
        choice = self._mapping.case.get(field)
        try:
            return moment_in(self._mapping, choice, cells, day_first=self._day_first)
        except ValueError as error:
            raise _Wrong(field, str(error)) from error

    def _attempts(
        self, cells: AnyMapping[str, object], status: CaseStatus
    ) -> tuple[AttemptRecord, ...]:
        try:
            return attempts_of(self._mapping, cells, status, day_first=self._day_first)
        except ValueError as error:
            raise _Wrong("attempts", str(error)) from error

    def _links(self, cells: AnyMapping[str, object]) -> Iterator[LinkRecord]:
        for rule in self._mapping.links:
            for scope in scopes(rule.each, cells):
                other = first_text(rule.id, scope)
                if not values.is_nothing(other):
                    yield LinkRecord(rule.kind, other)

    def _csat(self, cells: AnyMapping[str, object]) -> float | None:
        word = self._text("csat", cells)
        try:
            return values.csat(word, self._mapping.csat_words, self._mapping.csat_scale)
        except ValueError as error:
            raise _Wrong("csat", str(error)) from error

    def _minutes(
        self, cells: AnyMapping[str, object], opened: datetime | None, closed: datetime | None
    ) -> float | None:
        try:
            stated = values.minutes(self._text("minutes", cells), self._mapping.minutes_unit)
        except ValueError as error:
            raise _Wrong("minutes", str(error)) from error
        if stated is not None:
            return stated
        if opened is None or closed is None or closed < opened:
            return None
        return (closed - opened).total_seconds() / 60.0

    def _escalated(self, cells: AnyMapping[str, object]) -> bool | None:
        choice = self._mapping.case.get("escalated")
        return values.truth(first_value(choice, cells)) if choice else None

    def _facets(self, cells: AnyMapping[str, object]) -> Iterator[tuple[str, str]]:
        for name, choice in self._mapping.facets.items():
            yield from _named(name, first_value(choice, cells))
        for rule in self._mapping.pairs:
            for item in scopes(rule.items, cells):
                name = plain_name(first_text((rule.name,), item))
                prefix = rule.items.reads[0][-1] if rule.items.reads else "field"
                key = f"{prefix}.{name}" if name.isdigit() else name
                yield from _named(key, first_value((rule.value,), item))
        if "facets" in self._mapping.case:
            yield from _own(first_value(self._mapping.case["facets"], cells))
        yield from flattened(cells, self._used)


def _named(name: str, value: object) -> Iterator[tuple[str, str]]:
    if value is not None and name:
        yield from flattened({name: value}, frozenset())


def _own(value: object) -> Iterator[tuple[str, str]]:
    """Facets that are already facets: an object, or a list of `[name, value]` pairs."""
    if isinstance(value, dict):
        yield from flattened(value, frozenset())
    elif isinstance(value, list):
        for pair in value:
            if isinstance(pair, list) and len(pair) == 2:
                text = values.as_text(pair[1])
                if text:
                    yield values.as_text(pair[0]), text


def _both(earlier: object, later: object) -> object:
    """Two columns of one name as one list."""
    one = earlier if isinstance(earlier, list) else [earlier]
    other = later if isinstance(later, list) else [later]
    return [*one, *(each for each in other if each not in (None, ""))]


def _unwrapped_members(cells: dict[str, object]) -> dict[str, object]:
    return {name: _unwrapped(value) for name, value in cells.items()}


def _unwrapped(value: object) -> object:
    """A reference `{link, value}` or `{display_value, value}` as what it shows."""
    if isinstance(value, dict) and value and _REFERENCE.issuperset(value):
        shown = value.get("display_value")
        return shown if shown not in (None, "") else value.get("value", "")
    return value
