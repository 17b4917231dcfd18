"""The charts of the report's page: inline SVG, drawn by shape as well as by colour.

Each has a title and a description for screen readers and stands above a table that holds the same
numbers. Texts are escaped; nothing is loaded from anywhere. A month of which nothing is known is a
gap in a line, never a zero.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from kbagent.cli.output import one_line
from kbagent.cli.plots import ceiling
from kbagent.cli.screens import figures
from kbagent.usecases.report.comparison import Row, Unit
from kbagent.usecases.report.curve import Month, Week

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _BOTTOM, _TOP = 640, 240, 80, 14, 34, 16
_LABELS = 44  # letters below the columns, at most
_EDGE = 50  # half the width of a name on a narrow screen
_ROW = 34  # height of a line of the chart of differences
_NAMES = 190  # width of its names


@dataclass(frozen=True, slots=True)
class Frame:
    """A chart's scale: `count` columns, values from 0 to `top`."""

    count: int
    top: float

    def x(self, place: int) -> float:
        """The middle of a column."""
        return _LEFT + (place + 0.5) * self.width

    def y(self, value: float) -> float:
        """The height of a value."""
        return _TOP + (1.0 - value / self.top) * (_HEIGHT - _TOP - _BOTTOM)

    @property
    def width(self) -> float:
        """The width of a column."""
        return (_WIDTH - _LEFT - _RIGHT) / max(self.count, 1)


def text_of(value: object, limit: int = 300) -> str:
    """Text that is only ever text: without what a terminal acts upon, and escaped."""
    return escape(one_line(str(value), limit)).replace(" %", "&nbsp;%")


def success_chart(months: Sequence[Month]) -> str:
    """Success at the first place by month, with feedback and without; empty where unknown."""
    ours = [one.success.at_1 if one.success else None for one in months]
    plain = [one.success.without_feedback if one.success else None for one in months]
    if not any(value is not None for value in ours):
        return ""
    frame = Frame(len(months), ceiling([*ours, *plain]))
    drawn = _line(frame, plain, "two", _square, months) + _line(frame, ours, "one", _dot, months)
    about = "The live policy and the order without feedback, on the same cases of each month."
    legend = (("one", "live policy"), ("two", "without feedback"))
    return _chart("success", "What worked stood first", about, legend, frame, drawn, months)


def answered_chart(months: Sequence[Month]) -> str:
    """The share of cases answered, and recall of earlier instances, by month."""
    asked = [one.success for one in months]
    answered = [s.answered / s.questions if s else None for s in asked]
    recall = [s.recall if s else None for s in asked]
    if not any(value is not None for value in answered):
        return ""
    frame = Frame(len(months), 1.0)
    drawn = _line(frame, recall, "two", _square, months)
    drawn += _line(frame, answered, "one", _dot, months)
    about = "Cases answered rather than abstained on, and earlier instances found, by month."
    legend = (("one", "answered"), ("two", "earlier instances found"))
    return _chart("answered", "Answered, and found", about, legend, frame, drawn, months)


def cases_chart(months: Sequence[Month]) -> str:
    """Cases by month: of known problems, and the first of their issue."""
    most = max((one.cases for one in months), default=0)
    if not most:
        return ""
    frame = Frame(len(months), float(most))
    drawn = _HATCH + "".join(_column(frame, i, one) for i, one in enumerate(months))
    about = "Cases by month; the hatched upper part are the first cases of new problems."
    legend = (("bar1", "known problems"), ("bar2", "new problems"))
    return _chart("cases", "Cases, of known and new problems", about, legend, frame, drawn, months)


def weeks_chart(weeks: Sequence[Week]) -> str:
    """New problems of each week."""
    most = max((one.fresh for one in weeks), default=0)
    if not most:
        return ""
    frame = Frame(len(weeks), float(most))
    drawn = "".join(
        f'<rect class="bar1" x="{frame.x(i) - 0.4 * frame.width:.1f}" y="{frame.y(one.fresh):.1f}"'
        f' width="{0.8 * frame.width:.1f}" height="{frame.y(0) - frame.y(one.fresh):.1f}">'
        f"<title>{text_of(one.week)}: {one.fresh} new of {one.cases}</title></rect>"
        for i, one in enumerate(weeks)
    )
    names = [one.week for one in weeks]
    about = f"New problems of each of {len(weeks)} weeks; {most} in the week with most."
    return _drawn("weeks", "New problems per week", about, (), frame, drawn, names)


