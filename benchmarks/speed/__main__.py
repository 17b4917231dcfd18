"""Cold start, warm queries and import, each beside its floor or the plain way, in one run.

    python -m benchmarks.speed --data ../shared/data [--quick]

Cold: processes started in turn (A B C A B C …), medians; the page cache is warm. Floors: `python -c
'import typer'`, and a script that imports the engines, opens model and index, encodes one query
and searches (`floor`). The plain way: sentence-transformers and a flat FAISS index (`plainway`).
Warm: the queries are titles of cases, asked once unmeasured and once measured, and of other cases
never asked before. Import: `kbagent import` of N records, against sentence-transformers' `encode`
of the same texts. Without --data, the sample data. Nothing is tuned here.
"""

import argparse
import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import kbagent
from benchmarks.scale.filling import fill
from benchmarks.scale.world import ROOT, compiled, gathered, processor
from kbagent.api import OpenKnowledgeBase
from kbagent.store.encoder import cache
from kbagent.store.encoder.passages import passages
from kbagent.store.encoder.session import load_encoder
from kbagent.store.encoder.weights import canonical_name
from kbagent.store.knowledge_base import open_knowledge_base

RESULTS = ROOT / "benchmarks/results"
SEED = 11
QUERY = "cannot connect to the mail server after the update"
KBAGENT = [sys.executable, "-m", "kbagent"]
PLAIN = [sys.executable, "-m", "benchmarks.speed.plainway"]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: what, how much, and beside what with which target."""

    name: str
    value: str
    beside: str = ""
    target: str = ""
    met: bool | None = None


def main() -> None:
    """Measure, print and keep."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--data", type=Path)
    reader.add_argument("--quick", action="store_true")
    options = reader.parse_args()
    if options.data is None or not list(options.data.glob("thunderbird-support-*.jsonl.gz")):
        print("public data absent: sample data instead", file=sys.stderr)
        options.data = None
    rows: list[Row] = []
    compiled()
    with tempfile.TemporaryDirectory(prefix="kbagent-speed-") as scratch:
        folder = Path(scratch)
        encoder = load_encoder()
        material = gathered(options.data, encoder)
        for count in (1_000,) if options.quick else (1_000, 30_000):
            fill(folder / f"kb{count}", count, material, encoder, seed=SEED)
        largest = folder / f"kb{1_000 if options.quick else 30_000}"
        rounds = 5 if options.quick else 11
        rows += _small(largest, rounds)
        for count in (1_000,) if options.quick else (1_000, 30_000):
            rows += _cold(folder / f"kb{count}", count, rounds, folder)
        rows += _warm(largest, material.titles, 100 if options.quick else 300, folder)
        rows += _import(options.data, 300 if options.quick else 3_000, folder)
    _keep(rows, options)


def _small(kb: Path, rounds: int) -> list[Row]:
    """Commands without engines, beside `import typer`."""
    commands = {
        "`python -c 'import typer'`": [sys.executable, "-c", "import typer"],
        "`kbagent --help`": [*KBAGENT, "--help"],
        "`kbagent show`": [*KBAGENT, "show", "r1", "--kb", str(kb)],
        "`kbagent worked`": [*KBAGENT, "worked", "r1", "--case", "world:1", "--kb", str(kb)],
    }
    seconds = _in_turn(list(commands.values()), rounds)
    floor = seconds[0]
    rows = [Row("`python -c 'import typer'`", _ms(floor))]
    for name, took, most in zip(list(commands)[1:], seconds[1:], (2.5, 4.0, 4.0), strict=True):
        ratio = took / floor
        rows.append(Row(name, _ms(took), f"{ratio:.2f} x that", f"<= {most} x", ratio <= most))
    return rows


