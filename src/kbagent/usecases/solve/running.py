"""A run of `solve`: the steps one after another, each only when the one before let it.

Ends in an answer, in one question, or by handing over to a person. The run is kept with its
lookup (kind `solve`), so that `worked` and `failed` speak of it, and every failed check of it is
kept as a deviation.
"""

from dataclasses import dataclass, replace

from kbagent.core.text.tokens import tokens
from kbagent.core.verification.checks import CheckResult, Severity
from kbagent.errors import Locked, UnreadableFile
from kbagent.model.lookup import IssueHit, LookupResult, ResolutionHit
from kbagent.store import deviations, lookups, runs
from kbagent.store.deviations import Deviation
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.runs import StoredRun
from kbagent.usecases.learn.confidence import certain_of, is_current, learn_confidence
from kbagent.usecases.retrieve.lookup_log import log_lookup, logged_text, new_handle
from kbagent.usecases.retrieve.stopwatch import Stopwatch
from kbagent.usecases.solve import answering
from kbagent.usecases.solve.candidates import Checked, Field, field_of
from kbagent.usecases.solve.choosing import Choice, choose
from kbagent.usecases.solve.familiarity import familiarity_of, is_ready
from kbagent.usecases.solve.knowngood import Replayed, verify
from kbagent.usecases.solve.people import HumanRequired, human_required
from kbagent.usecases.solve.problem import Problem, Thresholds, thresholds_of
from kbagent.usecases.solve.reading import ReadProblem, read_problem
from kbagent.usecases.solve.recognising import (
    SURE,
    RecognisedProblem,
    View,
    recognise_problem,
)
from kbagent.usecases.solve.trace import (
    Asked,
    Chosen,
    Ending,
    Run,
    Stage,
    Step,
    run_text,
)

FEWEST_TELLING = 2  # words that say something; fewer name no problem
_SECOND = 0.1  # share of the next issue from which it may be that one after all
_VAGUE_WORDS = 6  # a text so short is asked about before it is called new


@dataclass(frozen=True, slots=True)
class _Course:
    """A run under way: what each step gave, as far as it came."""

    problem: Problem
    read: ReadProblem
    recognised: RecognisedProblem
    field: Field | None = None
    choice: Choice | None = None
    replayed: Replayed | None = None

    @property
    def view(self) -> View:
        return self.recognised.view

    @property
    def steps(self) -> tuple[Step, ...]:
        later = [one.step for one in (self.choice, self.replayed) if one is not None]
        return (self.read.step, self.recognised.step, *later)


@dataclass(frozen=True, slots=True)
class _End:
    """How it ends, before it is written down."""

    ending: Ending
    reason: str
    question: Asked | None = None
    new: bool = False
    queue: str | None = None
    whose: str = ""


def solve(
    kb: KnowledgeBase,
    encoder: Encoder,
    problem: Problem,
    *,
    by: str | None = None,
    continues: str | None = None,
    log: bool = True,
    watch: Stopwatch | None = None,
) -> Run:
    """Work a problem through; the run is logged unless told not to.

    Raises:
        BadFilter: a filter names a column that no case has.
    """
    watch = watch or Stopwatch()
    if problem.checked:
        prepare(kb, encoder)
    thresholds = thresholds_of(kb)
    with kb.database.read():
        read = read_problem(kb, problem)
        watch.lap("read")
        recognised = recognise_problem(kb, encoder, read.problem, read.reading, thresholds, watch)
        watch.lap("recognise")
        course = _Course(problem, read, recognised)
        end = _before_choice(kb, course)
        if end is None:
            course = _chosen(kb, encoder, course, thresholds)
            watch.lap("choose and verify")
            end = _after_choice(kb, course)
        run = _run(kb, course, end, continues)
        result = _lookup_result(course, run)
    if log:
        run = _kept(kb, course, run, result, by=by)
    watch.lap("log")
    return run


def prepare(kb: KnowledgeBase, encoder: Encoder) -> None:
    """Learn what is usual here and what confidence means, where that is missing or outgrown.

    A knowledge base that cannot be written to is solved with the defaults.
    """
    if is_ready(kb) and is_current(kb):
        return
    try:
        if familiarity_of(kb) is not None and not (certain_of(kb).learned and is_current(kb)):
            learn_confidence(kb, encoder)
    except (Locked, UnreadableFile, OSError):
        kb.notify("what is usual here could not be learned; the defaults are used")


