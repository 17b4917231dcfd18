"""The policy file as a document: what stands, as rules, and the rules as TOML.

The decisions in the knowledge base are the truth. The document is written from them, so that what
`pin` or `rules undo` changes is in it at once; comments in it are written for the reader and not
kept. A rule is what people decided, without who and when.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kbagent.core.text.tomltext import quoted
from kbagent.store import decisions, resolutions
from kbagent.store.decisions import Decision
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.learn.confidence import promise_of
from kbagent.usecases.retrieve.details import issue_titles
from kbagent.usecases.reuse.boundaries import FREEZE, TRUST, is_over
from kbagent.usecases.revise import rules as commands

_SINGLE = {commands.MAX_DISPLACEMENT, commands.MINIMUM_EVIDENCE, TRUST, FREEZE}
"""Kinds of which only the newest counts, of an issue or a source."""

TABLES = {
    commands.PIN: "pin",
    commands.FORBID: "forbid",
    commands.DEPRECATE: "deprecate",
    commands.REQUIRE_HUMAN: "require-human",
    commands.MAX_DISPLACEMENT: "limit",
    FREEZE: "freeze",
}
"""Kinds of rules that are written as a table each, in the order of the document."""

_HEAD = """\
# What people decide here. Nothing learned crosses it.
# Change it with `kbagent policy edit`: it is checked, and what it would change is
# shown before it is applied. Comments are not kept: give a reason = "..." instead.
#
# [[pin]]            issue, resolution                    always first
# [[forbid]]         resolution, or with issue            never shown
# [[deprecate]]      resolution, or with issue            after all others
#                    replaced-by = "r9", until = 2027-01-31
# [[require-human]]  issue, keyword or facet = "a=b"      `solve` hands it over
#                    queue = "..."
# [[limit]]          issue, max-displacement              for one issue
# [[freeze]]         issue, order = ["r1", "r2"]          nothing learned moves it
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `data` holds what it needs beside issue and approach, sorted by name."""

    kind: str
    issue_id: int | None = None
    resolution_id: int | None = None
    data: tuple[tuple[str, Any], ...] = ()

    def get(self, name: str) -> Any:
        """A value of `data`; None where it has none."""
        return dict(self.data).get(name)

    @property
    def slot(self) -> object:
        """What this rule takes the place of: itself, or any other of its kind and reach."""
        if self.kind in _SINGLE:
            return self.kind, self.issue_id, self.get("source")
        return self


@dataclass(frozen=True, slots=True)
class Charter:
    """Everything people decided: the rules that count, and the promise about answers."""

    rules: tuple[Rule, ...] = ()
    promise: tuple[str, float] | None = None


def charter_of(kb: KnowledgeBase) -> Charter:
    """What stands in the knowledge base now."""
    found = [rule for _, rule in standing_rules(kb)]
    newest = {rule.slot: rule for rule in found}  # of one slot the newest counts
    order = list(TABLES)
    return Charter(
        tuple(
            sorted(
                newest.values(),
                key=lambda one: order.index(one.kind) if one.kind in TABLES else -1,
            )
        ),
        promise_of(kb),
    )


def standing_rules(kb: KnowledgeBase) -> list[tuple[Decision, Rule]]:
    """Every decision that stands, oldest first, as a rule; those that a newer one outranks too."""
    standing = decisions.standing(kb.connection, *commands.KINDS)
    named: set[int] = set()
    for one in standing:
        named.update(_resolutions_in(one))
    known = {key: r.canonical_id for key, r in resolutions.by_ids(kb.connection, named).items()}
    return [(one, rule_of(one, known)) for one in standing]


def rule_of(one: Decision, approach: Mapping[int, int]) -> Rule:
    """A decision as a rule; its resolutions as the approaches that they count as."""
    data = dict(one.data)
    if one.kind in _SINGLE and (one.kind != commands.MAX_DISPLACEMENT or one.issue_id is None):
        data = {name: data[name] for name in data if name != "reason" or one.kind == FREEZE}
    for name in ("replaced_by", "order"):
        if name in data:
            data[name] = _canonical(data[name], approach)
    number = None if one.resolution_id is None else approach.get(one.resolution_id)
    return Rule(one.kind, one.issue_id, number or one.resolution_id, settled(data))


def settled(data: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Values as rules compare them: sorted by name, lists as tuples, nothing that is empty."""
    kept = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in data.items()
        if value is not None and value != ""
    }
    return tuple(sorted(kept.items()))


def written(kb: KnowledgeBase, charter: Charter) -> str:
    """The document as TOML, with what issues and resolutions are called beside them."""
    titles = _titles(kb, charter)
    authors = {rule: one for one, rule in standing_rules(kb)}
    parts = [_HEAD, _single_values(charter)]
    for kind, table in TABLES.items():
        mine = [one for one in charter.rules if one.kind == kind and not _is_general(one)]
        parts += [_table(table, rule, titles, authors.get(rule)) for rule in mine]
    return "\n".join(part for part in parts if part)


