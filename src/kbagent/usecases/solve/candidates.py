"""The resolutions of the recognised issue, in order, and the checks that each must pass."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kbagent.core.learning.facets import VERSION_NAMES, narrowed
from kbagent.core.learning.pooling import pooled_mean
from kbagent.core.verification.checks import (
    CheckResult,
    Severity,
    allowed,
    enough_evidence,
    fits_facet,
    not_broken,
    prerequisites_met,
    tried_nearby,
)
from kbagent.model.case import Verdict
from kbagent.model.evidence import Cell, Evidence, Ranked
from kbagent.model.policy import Limits, PolicyParameters
from kbagent.store import issues, resolutions
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.retrieve.search import Sighting
from kbagent.usecases.reuse.approaches import Approach, approaches
from kbagent.usecases.reuse.boundaries import limits_of, trust
from kbagent.usecases.reuse.evidence import Experience, experience, refining
from kbagent.usecases.solve.people import fewest_trials, standing_of
from kbagent.usecases.solve.problem import Problem, Thresholds
from kbagent.usecases.solve.procedures import Procedure, procedures_of
from kbagent.usecases.solve.reading import OS_NAMES

LATEST = 3  # outcomes; three failures in a row are 1 in 8 for a fix that works half the time
SEEN = 2  # successes on a value from which another resolution is preferred there
_NEARBY = 0.8  # of the similarity of the nearest success: cases that are like this one too
_LEARNED = frozenset(
    {
        "not-broken",
        "failing-lately",
        "evidence",
        "works-on-version",
        "works-on-os",
        "seen-on-version",
        "seen-on-os",
        "tried-nearby",
    }
)
"""Checks on what was learned; a person's pin outranks them, so they only note."""


@dataclass(frozen=True, slots=True)
class Field:
    """An issue with all that is known of what was tried on it, and who may limit that."""

    kb: KnowledgeBase
    issue_id: int
    members: tuple[int, ...]
    known: Experience
    similarity: Mapping[int, float]
    parameters: PolicyParameters
    limits: Limits
    procedures: Mapping[int, Procedure]


@dataclass(frozen=True, slots=True)
class Checked:
    """A resolution with the results of its checks."""

    approach: Approach
    checks: tuple[CheckResult, ...]

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """What does not hold, notes left out."""
        return tuple(c for c in self.checks if not c.ok and c.severity is not Severity.NOTE)

    @property
    def stopped(self) -> bool:
        """Whether it may not be answered."""
        return any(check.severity is Severity.STOP for check in self.failed)


@dataclass(frozen=True, slots=True)
class Near:
    """How near the cases are on which each resolution was tried, and what worked on the nearest.

    `nearest` is the similarity of the nearest success of any, `often` what worked repeatedly there.
    """

    similarity: Mapping[int, float]
    nearest: float
    often: tuple[int, ...]

    def other(self, resolution_id: int) -> int | None:
        """Another resolution that worked repeatedly on the nearest cases."""
        return next((one for one in self.often if one != resolution_id), None)

    def is_far(self, resolution_id: int, least: float) -> bool:
        """Whether a resolution was tried far away only, where another worked nearby."""
        mine = self.similarity.get(resolution_id, 0.0)
        return self.other(resolution_id) is not None and mine < least * self.nearest


def field_of(kb: KnowledgeBase, sighting: Sighting, issue_id: int, problem: Problem) -> Field:
    """Everything about an issue, from the sighting as far as that looked into it."""
    parameters = sighting.policy.parameters
    members = sighting.members.get(issue_id)
    known = sighting.known
    if members is None or known is None or issue_id not in known.attempts:
        found = issues.members(kb.connection, issue_id) if issue_id > 0 else [-issue_id]
        members = [one for one in found if one != problem.case_id]
        known = experience(
            kb.connection,
            dict.fromkeys(members, issue_id),
            strength=parameters.prior_strength,
            weights=trust(kb.connection),
        )
    return Field(
        kb=kb,
        issue_id=issue_id,
        members=tuple(members),
        known=known,
        similarity=sighting.found.similarities(list(members)),
        parameters=parameters,
        limits=limits_of(kb.connection, issue_id),
        procedures=procedures_of(
            kb.connection, {one.resolution_id for one in known.attempts.get(issue_id, ())}
        ),
    )


