"""Rows of the result table: what was to reach, what was measured, beside which baselines."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure; `met` is None for rows that are only there to compare with."""

    what: str
    policy: str
    target: str
    measured: str
    met: bool | None = None


def mean_interval(values: ArrayLike, digits: int = 3, scale: float = 1.0) -> str:
    """Mean over seeds with its 95 % normal interval, as text."""
    v = np.asarray(values, dtype=np.float64) * scale
    half = 1.96 * v.std(ddof=1) / len(v) ** 0.5 if len(v) > 1 else float("nan")
    return f"{v.mean():.{digits}f} [{v.mean() - half:.{digits}f}, {v.mean() + half:.{digits}f}]"


def as_markdown(title: str, rows: Sequence[Row], notes: Sequence[str]) -> str:
    lines = [f"# {title}", "", *notes, "", "| what | policy | to reach | measured | met |"]
    lines.append("|---|---|---|---|---|")
    for row in rows:
        met = {True: "yes", False: "**no**", None: ""}[row.met]
        lines.append(f"| {row.what} | {row.policy} | {row.target} | {row.measured} | {met} |")
    return "\n".join(lines) + "\n"


def write(path: Path, title: str, rows: Sequence[Row], notes: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".md").write_text(as_markdown(title, rows, notes), encoding="utf-8")
    content = {"title": title, "notes": list(notes), "rows": [asdict(row) for row in rows]}
    path.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
