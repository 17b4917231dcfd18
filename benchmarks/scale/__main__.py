"""Time, memory and disk from ten thousand cases to a million, and exactness.

    python -m benchmarks.scale --data ../shared/data [--quick | --million] [--keep DIR]

Worlds of seeded, recombined real sentences (see `world`), by default of 10,000, 100,000 and 300,000
cases; --million makes the largest one of 1,000,000 (about ten minutes of filling), --quick stops
at 30,000. Every command runs in a process of its own, cold but for the page cache; its time and
peak resident memory (mapped pages of the index included; they are shared and reclaimable) are the
second of two runs. The exponent is the slope of log time over log cases between the smallest and
the largest world. Exactness: recall@10, and recall of all cases within 0.02 of the tenth, of the
dense index against an exact float32 scan, 200 case titles and sentences as queries, 95 % interval
by bootstrap over queries. Nothing is tuned here.
"""

import argparse
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

import kbagent
from benchmarks.scale.filling import HALF, RARE, fill
from benchmarks.scale.world import ROOT, Material, compiled, gathered, processor
from kbagent.model.policy import PolicyParameters
from kbagent.store import adapters, models, passages, policies
from kbagent.store.encoder.session import load_encoder
from kbagent.store.index.dense import DenseGeneration, open_generation
from kbagent.store.knowledge_base import open_knowledge_base

RESULTS = ROOT / "benchmarks/results"
SEED = 1
QUERY = "cannot connect to the mail server after the update"
NEAR = 0.02  # of cosine below the tenth: what counts as an instance that must not be lost

_RUN = """
import json, resource, subprocess, sys, time
started = time.perf_counter()
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
took = time.perf_counter() - started
print(json.dumps([took, used.ru_maxrss / 1024, done.returncode, done.stderr[-200:]]))
"""


_APART = """
import sys
from kbagent.cli import app
def told(code):
    kinds = dict(line.split(":") for line in open("/proc/self/status") if line.startswith("Rss"))
    print(" ".join(f"{name}={int(text.split()[0]) / 1024:.0f}" for name, text in kinds.items()),
          file=sys.stderr)
app._leave = told
app.main()
"""


