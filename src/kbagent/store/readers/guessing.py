"""A first mapping for a file that nobody described: by the names of its columns and their values.

The guess is written as TOML with comments, and that text is what is loaded: what
`--show-mapping` prints is what the import does.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC

from kbagent.store.readers.rows import plain_name
from kbagent.store.readers.shape import Listing
from kbagent.store.readers.values import as_text, moment, status

_IDS = (
    "id", "key", "ticket_id", "ticket", "case_id", "case_number", "issue_key", "number",
    "issue_id", "ticket_number", "case", "incident", "incident_id", "external_id", "reference",
    "ref", "uuid", "question_id", "conversation_id", "request_id", "no", "nr",
)  # fmt: skip
_TITLES = (
    "title", "subject", "summary", "short_description", "headline", "question", "problem",
    "issue", "topic", "name", "query",
)  # fmt: skip
_BODIES = (
    "description", "body", "details", "text", "content", "message", "problem_description",
    "issue_description", "long_description", "question_text", "comment", "notes", "symptoms",
)  # fmt: skip
_OPENED = (
    "created_at", "opened_at", "created", "opened", "date_created", "created_on", "open_date",
    "creation_date", "created_date", "created_time", "reported_at", "submitted_at", "date",
    "timestamp", "time", "start_date",
)  # fmt: skip
_CLOSED = (
    "resolved_at", "closed_at", "solved_at", "resolved", "closed", "date_resolved",
    "close_date", "closed_on", "resolved_on", "resolution_date", "closed_time", "resolved_time",
    "end_date", "completed_at", "date_closed",
)  # fmt: skip
_STATUSES = (
    "status", "state", "ticket_status", "resolution_status", "case_status", "solved",
    "is_solved", "is_resolved", "resolved", "closed",
)  # fmt: skip
_RESOLUTIONS = (
    "resolution", "solution", "resolution_note", "resolution_notes", "resolution_text", "fix",
    "answer", "accepted_answer", "close_notes", "fix_notes", "workaround", "remedy",
    "resolution_details", "how_solved", "response", "final_answer",
)  # fmt: skip
_FAILED = (
    "failed_attempts", "tried", "attempted_fixes", "what_did_not_work", "previous_attempts",
)  # fmt: skip
_CODES = (
    "resolution_code", "close_code", "fix_code",
)  # fmt: skip
_URLS = (
    "url", "link", "html_url", "web_url", "permalink", "self",
)  # fmt: skip
_CSATS = (
    "csat", "satisfaction", "satisfaction_rating", "satisfaction_score",
    "customer_satisfaction", "rating", "csat_score",
)  # fmt: skip
_MINUTES = (
    "minutes", "minutes_to_resolve", "resolution_minutes", "time_to_resolve_minutes",
    "resolution_time_minutes", "handle_time_minutes", "time_spent_minutes",
)  # fmt: skip
_ESCALATED = (
    "escalated", "is_escalated", "was_escalated",
)  # fmt: skip
_DUPLICATES = (
    "duplicate_of", "duplicates", "merged_into", "parent_duplicate",
)  # fmt: skip
_DATED = 0.5  # share of the non-empty cells that must be dates; rows with another are rejected
_TEXTS = 0.02  # share of rows whose values may repeat in a column that is an id


class _Columns:
    """The columns of a sample, by plain name, each handed out once."""

    def __init__(self, listing: Listing) -> None:
        self.names = listing.names
        self._by_plain: dict[str, str] = {}
        for name in self.names:
            self._by_plain.setdefault(plain_name(name), name)
        self._rows = listing.rows
        self.taken: dict[str, str] = {}

    def cells(self, name: str) -> list[object]:
        return [row[name] for row in self._rows if row.get(name) not in (None, "")]

    def take(
        self, field: str, wanted: Sequence[str], fits: Callable[[list[object]], bool]
    ) -> str | None:
        for plain in wanted:
            name = self._by_plain.get(plain)
            if name is None or name in self.taken.values():
                continue
            if not fits(self.cells(name)):
                continue
            self.taken[field] = name
            return name
        return None

    def untaken(self) -> Iterator[str]:
        return (name for name in self.names if name not in self.taken.values())


def _scalar(cells: Sequence[object]) -> bool:
    return not any(isinstance(cell, dict | list) for cell in cells)


def _is_id(cells: Sequence[object]) -> bool:
    if not _scalar(cells) or not cells:
        return False
    texts = [as_text(cell) for cell in cells]
    repeated = len(texts) - len(set(texts))
    return repeated <= _TEXTS * len(texts) and max(map(len, texts)) <= 80


def _is_dated(cells: Sequence[object]) -> bool:
    """Whether most cells are dates; a column without any value is one."""
    return _share_of_dates(cells) >= _DATED


def _share_of_dates(cells: Sequence[object]) -> float:
    good = 0
    for cell in cells:
        try:
            good += moment(cell, day_first=True, zone=UTC) is not None
        except ValueError:
            continue
    return good / len(cells) if cells else 1.0


def _is_status(cells: Sequence[object]) -> bool:
    known = sum(status(as_text(cell), {}) is not None for cell in cells)
    return _scalar(cells) and (not cells or known >= 0.5 * len(cells))


def _is_share(cells: Sequence[object]) -> bool:
    return bool(cells) and _scale_of(cells) is not None


def _scale_of(cells: Sequence[object]) -> tuple[float, float] | None:
    """The scale of numeric ratings: 0 to 1, 1 to 5, 0 to 10 or 0 to 100."""
    try:
        numbers = [float(as_text(cell)) for cell in cells]
    except ValueError:
        return None
    low, high = min(numbers), max(numbers)
    for scale in ((0.0, 1.0), (1.0, 5.0), (0.0, 10.0), (0.0, 100.0)):
        if scale[0] <= low and high <= scale[1]:
            return scale
    return None


def _is_numeric(cells: Sequence[object]) -> bool:
    try:
        return all(float(as_text(cell)) >= 0 for cell in cells)
    except ValueError:
        return False


def _longest_text(columns: _Columns) -> str | None:
    """The column with the longest texts, when they are texts of several words."""
    best, best_length = None, 0.0
    for name in columns.untaken():
        cells = columns.cells(name)
        if not cells or not all(isinstance(cell, str) for cell in cells):
            continue
        words = sum(len(str(cell).split()) for cell in cells) / len(cells)
        length = sum(len(str(cell)) for cell in cells) / len(cells)
        if words >= 3 and length > best_length:
            best, best_length = name, length
    return best


def guessed(listing: Listing, layout: str, stem: str) -> str | None:
    """A mapping for a generic file as TOML; None when no column holds any text of a problem."""
    columns = _Columns(listing)
    columns.take("id", _IDS, _is_id)
    columns.take("opened_at", _OPENED, _is_dated)
    columns.take("closed_at", _CLOSED, _is_dated)
    columns.take("status", _STATUSES, _is_status)
    columns.take("resolution", _RESOLUTIONS, _scalar)
    columns.take("failed", _FAILED, _scalar)
    columns.take("title", _TITLES, _scalar)
    columns.take("body", _BODIES, _scalar)
    if "title" not in columns.taken and "body" not in columns.taken:
        longest = _longest_text(columns)
        if longest is None:
            return None
        columns.taken["body"] = longest
    columns.take("url", _URLS, _scalar)
    columns.take("csat", _CSATS, _is_share)
    columns.take("minutes", _MINUTES, _is_numeric)
    columns.take("escalated", _ESCALATED, _scalar)
    columns.take("code", _CODES, _scalar)
    columns.take("duplicate", _DUPLICATES, _scalar)
    return "\n".join(_written(columns, listing, layout, stem)) + "\n"


def quoted(name: str) -> str:
    """A column name as a JMESPath expression within TOML quotes.

    >>> print(quoted("Ticket ID"), quoted("id"))
    '"Ticket ID"' "id"
    """
    if name.replace("_", "a").isalnum() and name.isascii() and not name[0].isdigit():
        return f'"{name}"'
    expression = json.dumps(name)
    return (
        f"'{expression}'"
        if "'" not in expression and expression.isprintable()
        else json.dumps(expression)
    )


def _written(columns: _Columns, listing: Listing, layout: str, stem: str) -> Iterator[str]:
    taken = columns.taken
    yield "# A mapping guessed from the names and first values of the columns. Check it, change it,"
    yield "# and import with --map THIS_FILE. The language: docs/import.md, JMESPath: jmespath.org."
    yield f'name = "{stem}"  # the source of its cases: {stem}:ID'
    yield f'layout = "{layout}"'
    if layout == "json":
        yield f"items = {json.dumps('.'.join(listing.path) or '@')}  # where the list of cases is"
    yield ""
    yield "[case]"
    for field, comment in _COMMENTS.items():
        if field in taken:
            yield f"{field} = {quoted(taken[field])}{comment}"
    if "id" not in taken:
        yield '# id = "…"  # no column is an id: a case is known by its text'
    yield from _written_rules(columns)


_COMMENTS = {
    "id": "", "title": "", "body": "", "status": "  # [status] below may list its words",
    "opened_at": "", "closed_at": "", "url": "", "csat": "",
    "minutes": "  # time to resolve in minutes", "escalated": "",
}  # fmt: skip


def _written_rules(columns: _Columns) -> Iterator[str]:
    taken = columns.taken
    scale = _scale_of(columns.cells(taken["csat"])) if "csat" in taken else None
    if scale is not None:
        yield from ("", "[csat]", f"scale = [{scale[0]:g}, {scale[1]:g}]  # worst and best")
    dated = [
        cell
        for field in ("opened_at", "closed_at")
        if field in taken
        for cell in columns.cells(taken[field])
    ]
    if dated and any("/" in as_text(cell) for cell in dated):
        order = "day-first" if reads_day_first(dated) else "month-first"
        yield from ("", "[dates]", f'order = "{order}"  # what 03/04/2025 means')
    if "resolution" in taken:
        yield from ("", "[[attempts]]", f"text = {quoted(taken['resolution'])}")
        if "code" in taken:
            yield f"code = {quoted(taken['code'])}"
        yield 'when_resolved = "last"  # worked if the case is resolved; "none": unknown'
        if "status" not in taken and "closed_at" not in taken:
            yield "# The file does not say which cases are resolved, so nothing is known to have"
            yield "# worked. If every resolution in it did:"
            yield "# worked = \"'yes'\""
    if "failed" in taken:
        yield from ("", "[[attempts]]", f"text = {quoted(taken['failed'])}", "failed = \"'yes'\"")
    if "duplicate" in taken:
        yield from ("", "[[links]]", 'kind = "duplicate"', f"id = {quoted(taken['duplicate'])}")
    facets = [plain_name(name) for name in columns.untaken()]
    if facets:
        yield ""
        yield f"# These become facets: {', '.join(facets)}"
        yield "# [facets]  # to give one another name, or to reach into nested values"
        yield f"# version = {quoted(next(columns.untaken()))}"


def reads_day_first(cells: Sequence[object]) -> bool:
    """Whether `03/04/2025` is the third of April here: some first number is greater than 12.

    Without evidence it is the fourth of March.
    """
    firsts: list[int] = []
    for cell in cells:
        parts = as_text(cell).replace("-", "/").replace(".", "/").split("/")
        if len(parts) >= 3 and parts[0].isdigit() and parts[1].isdigit() and len(parts[0]) <= 2:
            firsts.append(int(parts[0]))
    return any(first > 12 for first in firsts)
