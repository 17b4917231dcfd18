"""A case as people edit it: as TOML in an editor, or column by column on the command line.

What a draft leaves out stays as it is, but for [columns]: where that table stands it holds all of
them, so that a column can be taken away.
"""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kbagent.core.retrieval.filters import name_key
from kbagent.core.text.tomltext import paragraph, quoted
from kbagent.errors import BadValue, UsageError
from kbagent.model.case import Verdict
from kbagent.usecases.retain.corrections import values_of, with_values
from kbagent.usecases.revise.editing import CaseText, TriedText
from kbagent.usecases.revise.targets import resolution_number

_VERDICTS = tuple(str(one) for one in Verdict)
_SECTIONS = ("title", "text", "columns", "tried")
_TRIED = ("resolution", "verdict", "text")


def draft_of(ref: str, case: CaseText) -> str:
    """A case as the TOML that is edited."""
    name = "".join(c if c.isprintable() else " " for c in ref)
    lines = [
        f"# {name}: put right what is wrong, leave the rest as it is.",
        f"title = {quoted(case.title)}",
        f"text = {paragraph(case.body)}",
        "",
        "[columns]  # all of them; several values as a list, a line left out is taken away",
    ]
    for key in dict.fromkeys(key for key, _ in case.facets):
        values = [quoted(value) for value in values_of(case.facets, key)]
        told = values[0] if len(values) == 1 else f"[{', '.join(values)}]"
        lines.append(f"{quoted(key)} = {told}")
    for one in case.attempts:
        lines += [
            "",
            "[[tried]]",
            f'resolution = "r{one.resolution_id}"  # which one; do not change this',
            f'verdict = "{one.verdict}"  # {", ".join(_VERDICTS)}',
            f"text = {paragraph(one.text)}",
        ]
    return "\n".join([*lines, ""])


def read_draft(text: str, case: CaseText) -> CaseText:
    """The case as a draft has it.

    Raises:
        UsageError: it is no TOML, or something in it is unknown or of the wrong kind.
    """
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(what=f"The draft is no TOML: {error}.") from None
    unknown = [key for key in values if key not in _SECTIONS]
    if unknown:
        what = f"The draft has {', '.join(unknown)[:80]}; use {', '.join(_SECTIONS)}."
        raise UsageError(what=what)
    read = replace(
        case,
        title=_text(values, "title", case.title),
        body=_text(values, "text", case.body),
        facets=_columns(values["columns"], case) if "columns" in values else case.facets,
        attempts=_tried(values.get("tried", []), case),
    )
    return _unharmed(read, case)


def assigned(case: CaseText, assignments: Sequence[str], known: Collection[str]) -> CaseText:
    """The case with `NAME=VALUE` set: title, text, verdict, resolution, r17.verdict, r17.resolution
    or a column of `known` names. An empty value takes a column away.

    Raises:
        BadValue: the name is none of these, or the value makes no sense.
    """
    for assignment in assignments:
        name, separator, value = assignment.partition("=")
        name = name.strip()
        if not separator or not name:
            raise BadValue(name="--set", value=assignment, reason="write NAME=VALUE")
        case = _assigned(case, name, value, known)
    return case


def _assigned(case: CaseText, name: str, value: str, known: Collection[str]) -> CaseText:
    if name == "title":
        return replace(case, title=value.strip())
    if name == "text":
        return replace(case, body=value)
    handle, _, what = name.rpartition(".")
    number = resolution_number(handle) if handle else None
    if what in ("verdict", "resolution") and (number is not None or not handle):
        return _attempt_assigned(case, number, what, value.strip())
    column = name.removeprefix("column.")
    names = {name_key(one): one for one in known}
    if name_key(column) not in names and column == name:
        raise BadValue(
            name="--set",
            value=name,
            reason="no case has such a column; for a new one write column.NAME=VALUE",
        )
    key = names.get(name_key(column), column)
    values = [value.strip()] if value.strip() else []
    return replace(case, facets=with_values(case.facets, key, values))


def _attempt_assigned(case: CaseText, number: int | None, what: str, value: str) -> CaseText:
    """One attempt changed; which one has to be said where there are several."""
    chosen = [one for one in case.attempts if number in (None, one.resolution_id)]
    if len(chosen) != 1:
        named = ", ".join(f"r{one.resolution_id}.{what}" for one in case.attempts)
        reason = f"say which: {named}" if named else "nothing was tried on this case"
        raise BadValue(name="--set", value=what if number is None else f"r{number}", reason=reason)
    changed = (
        replace(chosen[0], text=value)
        if what == "resolution"
        else replace(chosen[0], verdict=_verdict(value))
    )
    return replace(
        case, attempts=tuple(changed if one is chosen[0] else one for one in case.attempts)
    )


def _text(values: Mapping[str, Any], key: str, before: str) -> str:
    value = values.get(key, before)
    if not isinstance(value, str):
        raise UsageError(what=f'The draft\'s {key} must be a text, like {key} = "…".')
    return value


def _columns(table: Any, case: CaseText) -> tuple[tuple[str, str], ...]:
    if not isinstance(table, dict):
        raise UsageError(what="Write the draft's columns as [columns], with one bracket.")
    facets = tuple(pair for pair in case.facets if pair[0] in table)
    for key, value in table.items():
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str) for one in values):
            what = f"The draft's column {key[:40]} must be a text in quotes, or a list of such."
            raise UsageError(what=what)
        facets = with_values(facets, key, [one for one in values if one.strip()])
    return facets


def _tried(tables: Any, case: CaseText) -> tuple[TriedText, ...]:
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        raise UsageError(what="Write what was tried as [[tried]], with two brackets.")
    found = {one.resolution_id: one for one in case.attempts}
    for table in tables:
        unknown = [key for key in table if key not in _TRIED]
        number = resolution_number(str(table.get("resolution", "")))
        if unknown or number not in found:
            what = ", ".join(unknown)[:60] or f"resolution {str(table.get('resolution'))[:40]}"
            raise UsageError(
                what=f"The draft's [[tried]] has {what}: it takes {', '.join(_TRIED)}, and only"
                " what was tried already; `kbagent worked R --case CASE` adds an attempt."
            )
        before = found[number]
        verdict = _verdict(_text(table, "verdict", str(before.verdict)))
        found[number] = replace(before, verdict=verdict, text=_text(table, "text", before.text))
    return tuple(found.values())


def _verdict(value: str) -> Verdict:
    if value not in _VERDICTS:
        reason = f"use {', '.join(_VERDICTS)}"
        raise BadValue(name="verdict", value=value[:40], reason=reason)
    return Verdict(value)


def _unharmed(read: CaseText, case: CaseText) -> CaseText:
    """What comes back as it went into the draft is as it was stored, whatever TOML cannot say."""

    def kept(new: str, old: str) -> str:
        return old if tomllib.loads(f"x = {quoted(old)}")["x"] == new else new

    texts = {one.resolution_id: one.text for one in case.attempts}
    facets = read.facets
    for name in {key for key, _ in facets}:
        before, after = values_of(case.facets, name), values_of(facets, name)
        if len(before) == len(after):
            facets = with_values(facets, name, list(map(kept, after, before)))
    return CaseText(
        kept(read.title, case.title),
        kept(read.body, case.body),
        facets,
        tuple(replace(one, text=kept(one.text, texts[one.resolution_id])) for one in read.attempts),
    )
