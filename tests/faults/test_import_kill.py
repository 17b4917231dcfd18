"""`kill -9` in the middle of an import, at random moments: nothing reported done is lost.

After each kill a search answers, and the same command, run again to its end, leaves exactly the
cases, attempts, outcomes and vectors of an import that nobody disturbed. The real command runs in
a process of its own, with the real encoder on short texts. Fifty kills and a table of them:

    python -m tests.faults.test_import_kill --kills 50

The finer tool beside it is `python -m benchmarks.faults`, which kills every writing command at
chosen events; here the whole command is timed from outside, as `kill` and power cuts do.
"""

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CASES = 600
SEED = 20260301
FACTS = {
    "cases": "SELECT source, external_id, title, body, status, opened_at, csat, facets,"
    " hex(record_hash), withdrawn_at FROM cases",
    "attempts": "SELECT c.external_id, r.text, a.ordinal, a.verdict, a.at, a.by, a.retired_at"
    " FROM attempts a JOIN cases c ON c.id = a.case_id"
    " JOIN resolutions r ON r.id = a.resolution_id",
    "outcomes": "SELECT c.external_id, r.text, o.verdict, o.source, o.reason, o.csat, o.undoes"
    " FROM outcomes o JOIN cases c ON c.id = o.case_id"
    " JOIN resolutions r ON r.id = o.resolution_id",
    "vectors": "SELECT c.external_id, p.ordinal, hex(p.text_hash), p.retired, hex(p.vector)"
    " FROM passages p JOIN cases c ON c.id = p.case_id",
    "tallies": "SELECT r.text, t.tried, t.reward FROM tallies t"
    " JOIN resolutions r ON r.id = t.resolution_id",
    "links": "SELECT a.external_id, b.external_id, l.kind, l.undone_at FROM links l"
    " JOIN cases a ON a.id = l.case_id JOIN cases b ON b.id = l.other_id",
    "placed": "SELECT c.external_id FROM memberships m JOIN cases c ON c.id = m.case_id",
    "pending": "SELECT external_id, kind FROM pending_links",
}


@dataclass(frozen=True)
class Kill:
    """One import that was killed after `seconds`, and how much of it was stored by then."""

    seconds: float
    stored: int
    answered: bool


def write_cases(path: Path, count: int = CASES) -> Path:
    rng = random.Random(SEED)
    things = ["printer", "scanner", "mailbox", "invoice", "label", "login", "report", "backup"]
    troubles = ["hangs", "is lost", "prints blank", "is slow", "will not open", "shows an error"]
    fixes = ["restarted it", "cleared the cache", "updated it", "changed the port", "reset it"]
    with path.open("w") as file:
        for number in range(count):
            case = {
                "source": "desk",
                "external_id": str(number),
                "title": f"{rng.choice(things)} {number} {rng.choice(troubles)}",
                "body": "",
                "status": "resolved",
                "opened_at": f"2026-01-{1 + number % 28:02d}T10:00:00Z",
                "facets": {"version": f"{rng.randrange(3)}.{rng.randrange(9)}"},
                "attempts": [
                    {
                        "text": f"{rng.choice(fixes)} {number % 50}",
                        "verdict": rng.choice(["worked", "failed", ""]),
                    }
                    for _ in range(rng.randrange(3))
                ],
                "links": [{"kind": "duplicate", "external_id": str((number * 7) % count)}]
                if number % 20 == 0
                else [],
            }
            file.write(json.dumps(case) + "\n")
    return path


def command(kb: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "kbagent", *arguments, "--kb", str(kb)]


def run(kb: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command(kb, *arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment,
    )


def import_and_kill(kb: Path, export: Path, seconds: float) -> bool:
    """Start the import and kill it after so long; whether it was still running then."""
    process = subprocess.Popen(
        command(kb, "import", str(export)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    time.sleep(seconds)
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return running


def facts(kb: Path) -> dict[str, list[tuple[object, ...]]]:
    connection = sqlite3.connect(kb / "kb.db")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return {
            name: sorted(connection.execute(query).fetchall(), key=repr)
            for name, query in FACTS.items()
        }
    finally:
        connection.close()


def stored_cases(kb: Path) -> int:
    if not (kb / "kb.db").exists():
        return 0
    connection = sqlite3.connect(kb / "kb.db")
    try:
        return int(connection.execute("SELECT count(*) FROM cases").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # killed before the schema was there
    finally:
        connection.close()


def answers(kb: Path) -> bool:
    """Whether a search answers: with what is stored, or that there is nothing yet."""
    ran = run(kb, "search", "printer hangs", "-f", "json")
    assert "Traceback" not in ran.stderr, ran.stderr
    if stored_cases(kb) == 0:
        return ran.returncode in (2, 3)
    return ran.returncode in (0, 3) and bool(json.loads(ran.stdout)["issues"])


def kills(folder: Path, count: int, seed: int, longest: float, export: Path) -> Iterator[Kill]:
    """Kill imports until `count` of them were hit while running; then start over each time one
    was let through."""
    rng = random.Random(seed)
    done, round_ = 0, 0
    kb = folder / "kb0"
    while done < count:
        seconds = rng.uniform(0.0, longest)
        running = import_and_kill(kb, export, seconds)
        if running:
            done += 1
            yield Kill(seconds, stored_cases(kb), answers(kb))
        if not running or done % 4 == 0:
            check_end(kb, export, folder)
            round_ += 1
            kb = folder / f"kb{round_}"


def check_end(kb: Path, export: Path, folder: Path) -> None:
    ran = run(kb, "import", str(export))
    assert ran.returncode == 0, ran.stderr
    found, expected = facts(kb), facts(folder / "undisturbed")
    for name, rows in expected.items():
        assert found[name] == rows, f"{name} differ after the import went on"
    again = run(kb, "import", str(export), "--output", "json")
    assert json.loads(again.stdout)["unchanged"] == len(expected["cases"])


def prepare(folder: Path, count: int = CASES) -> tuple[Path, float]:
    """The export, and how long an undisturbed import of it takes."""
    export = write_cases(folder / "cases.jsonl", count)
    started = time.monotonic()
    ran = run(folder / "undisturbed", "import", str(export))
    assert ran.returncode == 0, ran.stderr
    return export, time.monotonic() - started


@pytest.mark.model
def test_an_import_killed_again_and_again_ends_as_an_undisturbed_one(tmp_path):
    export, took = prepare(tmp_path, 300)
    seen = list(kills(tmp_path, 4, SEED, took, export))
    assert [kill.answered for kill in seen] == [True] * 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kbagent-kill-") as name:
        folder = Path(name)
        export, took = prepare(folder)
        sys.stdout.write(f"{CASES} cases, undisturbed import {took:.1f} s, seed {options.seed}\n\n")
        sys.stdout.write("| kill | after s | cases stored | search answers |\n|---|---|---|---|\n")
        found = kills(folder, options.kills, options.seed, took, export)
        for number, kill in enumerate(found, start=1):
            answered = "yes" if kill.answered else "NO"
            sys.stdout.write(f"| {number} | {kill.seconds:.2f} | {kill.stored} | {answered} |\n")
            sys.stdout.flush()
        sys.stdout.write("\nEvery resumed import ended with the undisturbed one's content.\n")


if __name__ == "__main__":
    main()