def minutes_chart(months: Sequence[Month]) -> str:
    """Median minutes by month, with a lookup and without; empty unless both were measured."""
    helped = [one.helped.median if one.helped else None for one in months]
    alone = [one.alone.median if one.alone else None for one in months]
    known = [value for value in (*helped, *alone) if value is not None]
    if not any(value is not None for value in helped) or not any(known):
        return ""
    frame = Frame(len(months), max(known))
    drawn = _line(frame, alone, "two", _square, months, _minutes)
    drawn += _line(frame, helped, "one", _dot, months, _minutes)
    about = "Median minutes to resolve, by month. Not a randomised comparison."
    legend = (("one", "with a lookup"), ("two", "without"))
    return _chart("minutes", "Minutes to resolve", about, legend, frame, drawn, months, _minutes)


def differences_chart(rows: Sequence[Row]) -> str:
    """Differences of shares with their intervals, a line each; zero is marked."""
    kept = [(row, row.difference) for row in rows if row.unit is Unit.SHARE and row.difference]
    if not kept:
        return ""
    reach = max(max(abs(gap.low), abs(gap.high)) for _, gap in kept) or 1.0
    height = _ROW * len(kept) + _BOTTOM

    def x(value: float) -> float:
        middle = (_NAMES + _WIDTH) / 2
        return middle + value / reach * (_WIDTH - _NAMES - 40) / 2

    lines = [
        f'<line class="axis" x1="{x(0):.1f}" x2="{x(0):.1f}" y1="4" y2="{height - _BOTTOM:.1f}"/>'
    ]
    for number, (row, gap) in enumerate(kept):
        y = _ROW * (number + 0.5) + 4
        told = (
            f"{row.name}: {100 * gap.estimate:+.1f} ({100 * gap.low:+.1f} to {100 * gap.high:+.1f})"
        )
        lines.append(
            f'<g><title>{text_of(told)}</title><text x="0" y="{y + 4:.1f}">{text_of(row.name)}'
            f'</text><line class="one" x1="{x(gap.low):.1f}" x2="{x(gap.high):.1f}" y1="{y:.1f}"'
            f' y2="{y:.1f}"/>{_dot(x(gap.estimate), y)}</g>'
        )
    lines += [
        f'<text x="{x(v):.1f}" y="{height - 10}" text-anchor="middle">{_points(v)}</text>'
        for v in (-reach, 0.0, reach)
    ]
    about = "Points by which the first side exceeds the other, with 95 % intervals."
    return (
        "<figure><figcaption>Differences in points</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img"'
        ' aria-labelledby="gaps-t gaps-d"><title id="gaps-t">Differences in points'
        f'</title><desc id="gaps-d">{about} The table holds the same numbers.</desc>'
        f'{"".join(lines)}</svg><p class="soft">{about}</p></figure>'
    )


def _points(value: float) -> str:
    return f"{100 * value:+.0f}" if value else "0"


def _minutes(value: float) -> str:
    return f"{value:,.0f} min"


Mark = Callable[[float, float], str]
Told = Callable[[float], str]


def _dot(x: float, y: float) -> str:
    return f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'


def _square(x: float, y: float) -> str:
    return f'<rect class="hollow" x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"/>'


def _line(
    frame: Frame,
    values: Sequence[float | None],
    style: str,
    mark: Mark,
    months: Sequence[Month],
    told: Told = figures.percent,
) -> str:
    """A line through the known values, broken where one is not, with a mark at each."""
    parts: list[list[tuple[float, float]]] = [[]]
    marks = []
    for place, value in enumerate(values):
        if value is None:
            parts.append([])
            continue
        x, y = frame.x(place), frame.y(value)
        parts[-1].append((x, y))
        name = f"{text_of(months[place].month)}: {told(value)}"
        marks.append(f"<g><title>{name}</title>{mark(x, y)}</g>")
    lines = "".join(
        f'<polyline class="{style}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in part)}"/>'
        for part in parts
        if len(part) > 1
    )
    return lines + "".join(marks)