def ordered_of(
    field: Field, facets: tuple[tuple[str, str], ...], known: Experience | None = None
) -> list[Approach]:
    """The resolutions, best first; what replaces a deprecated one takes its place.

    Without people's deprecation the deprecated one might lead: then its replacement does.
    """
    known = known or field.known
    ordered = list(_ranked(field, known, facets, field.limits))
    if not field.limits.deprecated:
        return ordered
    before = _ranked(field, known, facets, replace(field.limits, deprecated=frozenset()))
    if not before or before[0].ranked.resolution_id not in field.limits.deprecated:
        return ordered
    standing = standing_of(field.kb, field.limits, before[0].ranked.cell.evidence)
    if standing.replaced_by is None or standing.replaced_by in field.limits.forbidden:
        return ordered
    first = _replacement(field, ordered, standing.replaced_by)
    rest = [one for one in ordered if one.ranked.resolution_id != standing.replaced_by]
    return ordered if first is None else [first, *rest]


def _ranked(
    field: Field, known: Experience, facets: tuple[tuple[str, str], ...], limits: Limits
) -> tuple[Approach, ...]:
    return approaches(
        field.issue_id,
        field.similarity,
        known,
        field.parameters,
        facets=refining(facets),
        limits=limits,
    )


def _replacement(field: Field, ordered: Sequence[Approach], resolution_id: int) -> Approach | None:
    """The approach that people put in place of another, tried here before or not."""
    for one in ordered:
        if one.ranked.resolution_id == resolution_id:
            return replace(one, ranked=replace(one.ranked, held=True))
    found = resolutions.by_ids(field.kb.connection, [resolution_id]).get(resolution_id)
    case_id = resolutions.latest_case(field.kb.connection, resolution_id)
    if found is None or not field.members:
        return None
    evidence = Evidence(resolution_id, 0.0, 0.0, 0.5, (0.0, 1.0))
    ranked = Ranked(0, Cell(evidence, 1.0, 1.0), 0.5, 1.0, ((resolution_id, 1.0),), held=True)
    return Approach(ranked, found.text, case_id or field.members[0], 0.0)


def checked(
    field: Field,
    approach: Approach,
    problem: Problem,
    tried: Mapping[int, str],
    thresholds: Thresholds,
    known: Experience | None = None,
    near: Near | None = None,
) -> Checked:
    """The checks of one resolution; `tried` has what the ticket says was tried, and its words.

    Without `near` nothing is said of how like the problem its cases are.
    """
    evidence = approach.ranked.cell.evidence
    standing = standing_of(field.kb, field.limits, evidence)
    results = [
        allowed(standing),
        not_broken(standing),
        _not_tried(approach, tried),
        _lately(field, approach, problem, known or field.known),
        *_fits(field, approach, problem, known or field.known, _far(near, thresholds)),
        *([_nearby(approach, near, thresholds)] if near is not None else []),
        _enough(field.kb, evidence, thresholds),
        *_prerequisites(field, approach, problem),
    ]
    if approach.ranked.held and not standing.deprecated:
        results = [
            replace(one, severity=Severity.NOTE) if one.name in _LEARNED else one for one in results
        ]
    return Checked(approach, tuple(results))


def _not_tried(approach: Approach, tried: Mapping[int, str]) -> CheckResult:
    said = tried.get(approach.ranked.resolution_id)
    return CheckResult(
        "already-tried",
        said is None,
        "not tried in this ticket",
        "not mentioned" if said is None else f"'{said[:120]}'",
        Severity.STOP,
    )


def _lately(field: Field, approach: Approach, problem: Problem, known: Experience) -> CheckResult:
    """Whether its last outcomes are not all failures: sooner than a change can be proven.

    Where its evidence is narrowed to cases like this one, only theirs: that a fix fails since 4.2
    says nothing of 4.1.
    """
    mine = approach.ranked.resolution_id
    every = [one for one in known.trials.get(field.issue_id, ()) if one.resolution_id == mine]
    parameters = field.parameters
    mean = pooled_mean(known.pool, mine, parameters.pool_strength)
    ours, _ = narrowed(every, refining(problem.told), mean, known.pool.strength)
    trials = sorted(ours, key=lambda one: (one.at, one.id))[-LATEST:]
    won = sum(one.reward > 0.0 for one in trials)
    return CheckResult(
        "failing-lately",
        won > 0 or len(trials) < LATEST,
        f"worked in one of its last {LATEST} outcomes",
        f"{won} of the last {len(trials)}",
    )


