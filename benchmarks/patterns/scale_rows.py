"""A million cases with thirty facets, through the commands: minutes and gigabytes."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.learning.table import Row
from benchmarks.patterns.largedesk import FACETS, PLANTED, RISEN, fill

SEED = 1


@dataclass(frozen=True)
class Ran:
    """One run of a command: seconds by the clock and of the processor, gigabytes, its answer."""

    seconds: float
    busy: float
    gigabytes: float
    answer: dict[str, Any]

    def __str__(self) -> str:
        return (
            f"{self.seconds / 60:.1f} minutes by the clock, {self.busy / 60:.1f} of processor time,"
            f" {self.gigabytes:.1f} GB"
        )


def scale_rows(n: int) -> list[Row]:
    """A knowledge base of `n` cases is made, asked, and deleted again."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        kb = Path(folder) / "kb"
        started = time.perf_counter()
        fill(kb, n, SEED)
        made = time.perf_counter() - started
        size = sum(f.stat().st_size for f in kb.rglob("*") if f.is_file()) / 1e9
        print(f"{n:,} cases in {made:.0f} s, {size:.1f} GB", file=sys.stderr)
        rising, patterns = _ran(kb, "emerging"), _ran(kb, "patterns")
    what = f"scale, {n:,} cases × {FACETS} facets, a database of {size:.1f} GB"
    return [_patterns_row(what, patterns), _emerging_row(what, rising)]


def _ran(kb: Path, *words: str) -> Ran:
    """The command in a process of its own, so that the peak of memory is this one's."""
    command = [sys.executable, "-m", "kbagent", *words, "--format", "json", "--kb", str(kb)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    answer = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    assert status == 0, f"{words} failed"
    print(f"{' '.join(words)}: {seconds:.0f} s", file=sys.stderr)
    return Ran(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6, json.loads(answer))


def _patterns_row(what: str, ran: Ran) -> Row:
    told = {(one["antecedent"], one["consequent"]) for one in ran.answer["patterns"]}
    hit = (f"“{PLANTED}”", "escalated") in told
    return Row(
        f"{what}: patterns",
        f"`kbagent patterns`, {ran.answer['tested']:,} pairs tested, {len(told)} told",
        "≤ 10 minutes, ≤ 4 GB, planted one found",
        f"{ran}, {'found' if hit else 'missed'}",
        ran.seconds <= 600 and ran.gigabytes <= 4 and hit,
    )


def _emerging_row(what: str, ran: Ran) -> Row:
    told = [one["issue"] for one in ran.answer["rising"] if one["issue"]]
    hit = f"i{RISEN + 1}" in told
    return Row(
        f"{what}: emerging",
        f"`kbagent emerging`, {len(told)} issues told",
        "≤ 1 minute, planted rise found",
        f"{ran.seconds:.0f} seconds by the clock, {ran.busy:.0f} of processor time,"
        f" {ran.gigabytes:.1f} GB, {'found' if hit else 'missed'}",
        ran.seconds <= 60 and hit,
    )
