"""A knowledge base of many cases with thirty facets, written in bulk: rows, and no vectors.

Text is drawn from twenty thousand words by Zipf's law. Facets have 4 to 40 values (one, the
customer, 5,000); issues follow Zipf's law too. Two things are planted: cases with the word
`PLANTED` escalate twice as often, and issue `RISEN` triples in the last fortnight on one version.
"""

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.scale.filling import _without_indexes as without_indexes
from kbagent.store.knowledge_base import create_knowledge_base
from kbagent.store.moments import to_text

START, DAYS = datetime(2022, 1, 3, tzinfo=UTC), 1000
ISSUES, VOCABULARY, WORDS = 5000, 20_000, 40
FACETS = 30
PLANTED, RISEN, RISING_DAYS = "kettle", 4321, 14
QUEUES = 8
BLOCK = 20_000

Ints = NDArray[np.int64]


def fill(folder: Path, count: int, seed: int) -> None:
    """A knowledge base of so many cases in `folder`."""
    rng = np.random.default_rng(seed)
    sizes = [5000 if i == 0 else 4 + (i * 7) % 37 for i in range(FACETS)]
    with create_knowledge_base(folder) as kb, kb.database.write() as connection:
        dropped = without_indexes(connection)
        names = ["customer", "version", "queue", *(f"facet{i}" for i in range(3, FACETS))]
        sizes[2] = QUEUES
        first = np.cumsum([1, *sizes])
        connection.executemany(
            "INSERT INTO facet_values (id, name, value) VALUES (?, ?, ?)",
            (
                (int(first[i]) + j, names[i], f"{'1.' if i == 1 else 'v'}{j:04}")
                for i in range(FACETS)
                for j in range(sizes[i])
            ),
        )
        connection.executemany(
            "INSERT INTO issues (id, title, recorded_at) VALUES (?, ?, ?)",
            ((i + 1, f"problem {i + 1}", to_text(START)) for i in range(ISSUES)),
        )
        days = np.sort(rng.integers(0, DAYS, count))
        shares = [rng.dirichlet(np.full(size, 0.8)) for size in sizes]
        for start in range(0, count, BLOCK):
            part = days[start : start + BLOCK]
            codes = _codes(part, shares, rng)
            _write(connection, start + 1, part, codes, (names, first), rng)
        for statement in dropped:
            connection.execute(statement)


def _codes(days: Ints, shares: list[NDArray[np.float64]], rng: np.random.Generator) -> Ints:
    """Case x facet; every fifth facet partly follows the one before it."""
    codes = np.stack([rng.choice(p.size, size=days.size, p=p) for p in shares], axis=1)
    for i in range(4, len(shares), 5):
        follows = rng.random(days.size) < 0.4
        codes[follows, i] = codes[follows, i - 1] % shares[i].size
    return codes


def _issues(days: Ints, codes: Ints, rng: np.random.Generator) -> Ints:
    """Issue of each case; the risen one has tripled, on version 3, in the last days."""
    issue = (rng.pareto(1.2, days.size) * 20).astype(np.int64).clip(0, ISSUES - 1)
    risen = (days >= DAYS - RISING_DAYS) & (rng.random(days.size) < 0.01)
    issue[risen] = RISEN
    codes[risen, 1] = 3
    return issue


def _texts(count: int, rng: np.random.Generator) -> tuple[list[str], NDArray[np.bool_]]:
    weights = 1 / np.arange(10, VOCABULARY + 10)
    drawn = rng.choice(VOCABULARY, size=(count, WORDS), p=weights / weights.sum())
    names = np.array([f"word{i}" for i in range(VOCABULARY)], dtype=object)
    has = rng.random(count) < 0.02
    made = [" ".join(row) for row in names[drawn].tolist()]
    return [f"{t} {PLANTED}" if p else t for t, p in zip(made, has.tolist(), strict=True)], has


def _write(
    connection: sqlite3.Connection,
    first_id: int,
    days: Ints,
    codes: Ints,
    facets: tuple[list[str], Ints],
    rng: np.random.Generator,
) -> None:
    names, first = facets
    issue = _issues(days, codes, rng)
    texts, planted = _texts(days.size, rng)
    escalated = rng.random(days.size) < np.where(planted, 0.3, 0.15)
    csat = np.where(rng.random(days.size) < 0.3, rng.integers(1, 6, days.size) / 5.0, np.nan)
    minutes = np.exp(rng.normal(4, 1, days.size) + 0.3 * (codes[:, 4] == 1))
    ids = range(first_id, first_id + days.size)
    opened = [to_text(START + timedelta(days=int(d), hours=8 + i % 12)) for i, d in enumerate(days)]

    def rows() -> Iterator[tuple[object, ...]]:
        for place, one in enumerate(ids):
            told = [[n, f"v{c:04}"] for n, c in zip(names, codes[place].tolist(), strict=True)]
            score = csat[place]
            yield (
                one, str(one), texts[place][:60], texts[place], opened[place], opened[place],
                None if np.isnan(score) else float(score), float(minutes[place]),
                int(escalated[place]), json.dumps(told),
            )  # fmt: skip

    connection.executemany(
        """INSERT INTO cases (id, source, external_id, title, body, status, opened_at, closed_at,
            csat, minutes, escalated, facets, record_hash, recorded_at, updated_at)
        VALUES (?1, 'large', ?2, ?3, ?4, 'resolved', ?5, ?6, ?7, ?8, ?9, ?10, x'', ?6, ?6)""",
        rows(),
    )
    flat = (codes + first[:-1]).tolist()
    connection.executemany(
        "INSERT INTO case_facets (facet_id, case_id) VALUES (?, ?)",
        sorted((facet, one) for one, row in zip(ids, flat, strict=True) for facet in row),
    )
    connection.executemany(
        "INSERT INTO memberships (case_id, issue_id, kind, confidence, method)"
        " VALUES (?, ?, 'assigned', 0.9, 'assigned')",
        zip(ids, (issue + 1).tolist(), strict=True),
    )
