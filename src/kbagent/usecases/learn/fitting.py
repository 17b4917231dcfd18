"""`kbagent learn`: what outcomes and links teach, as a candidate that has to be promoted.

Four things are fitted, each behind its own guard, on the earlier part of the history alone, so that
promotion can test the candidate on the later part, which it never saw:

- an adapter, from links and people's groupings (never from what similarity grouped itself); kept
  if later cases gain for certain and issues left out whole do not lose for certain;
- the share of dense similarity in the score; kept if later lookups gain;
- κ, how alike the issues of a resolution are, from the spread of its rates;
- the curve of the confidence, where one of the first two changed the scores.
"""

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np

from kbagent.core.learning import adapter as adapters
from kbagent.core.learning.adapter import Validation
from kbagent.core.learning.fusion import Fitted, fit_dense_weight
from kbagent.core.learning.pooling import moments_of, strength
from kbagent.core.verification.calibration import fit_platt
from kbagent.model.case import Verdict
from kbagent.model.evidence import Moments, Tally
from kbagent.model.outcome import REWARD
from kbagent.model.policy import Policy, PolicyParameters
from kbagent.store import adapters as stored_adapters
from kbagent.store import ledger, models, policies
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.moments import to_text
from kbagent.usecases.evaluate.evaluation import history_of, named_policy
from kbagent.usecases.evaluate.history import History, Vectors
from kbagent.usecases.evaluate.replay import Contender, looked_up, question_places, replay

EARLIER = 0.7  # share of the history that is learned from; promotion tests on the rest
MOST_LOOKUPS = 2000  # the latest of the earlier part; more change the weight no further
LEAST_LINKED = 40  # cases in linked issues below which no adapter is tried
LEAST_MARGINS = 100  # lookups below which the confidence keeps its curve
SEED = 17

Tell = Callable[[str], None]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Learned:
    """What was fitted. `policy` is the candidate; None where nothing was worth one.

    `validation` is None where too few cases are linked, `adapter` where it was not kept.
    """

    policy: Policy | None
    cases: int
    linked: int
    until: str | None
    validation: Validation | None
    adapter: str | None
    fusion: Fitted
    cells: int
    prior_strength: float


def learn(kb: KnowledgeBase, tell: Tell, progress: Progress, *, by: str | None = None) -> Learned:
    """Fit everything on the earlier part of the history and store what passed as a candidate.

    Raises:
        UnknownHandle: nothing was imported yet.
    """
    live = policies.live(kb.connection)
    history = history_of(kb)
    earlier = round(EARLIER * len(history.opened))
    rng = np.random.default_rng(SEED)
    tell(f"learning from {earlier:,} of {len(history.opened):,} cases; the later ones test it")
    validation, matrix = _adapter(history, earlier, rng, tell)
    name = None if matrix is None else stored_adapters.name_of(matrix)
    places = [one for one in question_places(history, None) if one < earlier][-MOST_LOOKUPS:]
    contender = Contender("candidate", live.parameters, matrix=matrix)
    tell("fitting the share of dense similarity")
    looked = looked_up(history, contender, places, progress)
    fusion = fit_dense_weight(looked, live.parameters.dense_weight, rng)
    moments = _moments(kb, history, earlier)
    parameters = replace(
        live.parameters,
        dense_weight=fusion.dense_weight,
        prior_strength=round(strength(moments), 3),
        adapter=name or live.parameters.adapter,
    )
    if name or fusion.accepted:
        tell("fitting the confidence")
        parameters = _calibrated(history, parameters, matrix, places, progress)
    until = to_text(history.opened[earlier - 1]) if earlier else None
    learned = Learned(
        policy=None,
        cases=earlier,
        linked=int((history.linked[:earlier] >= 0).sum()),
        until=until,
        validation=validation,
        adapter=name,
        fusion=fusion,
        cells=moments.cells,
        prior_strength=parameters.prior_strength,
    )
    if parameters == live.parameters:
        return learned
    version = _store(kb, live, parameters, matrix, name, learned, by)
    return replace(learned, policy=named_policy(kb, version))


def _adapter(
    history: History, earlier: int, rng: np.random.Generator, tell: Tell
) -> tuple[Validation | None, Vectors | None]:
    """The adapter of the earlier part if it passes its guard, and what the guard saw."""
    rows = np.flatnonzero(history.linked[:earlier] >= 0)
    if len(rows) < LEAST_LINKED:
        return None, None
    vectors = history.vectors[history.starts[rows]]
    labels = history.linked[rows]
    tell(f"learning an adapter from {len(rows):,} linked cases")
    validation = adapters.validate(vectors, labels, rng)
    if not validation.acceptable:
        return validation, None
    return validation, adapters.fit(vectors, labels, rng)


def _moments(kb: KnowledgeBase, history: History, earlier: int) -> Moments:
    """The spread of rates over cells (issue, approach), from the earlier part."""
    place_of = {int(one): place for place, one in enumerate(history.case_ids[:earlier])}
    until = history.opened[earlier - 1] if earlier else None
    entries = ledger.every(kb.connection)
    gone = {one.undoes for one in entries if one.undoes is not None}
    sums: dict[tuple[int, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for one in entries:
        place = place_of.get(one.case_id)
        if place is None or one.verdict is Verdict.UNKNOWN or one.id in gone:
            continue
        if until is not None and one.happened_at > until:
            continue
        cell = sums[int(history.issue[place]), history.canonical[one.resolution_id]]
        cell[0] += 1.0
        cell[1] += REWARD[one.verdict]
    return moments_of(Tally(tried, worked) for tried, worked in sums.values())


def _calibrated(
    history: History,
    parameters: PolicyParameters,
    matrix: Vectors | None,
    places: list[int],
    progress: Progress,
) -> PolicyParameters:
    """The same with the curve of its confidence fitted to the scores it gives now."""
    contender = Contender("candidate", replace(parameters, exploration=False), matrix=matrix)
    observed = replay(history, [contender], places, progress).courses["candidate"].margins
    if len(observed) < LEAST_MARGINS:
        return parameters
    curve = fit_platt([margin for margin, _ in observed], [right for _, right in observed])
    return replace(parameters, platt=(round(curve.slope, 4), round(curve.intercept, 4)))


def _store(
    kb: KnowledgeBase,
    live: Policy,
    parameters: PolicyParameters,
    matrix: Vectors | None,
    name: str | None,
    learned: Learned,
    by: str | None,
) -> int:
    model = models.active(kb.connection)
    evidence = {
        "until": learned.until,
        "cases": learned.cases,
        "linked": learned.linked,
        "lookups": learned.fusion.lookups,
        "cells": learned.cells,
        "last_outcome": ledger.last_recorded(kb.connection),
    }
    said = {
        "adapter": None if learned.validation is None else asdict(learned.validation),
        "fusion": asdict(learned.fusion),
    }
    with kb.database.write() as connection:
        now = kb.clock()
        if matrix is not None and name is not None and model is not None:
            stored_adapters.add(connection, name, model.id, matrix, now)
        version = policies.add(
            connection,
            f"learned {now:%Y-%m-%d}",
            parameters,
            now,
            parent=live.version,
            by=by,
            evidence=json.dumps(evidence),
        )
        policies.note_evaluation(connection, version, "learn", said, now)
    return version
