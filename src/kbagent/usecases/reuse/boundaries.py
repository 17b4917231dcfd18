"""What people decided about an issue's resolutions; nothing learned crosses it.

A rule is held under the issue and the approach that were named. Where that issue has no cases any
more (it was merged into another), the rule holds for the issues in which its cases are now, so
that no change of grouping takes it out of force.
"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from kbagent.model.policy import Limits
from kbagent.store import decisions, issues, resolutions
from kbagent.store.decisions import Decision
from kbagent.store.knowledge_base import KnowledgeBase, utc_now

TRUST = "trust"
FREEZE = "freeze issue"  # data {"order": ["r17", …]}: how its resolutions stood then
LIMITING = ("pin", "forbid", "deprecate", "max-displacement", FREEZE)
HOLDING = ("pin", "forbid", "deprecate", "require-human", "max-displacement", FREEZE)
"""Rules that, made for one issue, keep its cases in it: no automatic grouping moves them out."""


def trust(connection: sqlite3.Connection, *, as_of: datetime | None = None) -> dict[str, float]:
    """How much the votes of a source count, where people set it; everybody else's count 1."""
    return weights_of(decisions.standing(connection, TRUST, as_of=as_of))


def weights_of(rules: Sequence[Decision]) -> dict[str, float]:
    """The weight of each source that these rules name."""
    return {
        str(one.data["source"]): float(one.data["weight"]) for one in rules if one.kind == TRUST
    }


def limits_of(
    connection: sqlite3.Connection, issue_id: int, *, as_of: datetime | None = None
) -> Limits:
    """The decisions in force for an issue, now or at `as_of`.

    Resolutions are the approaches they count as by now; a deprecation ends after its last day.
    """
    rules = decisions.standing(connection, *LIMITING, as_of=as_of)
    return limits_among(connection, rules, issue_id, as_of=as_of)


def limits_among(
    connection: sqlite3.Connection,
    rules: Sequence[Decision],
    issue_id: int,
    *,
    as_of: datetime | None = None,
) -> Limits:
    """What these rules, oldest first, say of an issue; a limit of its own outranks a general one.

    Of several limits of the same reach the newest holds, of several freezes likewise.
    """
    named = issues_named(connection, rules, issue_id, as_of=as_of)
    now = as_of or utc_now()
    held = [one for one in rules if one.issue_id in named and not is_over(one, now)]
    orders = [_order_of(one) for one in held if one.kind == FREEZE]
    wanted = {one.resolution_id for one in held if one.resolution_id is not None}
    known = resolutions.by_ids(connection, wanted.union(*orders))

    def approaches(ids: Sequence[int | None]) -> list[int]:
        return [known[one].canonical_id for one in ids if one in known]

    def those(kind: str) -> list[int]:
        return approaches([one.resolution_id for one in held if one.kind == kind])

    displacing = sorted(
        (one for one in held if one.kind == "max-displacement"),
        key=lambda one: one.issue_id is not None,
    )
    return Limits(
        pinned=tuple(dict.fromkeys(those("pin"))),
        forbidden=frozenset(those("forbid")),
        deprecated=frozenset(those("deprecate")),
        max_displacement=int(displacing[-1].data["places"]) if displacing else None,
        frozen=tuple(dict.fromkeys(approaches(orders[-1]))) if orders else None,
    )


def issues_named(
    connection: sqlite3.Connection,
    rules: Sequence[Decision],
    issue_id: int,
    *,
    as_of: datetime | None = None,
) -> set[int | None]:
    """Under which issues a rule may be held to count for this one: none, itself, and those whose
    cases are in it now and that have none left.
    """
    others = {one.issue_id for one in rules if one.issue_id not in (None, issue_id)}
    asked = [one for one in others if one is not None]
    left = issues.deserted(connection, asked, as_of=as_of) if asked else set()
    joined = issues.joined(connection, issue_id, left) if left else set()
    return {None, issue_id, *joined}


def is_over(rule: Decision, now: datetime) -> bool:
    """Whether the last day of a rule has passed."""
    until = rule.data.get("until")
    return until is not None and datetime.fromisoformat(until) <= now


def held_issues(connection: sqlite3.Connection) -> tuple[frozenset[int], frozenset[int]]:
    """(issues whose cases no automatic grouping moves out, those of them that are frozen)."""
    rules = [one for one in decisions.standing(connection, *HOLDING) if not is_over(one, utc_now())]
    named = {one.issue_id for one in rules if one.issue_id is not None}
    gone = issues.deserted(connection, sorted(named)) if named else set()
    homes = {
        one: set(issues.successors(connection, one)) if one in gone else {one} for one in named
    }
    held = frozenset().union(*homes.values()) if homes else frozenset()
    frozen = [homes[r.issue_id] for r in rules if r.kind == FREEZE and r.issue_id is not None]
    return held, frozenset().union(*frozen)


def freeze_of(kb: KnowledgeBase, issue_id: int) -> Decision | None:
    """The decision by which an issue is frozen now; None when it is not."""
    rules = decisions.standing(kb.connection, FREEZE)
    if not rules:
        return None
    named = issues_named(kb.connection, rules, issue_id)
    return next((one for one in reversed(rules) if one.issue_id in named), None)


def named_resolutions(connection: sqlite3.Connection) -> frozenset[int]:
    """Every wording that a rule in force names: no automatic grouping of wordings moves it."""
    found: set[int] = set()
    for one in decisions.standing(connection, *LIMITING):
        if is_over(one, utc_now()):
            continue
        found.update(_order_of(one))
        if one.resolution_id is not None:
            found.add(one.resolution_id)
    return frozenset(found)


def _order_of(rule: Decision) -> list[int]:
    """The resolutions of a frozen issue in their order; none for other rules."""
    digits = [str(one).lower().removeprefix("r") for one in rule.data.get("order", ())]
    return [int(one) for one in digits if one.isdecimal()]
