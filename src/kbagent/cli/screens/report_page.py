"""The report as one HTML page: no script, nothing from a network, light and dark, printable.

All text of tickets passes through `_text`: what a terminal would act upon is taken out, the rest
escaped. The charts are inline SVG with a title and a description for screen readers; the table
below them holds the same numbers.
"""

from collections.abc import Sequence
from html import escape

from kbagent.cli.output import one_line
from kbagent.cli.screens import figures
from kbagent.cli.screens.reports import verdict
from kbagent.usecases.report.compounding import Month, Report

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 640, 220, 44, 36, 12
_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--page:#fff;
--one:#0b5cad;--two:#b35900}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b3;--line:#3d444d;
--page:#0d1117;--one:#6cb6ff;--two:#f0a35e}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:1rem;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem}
p.lead{font-size:1.05rem}.soft{color:var(--soft)}
svg{display:block;width:100%;height:auto}svg text{fill:var(--soft);font-size:12px}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem;
font-variant-numeric:tabular-nums}th,td{padding:.25rem .5rem;border-bottom:1px solid var(--line);
text-align:right}th:first-child,td:first-child,.words td,.words th{text-align:left}
.axis{stroke:var(--line)}.one{stroke:var(--one);fill:none;stroke-width:2.5}
.two{stroke:var(--two);fill:none;stroke-width:2.5;stroke-dasharray:6 4}
.bar1{fill:var(--one)}.bar2{fill:var(--two)}.dot{fill:var(--one)}
@media print{:root{color-scheme:light;--ink:#000;--soft:#333;--line:#999;--page:#fff;
--one:#0b5cad;--two:#b35900}body{max-width:none}h2{break-after:avoid}svg,tr{break-inside:avoid}}
"""


def report_page(found: Report) -> str:
    """The whole page."""
    title = "What the knowledge base learned"
    parts = [f"<h1>{title}</h1>", *_body(found)]
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{title}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _body(found: Report) -> list[str]:
    if not found.cases:
        return ["<p>There are no cases in this period.</p>"]
    period = _text(figures.period(found.since, found.until))
    return [
        f'<p class="soft">{period} · {found.cases:,} cases · {found.issues:,} issues,'
        f" {found.issues_repeated:,} of them seen more than once</p>",
        f'<p class="lead">{_text(verdict(found.success))}</p>',
        "<h2>Was what worked shown first?</h2>",
        _curve(found.months),
        "<h2>New and known problems</h2>",
        _columns(found.months),
        "<h2>Month by month</h2>",
        _month_table(found.months),
        *_lists(found),
    ]


def _text(value: object) -> str:
    """Text that is only ever text."""
    return escape(one_line(str(value), 300))


def _x(place: int, count: int) -> float:
    return _LEFT + (place + 0.5) * (_WIDTH - _LEFT) / max(count, 1)


def _y(share: float) -> float:
    return _TOP + (1.0 - share) * (_HEIGHT - _TOP - _BOTTOM)


def _curve(months: Sequence[Month]) -> str:
    """Success at the first place by month, with and without feedback."""
    known = [(i, one, one.success) for i, one in enumerate(months) if one.success is not None]
    if not known:
        return '<p class="soft">Nothing could be replayed.</p>'
    count = len(months)
    ours = " ".join(f"{_x(i, count):.1f},{_y(s.at_1):.1f}" for i, _, s in known)
    plain = " ".join(f"{_x(i, count):.1f},{_y(s.without_feedback):.1f}" for i, _, s in known)
    dots = "".join(
        f'<circle class="dot" cx="{_x(i, count):.1f}" cy="{_y(s.at_1):.1f}" r="3.5"><title>'
        f"{_text(one.month)}: {figures.percent(s.at_1)} of {s.questions}</title></circle>"
        for i, one, s in known
    )
    drawn = f'<polyline class="two" points="{plain}"/><polyline class="one" points="{ours}"/>{dots}'
    scale = [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")]
    title = "Success at the first place by month"
    about = "Solid: the live policy. Dashed: without feedback, on the same cases."
    return _chart("curve", title, about, drawn, scale, months) + f'<p class="soft">{about}</p>'


def _columns(months: Sequence[Month]) -> str:
    """Cases by month: first of their issue, and others."""
    most = max((one.cases for one in months), default=0) or 1
    count, width = len(months), 0.7 * (_WIDTH - _LEFT) / max(len(months), 1)
    drawn = "".join(_column(i, count, width, one, most) for i, one in enumerate(months))
    scale = [(0.0, "0"), (1.0, str(most))]
    title = "Cases by month, new and known problems"
    about = "Lower part: known problems. Upper part: the first case of a problem."
    return _chart("columns", title, about, drawn, scale, months) + f'<p class="soft">{about}</p>'


def _column(place: int, count: int, width: float, one: Month, most: int) -> str:
    left = _x(place, count) - width / 2
    middle, top, floor = _y(one.returning / most), _y(one.cases / most), _y(0.0)
    told = f"{_text(one.month)}: {one.returning} known, {one.fresh} new"
    return (
        f'<g><title>{told}</title><rect class="bar1" x="{left:.1f}" y="{middle:.1f}"'
        f' width="{width:.1f}" height="{floor - middle:.1f}"/><rect class="bar2" x="{left:.1f}"'
        f' y="{top:.1f}" width="{width:.1f}" height="{middle - top:.1f}"/></g>'
    )


def _chart(
    name: str,
    title: str,
    about: str,
    drawn: str,
    scale: Sequence[tuple[float, str]],
    months: Sequence[Month],
) -> str:
    lines = "".join(
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{_y(s):.1f}" y2="{_y(s):.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{_y(s) + 4:.1f}" text-anchor="end">{label}</text>'
        for s, label in scale
    )
    step = -(-len(months) // 8) or 1
    names = "".join(
        f'<text x="{_x(i, len(months)):.1f}" y="{_HEIGHT - 12}" text-anchor="middle">'
        f"{_text(one.month)}</text>"
        for i, one in enumerate(months)
        if i % step == 0
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{title}</title><desc id="{name}-d">{about} The table below has the'
        f" numbers.</desc>{lines}{names}{drawn}</svg>"
    )


def _month_table(months: Sequence[Month]) -> str:
    header = (
        "month", "cases", "new", "median minutes", "replayed", "success@1", "@3", "recall",
        "without feedback", "uplift, 95 % interval", "lookups", "with outcome",
    )  # fmt: skip
    return _table(header, [_month_row(one) for one in months])


def _month_row(one: Month) -> list[object]:
    minutes = "–" if one.minutes is None else f"{one.minutes:,.0f}"
    s = one.success
    if s is None:
        replayed: list[object] = ["–"] * 6
    else:
        u = s.uplift
        replayed = [
            s.questions,
            figures.percent(s.at_1),
            figures.percent(s.at_3),
            "–" if s.recall is None else figures.percent(s.recall),
            figures.percent(s.without_feedback),
            f"{100 * u.estimate:+.1f} [{100 * u.low:+.1f}, {100 * u.high:+.1f}]",
        ]
    return [one.month, one.cases, one.fresh, minutes, *replayed, one.lookups, one.with_outcome]


def _lists(found: Report) -> list[str]:
    parts: list[str] = []
    if found.stories:
        parts.append("<h2>Rare problems whose earlier instance held the answer</h2>")
        parts.append('<p class="soft">As the replay shows it, not as it was reported.</p>')
        rows: list[list[object]] = [
            [figures.day(s.at), s.case, s.title, s.earlier, s.months_later, s.place]
            for s in found.stories
        ]
        header = ("opened", "case", "title", "earlier case", "months later", "place of its fix")
        parts.append(_table(header, rows, words=True))
    if found.at_risk:
        parts.append("<h2>Knowledge at risk: solved by one person only</h2>")
        rows = [[f"i{r.issue_id}", r.title, r.person, r.solved] for r in found.at_risk]
        parts.append(_table(("issue", "title", "person", "cases"), rows, words=True))
    if found.stopped:
        parts.append("<h2>Fixes that stopped working</h2>")
        rows = [
            [
                f"i{s.issue_id}",
                s.title,
                f"r{s.resolution_id} {s.text}",
                f"{s.broke.worked_before:g} of {s.broke.tried_before:g}",
                figures.day(s.broke.at),
                f"{s.broke.worked_since:g} of {s.broke.tried_since:g}",
            ]
            for s in found.stopped
        ]
        header = ("issue", "title", "fix", "worked before", "until", "worked since")
        parts.append(_table(header, rows, words=True))
    if found.deviations:
        parts.append("<h2>Deviations caught</h2>")
        rows = [list(row) for row in found.deviations]
        parts.append(_table(("kind", "check", "caught", "corrected"), rows, words=True))
    return parts


def _table(header: Sequence[str], rows: Sequence[Sequence[object]], *, words: bool = False) -> str:
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(value)}</td>" for value in row) + "</tr>" for row in rows
    )
    style = ' class="words"' if words else ""
    return (
        f'<div class="scroll"><table{style}><thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
        "</table></div>"
    )
