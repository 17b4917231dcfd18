"""Step 5, Answer: what is said, each sentence from a template over stored cases and figures.

Nothing is composed: a sentence is a template whose gaps are filled with counts, ids and texts
that are on record, and it names them. What to ask next is the facet that best splits what is
left; where no facet does, which of the nearest problems it is.
"""

import math
from collections import Counter
from collections.abc import Sequence

from kbagent.core.learning.facets import VERSION_NAMES
from kbagent.core.verification.checks import CheckResult
from kbagent.core.verification.questions import Candidate, best_question
from kbagent.model.evidence import Evidence
from kbagent.store import cases, issues, resolutions
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.retrieve.details import issue_titles
from kbagent.usecases.reuse.boundaries import freeze_of
from kbagent.usecases.solve.candidates import Checked, Field
from kbagent.usecases.solve.procedures import Procedure
from kbagent.usecases.solve.reading import OS_NAMES, PRODUCT_NAMES
from kbagent.usecases.solve.recognising import View
from kbagent.usecases.solve.trace import Asked, Chosen, Known, Sentence, Step

ASKABLE = (
    VERSION_NAMES
    | OS_NAMES
    | PRODUCT_NAMES
    | {"component", "module", "area", "environment", "browser", "device", "edition", "feature"}
)
"""Facets that a person with the problem can answer, by lower-case name."""

QUEUE_NAMES = ("assignment_group", "queue", "team", "group", "desk", "assigned_to", "assignee")
"""Facets that say who worked on a case, the widest first."""

ISSUE = "issue"  # the answer names one of the nearest problems
TEXT = "text"  # the answer is more text
_FACET_GAIN = 0.25  # bits from which a facet is asked for before 'which of these'
_LEAST_SHARE = 0.04  # of the votes, for an issue to be a candidate of a question
_MOST_CANDIDATES = 5
_CASES = 40  # of an issue, the latest, that its facets are counted on
_SOURCES = 3


def known_of(kb: KnowledgeBase, view: View) -> Known | None:
    """The recognised issue (or the nearest one) with its nearest instances."""
    hits = view.sighting.result.issues
    if view.issue_id is None:
        return None
    hit = next((one for one in hits if one.issue_id == view.issue_id), None)
    if hit is not None:
        return Known(
            issue_id=hit.issue_id,
            title=hit.title,
            confidence=view.confidence,
            instances=tuple(one.ref for one in hit.instances[:_SOURCES]),
            cases=hit.instance_count,
        )
    members = _members(kb, view.issue_id)
    stored = cases.by_ids(kb.connection, members[:_SOURCES])
    title = issue_titles(kb, [view.issue_id]) if view.issue_id > 0 else {}
    first = next(iter(stored.values()), None)
    return Known(
        issue_id=view.issue_id,
        title=title.get(view.issue_id) or (first.title if first else ""),
        confidence=view.confidence,
        instances=tuple(one.ref for one in stored.values()),
        cases=len(members),
    )


def _members(kb: KnowledgeBase, issue_id: int) -> list[int]:
    return list(issues.members(kb.connection, issue_id)) if issue_id > 0 else [-issue_id]


def chosen_of(
    field: Field, one: Checked, rank: int, procedure: Procedure | None, step: int | None
) -> Chosen:
    """The resolution with the figures that it rests on."""
    approach = one.approach
    evidence: Evidence = approach.ranked.cell.evidence
    source = cases.by_ids(field.kb.connection, [approach.source_case])
    return Chosen(
        resolution_id=approach.ranked.resolution_id,
        rank=rank,
        text=approach.text,
        tried=evidence.tried,
        worked=evidence.worked,
        rate=evidence.rate,
        interval=evidence.interval,
        within=evidence.within,
        source="".join(case.ref for case in source.values()),
        steps=() if procedure is None else procedure.steps,
        step=step,
    )


