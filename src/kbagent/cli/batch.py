"""`kbagent search --batch`: many queries in, one JSON object a line out.

A line is a query in plain words, or a JSON object with `query` and any of `where`, `since`,
`until`, `source`, `resolved`, `limit` and `id`; what it leaves out is as the options say. Each
answer is that of `--format json` on one line, with the `id` of its question where it had one. A
line that cannot be asked is answered with `error`, and the exit code is 4.
"""

import json
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import typer

from kbagent.cli.output import tell, to_json, write
from kbagent.cli.requests import Narrowing, request_of
from kbagent.cli.screens.search import search_json
from kbagent.errors import BadValue, ExitCode, KbagentError, UnreadableFile
from kbagent.model.lookup import Request
from kbagent.store.knowledge_base import KnowledgeBase, open_knowledge_base
from kbagent.usecases.maintain.encoding import serving_encoder

if TYPE_CHECKING:
    from kbagent.store.encoder.session import Encoder

_LISTS = ("where", "source")
_TEXTS = ("since", "until")
_KNOWN = {"query", "id", "limit", "resolved", *_LISTS, *_TEXTS}


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a line of a batch does not say itself."""

    narrowing: Narrowing
    limit: int
    everything: bool


@dataclass(frozen=True, slots=True)
class Question:
    """A line as it was read: what is asked, or why it cannot be, and what it calls itself."""

    asked: Request | str
    name: object | None = None


def answer_each(
    file: str,
    narrowing: Narrowing,
    folder: Path,
    *,
    limit: int,
    everything: bool,
    by: str | None,
) -> None:
    """Answer every line of `file` (- for standard input) on stdout.

    Raises:
        UnreadableFile: the file cannot be read.
        typer.Exit: with code 4, when a line could not be asked.
    """
    refused = 0
    defaults = Defaults(narrowing, limit, everything)
    with _opened(file) as stream, open_knowledge_base(folder, notify=tell) as base:
        asked = (question(base, line, defaults) for line in _lines(stream))
        for answer in answers(base, serving_encoder(base), asked, by=by):
            refused += "error" in answer
            write(to_json(answer, indent=None))
    if refused:
        raise typer.Exit(ExitCode.PARTLY_DONE)


def question(kb: KnowledgeBase, line: str, defaults: Defaults) -> Question:
    """What a line asks."""
    name = None
    try:
        values = _values(line)
        name = values.get("id")
        limit = values.get("limit", defaults.limit)
        if not isinstance(limit, int) or not 1 <= limit <= 1000:
            raise BadValue(name="limit", value=str(limit), reason="write 1 to 1000")
        told = {key: values[key] for key in (*_LISTS, *_TEXTS, "resolved") if key in values}
        asked = request_of(
            kb,
            str(values["query"]).strip(),
            replace(defaults.narrowing, **told),
            limit=limit,
            everything=defaults.everything,
        )
    except KbagentError as error:
        return Question(str(error), name)
    return Question(asked, name)


def answers(
    kb: KnowledgeBase, encoder: "Encoder", questions: Iterable[Question], *, by: str | None
) -> Iterator[dict[str, Any]]:
    """The answer to each question, in order; a bad one is answered with `error`."""
    from kbagent.usecases.retrieve.batch import attempt_each

    waiting: deque[Question] = deque()

    def asked() -> Iterator[Request]:
        for one in questions:
            waiting.append(one)
            if isinstance(one.asked, Request):
                yield one.asked

    for found in attempt_each(kb, encoder, asked(), by=by):
        yield from _refused(waiting)
        if isinstance(found, KbagentError):
            yield _named(waiting.popleft(), {"error": str(found)})
        else:
            yield _named(waiting.popleft(), search_json(found))
    yield from _refused(waiting)


def _refused(waiting: deque[Question]) -> Iterator[dict[str, Any]]:
    """Those that stand first and could not be asked."""
    while waiting and isinstance(waiting[0].asked, str):
        one = waiting.popleft()
        yield _named(one, {"error": one.asked})


def _named(one: Question, answer: dict[str, Any]) -> dict[str, Any]:
    return answer if one.name is None else {"id": one.name, **answer}


def _values(line: str) -> Mapping[str, Any]:
    """A line as an object.

    Raises:
        BadValue: it looks like an object and is not a proper one.
    """
    if not line.startswith("{"):
        return {"query": line}
    shown = line[:60]
    try:
        values: dict[str, Any] = json.loads(line)
    except ValueError as error:
        raise BadValue(name="line", value=shown, reason=f"it is no JSON ({error})") from error
    unknown = sorted(set(values) - _KNOWN)
    if unknown:
        raise BadValue(name="line", value=shown, reason=f"what is {unknown[0]!r}?")
    texts = [values.get("query"), *(values[key] for key in _TEXTS if key in values)]
    if not all(isinstance(text, str) for text in texts) or not values["query"].strip():
        raise BadValue(name="line", value=shown, reason="query, since and until are texts")
    for key in _LISTS:
        listed = values.get(key, [])
        if not (isinstance(listed, list) and all(isinstance(text, str) for text in listed)):
            raise BadValue(name="line", value=shown, reason=f"{key} is a list of texts")
    if not isinstance(values.get("resolved", False), bool):
        raise BadValue(name="line", value=shown, reason="resolved is true or false")
    return values


def _lines(stream: IO[bytes]) -> Iterator[str]:
    for raw in stream:
        line = raw.decode("utf-8-sig", "replace").strip()
        if line:
            yield line


def _opened(file: str) -> AbstractContextManager[IO[bytes]]:
    if file == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(file).open("rb")
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableFile(path=file, reason=reason, hint="Check the path.") from error
