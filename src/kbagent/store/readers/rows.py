"""What every reader of a layout gives: the cells of one row under their names, and its place."""

import re
from dataclasses import dataclass

from kbagent.model.case import Reject
from kbagent.store.readers import limits


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table or one item of a list; `values` is a JSON object."""

    values: dict[str, object]
    place: str


def rejected(place: str, field: str, reason: str, row: str) -> Reject:
    """A reject whose row is short enough to be shown."""
    cut = row if len(row) <= limits.REJECTED_CHARS else row[: limits.REJECTED_CHARS] + "…"
    return Reject(place, field, reason, cut.encode("utf-8", "replace").decode("utf-8"))


_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BETWEEN = re.compile(r"[^\w.]+", re.UNICODE)


def plain_name(name: str) -> str:
    """A column's name as facets and mappings write it: lower case, words joined by `_`.

    >>> [plain_name(n) for n in ("Affects Version/s", "Ticket ID", "closedAt", "Custom field (OS)")]
    ['affects_version_s', 'ticket_id', 'closed_at', 'custom_field_os']
    """
    spaced = _CAMEL.sub("_", name.strip())
    return _BETWEEN.sub("_", spaced).strip("_").lower()
