"""What people decided that `solve` must respect: where a human is required, what replaces what.

Decisions are read as they are kept:

require-human     for an issue (`issue_id`), or data {"keyword": TEXT} or {"facet": N, "value": V};
                  data may name a "reason" and a "queue"
deprecate         data may have "replaced_by" (a resolution's id), "until" and "reason"
minimum-evidence  data {"tried": N}: nothing is answered that was tried less often
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kbagent.core.verification.checks import Standing
from kbagent.model.evidence import Evidence
from kbagent.model.policy import Limits
from kbagent.store import decisions, resolutions
from kbagent.store.decisions import Decision
from kbagent.store.knowledge_base import KnowledgeBase, utc_now
from kbagent.usecases.reuse.boundaries import is_over, issues_named

REQUIRE_HUMAN = "require-human"
DEPRECATE = "deprecate"
MINIMUM_EVIDENCE = "minimum-evidence"


@dataclass(frozen=True, slots=True)
class HumanRequired:
    """Why a person has to see this, and which queue they named for it."""

    reason: str
    queue: str | None = None


def human_required(
    kb: KnowledgeBase,
    text: str,
    facets: Iterable[tuple[str, str]],
    issue_id: int | None = None,
) -> HumanRequired | None:
    """The first decision in force that wants a human for this text, these facets or this issue."""
    rules = decisions.standing(kb.connection, REQUIRE_HUMAN)
    return required_among(kb, rules, text, facets, issue_id)


def required_among(
    kb: KnowledgeBase,
    rules: Sequence[Decision],
    text: str,
    facets: Iterable[tuple[str, str]],
    issue_id: int | None = None,
) -> HumanRequired | None:
    """The first of these rules that wants a human for this text, these facets or this issue."""
    told = {(name.casefold(), value.casefold()) for name, value in facets}
    named = issues_named(kb.connection, rules, issue_id) - {None} if issue_id is not None else set()
    for decision in rules:
        if decision.kind == REQUIRE_HUMAN and _applies(decision, text, told, named):
            return HumanRequired(_why(decision), decision.data.get("queue"))
    return None


def standing_of(kb: KnowledgeBase, limits: Limits, evidence: Evidence) -> Standing:
    """What people decided about a resolution, and whether it broke."""
    one = evidence.resolution_id
    replaced = None
    if one in limits.deprecated:
        replaced = _replacement(kb, one)
    return Standing(
        deprecated=one in limits.deprecated,
        forbidden=one in limits.forbidden,
        replaced_by=replaced,
        broke_at=None if evidence.broke is None else evidence.broke.at,
    )


def fewest_trials(kb: KnowledgeBase) -> int:
    """How often a resolution must have been tried before it may be answered; 0 if nobody said."""
    return fewest_among(decisions.standing(kb.connection, MINIMUM_EVIDENCE))


def fewest_among(rules: Sequence[Decision]) -> int:
    """The same among these rules, oldest first."""
    found = [one for one in rules if one.kind == MINIMUM_EVIDENCE]
    return int(found[-1].data.get("tried", 0)) if found else 0


def _applies(
    decision: Decision, text: str, told: set[tuple[str, str]], named: set[int | None]
) -> bool:
    keyword, facet = decision.data.get("keyword"), decision.data.get("facet")
    if keyword:
        return re.search(rf"(?<!\w){re.escape(str(keyword))}", text, re.IGNORECASE) is not None
    if facet:
        return (str(facet).casefold(), str(decision.data.get("value", "")).casefold()) in told
    return decision.issue_id is not None and decision.issue_id in named


def _why(decision: Decision) -> str:
    reason = decision.data.get("reason")
    if reason:
        return str(reason)
    if decision.data.get("keyword"):
        return f"people decided that '{decision.data['keyword']}' is for a human"
    if decision.data.get("facet"):
        named = f"{decision.data['facet']}={decision.data.get('value', '')}"
        return f"people decided that {named} is for a human"
    return f"people decided that issue i{decision.issue_id} is for a human"


def _replacement(kb: KnowledgeBase, approach: int) -> int | None:
    """The approach that people last named in place of a deprecated one."""
    rules = [
        one for one in decisions.standing(kb.connection, DEPRECATE) if not is_over(one, utc_now())
    ]
    instead = {one.id: _resolution_id(one.data.get("replaced_by")) for one in rules}
    wanted = [*(one.resolution_id for one in rules), *instead.values()]
    known = resolutions.by_ids(kb.connection, {one for one in wanted if one is not None})
    for one in reversed(rules):
        named, other = known.get(one.resolution_id or 0), known.get(instead[one.id] or 0)
        if named is not None and named.canonical_id == approach:
            return None if other is None else other.canonical_id
    return None


def _resolution_id(value: object) -> int | None:
    digits = str(value or "").lower().removeprefix("r")
    return int(digits) if digits.isdigit() else None
