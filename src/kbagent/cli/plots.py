"""Plots made of characters: columns of dots by month, and a line of small bars.

They are drawn for a glance; the exact numbers stand in the table below them. What is unknown is
left blank and never drawn as nothing.
"""

from collections.abc import Sequence
from math import ceil

_BARS = "▁▂▃▄▅▆▇█"
_TOPS = (0.1, 0.25, 0.5, 0.75, 1.0)
_AXIS = 7  # columns taken by the scale


def ceiling(values: Sequence[float | None]) -> float:
    """The end of a scale of shares that holds all values: 0.1, 0.25, 0.5, 0.75 or 1.

    >>> ceiling([0.2, None, 0.3])
    0.5
    """
    most = max((value for value in values if value is not None), default=0.0)
    return next((top for top in _TOPS if most <= top), 1.0)


def dots(
    series: Sequence[tuple[str, Sequence[float | None]]],
    labels: Sequence[str],
    *,
    width: int = 78,
    height: int = 8,
) -> list[str]:
    """The lines of a plot of shares; each series has its mark, the first one lies on top.

    Where two series meet the mark is ◉. The latest values are kept where there is no room for
    all of them; `labels` are as many as the values of each series. No values, no lines.

    >>> print("\\n".join(dots([("●", [0.0, 0.5]), ("○", [0.0, 1.0])], ["a", "b"], height=3)))
    100 % │     ○
          │     ●
      0 % │ ◉
          └─────────
            a   b
    """
    room = width - _AXIS - 1
    count = min(len(labels), room // 2)
    if not count:
        return []
    step = max(2, min(4, room // count))
    kept = [(mark, list(values)[-count:]) for mark, values in series]
    top = ceiling([value for _, values in kept for value in values])
    rows = [[" "] * (count * step + 1) for _ in range(height)]
    for mark, values in reversed(kept):
        for place, value in enumerate(values):
            if value is not None:
                row = rows[height - 1 - round(value / top * (height - 1))]
                row[place * step + 1] = "◉" if row[place * step + 1] != " " else mark
    marked = {0: f"{top:.0%}", height - 1: "0%"}
    lines = [
        f"{marked.get(number, '').replace('%', ' %'):>5} │" + "".join(row).rstrip()
        for number, row in enumerate(rows)
    ]
    lines.append(" " * 6 + "└" + "─" * (count * step + 1))
    return [*lines, " " * 7 + _named(list(labels)[-count:], step)]


def _named(labels: Sequence[str], step: int) -> str:
    """As many labels as fit below their columns, the first one always."""
    line, free = "", 0
    for place, label in enumerate(labels):
        at = place * step + 1
        if at >= free and at + len(label) <= len(labels) * step + len(label) // 2:
            line = line.ljust(at) + label
            free = at + len(label) + 2
    return line


def bars(values: Sequence[float], *, width: int = 72) -> str:
    """A small bar for each value, `·` for none; neighbours are summed when there are too many.

    >>> bars([0, 1, 2, 4])
    '·▂▄█'
    >>> bars([1, 1, 1, 1], width=2)
    '██'
    """
    each = max(1, ceil(len(values) / width))
    summed = [sum(values[i : i + each]) for i in range(0, len(values), each)]
    most = max(summed, default=0.0)
    if not most:
        return "·" * len(summed)
    return "".join(
        "·" if not value else _BARS[max(0, ceil(value / most * len(_BARS)) - 1)] for value in summed
    )
