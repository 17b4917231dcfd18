"""`python -m benchmarks.ledger`: what feedback costs when a million outcomes are stored.

Fills a knowledge base with outcomes (20,000 cases in 4,000 issues, one of them with a fortieth of
all outcomes), then times `kbagent --help` and `kbagent worked` in turn, each as a process of its
own, and compares medians. Needs no data and no model. `--quick` stores a tenth.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from kbagent.store.knowledge_base import KnowledgeBase, create_knowledge_base
from kbagent.store.moments import to_text

RESULTS = Path(__file__).parent.parent / "results"
CASES, ISSUES, APPROACHES = 20_000, 4_000, 12_000
LARGE = 40  # one issue has a fortieth of all outcomes
TARGET = 2.0  # times `kbagent --help` (issue 4)
SEED = 11
START = datetime(2020, 1, 1, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the outcomes")
    parser.add_argument("--data", type=Path, help="not needed; accepted like everywhere")
    parser.add_argument("--runs", type=int, default=21, help="of each command")
    arguments = parser.parse_args()
    count = 100_000 if arguments.quick else 1_000_000
    with tempfile.TemporaryDirectory(prefix="kbagent-benchmark-") as scratch:
        folder = Path(scratch) / "kb"
        seconds = fill(folder, count)
        rows = measure(folder, arguments.runs)
    table = as_table(rows, count, arguments.runs, seconds)
    print(table)
    if not arguments.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "ledger.md").write_text(table, encoding="utf-8")
        (RESULTS / "ledger.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def fill(folder: Path, count: int) -> float:
    """Store that many outcomes; the seconds it took."""
    started = time.monotonic()
    rng = np.random.default_rng(SEED)
    with create_knowledge_base(folder) as kb:
        with kb.database.write():
            _cases(kb)
            _outcomes(kb, count, rng)
        kb.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return time.monotonic() - started


def _cases(kb: KnowledgeBase) -> None:
    now = to_text(START)
    kb.connection.executemany(
        "INSERT INTO issues (id, recorded_at) VALUES (?, ?)",
        [(number + 1, now) for number in range(ISSUES)],
    )
    kb.connection.executemany(
        "INSERT INTO cases (id, source, external_id, title, body, status, facets, record_hash,"
        " recorded_at, updated_at) VALUES (?, 'made', ?, ?, '', 'resolved', '[]', x'00', ?, ?)",
        [(n + 1, str(n), f"case {n}", now, now) for n in range(CASES)],
    )
    kb.connection.executemany(
        "INSERT INTO memberships (case_id, issue_id, kind, confidence, method)"
        " VALUES (?, ?, 'linked', 1, 'made')",
        [(n + 1, n % ISSUES + 1) for n in range(CASES)],
    )
    kb.connection.executemany(
        "INSERT INTO resolutions (id, text, text_hash, canonical_id, recorded_at)"
        " VALUES (?, ?, ?, ?, ?)",
        [(n + 1, f"way {n}", n.to_bytes(16, "big"), n + 1, now) for n in range(APPROACHES)],
    )
    kb.connection.executemany(
        "INSERT INTO attempts (case_id, resolution_id, ordinal, verdict, recorded_at)"
        " VALUES (?, ?, 0, 'worked', ?)",
        [(n + 1, n % ISSUES * 3 + 1, now) for n in range(CASES)],
    )


def _outcomes(kb: KnowledgeBase, count: int, rng: np.random.Generator) -> None:
    """Each issue has three approaches; the first issue has `count / LARGE` outcomes."""
    case = rng.integers(1, CASES, count)
    case[: count // LARGE] = 0
    approach = case % ISSUES * 3 + rng.integers(0, 3, count) + 1
    worked = rng.random(count) < 0.7
    for begin in range(0, count, 50_000):
        rows = []
        for number in range(begin, min(begin + 50_000, count)):
            moment = to_text(START + timedelta(minutes=number))
            verdict = "worked" if worked[number] else "failed"
            where = (int(case[number]) + 1, int(approach[number]))
            rows.append((f"made:{number}", moment, moment, *where, verdict))
        kb.connection.executemany(
            "INSERT INTO outcomes (uid, recorded_at, happened_at, case_id, resolution_id,"
            " verdict, source) VALUES (?, ?, ?, ?, ?, ?, 'explicit')",
            rows,
        )


def measure(folder: Path, runs: int) -> dict[str, dict[str, float]]:
    """Median and quartiles of each command in milliseconds, the commands in turn."""
    commands = {
        "kbagent --help": ["--help"],
        "kbagent worked": ["worked", "r4", "--kb", str(folder)],
        "kbagent worked, the largest issue": ["worked", "r1", "--kb", str(folder)],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for run in range(runs + 2):
        for name, words in commands.items():
            took = _timed(words)
            if run >= 2:  # the first two warm the file cache
                times[name].append(took)
    found = {}
    for name, values in times.items():
        low, middle, high = statistics.quantiles(values, n=4)
        found[name] = {"median": middle, "low": low, "high": high}
    return found


def _timed(words: list[str]) -> float:
    environment = {**os.environ, "NO_COLOR": "1"}
    command = [sys.executable, "-m", "kbagent", *words]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return 1000.0 * (time.perf_counter() - started)


def as_table(rows: dict[str, dict[str, float]], count: int, runs: int, seconds: float) -> str:
    base = rows["kbagent --help"]["median"]
    lines = [
        "# Feedback with many outcomes stored",
        "",
        f"{count:,} outcomes on {CASES:,} cases in {ISSUES:,} issues, the largest with"
        f" {count // LARGE:,}; stored in {seconds:.0f} s. Medians of {runs} runs in turn, with"
        f" quartiles. To reach: at most {TARGET:g} × `--help`.",
        "",
        "| command | ms | quartiles | × --help |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{name}` | {one['median']:.0f} | {one['low']:.0f} to {one['high']:.0f}"
        f" | {one['median'] / base:.2f} |"
        for name, one in rows.items()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