def main() -> None:
    """Measure, print and keep."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--data", type=Path)
    reader.add_argument("--quick", action="store_true")
    reader.add_argument("--million", action="store_true")
    reader.add_argument("--keep", type=Path, help="keep the worlds here, and use those there are")
    options = reader.parse_args()
    if options.data is None or not list(options.data.glob("thunderbird-support-*.jsonl.gz")):
        print("public data absent: sample data instead", file=sys.stderr)
        options.data = None
    sizes = [10_000, 100_000, 1_000_000 if options.million else 300_000]
    if options.quick:
        sizes = [10_000, 30_000]
    more = 1_000 if options.quick else 10_000
    compiled()
    with _folder(options.keep) as folder:
        encoder = load_encoder()
        material = gathered(options.data, encoder)
        found = {}
        for size in sizes:
            found[size] = _world(folder / f"world{size}", size, material, more)
            print(json.dumps({str(size): found[size]}, indent=1), flush=True)
    _keep(found, options)


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="kbagent-scale-") as scratch:
        yield Path(scratch)


def _world(folder: Path, size: int, material: Material, more: int) -> dict[str, list[float]]:
    """(seconds, MB) of each operation; other figures as (value, 0)."""
    encoder = load_encoder()
    found: dict[str, list[float]] = {}
    if not (folder / "kb.db").exists():
        _, seconds = fill(folder, size, material, encoder, seed=SEED)
        found["fill: rows in bulk"] = [seconds["rows"], 0]
        found["fill: both indexes"] = [seconds["indexes"], 0]
    found["kB a case on disk"] = [_size(folder) / size / 1000, 0]
    largest = _largest_query(folder)
    found |= _commands(folder, largest)
    found |= _memory(folder)
    found |= _warm(folder, material)
    found |= _exactness(folder, material)
    found |= _adapter(folder)
    found |= _writes(folder, material, more)
    return found


def _commands(folder: Path, largest: str) -> dict[str, list[float]]:
    kb = ["--kb", str(folder)]
    commands = {
        "show (open)": ["show", "world:17", *kb],
        "search": ["search", QUERY, *kb],
        "search, facet of 1 %": ["search", QUERY, "-w", RARE, *kb],
        "search, facet of 50 %": ["search", QUERY, "-w", HALF, *kb],
        "search --all, the largest issue": ["search", largest, "--all", "-n", "1", *kb],
        "worked": ["worked", "r1", "--case", "world:17", *kb],
    }
    return {name: _measured(words, repeat=2) for name, words in commands.items()}


def _memory(folder: Path) -> dict[str, list[float]]:
    """What of a search's memory is its own, and what are mapped files: shared and reclaimable."""
    done = subprocess.run(
        [sys.executable, "-c", _APART, "search", QUERY, "--kb", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    kinds = dict(re.findall(r"(Rss\w+)=(\d+)", done.stderr.splitlines()[-1]))
    return {
        "search: own memory at its end": [math.inf, float(kinds["RssAnon"])],
        "search: mapped files at its end": [math.inf, float(kinds["RssFile"])],
    }


def _adapter(folder: Path) -> dict[str, list[float]]:
    """A policy with a learned matrix: the first search makes its index, the second has it."""
    rng = np.random.default_rng(SEED)
    with open_knowledge_base(folder) as kb, kb.database.write() as connection:
        model = models.active(connection)
        assert model is not None
        noise = rng.standard_normal((model.dimension, model.dimension)) / model.dimension
        turned, _ = np.linalg.qr(np.eye(model.dimension) + noise)
        adapters.add(connection, "scale", model.id, turned.astype(np.float32), kb.clock())
        parameters = replace(PolicyParameters(), adapter="scale")
        version = policies.add(connection, "scale", parameters, kb.clock())
    words = ["search", QUERY, "--policy", str(version), "--kb", str(folder)]
    found = {
        "apply an adapter (first search)": _measured(words),
        "search with the adapter": _measured(words),
    }
    shutil.rmtree(folder / "index/dense-scale", ignore_errors=True)
    return found


def _writes(folder: Path, material: Material, count: int) -> dict[str, list[float]]:
    kb = ["--kb", str(folder)]
    found = {"add one case": _measured(["add", "The world has one more problem now", *kb])}
    copy = folder.with_suffix(".backup")
    copy.unlink(missing_ok=True)
    found["backup"] = _measured(["backup", str(copy), *kb])
    copy.unlink(missing_ok=True)
    found["doctor"] = _measured(["doctor", *kb])
    found["reindex, nothing new"] = _measured(["reindex", *kb])
    file_of_more = folder.with_suffix(".jsonl")
    with file_of_more.open("w", encoding="utf-8") as file:
        for row in _more_rows(count, material):
            file.write(json.dumps(row) + "\n")
    found[f"import {count:,} more"] = _measured(["import", str(file_of_more), *kb])
    found["search after it"] = _measured(["search", QUERY, *kb])
    file_of_more.unlink()
    return found


def _more_rows(count: int, material: Material) -> Iterator[dict[str, object]]:
    rng = np.random.default_rng(SEED + 1)
    for number in range(count):
        told = rng.integers(len(material.sentences), size=3)
        yield {
            "id": f"more-{number}-{rng.integers(1 << 40)}",
            "title": material.titles[int(rng.integers(len(material.titles)))],
            "description": " ".join(material.sentences[int(one)] for one in told),
            "status": "open",
        }


def _warm(folder: Path, material: Material) -> dict[str, list[float]]:
    """p50 of queries in one process, and of its scan."""
    whole, scans = [], []
    with kbagent.open(folder) as base:
        base.search(QUERY, log=False)
        for query in material.titles[:60]:
            started = time.perf_counter()
            result = base.search(query, log=False)
            whole.append(time.perf_counter() - started)
            scans.append(dict(result.timings)["dense scan"])
    return {
        "warm query, p50": [statistics.median(whole), 0],
        "of it the dense scan, p50": [statistics.median(scans), 0],
    }


def _exactness(folder: Path, material: Material) -> dict[str, list[float]]:
    """Recall of the dense index and its exact rescoring, against an exact float32 scan."""
    rng = np.random.default_rng(SEED)
    picked = rng.choice(len(material.title_vectors), 100, replace=False)
    queries = np.concatenate([material.title_vectors[picked], material.sentence_vectors[:100]])
    with open_knowledge_base(folder) as kb:
        model = models.active(kb.connection)
        assert model is not None
        opened = open_generation(folder / "index/dense", model.fingerprint)
        assert isinstance(opened, DenseGeneration)
        ids, similarities = [], []
        for block_ids, matrix in passages.stream(kb.connection, model.id):
            ids.append(block_ids)
            similarities.append(queries @ matrix.T)
        all_ids = np.concatenate(ids)
        exact = np.concatenate(similarities, axis=1)
        wanted = 200
        got, _ = opened.search(queries, wanted + 50)
        ten, near = [], []
        for row in range(len(queries)):
            order = np.argsort(-exact[row], kind="stable")
            hits = set(got[row].tolist())
            values = {int(all_ids[p]): exact[row, p] for p in order[: 4 * wanted]}
            best = sorted((-values.get(one, -1.0), one) for one in hits)[:10]
            ten.append(len(set(all_ids[order[:10]].tolist()) & {one for _, one in best}) / 10)
            least = exact[row, order[9]] - NEAR
            close = [int(all_ids[p]) for p in order[:wanted] if exact[row, p] >= least]
            near.append(len(hits & set(close)) / len(close))
    return {
        "recall@10": [float(np.mean(ten)), _half_width(ten, rng)],
        f"recall of all within {NEAR} of the tenth, {wanted} at most": [
            float(np.mean(near)),
            _half_width(near, rng),
        ],
    }


def _half_width(values: Sequence[float], rng: np.random.Generator) -> float:
    means = rng.choice(np.array(values), (1000, len(values))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(high - low) / 2


def _largest_query(folder: Path) -> str:
    with open_knowledge_base(folder) as kb:
        row = kb.connection.execute(
            """SELECT title || ' ' || body FROM cases WHERE id = (SELECT min(case_id)
            FROM memberships WHERE issue_id = (SELECT issue_id FROM memberships
            GROUP BY issue_id ORDER BY count(*) DESC LIMIT 1))"""
        ).fetchone()
    return str(row[0])


def _measured(words: Sequence[str], repeat: int = 1) -> list[float]:
    """Seconds and peak MB of a command in its own process; the last of `repeat` runs."""
    for _ in range(repeat):
        done = subprocess.run(
            [sys.executable, "-c", _RUN, sys.executable, "-m", "kbagent", *words],
            capture_output=True,
            text=True,
            check=True,
        )
        took, peak, code, told = json.loads(done.stdout)
    if code not in (0, 3) and (words[0], code) != ("doctor", 6):  # it finds the stand-in vectors
        print(f"{words[0]} ended with {code}: {told}", file=sys.stderr)
        return [math.nan, math.nan]
    return [took, peak]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _keep(found: dict[int, dict[str, list[float]]], options: argparse.Namespace) -> None:
    sizes = sorted(found)
    header = " | ".join(f"{size:,} cases" for size in sizes)
    source = "Thunderbird questions" if options.data else "the sample data"
    lines = [
        "# Scale",
        "",
        f"`python -m benchmarks.scale`, {os.cpu_count()} cores ({processor()}), seed {SEED},"
        f" sentences of {source} recombined. Seconds (peak MB of the process). See"
        " `benchmarks/scale/__main__.py` for how it is measured; nothing is tuned here.",
        "",
        f"| what | {header} | exponent |",
        "|---|" + "---|" * (len(sizes) + 1),
    ]
    names = list(dict.fromkeys(name for size in sizes for name in found[size]))
    for name in names:
        cells = [_cell(name, found[size].get(name)) for size in sizes]
        lines.append(f"| {name} | {' | '.join(cells)} | {_exponent(name, found, sizes)} |")
    text = "\n".join(lines) + "\n"
    print(text)
    name = "scale-quick" if options.quick else "scale-million" if options.million else "scale"
    (RESULTS / f"{name}.md").write_text(text, "utf-8")
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def _cell(name: str, value: list[float] | None) -> str:
    if value is None or math.isnan(value[0]):
        return "–"
    first, second = value
    if name.startswith("recall"):
        return f"{first:.4f} ± {second:.4f}"
    if name.startswith("kB"):
        return f"{first:.2f} kB"
    if math.isinf(first):
        return f"{second:,.0f} MB"
    shown = f"{first * 1000:,.0f} ms" if first < 10 else f"{first:,.0f} s"
    return f"{shown} ({second:,.0f} MB)" if second else shown


def _exponent(name: str, found: dict[int, dict[str, list[float]]], sizes: Sequence[int]) -> str:
    low, high = found[sizes[0]].get(name), found[sizes[-1]].get(name)
    told = name.startswith(("recall", "search: "))
    if told or not low or not high or not low[0] > 0 or not high[0] > 0:
        return ""
    return f"{math.log(high[0] / low[0]) / math.log(sizes[-1] / sizes[0]):.2f}"


if __name__ == "__main__":
    main()
