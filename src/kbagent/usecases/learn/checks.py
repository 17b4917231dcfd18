"""What the checks of `solve` were worth, and new thresholds for them where the past proves one.

Every run of which an outcome is known shows each of its checks once: what it compared, whether it
gave alarm, and whether the answer that it guarded was (or would have been) wrong. A threshold
moves only when later runs than those it was chosen on show that it costs less.
"""

from dataclasses import dataclass, replace

import numpy as np

from kbagent.core.verification.checks import CheckResult
from kbagent.core.verification.deviations import (
    CheckStatistics,
    Recalibration,
    Sighting,
    recalibrate,
    statistics,
)
from kbagent.model.case import Verdict
from kbagent.store import issues, ledger, resolutions, runs
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.runs import StoredRun
from kbagent.usecases.learn.confidence import Certain, learn_confidence
from kbagent.usecases.solve.familiarity import familiarity_of
from kbagent.usecases.solve.problem import NAMES, keep_thresholds, thresholds_of
from kbagent.usecases.solve.trace import Ending, run_from

EXPLAINED = {
    "too-short": "The text has too few words and no identifier: nothing can be recognised.",
    "vocabulary": "A value (version, os, product) that no stored case has.",
    "contradiction": "The text says another value of a facet than the options do.",
    "misspelt": "A word is nearly a product's name.",
    "any-case": "The filters leave no case.",
    "in-scope": "The problem is farther from all stored ones than known problems usually are.",
    "margin": "The votes of the nearest cases hardly prefer the first issue to the second.",
    "agreement": "Most of the nearest cases belong to other issues.",
    "lexical-dense": "Search by words and search by meaning find different issues.",
    "confidence": "The calibrated probability lies below the threshold that people set.",
    "one-problem": "Parts of the ticket speak for different issues.",
    "allowed": "People deprecated, superseded or forbade the resolution.",
    "not-broken": "The resolution's outcomes changed: it has stopped working.",
    "failing-lately": "The last outcomes of the resolution are all failures.",
    "already-tried": "The ticket says that this was tried.",
    "works-on-version": "On this version the resolution only failed.",
    "works-on-os": "On this system the resolution only failed.",
    "seen-on-version": "Another resolution worked on this very version, this one is untried there.",
    "seen-on-os": "Another resolution worked on this very system, this one is untried there.",
    "tried-nearby": "It was tried only on cases unlike this one; another worked on those like it.",
    "evidence": "The lower end of the interval of its success is too low, or nothing ever worked.",
    "prerequisite": "What the resolution requires is not so, or not known.",
    "known-good": "Run on stored cases with their outcome hidden, the procedure chose otherwise.",
    "outcome": "A later outcome contradicts the run.",
}


_FACT = "it compares facts: there is nothing between holding and not holding"
NOT_LEARNED = {
    "too-short": "three words are needed to name a problem; runs below it are asked, not answered",
    "vocabulary": _FACT,
    "contradiction": _FACT,
    "misspelt": "it only notes",
    "any-case": _FACT,
    "in-scope": "its threshold follows from how far apart this knowledge base's own problems are",
    "lexical-dense": _FACT,
    "confidence": "people set it (max-error, min-coverage), and the history says what that takes",
    "one-problem": "its parts are judged by the threshold of the confidence",
    "allowed": "people decide it",
    "not-broken": "a change is found by a test with an error rate of its own",
    "failing-lately": "three failures in a row are counted, for what is too new to be proven",
    "already-tried": _FACT,
    "works-on-version": _FACT,
    "works-on-os": _FACT,
    "seen-on-version": _FACT,
    "seen-on-os": _FACT,
    "prerequisite": "people wrote it down",
    "outcome": "it is the outcome itself",
}
"""Checks whose threshold, if they have one, no outcome moves; and why."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What `learn --checks` did: each threshold looked at, and the confidence in force."""

    checks: tuple[Recalibration, ...]
    statistics: tuple[CheckStatistics, ...]
    confidence: Certain
    runs: int


def learn_checks(kb: KnowledgeBase, encoder: Encoder, rng: np.random.Generator) -> Learned:
    """Learn anew what is usual, what confidence means, and thresholds that are proven better."""
    familiarity_of(kb, refresh=True)
    confidence = learn_confidence(kb, encoder)
    seen = sightings(kb)
    current = thresholds_of(kb)
    found = []
    for name, field in NAMES.items():
        proposal = recalibrate(name, seen, getattr(current, field), rng)
        if proposal.adopted:
            current = replace(current, **{field: proposal.proposed})
        found.append(proposal)
    if any(one.adopted for one in found):
        keep_thresholds(kb, current)
    known = len(runs.with_outcome(kb.connection))
    return Learned(tuple(found), statistics(seen), confidence, known)


def check_statistics(kb: KnowledgeBase) -> tuple[CheckStatistics, ...]:
    """How each check fared on the runs of which an outcome is known."""
    return statistics(sightings(kb))


def sightings(kb: KnowledgeBase) -> list[Sighting]:
    """Every run of every check whose outcome is known, in order of time."""
    found = []
    for stored in runs.with_outcome(kb.connection):
        wrong = _is_wrong(kb, stored)
        if wrong is None:
            continue
        handed = stored.ending != str(Ending.ANSWER)
        for step in run_from(stored.record).steps:
            alarms = {check.name for check in (*step.caught, *step.failed)}
            first: dict[str, CheckResult] = {}
            for check in (*step.caught, *step.checks):
                first.setdefault(check.name, check)
            found += [
                Sighting(
                    check=name,
                    at=stored.at,
                    value=float(check.ok) if check.value is None else check.value,
                    alarm=name in alarms,
                    wrong=wrong,
                    handed_over=handed and any(c.name == name for c in step.failed),
                )
                for name, check in first.items()
            ]
    return found


def _is_wrong(kb: KnowledgeBase, run: StoredRun) -> bool | None:
    """Whether what the run answered, or would have, was wrong; None when nobody can tell."""
    entries = [
        one
        for one in ledger.of_lookup(kb.connection, run.lookup_id)
        if one.verdict is not Verdict.UNKNOWN and not ledger.is_undone(kb.connection, one.id)
    ]
    right = [one for one in entries if one.verdict in (Verdict.WORKED, Verdict.PARTLY)]
    known = resolutions.by_ids(kb.connection, {one.resolution_id for one in entries})
    heads = {known[one.resolution_id].canonical_id for one in right}
    if run.resolution_id is not None:
        told = heads | {known[one.resolution_id].canonical_id for one in entries}
        return run.resolution_id not in heads if heads or run.resolution_id in told else None
    if not right:
        return None
    placed = issues.memberships(kb.connection, {one.case_id for one in right})
    return run.issue_id not in {one.issue_id for one in placed.values()}
