"""The replay of routing as a table: each facet beside its most frequent value."""

import math
from typing import Any

from kbagent.cli.output import one_line
from kbagent.cli.page import Group, Padding, RenderableType, Text
from kbagent.cli.screens import figures
from kbagent.cli.screens.roles import columns_json, read_from
from kbagent.core.patterns.marking import Marks
from kbagent.usecases.evaluate.routing import Replayed, RoutingReplay

NO_BETTER = "no better than always naming the most frequent value: do not route by it"


def format_routing(found: RoutingReplay) -> RenderableType:
    """The screen."""
    if not found.cases:
        return Text("There are no cases to replay yet. Bring some in: kbagent import FILE")
    lines: list[RenderableType] = []
    for one in found.replayed:
        lines += [*_facet(one, found.confident_at), Text("")]
    for missing in found.missing:
        lines.append(Text(f"{one_line(missing.name, 30)}: not replayed; {missing.why}", "yellow"))
    if not found.replayed and any(one.name == "queue" for one in found.missing):
        lines.append(Text("Name the facet that holds the queue: --by-facet NAME", "dim"))
    return Group(*lines)


def routing_json(found: RoutingReplay) -> dict[str, Any]:
    """The same for a script."""
    return {
        "cases": found.cases,
        "confident_at": found.confident_at,
        "facets": [
            {
                "facet": one.name,
                "columns": columns_json(one.columns),
                "labels": one.labels,
                "learned_from": one.learned_from,
                "first": one.first,
                "last": one.last,
                "router": _marks(one.marks),
                "majority": _marks(one.majority),
            }
            for one in found.replayed
        ],
        "missing": [{"facet": one.name, "why": one.why} for one in found.missing],
    }


def _facet(one: Replayed, confident_at: float) -> list[RenderableType]:
    span = f"{figures.day(one.first)} to {figures.day(one.last)}"
    head = Text(one_line(one.name, 30), "bold")
    head.append(f": {one.labels} values, {figures.cases(one.marks.cases)} from {span},")
    head.append(f" learned from what lay before each (at first {one.learned_from:,})")
    accuracy = figures.percent(one.marks.accuracy)
    low, high = figures.percent(one.marks.low), figures.percent(one.marks.high)
    told = (
        f"right {accuracy} [{low}, {high}]; the most frequent value"
        f" {figures.percent(one.majority.accuracy)}"
    )
    f1 = f"macro-F1 {one.marks.macro_f1:.2f}; the most frequent value {one.majority.macro_f1:.2f}"
    answered = f"at {figures.percent(confident_at)} confidence or more it answers"
    right = one.marks.answered_right
    share = "" if math.isnan(right) else f", {figures.percent(right)} of them right"
    off = f"{100 * one.marks.calibration_error:.1f} points"
    return [
        head,
        *([_in(f"put together from {read_from(one.columns)}")] if len(one.columns) > 1 else []),
        _in(told),
        _in(f1),
        _in(f"{answered} {figures.percent(one.marks.answered)}{share}"),
        _in(f"its confidence is off by {off} on average (expected calibration error)"),
        *([_in(NO_BETTER)] if one.marks.accuracy <= one.majority.accuracy else []),
    ]


def _in(text: str) -> Padding:
    return Padding(Text(text), (0, 0, 0, 2))


def _marks(found: Marks) -> dict[str, Any]:
    right = found.answered_right
    return {
        "cases": found.cases,
        "accuracy": round(found.accuracy, 4),
        "low": round(found.low, 4),
        "high": round(found.high, 4),
        "macro_f1": round(found.macro_f1, 4),
        "calibration_error": round(found.calibration_error, 4),
        "answered": round(found.answered, 4),
        "answered_right": None if math.isnan(right) else round(right, 4),
    }
