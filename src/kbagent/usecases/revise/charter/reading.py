"""Reading a policy file: every mistake in it at once, each with the line on which it stands.

What stands in the knowledge base already is not questioned, even where a command let it in: so
the file as it was printed can always be applied. Everything new must name what there is, be
complete, and contradict no other rule.
"""

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from kbagent.core.retrieval.periods import parse_period
from kbagent.errors import UnknownHandle, UsageError
from kbagent.store import issues, resolutions
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.learn.confidence import MAX_ERROR, MIN_COVERAGE
from kbagent.usecases.learn.policies import TRUST_RANGE
from kbagent.usecases.reuse.boundaries import FREEZE, TRUST
from kbagent.usecases.revise import rules as commands
from kbagent.usecases.revise.charter.document import TABLES, Charter, Rule, settled
from kbagent.usecases.revise.families import issue_number, whereabouts
from kbagent.usecases.revise.targets import resolution_number

LIMITS, PROMISE, TRUSTED = "limits", "promise", "trust"
_MAX_DISPLACEMENT, _MINIMUM_EVIDENCE = "max-displacement", "minimum-evidence"
_SHOWN = 8  # mistakes told at once
_MOST = 1_000_000  # of a count; more is a slip
_KEYS: Mapping[str, tuple[str, ...]] = {
    "pin": ("issue", "resolution", "reason"),
    "forbid": ("resolution", "issue", "reason"),
    "deprecate": ("resolution", "issue", "replaced-by", "until", "reason"),
    "require-human": ("issue", "keyword", "facet", "queue", "reason"),
    "limit": ("issue", _MAX_DISPLACEMENT, "reason"),
    "freeze": ("issue", "order", "reason"),
}
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "pin": ("issue", "resolution"),
    "forbid": ("resolution",),
    "deprecate": ("resolution",),
    "require-human": (),
    "limit": ("issue", _MAX_DISPLACEMENT),
    "freeze": ("issue",),
}
_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.\"'-]+)\s*\]\]?\s*(#.*)?$")
_ASSIGNED = re.compile(r"\s*(\"(?:[^\"\\]|\\.)*\"|'[^']*'|[\w-]+)\s*=")


@dataclass(slots=True)
class _Reading:
    """A file under way: where its keys stand, and what was found wrong so far."""

    kb: KnowledgeBase
    standing: Collection[Rule]
    lines: Mapping[tuple[str, int, str], int]
    mistakes: list[tuple[int, str]] = field(default_factory=list)
    places: dict[Rule, tuple[str, int]] = field(default_factory=dict)

    def wrong(self, section: str, index: int, key: str, what: str) -> None:
        line = self.lines.get((section, index, key)) or self.lines.get((section, index, "")) or 0
        if (line, what) not in self.mistakes:
            self.mistakes.append((line, what))


def read_charter(
    kb: KnowledgeBase,
    text: str,
    before: Charter,
    order_of: Callable[[KnowledgeBase, int], Sequence[int]],
) -> Charter:
    """The charter that a text writes; `order_of` gives the order of an issue frozen without one.

    Raises:
        UsageError: it is no TOML, or something in it is unknown, missing or contradictory.
    """
    if "\x00" in text:
        raise UsageError(what="The policy file holds a NUL byte: it is no text.")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(what=f"The policy file is no TOML: {error}.") from None
    except RecursionError:
        raise UsageError(what="The policy file is nested too deeply.") from None
    reading = _Reading(kb, frozenset(before.rules), _lines_of(text))
    rules: list[Rule] = []
    promise = None
    for section, content in values.items():
        if section in _KEYS:
            rules += _tables(reading, section, content, order_of)
        elif section == LIMITS:
            rules += _limits(reading, content)
        elif section == TRUSTED:
            rules += _trust(reading, content)
        elif section == PROMISE:
            promise = _promise(reading, content)
        else:
            known = (LIMITS, PROMISE, TRUSTED, *_KEYS)
            reading.wrong(section, 0, "", _unknown("section", section, known))
    _contradictions(reading, rules)
    _refuse(reading.mistakes)
    return Charter(tuple(rules), promise)