def _before_choice(kb: KnowledgeBase, course: _Course) -> _End | None:
    """The end after Recognise, when the checks do not let it go on."""
    problem, view = course.problem, course.view
    human = _human_required(kb, course)
    if human is not None:
        return _handed(kb, course, human.reason, human)
    if view.votes is None:
        return _handed(kb, course, "no case is left to compare with", new=not problem.filters)
    if not problem.checked or problem.issue_id is not None:
        return None
    return _unrecognised(kb, course)


def _human_required(kb: KnowledgeBase, course: _Course) -> HumanRequired | None:
    """What people decided for this text or any issue that it may be, relatives among them."""
    view, told = course.view, course.read.problem.told
    family = [issue for issue, _ in view.votes.family] if view.votes else []
    named = [view.issue_id, *(family if course.problem.issue_id is None else ())]
    found = (human_required(kb, course.problem.text, told, one) for one in named)
    return next((human for human in found if human is not None), None)


def _unrecognised(kb: KnowledgeBase, course: _Course) -> _End | None:
    """The end when it is not known which problem this is; None when it is."""
    view = course.view
    failed = {check.name: check for check in course.recognised.step.failed}
    if "one-problem" in failed:
        return _End(Ending.ASK, "the ticket holds several problems", _which_part(view))
    short = _too_short(course)
    scope = failed.get("in-scope")
    if scope is not None and scope.severity is Severity.STOP and not short:
        return _handed(kb, course, _said("it is a new problem", scope), new=True)
    recognised = "confidence" not in failed and not short
    if recognised and not (_few_words(course) and view.confidence < SURE):
        return None
    asked = answering.question_of(kb, view, view.problem.told)
    if asked is None and short:
        asked = answering.more_text()
    if asked is None and recognised:
        return None
    if asked is not None:
        return _End(Ending.ASK, "several problems fit", asked)
    reason = _said("not sure which problem it is", failed.get("confidence"))
    return _handed(kb, course, reason)


def _too_short(course: _Course) -> bool:
    """Whether the text is too vague to be called new: few words, no identifier, or none telling.

    What is recognised as surely as can be is not too short, however few its words.
    """
    if course.read.reading.identifiers:
        return False
    view, threshold = course.view, course.recognised.certain.threshold
    nothing = len(set(tokens(course.problem.text))) < FEWEST_TELLING
    if any(c.name == "too-short" for c in course.read.step.failed) or nothing:
        return nothing or view.confidence < max(SURE, threshold)
    return _few_words(course) and view.confidence < threshold and _heard(course)


def _few_words(course: _Course) -> bool:
    """Whether so little is told that other problems may be meant: asked where there is a choice."""
    reading = course.read.reading
    few = reading.words <= _VAGUE_WORDS and not reading.identifiers
    return few and course.view.novelty.probability < 1.0


def _heard(course: _Course) -> bool:
    """Whether the words of the text occur in the nearest candidates at all."""
    return any(terms.lexical > 0.4 for terms in course.view.sighting.found.terms[:20])


def _which_part(view: View) -> Asked:
    numbers = tuple(str(place) for place in range(1, len(view.split) + 1))
    return Asked("part", numbers, tuple(" ".join(p.split())[:70] for p in view.split), 1.0)


def _chosen(
    kb: KnowledgeBase, encoder: Encoder, course: _Course, thresholds: Thresholds
) -> _Course:
    view = course.view
    assert view.issue_id is not None  # noqa: S101 -- there are votes
    field = field_of(kb, view.sighting, view.issue_id, course.problem)
    told = replace(view.problem, told=course.read.problem.told)
    choice = choose(field, encoder, told, course.problem.text, thresholds)
    course = replace(course, field=field, choice=choice)
    if choice.chosen is None or not course.problem.checked:
        return course
    first = choice.chosen.approach.ranked
    held = first.held and first.resolution_id not in field.limits.deprecated
    replayed = verify(field, choice.candidates, told, thresholds, held=held)
    return replace(course, replayed=replayed)


def _after_choice(kb: KnowledgeBase, course: _Course) -> _End:
    choice, replayed = course.choice, course.replayed
    assert choice is not None  # noqa: S101 -- the step was run
    if choice.chosen is None:
        failed = choice.step.failed or choice.step.caught
        return _handed(kb, course, _said("no resolution may be answered", next(iter(failed), None)))
    if replayed is not None and any(c.severity is Severity.STOP for c in replayed.step.failed):
        check = replayed.step.failed[0]
        asked = _asked_instead(kb, course)
        if asked is not None:
            return _End(Ending.ASK, _said("it depends on what is not known yet", check), asked)
        return _handed(kb, course, _said("the procedure fails on known outcomes", check))
    return _End(Ending.ANSWER, "answered")


