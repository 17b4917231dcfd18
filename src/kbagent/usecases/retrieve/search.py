"""A search: from a request to issues with their instances, resolutions and evidence.

The order of things: narrow (filters), match (lexical and dense, fused), group by issue, expand
each issue to all its instances, weigh the resolutions by evidence, cut, and log the lookup. What
decides is in the core; here it is put together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from kbagent.core.learning.facets import VERSION_NAMES
from kbagent.core.learning.pooling import overall_rate
from kbagent.core.learning.ranking import issue_shift
from kbagent.core.retrieval.confidence import confidences
from kbagent.core.retrieval.fusion import FusedTerms
from kbagent.core.retrieval.grouping import IssueHit as Group
from kbagent.core.retrieval.grouping import group_by_issue
from kbagent.core.retrieval.versions import version_key
from kbagent.errors import Locked, UnknownHandle, UnreadableFile
from kbagent.model.case import Case
from kbagent.model.evidence import Cell
from kbagent.model.lookup import (
    InstanceHit,
    IssueHit,
    LookupResult,
    Request,
    ResolutionHit,
    Terms,
)
from kbagent.model.policy import Policy, PolicyParameters
from kbagent.store import cases, issues, ledger, policies
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.learn.confidence import certain_of
from kbagent.usecases.retrieve.lookup_log import log_without_waiting, new_handle, rng_of
from kbagent.usecases.retrieve.matching import Matches, match
from kbagent.usecases.retrieve.scope import Scope, scope_of
from kbagent.usecases.retrieve.stopwatch import Stopwatch
from kbagent.usecases.retrieve.votes import vote
from kbagent.usecases.reuse.approaches import Approach, approaches
from kbagent.usecases.reuse.boundaries import limits_of, trust
from kbagent.usecases.reuse.evidence import Experience, experience, refining
from kbagent.usecases.reuse.recollection import issue_members, recalled

INSTANCES_SHOWN = 3  # under an issue, unless every one is asked for
RESOLUTIONS_SHOWN = 3
_EVIDENCE_REACH = 60  # issues whose evidence may move them; fixed, so that pages never overlap


@dataclass(frozen=True, slots=True)
class _Sight:
    """What is looked at: the request under a policy, at a time."""

    kb: KnowledgeBase
    request: Request
    policy: Policy
    rng: np.random.Generator
    scope: Scope
    facets: tuple[tuple[str, str], ...] = ()

    @property
    def parameters(self) -> PolicyParameters:
        return self.policy.parameters

    @property
    def as_of(self) -> datetime | None:
        return self.request.as_of


@dataclass(slots=True)
class _Gathered:
    """The candidate issues with all their cases and what is known of their resolutions."""

    groups: tuple[Group, ...]
    members: dict[int, list[int]] = field(default_factory=dict)
    known: Experience | None = None


def search(
    kb: KnowledgeBase,
    encoder: Encoder,
    request: Request,
    *,
    by: str | None = None,
    log: bool = True,
    kind: str = "search",
) -> LookupResult:
    """What is known of the problem in `request.query`; the lookup is logged unless told not to.

    Raises:
        BadFilter: a filter names a column that no case has.
        UnknownHandle: the request names a policy that does not exist.
    """
    watch = Stopwatch()
    sighting = look(kb, encoder, request, watch)
    result, found = sighting.result, sighting.found
    if log:
        result = _logged(kb, result, found, by=by, kind=kind)
    watch.lap("log")
    return _timed(result, watch)


@dataclass(frozen=True, slots=True)
class Sighting:
    """An answer that is not logged yet (no handle), with what it was made from.

    `members` has the cases of each issue that was looked into, `known` what was tried on them.
    """

    result: LookupResult
    found: Matches
    policy: Policy
    members: Mapping[int, Sequence[int]]
    known: Experience | None


def look(kb: KnowledgeBase, encoder: Encoder, request: Request, watch: Stopwatch) -> Sighting:
    """What `search` finds, without logging it.

    Raises:
        BadFilter: a filter names a column that no case has.
        UnknownHandle: the request names a policy that does not exist.
    """
    settled = not kb.connection.in_transaction
    with kb.database.read():
        kb.memory.refresh(kb.connection, settled=settled)
        scope = scope_of(kb.connection, request)
        watch.lap("filter")
        policy = policy_of(kb, request)
        learned = ledger.last_recorded(kb.connection, as_of=request.as_of)
        rng = rng_of(request, learned, policy.version)
        sight = _Sight(kb, request, policy, rng, scope, _told_facets(request))
        found = match(kb, encoder, request, scope, sight.parameters, watch)
        gathered = _gather(sight, found)
        watch.lap("evidence")
        hits = _hits(sight, gathered, found)
        watch.lap("rank")
    shown = hits[request.offset : request.offset + request.limit]
    result = LookupResult(
        handle="",
        request=request,
        confident=bool(hits) and _is_confident(sight, gathered, found, hits[0]),
        hidden=max(0, len(gathered.groups) - request.offset - len(shown)),
        issues=_ranked(shown),
        policy_version=sight.policy.version,
        notes=(*_scope_notes(scope.emptied_by), *found.notes),
    )
    return Sighting(result, found, policy, gathered.members, gathered.known)


def _is_confident(sight: _Sight, gathered: _Gathered, found: Matches, first: IssueHit) -> bool:
    """Whether the first issue may be called known: by what was learned here, else by the policy.

    Where it was learned, the nearest cases vote, and their winner must be the first issue.
    """
    learned = certain_of(sight.kb)
    if not learned.learned:
        return first.confidence >= sight.parameters.confident_at
    owner = {one.case_id: group.issue_id for group in gathered.groups for one in group.members}
    votes = vote(found.terms, owner)
    if votes is None or votes.winner.issue != first.issue_id:
        return False
    return learned.confidence(votes) >= learned.threshold


def _logged(
    kb: KnowledgeBase, result: LookupResult, found: Matches, *, by: str | None, kind: str
) -> LookupResult:
    """The answer with its handle; without one where it cannot be written, and a note why."""
    named = replace(result, handle=new_handle(kb))
    try:
        log_without_waiting(kb, named, found, by=by, kind=kind)
    except (Locked, UnreadableFile) as error:
        note = f"this lookup was not kept, so `worked` cannot speak of it: {error}"
        return replace(result, notes=(*result.notes, note))
    return named


def policy_of(kb: KnowledgeBase, request: Request) -> Policy:
    """The policy a request is ranked by: the one it names, else the one in force at its time."""
    if request.policy is None:
        return policies.live(kb.connection, request.as_of)
    policy = policies.by_version(kb.connection, request.policy)
    if policy is None:
        raise UnknownHandle(
            handle=f"policy {request.policy}", hint="`kbagent policy list` names them."
        )
    return policy


def _gather(sight: _Sight, found: Matches) -> _Gathered:
    """The candidate issues, best first by evidence too, each with all its cases."""
    candidates = [terms.case_id for terms in found.terms]
    placed = _placed(sight, candidates)
    issue_of = {c: placed[c].issue_id if c in placed else -c for c in candidates}
    plain = group_by_issue(found.terms, issue_of)
    reach = _taught(sight, _within_reach(plain, sight))
    gathered = _Gathered(groups=())
    known = _experience(sight, reach, gathered.members)
    shifts = {group.issue_id: _shift(sight, group, known) for group in reach}
    gathered.groups = group_by_issue(
        found.terms,
        issue_of,
        evidence=shifts,
        evidence_bound=sight.parameters.evidence_bound,
    )
    wanted = gathered.groups[: sight.request.offset + sight.request.limit]
    further = [group for group in wanted if group.issue_id not in gathered.members]
    gathered.known = _experience(sight, further, gathered.members) if further else known
    return gathered


def _experience(
    sight: _Sight, groups: Sequence[Group], members: dict[int, list[int]]
) -> Experience:
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
            weights=trust(connection),
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
        weights=trust(connection, as_of=sight.as_of),
    )


def _placed(sight: _Sight, case_ids: Sequence[int]) -> dict[int, issues.Membership]:
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


def _taught(sight: _Sight, groups: Sequence[Group]) -> Sequence[Group]:
    """Those of the groups of which any outcome is known: evidence moves no other."""
    if sight.as_of is not None:
        return groups
    known: dict[int, bool] = sight.kb.memory.of("taught")
    missing = [group.issue_id for group in groups if group.issue_id not in known]
    if missing:
        with_outcomes = ledger.issues_with_outcomes(sight.kb.connection, missing)
        known.update((one, one < 0 or one in with_outcomes) for one in missing)
    return [group for group in groups if known[group.issue_id]]


def _within_reach(plain: Sequence[Group], sight: _Sight) -> Sequence[Group]:
    """The nearest issues that are shown, or that evidence could still lift among them."""
    last = sight.request.offset + sight.request.limit
    near = plain[:_EVIDENCE_REACH]
    if len(near) <= last:
        return near
    least = near[last - 1].match - 2.0 * sight.parameters.evidence_bound
    return [group for place, group in enumerate(near) if place < last or group.match >= least]


def _shift(sight: _Sight, group: Group, known: Experience) -> float:
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
        weighed=_weighed(sight),
    )
    return issue_shift(
        [approach.ranked for approach in ordered],
        overall_rate(known.pool),
        sight.parameters.evidence_bound,
    )


def _hits(sight: _Sight, gathered: _Gathered, found: Matches) -> list[IssueHit]:
    """The issues down to the last that is shown, in full."""
    request = sight.request
    wanted = gathered.groups[: request.offset + request.limit]
    known = gathered.known
    assert known is not None  # noqa: S101 -- set by _gather
    sure = confidences(gathered.groups, sight.parameters.platt)
    hits = []
    for group in wanted:
        member_ids = gathered.members.get(group.issue_id) or [
            terms.case_id for terms in group.members
        ]
        outline = _outline(group, sure[group.issue_id])
        hits.append(_hit(sight, group, outline, member_ids, known, found))
    return hits


def _hit(
    sight: _Sight,
    group: Group,
    outline: IssueHit,
    member_ids: Sequence[int],
    known: Experience,
    found: Matches,
) -> IssueHit:
    connection = sight.kb.connection
    everyone = _cases(sight.kb, member_ids)
    similarity = found.similarities(sight.kb, sorted(everyone))
    stored = {one: case for one, case in everyone.items() if sight.scope.admits(one)}
    placed = _placed(sight, list(stored))
    instances = _instances(list(stored.values()), similarity, placed, request=sight.request)
    titles = issues.titles(connection, [group.issue_id])
    facets = _facets(sight.kb, sorted(stored))
    ordered = approaches(
        group.issue_id,
        similarity,
        known,
        sight.parameters,
        facets=sight.facets,
        rng=sight.rng,
        limits=limits_of(connection, group.issue_id, as_of=sight.as_of),
        weighed=_weighed(sight),
    )
    opened = [case.opened_at for case in stored.values() if case.opened_at is not None]
    return IssueHit(
        issue_id=group.issue_id,
        title=titles.get(group.issue_id) or stored[group.members[0].case_id].title,
        score=outline.score,
        confidence=outline.confidence,
        instance_count=len(stored),
        first_seen=min(opened, default=None),
        last_seen=max(opened, default=None),
        versions=_versions(facets),
        instances=tuple(instances),
        resolutions=tuple(
            _resolution(approach)
            for approach in shown_of(
                ordered, everything=sight.request.everything or sight.parameters.exploration
            )[: None if sight.request.everything else RESOLUTIONS_SHOWN]
        ),
        terms=outline.terms,
    )


def _weighed(sight: _Sight) -> dict[int, Mapping[int, Cell]] | None:
    """The cells of issues as this request weighs them; None where it does not weigh all."""
    if sight.as_of is not None or sight.request.exclude:
        return None
    return sight.kb.memory.of(f"cells {sight.policy.version} {sight.facets}")


def _cases(kb: KnowledgeBase, case_ids: Sequence[int]) -> dict[int, Case]:
    known: dict[int, Case] = kb.memory.of("cases")
    missing = [one for one in case_ids if one not in known]
    if missing:
        known.update(cases.by_ids(kb.connection, missing))
    return {one: known[one] for one in case_ids if one in known}


def _facets(kb: KnowledgeBase, case_ids: Sequence[int]) -> dict[int, tuple[tuple[str, str], ...]]:
    known: dict[int, tuple[tuple[str, str], ...]] = kb.memory.of("facets")
    missing = [one for one in case_ids if one not in known]
    if missing:
        known.update(cases.facets_of(kb.connection, missing))
    return {one: known[one] for one in case_ids if one in known}


def shown_of(ordered: Sequence[Approach], *, everything: bool) -> Sequence[Approach]:
    """Where something is known to have worked, mere suggestions are left out.

    Not so where exploring: what was sampled is shown, or its logged propensity would be wrong.
    """
    if everything:
        return ordered
    known = [one for one in ordered if one.ranked.cell.evidence.tried > 0 or one.ranked.held]
    if any(one.ranked.cell.evidence.worked > 0 for one in known):
        return known
    return ordered


def _outline(group: Group, sure: float) -> IssueHit:
    """An issue as far as its score goes."""
    terms = explained(group)
    return IssueHit(
        issue_id=group.issue_id,
        title="",
        score=group.score,
        confidence=sure,
        instance_count=len(group.members),
        first_seen=None,
        last_seen=None,
        versions=(),
        instances=(),
        resolutions=(),
        terms=terms,
    )


def explained(group: Group) -> Terms:
    """The terms from which an issue's score can be computed again, to the last digit."""
    best: FusedTerms = group.members[0]
    return Terms(
        similarity=best.similarity,
        lexical=best.lexical,
        exact=best.exact,
        dense_weight=best.dense_weight,
        exact_weight=best.exact_weight,
        closeness=best.closeness,
        closeness_weight=best.closeness_weight,
        evidence=group.evidence,
    )