def explain_answer(
    known: Known, chosen: Chosen, replayed: tuple[int, int, int], doubts: Sequence[CheckResult]
) -> tuple[Sentence, ...]:
    """Why this answer: the issue, the evidence, the replay, and each doubt that is left."""
    issue, one = f"i{known.issue_id}", f"r{chosen.resolution_id}"
    said = [
        Sentence(
            f"It is issue {issue}, '{known.title}', with confidence {known.confidence:.0%};"
            f" {known.cases} case{'s' if known.cases != 1 else ''} of it on record, the nearest"
            f" {', '.join(known.instances)}.",
            (issue, *known.instances, "confidence"),
        )
    ]
    low, high = chosen.interval
    if chosen.tried:
        said.append(
            Sentence(
                f"{one} worked on {chosen.worked:g} of {chosen.tried:g} known outcomes"
                f"{f' on {chosen.within}' if chosen.within else ''}, {chosen.rate:.0%}"
                f" ({low:.0%} to {high:.0%}).",
                (one, "evidence"),
            )
        )
        said.append(Sentence(f"It is taken from {chosen.source}.", (one, chosen.source)))
    else:
        said.append(Sentence(f"{one} was put here by a person's decision.", (one,)))
    worked, tried, again = replayed
    if tried:
        said.append(
            Sentence(
                f"Played again on {again} stored case{'s' if again != 1 else ''} with the outcome"
                f" hidden, the same procedure chose what was tried on {tried}; it worked on"
                f" {worked}.",
                (issue, "known-good"),
            )
        )
    elif again:
        said.append(
            Sentence(
                f"Not verified on known outcomes: on none of the {again} stored cases played again"
                " was tried what the procedure chose.",
                (issue, "known-good"),
            )
        )
    said += [
        Sentence(f"Doubt: {one.name} should be {one.expected}, is {one.observed}.", (one.name,))
        for one in doubts
    ]
    return tuple(said)


def explain_freeze(kb: KnowledgeBase, issue_id: int) -> tuple[Sentence, ...]:
    """That people froze the order of this issue, so that the answer may not be what is learned."""
    rule = freeze_of(kb, issue_id)
    if rule is None:
        return ()
    said = f"The order of i{issue_id} is frozen by rule {rule.id}: nothing learned since moves it."
    return (Sentence(said, (f"i{issue_id}", f"rule {rule.id}")),)


def explain_split(step: Step, split: Sequence[str]) -> tuple[Sentence, ...]:
    """That only the first of several problems was answered, where the ticket was split."""
    if not any(one.name == "split-ticket" and one.kept for one in step.corrections):
        return ()
    said = (
        f"The ticket holds {len(split)} problems; this answers the first. Go on with"
        " --answer part=2."
    )
    return (Sentence(said, ("one-problem",)),)


def explain_question(asked: Asked, known: Known | None) -> tuple[Sentence, ...]:
    """Why this is asked."""
    if asked.facet == TEXT:
        said = "So few words do not tell for sure which problem it is."
        return (Sentence(said, ("too-short",)),)
    nearest = f"i{known.issue_id}" if known else ""
    named = "which problem it is" if asked.facet == ISSUE else asked.facet
    return (
        Sentence(
            f"Several problems fit; {named} splits them best, by {asked.gain:.2f} bits over"
            " their cases.",
            tuple(one for one in (nearest, "gain") if one),
        ),
    )


def explain_hand_over(
    known: Known | None, reason: str, hidden: int, queue: str | None, *, whose: str
) -> tuple[Sentence, ...]:
    """Why a person has to see it, what came nearest, and whom to hand it to.

    `whose` says what names the queue: the rule that people set, or where which cases were.
    """
    said = [Sentence(f"{reason[:1].upper()}{reason[1:]}.", ("checks",))]
    if known is not None:
        said.append(
            Sentence(
                f"The nearest miss is issue i{known.issue_id}, '{known.title}'"
                f" ({', '.join(known.instances)}), with confidence {known.confidence:.0%};"
                f" {hidden} weaker candidate{'s are' if hidden != 1 else ' is'} not shown.",
                (f"i{known.issue_id}", *known.instances, "confidence", "hidden"),
            )
        )
    if queue is not None:
        said.append(Sentence(f"{whose} {queue}.", (queue,)))
    return tuple(said)