def _column(frame: Frame, place: int, one: Month) -> str:
    left, width = frame.x(place) - 0.35 * frame.width, 0.7 * frame.width
    middle, top, floor = frame.y(one.returning), frame.y(one.cases), frame.y(0.0)
    told = f"{text_of(one.month)}: {one.returning} known, {one.fresh} new"
    return (
        f'<g><title>{told}</title><rect class="bar1" x="{left:.1f}" y="{middle:.1f}"'
        f' width="{width:.1f}" height="{floor - middle:.1f}"/><rect class="bar2" x="{left:.1f}"'
        f' y="{top:.1f}" width="{width:.1f}" height="{middle - top:.1f}"/></g>'
    )


def _chart(
    name: str,
    title: str,
    about: str,
    legend: Sequence[tuple[str, str]],
    frame: Frame,
    drawn: str,
    months: Sequence[Month],
    told: Told | None = None,
) -> str:
    names = [one.month for one in months]
    return _drawn(name, title, about, legend, frame, drawn, names, told)


def _drawn(
    name: str,
    title: str,
    about: str,
    legend: Sequence[tuple[str, str]],
    frame: Frame,
    drawn: str,
    names: Sequence[str],
    told: Told | None = None,
) -> str:
    """The chart in its frame: scale, names, legend, title and description."""
    own = told or (figures.percent if frame.top <= 1.0 and name != "weeks" else _number)
    scale = "".join(
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{frame.y(v):.1f}"'
        f' y2="{frame.y(v):.1f}"/>'
        f'<text x="{_LEFT - 8}" y="{frame.y(v) + 5:.1f}" text-anchor="end">{own(v)}</text>'
        for v in (0.0, frame.top / 2, frame.top)
    )
    return (
        f"<figure><figcaption>{text_of(title)}</figcaption>{_legend(legend)}"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{text_of(title)}</title><desc id="{name}-d">{text_of(about)} The'
        f" table below holds the same numbers.</desc>{scale}{_names(frame, names)}{drawn}"
        "</svg></figure>"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def _names(frame: Frame, names: Sequence[str]) -> str:
    """Names below some columns; on a narrow screen every other one of them is hidden."""
    most = _LABELS // max(map(len, names), default=1) or 1
    step = -(-len(names) // most) or 1
    return "".join(
        f"<text{' class=minor' if place // step % 2 else ''} {_below(frame.x(place))}"
        f' y="{_HEIGHT - 10}">{text_of(label)}</text>'
        for place, label in enumerate(names)
        if place % step == 0
    )


def _below(x: float) -> str:
    """Where a name stands: under its column, or at the edge where it would be cut."""
    if x > _WIDTH - _EDGE:
        return f'x="{_WIDTH}" text-anchor="end"'
    return f'x="{x:.1f}" text-anchor="middle"'


_HATCH = (
    '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse"'
    ' patternTransform="rotate(45)"><rect class="back" width="6" height="6"/>'
    '<line class="stripe" x1="0" x2="0" y1="0" y2="6"/></pattern></defs>'
)


def _legend(entries: Sequence[tuple[str, str]]) -> str:
    if not entries:
        return ""
    samples = {
        "one": '<line class="one" x1="0" x2="26" y1="7" y2="7"/>' + _dot(13, 7),
        "two": '<line class="two" x1="0" x2="26" y1="7" y2="7"/>' + _square(13, 7),
        "bar1": '<rect class="bar1" x="4" y="1" width="18" height="12"/>',
        "bar2": '<rect class="bar2" x="4" y="1" width="18" height="12"/>',
    }
    told = "".join(
        f'<span><svg class="sample" viewBox="0 0 26 14" aria-hidden="true">{samples[style]}</svg>'
        f" {text_of(name)}</span>"
        for style, name in entries
    )
    return f'<p class="legend">{told}</p>'