def _refuse(mistakes: Sequence[tuple[int, str]]) -> None:
    if not mistakes:
        return
    told = [f"line {line}: {what}" if line else what for line, what in sorted(mistakes)]
    more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    raise UsageError(what="; ".join(told[:_SHOWN]) + more + ".")


def _tables(
    reading: _Reading,
    section: str,
    content: Any,
    order_of: Callable[[KnowledgeBase, int], Sequence[int]],
) -> Iterator[Rule]:
    if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
        reading.wrong(section, 0, "", f"write each as [[{section}]], with two brackets")
        return
    for index, table in enumerate(content):
        before = len(reading.mistakes)
        for key in table:
            if key not in _KEYS[section]:
                said = _unknown("key", key, _KEYS[section], f" in [[{section}]]")
                reading.wrong(section, index, key, said)
        for key in _NEEDED[section]:
            if key not in table:
                reading.wrong(section, index, "", f"[[{section}]] needs {key} = …")
        if len(reading.mistakes) > before:
            continue
        rule = _rule(reading, section, index, table, order_of)
        if len(reading.mistakes) == before:
            if rule in reading.places:
                other = reading.lines.get((*reading.places[rule], ""), 0)
                reading.wrong(section, index, "", f"the same rule as on line {other}")
            reading.places[rule] = (section, index)
            yield rule


def _rule(
    reading: _Reading,
    section: str,
    index: int,
    table: Mapping[str, Any],
    order_of: Callable[[KnowledgeBase, int], Sequence[int]],
) -> Rule:
    """One table as a rule; what is wrong with it is noted."""
    kind = next(one for one, name in TABLES.items() if name == section)
    at = _At(reading, section, index, table)
    issue_id = at.issue()
    data: dict[str, Any] = {"reason": at.text("reason"), "queue": at.text("queue")}
    if section == "require-human":
        data |= at.what_needs_a_human()
    if "replaced-by" in table:
        number = at.resolution("replaced-by")
        data["replaced_by"] = None if number is None else f"r{number}"
    if "until" in table:
        data["until"] = at.last_day()
    if section == "limit":
        data["places"] = at.count(_MAX_DISPLACEMENT)
    if section == "freeze":
        data["order"] = at.order(issue_id, order_of)
    rule = Rule(kind, issue_id, at.resolution("resolution"), settled(data))
    if rule not in reading.standing:
        at.check_that_it_exists(rule)
    return rule


