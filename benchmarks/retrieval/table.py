"""Rows of the result, printed and kept as Markdown and JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.retrieval.measures import Interval


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: on which set, by which protocol, of which system, beside its target."""

    set: str
    protocol: str
    system: str
    measure: str
    value: Interval
    target: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the target is reached by the mean."""
        if self.target is None:
            return ""
        return "reached" if self.value.mean >= self.target else "**missed**"


def as_markdown(title: str, notes: Sequence[str], rows: Sequence[Row]) -> str:
    """The whole result as a page."""
    lines = [f"# {title}", "", *notes, ""]
    lines += ["| set | protocol | system | measure | value [95 %] | to reach | |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for row in rows:
        target = "" if row.target is None else f"≥ {row.target:g}"
        cells = (row.set, row.protocol, row.system, row.measure, str(row.value), target)
        lines.append(f"| {' | '.join(cells)} | {row.verdict} |")
    return "\n".join(lines) + "\n"


def write(folder: Path, name: str, title: str, notes: Sequence[str], rows: Sequence[Row]) -> None:
    """Write `name`.md and `name`.json into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(as_markdown(title, notes, rows), encoding="utf-8")
    content = {"title": title, "notes": list(notes), "rows": [asdict(row) for row in rows]}
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
