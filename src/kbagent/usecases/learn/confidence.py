"""Confidence that means something: calibrated on the knowledge base's own history.

The history is played again in time order: each case is asked among the cases opened before it, by
its whole text and (where an encoder is at hand) by its title alone, as people ask; what engineers
said of lookups counts too, and a review outranks it. Right is whether the recognised issue is the
one the case is kept under, or one that is nearly the same (`retain.relatives`), whose votes count
as one; a case whose issue did not exist yet can only be recognised wrongly.
Platt below a thousand labels, isotonic above. The threshold keeps what people promised, or is the
default and says so.

Most memberships were set by similarity itself, so the basis says how many were not.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from kbagent.core.verification.abstention import (
    RiskPoint,
    Threshold,
    risk_coverage,
    threshold_for_coverage,
    threshold_for_error,
)
from kbagent.core.verification.calibration import (
    Calibrator,
    Isotonic,
    Platt,
    ReliabilityBin,
    brier_score,
    calibration_error,
    reliability_table,
)
from kbagent.core.verification.certainty import DEFAULT_CERTAINTY, Certainty, fit_certainty
from kbagent.errors import BadValue
from kbagent.store import models, settings
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.ledger import first_event, last_event, record_event
from kbagent.store.moments import known
from kbagent.usecases.retain.relatives import Rows, relatives_among, rows_of
from kbagent.usecases.retrieve.votes import (
    ALONE,
    NEAREST,
    Relatives,
    Votes,
    owners,
    related,
    vote_of,
)
from kbagent.usecases.review.lessons import answer_lessons

EVENT = settings.CONFIDENCE_LEARNED  # in `events`: each learning, for a look back
KEY = settings.CONFIDENCE  # what was learned
PROMISE_KEY = "confidence.promise"  # in `settings`: what people want
MAX_ERROR = "max-error"
MIN_COVERAGE = "min-coverage"
DEFAULT_THRESHOLD = 0.7  # about one answer in twenty is wrong above it, on the sample data
MOST_ASKED = 3_000  # cases, the latest ones
MOST_TITLES = 400  # encoded anew: about two seconds
FEWEST = 40  # labels below which nothing is learned
_BLOCK = 512  # cases compared at once


@dataclass(frozen=True, slots=True)
class Certain:
    """What is in force: the calibrated line, from which confidence to answer, and its basis."""

    certainty: Certainty
    threshold: float
    basis: str
    learned: bool
    relatives: Relatives = field(default_factory=dict)

    def confidence(self, votes: Votes | None) -> float:
        """The probability that the vote's winner is the right issue; 0 without a vote."""
        if votes is None:
            return 0.0
        return float(self.certainty.confidence(votes.clear, votes.near))


@dataclass(frozen=True, slots=True)
class Labels:
    """Answers of which it is known whether they were right, in order of time, each (n,).

    `independent` counts those that rest on a link, a person or an outcome; `kin` are the pairs of
    issues that counted as one.
    """

    moments: tuple[datetime, ...]
    clear: npt.NDArray[np.float64]
    near: npt.NDArray[np.float64]
    right: npt.NDArray[np.float64]
    independent: int
    kin: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """How well confidence means what it says, on answers later than those it was learned from.

    `learned_on` and `judged_on` count answers; NaN figures when there were none to judge.
    """

    learned_on: int
    judged_on: int
    independent: int
    method: str
    error: float
    brier: float
    accuracy: float
    table: tuple[ReliabilityBin, ...]
    risk: tuple[RiskPoint, ...]
    threshold: float
    basis: str


def certain_of(kb: KnowledgeBase, *, as_of: datetime | None = None) -> Certain:
    """What was learned, else the defaults; what was in force at `as_of` where that is given."""
    kept = settings.get(kb.connection, KEY) if as_of is None else _kept_at(kb, as_of)
    if kept is None:
        basis = f"default threshold {DEFAULT_THRESHOLD:g}; nothing learned yet"
        return Certain(DEFAULT_CERTAINTY, DEFAULT_THRESHOLD, basis, learned=False)
    values = json.loads(kept)
    return _in_force(values)