def _cold(kb: Path, count: int, rounds: int, scratch: Path) -> list[Row]:
    """A cold search beside its floor and the plain way."""
    model = str(cache.folder_of(canonical_name(None)))
    shards = [str(path) for path in sorted((kb / "index/dense").glob("*.faiss"))]
    floor = [sys.executable, str(ROOT / "benchmarks/speed/floor.py"), model, *shards, "--", QUERY]
    search = [*KBAGENT, "search", QUERY, "--kb", str(kb)]
    least, ours = _in_turn([floor, search], rounds)
    index = scratch / f"plain{count}.faiss"
    _flat(count, index)
    [plain] = _in_turn([[*PLAIN, "ask", str(index), QUERY]], 3)
    told = subprocess.run([*search, "--timings"], capture_output=True, text=True, check=False)
    phases = " ".join(told.stderr.split())
    return [
        Row(f"floor of a cold query, {count:,} cases", _ms(least)),
        Row(
            f"cold `kbagent search`, {count:,} cases",
            _ms(ours),
            f"{ours / least:.2f} x the floor",
            "<= 1.6 x",
            ours <= 1.6 * least,
        ),
        Row(
            f"plain way's cold query, {count:,} cases",
            _ms(plain),
            f"{plain / ours:.1f} x ours",
            ">= 8 x",
            plain >= 8 * ours,
        ),
        Row(f"phases, {count:,} cases", phases),
    ]


def _flat(count: int, path: Path) -> None:
    import faiss
    import numpy as np

    index = faiss.IndexFlatIP(384)
    index.add(np.random.default_rng(SEED).standard_normal((count, 384)).astype(np.float32))
    faiss.write_index(index, str(path))


def _warm(kb: Path, titles: Sequence[str], count: int, scratch: Path) -> list[Row]:
    """Queries a second from Python and through `--batch`."""
    asked = list(titles[:count])
    with kbagent.open(kb) as base:
        base.search("warm up", log=False)
        first = _each(base, asked)
        again = _each(base, asked)
    file = scratch / "queries.txt"
    file.write_text("\n".join(asked * 3) + "\n", "utf-8")
    started = time.perf_counter()
    done = subprocess.run(
        [*KBAGENT, "search", "--batch", str(file), "--kb", str(kb)],
        capture_output=True,
        text=True,
        check=True,
    )
    took = time.perf_counter() - started
    answered = len(done.stdout.splitlines())
    rows = []
    for name, times in (("never asked before", first), ("asked before", again)):
        rate = len(times) / sum(times)
        p50, p95 = statistics.median(times), sorted(times)[int(0.95 * len(times))]
        rows.append(
            Row(
                f"warm `kbagent.open(…).search`, {name}",
                f"{rate:,.0f} queries/s",
                f"p50 {p50 * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms",
                ">= 100/s",
                rate >= 100,
            )
        )
    rate = answered / took
    rows.append(
        Row(
            "`search --batch`, start-up and logging included",
            f"{rate:,.0f} queries/s",
            f"{answered:,} queries",
            ">= 100/s",
            rate >= 100,
        )
    )
    return rows


def _each(base: OpenKnowledgeBase, asked: Sequence[str]) -> list[float]:
    times = []
    for query in asked:
        started = time.perf_counter()
        base.search(query, log=False)
        times.append(time.perf_counter() - started)
    return times


