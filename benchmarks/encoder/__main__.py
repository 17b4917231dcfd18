"""Rate, quality and batch-invariance of the exported encoder, and the cost of a cold start.

    python -m benchmarks.encoder --data ../shared/data [--quick]

Rate: texts/s on Thunderbird questions (title and body; sample data without --data), the same
texts for every contestant in the same run, best of two passes each. Contestants: the export
(int8, one text per call, a thread per core), the same graph in padded batches, the graph in
float32, and sentence-transformers' own `encode`. Quality: nearest-neighbour accuracy, banking77
test against train, with a 95 % bootstrap interval over test questions. Nothing is tuned here.
"""

import argparse
import csv
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from benchmarks.scale.world import processor
from kbagent.store.encoder import cache, export
from kbagent.store.encoder.cache import ModelManifest
from kbagent.store.encoder.session import OnnxEncoder, load_encoder, open_export
from kbagent.store.encoder.weights import locate

SEED = 7
RESULTS = Path(__file__).parent.parent / "results"
BATCH = 32  # of the padded contestants; sentence-transformers' default
Encode = Callable[[Sequence[str]], np.ndarray]

PHASES = """
import time, sys
start = time.perf_counter()
def lap(name):
    global start
    now = time.perf_counter()
    print(f"{name}\\t{(now - start) * 1000:.1f}")
    start = now
import numpy; lap("import numpy")
import onnxruntime; lap("import onnxruntime")
import tokenizers; lap("import tokenizers")
from kbagent.store.encoder.session import load_encoder; lap("import our session")
encoder = load_encoder(); lap("open (checksum, tokeniser, graph)")
encoder.encode(["cannot connect to the mail server after the update"]); lap("first query")
encoder.encode(["printing hangs on the second page"]); lap("second query")
"""
PLAIN = """
import time; start = time.perf_counter()
from sentence_transformers import SentenceTransformer
model = SentenceTransformer({folder!r}, device="cpu")
model.encode("cannot connect to the mail server after the update", normalize_embeddings=True)
print((time.perf_counter() - start) * 1000)
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant's figures; `accuracy` is (mean, low, high), absent without data."""

    name: str
    texts_per_second: float
    tokens_per_second: float
    least_cosine: float
    invariant: bool
    accuracy: tuple[float, float, float] | None