def _asked_instead(kb: KnowledgeBase, course: _Course) -> Asked | None:
    """What could tell why the choice was not what worked: another problem, or another facet."""
    view, told = course.view, course.read.problem.told
    assert course.choice is not None  # noqa: S101 -- the step was run
    which = answering.question_of(kb, view, told) if course.problem.issue_id is None else None
    facet = answering.choice_question(_field(course), course.choice.candidates, told)
    second = view.votes.winner.runner_up_share if view.votes else 0.0
    return which or facet if second >= _SECOND else facet or which


def _field(course: _Course) -> Field:
    assert course.field is not None  # noqa: S101 -- only asked after Choose
    return course.field


def _said(what: str, check: CheckResult | None) -> str:
    if check is None:
        return what
    return f"{what}: {check.name} should be {check.expected}, is {check.observed}"


def _handed(
    kb: KnowledgeBase,
    course: _Course,
    reason: str,
    human: HumanRequired | None = None,
    *,
    new: bool = False,
) -> _End:
    view = course.view
    near = [terms.case_id for terms in view.sighting.found.terms[:10]]
    members = list(view.sighting.members.get(view.issue_id or 0, near))
    if human is not None and human.queue:
        named = "People decided that this goes to"
        return _End(Ending.HAND_OVER, reason, new=new, queue=human.queue, whose=named)
    seen = near if new else members or near
    whose = "The nearest cases, which are others, were with" if new else "Such cases were with"
    queue = answering.queue_of(kb, seen)
    return _End(Ending.HAND_OVER, reason, new=new, queue=queue, whose=whose)


def _run(kb: KnowledgeBase, course: _Course, end: _End, continues: str | None) -> Run:
    """The run with its answer, not yet logged."""
    view = course.view
    known = answering.known_of(kb, view)
    chosen = _answered(course)
    hidden = max(0, len(view.votes.shares) - 1) if view.votes else 0
    hidden += view.sighting.result.hidden
    replayed = course.replayed
    if end.ending is Ending.ANSWER and known is not None and chosen is not None:
        doubts = [check for step in course.steps for check in step.failed]
        counts = (replayed.worked, replayed.tried, replayed.replayed) if replayed else (0, 0, 0)
        said = answering.explain_answer(known, chosen, counts, doubts)
        said = (*said, *answering.explain_freeze(kb, known.issue_id))
        said = (*said, *answering.explain_split(course.recognised.step, view.split))
    elif end.question is not None:
        said = answering.explain_question(end.question, known)
    else:
        said = answering.explain_hand_over(known, end.reason, hidden, end.queue, whose=end.whose)
    last = Step(Stage.ANSWER, end.reason, str(end.ending))
    return Run(
        handle="",
        query=course.problem.text,
        ending=end.ending,
        steps=(*course.steps, last),
        reason=end.reason,
        known=known,
        chosen=chosen,
        explanation=said,
        question=end.question,
        hidden=hidden,
        new=end.new,
        handed_to=end.queue,
        split=view.split,
        facets=course.read.problem.told,
        excluded=course.problem.excluded,
        basis=course.recognised.certain.basis,
        policy=view.sighting.policy.version,
        continues=continues,
        filters=tuple(str(one) for one in course.problem.filters),
        case_id=course.problem.case_id,
        issue_told=course.problem.issue_id,
        notes=view.sighting.result.notes,
    )


def _answered(course: _Course) -> Chosen | None:
    """What was chosen; a resolution with steps begins at its first."""
    if course.choice is None or course.choice.chosen is None or course.field is None:
        return None
    one = course.choice.chosen
    procedure = course.field.procedures.get(one.approach.ranked.resolution_id)
    return answering.chosen_of(course.field, one, 1, procedure, 1 if procedure else None)


def _lookup_result(course: _Course, run: Run) -> LookupResult:
    """What `worked RUN 1` speaks of: the chosen resolution first, then the other candidates."""
    seen = course.view.sighting.result
    first = next((one for one in seen.issues if one.issue_id == course.view.issue_id), None)
    rest = [one for one in seen.issues if one is not first]
    ordered = [] if first is None else [_with_choice(first, course.choice)]
    ranked, rank = [], 0
    for hit in (*ordered, *rest):
        numbered = []
        for one in hit.resolutions:
            rank += 1
            numbered.append(replace(one, rank=rank))
        ranked.append(replace(hit, resolutions=tuple(numbered)))
    return replace(
        seen,
        request=replace(seen.request, query=course.problem.text),
        confident=run.ending is Ending.ANSWER,
        hidden=run.hidden,
        issues=tuple(ranked),
    )


