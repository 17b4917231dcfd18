"""What to ask next: the question whose answer splits the remaining candidates best.

Information gain over the candidates' cases (Quinlan 1986), with the cost that some people
cannot answer. Proposes facets and checks that are on record; invents no question.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

MOST_CHOICES = 6  # answers offered; what a person reads at a glance
LEAST_GAIN = 0.05  # bits; below it a question is not worth a person's time
_PRIOR = 0.5  # pseudo-cases for each candidate under each answer: rare pairs are not proofs


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible issue or resolution: its probability, and its cases' facets."""

    id: int
    probability: float
    cases: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True)
class Question:
    """Ask for `facet`; `choices` are its answers, most frequent first; gain in bits."""

    facet: str
    choices: tuple[str, ...]
    gain: float
    known_for: float


def best_question(candidates: Sequence[Candidate], *, asked: Iterable[str] = ()) -> Question | None:
    """The facet with the highest information gain, or None when none is worth asking.

    Facets in `asked` are left out (they are known already). Ties go to the name that comes
    first. A facet counts only as far as it is on record: its gain is multiplied by the share
    of candidates' weight whose cases have it.

    >>> fault = Candidate(1, 0.5, ({"os": "linux"}, {"os": "linux"}))
    >>> other = Candidate(2, 0.5, ({"os": "macos"}, {"os": "macos"}))
    >>> question = best_question([fault, other])
    >>> question.facet, question.choices
    ('os', ('linux', 'macos'))
    """
    skipped = set(asked)
    facets = sorted({f for c in candidates for case in c.cases for f in case} - skipped)
    ranked = [_question(facet, candidates) for facet in facets]
    worth = [q for q in ranked if q.gain >= LEAST_GAIN and len(q.choices) > 1]
    return min(worth, key=lambda q: (-q.gain, q.facet), default=None)


def information_gain(weights: Mapping[int, Mapping[str, float]]) -> float:
    """Bits that the answer tells of the candidate: H(candidate) − Σ p(answer) H(candidate|answer).

    `weights` maps candidate → answer → joint weight, all ≥ 0; they need not add up to 1.

    >>> information_gain({1: {"a": 1.0}, 2: {"b": 1.0}})
    1.0
    """
    total = sum(w for answers in weights.values() for w in answers.values())
    if total <= 0:
        return 0.0
    by_answer: defaultdict[str, list[float]] = defaultdict(list)
    for answers in weights.values():
        for answer, weight in answers.items():
            by_answer[answer].append(weight)
    before = _entropy([sum(answers.values()) for answers in weights.values()])
    after = sum(sum(w) / total * _entropy(w) for w in by_answer.values())
    return max(0.0, before - after)


def _question(facet: str, candidates: Sequence[Candidate]) -> Question:
    counts = {c.id: Counter(case[facet] for case in c.cases if case.get(facet)) for c in candidates}
    whole: Counter[str] = Counter()
    for count in counts.values():
        whole.update(count)
    choices = sorted(whole, key=lambda value: (-whole[value], value))[:MOST_CHOICES]
    known = sum(c.probability for c in candidates if counts[c.id])
    total = sum(c.probability for c in candidates)
    weights: dict[int, dict[str, float]] = {}
    for candidate in candidates:
        count = counts[candidate.id]
        size = sum(count[v] for v in choices) + _PRIOR * len(choices)
        weights[candidate.id] = {
            v: candidate.probability * (count[v] + _PRIOR) / size for v in choices
        }
    share = known / total if total > 0 else 0.0
    return Question(facet, tuple(choices), share * information_gain(weights), share)


def _entropy(weights: Sequence[float]) -> float:
    total = sum(weights)
    if total <= 0:
        return 0.0
    shares = [w / total for w in weights]
    return -sum(p * math.log2(p) for p in shares if p > 0)