def main() -> None:
    """Print the tables and write them to benchmarks/results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.encoder")
    parser.add_argument("--data", type=Path, help="folder with the public data sets")
    parser.add_argument("--quick", action="store_true", help="fewer texts")
    options = parser.parse_args()
    load = f"{os.getloadavg()[0]:.1f}"  # other work on the machine favours the fewest barriers
    texts, origin = rate_texts(options.data, 128 if options.quick else 640)
    labelled = banking(options.data, 400 if options.quick else None)
    encoder = load_encoder(notify=print)
    tokens = int(np.minimum(encoder.count_tokens(texts), encoder.max_tokens).sum())
    rows = list(measure(contestants(encoder), texts, tokens, labelled))
    phases = cold_start(5)
    what = f"{len(texts)} texts of {tokens / len(texts):.0f} tokens, {origin}; load average {load}"
    report(rows, phases, what)


def rate_texts(data: Path | None, count: int) -> tuple[list[str], str]:
    """Texts to time, and where they are from."""
    source = data / "thunderbird-support-2023-2025H1.jsonl.gz" if data else None
    if source and source.is_file():
        with gzip.open(source, "rt", encoding="utf-8") as lines:
            cases = [json.loads(line) for line in lines]
        step = len(cases) // count
        texts = [f"{case['title']}\n{case['description'] or ''}" for case in cases[::step]]
        return texts[:count], "Thunderbird questions"
    print("The public data are absent (--data): timing made-up texts instead.")
    rng = np.random.default_rng(SEED)
    words = " ".join(export.PROBES).split()
    return [" ".join(rng.choice(words, rng.integers(5, 150))) for _ in range(count)], "made up"


def banking(data: Path | None, limit: int | None) -> dict[str, tuple[list[str], list[str]]]:
    """banking77's texts and intents by part; empty when the data are absent."""
    if data is None or not (data / "banking77-train.csv.gz").is_file():
        print("banking77 is absent (--data): no quality.")
        return {}
    parts = {}
    for part in ("train", "test"):
        with gzip.open(data / f"banking77-{part}.csv.gz", "rt", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        chosen = rows if limit is None else rows[:: max(1, len(rows) // (limit * 4))]
        parts[part] = ([row["text"] for row in chosen], [row["category"] for row in chosen])
    return parts


def contestants(encoder: OnnxEncoder) -> Iterator[tuple[str, Encode]]:
    """Each way to encode; the first is the reference for the cosine."""
    yield "sentence-transformers encode", plain_encode()
    yield f"ONNX {encoder.manifest.precision}, one text per call (kbagent)", encoder.encode
    folder = cache.folder_of(encoder.name)
    yield f"ONNX {encoder.manifest.precision}, padded batches of {BATCH}", padded(folder)
    with tempfile.TemporaryDirectory() as made:
        yield "ONNX fp32, one text per call", float32(Path(made)).encode


def plain_encode() -> Encode:
    """What a script would do."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(locate().folder), device="cpu")

    def encode(texts: Sequence[str]) -> np.ndarray:
        return model.encode(
            list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
        )

    return encode


def padded(folder: Path) -> Encode:
    """The same graph, length-sorted batches, both cores within each call."""
    manifest = cache.read_manifest(folder)
    assert isinstance(manifest, ModelManifest)
    tokenizer = Tokenizer.from_file(str(folder / cache.TOKENIZER))
    tokenizer.enable_truncation(manifest.max_tokens)
    tokenizer.enable_padding()
    session = onnxruntime.InferenceSession(str(folder / cache.ONNX))
    kinds = {
        each.name: np.int32 if "32" in each.type else np.int64 for each in session.get_inputs()
    }
    columns = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}

    def encode(texts: Sequence[str]) -> np.ndarray:
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        vectors = np.empty((len(texts), manifest.dimension), dtype=np.float32)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            encodings = tokenizer.encode_batch([texts[place] for place in batch])
            feed = {
                name: np.array([getattr(each, columns[name]) for each in encodings], kind)
                for name, kind in kinds.items()
            }
            vectors[batch] = session.run(None, feed)[0]
        return vectors

    return encode


def float32(folder: Path) -> OnnxEncoder:
    """The export without quantisation, made by the product's own code."""
    kept = export._quantise
    export._quantise = lambda graph, target, _precision: kept(graph, target, "fp32")
    try:
        export.write_export(locate(), folder, lambda _message: None)
    finally:
        export._quantise = kept
    encoder = open_export(folder)
    assert isinstance(encoder, OnnxEncoder)
    return encoder


def measure(
    entered: Iterator[tuple[str, Encode]],
    texts: list[str],
    tokens: int,
    labelled: dict[str, tuple[list[str], list[str]]],
) -> Iterator[Row]:
    """One row for each contestant."""
    reference = None
    for name, encode in entered:
        encode(texts[:BATCH])
        seconds = min(timed(encode, texts) for _ in range(2))
        vectors = encode(texts)
        reference = vectors if reference is None else reference
        alone = np.concatenate([encode([text]) for text in texts[:BATCH]])
        row = Row(
            name,
            len(texts) / seconds,
            tokens / seconds,
            float((vectors * reference).sum(axis=1).min()),
            bool(np.array_equal(vectors[:BATCH], alone)),
            accuracy(encode, labelled),
        )
        print(row, flush=True)
        yield row


def timed(encode: Encode, texts: list[str]) -> float:
    """Seconds to encode all texts."""
    started = time.perf_counter()
    encode(texts)
    return time.perf_counter() - started


def accuracy(
    encode: Encode, labelled: dict[str, tuple[list[str], list[str]]]
) -> tuple[float, float, float] | None:
    """Share of test questions whose nearest training question has their intent, with interval."""
    if not labelled:
        return None
    (train, train_labels), (test, test_labels) = labelled["train"], labelled["test"]
    nearest = (encode(test) @ encode(train).T).argmax(axis=1)
    right = np.array(train_labels)[nearest] == np.array(test_labels)
    rng = np.random.default_rng(SEED)
    means = right[rng.integers(0, len(right), (2000, len(right)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(right.mean()), float(low), float(high)


def cold_start(runs: int) -> dict[str, float]:
    """Median milliseconds of each phase of a new process, and of the plain way as a whole."""
    found: dict[str, list[float]] = {}
    for _ in range(runs):
        for line in run_python(PHASES).splitlines():
            name, value = line.split("\t")
            found.setdefault(name, []).append(float(value))
    plain = [float(run_python(PLAIN.format(folder=str(locate().folder)))) for _ in range(2)]
    medians = {name: statistics.median(values) for name, values in found.items()}
    ours = sum(value for name, value in medians.items() if name != "second query")
    return medians | {"all of it": ours, "sentence-transformers, all of it": min(plain)}


def run_python(program: str) -> str:
    """The program's standard output."""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout


def report(rows: list[Row], phases: dict[str, float], what: str) -> None:
    """Print the tables and keep them."""
    lines = [
        "# Encoder",
        "",
        f"{what}; {os.cpu_count()} cores ({processor()}); best of two passes; quality on banking77",
        f"(test against train, nearest neighbour, 95 % bootstrap interval, seed {SEED})."
        " Nothing was tuned here.",
        "",
        "| contestant | texts/s | tokens/s | × plain | least cosine | batch-invariant | accuracy |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ratio = row.texts_per_second / rows[0].texts_per_second
        right = "{:.3f} [{:.3f}, {:.3f}]".format(*row.accuracy) if row.accuracy else "–"
        lines.append(
            f"| {row.name} | {row.texts_per_second:.1f} | {row.tokens_per_second:,.0f} "
            f"| {ratio:.2f} | {row.least_cosine:.4f} | {'yes' if row.invariant else 'no'} "
            f"| {right} |"
        )
    lines += ["", "| cold start, phase | ms (median) |", "|---|---|"]
    lines += [f"| {name} | {value:.0f} |" for name, value in phases.items()]
    text = "\n".join(lines) + "\n"
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "encoder.md").write_text(text, "utf-8")
    figures = {
        "what": what,
        "rows": [{name: getattr(row, name) for name in Row.__slots__} for row in rows],
        "cold_start_ms": phases,
    }
    (RESULTS / "encoder.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
