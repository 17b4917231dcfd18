"""Step 4, Verify: would the same procedure have chosen what worked on the stored instances?

Each of the latest instances with a known success is played again with its own outcomes hidden:
the ranking, people's limits and the checks run on what is left. Another wording of what worked
counts as found. Where the choice is another fix than was tried there, nobody knows whether it would
have worked too (of two equally good fixes the one whose success is hidden always comes second), so
only instances on which it was tried are counted: the replay of Li et al. 2011, "Unbiased offline
evaluation of contextual-bandit-based news article recommendation algorithms".

Instances from before a resolution of the issue broke say nothing of today and are left out.
Similarity is that to the problem at hand, for all alike.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kbagent.core.linking.resolutions import REWORDED
from kbagent.core.verification.checks import Severity, found_again
from kbagent.model.case import Verdict
from kbagent.model.evidence import Tally
from kbagent.model.outcome import REWARD, Outcome, OutcomeSource
from kbagent.store import cases, fixes, ledger, models, resolutions
from kbagent.store.passages import Vectors
from kbagent.usecases.reuse.evidence import Experience
from kbagent.usecases.solve.candidates import Checked, Field
from kbagent.usecases.solve.choosing import pick_again
from kbagent.usecases.solve.problem import Problem, Thresholds
from kbagent.usecases.solve.trace import Stage, Step

MOST_REPLAYED = 8  # instances, the latest; more cost more time than they tell


@dataclass(frozen=True, slots=True)
class Replayed:
    """On how many instances the choice worked, on how many it was tried, how many were replayed."""

    worked: int
    tried: int
    replayed: int
    step: Step


def verify(
    field: Field,
    candidates: Sequence[Checked],
    problem: Problem,
    thresholds: Thresholds,
    *,
    held: bool = False,
) -> Replayed:
    """Run the step.

    What a person `held` at the top is no choice of the procedure, so that it was not what worked
    on earlier cases is a doubt and never stops the run.
    """
    entries = ledger.standing(field.kb.connection, list(field.members))
    used = {entry.resolution_id for entry in entries}
    head = {
        one.id: one.canonical_id for one in resolutions.by_ids(field.kb.connection, used).values()
    }
    by_case: defaultdict[int, list[Outcome]] = defaultdict(list)
    for entry in entries:
        by_case[entry.case_id].append(entry)
    instances = _instances(field, candidates, by_case, head)
    facets = cases.facets_of(field.kb.connection, [one for one, _ in instances])
    alike = _vectors(field)
    won = lost = 0
    for case_id, worked in instances:
        rest = _without(field, by_case, case_id, head)
        again = replace(problem, told=facets[case_id], excluded=(), case_id=case_id)
        picked = pick_again(field, again, thresholds, rest)
        if _is_one_of(picked, worked, alike):
            won += 1
        else:
            lost += picked in {head[entry.resolution_id] for entry in by_case[case_id]}
    others = len(instances) - won - lost
    check = found_again(won, lost, others, least=thresholds.known_good)
    if not check.ok and held:
        check = replace(check, severity=Severity.DOUBT)
    step = Step(
        stage=Stage.VERIFY,
        input=f"{len(instances)} stored instances with a known success, their outcome hidden",
        output=_described(won, lost, others),
        checks=(check,),
    )
    return Replayed(won, won + lost, len(instances), step)


def _described(won: int, lost: int, others: int) -> str:
    if not won + lost + others:
        return "no stored instance to play again"
    if not won + lost:
        return f"its choice was not tried on these {others}"
    rest = f"; on {others} something else was tried" if others else ""
    return f"its choice worked on {won} of {won + lost}{rest}"


def _vectors(field: Field) -> Mapping[int, Vectors]:
    """The vectors kept of the issue's fixes: other wordings of one fix are the same choice."""
    model = models.active(field.kb.connection)
    if model is None:
        return {}
    used = {one.resolution_id for one in field.known.attempts.get(field.issue_id, ())}
    return fixes.vectors(field.kb.connection, model.id, sorted(used))


def _is_one_of(picked: int | None, worked: frozenset[int], alike: Mapping[int, Vectors]) -> bool:
    if picked in worked:
        return True
    if picked is None or picked not in alike:
        return False
    return any(float(alike[picked] @ alike[one]) >= REWORDED for one in worked if one in alike)


def _instances(
    field: Field,
    candidates: Sequence[Checked],
    by_case: Mapping[int, Sequence[Outcome]],
    head: Mapping[int, int],
) -> list[tuple[int, frozenset[int]]]:
    """(case, what worked on it) of the latest that still speak; another case must be left."""
    broke = _last_break(field, candidates)
    barred = field.limits.forbidden | field.limits.deprecated
    found = []
    for case_id, entries in by_case.items():
        worked = frozenset(
            head[entry.resolution_id] for entry in entries if entry.verdict is Verdict.WORKED
        )
        latest = max(entry.happened_at for entry in entries)
        elsewhere = any(
            head[entry.resolution_id] in worked and entry.verdict is Verdict.WORKED
            for other, entries_of in by_case.items()
            if other != case_id
            for entry in entries_of
        )
        if worked - barred and elsewhere and (broke is None or latest >= broke):
            found.append((latest, case_id, worked))
    return [(case_id, worked) for _, case_id, worked in sorted(found)[-MOST_REPLAYED:]]


def _last_break(field: Field, candidates: Sequence[Checked]) -> datetime | None:
    """When the last of them stopped working: proven, or failing ever since."""
    moments = [
        one.approach.ranked.cell.evidence.broke.at
        for one in candidates
        if one.approach.ranked.cell.evidence.broke is not None
    ]
    moments += [
        _failing_since(field, one.approach.ranked.resolution_id)
        for one in candidates
        if any(check.name == "failing-lately" and not check.ok for check in one.checks)
    ]
    return max(moments, default=None)


def _failing_since(field: Field, resolution_id: int) -> datetime:
    """The moment of the first failure after the last success of a resolution that fails lately."""
    trials = sorted(
        (t for t in field.known.trials[field.issue_id] if t.resolution_id == resolution_id),
        key=lambda trial: (trial.at, trial.id),
    )
    since = trials[-1].at
    for trial in reversed(trials):
        if trial.reward > 0.0:
            break
        since = trial.at
    return since


def _without(
    field: Field,
    by_case: Mapping[int, Sequence[Outcome]],
    case_id: int,
    head: Mapping[int, int],
) -> Experience:
    """What would be known had this case never told its outcomes."""
    known, issue = field.known, field.issue_id
    own = {entry.id for entry in by_case[case_id]}
    told: dict[tuple[int, int], Verdict] = {}
    for entries in by_case.values():
        for entry in entries:
            if entry.id not in own and entry.source is not OutcomeSource.EXPLICIT:
                key = (issue, head[entry.resolution_id])
                told[key] = max(entry.verdict, told.get(key, entry.verdict), key=_goodness)
    pooled = dict(known.pool.resolutions)
    for entry in by_case[case_id]:
        tally = pooled.get(head[entry.resolution_id], Tally())
        pooled[head[entry.resolution_id]] = Tally(
            max(0.0, tally.tried - 1.0), max(0.0, tally.worked - _goodness(entry.verdict))
        )
    return replace(
        known,
        trials={issue: tuple(t for t in known.trials.get(issue, ()) if t.id not in own)},
        attempts={issue: tuple(a for a in known.attempts.get(issue, ()) if a.case_id != case_id)},
        told=told,
        pool=replace(known.pool, resolutions=pooled),
    )


def _goodness(verdict: Verdict) -> float:
    return REWARD.get(verdict, 0.0)
