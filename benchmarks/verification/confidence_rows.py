"""Selective accuracy and calibration: banking77, many random splits."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning.table import Row, mean_interval
from benchmarks.verification.sets import Banking
from kbagent.core.verification.abstention import risk_coverage, threshold_for_error
from kbagent.core.verification.calibration import (
    brier_score,
    calibration_error,
    fit_calibrator,
)
from kbagent.core.verification.novelty import NEAREST, Neighbours
from kbagent.core.verification.recognition import clearness, recognise
from kbagent.core.verification.rehearsal import History

Array = NDArray[np.float64]

MAX_ERROR = 0.05
SPLITS = 100
OUTCOMES = ((200, 0.03), (3000, 0.01))  # labels to calibrate on, and the error to reach


def selective_rows(banking: Banking, rng: np.random.Generator) -> Iterator[Row]:
    """The promise on 100 random halves of the test part, and the risk–coverage table."""
    shares, nearest, right = answers(banking.train, banking.test)
    half = len(right) // 2
    for name, score in (("vote share", clearness(shares)), ("baseline: similarity", nearest)):
        for promise, horizon in (("next questions", half), ("long run", None)):
            kept, coverage, errors = 0, [], []
            for _ in range(SPLITS):
                order = rng.permutation(len(right))
                a, b = order[:half], order[half:]
                limit = threshold_for_error(score[a], right[a], MAX_ERROR, horizon=horizon)
                answered = score[b] >= limit.confidence
                error = float(1 - right[b][answered].mean()) if answered.any() else 0.0
                kept += error <= MAX_ERROR
                coverage.append(float(answered.mean()))
                errors.append(error)
            judged = name == "vote share" and horizon is not None
            yield Row(
                f"error ≤ {MAX_ERROR:.0%} promised for the {promise}",
                name,
                "kept in ≥ 95 of 100" if judged else "–",
                f"kept in {kept} of {SPLITS}; coverage {mean_interval(coverage)}, "
                f"error {np.mean(errors):.3f}",
                kept >= 95 if judged else None,
            )
    for point in risk_coverage(clearness(shares), right):
        yield Row(
            "risk–coverage",
            f"answer {point.coverage:.0%}",
            "–",
            f"error {point.error:.4f} (≤ {point.bound:.4f})",
        )


def calibration_rows(banking: Banking, rng: np.random.Generator) -> Iterator[Row]:
    """ECE and Brier after 200 and 3,000 outcomes, measured on all the others."""
    order = rng.permutation(len(banking.train.issues))
    stored, rest = np.array_split(order, 2)
    asked = joined(banking.train.at(rest), banking.test)
    shares, nearest, right = answers(banking.train.at(stored), asked)
    score = clearness(shares)
    for labels, target in OUTCOMES:
        count = min(labels, len(right) // 2)
        for name in ("baseline: raw vote share", "baseline: raw similarity", "calibrated"):
            errors, briers = [], []
            for _ in range(SPLITS):
                places = rng.permutation(len(right))
                a, b = places[:count], places[count:]
                p = {
                    "calibrated": lambda a=a, b=b: fit_calibrator(score[a], right[a]).confidence(
                        score[b]
                    ),
                    "baseline: raw vote share": lambda b=b: shares[b],
                    "baseline: raw similarity": lambda b=b: np.clip(nearest[b], 0, 1),
                }[name]()
                errors.append(calibration_error(p, right[b]))
                briers.append(brier_score(p, right[b]))
            yield Row(
                f"ECE after {count} outcomes",
                name,
                f"≤ {target}" if name == "calibrated" else "–",
                f"{mean_interval(errors, 4)}; Brier {np.mean(briers):.4f}",
                bool(np.mean(errors) <= target) if name == "calibrated" else None,
            )


def answers(stored: History, asked: History) -> tuple[Array, Array, Array]:
    """Vote share, similarity of the nearest, and whether the recognised issue is right."""
    similarity = asked.vectors @ stored.vectors.T
    k = 2 * NEAREST
    top = np.argpartition(-similarity, k, axis=1)[:, :k]
    near = Neighbours(
        np.take_along_axis(similarity, top, 1), stored.issues[top], np.zeros(top.shape)
    )
    winners = recognise(near)
    right = np.array([w.issue for w in winners]) == asked.issues
    return (
        np.array([w.share for w in winners]),
        near.similarities.max(axis=1),
        right.astype(np.float64),
    )


def joined(a: History, b: History) -> History:
    """Both histories as one."""
    return History(
        np.concatenate([a.vectors, b.vectors]),
        np.concatenate([a.issues, b.issues]),
        a.words + b.words,
        a.identifiers + b.identifiers,
    )
