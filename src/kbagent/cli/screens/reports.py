"""The report in the terminal and for scripts; what was not measured is a dash or null."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from kbagent.cli import plots
from kbagent.cli.output import one_line, to_csv, to_markdown
from kbagent.cli.page import Group, Padding, RenderableType, Text
from kbagent.cli.screens import figures
from kbagent.cli.screens import report_words as words
from kbagent.usecases.report.compounding import Report
from kbagent.usecases.report.curve import Month

HEADER = (
    "month",
    "cases",
    "new",
    "known",
    "median minutes",
    "minutes with lookup",
    "cases with lookup",
    "minutes without",
    "cases without",
    "replayed",
    "answered",
    "with known fix",
    "success@1",
    "success@3",
    "answered success@1",
    "recall",
    "without feedback",
    "uplift",
    "low",
    "high",
    "lookups",
    "confident",
    "with outcome",
)
AGAIN = "Rare problems solved again thanks to an earlier instance (by the replay)"
FOUND = "Rare problems whose earlier instance was shown, solved in other words (replay)"
_LISTED = 8


def format_report(found: Report, width: int = 80) -> RenderableType:
    """The screen."""
    if not found.cases:
        return Text(nothing_in(found))
    named = f"{found.name}: " if found.name != "all cases" else ""
    head = (
        f"{named}{found.cases:,} case{'s' if found.cases != 1 else ''},"
        f" {figures.period(found.since, found.until)};"
        f" {found.issues:,} issue{'s' if found.issues != 1 else ''},"
        f" {found.issues_repeated:,} of them seen more than once"
    )
    return Group(
        Text(one_line(head), "bold"),
        *_heading("Does it get better?"),
        *(
            Padding(Text(one, "" if place else "bold"), (0, 0, 0, 2))
            for place, one in enumerate(words.sentences(found))
        ),
        *_curve(found.months, width),
        *_heading("Month by month"),
        *_table(found.months),
        *_weeks(found, width),
        *_heading("Time to resolve (measured)"),
        Padding(Text(words.time_sentence(found)), (0, 0, 0, 2)),
        *_knowledge(found, width),
    )


def nothing_in(found: Report) -> str:
    """Why there is nothing to report, on one line."""
    return figures.nothing_there(found.there, f"“{one_line(found.name, 120)}”")


def report_json(found: Report) -> dict[str, Any]:
    """The same for a script."""
    told = words.sentences(found) if found.cases else []
    return {
        **asdict(found),
        "sentence": " ".join(told) or None,
        "sentences": told,
        "deviations": [
            {"kind": kind, "name": name, "caught": count, "corrected": kept}
            for kind, name, count, kept in found.deviations
        ],
    }


def report_csv(found: Report) -> str:
    """The months as a table for a spreadsheet."""
    return to_csv(HEADER, [_cells(one) for one in found.months])


def report_markdown(found: Report) -> str:
    """The sentences, the months as a table, and what is kept, at risk, or went wrong."""
    if not found.cases:
        return f"{nothing_in(found)}\n"
    parts = [
        "\n\n".join(words.sentences(found)),
        to_markdown(HEADER, [_cells(one) for one in found.months]),
        f"{words.time_sentence(found)}\n\n{words.feedback_sentence(found)}\n\n"
        f"{words.weeks_sentence(found.weeks)}.\n\n{words.kept_sentence(found)}",
    ]
    parts += [
        f"## {title}\n\n{to_markdown(header, rows)}"
        for title, header, rows in tables_of(found)
        if rows
    ]
    return "\n\n".join(parts) + "\n"


def tables_of(found: Report) -> list[tuple[str, tuple[str, ...], list[list[object]]]]:
    """(title, header, rows) of everything that is listed, for pages."""
    return [
        (
            AGAIN,
            ("case", "title", "what came of it", "fix"),
            [
                [s.case, s.title, f"{figures.day(s.at)}: {words.story(s)}", s.then]
                for s in found.stories
                if s.place is not None
            ],
        ),
        (
            FOUND,
            ("case", "title", "earlier instance", "what worked then", "what worked now"),
            [
                [s.case, s.title, f"{figures.day(s.at)}: {words.story(s)}", s.then, s.now]
                for s in found.stories
                if s.place is None
            ],
        ),
        (
            "Fixes that stopped working",
            ("issue", "fix", "works instead", "what happened"),
            [
                [
                    f"i{g.stopped.issue_id} {g.stopped.title}",
                    f"r{g.stopped.resolution_id} {g.stopped.text}",
                    g.instead or "–",
                    words.gone(g),
                ]
                for g in found.stopped
            ],
        ),
        (
            "Contradictions",
            ("question", "first", "second", "why it is asked"),
            [
                [
                    c.question,
                    *(f"{handle} {text}" for handle, text in (*c.sides, ("–", ""), ("–", ""))[:2]),
                    "; ".join(c.evidence),
                ]
                for c in found.contradictions
            ],
        ),
        (
            "Knowledge at risk: solved by one person only",
            ("issue", "title", "person", "cases"),
            [[f"i{r.issue_id}", r.title, r.person, r.solved] for r in found.at_risk],
        ),
        (
            "Mistakes that checks caught and put right",
            ("day", "run", "check", "what happened"),
            [[figures.day(p.at), p.run, p.check, words.prevented(p)] for p in found.prevented],
        ),
        (
            "Deviations caught",
            ("kind", "check", "caught", "put right"),
            [list(row) for row in found.deviations],
        ),
    ]


def _heading(text: str) -> list[RenderableType]:
    return [Text(""), Text(text, "bold")]


def _curve(months: Sequence[Month], width: int) -> list[RenderableType]:
    """What stood first, by month, on the cases of which it is known what worked."""
    told = [(one.month, one.success) for one in months]
    if sum(s is not None and s.known > 0 for _, s in told) < 2:
        return []
    ours = [s.at_1 if s else None for _, s in told]
    plain = [s.without_feedback if s else None for _, s in told]
    lines = plots.dots(
        [("●", ours), ("○", plain)], [month for month, _ in told], width=min(width, 100) - 4
    )
    return [
        *_heading("What worked stood first: ● live policy  ○ without feedback  ◉ the same"),
        *(Text(f"  {line}") for line in lines),
    ]


def _table(months: Sequence[Month]) -> list[RenderableType]:
    timed = any(one.helped for one in months)
    head = "  month    cases   new asked answered    @1    @3 plain@1 recall minutes"
    lookup = ", lookup: without a lookup, and with one (cases)" if timed else ": median to resolve"
    return [
        Text(head + ("  lookup" if timed else ""), "dim"),
        *(_month(one, timed=timed) for one in months),
        Text("  asked: looked up again; plain@1: without feedback, on the same cases;", "dim"),
        Text(f"  minutes{lookup}", "dim"),
    ]


def _month(one: Month, *, timed: bool) -> Text:
    minutes = "–" if one.alone is None else f"{one.alone.median:,.0f}"
    helped = "–" if one.helped is None else f"{one.helped.median:,.0f} ({one.helped.cases})"
    s = one.success
    if s is None:
        told = f"{'–':>6}{'–':>9}{'–':>6}{'–':>6}{'–':>8}{'–':>7}"
    else:
        told = (
            f"{s.questions:>6,}{_share(s.answered / s.questions):>9}{_share(s.at_1):>6}"
            f"{_share(s.at_3):>6}{_share(s.without_feedback):>8}{_share(s.recall):>7}"
        )
    line = f"  {one.month}{one.cases:>7,}{one.fresh:>6,}{told}{minutes:>8}"
    return Text(line + (f"{helped:>8}" if timed else ""))


def _share(share: float | None) -> str:
    return "–" if share is None else figures.percent(share)


def _weeks(found: Report, width: int) -> list[RenderableType]:
    fresh = [float(one.fresh) for one in found.weeks]
    return [
        *_heading("New problems per week"),
        Text("  " + plots.bars(fresh, width=min(width, 100) - 4)),
        Padding(Text(words.weeks_sentence(found.weeks)), (0, 0, 0, 2)),
        Padding(Text(words.feedback_sentence(found)), (0, 0, 0, 2)),
    ]


def _knowledge(found: Report, width: int) -> list[RenderableType]:
    lines = [*_heading("Knowledge"), Padding(Text(words.kept_sentence(found)), (0, 0, 0, 2))]
    for title, again in ((AGAIN, True), (FOUND, False)):
        told = [one for one in found.stories if (one.place is not None) is again]
        rows = [(f"{figures.day(s.at)}  {s.case}  {s.title}", words.story(s)) for s in told]
        lines += _listed(title, rows, width)
    lines += _listed(
        "Fixes that stopped working",
        [
            (
                f"r{g.stopped.resolution_id} for i{g.stopped.issue_id} {g.stopped.title}",
                words.gone(g) + (f": {one_line(g.instead, 60)}" if g.instead else ""),
            )
            for g in found.stopped
        ],
        width,
    )
    lines += _listed(
        "Contradictions (settle them: kbagent review)",
        [(c.question, "; ".join(c.evidence)) for c in found.contradictions],
        width,
    )
    lines += _listed(
        "Knowledge at risk: solved by one person only",
        [
            (f"i{r.issue_id} {one_line(r.title, 40)}", f"{r.person}, {r.solved} cases")
            for r in found.at_risk
        ],
        width,
    )
    lines += [*_heading("Caught by the checks of `solve`"), _in(words.prevented_sentence(found), 2)]
    for one in found.prevented[:_LISTED]:
        lines.append(
            Text("  " + one_line(f"{figures.day(one.at)}  {one.run}  {one.check}", width - 2))
        )
        lines.append(_in(one_line(words.prevented(one))))
    return lines + _more(len(found.prevented))


def _listed(title: str, rows: Sequence[tuple[str, str]], width: int) -> list[RenderableType]:
    """A heading and two lines for each of the first rows; nothing for no rows."""
    if not rows:
        return []
    lines = _heading(title)
    for first, second in rows[:_LISTED]:
        lines.append(Text("  " + one_line(first, width - 2)))
        lines.append(_in(one_line(second)))
    return lines + _more(len(rows))


def _in(text: str, indent: int = 4) -> RenderableType:
    return Padding(Text(text, "dim"), (0, 0, 0, indent))


def _more(total: int) -> list[RenderableType]:
    rest = total - _LISTED
    return [Text(f"  … and {rest} more: --format json or --html FILE", "dim")] if rest > 0 else []


def _cells(one: Month) -> list[object]:
    s = one.success
    replayed: list[object] = [None] * 11
    if s is not None:
        gap = s.uplift
        uplift = (gap.estimate, gap.low, gap.high) if gap else (None, None, None)
        shares = (s.at_1, s.at_3, s.recommended_at_1, s.recall, s.without_feedback, *uplift)
        rounded = [None if v is None else round(v, 4) for v in shares]
        replayed = [s.questions, s.answered, s.known, *rounded]
    helped = [one.helped.median, one.helped.cases] if one.helped else [None, 0]
    alone = [one.alone.median, one.alone.cases] if one.alone else [None, 0]
    head = [one.month, one.cases, one.fresh, one.returning, one.minutes, *helped, *alone]
    return [*head, *replayed, one.lookups, one.confident, one.with_outcome]
