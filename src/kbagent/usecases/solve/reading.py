"""Step 1, Read: what the text itself says, and whether it fits what is on record.

Corrections, in order: a value that nobody has seen becomes the nearest known one, or is set
aside; where text and options contradict each other, the text is believed: it tells of this very
problem, while forms keep what was chosen once.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from kbagent.core.learning.facets import VERSION_NAMES
from kbagent.core.verification.checks import (
    CheckResult,
    Severity,
    edit_distance,
    facets_agree,
    in_vocabulary,
    long_enough,
)
from kbagent.core.verification.reading import Reading, read
from kbagent.model.filters import Filter, FilterOperator
from kbagent.store import cases
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.solve.problem import Problem
from kbagent.usecases.solve.trace import Correction, Run, Stage, Step

NEAREST_KNOWN = "nearest-known"  # the correction by which an unknown value is read as another
OS_NAMES = frozenset({"os", "platform", "operating system"})
PRODUCT_NAMES = frozenset({"product"})
_ROLES = (("version", VERSION_NAMES), ("os", OS_NAMES), ("product", PRODUCT_NAMES))
_MISSPELT = 0.25  # edits per letter up to which a capitalised word is taken for a product's name
_NAME = re.compile(r"\b[A-Z]\w{4,}\b")
_WORDS = 300  # of a text that are compared with products' names


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The facets that a text can name, as this knowledge base calls them, with their values."""

    names: dict[str, str]
    values: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ReadProblem:
    """The problem after reading: its facets put right, and what the text said."""

    problem: Problem
    reading: Reading
    step: Step


@dataclass(slots=True)
class _Findings:
    """What the checks of this step have seen so far."""

    checks: list[CheckResult] = field(default_factory=list)
    caught: list[CheckResult] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)

    def corrected(self, check: CheckResult, name: str, result: str) -> None:
        self.caught.append(check)
        self.corrections.append(Correction(name, check.name, kept=True, result=result))


def read_problem(kb: KnowledgeBase, problem: Problem) -> ReadProblem:
    """Run the step."""
    vocabulary = _vocabulary(kb)
    reading = read(problem.text, products=vocabulary.values.get("product", ()))
    findings = _Findings([long_enough(reading.words, len(reading.identifiers))])
    found = _facets_read(reading, vocabulary)
    put_right = replace(problem, told=_given(problem))
    if problem.checked:
        found = tuple(_known(findings, vocabulary, name, value) for name, value in found)
        found = tuple((name, value) for name, value in found if value)
        put_right = _known_filters(put_right, findings, vocabulary)
        put_right, found = _agreeing(put_right, found, findings)
        findings.checks.extend(_misspelt(problem.text, vocabulary))
    told = tuple(dict.fromkeys((*put_right.told, *found)))
    step = Step(
        stage=Stage.READ,
        input=_described_input(problem),
        output=_described(reading, told),
        checks=tuple(findings.checks),
        corrections=tuple(findings.corrections),
        caught=tuple(findings.caught),
    )
    return ReadProblem(replace(put_right, told=told), reading, step)


def is_guess(run: Run, name: str, value: str) -> bool:
    """Whether this step only guessed a value of a run: good enough to go on, no fact to keep."""
    return any(
        one.name == NEAREST_KNOWN
        and one.result.startswith(f"{name} ")
        and one.result.endswith(f" is read as {value}")
        for step in run.steps
        if step.stage is Stage.READ
        for one in step.corrections
    )


def _given(problem: Problem) -> tuple[tuple[str, str], ...]:
    equal = ((f.name, f.value) for f in problem.filters if f.operator is FilterOperator.EQUAL)
    return tuple(dict.fromkeys((*problem.told, *equal)))


def _vocabulary(kb: KnowledgeBase) -> Vocabulary:
    names: dict[str, str] = {}
    values: dict[str, tuple[str, ...]] = {}
    known = cases.facet_names(kb.connection)
    for role, wanted in _ROLES:
        mine = [name for name in known if name.casefold() in wanted]
        if mine:
            names[role] = mine[0]
            values[role] = tuple(
                value for _, _, value in cases.facet_values(kb.connection, mine[0])
            )
    return Vocabulary(names, values)


def _facets_read(reading: Reading, vocabulary: Vocabulary) -> tuple[tuple[str, str], ...]:
    """What the text says, under the names of this knowledge base."""
    said = {"version": reading.versions, "os": reading.systems, "product": reading.products}
    return tuple(
        (vocabulary.names[role], _as_stored(value, vocabulary.values[role]))
        for role, values in said.items()
        if role in vocabulary.names
        for value in values
    )