def _fits(
    field: Field, approach: Approach, problem: Problem, known: Experience, far: frozenset[int]
) -> list[CheckResult]:
    """Whether it works on this version and os; each facet of the problem by itself.

    What was tried `far` away only, on cases unlike this one, is no better for having worked there.
    """
    here = known.trials.get(field.issue_id, ())
    mine = approach.ranked.resolution_id
    found = []
    for role, names in (("version", VERSION_NAMES), ("os", OS_NAMES)):
        values = [value for name, value in problem.told if name.casefold() in names]
        heard = [
            (one.resolution_id, value, one.reward)
            for one in here
            for name, value in one.facets
            if name.casefold() in names
        ]
        value = values[0] if values else None
        worked = [seen for one, seen, reward in heard if one == mine and reward > 0.0]
        failed = [seen for one, seen, reward in heard if one == mine and reward == 0.0]
        found.append(fits_facet(role, value, worked, failed))
        if value is not None:
            elsewhere = Counter(
                one for one, seen, won in heard if won > 0.0 and seen == value and one not in far
            )
            found.append(_seen_on(role, value, mine, elsewhere))
    return found


def _seen_on(role: str, value: str, mine: int, elsewhere: Mapping[int, int]) -> CheckResult:
    """Whether nothing else is known to work on this very value, where this one is not."""
    others = [one for one, count in elsewhere.items() if count >= SEEN and one != mine]
    ok = mine in elsewhere or not others
    return CheckResult(
        f"seen-on-{role}",
        ok,
        f"worked on {value}, or nothing else did",
        "as expected" if ok else f"r{min(others)} worked on {value}, this one was not tried",
    )


def near_of(field: Field) -> Near:
    """How near the problem at hand each resolution of its issue was tried."""
    near: dict[int, float] = {}
    won = []
    for one in field.known.attempts.get(field.issue_id, ()):
        similarity = field.similarity.get(one.case_id, 0.0)
        near[one.resolution_id] = max(similarity, near.get(one.resolution_id, similarity))
        if one.verdict in (Verdict.WORKED, Verdict.PARTLY):
            won.append((similarity, one.resolution_id))
    nearest = max((similarity for similarity, _ in won), default=0.0)
    counts = Counter(one for similarity, one in won if similarity >= _NEARBY * nearest)
    often = [one for one, count in counts.items() if count >= SEEN] if nearest > 0.0 else []
    return Near(near, nearest, tuple(sorted(often)))


def _far(near: Near | None, thresholds: Thresholds) -> frozenset[int]:
    """The resolutions that were tried far away only."""
    if near is None:
        return frozenset()
    return frozenset(one for one in near.similarity if near.is_far(one, thresholds.nearness))


def _nearby(approach: Approach, near: Near, thresholds: Thresholds) -> CheckResult:
    """Whether it was tried near the problem at hand; of a replayed case nothing near is known."""
    mine = approach.ranked.resolution_id
    least = thresholds.nearness
    return tried_nearby(approach.similarity, near.nearest, near.other(mine), least=least)


def _enough(kb: KnowledgeBase, evidence: Evidence, thresholds: Thresholds) -> CheckResult:
    """Enough by the interval, by what people want at the least, and never without a success."""
    result = enough_evidence(evidence, least=thresholds.evidence)
    least = fewest_trials(kb)
    if evidence.worked > 0.0 and evidence.tried >= least:
        return result
    expected = f"tried {least} times or more" if least else "known to have worked"
    return replace(result, ok=False, expected=expected, severity=Severity.STOP)


def _prerequisites(field: Field, approach: Approach, problem: Problem) -> tuple[CheckResult, ...]:
    procedure = field.procedures.get(approach.ranked.resolution_id)
    return () if procedure is None else prerequisites_met(procedure.requires, problem.told)
