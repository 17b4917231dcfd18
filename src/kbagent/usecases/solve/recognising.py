"""Step 2, Recognise: which issue this is, how sure, and whether it is a known one at all.

The nearest cases vote; the share of the winner and its nearness make the confidence. Corrections,
each tried in this order and kept only when the failed check then holds (one that held for this
issue before comes first): boilerplate away, identifiers alone, filters away, the ticket split.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from kbagent.core.retrieval.fusion import FusedTerms
from kbagent.core.verification.checks import (
    CheckResult,
    Severity,
    clear_margin,
    in_scope,
    neighbours_agree,
    searches_agree,
)
from kbagent.core.verification.parts import one_problem, parts
from kbagent.core.verification.reading import Reading
from kbagent.core.verification.signatures import stripped
from kbagent.model.lookup import Request
from kbagent.store import deviations, policies, resolutions
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.learn.confidence import Certain, certain_of
from kbagent.usecases.retrieve.matching import match
from kbagent.usecases.retrieve.scope import scope_of
from kbagent.usecases.retrieve.search import Sighting, look
from kbagent.usecases.retrieve.stopwatch import Stopwatch
from kbagent.usecases.retrieve.votes import Votes, owners, vote
from kbagent.usecases.reuse.boundaries import held_issues
from kbagent.usecases.solve.familiarity import Familiarity, Novelty, familiarity_of, novelty_of
from kbagent.usecases.solve.problem import Problem, Thresholds
from kbagent.usecases.solve.trace import Correction, Stage, Step

ISSUES_SHOWN = 4  # the recognised one and its runners-up
SURE = 0.9  # confidence, itself calibrated on new problems too, that novelty does not overrule
AGREEING = 10  # nearest cases of which most should belong to the recognised issue
_LISTED = 5  # issues of either search that are compared
LEAST_PART = 30  # characters of a text from which it may hold two problems


@dataclass(frozen=True, slots=True)
class View:
    """One look at the knowledge base, and what its nearest cases say."""

    problem: Problem
    sighting: Sighting
    votes: Votes | None
    confidence: float
    novelty: Novelty
    checks: tuple[CheckResult, ...]
    split: tuple[str, ...] = ()

    @property
    def issue_id(self) -> int | None:
        """The issue that a person named, else the recognised one; None without any case."""
        if self.problem.issue_id is not None:
            return self.problem.issue_id
        return None if self.votes is None else self.votes.winner.issue


@dataclass(frozen=True, slots=True)
class RecognisedProblem:
    """The outcome of the step: the view that was kept, and how it came to it."""

    view: View
    step: Step
    certain: Certain


@dataclass(slots=True)
class _Bench:
    """What stays the same while corrections are tried."""

    kb: KnowledgeBase
    encoder: Encoder
    thresholds: Thresholds
    known: Familiarity | None
    certain: Certain
    watch: Stopwatch
    corrections: list[Correction] = field(default_factory=list)


def recognise_problem(
    kb: KnowledgeBase,
    encoder: Encoder,
    problem: Problem,
    reading: Reading,
    thresholds: Thresholds,
    watch: Stopwatch,
) -> RecognisedProblem:
    """Run the step."""
    certain = certain_of(kb)
    known = familiarity_of(kb, make=False) if problem.checked else None
    watch.lap("familiarity")
    bench = _Bench(kb, encoder, thresholds, known, certain, watch)
    first = _view(bench, problem)
    view = first
    if problem.checked:
        for _ in range(len(_ORDER)):
            failed = _first_failed(view, certain)
            better = None if failed is None else _corrected(bench, view, failed, reading)
            if better is None:
                break
            view = better
    step = Step(
        stage=Stage.RECOGNISE,
        input=_described_input(view.problem),
        output=_described(view),
        checks=view.checks,
        corrections=tuple(bench.corrections),
        caught=tuple(c for c in first.checks if not c.ok and c.severity is not Severity.NOTE),
    )
    return RecognisedProblem(view, step, certain)


def _view(bench: _Bench, problem: Problem) -> View:
    """Look with this text and these filters, and check what is seen."""
    sighting = look(bench.kb, bench.encoder, _request(problem), bench.watch)
    terms = sighting.found.terms
    owner = owners(bench.kb, [one.case_id for one in terms])
    votes = _with_remedy(bench, vote(terms, owner, bench.certain.relatives))
    novelty = novelty_of(bench.kb, bench.known, sighting.found, problem.text)
    view = View(problem, sighting, votes, bench.certain.confidence(votes), novelty, ())
    if votes is None:
        nothing = CheckResult("any-case", False, "a case within the filters", "none", Severity.STOP)
        return replace(view, checks=(nothing,))
    if not problem.checked:
        return view
    if problem.issue_id is not None:
        named = f"i{problem.issue_id}"
        said = CheckResult("named", ok=True, expected="named by a person", observed=named)
        return replace(view, confidence=1.0, checks=(said,))
    several, pieces = _split(bench, problem)
    return replace(view, checks=(*_checks(bench, view, votes, owner), *several), split=pieces)


def _with_remedy(bench: _Bench, votes: Votes | None) -> Votes | None:
    """The vote, named by another of the winner's family where only that has a fix that worked."""
    if votes is None or len(votes.family) < 2:
        return votes
    family = [issue for issue, _ in votes.family]
    if votes.winner.issue in held_issues(bench.kb.connection)[0]:
        return votes  # people made a rule about this very issue
    remedied = resolutions.remedied(bench.kb.connection, family)
    named = next((one for one in family if one in remedied), votes.winner.issue)
    return votes if named == votes.winner.issue else votes.spoken_by(named)


