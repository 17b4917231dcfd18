"""Policies as people handle them: set, roll back, freeze, compare, trust.

A policy is never changed, only followed by another. Parameters that one team may choose for
itself go live at once: whether to explore (what is sampled passes the same limits, is marked, and
its propensity logged), which of the two measured gates to use, and from which confidence an answer
is called confident (a word on the screen, no ranking). Everything else becomes a candidate that
has to be promoted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from kbagent.errors import BadValue, PolicyRefused, UsageError
from kbagent.model.policy import Policy, PolicyParameters
from kbagent.store import decisions, policies
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.evaluate.evaluation import named_policy
from kbagent.usecases.reuse.boundaries import TRUST

SAFE = frozenset({"exploration", "gate", "confident_at"})
GATES = {"cautious": 0.84, "bold": 0.5}  # both measured in benchmarks/learning
TRUST_RANGE = (0.0, 3.0)
_RANGES = {
    "dense_weight": (0.0, 1.0),
    "closeness_weight": (0.0, 1.0),
    "evidence_bound": (0.0, 1.0),
    "gate": (0.0, 10.0),
    "choice_bonus": (0.0, 100.0),
    "pool_strength": (0.0, 1000.0),
    "prior_strength": (0.1, 1000.0),
    "exploration_reach": (0.0, 10.0),
    "exploration_floor": (0.0, 0.5),
    "votes_per_source": (1.0, 1000.0),
    "confident_at": (0.0, 1.0),
}
_SWITCH = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class Changed:
    """A policy that was made, and whether it went live at once."""

    policy: Policy
    went_live: bool


def set_parameters(
    kb: KnowledgeBase,
    assignments: Sequence[str],
    *,
    by: str | None = None,
    name: str | None = None,
) -> Changed:
    """A new policy from the live one with some parameters changed, as `NAME=VALUE`.

    Raises:
        BadValue: a name or value makes no sense.
        UsageError: nothing would change.
    """
    live = policies.live(kb.connection)
    values = dict(_parsed(text) for text in assignments)
    parameters = replace(live.parameters, **values)
    if parameters == live.parameters:
        raise UsageError(what=f"That is what policy {live.version} says already.")
    safe = set(values) <= SAFE and _is_preset(values, live.parameters)
    with kb.database.write() as connection:
        now = kb.clock()
        title = name or ", ".join(assignments)
        version = policies.add(connection, title, parameters, now, parent=live.version, by=by)
        if safe:
            policies.make_live(connection, version, "set", now, by=by)
    return Changed(named_policy(kb, version), safe)


def roll_back(kb: KnowledgeBase, version: int | None = None, *, by: str | None = None) -> Policy:
    """The policy that was live before (or `version`, if it ever was) is live again, at once.

    Raises:
        UsageError: there was none before; UnknownHandle: there is no such policy.
    """
    was = [policies.DEFAULT_VERSION]
    was += [one.version for one in policies.log(kb.connection) if "freeze" not in one.action]
    live = policies.live(kb.connection).version
    earlier = _before(kb) if version is None else version
    if earlier is None or earlier == live:
        raise UsageError(what=f"No policy was live before policy {live}.")
    policy = named_policy(kb, earlier)
    if earlier not in was:
        raise UsageError(
            what=f"Policy {earlier} was never live; `kbagent policy promote {earlier}` tests it."
        )
    with kb.database.write() as connection:
        policies.make_live(connection, earlier, "rollback", kb.clock(), by=by)
    return policy


def freeze(kb: KnowledgeBase, *, frozen: bool, by: str | None = None) -> Policy:
    """From now on nothing learned goes live, or it may again; the live policy."""
    live = policies.live(kb.connection)
    with kb.database.write() as connection:
        action = "freeze" if frozen else "unfreeze"
        policies.make_live(connection, live.version, action, kb.clock(), by=by)
    return live


def refuse_if_frozen(kb: KnowledgeBase) -> None:
    """Raises PolicyRefused where people ordered that nothing goes live."""
    if policies.is_frozen(kb.connection):
        raise PolicyRefused(
            reason="the ranking is frozen", hint="`kbagent policy freeze --off` allows changes."
        )


def difference(one: PolicyParameters, other: PolicyParameters) -> list[tuple[str, Any, Any]]:
    """(parameter, value in one, value in the other) where they differ, in the order declared."""
    left, right = asdict(one), asdict(other)
    return [(name, left[name], right[name]) for name in left if left[name] != right[name]]


def set_trust(kb: KnowledgeBase, source: str, weight: float, *, by: str | None = None) -> int:
    """From now on the outcomes of a source count with this weight; the decision's id.

    Raises:
        BadValue: the weight is out of range, or the source has no name.
    """
    low, high = TRUST_RANGE
    if not low <= weight <= high:
        raise BadValue(name="WEIGHT", value=f"{weight:g}", reason=f"give {low:g} to {high:g}")
    if not source.strip():
        raise BadValue(name="NAME", value=source, reason="name a source as in --by")
    with kb.database.write() as connection:
        data = {"source": source.strip(), "weight": weight}
        return decisions.add(connection, TRUST, kb.clock(), by=by, data=data)


def _before(kb: KnowledgeBase) -> int | None:
    """What was live before what is live: rolling back twice goes back two steps."""
    stack = [policies.DEFAULT_VERSION]
    for one in policies.log(kb.connection):
        if one.action == "rollback":
            while len(stack) > 1 and stack[-1] != one.version:
                stack.pop()
            if stack[-1] != one.version:
                stack.append(one.version)
        elif "freeze" not in one.action:
            stack.append(one.version)
    return stack[-2] if len(stack) > 1 else None


def _is_preset(values: Mapping[str, Any], live: PolicyParameters) -> bool:
    gate = values.get("gate", live.gate)
    return gate == live.gate or gate in GATES.values()


def _parsed(text: str) -> tuple[str, Any]:
    name, separator, value = (part.strip() for part in text.partition("="))
    name = name.replace("-", "_")
    types = {field.name: field.type for field in fields(PolicyParameters)}
    if not separator or name not in types:
        known = ", ".join(types)
        raise BadValue(name="parameter", value=text, reason=f"write NAME=VALUE; names: {known}")
    return name, _READERS.get(name, _number)(name, value)


def _switch(name: str, value: str) -> bool:
    if value.casefold() not in _SWITCH:
        raise BadValue(name=name, value=value, reason="write on or off")
    return _SWITCH[value.casefold()]


def _gate(name: str, value: str) -> float:
    return GATES[value] if value in GATES else _number(name, value)


def _number(name: str, value: str) -> float:
    low, high = _RANGES[name]
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise BadValue(name=name, value=value, reason=f"give a number from {low:g} to {high:g}")
    return number


def _whole(name: str, value: str) -> int:
    number = _number(name, value)
    if number != int(number):
        raise BadValue(name=name, value=value, reason="give a whole number")
    return int(number)


def _two(name: str, value: str) -> tuple[float, float]:
    try:
        slope, intercept = (float(part) for part in value.split(","))
    except ValueError:
        raise BadValue(name=name, value=value, reason="write SLOPE,INTERCEPT") from None
    return slope, intercept


def _name(_name: str, value: str) -> str | None:
    return None if value.casefold() in ("", "none") else value


_READERS: dict[str, Callable[[str, str], Any]] = {
    "exploration": _switch,
    "gate": _gate,
    "votes_per_source": _whole,
    "platt": _two,
    "adapter": _name,
}
