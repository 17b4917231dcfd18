"""What the routers say of new tickets: a field's value or nothing, and whether each escalates.

Nothing is claimed below the set confidence, nor where the router was no better on the cases it was
tried on than always naming the most frequent value, nor of a text that is unlike what is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kbagent.store import cases
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.mine.experience import Experience, Vectors, can_be_learned, escalation_factor
from kbagent.usecases.mine.routers import Encode, FacetRouter, router_of

SHOWN = 4
"""Labels that a guess names, with their probabilities."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """How the router did on the latest `cases`, as shares, beside always naming `usual`.

    `better` is whether the gain is beyond chance: of the labels, for escalation of the probability.
    """

    cases: int
    right: float
    usual: str
    usual_right: float
    better: bool


@dataclass(frozen=True, slots=True)
class Guess:
    """A prediction of one thing: the label, or None where nothing is claimed; and the others.

    `neighbours` are the nearest labelled cases, with their labels. `followed` is true when labels
    have changed since the fit, so that the latest cases count more than it. `unlike` is true when
    the text is less similar to the labelled cases than cases usually are. `is_queue` is true of the
    facet that is taken for the queue.
    """

    name: str
    label: str | None
    confidence: float
    others: tuple[tuple[str, float], ...]
    neighbours: tuple[tuple[str, str], ...]
    followed: bool = False
    held_out: HeldOut | None = None
    unlike: bool = False
    is_queue: bool = False


def guesses_of(
    kb: KnowledgeBase,
    router: FacetRouter,
    asked: Vectors,
    words: Sequence[Sequence[str]],
    confident_at: float,
) -> list[Guess]:
    """One guess per text."""
    forecast = router.forecast(asked, words)
    factor, past = router.factor, router.past
    held_out = _held_out(router)
    believed = held_out is None or held_out.better
    places = past.places[forecast.nearest]
    ids = past.found.case_ids[places]
    refs = {key: one.ref for key, one in cases.by_ids(kb.connection, ids.ravel().tolist()).items()}

    def level(code: int) -> str:
        return factor.levels[code]

    made = []
    for p, near, own, unlike in zip(
        forecast.probabilities, places, ids, forecast.unlike.tolist(), strict=True
    ):
        order = np.argsort(-p, kind="stable")[:SHOWN]
        likely = tuple((level(int(code)), float(p[code])) for code in order)
        label, confidence = likely[0]
        named = tuple(
            (refs[int(one)], level(int(factor.codes[place])))
            for one, place in zip(own, near, strict=True)
        )
        told = label if confidence >= confident_at and believed and not unlike else None
        made.append(
            Guess(
                factor.name, told, confidence, likely, named, router.is_followed, held_out, unlike
            )
        )
    return made


def _held_out(router: FacetRouter, *, of_probabilities: bool = False) -> HeldOut | None:
    """How the router did on the cases it was tried on."""
    trial = router.router.trial
    if trial is None:
        return None
    usual = router.factor.levels[int(router.present[trial.usual])]
    better = (trial.sharper if of_probabilities else trial.gain) > 0
    return HeldOut(trial.cases, trial.right, usual, trial.usual_right, better)


@dataclass(frozen=True, slots=True)
class Escalation:
    """Of one text: the probability that it escalates, the usual one, whether it tells anything."""

    probability: float
    usual: float
    better: bool
    unlike: bool


@dataclass(frozen=True, slots=True)
class Escalations:
    """Of all texts, with how the probabilities did on the cases they were tried on."""

    probabilities: Sequence[float]
    unlike: Sequence[bool]
    usual: float
    held_out: HeldOut | None

    def of(self, i: int) -> Escalation:
        """That of text `i`."""
        better = self.held_out is None or self.held_out.better
        return Escalation(self.probabilities[i], self.usual, better, self.unlike[i])


def escalations_of(
    kb: KnowledgeBase,
    past: Experience,
    asked: Vectors,
    words: Sequence[Sequence[str]],
    encode: Encode,
) -> Escalations | None:
    """The probability that each escalates, and the share that usually does."""
    factor = escalation_factor(past.found)
    if not can_be_learned(factor.codes, past):
        return None
    router = router_of(kb, past, factor, encode)
    found = router.forecast(asked, words)
    own = factor.codes[past.places[past.labelled(factor.codes)]]
    return Escalations(
        found.probabilities[:, 1].tolist(),
        found.unlike.tolist(),
        float((own == 1).mean()),
        _held_out(router, of_probabilities=True),
    )
