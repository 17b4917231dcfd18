"""The public sets, embedded with the product's own encoder."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kbagent.core.text.tokens import identifiers, tokens
from kbagent.core.verification.rehearsal import History
from kbagent.store.encoder.session import Encoder

NEEDED = ("clinc150-full.json.gz", "banking77-train.csv.gz", "banking77-test.csv.gz")


@dataclass(frozen=True, slots=True)
class Clinc:
    """CLINC150 in its own parts; out-of-scope queries bear issue −1."""

    train: History
    val: History
    oos_val: History
    test: History
    oos_test: History


@dataclass(frozen=True, slots=True)
class Banking:
    """banking77 in its own two parts."""

    train: History
    test: History


def load_clinc(folder: Path, encoder: Encoder, *, share: float, rng: np.random.Generator) -> Clinc:
    """CLINC150 embedded; with `share` < 1 only that share of each intent's queries."""
    with gzip.open(folder / "clinc150-full.json.gz") as file:
        parts = json.load(file)
    names = sorted({label for _, label in parts["train"]})
    place = {name: i for i, name in enumerate(names)}

    def part(name: str) -> History:
        rows = _thinned(parts[name], share, rng)
        return _history([t for t, _ in rows], [place.get(i, -1) for _, i in rows], encoder)

    return Clinc(*(part(n) for n in ("train", "val", "oos_val", "test", "oos_test")))


def load_banking(
    folder: Path, encoder: Encoder, *, share: float, rng: np.random.Generator
) -> Banking:
    """banking77 embedded; with `share` < 1 only that share of each intent's queries."""
    parts = [_read_csv(folder / f"banking77-{name}.csv.gz") for name in ("train", "test")]
    place = {name: i for i, name in enumerate(sorted({label for _, label in parts[0]}))}
    thin = [_thinned(rows, share, rng) for rows in parts]
    return Banking(
        *(_history([t for t, _ in rows], [place[i] for _, i in rows], encoder) for rows in thin)
    )


def _read_csv(path: Path) -> list[tuple[str, str]]:
    with gzip.open(path) as raw:
        text = io.TextIOWrapper(raw, "utf-8")
        return [(row["text"], row["category"]) for row in csv.DictReader(text)]


def _thinned(
    rows: Sequence[Sequence[str]], share: float, rng: np.random.Generator
) -> list[tuple[str, str]]:
    labels = np.array([label for _, label in rows])
    keep: list[int] = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = max(2, round(share * len(members)))
        keep += rng.permutation(members)[:count].tolist()
    return [(rows[i][0], rows[i][1]) for i in sorted(keep)]


def _history(texts: Sequence[str], issues: Sequence[int], encoder: Encoder) -> History:
    vectors: NDArray[np.float64] = encoder.encode(texts).astype(np.float64)
    return History(
        vectors,
        np.array(issues, dtype=np.int64),
        tuple(frozenset(tokens(t)) for t in texts),
        tuple(frozenset(identifiers(t)) for t in texts),
    )
