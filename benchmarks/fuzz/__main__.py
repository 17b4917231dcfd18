"""Fuzz every way in for a while: `python -m benchmarks.fuzz --minutes 45 [--quick] [--only NAME]`.

Each target of `tests/fuzz/targets.py` runs in a process of its own for its share of the time. With
atheris installed (it is no dependency of the project: `pip install atheris`) the fuzzing is guided
by the coverage of kbagent's own code; without, the seeds are mutated at random. An input that took
longer than `SLOW` seconds, more than `MEMORY` megabytes, or raised anything but our own errors is a
finding: it is kept in `--keep`, counted once by where it was raised, and the run goes on.
"""

import argparse
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "results"
SLOW = 10  # seconds for one input of a few kilobytes
MEMORY = 3000  # megabytes of the process
LONGEST = 8192  # bytes


class Watch:
    """Runs a target, keeps what it raises, counts."""

    def __init__(self, name: str, kept: Path) -> None:
        from tests.fuzz.targets import Ground

        self.ground = Ground(Path(tempfile.mkdtemp(prefix=f"kbagent-fuzz-{name}-")))
        self.target = getattr(self.ground, name)
        self.kept, self.name = kept, name
        self.cases, self.told = 0, 0.0
        self.findings: dict[str, str] = {}
        self.slowest = 0.0

    def __call__(self, data: bytes) -> None:
        started = time.monotonic()
        try:
            self.target(bytes(data))
        except Exception as error:  # noqa: BLE001 -- every error that is not ours is a finding
            self._keep(_where(error), bytes(data))
        took = time.monotonic() - started
        self.cases += 1
        self.slowest = max(self.slowest, took)
        if took > SLOW:
            self._keep(f"{took:.0f} seconds", bytes(data))
        if time.monotonic() - self.told > 1:
            self.tell()

    def tell(self) -> None:
        self.told = time.monotonic()
        content = {
            "cases": self.cases,
            "slowest": round(self.slowest, 2),
            "findings": self.findings,
        }
        (self.kept / f"{self.name}.json").write_text(json.dumps(content))

    def _keep(self, where: str, data: bytes) -> None:
        if where not in self.findings:
            path = self.kept / f"{self.name}-{len(self.findings)}.bin"
            path.write_bytes(data)
            self.findings[where] = path.name
            self.tell()


def _where(error: BaseException) -> str:
    """The error's type and the innermost of our own lines that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if "kbagent" in one.filename or "targets" in one.filename]
    place = ours[-1] if ours else frames[-1]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"


def fuzz_one(name: str, seconds: float, kept: Path, seed: int) -> None:
    """Within the child: atheris where it is, else random mutation."""
    if importlib.util.find_spec("atheris"):
        import atheris

        with atheris.instrument_imports(include=["kbagent"]):
            watch = Watch(name, kept)
        corpus = Path(tempfile.mkdtemp(prefix="kbagent-corpus-"))
        for number, data in enumerate(_seeds(name, watch)):
            (corpus / str(number)).write_bytes(data)
        flags = [f"-max_total_time={max(1, round(seconds))}", f"-rss_limit_mb={MEMORY}"]
        flags += [
            f"-max_len={LONGEST}",
            "-timeout=60",
            f"-seed={seed}",
            f"-artifact_prefix={kept}/",
        ]
        atheris.Setup([sys.argv[0], str(corpus), *flags, "-print_final_stats=0"], watch)
        atheris.Fuzz()
        return
    watch = Watch(name, kept)
    rng, until = random.Random(seed), time.monotonic() + seconds
    pool = _seeds(name, watch) or [b""]
    while time.monotonic() < until:
        watch(mutated(rng, pool))
    watch.tell()


def _seeds(name: str, watch: Watch) -> list[bytes]:
    from tests.fuzz.targets import seeds

    return seeds(name, watch.ground)


def mutated(rng: random.Random, pool: list[bytes]) -> bytes:
    """A seed with bytes changed, parts dropped, doubled or taken from another seed."""
    data = bytearray(rng.choice(pool))
    for _ in range(rng.randint(1, 6)):
        start = rng.randint(0, len(data))
        end = min(len(data), start + rng.randint(0, 40))
        match rng.randrange(5):
            case 0:
                del data[start:end]
            case 1:
                data[start:start] = data[start:end] * rng.randint(1, 4)
            case 2:
                data[start:end] = rng.randbytes(rng.randint(0, 6))
            case 3:
                other = rng.choice(pool)
                at = rng.randint(0, len(other))
                data[start:end] = other[at : at + 60]
            case _:
                data[start:start] = rng.choice([b'"', b"[", b"{", b"'", b"\n", b"\x00", b"\xff"])
    return bytes(data[:LONGEST])


def run(name: str, seconds: float, kept: Path, seed: int) -> dict[str, object]:
    """The row of one target."""
    command = [sys.executable, "-m", "benchmarks.fuzz", "--one", name, "--seconds", str(seconds)]
    started = time.monotonic()
    done = subprocess.run(
        [*command, "--keep", str(kept), "--seed", str(seed)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    path = kept / f"{name}.json"
    told = json.loads(path.read_text()) if path.exists() else {"cases": 0, "findings": {}}
    findings = dict(told["findings"])
    if done.returncode != 0:
        findings["the process ended: " + (done.stderr.strip().splitlines() or ["?"])[-1]] = ""
    return {
        "way in": name,
        "minutes": round((time.monotonic() - started) / 60, 1),
        "inputs": told["cases"],
        "slowest, s": told.get("slowest", ""),
        "findings": findings,
    }


def table(rows: list[dict[str, object]], engine: str, seed: int) -> str:
    """The rows as Markdown."""
    minutes = sum(float(str(row["minutes"])) for row in rows)
    inputs = sum(int(str(row["inputs"])) for row in rows)
    lines = [
        "# Fuzzing",
        "",
        f"{inputs:,} inputs in {minutes:.0f} minutes, {engine}, seed {seed}, inputs of at most"
        f" {LONGEST:,} bytes. Made by `python -m benchmarks.fuzz`.",
        "",
        "| way in | minutes | inputs | slowest, s | findings |",
        "|---|---:|---:|---:|---|",
    ]
    for row in rows:
        found = row["findings"]
        told = "; ".join(found) if isinstance(found, dict) and found else "none"
        lines.append(
            f"| {row['way in']} | {row['minutes']} | {row['inputs']:,} | {row['slowest, s']} |"
            f" {told} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Fuzz every target and write the table."""
    from tests.fuzz.targets import TARGETS

    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--minutes", type=float, default=45)
    reader.add_argument("--quick", action="store_true", help="two minutes in all")
    reader.add_argument("--data", help="not needed: the seeds are the sample data")
    reader.add_argument("--only", action="append", choices=TARGETS)
    reader.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "kbagent-fuzz")
    reader.add_argument("--seed", type=int, default=11)
    reader.add_argument("--one", help=argparse.SUPPRESS)
    reader.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    options = reader.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    if options.one:
        fuzz_one(options.one, options.seconds, options.keep, options.seed)
        return
    names = options.only or TARGETS
    share = (2 if options.quick else options.minutes) * 60 / len(names)
    rows = []
    for name in names:
        rows.append(run(name, share, options.keep, options.seed))
        print(rows[-1], flush=True)
    guided = importlib.util.find_spec("atheris") is not None
    engine = "atheris (coverage-guided)" if guided else "random mutation"
    text = table(rows, engine, options.seed)
    file = "fuzz-quick" if options.quick or options.only else "fuzz"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{file}.md").write_text(text, encoding="utf-8")
    (RESULTS / f"{file}.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