def _import(data: Path | None, count: int, scratch: Path) -> list[Row]:
    """Records a second end to end, beside encoding alone by sentence-transformers."""
    file = scratch / "records.jsonl"
    texts = _records(data, count, file)
    mapping = ["--map", str(ROOT / "docs/mappings/thunderbird.toml")] if data else []
    command = [*KBAGENT, "import", str(file), *mapping, "--output", "json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    done = subprocess.run(
        [*command, "--kb", str(scratch / "imported")], capture_output=True, text=True, check=True
    )
    peak = max(before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    ours = json.loads(done.stdout)
    listed = scratch / "texts.json"
    listed.write_text(json.dumps(texts), "utf-8")
    plain = subprocess.run(
        [*PLAIN, "index", str(listed), str(scratch / "plain.faiss")],
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = json.loads(plain.stdout.splitlines()[-1])["in_all"]
    ratio = theirs / ours["seconds"]
    outside = 1.0 - ours["encoding_seconds"] / ours["seconds"]
    tokens = _tokens(scratch / "imported")
    size = sum(path.stat().st_size for path in (scratch / "imported").rglob("*") if path.is_file())
    return [
        Row(
            f"plain way: encode {len(texts):,} texts and index them",
            f"{len(texts) / theirs:,.0f} texts/s",
        ),
        Row(
            f"`kbagent import` of the same {ours['read']:,} records, end to end",
            f"{ours['read'] / ours['seconds']:,.0f} records/s",
            f"{ratio:.2f} x the plain way; {ours['encoded']:,} texts encoded",
            ">= 3 x",
            ratio >= 3,
        ),
        Row(
            "share of the import outside the encoder",
            f"{outside:.0%}",
            "reading, redacting, writing, placing, indexing not hidden behind encoding",
            "<= 15 %",
            outside <= 0.15,
        ),
        Row(
            "tokens encoded in it",
            f"{tokens / ours['encoding_seconds']:,.0f} tokens/s",
            f"{tokens:,} tokens of cases and resolutions, while the encoder was at work",
        ),
        Row(
            "on disk after it",
            f"{size / max(1, ours['new']) / 1000:.1f} kB a case",
            f"largest process {peak / 1024:,.0f} MB (the plain way's included)",
        ),
    ]


def _tokens(folder: Path) -> int:
    """The tokens of all distinct passages and resolutions of a knowledge base."""
    encoder = load_encoder()
    with open_knowledge_base(folder) as kb:
        pieces = {
            piece
            for title, body in kb.connection.execute("SELECT title, body FROM cases")
            for piece in passages(title, body, encoder)
        }
        pieces |= {text for (text,) in kb.connection.execute("SELECT text FROM resolutions")}
    counts = encoder.count_tokens(sorted(pieces))
    return int(counts.clip(max=encoder.max_tokens).sum())


def _records(data: Path | None, count: int, file: Path) -> list[str]:
    """The first records of the public data, or the sample data, as a file and as texts."""
    if data is None:
        lines = (ROOT / "sample_data/exports/tackle.jsonl").read_text("utf-8").splitlines()[:count]
    else:
        [source] = data.glob("thunderbird-support-*.jsonl.gz")
        with gzip.open(source, "rt", encoding="utf-8") as stream:
            lines = [line.rstrip("\n") for _, line in zip(range(count), stream, strict=False)]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    values = [json.loads(line) for line in lines]
    return [f"{one.get('title', '')}\n{one.get('description', '')}" for one in values]


def _in_turn(commands: Sequence[Sequence[str]], rounds: int) -> list[float]:
    """Median seconds of each command, all run in turn; one round first that does not count."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    seconds: list[list[float]] = [[] for _ in commands]
    for number in range(rounds + 1):
        for place, command in enumerate(commands):
            started = time.perf_counter()
            subprocess.run(command, capture_output=True, check=False, cwd=ROOT, env=environment)
            if number:
                seconds[place].append(time.perf_counter() - started)
    return [statistics.median(times) for times in seconds]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def _keep(rows: Sequence[Row], options: argparse.Namespace) -> None:
    """Print the table and write it with the conditions of the run."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    data = "Thunderbird questions" if options.data else "sample data"
    lines = [
        "# Speed",
        "",
        f"`python -m benchmarks.speed`, {os.cpu_count()} cores ({processor()}), load {load:.1f} at"
        f" the end, seed {SEED}, data: {data}. Nothing is tuned here. Cold figures are medians of"
        " processes run in turn.",
        "",
        "| what | measured | beside | target | met |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        met = "" if row.met is None else "yes" if row.met else "no"
        lines.append(f"| {row.name} | {row.value} | {row.beside} | {row.target} | {met} |")
    text = "\n".join(lines) + "\n"
    print(text)
    name = "speed-quick" if options.quick else "speed"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text, "utf-8")
    values = [
        {"what": r.name, "measured": r.value, "beside": r.beside, "target": r.target, "met": r.met}
        for r in rows
    ]
    (RESULTS / f"{name}.json").write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
