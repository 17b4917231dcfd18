"""The candidate issues of a query: all their cases, and what is known of their resolutions.

What a process reads of them stays for its next query (`store.memory`); looking back at an earlier
day, or leaving out a case, everything is read anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from kbagent.core.learning.pooling import overall_rate
from kbagent.core.learning.ranking import issue_shift
from kbagent.core.retrieval.grouping import IssueHit as Group
from kbagent.core.retrieval.grouping import group_by_issue, with_evidence
from kbagent.model.evidence import Cell
from kbagent.model.lookup import Request
from kbagent.model.policy import Policy, PolicyParameters
from kbagent.store import decisions, issues, ledger
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.retrieve.matching import Matches
from kbagent.usecases.retrieve.scope import Scope
from kbagent.usecases.reuse.approaches import approaches
from kbagent.usecases.reuse.boundaries import TRUST, weights_of
from kbagent.usecases.reuse.evidence import Experience, experience, refining
from kbagent.usecases.reuse.recollection import issue_members, recalled

_EVIDENCE_REACH = 60  # issues whose evidence may move them; fixed, so that pages never overlap


@dataclass(frozen=True, slots=True)
class Sight:
    """What is looked at: the request under a policy, at a time."""

    kb: KnowledgeBase
    request: Request
    policy: Policy
    rng: "np.random.Generator | None"
    scope: Scope

    @property
    def parameters(self) -> PolicyParameters:
        """Those of the policy."""
        return self.policy.parameters

    @property
    def as_of(self) -> datetime | None:
        """The moment looked back at; None: now."""
        return self.request.as_of

    @property
    def facets(self) -> tuple[tuple[str, str], ...]:
        """What the filters say of the case at hand: only equality names a value."""
        filters = self.request.filters
        return refining([(f.name, f.value) for f in filters if f.operator == "="])

    def weighed(self) -> dict[int, Mapping[int, Cell]] | None:
        """The cells of issues as this request weighs them; None where it does not weigh all."""
        if self.as_of is not None or self.request.exclude:
            return None
        return self.kb.memory.of(f"cells {self.policy.version} {self.facets}")


@dataclass(slots=True)
class Gathered:
    """The candidate issues, best first, with all their cases and what was tried on them."""

    groups: tuple[Group, ...]
    members: dict[int, list[int]] = field(default_factory=dict)
    known: Experience | None = None


def gather(sight: Sight, found: Matches) -> Gathered:
    """The candidate issues, best first by evidence too, each with all its cases."""
    candidates = [terms.case_id for terms in found.terms]
    places = placed(sight, candidates)
    issue_of = {one: places[one].issue_id if one in places else -one for one in candidates}
    plain = group_by_issue(found.terms, issue_of)
    reach = _taught(sight, _within_reach(plain, sight))
    gathered = Gathered(groups=())
    known = _experience(sight, reach, gathered.members)
    shifts = {group.issue_id: _shift(sight, group, known) for group in reach}
    gathered.groups = with_evidence(plain, shifts, sight.parameters.evidence_bound)
    wanted = gathered.groups[: sight.request.offset + sight.request.limit]
    further = [group for group in wanted if group.issue_id not in gathered.members]
    gathered.known = _experience(sight, further, gathered.members) if further else known
    return gathered


def _experience(sight: Sight, groups: Sequence[Group], members: dict[int, list[int]]) -> Experience:
    """What is known of the issues in `members`, to which those of `groups` are added.

    A case that the request leaves out brings no evidence either.
    """
    connection = sight.kb.connection
    left_out = set(sight.request.exclude)
    if sight.as_of is None and not left_out:
        by_issue = {group.issue_id: [terms.case_id for terms in group.members] for group in groups}
        members.update(issue_members(sight.kb, by_issue))
        return recalled(
            sight.kb,
            members,
            strength=sight.parameters.prior_strength,
            weights=_trust(sight),
        )
    for group in groups:
        found = (
            issues.members(connection, group.issue_id, as_of=sight.as_of)
            if group.issue_id > 0
            else [terms.case_id for terms in group.members]
        )
        members[group.issue_id] = [one for one in found if one not in left_out]
    owner = {case: issue for issue, some in members.items() for case in some}
    return experience(
        connection,
        owner,
        as_of=sight.as_of,
        strength=sight.parameters.prior_strength,
        weights=_trust(sight),
    )


def placed(sight: Sight, case_ids: Sequence[int]) -> dict[int, issues.Membership]:
    """Where these cases belong, those left out that belong nowhere yet."""
    if sight.as_of is not None:
        return issues.memberships(sight.kb.connection, case_ids, as_of=sight.as_of)
    known: dict[int, issues.Membership | None] = sight.kb.memory.of("memberships")
    missing = [one for one in case_ids if one not in known]
    if missing:
        known.update(dict.fromkeys(missing))
        known.update(issues.memberships(sight.kb.connection, missing))
    found = ((one, known[one]) for one in case_ids)
    return {one: place for one, place in found if place is not None}


def _taught(sight: Sight, groups: Sequence[Group]) -> Sequence[Group]:
    """Those of the groups of which any outcome is known: evidence moves no other."""
    if sight.as_of is not None:
        return groups
    known: dict[int, bool] = sight.kb.memory.of("taught")
    missing = [group.issue_id for group in groups if group.issue_id not in known]
    if missing:
        with_outcomes = ledger.issues_with_outcomes(sight.kb.connection, missing)
        known.update((one, one < 0 or one in with_outcomes) for one in missing)
    return [group for group in groups if known[group.issue_id]]


def _within_reach(plain: Sequence[Group], sight: Sight) -> Sequence[Group]:
    """The nearest issues that are shown, or that evidence could still lift among them."""
    last = sight.request.offset + sight.request.limit
    near = plain[:_EVIDENCE_REACH]
    if len(near) <= last:
        return near
    least = near[last - 1].match - sight.parameters.evidence_bound
    return [group for place, group in enumerate(near) if place < last or group.match >= least]


def _shift(sight: Sight, group: Group, known: Experience) -> float:
    if not known.trials.get(group.issue_id):
        return 0.0
    similarity = {terms.case_id: terms.similarity for terms in group.members}
    ordered = approaches(
        group.issue_id,
        similarity,
        known,
        sight.parameters,
        facets=sight.facets,
        most=1,
        weighed=sight.weighed(),
    )
    return issue_shift(
        [approach.ranked for approach in ordered],
        overall_rate(known.pool),
        sight.parameters.evidence_bound,
    )


def _trust(sight: Sight) -> dict[str, float]:
    """How much each person's outcomes count."""
    return weights_of(standing(sight, TRUST))


def standing(sight: Sight, *kinds: str) -> list[decisions.Decision]:
    """The decisions of these kinds in force at the time looked at."""
    if sight.as_of is not None:
        return decisions.standing(sight.kb.connection, *kinds, as_of=sight.as_of)
    return sight.kb.memory.one(
        f"decisions {kinds}", lambda: decisions.standing(sight.kb.connection, *kinds)
    )
