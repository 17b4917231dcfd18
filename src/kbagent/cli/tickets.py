"""The tickets of `kbagent route --batch`: a line each, or the entries of a JSON array.

A line is the ticket in plain words, or a JSON object with `query`, `text`, or `title` and `body`,
an id under `id`, `external_id`, `key` or `name`, and what is known of it under `facets`. A file
that is one JSON array (or, called `.json`, one object) holds one ticket an entry. A line that is a
number or a list in JSON is no ticket; one in quotes is what they hold. What cannot be read is named
by its place and leaves the others alone.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kbagent.cli.options import read_text
from kbagent.errors import UsageError
from kbagent.model.ticket import Ticket

_IDS = ("id", "external_id", "key", "name")
_WHOLE = ("query", "text")
_PARTS = ("title", "body")


@dataclass(frozen=True, slots=True)
class Refused:
    """A ticket that cannot be read: where it stands ('line 3'), what it calls itself, why."""

    place: str
    reason: str
    name: object | None = None


def read_tickets(file: str) -> tuple[list[Ticket], list[Refused]]:
    """The tickets of a file, - for standard input, and those that cannot be read.

    Raises:
        UnreadableFile: the file cannot be read.
        UsageError: no ticket of it can be read, or a `.json` file is cut off.
    """
    whole = (
        sys.stdin.buffer.read().decode("utf-8-sig", "replace")
        if file == "-"
        else read_text(Path(file))
    )
    found = [_read(place, value) for place, value in _entries(file, whole)]
    tickets = [one for one in found if isinstance(one, Ticket)]
    refused = [one for one in found if isinstance(one, Refused)]
    if not tickets:
        first = f" {refused[0].place}: {refused[0].reason}." if refused else ""
        named = "Standard input" if file == "-" else file
        raise UsageError(what=f"{named} holds no ticket: one a line is wanted.{first}")
    return tickets, refused


def _entries(file: str, whole: str) -> Iterator[tuple[str, object]]:
    """(place, line or entry) of each."""
    array = _array(file, whole)
    if array is not None:
        yield from ((f"entry {i}", one) for i, one in enumerate(array, start=1))
        return
    # Not `splitlines`, which would also cut a JSON line at the separators of Unicode.
    for i, line in enumerate(whole.split("\n"), start=1):
        if line.strip():
            yield f"line {i}", _line(line.strip())


def _line(line: str) -> object:
    """What a line holds: itself, or the bare JSON value that it is; `[urgent] …` is none."""
    if line.startswith("{"):
        return line
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line


def _array(file: str, whole: str) -> Sequence[object] | None:
    """The entries of a JSON array; None for lines, such as one that begins with [urgent].

    Raises:
        UsageError: a `.json` file that begins as an array is none.
    """
    is_json = file.casefold().endswith(".json")
    if not (is_json or whole.lstrip().startswith("[")):
        return None
    try:
        found = json.loads(whole)
    except (ValueError, RecursionError) as error:
        if is_json and whole.lstrip().startswith("["):  # no lines to fall back on
            raise UsageError(what=f"{file} is no JSON array as a whole: {error}") from error
        return None
    if isinstance(found, list):
        return [json.dumps(one) if isinstance(one, dict) else one for one in found]
    return [json.dumps(found)] if is_json and isinstance(found, dict) else None


def _read(place: str, value: object) -> Ticket | Refused:
    if not isinstance(value, str):
        return Refused(place, "a ticket is a text or an object")
    if not value.startswith("{"):
        return Ticket(_sound(value)) if value.strip() else Refused(place, "it is empty")
    try:
        values: dict[str, Any] = json.loads(value)
    except (ValueError, RecursionError):
        return Refused(place, "it is no JSON object")
    name = next((values[key] for key in _IDS if values.get(key) is not None), None)
    name = _sound(name) if isinstance(name, str) else name
    text = _text(values)
    if text is None:
        return Refused(place, "give the ticket as query, text, or title and body", name)
    facets = values.get("facets", {})
    if not isinstance(facets, dict):
        return Refused(place, "facets are an object of names and values", name)
    return Ticket(text, name, tuple(_facets(facets)))


def _facets(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every value that is a word, a number or a truth, those of lists each by itself."""
    for name, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, bool):
                yield _sound(name), str(one).lower()
            elif isinstance(one, str | int | float):
                yield _sound(name), _sound(str(one))


def _text(values: dict[str, Any]) -> str | None:
    """The words of a ticket, None when there are none."""
    told = {
        key: _sound(values[key]).strip()
        for key in (*_WHOLE, *_PARTS)
        if isinstance(values.get(key), str)
    }
    whole = next((told[key] for key in _WHOLE if told.get(key)), None)
    return whole or "\n\n".join(told[key] for key in _PARTS if told.get(key)) or None


def _sound(text: str) -> str:
    """Without halves of characters, which JSON can hold and nothing can write."""
    return text.encode("utf-8", "replace").decode("utf-8")
