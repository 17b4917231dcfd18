"""The rows on real text: banking77, encoded by the product's own encoder.

Test queries are never used to fit or to choose anything: the adapter's settings were chosen
inside the training file.
"""

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning.table import Row, mean_interval
from kbagent.core.learning.adapter import (
    Effect,
    Labels,
    Vectors,
    apply,
    effect,
    fit,
    r_precision,
    validate,
)
from kbagent.core.learning.promotion import paired_bootstrap

SEEDS = 5
UNSEEN = 27  # of 77 intents left out whole
LINKED = 10  # cases of an intent that are linked at the start of the stream
LEARN_EVERY = 500  # lookups
Set = tuple[Vectors, Labels]


def banking77(data: Path) -> tuple[Set, Set]:
    """Vectors and intents of the training and the test file."""
    from kbagent.store.encoder.session import load_encoder

    encoder = load_encoder()
    texts, names = [], []
    sizes = []
    for part in ("train", "test"):
        with gzip.open(data / f"banking77-{part}.csv.gz", "rt", encoding="utf-8", newline="") as f:
            rows = list(csv.DictReader(f))
        texts += [row["text"] for row in rows]
        names += [row["category"] for row in rows]
        sizes.append(len(rows))
    labels = np.unique(names, return_inverse=True)[1].astype(np.int64)
    vectors = encoder.encode(texts).astype(np.float32)
    cut = sizes[0]
    return (vectors[:cut], labels[:cut]), (vectors[cut:], labels[cut:])


def adapter_rows(train: Set, test: Set, seeds: int = SEEDS) -> Iterator[Row]:
    """R-precision of test queries against the training cases, learned from n outcomes."""
    before = r_precision(*test, *train)
    yield Row("banking77: R-precision", "no adapter", "", f"{np.nanmean(before):.3f}")
    for outcomes, target in ((500, 0.59), (3000, 0.66)):
        known: list[Effect] = []
        unseen: list[Effect] = []
        for seed in range(seeds):
            rng = np.random.default_rng([seed, 31])
            taught = rng.choice(len(train[1]), size=outcomes, replace=False)
            matrix = fit(train[0][taught], train[1][taught], rng)
            known.append(effect(matrix, test, train, rng))
            unseen.append(_left_out(train, test, taught, rng))
        after = np.array([e.after for e in known])
        yield Row(
            f"banking77: R-precision after {outcomes:,} outcomes",
            "adapter",
            f"≥ {target}",
            mean_interval(after),
            bool(after.mean() >= target),
        )
        changes = np.array([e.change for e in unseen])
        intervals = ", ".join(f"[{e.low:+.3f}, {e.high:+.3f}]" for e in unseen)
        within = all(e.high >= 0.0 for e in unseen)
        yield Row(
            f"… change on {UNSEEN} unseen intents",
            "adapter",
            "no loss beyond its interval",
            f"{changes.mean():+.3f}; by seed {intervals}",
            within,
        )


def stream_rows(train: Set, lookups: int, seed: int = 0) -> Iterator[Row]:
    """Lookups come one by one; three of ten tell their intent, and it is learned as it goes.

    Frozen keeps the linked cases of the start and the raw vectors. Prequential: each lookup is
    judged before anything is learned from it. R-precision is against the linked cases of the
    start for both, so that only the adapter differs; success@1 is that of the nearest linked
    case's intent, the cases gained on the way included.
    """
    rng = np.random.default_rng([seed, 32])
    order = rng.permutation(len(train[1]))
    start = _first_of_each(train[1], order, LINKED)
    stream = order[~np.isin(order, start)][:lookups]
    told = rng.random(len(stream)) < 0.3
    linked = start.copy()
    matrix = np.eye(train[0].shape[1], dtype=np.float32)
    hit: list[NDArray[np.float64]] = []
    frozen_hit, frozen_r, learned_r = hit.copy(), hit.copy(), hit.copy()
    refused = 0
    for begin in range(0, len(stream), LEARN_EVERY):
        batch = stream[begin : begin + LEARN_EVERY]
        queries, labels = train[0][batch], train[1][batch]
        turned = apply(queries, matrix)
        pool = (train[0][start], train[1][start])
        frozen_hit.append((_nearest(queries, *pool) == labels).astype(np.float64))
        frozen_r.append(r_precision(queries, labels, *pool))
        learned_r.append(r_precision(turned, labels, apply(pool[0], matrix), pool[1]))
        hit.append(
            _one_by_one(
                turned,
                labels,
                told[begin : begin + LEARN_EVERY],
                apply(train[0][linked], matrix),
                train[1][linked],
            )
        )
        linked = np.concatenate([linked, batch[told[begin : begin + LEARN_EVERY]]])
        taught = (train[0][linked], train[1][linked])
        if validate(*taught, rng).acceptable:
            matrix = fit(*taught, rng)
        else:
            refused += 1
    yield from _paired("success@1", hit, frozen_hit, rng)
    yield from _paired("R-precision", learned_r, frozen_r, rng)
    yield Row(
        "banking77 stream: candidates refused by validation",
        "kbagent",
        "",
        f"{refused} of {-(-len(stream) // LEARN_EVERY)}",
    )


def _left_out(train: Set, test: Set, taught: NDArray[np.int64], rng: np.random.Generator) -> Effect:
    held = rng.permutation(np.unique(train[1]))[:UNSEEN]
    seen = taught[~np.isin(train[1][taught], held)]
    matrix = fit(train[0][seen], train[1][seen], rng)
    asked = np.isin(test[1], held)
    return effect(matrix, (test[0][asked], test[1][asked]), train, rng)


def _first_of_each(labels: Labels, order: NDArray[np.int64], each: int) -> NDArray[np.int64]:
    return np.concatenate([order[labels[order] == name][:each] for name in np.unique(labels)])


def _nearest(queries: Vectors, pool: Vectors, labels: Labels) -> Labels:
    return np.asarray(labels[(queries @ pool.T).argmax(axis=1)])


def _one_by_one(
    queries: Vectors, labels: Labels, told: NDArray[np.bool_], pool: Vectors, pool_labels: Labels
) -> NDArray[np.float64]:
    """Whether the nearest linked case is right, cases told of earlier in the batch included."""
    to_pool, among = queries @ pool.T, queries @ queries.T
    hits = np.empty(len(queries))
    for row in range(len(queries)):
        best = int(to_pool[row].argmax())
        label, similarity = pool_labels[best], to_pool[row, best]
        earlier = np.flatnonzero(told[:row])
        if earlier.size:
            near = earlier[among[row, earlier].argmax()]
            if among[row, near] > similarity:
                label = labels[near]
        hits[row] = label == labels[row]
    return hits


def _paired(
    name: str,
    learned: list[NDArray[np.float64]],
    frozen: list[NDArray[np.float64]],
    rng: np.random.Generator,
) -> Iterator[Row]:
    """The change after the first 1,000 lookups, paired by lookup."""
    ours = np.concatenate(learned).astype(float)[1000:]
    theirs = np.concatenate(frozen).astype(float)[1000:]
    change, low, high = paired_bootstrap(ours, theirs, rng)
    yield Row(
        f"banking77 stream: {name} after 1,000 lookups, less frozen",
        "kbagent",
        "interval above 0",
        f"{theirs.mean():.3f} → {ours.mean():.3f}: {change:+.3f} [{low:+.3f}, {high:+.3f}]",
        low > 0.0,
    )
