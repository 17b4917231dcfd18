"""Rows about ranking: every instance of an issue, identifiers, and each part against the whole."""

from collections.abc import Iterable, Sequence

import numpy as np

from benchmarks.retrieval.engine import SYSTEMS, Engine
from benchmarks.retrieval.measures import Interval, interval, recall_at
from benchmarks.retrieval.table import Row
from kbagent.core.text.tokens import identifiers
from kbagent.store.encoder.session import Encoder

PARTS = ("BM25", "dense", "RRF")
MOST_QUERIES = 3000
QUERY_SEED = 7

Query = tuple[int, set[int]]


def instance_rows(
    engine: Engine, queries: Sequence[Query], target: float | None = None
) -> Iterable[Row]:
    """R-precision and recall of each query's relevant cases, for every system."""
    measured: dict[str, list[list[float]]] = {system: [] for system in SYSTEMS}
    for row, relevant in queries:
        rankings = engine.search(engine.texts[row], engine.case_vectors[row], without=row)
        for system in SYSTEMS:
            ranking = rankings.of[system]
            depths = (len(relevant), 10, 100)
            measured[system].append([recall_at(ranking, relevant, depth) for depth in depths])
    protocol = f"{len(queries)} cases against the rest, nothing linked"
    values = {system: np.array(measured[system]) for system in SYSTEMS}
    for number, measure in enumerate(("R-precision", "recall@10", "recall@100")):
        for system in SYSTEMS:
            aim = target if (number, system) == (0, "kbagent") else None
            yield Row(
                engine.corpus.name,
                protocol,
                system,
                measure,
                interval(values[system][:, number]),
                aim,
            )
        yield from _against_parts(
            engine, protocol, measure, {s: v[:, number] for s, v in values.items()}
        )


def _against_parts(
    engine: Engine, protocol: str, measure: str, values: dict[str, np.ndarray]
) -> Iterable[Row]:
    """kbagent minus the better part, paired by query; not below when the interval reaches 0."""
    better = max(("BM25", "dense"), key=lambda part: values[part].mean())
    gain: Interval = interval(values["kbagent"] - values[better])
    word = "above" if gain.low > 0 else "significantly below" if gain.high < 0 else "not below"
    yield Row(engine.corpus.name, protocol, f"kbagent − {better} ({word})", measure, gain)


def labelled_queries(engine: Engine) -> list[Query]:
    """Every case whose issue has another instance, with the others."""
    issues = engine.corpus.issues
    queries = []
    for row in range(len(issues)):
        others = set(np.flatnonzero(issues == issues[row]).tolist()) - {row}
        if issues[row] >= 0 and others:
            queries.append((row, others))
    if len(queries) > MOST_QUERIES:
        rng = np.random.default_rng(QUERY_SEED)
        picked = sorted(rng.choice(len(queries), MOST_QUERIES, replace=False).tolist())
        queries = [queries[i] for i in picked]
    return queries


def linked_questions(engine: Engine) -> list[Query]:
    """Every question of which an answer points to another question, with those."""
    return [(row, set(others)) for row, others in engine.corpus.related]


def identifier_rows(engine: Engine, encoder: Encoder, count: int = 200) -> Iterable[Row]:
    """Queries that are nothing but an identifier of one case: is a case with it found first?"""
    holders: dict[str, set[int]] = {}
    for row, text in enumerate(engine.texts):
        for name in identifiers(text):
            holders.setdefault(name, set()).add(row)
    names = sorted(name for name in holders if identifiers(name) == [name])
    if not names:
        return
    rng = np.random.default_rng(QUERY_SEED)
    picked = [names[i] for i in rng.permutation(len(names))[:count]]
    vectors = encoder.encode(picked)
    first: dict[str, list[float]] = {system: [] for system in SYSTEMS}
    for name, vector in zip(picked, vectors, strict=True):
        rankings = engine.search(name, vector)
        for system in SYSTEMS:
            ranking = rankings.of[system]
            first[system].append(float(bool(ranking) and ranking[0] in holders[name]))
    alone = sum(len(holders[name]) == 1 for name in picked)
    protocol = f"{len(picked)} queries that are one identifier ({alone} in one case only)"
    for system in SYSTEMS:
        aim = 0.98 if system == "kbagent" else None
        yield Row(engine.corpus.name, protocol, system, "found first", interval(first[system]), aim)
