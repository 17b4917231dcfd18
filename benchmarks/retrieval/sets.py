"""The labelled sets as cases: ids, titles, bodies, issues."""

import csv
import gzip
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from defusedxml.ElementTree import fromstring
from numpy.typing import NDArray

Ints = NDArray[np.int64]
_QUESTION_LINK = re.compile(r"/questions/(\d+)")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Cases in a fixed order; `issues` has -1 where none is known, `related` other relevant rows.

    related   row → rows that answers point to (only where there are no issues)
    """

    name: str
    titles: tuple[str, ...]
    bodies: tuple[str, ...]
    issues: Ints
    related: tuple[tuple[int, tuple[int, ...]], ...] = ()

    def __len__(self) -> int:
        return len(self.titles)


def stackfaq(folder: Path) -> Corpus | None:
    """125 threads of paraphrased questions (Karan et al. 2018)."""
    path = folder / "stackfaq.xml.gz"
    if not path.exists():
        return None
    texts, issues = [], []
    for issue, thread in enumerate(fromstring(gzip.decompress(path.read_bytes())).iter("qapair")):
        for element in thread.findall("rephr") + thread.findall("question"):
            text = " ".join((element.text or "").split())
            if text and text != "*":
                texts.append(text)
                issues.append(issue)
    return Corpus("StackFAQ", tuple(texts), ("",) * len(texts), np.array(issues))


def banking(folder: Path, part: str) -> Corpus | None:
    """Questions to a bank with their intent (Casanueva et al. 2020); `part` is train or test."""
    path = folder / f"banking77-{part}.csv.gz"
    if not path.exists():
        return None
    with gzip.open(path) as file:
        rows = list(csv.DictReader(io.TextIOWrapper(file, "utf-8")))
    texts = tuple(row["text"] for row in rows)
    issues = codes([row["category"] for row in rows])
    return Corpus(f"banking77 {part}", texts, ("",) * len(texts), issues)


def thunderbird(folder: Path, newest: int | None) -> Corpus | None:
    """Forum questions; what an answer links to is a proxy of a duplicate."""
    path = folder / "thunderbird-support-2023-2025H1.jsonl.gz"
    if not path.exists():
        return None
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file][-(newest or 0) :]
    place = {row["id"]: number for number, row in enumerate(rows)}
    related = []
    for number, row in enumerate(rows):
        text = " ".join(answer["text"] for answer in row["answers"])
        linked = {place[i] for i in _QUESTION_LINK.findall(text) if i in place} - {number}
        if linked:
            related.append((number, tuple(sorted(linked))))
    titles = tuple(row["title"] or "" for row in rows)
    bodies = tuple(row["description"] or "" for row in rows)
    return Corpus(
        f"Thunderbird ({len(rows)})", titles, bodies, np.full(len(rows), -1), tuple(related)
    )


def generic(path: Path) -> Corpus:
    """Any set: JSON lines with title, body, issue (label or null); sorted by created_at."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    rows.sort(key=lambda row: (str(row.get("created_at") or ""), str(row.get("id"))))
    issues = codes([row.get("issue") for row in rows])
    titles = tuple(str(row.get("title") or "") for row in rows)
    bodies = tuple(str(row.get("body") or "") for row in rows)
    return Corpus(path.name, titles, bodies, issues)


def codes(labels: Sequence[object]) -> Ints:
    """Labels as numbers in sorted order; None is -1."""
    names = sorted({str(label) for label in labels if label is not None})
    number = {name: code for code, name in enumerate(names)}
    return np.array([-1 if label is None else number[str(label)] for label in labels])