@dataclass(frozen=True, slots=True)
class _At:
    """One table of the file, and how its values are taken."""

    reading: _Reading
    section: str
    index: int
    table: Mapping[str, Any]

    def wrong(self, key: str, what: str) -> None:
        self.reading.wrong(self.section, self.index, key, what)

    def text(self, key: str) -> str | None:
        value = self.table.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            self.wrong(key, f'{key} must be a text, like {key} = "…"')
            return None
        return value.strip()

    def count(self, key: str) -> int | None:
        value = self.table.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
            self.wrong(key, f"{key} must be a whole number, 0 or more")
            return None
        return value

    def issue(self) -> int | None:
        handle = self.text("issue")
        if handle is None:
            return None
        try:
            return issue_number(handle)
        except UnknownHandle:
            self.wrong("issue", f"'{_short(handle)}' names no issue; write it like \"i5\"")
            return None

    def resolution(self, key: str) -> int | None:
        handle = self.text(key)
        return None if handle is None else self._approach(key, handle)

    def order(
        self,
        issue_id: int | None,
        order_of: Callable[[KnowledgeBase, int], Sequence[int]],
    ) -> list[str] | None:
        """The order of a frozen issue: as written, else as it stands now."""
        told = self.table.get("order")
        if told is None:
            if issue_id is None:
                return None
            stood = [r for r in self.reading.standing if (r.kind, r.issue_id) == (FREEZE, issue_id)]
            if stood:
                return list(stood[0].get("order") or ())
            return [f"r{one}" for one in order_of(self.reading.kb, issue_id)]
        if not isinstance(told, list) or not all(isinstance(one, str) for one in told):
            self.wrong("order", 'order must be a list like ["r17", "r4"]')
            return None
        numbers = [self._approach("order", one) for one in told]
        return list(dict.fromkeys(f"r{one}" for one in numbers if one is not None))

    def last_day(self) -> str | None:
        """The moment at which a rule ends, as decisions keep it."""
        value = self.table["until"]
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
        if isinstance(value, date):
            return datetime.combine(value + timedelta(days=1), time(), UTC).isoformat()
        period = parse_period(value) if isinstance(value, str) else None
        if period is None:
            self.wrong("until", "until must be a date like 2027-01-31")
            return None
        return period.end.isoformat()

    def what_needs_a_human(self) -> dict[str, Any]:
        named = [key for key in ("issue", "keyword", "facet") if key in self.table]
        if len(named) != 1:
            self.wrong("", "[[require-human]] names one of issue, keyword and facet")
        facet = self.text("facet")
        if facet is None:
            return {"keyword": self.text("keyword")}
        name, separator, value = facet.partition("=")
        if not (separator and name.strip() and value.strip()):
            self.wrong("facet", 'facet must be written like "team=legal"')
        return {"facet": name.strip(), "value": value.strip()}

    def check_that_it_exists(self, rule: Rule) -> None:
        """A new rule speaks of an issue that has cases; a pin of what was tried on them."""
        kb = self.reading.kb
        if rule.issue_id is None:
            return
        members = issues.members(kb.connection, rule.issue_id)
        if not members:
            self.wrong("issue", _no_issue(kb, rule.issue_id))
        elif rule.kind == commands.PIN and rule.resolution_id is not None:
            tried = resolutions.attempts_of(kb.connection, members)
            known = resolutions.by_ids(kb.connection, {one.resolution_id for one in tried})
            if rule.resolution_id not in {one.canonical_id for one in known.values()}:
                said = f"r{rule.resolution_id} was never tried on i{rule.issue_id}"
                self.wrong("resolution", said)

    def _approach(self, key: str, handle: str) -> int | None:
        number = resolution_number(handle)
        kb = self.reading.kb
        found = resolutions.by_ids(kb.connection, [number]) if number is not None else {}
        if number is None or number not in found:
            self.wrong(key, f"there is no resolution '{_short(handle)}'; write it like \"r17\"")
            return None
        return found[number].canonical_id


def _limits(reading: _Reading, content: Any) -> Iterator[Rule]:
    table = _single(reading, LIMITS, content, (_MAX_DISPLACEMENT, _MINIMUM_EVIDENCE))
    at = _At(reading, LIMITS, 0, table)
    places, tried = at.count(_MAX_DISPLACEMENT), at.count(_MINIMUM_EVIDENCE)
    if places is not None:
        yield Rule(commands.MAX_DISPLACEMENT, data=(("places", places),))
    if tried is not None:
        yield Rule(commands.MINIMUM_EVIDENCE, data=(("tried", tried),))


def _promise(reading: _Reading, content: Any) -> tuple[str, float] | None:
    table = _single(reading, PROMISE, content, (MAX_ERROR, MIN_COVERAGE))
    if len(table) > 1:
        reading.wrong(PROMISE, 0, "", f"promise {MAX_ERROR} or {MIN_COVERAGE}, not both")
        return None
    for name, value in table.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
            reading.wrong(PROMISE, 0, name, f"{name} must be a share between 0 and 1, like 0.05")
            return None
        return name, float(value)
    return None


def _trust(reading: _Reading, content: Any) -> Iterator[Rule]:
    low, high = TRUST_RANGE
    for source, weight in _single_or_none(content).items():
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        share = float(weight) if number else math.nan
        if not source.strip():
            reading.wrong(TRUSTED, 0, "", "name whom to trust, as in --by")
        elif not low <= share <= high:
            said = f"trust in '{_short(source)}' must be a number from {low:g} to {high:g}"
            reading.wrong(TRUSTED, 0, source, said)
        else:
            data = {"source": source.strip(), "weight": share}
            yield Rule(TRUST, data=settled(data))


