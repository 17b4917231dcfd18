"""Two reports side by side, in the terminal and for scripts."""

from dataclasses import asdict
from typing import Any

from kbagent.cli.output import one_line, to_csv, to_markdown
from kbagent.cli.page import Group, Padding, RenderableType, Text
from kbagent.cli.screens import figures
from kbagent.cli.screens.reports import report_json
from kbagent.usecases.report.comparison import Comparison, Row, Side, Unit

HEADER = ("measure", "one", "one n", "other", "other n", "difference", "low", "high")
RESERVATION = (
    "The cases are others on either side: a difference may be one of the cases. How far it is, the"
    " line without feedback shows. Intervals are of 95 %;"
    " differences of shares are in points."
)


def format_comparison(found: Comparison) -> RenderableType:
    """The screen: a line for each measure."""
    names = [one_line(side.name, 34) for side in (found.one, found.other)]
    lines: list[RenderableType] = [
        Text(f"{names[0]}  against  {names[1]}", "bold"),
        Text(""),
        Text(f"  {'':<27}{'one':>10}{'other':>10}   difference (95 %)", "dim"),
    ]
    lines += [_line(row) for row in found.rows]
    lines += [Text(""), Padding(Text(remark(found), "dim"), (0, 0, 0, 2))]
    return Group(*lines)


def remark(found: Comparison) -> str:
    """What to bear in mind of these two."""
    empty = [side.name for side in (found.one, found.other) if not side.cases]
    if empty:
        there = found.one.there
        none = "” nor in “".join(empty)
        why = f"The dated cases are of {figures.period(there.first, there.last)}."
        why = why if there.dated else figures.nothing_there(there)
        return f"Nothing can be compared: there is no case in “{none}”. {why}"
    shared = f" {found.shared:,} cases are on both sides." if found.shared else ""
    return RESERVATION + shared


def comparison_json(found: Comparison) -> dict[str, Any]:
    """Both reports and the rows."""
    return {
        "one": report_json(found.one),
        "other": report_json(found.other),
        "shared": found.shared,
        "rows": [asdict(row) for row in found.rows],
        "remark": remark(found),
    }


def comparison_csv(found: Comparison) -> str:
    """A line for each measure, as plain numbers."""
    return to_csv(HEADER, [_cells(row) for row in found.rows])


def comparison_markdown(found: Comparison) -> str:
    """A table, with the names of the sides in its header."""
    header = ("measure", found.one.name, found.other.name, "difference (95 %)")
    rows = [[row.name, told(row, row.one), told(row, row.other), gap(row)] for row in found.rows]
    safe = tuple(one_line(name).replace("|", "\\|").replace("<", "&lt;") for name in header)
    said = remark(found).replace("&", "&amp;").replace("<", "&lt;")
    return f"{to_markdown(safe, rows)}\n{said}\n"


def told(row: Row, side: Side) -> str:
    """A value in its unit, with the cases it rests on."""
    if side.value is None:
        return "–"
    match row.unit:
        case Unit.COUNT:
            return f"{side.value:,.0f}"
        case Unit.MINUTES:
            return f"{side.value:,.0f} (n = {side.cases:,})"
        case Unit.SHARE:
            return f"{100 * side.value:.1f} % (n = {side.cases:,})"


def gap(row: Row) -> str:
    """The difference with its interval; a dash where there is none."""
    one = row.difference
    if one is None:
        return "–"
    if row.unit is Unit.MINUTES:
        return f"{one.estimate:+,.0f} ({one.low:+,.0f} to {one.high:+,.0f})"
    scaled = (100 * one.estimate, 100 * one.low, 100 * one.high)
    return "{:+.1f} points ({:+.1f} to {:+.1f})".format(*scaled)


def _line(row: Row) -> Text:
    values = [_short(row, side) for side in (row.one, row.other)]
    clear = row.difference is not None and not row.difference.low <= 0.0 <= row.difference.high
    style = "bold" if clear else ""
    told = gap(row).replace(" points", "")
    return Text(f"  {row.name:<27}{values[0]:>10}{values[1]:>10}   {told}", style)


def _short(row: Row, side: Side) -> str:
    if side.value is None:
        return "–"
    if row.unit is Unit.SHARE:
        return figures.percent(side.value)
    return f"{side.value:,.0f}"


def _cells(row: Row) -> list[object]:
    one = row.difference
    sides = [row.one.value, row.one.cases, row.other.value, row.other.cases]
    return [row.name, *sides, *((one.estimate, one.low, one.high) if one else (None,) * 3)]
