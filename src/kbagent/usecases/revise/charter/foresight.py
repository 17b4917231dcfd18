"""What a policy file would change, told before it is applied: the last lookups, ranked again.

Each lookup's candidates are taken as they were logged and its first issue is ranked twice, by the
rules that stand and by those that would, with the evidence of today. Which issue comes first is not
questioned: rules move resolutions, not issues. An answer is what `solve` would give: none where a
person is required, the confidence is too low, or nothing has been tried often enough.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kbagent.core.retrieval.filters import parse_filter
from kbagent.errors import BadFilter
from kbagent.model.filters import FilterOperator
from kbagent.store import decisions, lookups, policies, runs
from kbagent.store.decisions import Decision
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.lookups import Lookup
from kbagent.usecases.learn.confidence import Certain, Prospect, certain_of
from kbagent.usecases.retrieve.votes import NEAREST, owners, vote_of
from kbagent.usecases.reuse.approaches import Approach, approaches
from kbagent.usecases.reuse.boundaries import limits_among, weights_of
from kbagent.usecases.reuse.evidence import refining
from kbagent.usecases.reuse.recollection import issue_members, recalled
from kbagent.usecases.revise import rules as commands
from kbagent.usecases.revise.charter.amendment import Amendment, as_decisions
from kbagent.usecases.solve.people import fewest_among, required_among

LAST = 200  # lookups that are looked at


@dataclass(frozen=True, slots=True)
class Seen:
    """What a lookup shows: its first resolution, why a person is required, what is answered."""

    first: int | None
    human: str | None
    answer: int | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A lookup that would go another way."""

    handle: str
    query: str
    at: datetime
    issue_id: int
    before: Seen
    after: Seen

    @property
    def handed(self) -> bool:
        """Whether it would go to a person, and did not."""
        return self.before.human is None and self.after.human is not None

    @property
    def returned(self) -> bool:
        """Whether it went to a person, and would not."""
        return self.before.human is not None and self.after.human is None

    @property
    def moved(self) -> bool:
        """Whether another resolution would come first."""
        return self.before.first != self.after.first

    @property
    def lost(self) -> bool:
        """Whether an answer would be missing, other than by asking a person."""
        gone = self.before.answer is not None and self.after.answer is None
        return gone and not self.handed

    @property
    def gained(self) -> bool:
        """Whether there would be an answer where none was, other than by asking nobody."""
        new = self.before.answer is None and self.after.answer is not None
        return new and not self.returned


@dataclass(frozen=True, slots=True)
class Foreseen:
    """How many lookups were looked at, and those that would go another way, newest first."""

    looked: int
    found: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class _Order:
    """One set of rules, with the confidence that goes with it."""

    rules: tuple[Decision, ...]
    certain: Certain


@dataclass(frozen=True, slots=True)
class _Asked:
    """A logged lookup as far as it can be asked again."""

    lookup: Lookup
    issue_id: int
    near: Mapping[int, float]
    told: tuple[tuple[str, str], ...]


def foresee(
    kb: KnowledgeBase, amendment: Amendment, prospect: Prospect | None = None, *, last: int = LAST
) -> Foreseen:
    """Which of the last lookups an amendment would change, and how."""
    settled = not kb.connection.in_transaction
    with kb.database.read():
        kb.memory.refresh(kb.connection, settled=settled)
        standing = decisions.standing(kb.connection, *commands.KINDS)
        now = certain_of(kb)
        before = _Order(tuple(standing), now)
        after = _Order(
            tuple(as_decisions(kb, amendment, standing)),
            now if prospect is None else prospect.certain,
        )
        known = [_asked(kb, one) for one in lookups.latest(kb.connection, last)]
        asked = [one for one in known if one is not None]
        found = []
        for one in asked:
            was, becomes = _seen(kb, one, before), _seen(kb, one, after)
            if was != becomes:
                lookup = one.lookup
                found.append(
                    Difference(lookup.handle, lookup.query, lookup.at, one.issue_id, was, becomes)
                )
    return Foreseen(len(asked), tuple(one for one in found if _matters(one)))


def _matters(one: Difference) -> bool:
    return one.handed or one.returned or one.moved or one.lost or one.gained


def _asked(kb: KnowledgeBase, lookup: Lookup) -> _Asked | None:
    """None where it showed nothing, or the issue has gone since."""
    shown = lookups.showings(kb.connection, lookup.id)
    if not shown:
        return None
    issue_id = shown[0].issue_id
    best = json.loads(lookup.candidates).get("best", [])
    near = {int(row[0]): float(row[1]) for row in best}
    if issue_id > 0 and not issue_members(kb, {issue_id: []})[issue_id]:
        return None
    return _Asked(lookup, issue_id, near, _told(kb, lookup))


def _told(kb: KnowledgeBase, lookup: Lookup) -> tuple[tuple[str, str], ...]:
    run = runs.of_lookup(kb.connection, lookup.id) if lookup.kind == "solve" else None
    if run is not None:
        return tuple((str(n), str(v)) for n, v in json.loads(run.record).get("facets", []))
    found = []
    for text in json.loads(lookup.request).get("filters", []):
        try:
            condition = parse_filter(text)
        except BadFilter:
            continue
        if condition.operator is FilterOperator.EQUAL:
            found.append((condition.name, condition.value))
    return tuple(found)


def _seen(kb: KnowledgeBase, asked: _Asked, order: _Order) -> Seen:
    ordered = _ranked(kb, asked, order)
    first = ordered[0].ranked.resolution_id if ordered else None
    human = required_among(
        kb, order.rules, asked.lookup.query, asked.told, max(asked.issue_id, 0) or None
    )
    answer = None
    if human is None and _sure(kb, asked, order.certain):
        answer = _answer(ordered, fewest_among(order.rules))
    return Seen(first, None if human is None else human.reason, answer)


def _answer(ordered: Sequence[Approach], least: int) -> int | None:
    """The first that has worked and was tried often enough, or that people put there."""
    for one in ordered:
        evidence = one.ranked.cell.evidence
        if one.ranked.held or (evidence.worked > 0.0 and evidence.tried >= least):
            return one.ranked.resolution_id
    return None


def _ranked(kb: KnowledgeBase, asked: _Asked, order: _Order) -> tuple[Approach, ...]:
    parameters = replace(policies.live(kb.connection).parameters, exploration=False)
    members = issue_members(kb, {asked.issue_id: sorted(asked.near)[:1]})
    known = recalled(
        kb, members, strength=parameters.prior_strength, weights=weights_of(order.rules)
    )
    return approaches(
        asked.issue_id,
        {one: asked.near.get(one, 0.0) for one in members[asked.issue_id]},
        known,
        parameters,
        facets=refining(asked.told),
        limits=limits_among(kb.connection, order.rules, asked.issue_id),
    )


def _sure(kb: KnowledgeBase, asked: _Asked, certain: Certain) -> bool:
    """Whether the confidence in the logged candidates reaches the threshold."""
    best = sorted(asked.near.items(), key=lambda one: (-one[1], one[0]))[:NEAREST]
    if not best:
        return False
    owner = owners(kb, [case for case, _ in best])
    voters = [owner[case] for case, _ in best]
    votes = vote_of([one for _, one in best], voters, certain.relatives)
    return certain.confidence(votes) >= certain.threshold