def _request(problem: Problem) -> Request:
    return Request(
        problem.text,
        filters=problem.filters,
        limit=ISSUES_SHOWN,
        exclude=() if problem.case_id is None else (problem.case_id,),
    )


def _checks(
    bench: _Bench, view: View, votes: Votes, owner: dict[int, int]
) -> tuple[CheckResult, ...]:
    terms, winner = view.sighting.found.terms, votes.winner
    size = sum(one == winner.issue for one in owner.values())
    by_meaning = sorted(terms, key=lambda t: (-t.similarity, t.case_id))
    by_words = sorted(terms, key=lambda t: (-(t.lexical + t.exact), t.case_id))
    heard = [one for one in by_words if one.lexical + one.exact > 0.0]
    agreeing = votes.voters[: max(1, min(AGREEING, size))]
    scope = in_scope(view.novelty.probability, most=view.novelty.most)
    if view.confidence >= max(SURE, bench.certain.threshold):
        scope = replace(scope, severity=Severity.DOUBT)
    return (
        scope,
        clear_margin(winner.margin, least=bench.thresholds.margin),
        neighbours_agree(winner.issue, agreeing, least=bench.thresholds.agreement),
        searches_agree(_first_issues(by_meaning, owner), _first_issues(heard, owner)),
        _sure(view.confidence, bench.certain),
    )


def _sure(confidence: float, certain: Certain) -> CheckResult:
    return CheckResult(
        "confidence",
        confidence >= certain.threshold,
        f"≥ {certain.threshold:.2f}",
        f"{confidence:.2f}",
        Severity.STOP,
        value=confidence,
    )


def _first_issues(terms: Sequence[FusedTerms], owner: dict[int, int]) -> list[int]:
    return list(dict.fromkeys(owner[one.case_id] for one in terms))[:_LISTED]