def _in_force(values: dict[str, Any]) -> Certain:
    return Certain(
        certainty=_certainty(values["line"]),
        threshold=values["threshold"],
        basis=values["basis"],
        learned=True,
        relatives=related(values.get("kin", ())),
    )


def is_current(kb: KnowledgeBase) -> bool:
    """Whether what was learned knows of relatives, and of the encoder that serves now."""
    kept = settings.get(kb.connection, KEY)
    if kept is None:
        return True
    values = json.loads(kept)
    return "kin" in values and values.get("model") == _active(kb)


def _active(kb: KnowledgeBase) -> int | None:
    model = models.active(kb.connection)
    return None if model is None else model.id


def is_known_at(kb: KnowledgeBase, as_of: datetime) -> bool:
    """Whether it is on record which confidence was in force then.

    Knowledge bases that learned before each learning was kept know only the last one.
    """
    first = first_event(kb.connection, EVENT)
    return settings.get(kb.connection, KEY) is None or (first is not None and first <= as_of)


def _kept_at(kb: KnowledgeBase, as_of: datetime) -> str | None:
    """What was learned last by then. Where that is not on record, what is in force now."""
    if not is_known_at(kb, as_of):
        return settings.get(kb.connection, KEY)
    return last_event(kb.connection, EVENT, as_of)


def set_promise(
    kb: KnowledgeBase, name: str, value: float, encoder: Encoder | None = None
) -> Certain:
    """Let people state `max-error` or `min-coverage`; learned again at once.

    Raises:
        BadValue: another name, or a value outside (0, 1).
    """
    if name not in (MAX_ERROR, MIN_COVERAGE):
        raise BadValue(name="promise", value=name, reason=f"use {MAX_ERROR} or {MIN_COVERAGE}")
    if not 0.0 < value < 1.0:
        raise BadValue(name=name, value=f"{value:g}", reason="give a share between 0 and 1")
    return keep_prospect(kb, prospect(kb, (name, value), encoder))


def learn_confidence(kb: KnowledgeBase, encoder: Encoder | None = None) -> Certain:
    """Calibrate on the whole history, set the threshold by what people promised, keep both.

    Below `FEWEST` labels nothing is kept and the defaults stay in force.
    """
    return keep_prospect(kb, prospect(kb, promise_of(kb), encoder))


def promise_of(kb: KnowledgeBase) -> tuple[str, float] | None:
    """What people want of answers, `max-error` or `min-coverage` with its share; None: nothing."""
    kept = settings.get(kb.connection, PROMISE_KEY)
    found = None if kept is None else json.loads(kept)
    return None if found is None else (str(found[0]), float(found[1]))


@dataclass(frozen=True, slots=True)
class Prospect:
    """What would be in force under a promise; `learned` is its text in `settings`, if any."""

    promise: tuple[str, float] | None
    certain: Certain
    learned: str | None


def prospect(
    kb: KnowledgeBase, promise: tuple[str, float] | None, encoder: Encoder | None = None
) -> Prospect:
    """Calibrate on the whole history and set the threshold by this promise; keeps nothing."""
    labels = replayed(kb, encoder)
    if len(labels.right) < FEWEST:
        return Prospect(promise, certain_of(kb), None)
    line = fit_certainty(labels.clear, labels.near, labels.right)
    half = len(labels.right) // 2  # what comes resembles the later half, not the empty beginning
    confidence = line.confidence(labels.clear[half:], labels.near[half:])
    threshold, basis = _threshold(promise, confidence, labels.right[half:], labels.independent)
    content = {
        "line": _line(line),
        "threshold": threshold,
        "basis": basis,
        "kin": labels.kin,
        "model": _active(kb),
    }
    return Prospect(promise, _in_force(content), json.dumps(content))


