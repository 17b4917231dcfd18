"""Kill the process 500 times and count what is lost: `python -m benchmarks.faults [--quick]`.

For each deed a state is prepared once, and the undisturbed deed is run once. Then, again and
again, the deed is started on a fresh copy and killed by SIGKILL: half of the times after a random
share of the undisturbed time, half at a random one of its file-system events. After each kill the
invariants are checked (every acknowledged case and outcome there once, `doctor` finds no damage, a
search answers), then the same command is run again and must end as the undisturbed one did.
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.faults import killing
from tests.faults.deeds import DEEDS

RESULTS = Path(__file__).parents[1] / "results"
SHARES = {
    "import": 90,
    "feedback": 80,
    "reindex": 60,
    "model use": 50,
    "purge": 50,
    "restore": 60,
    "migration": 40,
    "learn": 50,
    "learn --checks": 40,
    "review apply": 50,
    "policy edit": 40,
    "case edit": 40,
}


def kill_often(deed: str, kills: int, folder: Path, seed: int) -> dict[str, object]:
    """The row of one deed."""
    rng = np.random.default_rng(seed)
    template = folder / "template"
    template.mkdir(parents=True)
    killing.prepare(template / "kb", deed)
    before = killing.contents(template / "kb")
    whole = killing.run_whole(deed, killing.copied(template, folder / "whole"))
    running = faults = different = 0
    notes: list[str] = []
    for number in range(kills):
        run = killing.copied(template, folder / "run")
        if number % 2:
            killed = killing.kill(deed, run, event=int(rng.integers(1, whole.events + 1)))
        else:
            killed = killing.kill(deed, run, after=float(rng.uniform(0, whole.seconds)))
        running += killed
        found = killing.faults_after_kill(deed, run, before)
        faults += bool(found)
        notes += found[:1]
        if deed != "feedback":
            different += killing.run_whole(deed, run).contents != whole.contents
    return {
        "deed": deed,
        "kills": kills,
        "killed while running": running,
        "events": whole.events,
        "invariants broken": faults,
        "ended otherwise": "–" if deed == "feedback" else different,
        "notes": sorted(set(notes))[:3],
    }


def table(rows: list[dict[str, object]], seconds: float, seed: int) -> str:
    """The rows as Markdown."""
    names = [name for name in rows[0] if name != "notes"]
    lines = [
        "# Faults: SIGKILL at random points",
        "",
        f"Seed {seed}, {sum(int(str(row['kills'])) for row in rows)} kills, {seconds:,.0f} s. Real"
        " SQLite, FAISS and tantivy, the tests' fake encoder; half of the kills by time, half",
        "at a file-system event. Made by `python -m benchmarks.faults`.",
        "",
        "| " + " | ".join(names) + " |",
        "|---|" + "---:|" * (len(names) - 1),
    ]
    lines += ["| " + " | ".join(str(row[name]) for name in names) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run every deed and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the kills")
    parser.add_argument("--data", help="not needed: the cases are made here")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", action="append", choices=[*DEEDS], help="this deed alone")
    options = parser.parse_args()
    started = time.monotonic()
    rows = []
    scratch = Path(tempfile.mkdtemp(prefix="kbagent-faults-"))
    try:
        for deed in options.only or DEEDS:
            kills = max(1, SHARES[deed] // 10) if options.quick else SHARES[deed]
            rows.append(kill_often(deed, kills, scratch / deed.replace(" ", "-"), options.seed))
            print(rows[-1], flush=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    name = "faults-quick" if options.quick or options.only else "faults"
    text = table(rows, time.monotonic() - started, options.seed)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    (RESULTS / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