def _single_values(charter: Charter) -> str:
    """The sections of which there is one each: limits, the promise, trust."""
    values = {rule.kind: rule for rule in charter.rules if _is_general(rule)}
    lines = ["[limits]"]
    places, tried = values.get(commands.MAX_DISPLACEMENT), values.get(commands.MINIMUM_EVIDENCE)
    lines.append("# places that evidence may move a resolution; any number without it")
    lines.append(_or_example("max-displacement", None if places is None else places.get("places")))
    lines.append("# trials that `solve` wants to know of before it answers")
    lines.append(_or_example("minimum-evidence", None if tried is None else tried.get("tried")))
    lines += ["", "[promise]"]
    lines.append("# max-error or min-coverage: from which confidence an answer is given")
    promised = charter.promise
    lines.append("# max-error = 0.05" if promised is None else f"{promised[0]} = {promised[1]!r}")
    lines += ["", "[trust]", "# how much somebody's outcomes count, 0 to 3; everybody else's 1"]
    trusted = [rule for rule in charter.rules if rule.kind == TRUST]
    lines += [f"{quoted(str(one.get('source')))} = {one.get('weight')!r}" for one in trusted]
    return "\n".join([*lines, ""])


def _or_example(name: str, value: int | None) -> str:
    return f"# {name} = 2" if value is None else f"{name} = {value}"


def _is_general(rule: Rule) -> bool:
    """Whether a rule has its place in [limits] or [trust]."""
    general = rule.kind in (commands.MAX_DISPLACEMENT, commands.MINIMUM_EVIDENCE)
    return rule.kind == TRUST or (general and rule.issue_id is None)


def _table(name: str, rule: Rule, titles: Mapping[str, str], made: Decision | None) -> str:
    lines = [f"[[{name}]]{_authored(made)}"]
    for key, value in fields_of(rule):
        lines.append(f"{key} = {value}{_comment(key, value, titles)}")
    return "\n".join([*lines, ""])


def fields_of(rule: Rule) -> list[tuple[str, str]]:
    """The keys of a rule's table with their values as TOML."""
    found = []
    if rule.issue_id is not None:
        found.append(("issue", quoted(f"i{rule.issue_id}")))
    if rule.resolution_id is not None:
        found.append(("resolution", quoted(f"r{rule.resolution_id}")))
    if rule.get("facet") is not None:
        found.append(("facet", quoted(f"{rule.get('facet')}={rule.get('value')}")))
    if rule.get("order") is not None:
        found.append(("order", "[" + ", ".join(map(quoted, rule.get("order"))) + "]"))
    if rule.get("places") is not None:
        found.append(("max-displacement", str(rule.get("places"))))
    if rule.get("until") is not None:
        found.append(("until", _last_day(str(rule.get("until")))))
    for key, name in (
        ("keyword", "keyword"),
        ("replaced-by", "replaced_by"),
        ("queue", "queue"),
        ("reason", "reason"),
    ):
        if rule.get(name) is not None:
            found.append((key, quoted(str(rule.get(name)))))
    return found


def _last_day(until: str) -> str:
    """The moment at which a rule ends, as its last day where it ends with a day."""
    end = datetime.fromisoformat(until)
    utc = end.astimezone(UTC)
    if utc == utc.replace(hour=0, minute=0, second=0, microsecond=0):
        return (utc - timedelta(days=1)).date().isoformat()
    return end.isoformat()


def _authored(made: Decision | None) -> str:
    if made is None:
        return ""
    by = f", {_plain(made.by, 30)}" if made.by else ""
    over = ", over" if is_over(made, datetime.now(UTC)) else ""
    return f"  # rule {made.id}, {made.at:%Y-%m-%d}{by}{over}"


def _comment(key: str, value: str, titles: Mapping[str, str]) -> str:
    told = titles.get(value.strip('"')) if key in ("issue", "resolution", "replaced-by") else None
    return f"  # {told}" if told else ""


def _titles(kb: KnowledgeBase, charter: Charter) -> dict[str, str]:
    """What the issues and resolutions of the rules are called, by handle, short enough to read."""
    named = sorted({one.issue_id for one in charter.rules if one.issue_id is not None})
    told = {f"i{one}": title for one, title in issue_titles(kb, named).items()}
    numbers = {one.resolution_id for one in charter.rules if one.resolution_id is not None}
    handles = [str(one.get("replaced_by")) for one in charter.rules if one.get("replaced_by")]
    numbers.update(int(one[1:]) for one in handles if one[1:].isdecimal())
    found = resolutions.by_ids(kb.connection, numbers)
    told |= {f"r{key}": one.text for key, one in found.items()}
    return {key: _plain(text, 46) for key, text in told.items() if text.strip()}


def _plain(text: str, most: int) -> str:
    """A text as a comment may hold it: one line, nothing a terminal would act upon."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def _canonical(value: Any, approach: Mapping[int, int]) -> Any:
    if isinstance(value, list):
        return list(dict.fromkeys(_canonical(one, approach) for one in value))
    number = _number(value)
    return value if number is None else f"r{approach.get(number, number)}"


def _resolutions_in(one: Decision) -> list[int]:
    told = [one.data.get("replaced_by"), *one.data.get("order", ())]
    numbers: Sequence[int | None] = [one.resolution_id, *map(_number, told)]
    return [number for number in numbers if number is not None]


def _number(handle: object) -> int | None:
    digits = str(handle or "").lower().removeprefix("r")
    return int(digits) if digits.isdecimal() else None