def _split(bench: _Bench, problem: Problem) -> tuple[tuple[CheckResult, ...], tuple[str, ...]]:
    """Whether the parts of the ticket are about one issue; each part is looked up when there are
    several."""
    pieces = parts(problem.text) if len(problem.text) >= LEAST_PART else (problem.text,)
    if len(pieces) < 2:
        return (), ()
    parameters = policies.live(bench.kb.connection).parameters
    heard = []
    for piece in pieces:
        request = _request(replace(problem, text=piece))
        scope = scope_of(bench.kb.connection, request)
        found = match(bench.kb, bench.encoder, request, scope, parameters, bench.watch)
        owner = owners(bench.kb, [one.case_id for one in found.terms])
        votes = vote(found.terms, owner, bench.certain.relatives)
        if votes is not None and bench.certain.confidence(votes) >= bench.certain.threshold:
            heard.append(votes.winner)
    return (one_problem(heard),), pieces


# Corrections


def _without_boilerplate(view: View, _reading: Reading) -> Problem | None:
    body = stripped(view.problem.text)
    return replace(view.problem, text=body) if body != view.problem.text.strip() else None


def _identifiers_only(view: View, reading: Reading) -> Problem | None:
    text = " ".join(reading.identifiers)
    return replace(view.problem, text=text) if text and text != view.problem.text else None


def _without_filters(view: View, _reading: Reading) -> Problem | None:
    return replace(view.problem, filters=()) if view.problem.filters else None


def _first_part(view: View, _reading: Reading) -> Problem | None:
    return replace(view.problem, text=view.split[0]) if len(view.split) > 1 else None


_ORDER: dict[str, Callable[[View, Reading], Problem | None]] = {
    "strip-boilerplate": _without_boilerplate,
    "identifiers-only": _identifiers_only,
    "drop-filters": _without_filters,
    "split-ticket": _first_part,
}
"""The fixed order in which corrections are tried."""


def _first_failed(view: View, certain: Certain) -> CheckResult | None:
    """What to correct: a check that stops, else a doubt while the confidence does not suffice."""
    failed = [check for check in view.checks if not check.ok]
    stopping = [check for check in failed if check.severity is Severity.STOP]
    two = [check for check in failed if check.name == "one-problem"]
    if stopping:
        return stopping[0]
    if two:
        return two[0]
    unsure = view.confidence < certain.threshold
    return next((c for c in failed if c.severity is Severity.DOUBT), None) if unsure else None


def _corrected(bench: _Bench, view: View, failed: CheckResult, reading: Reading) -> View | None:
    """The first correction after which the check holds and nothing else stops; None: none does."""
    remembered = (
        deviations.remembered(bench.kb.connection, view.issue_id, failed.name)
        if view.issue_id is not None
        else []
    )
    order = [name for name in remembered if name in _ORDER]
    order += [name for name in _ORDER if name not in order]
    tried = {one.name for one in bench.corrections if one.check == failed.name}
    for name in order:
        if name in tried or (name == "split-ticket" and failed.name != "one-problem"):
            continue
        problem = _ORDER[name](view, reading)
        if problem is None:
            continue
        again = _view(bench, problem)
        kept = _holds(again, failed.name) and not _worse(view, again)
        bench.corrections.append(
            Correction(name, failed.name, kept, _described(again), name in remembered)
        )
        if kept:
            return replace(again, split=again.split or view.split)
    return None


def _holds(view: View, name: str) -> bool:
    return all(check.ok for check in view.checks if check.name == name) and bool(view.checks)


def _worse(before: View, after: View) -> bool:
    """Whether something stops now that did not before."""
    held = {check.name for check in before.checks if check.ok}
    return any(
        not check.ok and check.severity is Severity.STOP and check.name in held
        for check in after.checks
    )


def _described_input(problem: Problem) -> str:
    filters = ", ".join(str(one) for one in problem.filters)
    return f"{len(problem.text)} characters" + (f" where {filters}" if filters else "")


def _described(view: View) -> str:
    if view.votes is None:
        return "no case is left"
    votes = view.votes.winner
    runner = f", next i{votes.runner_up}" if votes.runner_up is not None else ""
    return (
        f"issue i{votes.issue} with {votes.share:.0%} of the votes{runner};"
        f" sure {view.confidence:.0%}, new {view.novelty.probability:.0%}"
    )