def question_of(kb: KnowledgeBase, view: View, told: Sequence[tuple[str, str]]) -> Asked | None:
    """The one question that best splits the candidates; None when there are fewer than two."""
    if view.votes is None:
        return None
    shares = [
        (issue, share)
        for issue, share in view.votes.shares[:_MOST_CANDIDATES]
        if share >= _LEAST_SHARE
    ]
    if len(shares) < 2:
        return None
    candidates = [
        Candidate(issue, share, _askable_facets(kb, _latest(kb, issue))) for issue, share in shares
    ]
    found = best_question(candidates, asked={name.casefold() for name, _ in told})
    if found is not None and found.gain >= _FACET_GAIN:
        name = _stored_name(kb, found.facet)
        return Asked(name, found.choices, found.choices, found.gain)
    titles = issue_titles(kb, [issue for issue, _ in shares if issue > 0])
    whole = sum(share for _, share in shares)
    entropy = -sum(share / whole * math.log2(share / whole) for _, share in shares)
    named = [(issue, titles[issue]) for issue, _ in shares if issue in titles]
    if len(named) < 2:
        return None
    return Asked(
        ISSUE,
        tuple(f"i{issue}" for issue, _ in named),
        tuple(title for _, title in named),
        entropy,
    )


def choice_question(
    field: Field, candidates: Sequence[Checked], told: Sequence[tuple[str, str]]
) -> Asked | None:
    """The facet that best tells which of these resolutions worked on such cases."""
    kb = field.kb
    worked: dict[int, list[int]] = {}
    for attempt in field.known.attempts.get(field.issue_id, ()):
        if str(attempt.verdict) in ("worked", "partly"):
            worked.setdefault(attempt.resolution_id, []).append(attempt.case_id)
    wanted = [one.approach.ranked.resolution_id for one in candidates]
    splits = [
        Candidate(one, float(len(worked[one])), _askable_facets(kb, worked[one]))
        for one in wanted
        if worked.get(one)
    ]
    found = best_question(splits, asked={name.casefold() for name, _ in told})
    if found is None or found.gain < _FACET_GAIN:
        return None
    return Asked(_stored_name(kb, found.facet), found.choices, found.choices, found.gain)


def more_text() -> Asked:
    """What to ask when nothing else can be."""
    return Asked(TEXT, (), (), 0.0)


def queue_of(kb: KnowledgeBase, case_ids: Sequence[int]) -> str | None:
    """The queue (else the person) that worked on most of these cases; None when unknown."""
    facets = cases.facets_of(kb.connection, sorted(case_ids))
    for wanted in QUEUE_NAMES:
        counts = Counter(
            value
            for pairs in facets.values()
            for name, value in pairs
            if name.casefold() == wanted and value
        )
        if counts:
            return min(counts, key=lambda value: (-counts[value], value))
    solved = [
        one.by
        for one in resolutions.attempts_of(kb.connection, sorted(case_ids))
        if one.by and str(one.verdict) == "worked"
    ]
    by = Counter(solved)
    return min(by, key=lambda name: (-by[name], name)) if by else None


def _latest(kb: KnowledgeBase, issue_id: int) -> list[int]:
    return _members(kb, issue_id)[-_CASES:]


def _askable_facets(kb: KnowledgeBase, case_ids: Sequence[int]) -> tuple[dict[str, str], ...]:
    """The facets of each case that can be asked for, one value of each name."""
    return tuple(
        {name.casefold(): value for name, value in pairs if name.casefold() in ASKABLE and value}
        for pairs in cases.facets_of(kb.connection, case_ids).values()
    )


def _stored_name(kb: KnowledgeBase, lower: str) -> str:
    names = cases.facet_names(kb.connection)
    return next((name for name in names if name.casefold() == lower), lower)
