"""The ordered steps that people give a resolution; each edit is a decision with its author."""

from dataclasses import dataclass

from kbagent.errors import UnknownHandle
from kbagent.store import decisions, resolutions, runs
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.revise.targets import resolution_number
from kbagent.usecases.solve.procedures import (
    Procedure,
    keep_procedure,
    procedure_as_toml,
    procedure_from_toml,
    procedure_text,
    procedures_of,
)

STEPS = "steps"  # the kind of the decision


@dataclass(frozen=True, slots=True)
class Steps:
    """What a resolution requires, and its steps: (do, expect, times done, times stuck)."""

    requires: tuple[tuple[str, str], ...]
    steps: tuple[tuple[str, str, int, int], ...]


def steps_of(kb: KnowledgeBase, handle: str) -> Steps:
    """The steps of a resolution with the evidence of each.

    Raises:
        UnknownHandle: there is no such resolution.
    """
    number = _approach(kb, handle)
    procedure = procedures_of(kb.connection, [number]).get(number)
    if procedure is None:
        return Steps((), ())
    counts = {one.ordinal: one for one in runs.step_counts(kb.connection, [number])}
    return Steps(
        tuple(sorted(procedure.requires.items())),
        tuple(
            (
                do,
                expect,
                counts[n].done if n in counts else 0,
                counts[n].stuck if n in counts else 0,
            )
            for n, (do, expect) in enumerate(procedure.steps, start=1)
        ),
    )


def steps_as_toml(kb: KnowledgeBase, handle: str) -> str:
    """The steps as they are edited."""
    number = _approach(kb, handle)
    return procedure_as_toml(procedures_of(kb.connection, [number]).get(number))


def edit_steps(kb: KnowledgeBase, handle: str, text: str, *, by: str | None = None) -> int:
    """Give a resolution the steps in this TOML text; how many it has now. What it had before is
    kept with the decision.

    Raises:
        UnknownHandle: there is no such resolution.
        BadValue: the text is not such TOML.
    """
    number = _approach(kb, handle)
    procedure = procedure_from_toml(text)
    before: Procedure | None = procedures_of(kb.connection, [number]).get(number)
    with kb.database.write() as connection:
        keep_procedure(connection, number, procedure)
        decisions.add(
            connection,
            STEPS,
            kb.clock(),
            by=by,
            resolution_id=number,
            data={"before": procedure_text(before) if before else None},
        )
    return 0 if procedure is None else len(procedure.steps)


def _approach(kb: KnowledgeBase, handle: str) -> int:
    number = resolution_number(handle)
    found = resolutions.by_ids(kb.connection, [number]) if number is not None else {}
    if number is None or number not in found:
        raise UnknownHandle(handle=handle, hint="Name a resolution as a search shows it, like r17.")
    return found[number].canonical_id
