"""Going on with a run: the answer to its question, its next step, or the next resolution."""

import re
from collections.abc import Sequence
from dataclasses import replace

from kbagent.core.retrieval.filters import parse_filter
from kbagent.errors import BadValue, UnknownHandle, UsageError
from kbagent.model.case import Verdict
from kbagent.model.filters import Filter, FilterOperator
from kbagent.store import cases, issues, ledger, lookups, resolutions, runs
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.runs import StoredRun
from kbagent.usecases.retrieve.lookup_log import new_handle
from kbagent.usecases.retrieve.stopwatch import Stopwatch
from kbagent.usecases.solve.answering import ISSUE, TEXT
from kbagent.usecases.solve.problem import Problem
from kbagent.usecases.solve.running import solve, store_run
from kbagent.usecases.solve.trace import Chosen, Ending, Run, Sentence, run_from

PART = "part"  # the answer names one of the problems of a ticket
STEP = "step"  # the answer says how the step shown went
DONE, STUCK = "done", "stuck"


def pairs_of(answers: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """FACET=VALUE as pairs.

    Raises:
        BadFilter: one of them is something else.
    """
    return tuple((one.name, one.value) for one in map(parse_filter, answers))


def run_of(kb: KnowledgeBase, handle: str) -> tuple[StoredRun, Run]:
    """The stored run with this handle.

    Raises:
        UnknownHandle: there is none.
    """
    lookup = lookups.by_handle(kb.connection, handle)
    stored = runs.of_lookup(kb.connection, lookup.id) if lookup else None
    if stored is None:
        raise UnknownHandle(handle=handle, hint="`kbagent solve TEXT` shows the handle of its run.")
    return stored, run_from(stored.record)


def go_on(
    kb: KnowledgeBase,
    encoder: Encoder,
    handle: str,
    answers: Sequence[tuple[str, str]] = (),
    *,
    more: str | None = None,
    by: str | None = None,
    watch: Stopwatch | None = None,
) -> Run:
    """The next run of a chain, with what is now known.

    With answers (or more text) the problem is worked through again, narrowed. Without, an
    answer shown before counts as tried: its next step where it has one, else the next
    resolution.

    Raises:
        UnknownHandle: there is no such run.
        UsageError: the run asked a question and no answer is given.
    """
    stored, run = run_of(kb, handle)
    told = dict(answers)
    step = told.pop(STEP, None)
    if step is not None and step not in (DONE, STUCK):
        raise BadValue(name=STEP, value=step, reason=f"say {STEP}={DONE} or {STEP}={STUCK}")
    if run.ending is Ending.ASK and not told and not more:
        facet = run.question.facet if run.question else TEXT
        raise UsageError(what=f"Run {handle} asked a question: add --answer {facet}=VALUE.")
    if run.chosen is not None and run.chosen.step is not None and not told and not more:
        walked = _walked(kb, stored, run, run.chosen, step or DONE, by)
        if walked is not None:
            return walked
    problem = _next_problem(kb, stored, run, tuple(told.items()), more)
    return solve(kb, encoder, problem, by=by, continues=run.handle, watch=watch)


def note_step(kb: KnowledgeBase, handle: str, verdict: str, *, by: str | None = None) -> None:
    """Note how the step shown by a run went, and go no further.

    Raises:
        UnknownHandle: there is no such run.
        UsageError: it shows no step.
    """
    stored, run = run_of(kb, handle)
    if run.chosen is None or run.chosen.step is None:
        raise UsageError(what=f"Run {handle} shows no step.")
    _note(kb, stored, run.chosen, verdict, by)


def _note(
    kb: KnowledgeBase, stored: StoredRun, chosen: Chosen, verdict: str, by: str | None
) -> None:
    step, fix = chosen.step or 1, chosen.resolution_id
    with kb.database.write() as connection:
        runs.record_step(connection, stored.id, fix, step, verdict, kb.clock(), by)


def _walked(
    kb: KnowledgeBase, stored: StoredRun, run: Run, chosen: Chosen, verdict: str, by: str | None
) -> Run | None:
    """The next step of the same resolution, after noting how this one went; None: no more."""
    step = chosen.step or 1
    _note(kb, stored, chosen, verdict, by)
    if verdict == STUCK or step >= len(chosen.steps):
        return None
    further = replace(
        run,
        handle=new_handle(kb),
        chosen=replace(chosen, step=step + 1),
        continues=run.handle,
        explanation=(
            *run.explanation,
            Sentence(
                f"Step {step} of r{chosen.resolution_id} is done.",
                (f"r{chosen.resolution_id}", f"step {step}"),
            ),
        ),
    )
    return store_run(kb, further, stored, by=by)


def _next_problem(
    kb: KnowledgeBase,
    stored: StoredRun,
    run: Run,
    answers: tuple[tuple[str, str], ...],
    more: str | None,
) -> Problem:
    """The problem with the answers in it, without what was tried in this chain."""
    named = {name.casefold(): value for name, value in answers}
    text = run.query if more is None else f"{run.query}\n{more}"
    if TEXT in named:
        text = f"{text}\n{named[TEXT]}"
    if PART in named:
        text = _part(run, named[PART])
    issue = _issue_number(kb, named[ISSUE]) if ISSUE in named else run.issue_told
    special = {TEXT, PART, ISSUE, STEP}
    facets = [
        (name, _on_record(kb, run, name, value))
        for name, value in answers
        if name.casefold() not in special
    ]
    tried = _tried(kb, stored, counted=not answers and more is None)
    return Problem(
        text=text,
        filters=(
            *(parse_filter(one) for one in run.filters),
            *(Filter(name, FilterOperator.EQUAL, value) for name, value in facets),
        ),
        told=tuple(dict.fromkeys((*run.facets, *facets))),
        excluded=tuple(dict.fromkeys((*run.excluded, *tried))),
        case_id=run.case_id,
        issue_id=issue,
    )


def _tried(kb: KnowledgeBase, stored: StoredRun, *, counted: bool) -> list[int]:
    """What was tried in the chain: said to have failed, or, when `counted`, answered last."""
    found: list[int] = []
    for one in runs.chain(kb.connection, stored):
        entries = ledger.of_lookup(kb.connection, one.lookup_id)
        failed = [e.resolution_id for e in entries if e.verdict is Verdict.FAILED]
        heads = resolutions.by_ids(kb.connection, failed).values()
        found.extend(head.canonical_id for head in heads)
    if counted and stored.ending == str(Ending.ANSWER) and stored.resolution_id is not None:
        found.append(stored.resolution_id)
    return found


def _on_record(kb: KnowledgeBase, run: Run, name: str, value: str) -> str:
    """The answer as it is stored; one that no case has would narrow to nothing."""
    names = {one.casefold(): one for one in cases.facet_names(kb.connection)}
    stored = names.get(name.casefold())
    known = [] if stored is None else [v for _, _, v in cases.facet_values(kb.connection, stored)]
    found = next((one for one in known if one.casefold() == value.casefold()), None)
    if found is not None:
        return found
    asked = run.question if run.question and run.question.facet == name else None
    given = asked.choices if asked else known[:6]
    near = f"answer one of {', '.join(given)}" if given else "no case has such a column"
    raise BadValue(name=name, value=value, reason=f"{near}; or tell more with --answer {TEXT}='…'")


def _part(run: Run, number: str) -> str:
    if not run.split:
        raise BadValue(name=PART, value=number, reason="this ticket was not split")
    if not number.isdigit() or not 1 <= int(number) <= len(run.split):
        raise BadValue(name=PART, value=number, reason=f"give 1 to {len(run.split)}")
    return run.split[int(number) - 1]


def _issue_number(kb: KnowledgeBase, text: str) -> int:
    digits = text.strip().lower().removeprefix("i")
    if not re.fullmatch("[0-9]{1,18}", digits) or not issues.members(kb.connection, int(digits)):
        raise BadValue(name=ISSUE, value=text, reason="name one as the question did, such as i5")
    return int(digits)