def _as_stored(value: str, known: Sequence[str]) -> str:
    return next((one for one in known if one.casefold() == value.casefold()), value)


def _known(findings: _Findings, vocabulary: Vocabulary, name: str, value: str) -> tuple[str, str]:
    """A read value, the nearest known one in its place, or an empty one when there is none."""
    check = _on_record(vocabulary, name, value)
    if check.ok:
        findings.checks.append(check)
        return name, value
    if check.proposal is None:
        findings.corrected(check, "set-aside", f"{name} {value} is not used: nobody has seen it")
        return name, ""
    findings.corrected(check, NEAREST_KNOWN, f"{name} {value} is read as {check.proposal}")
    findings.checks.append(_on_record(vocabulary, name, check.proposal))
    return name, check.proposal


def _known_filters(problem: Problem, findings: _Findings, vocabulary: Vocabulary) -> Problem:
    """The same for values that were given with --where: a misspelt one becomes the known one."""
    filters: list[Filter] = []
    for one in problem.filters:
        if one.operator is not FilterOperator.EQUAL or not _names_a_role(vocabulary, one.name):
            filters.append(one)
            continue
        name, value = _known(findings, vocabulary, one.name, one.value)
        if value:
            filters.append(Filter(name, one.operator, value))
    given = {(f.name, f.value) for f in problem.filters}
    told = [pair for pair in problem.told if pair not in given]
    told += [(f.name, f.value) for f in filters if f.operator is FilterOperator.EQUAL]
    return replace(problem, filters=tuple(filters), told=tuple(dict.fromkeys(told)))


def _agreeing(
    problem: Problem, found: tuple[tuple[str, str], ...], findings: _Findings
) -> tuple[Problem, tuple[tuple[str, str], ...]]:
    """Where text and options contradict each other, the text's value is used, and no filter."""
    names = {name for name, _ in found}
    comparable = [(name, value) for name, value in problem.told if name in names]
    told_names = sorted({name for name, _ in comparable})
    doubtful = set()
    for name, check in zip(told_names, facets_agree(comparable, found), strict=True):
        if check.ok:
            findings.checks.append(check)
        else:
            doubtful.add(name)
            findings.corrected(check, "believe-text", f"{name} as the text says")
    return (
        replace(
            problem,
            filters=tuple(f for f in problem.filters if f.name not in doubtful),
            told=tuple(pair for pair in problem.told if pair[0] not in doubtful),
        ),
        found,
    )


def _names_a_role(vocabulary: Vocabulary, name: str) -> bool:
    return name.casefold() in {one.casefold() for one in vocabulary.names.values()}


def _on_record(vocabulary: Vocabulary, name: str, value: str) -> CheckResult:
    """Whether a value, or one that begins with it ('windows' of 'windows 11'), is on record."""
    role = next(r for r, n in vocabulary.names.items() if n.casefold() == name.casefold())
    known = vocabulary.values[role]
    begun = [one for one in known if re.match(re.escape(value) + r"(?!\w)", one, re.IGNORECASE)]
    return in_vocabulary(name, value, [value] if begun else known)


def _misspelt(text: str, vocabulary: Vocabulary) -> list[CheckResult]:
    """Capitalised words that are nearly, but not quite, a product's name: said, not changed."""
    products = vocabulary.values.get("product", ())
    known = {name.casefold() for name in products}
    found = []
    for word in list(dict.fromkeys(_NAME.findall(text)))[:_WORDS]:
        near = [
            name
            for name in products
            if word.casefold() not in known
            and abs(len(name) - len(word)) <= 2
            and edit_distance(word.casefold(), name.casefold()) <= _MISSPELT * len(name)
        ]
        if near:
            found.append(
                CheckResult("misspelt", False, "a known product", word, Severity.NOTE, near[0])
            )
    return found


def _described_input(problem: Problem) -> str:
    filters = ", ".join(str(one) for one in problem.filters)
    size = f"{len(problem.text)} characters"
    return f"{size}; given {filters}" if filters else size


def _described(reading: Reading, told: Sequence[tuple[str, str]]) -> str:
    parts = [
        f"language {reading.language}" if reading.language else "language not told",
        f"{reading.words} words",
        *(f"{name} {value}" for name, value in told),
    ]
    if reading.identifiers:
        parts.append("identifiers " + ", ".join(reading.identifiers[:5]))
    return "; ".join(parts)