def _instances(
    members: Sequence[Case],
    similarity: Mapping[int, float],
    placed: Mapping[int, issues.Membership],
    *,
    request: Request,
) -> list[InstanceHit]:
    """Nearest first; with everything asked for, oldest first and without a cap."""
    hits = [
        InstanceHit(
            case_id=case.id,
            ref=case.ref,
            title=case.title,
            similarity=similarity.get(case.id, 0.0),
            opened_at=case.opened_at,
            status=case.status,
            membership=placed[case.id].kind if case.id in placed else "similar",
            membership_confidence=placed[case.id].confidence if case.id in placed else 0.0,
        )
        for case in members
    ]
    if request.everything:
        return sorted(hits, key=lambda hit: (_time_key(hit.opened_at), hit.case_id))
    return sorted(hits, key=lambda hit: (-hit.similarity, hit.case_id))[:INSTANCES_SHOWN]


def _resolution(approach: Approach) -> ResolutionHit:
    ranked = approach.ranked
    return ResolutionHit(
        resolution_id=ranked.resolution_id,
        rank=0,
        text=approach.text,
        evidence=ranked.cell.evidence,
        score=ranked.score,
        propensity=ranked.propensity,
        source_case=approach.source_case,
        explored=ranked.explored,
        pinned=ranked.held,
        alternatives=ranked.alternatives,
    )


