"""Replay: every case of the past is looked up with only what was known before it was opened.

The candidates are found as a search finds them (the nearest by vector and by words, fused, drawn
together, grouped, weighed by evidence), but from memory and a block of cases at a time: one matrix
product instead of an index. Policies explore nothing here. What is compared is the order shown.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from kbagent.core.learning import adapter as adapters
from kbagent.core.learning.fusion import Looked
from kbagent.core.learning.pooling import overall_rate
from kbagent.core.learning.ranking import issue_shift
from kbagent.core.learning.replay import Replayed, place_of_success
from kbagent.core.retrieval.chronicle import Chronicle
from kbagent.core.retrieval.confidence import margins
from kbagent.core.retrieval.fusion import (
    FusedTerms,
    exact_matches,
    fuse,
    identifier_share,
    normalised_bm25,
)
from kbagent.core.retrieval.grouping import IssueHit, group_by_issue
from kbagent.core.retrieval.neighbourhood import REACH, closeness, with_closeness
from kbagent.core.text.tokens import identifiers
from kbagent.model.policy import PolicyParameters
from kbagent.usecases.evaluate.history import History, Ints, Vectors
from kbagent.usecases.evaluate.past import Past
from kbagent.usecases.retrieve.hits import RESOLUTIONS_SHOWN, shown_of
from kbagent.usecases.retrieve.matching import CANDIDATES, COMMON, IDENTIFIERS
from kbagent.usecases.reuse.approaches import Approach, approaches

ISSUES_SHOWN = 5  # as a search does without -n
Floats = NDArray[np.float32] | NDArray[np.float64]
BLOCK = 256  # cases looked up with one matrix product
REPORTED = 16  # cases from one report of progress to the next
_EVIDENCE_REACH = 60  # as in a search

Progress = Callable[[int, int], None]
Judge = Callable[[Sequence[FusedTerms], Mapping[int, int], IssueHit, float], bool]
"""(candidates, group of each, first issue shown, its margin) -> whether it counts as an answer."""
Right = Callable[[int, Sequence[int]], frozenset[int]]
"""(place of a case, approaches shown) -> those of them that count as what worked on it."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A policy in the replay. `by_words` looks at words alone; `matrix` is its adapter.

    Outcomes after `learned_until` do not move its order, though cases keep coming; of what came
    after `known_until` it knows nothing at all.
    """

    name: str
    parameters: PolicyParameters
    by_words: bool = False
    matrix: Vectors | None = None
    learned_until: datetime | None = None
    known_until: datetime | None = None


@dataclass(slots=True)
class Course:
    """How one policy fared: one entry for each question, in order of time.

    `margins` are (margin of the first issue shown, whether it holds an earlier instance).
    `answered` says of each question whether a judge calls it answered; empty without a judge.
    """

    replayed: list[Replayed] = field(default_factory=list)
    margins: list[tuple[float, bool]] = field(default_factory=list)
    answered: list[bool] = field(default_factory=list)


@dataclass(slots=True)
class Replay:
    """All courses by contender name; `issues` and `places` say which question is which."""

    courses: dict[str, Course]
    places: list[int] = field(default_factory=list)
    issues: list[int] = field(default_factory=list)
    answerable: int = 0


@dataclass(frozen=True, slots=True)
class _Judges:
    """What is asked of an answer: whether it counts as one, and what of it is right."""

    answer: Judge | None
    right: Right | None


@dataclass(frozen=True, slots=True)
class _Question:
    """A case of the past at its moment, with what its words and its vector find."""

    place: int
    similar: Floats
    lexical: Floats
    ceiling: float
    idf: Mapping[str, float]
    postings: Mapping[str, frozenset[int]]


def replay(
    history: History,
    contenders: Sequence[Contender],
    questions: Sequence[int],
    progress: Progress,
    weights: Mapping[str, float] | None = None,
    judge: Judge | None = None,
    right: Right | None = None,
) -> Replay:
    """How each contender would have answered these cases (places of the history, ascending).

    `right` judges what all contenders showed; None: only the very approach that worked is right.
    """
    result = Replay({one.name: Course() for one in contenders})
    frozen = [one.learned_until for one in contenders if one.learned_until is not None]
    pasts = {
        until: Past(history, weights or {}, frozen)
        for until in {None, *(one.known_until for one in contenders)}
    }
    chronicle, judges = Chronicle(history.tokens), _Judges(judge, right)
    spaces = _spaces(history, contenders)
    for begin in range(0, len(questions), BLOCK):
        block = questions[begin : begin + BLOCK]
        similar = {key: _similarities(history, vectors, block) for key, vectors in spaces.items()}
        for row, place in enumerate(block):
            for until, past in pasts.items():
                moment = history.opened[place]
                past.advance(moment if until is None else min(moment, until))
            _ask(history, pasts, chronicle, contenders, spaces, similar, row, place, result, judges)
            if (row + 1) % REPORTED == 0:
                progress(begin + row + 1, len(questions))
        progress(min(begin + BLOCK, len(questions)), len(questions))
    return result


def _spaces(history: History, contenders: Sequence[Contender]) -> dict[int, Vectors]:
    """The vectors as each adapter turns them; 0 stands for none."""
    spaces = {0: history.vectors}
    for one in contenders:
        if one.matrix is not None:
            spaces[id(one.matrix)] = adapters.apply(history.vectors, one.matrix)
    return spaces


def _similarities(history: History, vectors: Vectors, block: Sequence[int]) -> Floats:
    """(block, cases up to the last of it): the best of all pairs of passages."""
    upto = block[-1] + 1
    starts = history.starts[:upto]
    end = int(history.starts[upto]) if upto < len(history.starts) else len(vectors)
    asked, owner = [], []
    for row, place in enumerate(block):
        first = int(history.starts[place])
        last = first + len(history.passages_of(place))
        asked.append(vectors[first:last])
        owner += [row] * (last - first)
    product = np.concatenate(asked) @ vectors[:end].T
    by_case = np.maximum.reduceat(product, starts, axis=1)
    rows = np.searchsorted(owner, np.arange(len(block)))
    return np.asarray(np.maximum.reduceat(by_case, rows, axis=0))


def _ask(
    history: History,
    pasts: Mapping[datetime | None, Past],
    chronicle: Chronicle,
    contenders: Sequence[Contender],
    spaces: Mapping[int, Vectors],
    similar: Mapping[int, Floats],
    row: int,
    place: int,
    result: Replay,
    judges: _Judges,
) -> None:
    """One question, put to every contender, and what came of it."""
    now = pasts[None]
    worked = history.worked.get(place, frozenset())
    earlier = np.flatnonzero(history.issue[: now.known] == history.issue[place])
    earlier = earlier[earlier != place]
    if not len(earlier) and not worked:
        return
    words = {until: _words(history, chronicle, past.known, place) for until, past in pasts.items()}
    result.places.append(place)
    result.issues.append(int(history.issue[place]))
    result.answerable += bool(worked & now.tried)
    found_by: dict[tuple[object, ...], tuple[FusedTerms, ...]] = {}
    answers: dict[tuple[object, ...], tuple[tuple[IssueHit, ...], list[int]]] = {}
    for one in contenders:
        past = pasts[one.known_until]
        key = 0 if one.matrix is None else id(one.matrix)
        question = _Question(place, similar[key][row][: past.known], *words[one.known_until])
        weights = (one.parameters.dense_weight, one.parameters.closeness_weight)
        # contenders that differ in evidence alone share what is found
        sort = (key, *weights, one.by_words, one.known_until)
        if sort not in found_by:
            found_by[sort] = _terms(past, spaces[key], question, one)
        until = one.learned_until
        learned = until if until is not None and until < history.opened[place] else None
        if (*sort, one.parameters, learned) not in answers:  # nothing is frozen before its date
            given = _answer(past, found_by[sort], question, one)
            answers[(*sort, one.parameters, learned)] = given
        groups, order = answers[(*sort, one.parameters, learned)]
        found = _found(past, groups, earlier)
        course = result.courses[one.name]
        success = worked if judges.right is None else judges.right(place, order)
        exactly = place_of_success(order, worked)
        at = exactly if success == worked else place_of_success(order, success)
        course.replayed.append(Replayed(at, found, len(earlier), exactly))
        margin = margins(groups)[groups[0].issue_id] if groups else 0.0
        if groups:
            hit = bool(set(past.members(groups[0].issue_id)) & set(earlier.tolist()))
            course.margins.append((margin, hit))
        if judges.answer is not None:
            owner = {term.case_id: past.root(term.case_id) for term in found_by[sort]}
            yes = bool(groups) and judges.answer(found_by[sort], owner, groups[0], margin)
            course.answered.append(yes)


def _words(
    history: History, chronicle: Chronicle, known: int, place: int
) -> tuple[Floats, float, Mapping[str, float], Mapping[str, frozenset[int]]]:
    found = chronicle.ask(history.tokens[place], known)
    named = [one for one in identifiers(history.texts[place]) if one in found.idf][:IDENTIFIERS]
    postings = {one: chronicle.holders(one, known) for one in named}
    return (
        found.scores,
        found.ceiling,
        found.idf,
        {one: frozenset(some.tolist()) for one, some in postings.items() if len(some) < COMMON},
    )


def _answer(
    past: Past, terms: Sequence[FusedTerms], question: _Question, contender: Contender
) -> tuple[tuple[IssueHit, ...], list[int]]:
    """The issues shown and, over all of them, the approaches in the order shown."""
    parameters = contender.parameters
    root_of = {one.case_id: past.root(one.case_id) for one in terms}
    groups = group_by_issue(terms, root_of)
    shown = groups[:ISSUES_SHOWN]
    if parameters.evidence_bound > 0.0 and len(groups) > 1:
        shown = _lifted(past, groups, terms, root_of, contender)[:ISSUES_SHOWN]
    until = contender.learned_until
    known = past.experience([one.issue_id for one in shown], parameters.prior_strength, until)
    order: list[int] = []
    for group in shown:
        near = _nearness(past, group, question, contender)
        ranked = approaches(group.issue_id, near, known, parameters)
        kept = shown_of(ranked, everything=False)
        if until is not None:
            kept = _with_outcomes(ranked, past.outcomes(group.issue_id))
        order += [one.ranked.resolution_id for one in kept[:RESOLUTIONS_SHOWN]]
    return shown, order


def _with_outcomes(ranked: Sequence[Approach], outcomes: Mapping[int, float]) -> Sequence[Approach]:
    """As `shown_of`, by all outcomes: to leave out what is only suggested needs no learning."""
    if not any(outcomes.values()):
        return ranked
    return [one for one in ranked if one.ranked.resolution_id in outcomes]


def _terms(
    past: Past, vectors: Vectors, question: _Question, contender: Contender
) -> tuple[FusedTerms, ...]:
    """The candidates, fused as a search fuses them."""
    parameters = contender.parameters
    by_words = _top(question.lexical, CANDIDATES)
    by_words = by_words[question.lexical[by_words] > 0.0]
    places = by_words
    if not contender.by_words:
        named = [
            one for some in question.postings.values() if len(some) <= CANDIDATES for one in some
        ]
        places = np.unique(
            np.concatenate(
                [_top(question.similar, CANDIDATES), by_words, np.array(named, dtype=np.int64)]
            )
        )
    places = places[places != question.place]
    exact = not contender.by_words
    terms = fuse(
        places,
        question.similar[places].astype(np.float64),
        normalised_bm25(question.lexical[places], question.ceiling).round(4),
        exact_matches(places, question.postings, question.idf) if exact else None,
        dense_weight=parameters.dense_weight,
        identifier_share=identifier_share(question.idf, set(question.postings)) if exact else 0.0,
    )
    if contender.by_words or parameters.closeness_weight == 0.0 or not terms:
        return terms
    near = [one.case_id for one in terms[:REACH]]
    rows = past.history.starts[near]  # its first passage stands for a case
    found = closeness(question.similar[near], vectors[rows])
    return with_closeness(
        terms, dict(zip(near, found.tolist(), strict=True)), weight=parameters.closeness_weight
    )


def _top(values: Floats, count: int) -> Ints:
    if len(values) <= count:
        return np.arange(len(values))
    return np.argpartition(-values, count - 1)[:count]


def _lifted(
    past: Past,
    groups: Sequence[IssueHit],
    terms: Sequence[FusedTerms],
    root_of: Mapping[int, int],
    contender: Contender,
) -> tuple[IssueHit, ...]:
    """The issues again, with what their outcomes add."""
    parameters = contender.parameters
    last = min(len(groups), ISSUES_SHOWN)
    least = groups[last - 1].match - parameters.evidence_bound
    reach = [
        group
        for place, group in enumerate(groups[:_EVIDENCE_REACH])
        if (place < last or group.match >= least) and past.has_outcomes(group.issue_id)
    ]
    known = past.experience(
        [group.issue_id for group in reach], parameters.prior_strength, contender.learned_until
    )
    overall = overall_rate(known.pool)
    shifts = {}
    for group in reach:
        near = {one.case_id: one.similarity for one in group.members}
        ranked = approaches(group.issue_id, _by_case(past, near), known, parameters, most=1)
        order = [one.ranked for one in ranked]
        shifts[group.issue_id] = issue_shift(order, overall, parameters.evidence_bound)
    return group_by_issue(terms, root_of, evidence=shifts, evidence_bound=parameters.evidence_bound)


def _nearness(
    past: Past, group: IssueHit, question: _Question, contender: Contender
) -> dict[int, float]:
    """How near each case of an issue is to the question, by case id."""
    values = question.lexical if contender.by_words else question.similar
    return {
        int(past.history.case_ids[place]): float(values[place])
        for place in past.members(group.issue_id)
        if place != question.place
    }


def _by_case(past: Past, by_place: Mapping[int, float]) -> dict[int, float]:
    return {int(past.history.case_ids[place]): value for place, value in by_place.items()}


def _found(past: Past, groups: Sequence[IssueHit], earlier: Ints) -> int:
    """How many of the earlier instances are in the issues shown."""
    shown = {place for group in groups for place in past.members(group.issue_id)}
    return len(shown.intersection(earlier.tolist()))


def looked_up(
    history: History, candidate: Contender, places: Sequence[int], progress: Progress
) -> list[Looked]:
    """The candidates of these cases at their moments, and which of them were right.

    Right is an earlier case that was linked to this one, or on which what worked here had been
    tried with success. Questions without a right candidate teach nothing and are left out.
    """
    past = Past(history, {})
    chronicle = Chronicle(history.tokens)
    space = list(_spaces(history, [candidate]).values())[-1]
    found = []
    for begin in range(0, len(places), BLOCK):
        block = places[begin : begin + BLOCK]
        similar = _similarities(history, space, block)
        for row, place in enumerate(block):
            past.advance(history.opened[place])
            words = _words(history, chronicle, past.known, place)
            question = _Question(place, similar[row][: past.known], *words)
            terms = _terms(past, space, question, candidate)
            right = np.array([_right(history, place, one.case_id) for one in terms], dtype=np.bool_)
            if right.any():
                dense = np.array([one.similarity for one in terms])
                lexical = np.array([one.lexical for one in terms])
                found.append(Looked(dense, lexical, right))
        progress(min(begin + BLOCK, len(places)), len(places))
    return found


def _right(history: History, place: int, other: int) -> bool:
    if history.linked[place] >= 0 and history.linked[place] == history.linked[other]:
        return True
    worked = history.worked.get(place)
    return bool(worked and worked & history.worked.get(other, frozenset()))


def question_places(history: History, last: int | None, since: int = 0) -> Iterator[int]:
    """The cases to look up: those that something worked on or that had earlier instances."""
    counted: dict[int, int] = {}
    useful = []
    for place, issue in enumerate(history.issue.tolist()):
        if history.worked.get(place) or counted.get(issue):
            useful.append(place)
        counted[issue] = counted.get(issue, 0) + 1
    useful = [place for place in useful if place >= since]
    yield from useful[-last:] if last else useful
