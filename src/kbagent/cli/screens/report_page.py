"""The report as one HTML page: no script, nothing from a network, light and dark, printable.

All text of tickets passes through `text_of`: what a terminal would act upon is taken out, the
rest escaped. The charts are `report_charts`' inline SVG; the tables below hold the same numbers.
"""

from collections.abc import Sequence

from kbagent.cli.screens import figures
from kbagent.cli.screens import report_comparison as beside
from kbagent.cli.screens import report_words as words
from kbagent.cli.screens.report_charts import (
    answered_chart,
    cases_chart,
    differences_chart,
    minutes_chart,
    success_chart,
    text_of,
    weeks_chart,
)
from kbagent.cli.screens.reports import nothing_in, tables_of
from kbagent.usecases.report.comparison import Comparison
from kbagent.usecases.report.compounding import Report
from kbagent.usecases.report.curve import Month

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--page:#fff;
--tile:#f3f5f8;--one:#0b5cad;--two:#a84b00}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b3;--line:#3d444d;
--page:#0d1117;--tile:#171d26;--one:#6cb6ff;--two:#f0a35e}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:58rem;padding:1rem 1rem 3rem;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,sans-serif;overflow-wrap:break-word}
h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0}
h2{font-size:1.2rem;margin:2.2rem 0 .5rem;break-after:avoid}
p{margin:.5rem 0;max-width:46rem}p.lead{font-size:1.15rem;font-weight:600}.soft{color:var(--soft)}
dl.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.6rem;
margin:1rem 0}
dl.tiles div{background:var(--tile);border-radius:.5rem;padding:.6rem .8rem}
dl.tiles dt{color:var(--soft);font-size:.85rem}
dl.tiles dd{margin:0;font-size:1.5rem;font-variant-numeric:tabular-nums}
dl.tiles dd small{display:block;font-size:.8rem;color:var(--soft)}
.narrow{max-width:40rem}.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.2rem}
figure{margin:0;break-inside:avoid;min-width:0}figcaption{font-weight:600}
svg{display:block;width:100%;height:auto}svg text{fill:var(--soft);font-size:17px}
p.legend{margin:.1rem 0;font-size:.85rem;color:var(--soft);display:flex;flex-wrap:wrap;gap:0 1rem}
svg.sample{display:inline-block;width:26px;height:14px;vertical-align:-2px}
.axis{stroke:var(--line)}.one{stroke:var(--one);fill:none;stroke-width:2.5}
.two{stroke:var(--two);fill:none;stroke-width:2;stroke-dasharray:6 4}
.dot,.bar1{fill:var(--one)}.hollow{fill:var(--page);stroke:var(--two);stroke-width:2}
.bar2{fill:url(#hatch);stroke:var(--two);stroke-width:1}
.back{fill:var(--page)}.stripe{stroke:var(--two);stroke-width:4}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.875rem;
font-variant-numeric:tabular-nums}
th,td{padding:.3rem .5rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}
td{white-space:nowrap}th{vertical-align:bottom;color:var(--soft);font-weight:600}
th:first-child,td:first-child,.words td,.words th{text-align:left}
table.words{table-layout:fixed}.words th:last-child{width:34%}
.words td{white-space:normal;overflow-wrap:anywhere}
@media (max-width:40rem){svg text{font-size:21px}svg .minor{display:none}
.words thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
.words tr{display:block;border-bottom:1px solid var(--line);padding:.5rem 0}
.words td{display:block;border:0;padding:.1rem 0}
.words td::before{content:attr(data-name) ": ";color:var(--soft)}}
@page{margin:14mm}
@media print{:root{color-scheme:light;--ink:#000;--soft:#333;--line:#999;--page:#fff;--tile:#f3f3f3;
--one:#0b5cad;--two:#a84b00}body{max-width:none;padding:0;font-size:11pt}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}.scroll{overflow:visible}
.charts{display:block}.charts figure{display:inline-block;width:48%;margin:0 1% 3mm 0}
table{font-size:8pt}td,th{padding:.15rem .3rem}tr{break-inside:avoid}
thead{display:table-header-group}}
"""


def report_page(found: Report) -> str:
    """The whole page."""
    return _page("What the knowledge base learned", _body(found))


def comparison_page(found: Comparison) -> str:
    """Two reports side by side, then each by itself."""
    header = ("measure", found.one.name, found.other.name, "difference (95 %)")
    rows: list[list[object]] = [
        [row.name, beside.told(row, row.one), beside.told(row, row.other), beside.gap(row)]
        for row in found.rows
    ]
    names = f"{found.one.name} against {found.other.name}"
    parts = [
        f'<p class="lead">{text_of(names)}</p>',
        f"<p>{text_of(beside.remark(found))}</p>",
        f'<div class="narrow">{differences_chart(found.rows)}</div>',
        _table("Side by side", header, rows),
    ]
    for side in (found.one, found.other):
        parts += [f"<h2>{text_of(side.name)}</h2>", *_summary(side)]
    return _page("Side by side", parts)


def _page(title: str, parts: Sequence[str]) -> str:
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{text_of(title)}</title><style>{_STYLE}</style></head>\n<body><main>\n"
        f"<h1>{text_of(title)}</h1>\n" + "\n".join(parts) + "\n</main></body></html>\n"
    )


def _body(found: Report) -> list[str]:
    if not found.cases:
        return [f"<p>{text_of(nothing_in(found))}</p>"]
    charts = [
        success_chart(found.months),
        answered_chart(found.months),
        cases_chart(found.months),
        weeks_chart(found.weeks),
        minutes_chart(found.months),
    ]
    return [
        *_summary(found),
        '<h2>By month</h2><div class="charts">' + "".join(charts) + "</div>",
        f"<p>{text_of(words.weeks_sentence(found.weeks))}.</p>",
        _table("Success by month", _SUCCESS, [_success_row(one) for one in found.months]),
        '<p class="soft">asked: looked up again with what was known before the case; uplift: points'
        " over the order without feedback on the same cases, with its 95 % interval</p>",
        "<h2>Time to resolve, and lookups</h2>",
        f"<p>{text_of(words.time_sentence(found))}</p>",
        f"<p>{text_of(words.feedback_sentence(found))}</p>",
        _table("Cases, minutes and lookups", _USE, [_use_row(one) for one in found.months]),
        "<h2>Knowledge</h2>",
        f"<p>{text_of(words.kept_sentence(found))}</p>",
        f"<p>Checks of solve: {text_of(words.prevented_sentence(found))}</p>",
        *_lists(found),
    ]


def _summary(found: Report) -> list[str]:
    """The sentences and the most important figures."""
    named = "" if found.name == "all cases" else f"{found.name} · "
    period = f"{named}{figures.period(found.since, found.until)} · {figures.cases(found.cases)} ·"
    told = words.sentences(found) if found.cases else [nothing_in(found)]
    lead, *rest = told
    return [
        f'<p class="soft">{text_of(period)} {found.issues:,} issues,'
        f" {found.issues_repeated:,} of them seen more than once</p>",
        f'<p class="lead">{text_of(lead, 600)}</p>',
        _tiles(found),
        *(f"<p>{text_of(one, 900)}</p>" for one in rest),
    ]


def _tiles(found: Report) -> str:
    s = found.success
    if s is None:
        return ""
    tiles = [
        ("worked, stood first", s.at_1, f"of {figures.cases(s.known)}"),
        ("among the first three", s.at_3, f"of {figures.cases(s.known)}"),
        ("first, where answered", s.recommended_at_1, f"of {figures.cases(s.recommended)}"),
        ("answered", s.answered / s.questions, f"of {figures.cases(s.questions)}"),
        ("earlier instances found", s.recall, f"on {figures.cases(s.recalled)}"),
    ]
    return (
        '<dl class="tiles">'
        + "".join(
            f"<div><dt>{name}</dt><dd>{_share(value)}<small>{basis}</small></dd></div>"
            for name, value, basis in tiles
        )
        + "</dl>"
    )


_SUCCESS = (
    "month", "asked", "answered", "known fix", "success@1", "@3", "@1 if answered", "recall",
    "without feedback", "uplift",
)  # fmt: skip
_USE = (
    "month", "cases", "new", "known", "min with lookup (n)", "min without (n)", "lookups",
    "confident", "with outcome",
)  # fmt: skip


def _success_row(one: Month) -> list[object]:
    s = one.success
    if s is None:
        return [one.month, *["–"] * 9]
    gap = s.uplift
    uplift = "–"
    if gap is not None:
        told = [words.sign(100 * one) for one in (gap.estimate, gap.low, gap.high)]
        uplift = "{} ({} to {})".format(*told)
    return [
        one.month,
        f"{s.questions:,}",
        _share(s.answered / s.questions),
        f"{s.known:,}",
        _share(s.at_1),
        _share(s.at_3),
        _share(s.recommended_at_1),
        _share(s.recall),
        _share(s.without_feedback),
        uplift,
    ]


def _use_row(one: Month) -> list[object]:
    minutes = [
        "–" if some is None else f"{some.median:,.0f} ({some.cases:,})"
        for some in (one.helped, one.alone)
    ]
    looked = [
        "–" if n is None else f"{n:,}" for n in (one.lookups, one.confident, one.with_outcome)
    ]
    return [one.month, f"{one.cases:,}", f"{one.fresh:,}", f"{one.returning:,}", *minutes, *looked]


def _share(share: float | None) -> str:
    return "–" if share is None else figures.percent(share)


def _lists(found: Report) -> list[str]:
    parts: list[str] = []
    for title, header, rows in tables_of(found):
        if rows:
            parts.append(f"<h2>{text_of(title)}</h2>")
            parts.append(_table(title, header, rows, prose=True))
    return parts


def _table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[object]], *, prose: bool = False
) -> str:
    head = "".join(f'<th scope="col">{text_of(name)}</th>' for name in header)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-name="{text_of(name)}">{text_of(value)}</td>'
            for name, value in zip(header, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    style = ' class="words"' if prose else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{text_of(title)}">'
        f"<table{style}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