def keep_prospect(kb: KnowledgeBase, found: Prospect) -> Certain:
    """Put it in force: the promise, and what was learned under it; what is in force now."""
    with kb.database.write() as connection:
        if promise_of(kb) != found.promise:
            settings.put(connection, PROMISE_KEY, json.dumps(found.promise))
        if found.learned is not None:
            settings.put(connection, KEY, found.learned)
            record_event(connection, None, EVENT, kb.clock(), None, json.loads(found.learned))
    return certain_of(kb)


def calibration_report(kb: KnowledgeBase, encoder: Encoder | None = None) -> CalibrationReport:
    """Learned on the earlier half of the labels, judged on the later half; changes nothing."""
    labels = replayed(kb, encoder)
    half = len(labels.right) // 2
    line = fit_certainty(labels.clear[:half], labels.near[:half], labels.right[:half])
    judged = line.confidence(labels.clear[half:], labels.near[half:])
    right = labels.right[half:]
    now = certain_of(kb)
    return CalibrationReport(
        learned_on=half,
        judged_on=len(right),
        independent=labels.independent,
        method="isotonic" if isinstance(line.calibrator, Isotonic) else "Platt",
        error=calibration_error(judged, right),
        brier=brier_score(judged, right),
        accuracy=float(right.mean()) if len(right) else float("nan"),
        table=reliability_table(judged, right, bins=10),
        risk=risk_coverage(judged, right) if len(right) else (),
        threshold=now.threshold,
        basis=now.basis,
    )


def replayed(kb: KnowledgeBase, encoder: Encoder | None = None) -> Labels:
    """The history asked again, in order of time; without an active model there are no labels."""
    model = models.active(kb.connection)
    if model is None:
        return _joined([], 0)
    stored = kb.connection.execute(
        """SELECT cases.id, issue_id, coalesce(opened_at, cases.recorded_at) AS at, title, kind
        FROM cases JOIN memberships ON memberships.case_id = cases.id
        WHERE withdrawn_at IS NULL ORDER BY at, cases.id"""
    ).fetchall()
    rows = rows_of(kb.connection, model.id, [(row[0], row[1]) for row in stored])
    if rows is None or len(rows.ids) < 2:
        return _joined(_told(kb, ALONE), 0)
    kin = relatives_among(kb.connection, rows, MOST_ASKED)
    relatives = related(kin)
    known_ids = set(rows.ids.tolist())
    facts = [row[2:] for row in stored if row[0] in known_ids]
    asked = np.arange(max(1, len(facts) - MOST_ASKED), len(facts))
    moments = [at for at, _, _ in facts]
    found = _asked(rows.vectors[asked], asked, rows, moments, relatives)
    if encoder is not None:
        late = asked[-MOST_TITLES:]
        titles = encoder.encode([facts[i][1] for i in late.tolist()])
        found += _asked(titles, late, rows, moments, relatives)
    independent = sum(facts[i][2] in ("linked", "human") for i in asked.tolist())
    told = _told(kb, relatives)
    return _joined([*found, *told], independent + len(told), kin)


_Label = tuple[datetime, float, float, float]


def _asked(
    queries: npt.NDArray[np.float32],
    places: npt.NDArray[np.intp],
    rows: Rows,
    moments: Sequence[str],
    relatives: Relatives,
) -> list[_Label]:
    """Each query asked among the cases before its place."""
    labels: list[_Label] = []
    for start in range(0, len(places), _BLOCK):
        block = places[start : start + _BLOCK]
        similar = queries[start : start + _BLOCK] @ rows.vectors[: int(block[-1])].T
        for row, place in zip(similar, block.tolist(), strict=True):
            before = row[:place]
            k = min(NEAREST, place)
            near = np.argpartition(-before, k - 1)[:k]
            near = near[np.lexsort((near, -before[near]))]
            votes = vote_of(before[near].tolist(), rows.issues[near].tolist(), relatives)
            right = _is_right(votes.winner.issue, int(rows.issues[place]), relatives)
            labels.append((known(moments[place]), votes.clear, votes.near, float(right)))
    return labels


