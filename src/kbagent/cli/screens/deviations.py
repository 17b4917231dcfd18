"""What the checks caught, and what they were worth, on the screen."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kbagent.cli.output import one_line
from kbagent.cli.page import Group, RenderableType, Text
from kbagent.cli.screens import figures
from kbagent.store.deviations import Deviation

if TYPE_CHECKING:
    from kbagent.core.verification.deviations import CheckStatistics


def format_deviations(found: Sequence[tuple[str, Deviation]], *, width: int = 80) -> RenderableType:
    """The newest deviations, two lines each."""
    if not found:
        return Text("No deviation yet.  next: kbagent solve TEXT", style="dim")
    lines: list[RenderableType] = []
    for handle, one in found:
        issue = f" i{one.issue_id}" if one.issue_id else ""
        head = f"{figures.day(one.at)}  {handle}  {one.step}: {one.name}{issue}"
        lines.append(Text(one_line(head, width), style="bold" if one.severity == "stop" else ""))
        corrected = ""
        if one.correction:
            corrected = f" → {one.correction}{'' if one.kept else ' did not help'}"
        lines.append(
            Text("    " + one_line(f"{one.expected}; saw {one.observed}{corrected}", width - 4))
        )
    return Group(*lines)


def format_statistics(found: Sequence["CheckStatistics"]) -> RenderableType:
    """One line for each check."""
    if not found:
        return Text("No run has an outcome yet.  next: kbagent worked RUN 1", style="dim")
    lines: list[RenderableType] = [
        Text(
            f"{'check':<17} {'runs':>5} {'alarms':>6} {'right':>5}  alarm right      needless",
            style="bold",
        )
    ]
    for one in found:
        low, high = one.interval
        share = "–" if math.isnan(one.precision) else figures.percent(one.precision)
        span = "" if not one.alarms else f" ({round(low * 100)} to {round(high * 100)})"
        counts = f"{one.check:<17} {one.seen:>5} {one.alarms:>6} {one.right:>5}"
        told = f"{counts}  {share + span:<16} {one.needless:>7}"
        style = "yellow" if one.in_the_way else ""
        lines.append(Text(told + ("  only gets in the way" if one.in_the_way else ""), style=style))
    return Group(*lines)


def format_explanation(
    check: str,
    meaning: str,
    found: Sequence["CheckStatistics"],
    latest: Sequence[tuple[str, Deviation]],
    *,
    width: int = 80,
) -> RenderableType:
    """What a check looks at, how it fared, what it caught last."""
    parts: list[RenderableType] = [Text(check, style="bold"), Text(f"  {meaning}")]
    if found:
        parts += [Text(""), format_statistics(found)]
    if latest:
        parts += [Text(""), format_deviations(latest, width=width)]
    return Group(*parts)


def statistics_json(one: "CheckStatistics") -> dict[str, Any]:
    """The figures of a check; null where a share has no basis."""
    return {
        "check": one.check,
        "runs": one.seen,
        "alarms": one.alarms,
        "right": one.right,
        "precision": None if math.isnan(one.precision) else one.precision,
        "interval": list(one.interval),
        "recall": None if math.isnan(one.recall) else one.recall,
        "needless": one.needless,
        "in_the_way": one.in_the_way,
    }
