"""Eight processes on one knowledge base for two minutes: `python -m benchmarks.concurrency`.

Import, feedback (twice), search (three times), `learn`/`learn --checks` in turn and `reindex` at
once, each step opened anew as a command does, with the real encoder on 3,000 made-up cases.
Import, `learn` and `reindex` give way to others as their commands do (`KBAGENT_PRIORITY=normal` in
the environment: they do not).
Afterwards everything that was acknowledged must be there once, and `doctor` must find no damage.

How long a search takes (in the process, from opening the knowledge base to the answer logged) is
measured three times: *alone*; *beside others' work*, three searching processes beside five that
keep the cores as busy (as many of them giving way as below) and never touch the knowledge base;
and *under load*. Eight busy processes on two cores make each other slow whatever they do; what the
knowledge base itself adds, by locks and by rows to scan, is the last one against the middle one.
Both ratios are printed; what was asked for is ≤ 3 × alone.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kbagent.store import spool
from kbagent.store.encoder.session import load_encoder
from kbagent.store.knowledge_base import create_knowledge_base, open_knowledge_base
from kbagent.store.readers import open_export
from kbagent.usecases.maintain.diagnosis import diagnose
from kbagent.usecases.retain.importing import ImportOptions, import_cases
from kbagent.usecases.retrieve.search import search  # noqa: F401 -- loaded before the fork
from tests.fakes.bases import write_rows
from tests.faults import together
from tests.faults.together import Told, run_together

RESULTS = Path(__file__).parents[1] / "results"
CASES = 3_000
TARGET = 3.0
LOAD = [
    together.import_cases_,
    together.give_feedback,
    together.give_feedback,
    together.learn_,
    together.reindex,
]
BURNING = [together.burn_behind if one in together.BULK else together.burn for one in LOAD]
ASKING = [together.ask] * 3


def prepare(folder: Path) -> None:
    """A knowledge base of made-up cases."""
    path = write_rows(folder.with_name("first.jsonl"), CASES)
    with create_knowledge_base(folder) as kb:
        export = open_export([path], format="kbagent")
        options = ImportOptions((str(path),), None)
        import_cases(kb, load_encoder(), export, options, lambda _counts: None)


def course(template: Path, acts: Sequence[together.Act], seconds: float) -> list[Told]:
    """One phase on a copy of its own."""
    folder = template.with_name("kb")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    return run_together(folder, acts, seconds, load_encoder)


def times(told: Sequence[Told]) -> np.ndarray:
    """Seconds of every search."""
    return np.array([each for one in told for each in one.seconds])


def judged(folder: Path, told: Sequence[Told]) -> dict[str, object]:
    """What was lost, what was met, what doctor says."""
    done = [line for one in told for line in one.done]
    with open_knowledge_base(folder) as kb:
        spool.absorb(kb.database, kb.folder)
        lost = together.lost(kb.connection, told)
        explicit = "SELECT count(*) FROM outcomes WHERE source = 'explicit'"
        outcomes = kb.connection.execute(explicit).fetchone()[0]
        health = diagnose(kb, load_encoder)
    told_outcomes = sum(line.startswith("outcome:") for line in done)
    return {
        "acknowledged": len(done),
        "outcomes acknowledged": told_outcomes,
        "outcomes stored": outcomes,
        "lost or twice": len(lost) + abs(outcomes - told_outcomes),
        "errors": [one.failed for one in told if one.failed],
        "exit 5": sum(one.locked for one in told),
        "waits told": sum(one.waits for one in told),
        "damage": [str(one) for one in health.checked if one.finding.state == "damaged"],
    }


def report(rows: dict[str, np.ndarray], facts: dict[str, object], told: Sequence[Told]) -> str:
    """The tables as Markdown."""
    alone, beside, under = (np.percentile(each, 95) for each in rows.values())
    lines = [
        "# Concurrency: eight processes on one knowledge base",
        "",
        f"{CASES:,} cases at the start, {facts['seconds']:.0f} s, {os.cpu_count()} cores,"
        f" load average before {facts['load']:.1f} (of other work on the machine). Made by"
        " `python -m benchmarks.concurrency`; see its head for what is measured.",
        "",
        "| searches | number | p50, ms | p95, ms | p99, ms | worst, ms |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, seconds in rows.items():
        cells = [1000 * np.percentile(seconds, one) for one in (50, 95, 99, 100)]
        figures = " | ".join(f"{cell:,.0f}" for cell in cells)
        lines.append(f"| {name} | {len(seconds):,} | {figures} |")
    lines += [
        "",
        f"p95 under load is {under / beside:.2f} × that beside the same number of processes that"
        f" do not touch the knowledge base (to reach: ≤ {TARGET:.0f}), and {under / alone:.1f} ×"
        " that alone, which is what two cores shared by eight leave.",
        "",
        "| process | steps | acknowledged | told to wait | exit 5 |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {one.act} | {one.steps:,} | {len(one.done):,} | {one.waits} | {one.locked} |"
        for one in told
    ]
    lines += [
        "",
        f"Acknowledged: {facts['acknowledged']:,}, of them {facts['outcomes acknowledged']:,}"
        f" outcomes; lost or there twice: {facts['lost or twice']}. Errors:"
        f" {len(facts['errors'])}. What doctor finds damaged afterwards:"  # type: ignore[arg-type]
        f" {len(facts['damage'])}.",  # type: ignore[arg-type]
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, judge, write the table."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--quick", action="store_true", help="fifteen seconds under load")
    reader.add_argument("--data", help="not needed: the cases are made here")
    options = reader.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    seconds = 15.0 if options.quick else 120.0
    scratch = Path(tempfile.mkdtemp(prefix="kbagent-together-"))
    load = os.getloadavg()[0]
    try:
        prepare(scratch / "template")
        phases = {
            "alone": [together.ask],
            "beside others' work": ASKING + BURNING,
            "under load": ASKING + LOAD,
        }
        rows = {}
        told: list[Told] = []
        for name, acts in phases.items():
            lasting = seconds if name == "under load" else seconds / 4
            told = course(scratch / "template", acts, lasting)
            rows[name] = times(told)
            print(name, len(rows[name]), time.strftime("%X"), flush=True)
        facts = judged(scratch / "kb", told) | {"seconds": seconds, "load": load}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    text = report(rows, facts, told)
    print(text, *facts["errors"], *facts["damage"], sep="\n")  # type: ignore[misc]
    name = "concurrency-quick" if options.quick else "concurrency"
    percentiles = {
        phase: {f"p{one}": float(np.percentile(each, one)) for one in (50, 95, 99)}
        for phase, each in rows.items()
    }
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    content = json.dumps({"searches": percentiles, **facts}, indent=1)
    (RESULTS / f"{name}.json").write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
