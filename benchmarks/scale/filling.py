"""Fills a knowledge base with a world in minutes: rows in bulk, indexes by the product itself.

The rows are those that an import would write. SQLite's own secondary indexes are made after the
rows, as a restore does; the dense and the lexical index are extended by the product's own code.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.scale.world import Issues, Material, blocks, issues_of
from kbagent.store import passages
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase, create_knowledge_base
from kbagent.store.moments import to_text
from kbagent.usecases.maintain.encoding import enrolled
from kbagent.usecases.maintain.indexing import refresh_indexes
from kbagent.usecases.retain.attempts import resolution_hash
from kbagent.usecases.retain.fixes import encode_fixes

START = datetime(2022, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=1000)
RARE, HALF = "tier=platinum", "channel=mail"
"""Facets that one case in a hundred and every second case have."""
_WORKED, _KNOWN = 0.7, 0.4  # of known outcomes those that worked; of attempts those known


def fill(
    folder: Path, count: int, material: Material, encoder: Encoder, *, seed: int
) -> tuple[Issues, dict[str, float]]:
    """A knowledge base of so many cases; its issues, and the seconds for rows and indexes."""
    rng = np.random.default_rng(seed)
    issues = issues_of(count, material, rng)
    with create_knowledge_base(folder) as kb:
        model = enrolled(kb, encoder)
        started = time.perf_counter()
        with kb.database.write() as connection:
            later = _without_indexes(connection)
            now = to_text(kb.clock())
            assert now is not None
            _once(connection, material, issues, now)
            _cases(connection, material, issues, rng, model.id, now)
            for statement in later:
                connection.execute(statement)
        rows = time.perf_counter() - started
        kb.connection.execute("PRAGMA optimize")
        encode_fixes(kb, encoder, model.id)
        started = time.perf_counter()
        refresh_indexes(kb, model)
        indexes = time.perf_counter() - started
        _checkpoint(kb)
    return issues, {"rows": rows, "indexes": indexes}


def _without_indexes(connection: sqlite3.Connection) -> list[str]:
    """Drop the secondary indexes that are no constraint; what makes them again."""
    found = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ).fetchall()
    for name, _ in found:
        connection.execute(f'DROP INDEX "{name}"')
    return [sql for _, sql in found]


def _once(connection: sqlite3.Connection, material: Material, issues: Issues, now: str) -> None:
    """Resolutions, facet values and issues."""
    connection.executemany(
        "INSERT INTO resolutions (id, text, text_hash, canonical_id, recorded_at)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            (row, text, resolution_hash(text), row, now)
            for row, text in enumerate(material.fixes, start=1)
        ),
    )
    connection.executemany(
        "INSERT INTO facet_values (id, name, value) VALUES (?, ?, ?)",
        ((row, name, value) for row, (name, value) in enumerate(_facet_values(), start=1)),
    )
    connection.executemany(
        "INSERT INTO issues (id, title, recorded_at) VALUES (?, ?, ?)",
        (
            (row, material.titles[title], now)
            for row, title in enumerate(issues.title.tolist(), start=1)
        ),
    )


def _facet_values() -> list[tuple[str, str]]:
    products = [("product", f"Product {letter}") for letter in "ABCDEFGHIJKLMNOPQRST"]
    versions = [("version", f"{major}.{minor}") for major in range(100, 110) for minor in range(4)]
    return [
        *products,
        *versions,
        ("tier", "standard"),
        ("tier", "platinum"),
        ("channel", "mail"),
        ("channel", "phone"),
    ]


def _cases(
    connection: sqlite3.Connection,
    material: Material,
    issues: Issues,
    rng: np.random.Generator,
    model_id: int,
    now: str,
) -> None:
    values = _facet_values()
    known = {
        row[0] for row in connection.execute("SELECT id FROM resolutions")
    }  # equal texts are one
    first_seen: set[int] = set()
    first = 1
    total = len(issues.of_case)
    for issue, titles, bodies, vectors in blocks(material, issues, rng):
        ids = range(first, first + len(titles))
        opened = [to_text(START + SPAN * (one / total)) for one in ids]
        facets = _facets(len(titles), rng)
        connection.executemany(
            """INSERT INTO cases (id, source, external_id, title, body, status, opened_at,
                closed_at, facets, record_hash, recorded_at, updated_at)
            VALUES (?, 'world', ?, ?, ?, 'resolved', ?, ?, ?, ?, ?, ?)""",
            (
                (one, str(one), title, body, at, at, _json(row, values), b"", now, now)
                for one, title, body, at, row in zip(
                    ids, titles, bodies, opened, facets, strict=True
                )
            ),
        )
        connection.executemany(
            "INSERT INTO case_facets (facet_id, case_id) VALUES (?, ?)",
            ((facet, one) for one, row in zip(ids, facets, strict=True) for facet in row),
        )
        connection.executemany(
            "INSERT INTO documents (id, case_id) VALUES (?, ?)", ((one, one) for one in ids)
        )
        connection.executemany(
            "INSERT INTO passages (id, model_id, case_id, ordinal, text_hash, vector)"
            " VALUES (?, ?, ?, 0, ?, ?)",
            (
                (one, model_id, one, passages.text_hash(f"{title}\n{body}"), passages.to_blob(row))
                for one, title, body, row in zip(ids, titles, bodies, vectors, strict=True)
            ),
        )
        _tried(connection, issues, issue, ids, rng, known, now)
        _placed(connection, issue, ids, first_seen, now)
        first += len(titles)


def _facets(count: int, rng: np.random.Generator) -> list[list[int]]:
    product = rng.integers(1, 21, count)
    version = rng.integers(21, 61, count)
    tier = np.where(rng.random(count) < 0.01, 62, 61)
    channel = np.where(rng.random(count) < 0.5, 63, 64)
    return np.stack([product, version, tier, channel], axis=1).tolist()


def _json(row: list[int], values: list[tuple[str, str]]) -> str:
    return json.dumps([values[one - 1] for one in row])


def _tried(
    connection: sqlite3.Connection,
    issues: Issues,
    issue: np.ndarray,
    ids: range,
    rng: np.random.Generator,
    known: set[int],
    now: str,
) -> None:
    """One fix a case, the first of its issue more often; for some what came of it."""
    chosen = issues.fixes[issue, np.minimum(rng.geometric(0.5, len(ids)) - 1, 3)] + 1
    told = rng.random(len(ids))
    verdicts = np.where(
        told < _KNOWN * _WORKED, "worked", np.where(told < _KNOWN, "failed", "unknown")
    ).tolist()
    rows = [
        (one, fix, verdict)
        for one, fix, verdict in zip(ids, chosen.tolist(), verdicts, strict=True)
        if fix in known
    ]
    connection.executemany(
        "INSERT INTO attempts (case_id, resolution_id, ordinal, verdict, recorded_at)"
        " VALUES (?, ?, 0, ?, ?)",
        ((*row, now) for row in rows),
    )
    connection.executemany(
        """INSERT INTO outcomes (uid, recorded_at, happened_at, case_id, resolution_id, verdict,
            source) VALUES (?, ?, ?, ?, ?, ?, 'imported')""",
        (
            (f"world:{one}", now, now, one, fix, verdict)
            for one, fix, verdict in rows
            if verdict != "unknown"
        ),
    )


def _placed(
    connection: sqlite3.Connection, issue: np.ndarray, ids: range, first_seen: set[int], now: str
) -> None:
    def places() -> Iterator[tuple[int, int, str, float, str]]:
        for one, place in zip(ids, (issue + 1).tolist(), strict=True):
            founder = place not in first_seen
            first_seen.add(place)
            kind, confidence = ("founder", 1.0) if founder else ("assigned", 0.9)
            yield one, place, kind, confidence, kind

    rows = list(places())
    connection.executemany(
        "INSERT INTO memberships (case_id, issue_id, kind, confidence, method)"
        " VALUES (?, ?, ?, ?, ?)",
        rows,
    )
    connection.executemany(
        "INSERT INTO membership_log (case_id, issue_id, kind, confidence, method, why, at)"
        " VALUES (?, ?, ?, ?, ?, 'made', ?)",
        ((*row, now) for row in rows),
    )


def _checkpoint(kb: KnowledgeBase) -> None:
    kb.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
