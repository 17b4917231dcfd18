"""What is kept, what it was good for, and what in it does not agree.

Stories are rare problems of which an earlier instance was there to be found; the replay shows at
which place its fix stood, not whether anybody looked. What a check prevented is told by the outcome
that came later, where one did; a correction without an outcome is no proof.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from kbagent.model.case import Verdict
from kbagent.model.outcome import REWARD
from kbagent.store import cases, columns, models, resolutions
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.moments import known, to_text
from kbagent.usecases.evaluate.evaluation import LIVE
from kbagent.usecases.evaluate.history import History
from kbagent.usecases.mine.columns import Columns
from kbagent.usecases.report.hazards import Stopped
from kbagent.usecases.report.replaying import Questions
from kbagent.usecases.report.slices import Slice
from kbagent.usecases.retain.relatives import problems_of

RARE = 4
"""Cases, at most, of a problem that counts as rare."""
SHOWN = 3
"""Places on the page of a search that count as shown: further down nobody was helped by it."""
FEWEST_INSTEAD = 3
"""Times another fix must have worked since a break to be named instead."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Kept:
    """What the knowledge base holds now. `approaches` are fixes; wordings of one count once."""

    cases: int
    issues: int
    approaches: int
    outcomes: int
    withdrawn: int


@dataclass(frozen=True, slots=True)
class Story:
    """A case of a rare problem of which the replay shows an earlier instance that was solved.

    place  where the fix `then`, which worked again, stood on the page of a search; None: what
           worked `now` is another fix or another wording, and the instance itself was shown
    """

    case: str
    title: str
    at: datetime
    issue_id: int
    earlier: str
    months_later: int
    place: int | None
    then: str
    now: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A fix that stopped working, and what worked since: `instead` with (worked, tried)."""

    stopped: Stopped
    instead_id: int | None = None
    instead: str = ""
    worked: float = 0.0
    tried: float = 0.0


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two things that cannot both be right, in words; `key` names it in `kbagent review`."""

    key: str
    question: str
    sides: tuple[tuple[str, str], ...]
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prevented:
    """A mistake that a check of `solve` caught and whose correction held.

    `verdict` is what the outcome of that run said later; None: nobody reported one.
    """

    run: str
    at: datetime
    check: str
    expected: str
    observed: str
    correction: str
    verdict: Verdict | None


def kept_of(kb: KnowledgeBase) -> Kept:
    """What the knowledge base holds now, whatever the period."""
    return Kept(*columns.holdings(kb.connection))


def stories_of(kb: KnowledgeBase, questions: Questions, rows: Ints) -> tuple[Story, ...]:
    """Rare problems: the case, and the earlier one that is shown; the same fix again comes first.

    Issues that are nearly one count as one problem, and so do those on which nearly the same fix
    worked: a piece of a common one is not rare. Shown is what stood among the first `SHOWN`.
    """
    history = questions.history
    problems = _problems(kb, history)
    sizes = Counter(one for one in problems.tolist() if one >= 0)
    members: defaultdict[int, list[int]] = defaultdict(list)
    for place, issue in enumerate(history.issue.tolist()):
        members[issue].append(place)
    picked = []
    for row in rows.tolist():
        place, issue = int(questions.places[row]), int(questions.issue[row])
        shown_at = int(questions.place[LIVE][row])
        if sizes[int(problems[place])] > RARE:
            continue
        if not questions.found[row] or not questions.known[row]:
            continue
        solved = [p for p in members[issue] if p < place and history.worked.get(p)]
        again = [(p, pair) for p in solved if (pair := questions.rewordings.shared(place, p))]
        if again and 0 < shown_at <= SHOWN:
            earlier, pair = again[-1]
            picked.append(_Found(place, earlier, shown_at, pair))
        elif solved and not again and questions.found[row] == questions.relevant[row]:
            pair = min(history.worked[solved[-1]]), min(history.worked[place])
            picked.append(_Found(place, solved[-1], None, pair))
    return _told(kb, history, _rare_as_a_whole(questions, problems, picked))


def _rare_as_a_whole(
    questions: Questions, problems: Ints, picked: Sequence["_Found"]
) -> list["_Found"]:
    """Those whose fixes have not worked on other problems, with which theirs would be common.

    Tickets in other languages or words lie in issues that no likeness of their texts brings
    together; what worked on them does.
    """
    sizes = Counter(one for one in problems.tolist() if one >= 0)
    fixes: defaultdict[int, set[int]] = defaultdict(set)
    for place, worked in questions.history.worked.items():
        fixes[int(problems[place])].update(worked)
    asked = {fix for one in picked for fix in fixes[int(problems[one.place])]}
    alike = questions.rewordings.worked_alike(asked)

    def size(problem: int) -> int:
        places = frozenset[int]().union(*(alike[fix] for fix in fixes[problem]))
        return sum(sizes[one] for one in {problem, *problems[sorted(places)].tolist()})

    return [one for one in picked if size(int(problems[one.place])) <= RARE]


