"""Whether confidence means what it says: table, plot in the terminal, the same plot as SVG."""

import math
from typing import TYPE_CHECKING, Any

from kbagent.cli.page import Group, RenderableType, Text
from kbagent.cli.screens import figures

if TYPE_CHECKING:
    from kbagent.usecases.learn.checks import Learned
    from kbagent.usecases.learn.confidence import CalibrationReport

_CELLS = 30  # of a bar from 0 to 1
_SIDE = 320  # pixels of the plot


def format_calibration(found: "CalibrationReport") -> RenderableType:
    """The screen of `evaluate --calibration`."""
    if not found.judged_on:
        return Text("Too few cases to judge confidence by.  next: kbagent import", style="dim")
    lines: list[RenderableType] = [
        Text("Does confidence mean what it says?", style="bold"),
        Text(
            f"  learned on the {found.learned_on} earlier answers ({found.method}), judged on the"
            f" {found.judged_on} later ones"
        ),
        Text(
            f"  ECE {found.error:.3f} · Brier {found.brier:.3f} ·"
            f" right {figures.percent(found.accuracy)}"
        ),
        Text(""),
        Text("  said    came true  (| is what was said)", style="bold"),
    ]
    for row in found.table:
        bar = list(figures.bar(row.accuracy, _CELLS))
        bar[min(_CELLS - 1, round(row.confidence * _CELLS))] = "|"
        figure = f"  {row.confidence:5.0%}   {row.accuracy:5.0%}  {''.join(bar)}"
        lines.append(Text(f"{figure}  {row.count} answers"))
    lines += [Text(""), Text("  answered  wrong  at most  from confidence", style="bold")]
    lines += [
        Text(f"  {p.coverage:7.0%}  {p.error:6.1%}  {p.bound:6.1%}   {p.confidence:.2f}")
        for p in found.risk
    ]
    lines += [Text(""), Text(f"  answers from {found.threshold:.2f} on: {found.basis}")]
    return Group(*lines)


def calibration_json(found: "CalibrationReport") -> dict[str, Any]:
    """The figures for a script; null where there were none."""
    return {
        "learned_on": found.learned_on,
        "judged_on": found.judged_on,
        "independent": found.independent,
        "method": found.method,
        "ece": _number(found.error),
        "brier": _number(found.brier),
        "accuracy": _number(found.accuracy),
        "table": [
            {"said": b.confidence, "came_true": b.accuracy, "answers": b.count} for b in found.table
        ],
        "risk": [
            {"coverage": p.coverage, "error": p.error, "bound": p.bound, "from": p.confidence}
            for p in found.risk
        ],
        "threshold": found.threshold,
        "basis": found.basis,
    }


def calibration_svg(found: "CalibrationReport") -> str:
    """The reliability plot: said on the x axis, came true on the y axis."""

    def at(x: float, y: float) -> str:
        return f"{20 + x * _SIDE:.1f},{20 + (1 - y) * _SIDE:.1f}"

    points = [at(row.confidence, row.accuracy) for row in found.table]
    dots = "".join(
        f'<circle cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="4" fill="#06c"/>' for p in points
    )
    size = _SIDE + 40
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}">'
        f'<rect x="20" y="20" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#888"/>'
        f'<polyline points="{at(0, 0)} {at(1, 1)}" stroke="#888" stroke-dasharray="4"/>'
        f'<polyline points="{" ".join(points)}" fill="none" stroke="#06c"/>{dots}'
        f'<text x="20" y="14" font-size="12">came true, by confidence said '
        f"(ECE {found.error:.3f})</text></svg>\n"
    )


def format_checks_learned(found: "Learned") -> RenderableType:
    """The screen of `learn --checks`."""
    lines: list[RenderableType] = [
        Text(f"confidence: {found.confidence.basis}"),
        Text(f"checks: {found.runs} runs with an outcome"),
    ]
    for one in found.checks:
        moved = f"{one.current:.2f} → {one.proposed:.2f}" if one.adopted else f"{one.current:.2f}"
        lines.append(Text(f"  {one.check:<12} {moved}  {one.reason}"))
    lines += [
        Text(f"  {one.check} only gets in the way: {one.right} of {one.alarms} alarms were right")
        for one in found.statistics
        if one.in_the_way
    ]
    return Group(*lines)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
