"""Out of scope: CLINC150, thresholds set on validation, figures on test."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning.table import Row
from benchmarks.verification.sets import Banking, Clinc
from kbagent.core.verification.novelty import (
    DEFAULT_NOVELTY,
    SIGNALS,
    NoveltyModel,
    fit_novelty,
    rescaled,
    threshold_at,
)
from kbagent.core.verification.rehearsal import refer, rehearse

Array = NDArray[np.float64]

REFUSED = 0.05  # share of in-scope queries that may be refused
RESAMPLES = 400


def novelty_rows(clinc: Clinc, banking: Banking, rng: np.random.Generator) -> Iterator[Row]:
    """Rows of nearest-neighbour baselines and of novelty fitted in three ways."""
    reference = refer(clinc.train)
    val, oos_val, test, oos_test = (
        reference.signals(part) for part in (clinc.val, clinc.oos_val, clinc.test, clinc.oos_test)
    )
    near = SIGNALS.index("similarity")
    yield from _rows(
        "baseline: similarity of 5 nearest", [s[:, near] for s in (val, test, oos_test)], rng
    )
    kin = SIGNALS.index("kinship")
    yield from _rows("one signal: kinship", [s[:, kin] for s in (val, test, oos_test)], rng)
    other = rescaled(fit_novelty(*rehearse(banking.train, rng)), val)
    fitted: dict[str, tuple[NoveltyModel, bool]] = {
        "stacked on validation (val, oos_val)": (fit_novelty(val, oos_val), True),
        "rehearsed on its own history, no outside example": (
            fit_novelty(*rehearse(clinc.train, rng)),
            True,
        ),
        "weights from banking77, leave-intents-out": (other, False),
        "shipped default weights": (rescaled(DEFAULT_NOVELTY, val), False),
    }
    for name, (model, judged) in fitted.items():
        logits = [model.logits(s) for s in (val, test, oos_test)]
        yield from _rows(name, logits, rng, judged=judged)


def _rows(
    name: str, values: list[Array], rng: np.random.Generator, *, judged: bool = False
) -> Iterator[Row]:
    val, test, oos = values
    limit = threshold_at(val, REFUSED)
    figures = {
        "AUROC": (auroc(test, oos), auroc, 0.98, "≥ 0.98"),
        "recall": (
            float((oos > limit).mean()),
            lambda _, b: float((b > limit).mean()),
            0.9,
            "≥ 0.90",
        ),
    }
    for what, (value, of, target, said) in figures.items():
        samples = [
            of(rng.choice(test, len(test)), rng.choice(oos, len(oos))) for _ in range(RESAMPLES)
        ]
        low, high = np.quantile(samples, [0.025, 0.975])
        refused = f"; in-scope refused {(test > limit).mean():.3f}" if what == "recall" else ""
        yield Row(
            f"out of scope: {what}",
            name,
            said,
            f"{value:.4f} [{low:.4f}, {high:.4f}]{refused}",
            value >= target if judged else None,
        )


def auroc(known: Array, new: Array) -> float:
    """Probability that a new one has the higher value; ties count one half."""
    both = np.concatenate([known, new])
    _, place, counts = np.unique(both, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[place]
    above = ranks[len(known) :].sum() - len(new) * (len(new) + 1) / 2
    return float(above / (len(known) * len(new)))
