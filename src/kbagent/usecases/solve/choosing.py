"""Step 3, Choose: the best resolution that may be answered here.

Candidates come in the order of the ranking, which respects people's limits. One that fails a
check is passed over for the next; the correction is named by what it was for. Where the first one
failed the same check before and another took its place and worked, that one is tried first, unless
people hold one in its place. A doubt alone is lived with when nothing better is left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kbagent.core.verification.checks import CheckResult
from kbagent.model.evidence import Evidence
from kbagent.store import deviations
from kbagent.store.encoder.session import Encoder
from kbagent.usecases.reuse.approaches import Approach
from kbagent.usecases.reuse.evidence import Experience
from kbagent.usecases.solve.alreadytried import tried_by_ticket
from kbagent.usecases.solve.candidates import Checked, Field, checked, near_of, ordered_of
from kbagent.usecases.solve.problem import Problem, Thresholds
from kbagent.usecases.solve.trace import Correction, Stage, Step

MOST_TRIED = 12  # candidates checked before it is given up

_FOR = {
    "works-on-version": "the-one-for-this-version",
    "works-on-os": "the-one-for-this-os",
    "seen-on-version": "the-one-for-this-version",
    "seen-on-os": "the-one-for-this-os",
    "allowed": "replacement",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, every candidate that was checked, and the step."""

    chosen: Checked | None
    candidates: tuple[Checked, ...]
    step: Step


def choose(
    field: Field, encoder: Encoder, problem: Problem, text: str, thresholds: Thresholds
) -> Choice:
    """Run the step; `text` is the ticket as it was written.

    Without checks the first of the ranking is taken as it is.
    """
    ordered = ordered_of(field, problem.told)
    texts = {one.ranked.resolution_id: one.text for one in ordered}
    tried = (
        tried_by_ticket(field.kb, encoder, text, texts, problem.excluded) if problem.checked else {}
    )
    near = near_of(field)
    candidates = [
        checked(field, one, problem, tried, thresholds, near=near)
        for one in _foremost(ordered, tried)
    ]
    before = _worked_before(field, candidates) if problem.checked else None
    chosen = before or (pick(candidates) if problem.checked else next(iter(candidates), None))
    passed = _passed_over(candidates, chosen) if problem.checked else []
    step = Step(
        stage=Stage.CHOOSE,
        input=f"{len(candidates)} resolutions of issue i{field.issue_id}",
        output=_described(chosen),
        checks=_kept_checks(chosen, candidates) if problem.checked else (),
        corrections=tuple(
            _correction(check, chosen, remembered=before is not None) for _, check in passed
        ),
        caught=tuple(check for _, check in passed),
    )
    return Choice(chosen, tuple(candidates), step)


def _foremost(ordered: Sequence[Approach], tried: Mapping[int, str]) -> list[Approach]:
    """The first `MOST_TRIED` that were not tried, with those tried among them."""
    left = [one for one in ordered if one.ranked.resolution_id not in tried][:MOST_TRIED]
    last = ordered.index(left[-1]) if left else len(ordered)
    return list(ordered[: last + 1])


def pick(candidates: Sequence[Checked]) -> Checked | None:
    """The first that passes all its checks, else the first that only raises doubts."""
    clean = next((one for one in candidates if not one.failed), None)
    return clean or next((one for one in candidates if not one.stopped), None)


def _worked_before(field: Field, candidates: Sequence[Checked]) -> Checked | None:
    """What took the place of the first candidate when it failed the same check, and worked."""
    if not candidates or not candidates[0].failed:
        return None
    clean = [one for one in candidates if not one.failed]
    if any(one.approach.ranked.held for one in clean):
        return None
    by_id = {one.approach.ranked.resolution_id: one for one in clean}
    check = candidates[0].failed[0].name
    known = deviations.replacements(field.kb.connection, field.issue_id, check)
    return next((by_id[one] for one in known if one in by_id), None)


def pick_again(
    field: Field, problem: Problem, thresholds: Thresholds, known: Experience
) -> int | None:
    """The resolution that the same procedure chooses from what else is known; None: none."""
    candidates = [
        checked(field, one, problem, {}, thresholds, known)
        for one in ordered_of(field, problem.told, known)[:MOST_TRIED]
    ]
    found = pick(candidates)
    return None if found is None else found.approach.ranked.resolution_id


def _passed_over(
    candidates: Sequence[Checked], chosen: Checked | None
) -> list[tuple[Checked, CheckResult]]:
    """What failed on those that stand before the chosen one, the first failure of each."""
    found = []
    for one in candidates:
        if one is chosen:
            break
        if one.failed:
            found.append((one, one.failed[0]))
    return found


def _correction(check: CheckResult, chosen: Checked | None, *, remembered: bool) -> Correction:
    name = _FOR.get(check.name, "next-best")
    if chosen is None:
        return Correction(name, check.name, kept=False, result="none is left")
    result = f"r{chosen.approach.ranked.resolution_id}"
    return Correction(name, check.name, kept=True, result=result, remembered=remembered)


def _kept_checks(chosen: Checked | None, candidates: Sequence[Checked]) -> tuple[CheckResult, ...]:
    if chosen is not None:
        return chosen.checks
    if candidates:
        return candidates[0].checks
    return (CheckResult("any-resolution", False, "a resolution on record", "none"),)


def _described(chosen: Checked | None) -> str:
    if chosen is None:
        return "no resolution may be answered"
    evidence: Evidence = chosen.approach.ranked.cell.evidence
    within = f" on {evidence.within}" if evidence.within else ""
    return f"r{evidence.resolution_id}, {evidence.worked:g} of {evidence.tried:g} worked{within}"
