"""A run of `solve` on the screen: the answer first, then a short trace, then what to type next.

The JSON is a contract: `docs/solve.schema.json`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from kbagent.cli.output import one_line, visible
from kbagent.cli.page import Group, Padding, RenderableType, Text
from kbagent.cli.screens import figures
from kbagent.usecases.solve.trace import Asked, Chosen, Ending, Run, Stage, Step, run_json

_TEXT_LINES = 4  # of a resolution; `show r17` has all of it


def format_run(run: Run, *, width: int = 80) -> RenderableType:
    """The screen of a run."""
    parts: list[RenderableType] = [_headline(run)]
    parts += [
        Padding(Text(f"note: {visible(note)}", style="yellow"), (0, 0, 0, 2)) for note in run.notes
    ]
    if run.ending is Ending.ANSWER and run.chosen is not None:
        parts += [Text(""), *_resolution(run.chosen, width)]
    if run.question is not None:
        parts += [Text(""), *_question(run.question, width)]
    parts.append(Text(""))
    parts += [Padding(Text(visible(one.text)), (0, 0, 0, 2)) for one in run.explanation]
    parts += [Text(""), Text("Steps", style="bold")]
    for number, step in enumerate(run.steps, start=1):
        parts += _step(number, step, width)
    parts += [Padding(Text(f"confidence: {run.basis}", style="dim"), (0, 0, 0, 2))]
    parts += [Text(""), _next(run)]
    return Group(*parts)


MOST_KEYS = 9  # choices that have a key of their own


def format_turn(run: Run, *, width: int = 80) -> RenderableType:
    """A run within a walk: what to do or answer now; why is told by `show RUN`."""
    parts: list[RenderableType] = [Text(""), _headline(run)]
    if run.ending is Ending.ANSWER and run.chosen is not None:
        parts += _resolution(run.chosen, width)
    if run.question is not None:
        parts += _question(run.question, width)
    if run.ending is Ending.HAND_OVER:
        parts += [Padding(Text(visible(one.text)), (0, 0, 0, 2)) for one in run.explanation]
    return Group(*parts)


def keys_of(run: Run) -> dict[str, str]:
    """The keys of this turn, each with what it means; `q` always leaves."""
    if run.question is not None:
        choices = run.question.choices[:MOST_KEYS]
        keys = {str(place): one_line(one, 14) for place, one in enumerate(choices, start=1)}
        return {**keys, "t": "tell more"}
    chosen = run.chosen
    if chosen is not None and chosen.step is not None and chosen.step < len(chosen.steps):
        return {"d": "done, as expected", "s": "stuck: next fix"}
    stuck = {"s": "stuck"} if chosen is not None and chosen.step is not None else {}
    return {"w": "it worked", "f": "it failed", **stuck, "n": "next fix"}


def format_keys(keys: Mapping[str, str]) -> str:
    """The line that says what can be pressed."""
    return " · ".join(f"[{key}] {word}" for key, word in {**keys, "q": "leave"}.items())


def leaving(run: Run) -> str:
    """The last line of a walk: how to go on from here."""
    return _next(run).plain


def solve_json(run: Run) -> dict[str, Any]:
    """The JSON contract of a run."""
    values = run_json(run)
    values["run"] = values.pop("handle")
    for name, letter in (("known", "issue"), ("chosen", "resolution")):
        if values[name] is not None:
            prefix = letter[0]
            values[name] = {
                **values[name],
                f"{letter}_id": f"{prefix}{values[name][f'{letter}_id']}",
            }
    values["excluded"] = [f"r{one}" for one in run.excluded]
    for name in ("case_id", "issue_told"):
        values.pop(name)
    return values


def _headline(run: Run) -> Text:
    line = Text()
    if run.ending is Ending.ANSWER:
        line.append("Answer", style="bold green")
    elif run.ending is Ending.ASK:
        line.append("One question first", style="bold yellow")
    else:
        what = "A new problem: hand it over" if run.new else "Hand it over to a person"
        line.append(what, style="bold yellow")
    if run.ending is Ending.HAND_OVER and run.handed_to:
        line.append(f" ({one_line(run.handed_to, 30)})")
    if run.known is not None and run.ending is Ending.ANSWER:
        line.append(f" · sure {figures.percent(run.known.confidence)}")
    if run.handle:
        line.append(" · run ")
        line.append(run.handle, style="bold")
    return line


def _resolution(chosen: Chosen, width: int) -> list[RenderableType]:
    line = Text("  ")
    line.append("[1] ", style="bold green")
    low, high = chosen.interval
    rate = f"{figures.percent(chosen.rate)} ({round(low * 100)} to {round(high * 100)})"
    told = f"{figures.number(chosen.worked)} of {figures.number(chosen.tried)} worked, {rate}"
    line.append(f"{figures.bar(chosen.rate if chosen.tried else 0.0)} ", style="green")
    line.append(told if chosen.tried else "put here by a person")
    line.append(f" · r{chosen.resolution_id}", style="dim")
    if chosen.step is None:
        text = one_line(chosen.text, _TEXT_LINES * (width - 8))
        return [line, Padding(Text(text), (0, 0, 0, 6))]
    done, expected = chosen.steps[chosen.step - 1]
    found: list[RenderableType] = [line]
    head = f"step {chosen.step} of {len(chosen.steps)}: "
    found.append(Padding(Text(head + one_line(done, 4 * (width - 8)), style="bold"), (0, 0, 0, 6)))
    if expected:
        seen = f"you should see: {one_line(expected, 2 * (width - 8))}"
        found.append(Padding(Text(seen), (0, 0, 0, 6)))
    return found


def _question(asked: Asked, width: int) -> list[RenderableType]:
    templates = {
        "issue": "Which of these is it?",
        "part": "The ticket holds several problems. Which one first?",
        "text": "What exactly happens? Name the product, or the words of the error message.",
    }
    question = templates.get(asked.facet, f"What is the {one_line(asked.facet, 40)}?")
    lines: list[RenderableType] = [Text(f"  {question}", style="bold")]
    for choice, label in zip(asked.choices, asked.labels, strict=True):
        shown = one_line(choice, 40) if choice == label else f"{one_line(choice, 12)}  "
        if choice != label:
            shown += one_line(label, width - len(shown) - 4)
        lines.append(Text(f"    {shown}"))
    return lines


def _step(number: int, step: Step, width: int) -> Sequence[RenderableType]:
    failed = [check for check in step.checks if not check.ok]
    unproven = step.stage is Stage.VERIFY and bool(failed)
    mark = "!" if step.failed else "–" if unproven else "✓"
    head = Text(f"  {number} ", style="dim")
    head.append(f"{mark} {step.stage:<10}", style="yellow" if failed and mark != "✓" else "green")
    head.append(one_line(step.output, width - head.cell_len - 1))
    lines: list[RenderableType] = [head]
    for check in failed:
        note = f"{check.name}: expected {check.expected}, saw {check.observed}"
        if check.proposal:
            note += f" (meant {check.proposal}?)"
        lines.append(Text(f"      - {one_line(note, width - 9)}", style="yellow"))
    for one in step.corrections:
        verdict = "kept" if one.kept else "did not help"
        again = ", held before" if one.remembered else ""
        said = f"{one.check} → {one.name}: {verdict}{again}; {one.result}"
        lines.append(Text(f"      ~ {one_line(said, width - 9)}", style="dim"))
    return lines


def _next(run: Run) -> Text:
    if not run.handle:
        return Text("next: kbagent search TEXT", style="dim")
    if run.question is not None:
        facet = run.question.facet
        value = run.question.choices[0] if run.question.choices else "…"
        said = f"'{one_line(facet, 24)}={one_line(value, 24)}'"
        return Text(f"next: kbagent solve --continue {run.handle} --answer {said}", style="dim")
    if run.ending is Ending.HAND_OVER:
        tail = f" | kbagent worked {run.handle} r… --case CASE" if run.known else ""
        return Text(f"next: kbagent show {run.handle}{tail} | kbagent add", style="dim")
    chosen = run.chosen
    more = f"kbagent solve --continue {run.handle}"
    if chosen is not None and chosen.step is not None and chosen.step < len(chosen.steps):
        return Text(f"next: {more}  (done) | {more} --answer step=stuck", style="dim")
    return Text(
        f"next: kbagent worked {run.handle} 1 | kbagent failed {run.handle} 1 | {more}",
        style="dim",
    )
