"""What a run of `solve` leaves behind: its steps, their checks and corrections, and its end.

Everything here can be written as JSON and read again, so that `show RUN` needs nothing but the
stored record. Every sentence names what it rests on: cases, resolutions, issues or figures.
"""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from kbagent.core.verification.checks import CheckResult, Severity


class Stage(StrEnum):
    """The steps of a run, in their order."""

    READ = "read"
    RECOGNISE = "recognise"
    CHOOSE = "choose"
    VERIFY = "verify"
    ANSWER = "answer"


class Ending(StrEnum):
    """How a run ends: exit 0 for an answer, 3 for the others."""

    ANSWER = "answer"
    ASK = "ask"
    HAND_OVER = "hand-over"


@dataclass(frozen=True, slots=True)
class Correction:
    """What was tried against a failed check; `kept` when the check held afterwards."""

    name: str
    check: str
    kept: bool
    result: str
    remembered: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what went in, what came out, what was checked, what was put right.

    `checks` are those of the output that was kept; `caught` those that failed before it was.
    """

    stage: Stage
    input: str
    output: str
    checks: tuple[CheckResult, ...] = ()
    corrections: tuple[Correction, ...] = ()
    caught: tuple[CheckResult, ...] = ()

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that do not hold, notes left out."""
        return tuple(c for c in self.checks if not c.ok and c.severity is not Severity.NOTE)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence from a template; `refs` are the stored cases and figures that it speaks of."""

    text: str
    refs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """The one question of a run that ends in `ask`: its facet and the answers on record."""

    facet: str
    choices: tuple[str, ...]
    labels: tuple[str, ...]
    gain: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """The resolution answered (or the nearest miss), with the figures that it rests on.

    `step` is the position, from 1, of the step to do now, where the resolution has `steps`:
    (what to do, what to expect).
    """

    resolution_id: int
    rank: int
    text: str
    tried: float
    worked: float
    rate: float
    interval: tuple[float, float]
    within: str | None
    source: str
    steps: tuple[tuple[str, str], ...] = ()
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """The issue recognised, or the nearest one: how sure, and its nearest instances."""

    issue_id: int
    title: str
    confidence: float
    instances: tuple[str, ...]
    cases: int


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run. `known` and `chosen` are the nearest miss where it was handed over.

    hidden      candidate issues that are not shown
    handed_to   the queue or person that solved such cases before, None when nobody is on record
    split       the parts of a ticket that holds several problems, as texts
    filters     what the cases were narrowed by, as typed (NAME=VALUE)
    issue_told  the issue that a person said it is
    continues   the handle of the run before it
    """

    handle: str
    query: str
    ending: Ending
    steps: tuple[Step, ...]
    reason: str
    known: Known | None
    chosen: Chosen | None
    explanation: tuple[Sentence, ...]
    question: Asked | None = None
    hidden: int = 0
    new: bool = False
    handed_to: str | None = None
    split: tuple[str, ...] = ()
    facets: tuple[tuple[str, str], ...] = ()
    excluded: tuple[int, ...] = ()
    basis: str = ""
    policy: int = 1
    continues: str | None = None
    notes: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    case_id: int | None = None
    issue_told: int | None = None


def run_json(run: Run) -> dict[str, Any]:
    """The run as JSON values: what is stored, and the contract of `solve --format json`."""
    values = asdict(run)
    for step, stored in zip(run.steps, values["steps"], strict=True):
        stored["failed"] = [check.name for check in step.failed]
    return values


def run_text(run: Run) -> str:
    """The record that is stored."""
    return json.dumps(run_json(run), ensure_ascii=False, separators=(",", ":"), default=str)


def run_from(text: str) -> Run:
    """A stored record as a run again."""
    values = json.loads(text)
    values["ending"] = Ending(values["ending"])
    values["steps"] = tuple(_step(one) for one in values["steps"])
    values["explanation"] = tuple(
        Sentence(one["text"], tuple(one["refs"])) for one in values["explanation"]
    )
    for name, kind in (("known", Known), ("chosen", Chosen), ("question", Asked)):
        values[name] = None if values[name] is None else kind(**_tuples(values[name]))
    for name in ("split", "excluded", "notes", "filters"):
        values[name] = tuple(values[name])
    values["facets"] = tuple((name, value) for name, value in values["facets"])
    return Run(**values)


def _step(values: dict[str, Any]) -> Step:
    return Step(
        stage=Stage(values["stage"]),
        input=values["input"],
        output=values["output"],
        checks=tuple(_check(one) for one in values["checks"]),
        corrections=tuple(Correction(**one) for one in values["corrections"]),
        caught=tuple(_check(one) for one in values["caught"]),
    )


def _check(values: dict[str, Any]) -> CheckResult:
    return CheckResult(**{**values, "severity": Severity(values["severity"])})


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """JSON knows lists only; two levels deep they were tuples."""
    return {
        name: tuple(tuple(each) if isinstance(each, list) else each for each in value)
        if isinstance(value, list)
        else value
        for name, value in values.items()
    }