def _problems(kb: KnowledgeBase, history: History) -> Ints:
    """The problem of each case of the history; −1 for none."""
    model = models.active(kb.connection)
    if model is None:
        return history.issue
    return problems_of(kb.connection, model.id, history.case_ids, history.issue)


@dataclass(frozen=True, slots=True)
class _Found:
    """The place of a case and of the earlier one, where the shared fix was shown, and `fixes`:
    what worked then, and now."""

    place: int
    earlier: int
    shown_at: int | None
    fixes: tuple[int, int]


def _told(kb: KnowledgeBase, history: History, picked: Sequence[_Found]) -> tuple[Story, ...]:
    ids = [int(history.case_ids[p]) for one in picked for p in (one.place, one.earlier)]
    known_cases = cases.by_ids(kb.connection, ids)
    texts = resolutions.by_ids(kb.connection, {fix for one in picked for fix in one.fixes})
    made = []
    for one in picked:
        then, now = one.fixes
        case = known_cases[int(history.case_ids[one.place])]
        before = known_cases[int(history.case_ids[one.earlier])]
        at = history.opened[one.place]
        story = Story(
            case=case.ref,
            title=case.title,
            at=at,
            issue_id=int(history.issue[one.place]),
            earlier=before.ref,
            months_later=(at - history.opened[one.earlier]).days // 30,
            place=one.shown_at,
            then=texts[then].text,
            now=texts[now].text,
        )
        made.append(story)
    return tuple(sorted(made, key=lambda one: (one.place is None, -one.months_later, one.case)))


def gone_of(kb: KnowledgeBase, found: Columns, stopped: Sequence[Stopped]) -> tuple[Gone, ...]:
    """The same fixes, each with what worked most often on its issue since it stopped."""
    if not stopped:
        return ()
    since = {one.issue_id: one for one in stopped}
    rows = list(columns.outcomes(kb.connection))
    places = found.places(np.array([row[1] for row in rows], dtype=np.int64))
    sums: defaultdict[tuple[int, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for place, row in zip(places.tolist(), rows, strict=True):
        issue = int(found.issue[place]) if place >= 0 else -1
        if issue in since and known(row[4]) >= since[issue].broke.at:
            sums[issue, row[2]][0] += REWARD[Verdict(row[3])]
            sums[issue, row[2]][1] += 1.0
    best = {one.issue_id: _best(sums, one) for one in stopped}
    texts = resolutions.by_ids(kb.connection, {one for one in best.values() if one is not None})
    made = []
    for one in stopped:
        other = best[one.issue_id]
        if other is None:
            made.append(Gone(one))
        else:
            worked, tried = sums[one.issue_id, other]
            made.append(Gone(one, other, texts[other].text, worked, tried))
    return tuple(made)


def _best(sums: Mapping[tuple[int, int], list[float]], one: Stopped) -> int | None:
    """The other approach that worked most often, if often enough; ties to the oldest."""
    rest = [
        (worked, -approach)
        for (issue, approach), (worked, tried) in sums.items()
        if issue == one.issue_id and approach != one.resolution_id
        if worked >= FEWEST_INSTEAD and worked > tried / 2.0
    ]
    return -max(rest)[1] if rest else None


def contradictions_of(kb: KnowledgeBase, issues: set[int] | None) -> tuple[Contradiction, ...]:
    """What `kbagent review` asks about contradictions, the weightiest first.

    With `issues` only what concerns one of them.
    """
    from kbagent.usecases.review.ground import Ground
    from kbagent.usecases.review.kinds import contradictions

    ground = Ground(kb)
    items = [
        one
        for one in contradictions.items(ground)
        if issues is None or not one.issues or issues.intersection(one.issues)
    ]
    return tuple(
        Contradiction(
            key=one.key,
            question=one.question,
            sides=tuple((side.handle, side.text) for side in one.sides),
            evidence=one.evidence,
        )
        for one in sorted(items, key=lambda one: (-one.weight, one.key))
    )


def prevented_of(kb: KnowledgeBase, one: Slice) -> tuple[Prevented, ...]:
    """What checks caught and put right in the period, newest first."""
    rows = columns.prevented(kb.connection, to_text(one.since) or "", to_text(one.until) or "9999")
    return tuple(
        Prevented(
            run=row[0],
            at=known(row[1]),
            check=row[2],
            expected=row[3],
            observed=row[4],
            correction=row[5] or "",
            verdict=Verdict(row[7]) if row[7] else None,
        )
        for row in rows
    )
