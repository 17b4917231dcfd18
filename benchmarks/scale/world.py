"""A seeded world of cases: real sentences recombined into issues, with vectors that follow them.

Titles, sentences and fixes come from real exports. An issue is a title, two sentences and one to
four fixes; each of its cases tells them with sentences of others between. A case's vector is the
unit sum of its sentences' real vectors, three parts to one for what the issue itself says, with
noise: a stand-in for encoding a million texts, near enough that real queries find their issue.
Issue sizes follow Zipf's law; the first one has a twentieth of all cases, 5,000 at most.
"""

import compileall
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kbagent.model.case import CaseRecord
from kbagent.store.encoder.session import Encoder
from kbagent.store.readers import open_export

ROOT = Path(__file__).resolve().parents[2]
SENTENCES, TITLES, FIXES = 1500, 700, 1200
LARGEST = 5000  # cases of the largest issue
NOISE = 0.35  # length of the noise beside a unit vector
_SENTENCE = re.compile(r"[^.!?\n]{25,170}[.!?]")

Vectors = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Material:
    """Texts to recombine, and the vectors of those that cases are made of."""

    titles: tuple[str, ...]
    sentences: tuple[str, ...]
    fixes: tuple[str, ...]
    title_vectors: Vectors
    sentence_vectors: Vectors


@dataclass(frozen=True, slots=True)
class Issues:
    """What each issue says: row i for issue i. `of_case` gives the issue of each case."""

    title: Ints
    sentences: Ints
    fixes: Ints
    of_case: Ints


def compiled() -> None:
    """Compile the package as installing does: where bytecode is not written, each start would."""
    compileall.compile_dir(ROOT / "src", quiet=1)


def processor() -> str:
    """What decides how fast int8 products are: the widest instructions that this machine has."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text("utf-8").partition("flags")[2].split())
    except OSError:
        return "unknown"
    vnni = "VNNI" if flags & {"avx512_vnni", "avx_vnni"} else "no VNNI"
    return f"{'AVX-512' if 'avx512f' in flags else 'AVX2' if 'avx2' in flags else 'SSE'}, {vnni}"


def gathered(data: Path | None, encoder: Encoder) -> Material:
    """Material from the public data, else from the sample data."""
    titles: dict[str, None] = {}
    sentences: dict[str, None] = {}
    fixes: dict[str, None] = {}
    for record in _records(data):
        titles[" ".join(record.title.split())[:120].strip()] = None
        sentences.update(dict.fromkeys(" ".join(s.split()) for s in _SENTENCE.findall(record.body)))
        fixes.update(dict.fromkeys(one.text.strip()[:600] for one in record.attempts))
        if len(sentences) >= SENTENCES and len(titles) >= TITLES and len(fixes) >= FIXES:
            break
    some_titles = tuple(t for t in titles if len(t) > 8)[:TITLES]
    some_sentences = tuple(sentences)[:SENTENCES]
    return Material(
        some_titles,
        some_sentences,
        tuple(text for text in fixes if text)[:FIXES],
        encoder.encode(some_titles),
        encoder.encode(some_sentences),
    )


def issues_of(count: int, material: Material, rng: np.random.Generator) -> Issues:
    """Issues for so many cases; the issue of each case in random order."""
    largest = min(LARGEST, count // 20)
    sizes = [largest]
    while sum(sizes) < count:
        sizes.extend(np.minimum(rng.zipf(1.7, 4096), 400).tolist())
    number = int(np.searchsorted(np.cumsum(sizes), count)) + 1
    of_case = np.repeat(np.arange(number), sizes[:number])[:count]
    return Issues(
        title=rng.integers(len(material.titles), size=number),
        sentences=rng.integers(len(material.sentences), size=(number, 2)),
        fixes=rng.integers(len(material.fixes), size=(number, 4)),
        of_case=rng.permutation(of_case),
    )


def blocks(
    material: Material, issues: Issues, rng: np.random.Generator, size: int = 20_000
) -> Iterator[tuple[Ints, list[str], list[str], Vectors]]:
    """(issue of each case, titles, bodies, vectors) in blocks."""
    for start in range(0, len(issues.of_case), size):
        issue = issues.of_case[start : start + size]
        others = rng.integers(len(material.sentences), size=(len(issue), 2))
        core = issues.sentences[issue]
        vectors = 3.0 * material.title_vectors[issues.title[issue]]
        vectors += 3.0 * material.sentence_vectors[core].sum(axis=1)
        vectors += material.sentence_vectors[others].sum(axis=1)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        noise = rng.standard_normal(vectors.shape, dtype=np.float32)
        vectors += NOISE * noise / np.sqrt(np.float32(vectors.shape[1]))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        titles = [material.titles[one] for one in issues.title[issue]]
        told = np.stack([core[:, 0], others[:, 0], core[:, 1], others[:, 1]], axis=1)
        bodies = [" ".join(material.sentences[one] for one in row) for row in told.tolist()]
        yield issue, titles, bodies, vectors


def _records(data: Path | None) -> Iterator[CaseRecord]:
    if data is not None:
        [file] = data.glob("thunderbird-support-*.jsonl.gz")
        export = open_export([file], mapping=ROOT / "docs/mappings/thunderbird.toml")
        yield from (one for one in export if isinstance(one, CaseRecord))
        return
    folder = ROOT / "sample_data/exports"
    for files in (["zendesk_tickets.json", "zendesk_comments.jsonl"], ["tackle.jsonl"]):
        export = open_export([folder / name for name in files])
        yield from (one for one in export if isinstance(one, CaseRecord))