def _is_right(recognised: int, kept: int, relatives: Relatives) -> bool:
    return recognised == kept or kept in relatives.get(recognised, frozenset())


def _told(kb: KnowledgeBase, relatives: Relatives) -> list[_Label]:
    """Lookups of which an engineer said which issue's resolution worked.

    Where a review said that it was the wrong problem all the same, the answer was not right.
    """
    rows = kb.connection.execute(
        """SELECT lookups.id, lookups.at, candidates, max(showings.case_id)
        FROM lookups JOIN outcomes ON outcomes.lookup_id = lookups.id
        JOIN showings ON showings.lookup_id = lookups.id
            AND showings.resolution_id = outcomes.resolution_id
        WHERE outcomes.source = 'explicit' AND outcomes.verdict IN ('worked', 'partly')
        AND NOT EXISTS (SELECT 1 FROM outcomes AS later WHERE later.undoes = outcomes.id)
        GROUP BY lookups.id ORDER BY lookups.id"""
    ).fetchall()
    judged = answer_lessons(kb.connection)
    issue_of = owners(kb, [row[3] for row in rows])  # as it is now, whatever was merged since
    labels: list[_Label] = []
    for lookup, at, candidates, case in rows:
        best = json.loads(candidates)["best"][:NEAREST]
        if best:
            owner = owners(kb, [one[0] for one in best])
            ordered = sorted(best, key=lambda one: (-one[1], one[0]))
            voters = [owner[one[0]] for one in ordered]
            votes = vote_of([one[1] for one in ordered], voters, relatives)
            right = _is_right(votes.winner.issue, issue_of[case], relatives)
            right = right and judged.get(lookup, True)
            labels.append((known(at), votes.clear, votes.near, float(right)))
    return labels


def _joined(
    labels: Sequence[_Label], independent: int, kin: tuple[tuple[int, int], ...] = ()
) -> Labels:
    ordered = sorted(labels, key=lambda one: one[0])
    table = np.array([one[1:] for one in ordered], dtype=np.float64).reshape(len(ordered), 3)
    moments = tuple(one[0].astimezone(UTC) for one in ordered)
    return Labels(moments, table[:, 0], table[:, 1], table[:, 2], independent, kin)


def _threshold(
    promise: tuple[str, float] | None,
    confidence: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
    independent: int,
) -> tuple[float, str]:
    """From which confidence to answer, and the sentence that says what that rests on."""
    rests = f"{independent} labels on links, people or outcomes, the others on similarity"
    if promise is None:
        said = f"default threshold {DEFAULT_THRESHOLD:g}, calibrated on {len(confidence)} answers"
        return DEFAULT_THRESHOLD, f"{said} ({rests})"
    name, value = promise
    set_by = threshold_for_error if name == MAX_ERROR else threshold_for_coverage
    found: Threshold = set_by(confidence, right, value)
    return min(found.confidence, 1.1), f"{found.basis()} ({rests})"


def _line(line: Certainty) -> dict[str, Any]:
    kind = line.calibrator
    numbers: dict[str, Any] = (
        {"slope": kind.slope, "intercept": kind.intercept}
        if isinstance(kind, Platt)
        else {"scores": kind.scores, "values": kind.values}
    )
    return {
        "clear": line.clear,
        "near": line.near,
        "intercept": line.intercept,
        "calibrator": numbers,
    }


def _certainty(values: dict[str, Any]) -> Certainty:
    numbers = values["calibrator"]
    calibrator: Calibrator = (
        Platt(**numbers)
        if "slope" in numbers
        else Isotonic(tuple(numbers["scores"]), tuple(numbers["values"]))
    )
    return Certainty(values["clear"], values["near"], values["intercept"], calibrator)
