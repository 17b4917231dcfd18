"""A million cases with thirty facets: minutes and gigabytes for patterns and for rises."""

import resource
import time

import numpy as np

from benchmarks.learning.table import Row
from benchmarks.patterns.worlds import large_table
from kbagent.core.patterns.bursts import bursts
from kbagent.core.patterns.discovery import discover
from kbagent.core.patterns.rises import behind, rises

DAYS, ISSUES = 1000, 5000


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def scale_rows(n: int) -> list[Row]:
    """Runs in a process of its own, so that the peak of memory is this row's."""
    rng = np.random.default_rng(1)
    table, consequents, (feature, consequent) = large_table(n, 30, rng)
    started = time.perf_counter()
    found = discover(table, consequents)
    seconds, peak = time.perf_counter() - started, _peak_gb()
    hit = any(p.antecedent == feature and p.consequent == consequent for p in found.patterns)
    what = f"scale, {n:,} cases × 30 facets"
    return [
        Row(
            f"{what}: patterns",
            f"{len(table.features):,} features, 5 consequents, {found.tested:,} pairs tested",
            "≤ 10 minutes, ≤ 4 GB, planted one found",
            f"{seconds / 60:.1f} minutes, {peak:.1f} GB, {'found' if hit else 'missed'}",
            seconds <= 600 and peak <= 4 and hit,
        ),
        _emerging_row(what, n, rng),
    ]


def _emerging_row(what: str, n: int, rng: np.random.Generator) -> Row:
    """5,000 issues and 1,000 words over 1,000 days; one issue triples at the end."""
    days = np.sort(rng.integers(0, DAYS, n))
    issue = (rng.pareto(1.2, n) * 20).astype(np.int64).clip(0, ISSUES - 1)
    issue[(days >= DAYS - 15) & (rng.random(n) < 0.01)] = 4321
    words = {f"w{j}": np.sort(rng.choice(n, n // (20 + j), replace=False)) for j in range(1000)}
    words = {w: rows.astype(np.int32) for w, rows in words.items()}
    table, _, _ = large_table(min(n, 100_000), 30, rng)
    started = time.perf_counter()
    counts = np.bincount(issue * DAYS + days, minlength=ISSUES * DAYS).reshape(ISSUES, DAYS)
    weekdays = np.arange(DAYS) % 7
    risen = [r for r in rises(counts, weekdays) if r.told >= DAYS - 28]
    bursts(words, days, weekdays)
    half = table.size // 2
    parts = np.arange(half, dtype=np.int32), np.arange(half, table.size, dtype=np.int32)
    for _ in risen[:20]:
        behind(*parts, table.features)
    seconds = time.perf_counter() - started
    hit = any(r.series == 4321 for r in risen)
    return Row(
        f"{what}: emerging",
        "5,000 issues and 1,000 words over 1,000 days",
        "≤ 1 minute, planted rise found",
        f"{seconds:.0f} seconds, {'found' if hit else 'missed'}",
        seconds <= 60 and hit,
    )
