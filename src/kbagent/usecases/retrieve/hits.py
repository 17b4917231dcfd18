"""The issues of an answer in full: instances, span, versions, resolutions in their order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import nsmallest

import numpy as np

from kbagent.core.learning.facets import VERSION_NAMES
from kbagent.core.learning.ranking import NO_LIMITS
from kbagent.core.retrieval.confidence import confidences
from kbagent.core.retrieval.fusion import FusedTerms
from kbagent.core.retrieval.grouping import IssueHit as Group
from kbagent.core.retrieval.versions import version_key
from kbagent.model.case import Case
from kbagent.model.lookup import InstanceHit, IssueHit, ResolutionHit, Terms
from kbagent.model.policy import Limits
from kbagent.store import cases, issues
from kbagent.store.issues import Membership
from kbagent.usecases.retrieve.gathering import Gathered, Sight, placed, standing
from kbagent.usecases.retrieve.matching import Matches
from kbagent.usecases.reuse.approaches import Approach, approaches
from kbagent.usecases.reuse.boundaries import LIMITING, limits_among
from kbagent.usecases.reuse.evidence import Experience

INSTANCES_SHOWN = 3  # under an issue, unless every one is asked for
RESOLUTIONS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Outline:
    """What is said of an issue's cases as a whole. `case_ids`: those in scope, oldest first."""

    case_ids: tuple[int, ...]
    first_seen: datetime | None
    last_seen: datetime | None
    versions: tuple[str, ...]


def hits_of(sight: Sight, gathered: Gathered, found: Matches) -> list[IssueHit]:
    """The issues down to the last that is shown, in full, their resolutions not ranked yet."""
    request = sight.request
    wanted = gathered.groups[: request.offset + request.limit]
    known = gathered.known
    assert known is not None  # noqa: S101 -- set by `gather`
    sure = confidences(gathered.groups, sight.parameters.platt)
    parts = []
    for group in wanted:
        members = _members(group, gathered)
        similarity = found.similarities(members)
        outline = _outline(sight, group.issue_id, members)
        parts.append((group, similarity, outline, _nearest(sight, outline.case_ids, similarity)))
    _cases(sight, [case_id for *_, shown in parts for case_id in shown])  # all in one go
    titles = issues.titles(sight.kb.connection, [group.issue_id for group in wanted])
    return [
        _hit(
            sight,
            group,
            known,
            similarity,
            outline,
            shown,
            sure[group.issue_id],
            titles.get(group.issue_id),
        )
        for group, similarity, outline, shown in parts
    ]


def _nearest(
    sight: Sight, case_ids: Sequence[int], similarity: Mapping[int, float]
) -> Sequence[int]:
    """The instances that are shown: the nearest, or every one where everything is asked for."""
    if sight.request.everything:
        return case_ids
    return nsmallest(INSTANCES_SHOWN, case_ids, key=lambda one: (-similarity[one], one))


def _members(group: Group, gathered: Gathered) -> Sequence[int]:
    return gathered.members.get(group.issue_id) or [one.case_id for one in group.members]


def ranked(hits: Sequence[IssueHit]) -> tuple[IssueHit, ...]:
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


def _hit(
    sight: Sight,
    group: Group,
    known: Experience,
    similarity: Mapping[int, float],
    outline: _Outline,
    shown: Sequence[int],
    sure: float,
    title: str | None,
) -> IssueHit:
    return IssueHit(
        issue_id=group.issue_id,
        title=title or _cases(sight, [group.members[0].case_id])[0].title,
        score=group.score,
        confidence=sure,
        instance_count=len(outline.case_ids),
        first_seen=outline.first_seen,
        last_seen=outline.last_seen,
        versions=outline.versions,
        instances=tuple(_instances(sight, shown, similarity)),
        resolutions=tuple(map(_resolution, _approaches(sight, group, similarity, known))),
        terms=explained(group),
    )


def _outline(sight: Sight, issue_id: int, member_ids: Sequence[int]) -> _Outline:
    """Of an issue as a whole, remembered where no condition takes out some of its cases."""
    narrowed = sight.as_of is not None or sight.scope.narrows
    kept: dict[int, _Outline] = {} if narrowed else sight.kb.memory.of("outlines")
    if issue_id not in kept:
        kept[issue_id] = _outlined(sight, member_ids)
    return kept[issue_id]


def _outlined(sight: Sight, member_ids: Sequence[int]) -> _Outline:
    connection = sight.kb.connection
    every = np.array(member_ids, dtype=np.int64)
    inside = sight.scope.admitted(every).tolist()
    first, last = cases.span(connection, inside)
    names: list[str] = sight.kb.memory.one(
        "version names",
        lambda: [n for n in cases.facet_names(connection) if n.casefold() in VERSION_NAMES],
    )
    versions = cases.values_among(connection, inside, names)
    return _Outline(
        case_ids=tuple(inside),
        first_seen=first,
        last_seen=last,
        versions=tuple(sorted(versions, key=lambda text: (version_key(text), text))),
    )


def _cases(sight: Sight, case_ids: Sequence[int]) -> list[Case]:
    known: dict[int, Case] = sight.kb.memory.of("cases")
    missing = [one for one in case_ids if one not in known]
    if missing:
        known.update(cases.by_ids(sight.kb.connection, missing))
    return [known[one] for one in case_ids]


def _instances(
    sight: Sight, case_ids: Sequence[int], similarity: Mapping[int, float]
) -> list[InstanceHit]:
    """Nearest first; with everything asked for, oldest first."""
    shown = _cases(sight, case_ids)
    if sight.request.everything:
        shown = sorted(shown, key=lambda case: (_time_key(case.opened_at), case.id))
    places = placed(sight, [case.id for case in shown])
    return [_instance(case, similarity[case.id], places.get(case.id)) for case in shown]


def _instance(case: Case, similarity: float, place: Membership | None) -> InstanceHit:
    return InstanceHit(
        case_id=case.id,
        ref=case.ref,
        title=case.title,
        similarity=similarity,
        opened_at=case.opened_at,
        status=case.status,
        membership=place.kind if place else "similar",
        membership_confidence=place.confidence if place else 0.0,
    )


def _approaches(
    sight: Sight, group: Group, similarity: Mapping[int, float], known: Experience
) -> Sequence[Approach]:
    """The resolutions that are shown of an issue, in their order."""
    ordered = approaches(
        group.issue_id,
        similarity,
        known,
        sight.parameters,
        facets=sight.facets,
        rng=sight.rng,
        limits=_limits(sight, group.issue_id),
        weighed=sight.weighed(),
    )
    everything = sight.request.everything
    shown = shown_of(ordered, everything=everything or sight.parameters.exploration)
    return shown if everything else shown[:RESOLUTIONS_SHOWN]


def _limits(sight: Sight, issue_id: int) -> Limits:
    rules = standing(sight, *LIMITING)
    if not rules:
        return NO_LIMITS
    return limits_among(sight.kb.connection, rules, issue_id, as_of=sight.as_of)


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


def _time_key(moment: datetime | None) -> tuple[bool, float]:
    return (moment is None, moment.timestamp() if moment else 0.0)
