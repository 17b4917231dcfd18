"""Backups, restored knowledge bases, and cases as other programs read them."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from kbagent.cli.output import one_line, to_csv, to_json, to_markdown
from kbagent.cli.page import Group, RenderableType, Text
from kbagent.model.case import Verdict
from kbagent.usecases.maintain.case_export import ExportedCase
from kbagent.usecases.maintain.copies import Copied

_HEADER = ("case", "title", "status", "opened", "closed", "tried", "worked", "body", "url")
_TABLE = ("case", "title", "status", "opened", "tried", "worked")


def format_copied(what: str, done: Copied) -> RenderableType:
    """What a backup, an export or a restored knowledge base holds."""
    lines = [
        Text(f"{what} {one_line(str(done.path))}", style="bold"),
        Text(
            f"  {done.cases:,} cases, {done.outcomes:,} outcomes, {done.lookups:,} lookups,"
            f" {done.size / 1e6:,.1f} MB, {done.seconds:,.1f} s"
        ),
    ]
    if done.kept is not None:
        lines.append(Text(f"  the former one is kept: {one_line(str(done.kept))}"))
    if not done.vectors:
        lines.append(Text("  without vectors: `kbagent reindex` makes them from the texts"))
    return Group(*lines)


def copied_json(done: Copied) -> dict[str, Any]:
    """The same for a script."""
    return {
        "path": str(done.path),
        "cases": done.cases,
        "outcomes": done.outcomes,
        "lookups": done.lookups,
        "bytes": done.size,
        "seconds": round(done.seconds, 3),
        "vectors": done.vectors,
        "kept": str(done.kept) if done.kept else None,
    }


def cases_jsonl(exported: Iterable[ExportedCase]) -> Iterator[str]:
    """One JSON object a case; `kbagent import --format kbagent` reads them."""
    for one in exported:
        case = one.case
        value = {
            "source": case.source,
            "external_id": case.external_id,
            "title": case.title,
            "body": case.body,
            "status": str(case.status),
            "opened_at": _moment(case.opened_at),
            "closed_at": _moment(case.closed_at),
            "url": case.url,
            "csat": case.csat,
            "minutes": case.minutes,
            "escalated": case.escalated,
            "facets": [list(pair) for pair in one.facets],
            "attempts": [
                {
                    "text": text,
                    "verdict": str(tried.verdict),
                    "at": _moment(tried.at),
                    "by": tried.by,
                }
                for tried, text in one.attempts
            ],
        }
        yield to_json(value, indent=None)


def cases_csv(exported: Iterable[ExportedCase]) -> Iterator[str]:
    """A CSV for spreadsheets: formulas are text in it."""
    head = to_csv(_HEADER, [])
    yield head
    for one in exported:
        yield to_csv(_HEADER, [_row(one)])[len(head) :]


def cases_markdown(exported: Iterable[ExportedCase]) -> Iterator[str]:
    """A table for people, without the bodies."""
    rows = [_row(one) for one in exported]
    yield to_markdown(_TABLE, [(*row[:4], row[5], row[6]) for row in rows])


def _row(one: ExportedCase) -> tuple[object, ...]:
    case = one.case
    tried = " | ".join(text for _, text in one.attempts)
    worked = " | ".join(text for some, text in one.attempts if some.verdict is Verdict.WORKED)
    opened, closed = _moment(case.opened_at), _moment(case.closed_at)
    return (
        case.ref,
        case.title,
        str(case.status),
        opened,
        closed,
        tried,
        worked,
        case.body,
        case.url,
    )


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