def _with_choice(hit: IssueHit, choice: Choice | None) -> IssueHit:
    if choice is None:
        return hit
    candidates = [one for one in choice.candidates if one is not choice.chosen]
    if choice.chosen is not None:
        candidates.insert(0, choice.chosen)
    shown = tuple(_shown(one) for one in candidates[: max(3, len(hit.resolutions))])
    return replace(hit, resolutions=shown)


def _shown(one: Checked) -> ResolutionHit:
    """A candidate as a lookup shows it; its place is certain, so its propensity is 1."""
    ranked = one.approach.ranked
    return ResolutionHit(
        resolution_id=ranked.resolution_id,
        rank=0,
        text=one.approach.text,
        evidence=ranked.cell.evidence,
        score=ranked.score,
        propensity=1.0,
        source_case=one.approach.source_case,
        pinned=ranked.held,
        alternatives=((ranked.resolution_id, 1.0),),
    )


def _kept(
    kb: KnowledgeBase, course: _Course, run: Run, result: LookupResult, *, by: str | None
) -> Run:
    """The run with its handle, logged as a lookup; without one, and a note, where it cannot be."""
    named = replace(
        run,
        handle=new_handle(kb),
        query=logged_text(run.query),
        split=tuple(map(logged_text, run.split)),
    )
    try:
        with kb.database.write() as connection:
            lookup_id = log_lookup(
                kb,
                replace(result, handle=named.handle),
                course.view.sighting.found,
                by=by,
                kind="solve",
            )
            run_id = runs.add(connection, _stored(kb, named, lookup_id))
            deviations.add(connection, _deviations(kb, named, run_id))
    except (Locked, UnreadableFile) as error:
        note = f"this run was not kept, so `worked` cannot speak of it: {error}"
        return replace(run, notes=(*run.notes, note))
    return named


def store_run(kb: KnowledgeBase, run: Run, before: StoredRun, *, by: str | None) -> Run:
    """Keep a run that shows the next step of what `before` answered: the same lookup once more."""
    with kb.database.write() as connection:
        entry = lookups.by_id(connection, before.lookup_id)
        assert entry is not None  # noqa: S101 -- a run has its lookup
        lookup_id = lookups.add(
            connection,
            replace(entry, handle=run.handle, at=kb.clock(), by=by),
            lookups.showings(connection, entry.id),
            model_id=None,
            generation=None,
        )
        runs.add(connection, _stored(kb, run, lookup_id))
    return run


def _stored(kb: KnowledgeBase, run: Run, lookup_id: int) -> StoredRun:
    before = lookups.by_handle(kb.connection, run.continues) if run.continues else None
    earlier = runs.of_lookup(kb.connection, before.id) if before else None
    return StoredRun(
        id=0,
        lookup_id=lookup_id,
        at=kb.clock(),
        ending=str(run.ending),
        issue_id=run.known.issue_id if run.known else None,
        resolution_id=run.chosen.resolution_id if run.chosen else None,
        step=run.chosen.step if run.chosen else None,
        confidence=run.known.confidence if run.known else 0.0,
        continues=earlier.id if earlier else None,
        fault=None,
        record=run_text(run),
    )


def _deviations(kb: KnowledgeBase, run: Run, run_id: int) -> list[Deviation]:
    """One for every check that failed, with the correction that was kept, or the last tried."""
    found = []
    for step in run.steps:
        for check in dict.fromkeys((*step.caught, *step.failed)):
            tried = [one for one in step.corrections if one.check == check.name]
            kept = next((one for one in tried if one.kept), tried[-1] if tried else None)
            found.append(
                Deviation(
                    id=0,
                    run_id=run_id,
                    at=kb.clock(),
                    kind="check",
                    step=str(step.stage),
                    name=check.name,
                    issue_id=run.known.issue_id if run.known else None,
                    resolution_id=run.chosen.resolution_id if run.chosen else None,
                    expected=check.expected,
                    observed=check.observed,
                    severity=str(check.severity),
                    correction=kept.name if kept else None,
                    kept=kept.kept if kept else False,
                )
            )
    return found
