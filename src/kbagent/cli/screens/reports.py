"""The report in the terminal and for scripts; what was not measured is a dash or null."""

from dataclasses import asdict
from typing import Any

from kbagent.cli.output import one_line, to_csv, to_markdown
from kbagent.cli.page import Group, Padding, RenderableType, Text
from kbagent.cli.screens import figures
from kbagent.usecases.report.compounding import Month, Report, Success

HEADER = (
    "month",
    "cases",
    "new",
    "known",
    "median minutes",
    "replayed",
    "success@1",
    "success@3",
    "recall",
    "without feedback",
    "uplift",
    "low",
    "high",
    "lookups",
    "confident",
    "with outcome",
)
_LISTED = 8


def format_report(found: Report) -> RenderableType:
    """The screen."""
    if not found.cases:
        return Text("There are no cases in this period. Bring some in: kbagent import FILE")
    lines: list[RenderableType] = [
        Text(
            f"{found.cases:,} cases, {figures.period(found.since, found.until)};"
            f" {found.issues:,} issues, {found.issues_repeated:,} of them seen more than once",
            "bold",
        ),
        Text(verdict(found.success)),
        Text(""),
        Text("  month    cases new  minutes  replayed  success@1        @3  recall", "dim"),
    ]
    lines += [_month(one) for one in found.months]
    lines.append(Text(_feedback(found), "dim"))
    lines += _stories(found)
    lines += _risks(found)
    return Group(*lines)


def verdict(success: Success | None) -> str:
    """The plain sentence on whether feedback helped, on the same cases."""
    if success is None:
        return (
            "Nothing could be replayed yet: no case tells what worked, or none had a predecessor."
        )
    at_1 = f"{100 * success.at_1:.1f} %"
    plain = f"{100 * success.without_feedback:.1f} %"
    basis = (
        f"Of {success.questions:,} cases looked up again with what was known before each, what"
        f" worked stood first in {at_1}; without feedback in {plain}. More than"
        f" {100 * success.answerable / success.questions:.1f} % was not possible: on the others"
        " nothing worked that had worked before."
    )
    one = success.uplift
    interval = f"{100 * one.estimate:+.1f} points ({100 * one.low:+.1f} to {100 * one.high:+.1f})"
    if one.low > 0:
        return f"{basis} Feedback made it better by {interval}."
    if one.high < 0:
        return f"{basis} Feedback made it worse by {interval}: see `kbagent policy`."
    return f"{basis} No improvement by feedback is shown: {interval}."


def report_json(found: Report) -> dict[str, Any]:
    """The same for a script."""
    return {
        **asdict(found),
        "sentence": verdict(found.success) if found.cases else None,
        "deviations": [
            {"kind": kind, "name": name, "caught": count, "corrected": kept}
            for kind, name, count, kept in found.deviations
        ],
    }


def report_csv(found: Report) -> str:
    """The months as a table for a spreadsheet."""
    return to_csv(HEADER, [_cells(one) for one in found.months])


def report_markdown(found: Report) -> str:
    """The months as a table for a page, below the sentence."""
    table = to_markdown(HEADER, [_cells(one) for one in found.months])
    return f"{verdict(found.success)}\n\n{table}"


def _month(one: Month) -> Text:
    minutes = "–" if one.minutes is None else f"{one.minutes:,.0f}"
    line = f"  {one.month} {one.cases:>6}{one.fresh:>4}{minutes:>9}"
    if one.success is None:
        return Text(f"{line}{'–':>10}")
    s = one.success
    recall = "–" if s.recall is None else figures.percent(s.recall)
    bar = figures.bar(s.at_1, 8)
    at = f"{figures.percent(s.at_1):>5} {figures.percent(s.at_3):>6} {recall:>7}"
    return Text(f"{line}{s.questions:>10}  {bar} {at}")


def _feedback(found: Report) -> str:
    lookups = sum(one.lookups for one in found.months)
    if not lookups:
        return "Nothing was looked up in this period, so no feedback rate can be told."
    told = sum(one.with_outcome for one in found.months)
    confident = sum(one.confident for one in found.months)
    return (
        f"{lookups:,} lookups: {figures.percent(confident / lookups)} answered with confidence,"
        f" {figures.percent(told / lookups)} with an outcome reported"
    )


def _stories(found: Report) -> list[RenderableType]:
    if not found.stories:
        return []
    head = "Rare problems whose earlier instance held the answer (replayed)"
    lines: list[RenderableType] = [Text(""), Text(head, "bold")]
    for one in found.stories[:_LISTED]:
        when = f"{figures.day(one.at)}  {one_line(one.case, 30)}  {one_line(one.title, 34)}"
        lines.append(Text(f"  {when}"))
        after = f"{one.months_later} months after {one_line(one.earlier, 30)}"
        lines.append(_in(f"{after}; its fix stood at place {one.place}"))
    return lines + _more(len(found.stories))


def _risks(found: Report) -> list[RenderableType]:
    lines: list[RenderableType] = []
    if found.at_risk:
        lines += [Text(""), Text("Knowledge at risk: solved by one person only", "bold")]
        lines += [
            Text(
                f"  i{one.issue_id:<6} {one_line(one.title, 40):<40}  {one_line(one.person, 20)}"
                f" ({one.solved})"
            )
            for one in found.at_risk[:_LISTED]
        ]
        lines += _more(len(found.at_risk))
    if found.stopped:
        lines += [Text(""), Text("Fixes that stopped working", "bold")]
        for one in found.stopped[:_LISTED]:
            b = one.broke
            lines.append(
                Text(f"  r{one.resolution_id} for i{one.issue_id} {one_line(one.title, 50)}")
            )
            before = f"{figures.number(b.worked_before)} of {figures.number(b.tried_before)} before"
            since = f"{figures.number(b.worked_since)} of {figures.number(b.tried_since)} since"
            lines.append(_in(f"worked {before} {figures.day(b.at)}, {since}"))
    if found.deviations:
        caught = sum(row[2] for row in found.deviations)
        kept = sum(row[3] for row in found.deviations)
        lines += [Text(""), Text(f"Deviations: {caught} caught, {kept} corrected", "bold")]
    return lines


def _in(text: str) -> RenderableType:
    return Padding(Text(text, "dim"), (0, 0, 0, 4))


def _more(total: int) -> list[RenderableType]:
    rest = total - _LISTED
    return [Text(f"  … and {rest} more: --format json", "dim")] if rest > 0 else []


def _cells(one: Month) -> list[object]:
    s = one.success
    replayed: list[object] = [None] * 8
    if s is not None:
        values = (s.at_1, s.at_3, s.recall, s.without_feedback)
        uplift = (s.uplift.estimate, s.uplift.low, s.uplift.high)
        replayed = [s.questions, *(None if v is None else round(v, 4) for v in (*values, *uplift))]
    head = [one.month, one.cases, one.fresh, one.returning, one.minutes]
    return [*head, *replayed, one.lookups, one.confident, one.with_outcome]
