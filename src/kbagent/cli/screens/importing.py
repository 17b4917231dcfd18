"""What an import did, in the words of whoever ran it."""

from dataclasses import asdict
from typing import Any

from kbagent.cli.output import one_line
from kbagent.cli.page import Group, Item, RenderableType, Text
from kbagent.model.case import CaseRecord, Verdict
from kbagent.model.importing import ImportSummary

_FACETS_SHOWN = 12
_REJECTS_SHOWN = 5
_NAME_CELLS = 12  # columns for the name of a line


def format_import(summary: ImportSummary, *, width: int = 80) -> RenderableType:
    """The screen after an import, or after its rehearsal."""
    head = "Would import" if summary.dry_run else "Imported"
    lines: list[RenderableType] = [
        Text(
            f"{head} {summary.read:,} rows of {one_line(summary.source)} ({summary.format})",
            style="bold",
        ),
        Text(f"  cases     {_cases(summary)}"),
        Text(f"  attempts  {summary.attempts:,} new, {summary.outcomes:,} with a known outcome"),
    ]
    if summary.linked:
        lines.append(Text(f"  issues    {summary.linked:,} cases share an issue with others"))
    if summary.redacted:
        shown = ", ".join(f"{number:,} {kind}" for kind, number in summary.redacted)
        lines.append(_item("redacted", shown))
    if summary.facets:
        lines.append(_item("columns", _facets(summary)))
    lines += [_item("note", one_line(note), style="yellow") for note in summary.notes]
    if summary.rejected:
        lines += _rejects(summary, width)
    if summary.dry_run:
        lines += [line for sample in summary.samples for line in _sample(sample, width)]
        lines.append(Text("Nothing was kept: this was a dry run.", style="bold"))
    else:
        lines.append(Text(f"  took      {_pace(summary)}"))
        lines.append(Text("next: kbagent search 'a problem in your own words'", style="dim"))
    return Group(*lines)


def import_json(summary: ImportSummary) -> dict[str, Any]:
    """The summary for a script."""
    values = asdict(summary)
    values["redacted"] = dict(summary.redacted)
    values["facets"] = dict(summary.facets)
    return values


def _cases(summary: ImportSummary) -> str:
    parts = [f"{summary.new:,} new"]
    if summary.changed:
        parts.append(f"{summary.changed:,} changed")
    if summary.unchanged:
        parts.append(f"{summary.unchanged:,} known and unchanged")
    if summary.rejected:
        parts.append(f"{summary.rejected:,} rejected")
    return ", ".join(parts)


def _facets(summary: ImportSummary) -> str:
    names = [one_line(name, 30) for name, _ in summary.facets[:_FACETS_SHOWN]]
    more = len(summary.facets) - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def _item(name: str, text: str, *, style: str = "") -> RenderableType:
    """A named line whose further lines stand under its text."""
    return Item(f"  {name}", text, _NAME_CELLS, style)


def _rejects(summary: ImportSummary, width: int) -> list[Text]:
    left = "1 row was" if summary.rejected == 1 else f"{summary.rejected:,} rows were"
    lines = [Text(f"  rejected  {left} left out", style="yellow")]
    for reject in summary.rejects[:_REJECTS_SHOWN]:
        text = f"{reject.place}: {reject.field}: {reject.reason}"
        lines.append(Text(f"            {one_line(text, width - 14)}", style="yellow"))
    if summary.rejects_file:
        lines.append(
            Text(f"            all of them: {one_line(summary.rejects_file)}", style="yellow")
        )
    return lines


def _sample(record: CaseRecord, width: int) -> list[Text]:
    lines = [Text(f"  sample    {one_line(f'{record.ref}  {record.title}', width - 12)}")]
    for attempt in record.attempts[:3]:
        mark = "" if attempt.verdict is Verdict.UNKNOWN else f"{attempt.verdict}: "
        lines.append(Text(f"            {one_line(mark + attempt.text, width - 12)}", style="dim"))
    return lines


def _pace(summary: ImportSummary) -> str:
    rate = summary.read / summary.seconds if summary.seconds else 0.0
    return f"{summary.seconds:,.1f} s, {rate:,.0f} rows/s, {summary.encoded:,} texts encoded"
