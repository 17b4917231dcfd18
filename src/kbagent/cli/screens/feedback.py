"""What feedback changed, and the ledger as people read it."""

from collections.abc import Mapping, Sequence
from typing import Any

from kbagent.cli.output import one_line
from kbagent.cli.page import Group, RenderableType, Text
from kbagent.cli.screens import figures
from kbagent.model.case import Verdict
from kbagent.model.feedback import FeedbackImport, Given
from kbagent.model.outcome import Outcome
from kbagent.store.lookups import Lookup

_STYLES = {Verdict.WORKED: "green", Verdict.PARTLY: "yellow", Verdict.FAILED: "red"}


def format_given(given: Given) -> RenderableType:
    """The screen after `worked`, `partly` or `failed`."""
    head = Text()
    head.append(f"{given.verdict}", style=_STYLES.get(given.verdict, ""))
    head.append(f"  r{given.resolution_id}  {one_line(given.text, 56)}")
    now = Text(
        f"  now {figures.number(given.worked)} of {figures.number(given.tried)} worked"
        f" on this issue · outcome {given.outcome_id}",
        style="dim",
    )
    kept = Text(f"  kept {given.case_ref} as a new instance") if given.new_case else Text("")
    undo = Text(f"  take it back: kbagent feedback undo {given.outcome_id}", style="dim")
    broke = Text(f"  {figures.stopped(given.broke)}" if given.broke else "", style="yellow")
    return Group(*[line for line in (head, now, broke, kept, undo) if line.plain])


def given_json(given: Given) -> dict[str, Any]:
    """The same for a script."""
    return {
        "outcome": given.outcome_id,
        "verdict": str(given.verdict),
        "resolution": f"r{given.resolution_id}",
        "case": given.case_ref,
        "new_case": given.new_case,
        "lookup": given.lookup,
        "tried": given.tried,
        "worked": given.worked,
        "broke": figures.broke_json(given.broke),
    }


def outcome_json(outcome: Outcome, refs: Mapping[int, str]) -> dict[str, Any]:
    """One entry of the ledger for a script."""
    return {
        "outcome": outcome.id,
        "uid": outcome.uid,
        "recorded_at": outcome.recorded_at,
        "happened_at": outcome.happened_at,
        "verdict": str(outcome.verdict),
        "source": str(outcome.source),
        "resolution": f"r{outcome.resolution_id}",
        "case": refs.get(outcome.case_id),
        "by": outcome.by,
        "note": outcome.note,
        "reason": outcome.reason,
        "csat": outcome.csat,
        "minutes": outcome.minutes,
        "escalated": outcome.escalated,
        "undoes": outcome.undoes,
    }


def format_outcomes(
    outcomes: Sequence[Outcome],
    refs: Mapping[int, str],
    texts: Mapping[int, str],
    *,
    width: int = 80,
) -> RenderableType:
    """The newest entries of the ledger, newest first."""
    if not outcomes:
        return Text("No outcome was given yet.  next: kbagent search TEXT, then kbagent worked 1")
    lines = []
    for outcome in outcomes:
        line = Text(f"{outcome.id:>6}  {figures.day(outcome.recorded_at)}  ")
        told = f"undo {outcome.undoes}" if outcome.reason == "undo" else str(outcome.verdict)
        line.append(f"{told:<8}", style=_STYLES.get(outcome.verdict, "dim"))
        line.append(f"  r{outcome.resolution_id}  {one_line(refs.get(outcome.case_id, ''), 20)}  ")
        who = f" by {one_line(outcome.by, 16)}" if outcome.by else ""
        room = max(8, width - line.cell_len - len(who))
        line.append(one_line(texts.get(outcome.resolution_id, ""), room), style="dim")
        line.append(who)
        lines.append(line)
    return Group(*lines)


def format_pending(waiting: Sequence[Lookup], *, width: int = 80) -> RenderableType:
    """Lookups of which nobody said yet what came of them."""
    if not waiting:
        return Text("No lookup waits for an outcome.")
    lines = [
        Text(f"{lookup.handle:<6} {figures.day(lookup.at)}  {one_line(lookup.query, width - 21)}")
        for lookup in waiting
    ]
    hint = Text(f"next: kbagent worked {waiting[0].handle} 1", style="dim")
    return Group(*lines, hint)


def format_feedback_import(done: FeedbackImport) -> RenderableType:
    """What an import of outcomes did."""
    lines = [
        Text(
            f"Read {done.read:,} outcomes: {done.recorded:,} recorded, {done.known:,} known before,"
            f" {len(done.rejects):,} rejected"
        )
    ]
    lines += [
        Text(f"  line {line}: {one_line(field)}: {one_line(reason)}", style="yellow")
        for line, field, reason in done.rejects[:20]
    ]
    return Group(*lines)