def _single_or_none(content: Any) -> Mapping[str, Any]:
    return content if isinstance(content, dict) else {"": None}


def _single(
    reading: _Reading, section: str, content: Any, keys: Sequence[str]
) -> Mapping[str, Any]:
    """The values of a section that there is once; unknown ones are noted and left out."""
    if not isinstance(content, dict):
        reading.wrong(section, 0, "", f"write it as [{section}], with one bracket")
        return {}
    for key in content:
        if key not in keys:
            reading.wrong(section, 0, key, _unknown("key", key, keys, f" in [{section}]"))
    return {key: value for key, value in content.items() if key in keys}


def _contradictions(reading: _Reading, rules: Sequence[Rule]) -> None:
    """Pairs of rules that cannot both hold, where at least one of them is new."""
    written = [one for one in rules if one in reading.places]
    new = [one for one in written if one not in reading.standing]
    pairs = [(one, other) for one in new for other in written if one is not other]
    pairs += [(other, one) for one, other in pairs if other in reading.standing]
    for one, other in pairs:
        said = _clash(one, other)
        if said:
            line = reading.lines.get((*reading.places[other], ""), 0)
            reading.wrong(*reading.places[one], "", f"{said} on line {line}")
    for one in new:
        instead = one.get("replaced_by")
        if instead is not None and instead == f"r{one.resolution_id}":
            reading.wrong(*reading.places[one], "replaced-by", f"{instead} cannot replace itself")


def _clash(one: Rule, other: Rule) -> str | None:
    """Why two rules cannot both hold, said of the first; None when they can."""
    together = one.issue_id == other.issue_id or None in (one.issue_id, other.issue_id)
    if one.kind == FREEZE == other.kind and one.issue_id == other.issue_id:
        return f"i{one.issue_id} is frozen, as it is"
    limits = one.kind == other.kind == commands.MAX_DISPLACEMENT
    if limits and one.issue_id == other.issue_id:
        return f"i{one.issue_id} has a limit, as it has"
    if not together or other.kind not in (commands.FORBID, commands.DEPRECATE):
        return None
    set_aside = "forbidden" if other.kind == commands.FORBID else "deprecated"
    if one.kind == commands.PIN and one.resolution_id == other.resolution_id:
        return f"r{one.resolution_id} is pinned for i{one.issue_id}, but {set_aside}"
    if one.get("replaced_by") == f"r{other.resolution_id}":
        return f"r{one.resolution_id} is replaced by r{other.resolution_id}, which is {set_aside}"
    return None


def _no_issue(kb: KnowledgeBase, issue_id: int) -> str:
    return f"there is no issue i{issue_id}: {whereabouts(kb, issue_id).rstrip('.')}"


def _unknown(what: str, name: str, known: Sequence[str], where: str = "") -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"do you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    return f"unknown {what} '{_short(name)}'{where}; {hint}"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def _lines_of(text: str) -> dict[tuple[str, int, str], int]:
    """(section, which of its tables, key) → line, from 1; key '' is the header's own line."""
    found: dict[tuple[str, int, str], int] = {}
    counts: dict[str, int] = {}
    section, index, inside = "", 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        if not inside and (header := _HEADER.match(line)):
            section = header[2].strip("\"'")
            index = counts.get(section, 0) if header[1] == "[[" else 0
            counts[section] = index + 1
            found.setdefault((section, index, ""), number)
        elif not inside and (assigned := _ASSIGNED.match(line)):
            key = assigned[1].strip("\"'")
            found.setdefault((section, index, key), number)
            if not section:  # a key before any section is a section of its own
                found.setdefault((key, 0, ""), number)
        inside = _still_inside(line, inside)
    return found


def _still_inside(line: str, inside: str) -> str:
    """The marks of a text over several lines that a line leaves open; '' when none."""
    rest = line
    while True:
        if inside:
            _, closed, rest = rest.partition(inside)
            if not closed:
                return inside
            inside = ""
        marks = [(rest.find(one), one) for one in ('"""', "'''") if one in rest]
        if not marks:
            return ""
        place, inside = min(marks)
        rest = rest[place + 3 :]