def _ranked(hits: Sequence[IssueHit]) -> tuple[IssueHit, ...]:
    """Ranks count over the whole lookup, so that `worked 4` needs no issue."""
    rank = 0
    numbered = []
    for hit in hits:
        resolutions = []
        for one in hit.resolutions:
            rank += 1
            resolutions.append(replace(one, rank=rank))
        numbered.append(replace(hit, resolutions=tuple(resolutions)))
    return tuple(numbered)


def _versions(facets: Mapping[int, Sequence[tuple[str, str]]]) -> tuple[str, ...]:
    found = {
        value
        for pairs in facets.values()
        for name, value in pairs
        if name.casefold() in VERSION_NAMES and value
    }
    return tuple(sorted(found, key=lambda text: (version_key(text), text)))


def _told_facets(request: Request) -> tuple[tuple[str, str], ...]:
    """What the filters say of the case at hand: only equality names a value."""
    return refining([(f.name, f.value) for f in request.filters if f.operator == "="])


def _scope_notes(emptied_by: str | None) -> tuple[str, ...]:
    if emptied_by is None:
        return ()
    return (f"no case is left after the condition {emptied_by}",)


def _time_key(moment: datetime | None) -> tuple[bool, float]:
    return (moment is None, moment.timestamp() if moment else 0.0)


def _timed(result: LookupResult, watch: Stopwatch) -> LookupResult:
    return replace(result, timings=tuple(watch.phases))
