"""Ordered steps of a resolution: what to do, what to expect, what must be so beforehand.

Kept in `resolutions.steps` as JSON: a list of texts (as exports tell them), or an object with
`requires` (facet → value) and `steps` (objects with `do` and `expect`), as people edit them.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kbagent.errors import BadValue
from kbagent.store.cases import chunks

MOST_STEPS = 40


@dataclass(frozen=True, slots=True)
class Procedure:
    """The steps of a resolution, each (what to do, what to expect), and what it requires."""

    steps: tuple[tuple[str, str], ...]
    requires: Mapping[str, str] = field(default_factory=dict)


def procedures_of(
    connection: sqlite3.Connection, resolution_ids: Iterable[int]
) -> dict[int, Procedure]:
    """The procedure of each of these that has one."""
    found: dict[int, Procedure] = {}
    for chunk in chunks(sorted(resolution_ids)):
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            f"SELECT id, steps FROM resolutions WHERE id IN ({marks}) AND steps IS NOT NULL", chunk
        )
        found.update((row[0], procedure_from(row[1])) for row in rows)
    return found


def keep_procedure(
    connection: sqlite3.Connection, resolution_id: int, procedure: Procedure | None
) -> None:
    """Give a resolution its steps, or take them away."""
    text = None if procedure is None else procedure_text(procedure)
    connection.execute("UPDATE resolutions SET steps = ? WHERE id = ?", (text, resolution_id))


def procedure_from(text: str) -> Procedure:
    """A stored procedure."""
    content = json.loads(text)
    if isinstance(content, list):
        return Procedure(tuple((str(one), "") for one in content))
    steps = tuple((str(one["do"]), str(one.get("expect", ""))) for one in content["steps"])
    return Procedure(steps, {str(k): str(v) for k, v in content.get("requires", {}).items()})


def procedure_text(procedure: Procedure) -> str:
    """A procedure as it is stored."""
    content = {
        "requires": dict(procedure.requires),
        "steps": [{"do": do, "expect": expect} for do, expect in procedure.steps],
    }
    return json.dumps(content, ensure_ascii=False)


def procedure_as_toml(procedure: Procedure | None) -> str:
    """A procedure as it is edited: `[requires]` and one `[[step]]` for each."""
    lines = ['# what must be so, a line like  version = "4.3"', "[requires]"]
    if procedure is not None:
        lines += [f"{_quoted(k)} = {_quoted(v)}" for k, v in sorted(procedure.requires.items())]
    for do, expect in procedure.steps if procedure is not None and procedure.steps else [("", "")]:
        lines += ["", "[[step]]", f"do = {_quoted(do)}", f"expect = {_quoted(expect)}"]
    return "\n".join(lines) + "\n"


def procedure_from_toml(text: str) -> Procedure | None:
    """What was edited; None when no step is left.

    Raises:
        BadValue: it is no TOML, or has other keys than these.
    """
    import tomllib

    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadValue(name="steps", value="the text", reason=f"it is no TOML: {error}") from error
    unknown = set(content) - {"requires", "step"}
    steps = content.get("step", [])
    if unknown or not isinstance(steps, list) or not all(isinstance(one, dict) for one in steps):
        raise BadValue(name="steps", value="the text", reason="use [requires] and [[step]] alone")
    _refuse_other_keys(steps)
    if len(steps) > MOST_STEPS:
        raise BadValue(name="steps", value=str(len(steps)), reason=f"at most {MOST_STEPS}")
    found = [(str(one.get("do", "")).strip(), str(one.get("expect", "")).strip()) for one in steps]
    kept = tuple(pair for pair in found if pair[0])
    if not kept:
        return None
    return Procedure(kept, {str(k): str(v) for k, v in content.get("requires", {}).items()})


def _refuse_other_keys(steps: Sequence[Mapping[str, object]]) -> None:
    """A key that is mistyped must not pass for a step without text: it would delete the step."""
    for number, step in enumerate(steps, start=1):
        other = sorted(set(step) - {"do", "expect"})
        if other:
            raise BadValue(
                name=f"step {number}", value=other[0], reason="a step has do and expect alone"
            )
        if str(step.get("expect", "")).strip() and not str(step.get("do", "")).strip():
            raise BadValue(name=f"step {number}", value="do", reason="it says not what to do")


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are a subset of its own."""
    return json.dumps(text, ensure_ascii=True)
