"""What was known at a moment of the past: it only moves forward, event by event.

Cases are grouped by the links known by then, evidence is what had happened by then. An event of
the very moment of a question is not known to it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from kbagent.model.case import Tried, Verdict
from kbagent.model.evidence import Pool, Tally
from kbagent.model.outcome import REWARD, Outcome, OutcomeSource
from kbagent.usecases.evaluate.history import Event, History
from kbagent.usecases.reuse.evidence import Experience, trial_of


class Past:
    """The knowledge of a moment. `known` is how many cases were there, `tried` what approaches.

    At each of the moments `frozen` it remembers how all approaches did, for whoever wants to know
    what would have been shown had nothing been learned since.
    """

    def __init__(
        self, history: History, weights: Mapping[str, float], frozen: Iterable[datetime] = ()
    ) -> None:
        self.history = history
        self.known = 0
        self._weights = weights
        self._next = 0
        self._root = list(range(len(history.case_ids)))
        self._members = {place: [place] for place in self._root}
        self._attempts: dict[int, list[Tried]] = defaultdict(list)
        self._outcomes: dict[int, dict[int, Outcome]] = defaultdict(dict)
        self._tried: Counter[int] = Counter()
        self._worked: defaultdict[int, float] = defaultdict(float)
        self.tried: set[int] = set()
        self._to_freeze = sorted(set(frozen), reverse=True)
        self._pools: dict[datetime, tuple[Counter[int], dict[int, float]]] = {}
        self._texts = dict.fromkeys(history.canonical.values(), "")

    def advance(self, moment: datetime) -> None:
        """Learn all that became known before `moment`."""
        history = self.history
        while self.known < len(history.opened) and history.opened[self.known] < moment:
            self.known += 1
        while self._next < len(history.events) and history.events[self._next].at < moment:
            self._freeze(history.events[self._next].at)
            self._learn(history.events[self._next])
            self._next += 1
        self._freeze(moment)

    def _freeze(self, moment: datetime) -> None:
        while self._to_freeze and self._to_freeze[-1] <= moment:
            kept = Counter(self._tried), dict(self._worked)
            self._pools[self._to_freeze.pop()] = kept

    def root(self, place: int) -> int:
        """The group a case is in: the place of one of its members."""
        while self._root[place] != place:
            self._root[place] = self._root[self._root[place]]
            place = self._root[place]
        return place

    def members(self, root: int) -> list[int]:
        """The cases of a group that were there, oldest first."""
        return sorted(place for place in self._members[root] if place < self.known)

    def has_outcomes(self, root: int) -> bool:
        """Whether anything is known of what worked in a group."""
        return any(self._outcomes.get(place) for place in self._members[root])

    def outcomes(self, root: int) -> dict[int, float]:
        """The approaches with a known outcome in a group, and what these were worth in all."""
        found: dict[int, float] = {}
        for place in self.members(root):
            for one in self._outcomes[place].values():
                head = self.history.canonical[one.resolution_id]
                found[head] = found.get(head, 0.0) + REWARD[one.verdict]
        return found

    def experience(
        self, roots: Iterable[int], strength: float, learned_until: datetime | None = None
    ) -> Experience:
        """What was known of some groups, in the form in which ranking wants it.

        With `learned_until`, a moment that it was told to remember, no later outcome is among the
        trials. What exports say of attempts (`told`) is, for it needs no learning.
        """
        canonical = self.history.canonical
        trials, attempts, told = {}, {}, {}
        unknown: Counter[tuple[int, int]] = Counter()
        approaches: set[int] = set()
        for root in roots:
            places = self.members(root)
            some = [one for place in places for one in self._outcomes[place].values()]
            trials[root] = tuple(
                trial_of(one, root, canonical[one.resolution_id], (), self._weights)
                for one in some
                if learned_until is None or one.happened_at < learned_until
            )
            attempts[root] = tuple(one for place in places for one in self._attempts[place])
            told.update(_told(root, some, canonical))
            settled = {(one.case_id, canonical[one.resolution_id]) for one in some}
            unknown.update(
                (root, one.resolution_id)
                for one in attempts[root]
                if (one.case_id, one.resolution_id) not in settled
            )
            approaches |= {one.resolution_id for one in attempts[root]}
        return Experience(
            trials=trials,
            attempts=attempts,
            told=told,
            texts=self._texts,
            pool=self._pool(approaches, strength, learned_until),
            unknown=unknown,
        )

    def _pool(self, approaches: set[int], strength: float, until: datetime | None) -> Pool:
        tried, worked = self._pools.get(until, (None, None)) if until else (None, None)
        if tried is None or worked is None:
            tried, worked = self._tried, self._worked
        overall = Tally(float(tried.total()), sum(worked.values()))
        own = {one: Tally(float(tried[one]), worked.get(one, 0.0)) for one in approaches}
        return Pool(overall=overall, resolutions=own, strength=strength)

    def _learn(self, event: Event) -> None:
        if event.kind == "link":
            self._join(event.place, event.other)
        elif event.attempt is not None:
            approach = self.history.canonical[event.attempt.resolution_id]
            one = event.attempt
            tried = Tried(one.case_id, approach, one.ordinal, one.verdict)
            self._attempts[event.place].append(tried)
            self.tried.add(approach)
        elif event.outcome is not None:
            self._account(event.place, event.outcome, taken_back=event.kind == "undone")

    def _account(self, place: int, outcome: Outcome, *, taken_back: bool) -> None:
        """One outcome more or less; one that is taken back before it is known never counts."""
        held = self._outcomes[place]
        if taken_back == (outcome.id not in held):
            return
        sign = -1 if taken_back else 1
        head = self.history.canonical[outcome.resolution_id]
        self._tried[head] += sign
        self._worked[head] += sign * REWARD[outcome.verdict]
        if taken_back:
            del held[outcome.id]
        else:
            held[outcome.id] = outcome

    def _join(self, one: int, other: int) -> None:
        a, b = self.root(one), self.root(other)
        if a == b:
            return
        if len(self._members[a]) < len(self._members[b]):
            a, b = b, a
        self._root[b] = a
        self._members[a] += self._members.pop(b)


def _told(
    root: int, outcomes: Iterable[Outcome], canonical: Mapping[int, int]
) -> dict[tuple[int, int], Verdict]:
    told: dict[tuple[int, int], Verdict] = {}
    for one in outcomes:
        if one.source is not OutcomeSource.EXPLICIT:
            key = (root, canonical[one.resolution_id])
            told[key] = max(one.verdict, told.get(key, one.verdict), key=lambda v: REWARD[v])
    return told
