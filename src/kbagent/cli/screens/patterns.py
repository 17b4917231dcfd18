"""Patterns in words a team lead understands, each with its counts, its doubt and its cases."""

from collections.abc import Sequence
from typing import Any

from kbagent.cli.output import one_line, to_csv, to_markdown
from kbagent.cli.page import Group, Item, Padding, RenderableType, Row, Text
from kbagent.cli.screens import claims, figures
from kbagent.cli.screens.fates import as_options, gone_lines
from kbagent.core.patterns.casetable import Kind
from kbagent.core.patterns.discovery import LevelEffect, Pattern, RankEffect
from kbagent.core.patterns.lifetime import State
from kbagent.core.patterns.phrasing import Formulation
from kbagent.usecases.mine.fates import Gone
from kbagent.usecases.mine.patterns import FEWEST_CASES, Patterns, Told, month_of
from kbagent.usecases.mine.table import QUEUE
from kbagent.usecases.mine.verdicts import Conditions

SHARES, DELTA = "difference of shares", "Cliff's delta"
MOST_WORDS = 8
"""Words on the screen for each issue that they foretell."""
HEADER = (
    "id",
    "kind",
    "antecedent",
    "consequent",
    "level",
    "with",
    "of",
    "else",
    "of all others",
    "lift",
    "adjusted difference",
    "measure",
    "low",
    "high",
    "q",
    "within",
    "state",
    "said",
)


def format_patterns(found: Patterns, *, limit: int = 15) -> RenderableType:
    """The screen: the strongest patterns, and what only seemed to be one."""
    if found.cases < FEWEST_CASES:
        return Text(_too_few(found))
    lines: list[RenderableType] = [_head(found)]
    pointing = [one for one in found.told if _points_to_issue(one)]
    single = [one for one in found.told if not _points_to_issue(one)]
    for one in single[:limit]:
        lines += [Text(""), *_told(one, found)]
    lines += _words(pointing, found)
    if not found.found:
        lines.append(Text("Nothing goes with anything beyond what chance brings about."))
    if len(single) > limit:
        lines.append(Text(f"… and {len(single) - limit} more: -n {len(single)}", "dim"))
    lines += _apparent(found)
    places = _places(found)
    if places:
        told = "; ".join(f"{one_line(level, 40)} is where {name}" for level, name in places)
        lines += [Text(""), Text(f"Told once, under its other name: {told}", "dim")]
    if found.muted:
        are = "is" if found.muted == 1 else "are"
        lines.append(Text(f"{found.muted} rejected or muted by people {are} not shown", "dim"))
    lines += gone_lines(found)
    if found.elsewhere:
        told = "; ".join(f"{one.handle}{as_options(one.conditions)}" for one in found.elsewhere)
        text = f"Confirmed on a part of the cases, and tested when that is asked for: {told}"
        lines += [Text(""), Text(text, "dim")]
    return Group(*lines)


def format_pattern(found: Patterns, handle: str) -> RenderableType:
    """One of them in full, a word that foretells an issue too."""
    (one,) = (one for one in found.told if one.handle == handle)
    return Group(*_told(one, found))


def pattern_json(found: Patterns, handle: str) -> dict[str, Any]:
    """One of them for a script."""
    rows: list[dict[str, Any]] = patterns_json(found)["patterns"]
    return next(row for row in rows if row["id"] == handle)


def pattern_rows(found: Patterns) -> list[dict[str, Any]]:
    """One flat row per pattern, for JSON, CSV and Markdown."""
    return [_row(one, found) for one in found.told]


def patterns_json(found: Patterns) -> dict[str, Any]:
    """Everything for a script."""
    return {
        "cases": found.cases,
        "undated": found.undated,
        "with_outcome": found.with_outcome,
        "tested": found.tested,
        "min_support": found.supported,
        "found": found.found,
        "releases": [
            {"version": one.version, "at": one.at, "told": one.told} for one in found.releases
        ],
        "patterns": [
            {
                **_row(one, found),
                "months": _months(one.pattern),
                "said_under": _conditions(one.under),
                "explains": list(one.pattern.explains),
                "cases": list(one.cases),
            }
            for one in found.told
        ],
        "only_apparent": [
            {
                "antecedent": one.antecedent,
                "consequent": one.consequent,
                "level": one.level,
                "vanishes_within": one.because,
            }
            for one in found.apparent
        ],
        "zone": found.zone,
        "same_as": [{"level": level, "outcome": name} for level, name in found.same],
        "muted": found.muted,
        "confirmed_elsewhere": [
            {"id": one.handle, "claim": one.words, "under": _conditions(one.conditions)}
            for one in found.elsewhere
        ],
        "no_longer_found": [_gone_row(one) for one in found.gone],
    }


def _months(one: Pattern | Formulation | None) -> list[str] | None:
    """The first and the last month in which it holds, or held."""
    if one is None:
        return None
    span = (one.lifetime.first, one.lifetime.last) if isinstance(one, Pattern) else one.months
    return None if span is None else [f"{month_of(month):%Y-%m}" for month in span]


def _conditions(under: Conditions) -> dict[str, Any] | None:
    return {"where": list(under.where), "since": under.since or None} if under else None


def _gone_row(one: Gone) -> dict[str, Any]:
    alone = one.alone
    return {
        "id": one.handle,
        "claim": one.words,
        "fate": str(one.fate),
        "told_with": one.under or None,
        "p": None if alone is None else alone.p,
        "months": _months(alone),
        "while_it_held": one.during and {"p": one.during.p, **_effect_row(one.during)},
        "since_then": one.since and {"p": one.since.p, **_effect_row(one.since)},
    }


def patterns_csv(found: Patterns) -> str:
    """A table for a spreadsheet."""
    return to_csv(HEADER, _cells(found))


def patterns_markdown(found: Patterns) -> str:
    """A table for a page."""
    return to_markdown(HEADER, _cells(found))


def _cells(found: Patterns) -> list[list[object]]:
    return [[row.get(name) for name in HEADER] for row in pattern_rows(found)]


def _row(one: Told, found: Patterns) -> dict[str, Any]:
    pattern = one.pattern
    base: dict[str, Any] = {"id": one.handle, "kind": str(one.kind), "said": one.said or None}
    if not isinstance(pattern, Pattern):
        return base | {
            "antecedent": f"reply: {pattern.phrase}",
            "consequent": pattern.consequent,
            "level": None,
            "with": None,
            "of": pattern.cases,
            "adjusted difference": round(pattern.excess, 4),
            "measure": SHARES if pattern.consequent in claims.FLAGS else DELTA,
            "q": pattern.q,
            "within": "issue, system",
            "state": "holding",
        }
    base |= {
        "antecedent": pattern.antecedent,
        "consequent": pattern.consequent,
        "level": claims.level(pattern.consequent, pattern.level, found.names) or None,
        "q": pattern.q,
        "within": ", ".join(pattern.confounders) or None,
        "state": str(pattern.lifetime.state),
        "reversal": pattern.reversal,
    }
    return base | _effect_row(pattern)


def _effect_row(pattern: Pattern) -> dict[str, Any]:
    """The counts, or the medians, and the effect."""
    effect = pattern.effect
    if isinstance(effect, RankEffect):
        return {
            "of": effect.exposed,
            "of all others": effect.total - effect.exposed,
            "median with": effect.median_with,
            "median else": effect.median_without,
            "adjusted difference": round(effect.cliffs_delta, 4),
            "measure": DELTA,
        }
    counts = effect.counts
    return {
        "with": counts.both,
        "of": counts.exposed,
        "else": counts.affected - counts.both,
        "of all others": counts.total - counts.exposed,
        "lift": round(effect.lift, 3),
        "shrunk lift": round(effect.shrunk_lift, 3),
        "adjusted difference": round(effect.adjusted.estimate, 4),
        "measure": SHARES,
        "low": round(effect.adjusted.low, 4),
        "high": round(effect.adjusted.high, 4),
    }


def _places(found: Patterns) -> list[tuple[str, str]]:
    """(queue, which cases are there) of the queues that are other names of an outcome.

    Of those only that one looks for in this view: it tells of that outcome, or of queues.
    """
    about = {one.pattern.consequent for one in found.told}
    return [
        (level, f"cases not {name[4:]} are" if name.startswith("not ") else f"{name} cases are")
        for level, name in found.same
        if not about.isdisjoint((QUEUE, name.removeprefix("not ")))
    ]


def _too_few(found: Patterns) -> str:
    if not found.cases:
        where = f"what was asked for ({one_line(', '.join(found.where), 80)})"
        return figures.nothing_there(found.there, *([where] if found.where else []))
    cases = "1 case" if found.cases == 1 else f"{found.cases} cases"
    return f"{cases}: too few to tell a pattern from chance; {FEWEST_CASES} are needed."


def _head(found: Patterns) -> Text:
    shown = f"{len(found.told)} of " if len(found.told) != found.found else ""
    head = Text(f"{shown}{found.found} pattern{'s' * (found.found != 1)}", "bold")
    head.append(
        f" in {found.cases:,} cases{_undated(found)}, of {found.tested:,} pairs tested;"
        " at most 5 % of the patterns should be false. What goes together need not be cause and"
        " effect."
    )
    if not found.with_outcome:
        head.append(" No case tells how it ended, so only problems and queues were looked at.")
    return head


def _undated(found: Patterns) -> str:
    """How many cases were left out for want of a date."""
    if not found.undated:
        return ""
    have, are = ("has", "is") if found.undated == 1 else ("have", "are")
    return f" ({found.undated:,} more {have} no date and {are} left out)"


def _points_to_issue(one: Told) -> bool:
    pattern = one.pattern
    return (
        isinstance(pattern, Pattern)
        and pattern.consequent == "issue"
        and pattern.kind in (Kind.KEYWORD, Kind.PHRASING)
    )


def _words(pointing: Sequence[Told], found: Patterns) -> list[RenderableType]:
    """The words and the form that foretell an issue, issue by issue: what a router would see.

    Each with the id by which it can be confirmed, rejected or muted.
    """
    if not pointing:
        return []
    by_issue: dict[str, list[str]] = {}
    for one in pointing:
        pattern = one.pattern
        if isinstance(pattern, Pattern) and isinstance(pattern.effect, LevelEffect):
            if pattern.z < 0:  # what an issue is not about is no news
                continue
            told = f"{one_line(pattern.antecedent, 30)} {pattern.effect.lift:.0f}×"
            said = _said(one)
            told += f" ({one.handle}, {said})" if said else f" ({one.handle})"
            name = claims.level(pattern.consequent, pattern.level, found.names)
            by_issue.setdefault(name, []).append(told)
    lines: list[RenderableType] = [Text(""), Text("Words and form that foretell an issue", "bold")]
    for name, shown in by_issue.items():
        lines.append(Text(f"  {name}"))
        left = len(shown) - MOST_WORDS
        things = [*shown[:MOST_WORDS], *([f"and {left} more in --format json"] if left > 0 else [])]
        lines.append(Padding(Row(tuple(things), "dim"), (0, 0, 0, 4)))
    return lines


def _told(one: Told, found: Patterns) -> list[RenderableType]:
    pattern = one.pattern
    subject = claims.subject(
        pattern.antecedent if isinstance(pattern, Pattern) else pattern.phrase, found.zone
    )
    if isinstance(pattern, Pattern):
        sentence, figures_line = _pattern(pattern, found)
        notes = _notes(pattern)
    else:
        sentence = claims.better(pattern.consequent, pattern.excess)
        figures_line = (
            f"{claims.compared(pattern)} within the same problem; {pattern.cases} replies in"
            f" {pattern.issues} problems that were answered both ways"
        )
        subject, notes = f"Replies with {one_line(pattern.phrase)}", []
        if (months := _months(pattern)) is not None:
            notes.append(f"written from {months[0]} to {months[1]}")
    said = _said(one)
    mark = f"  ({said})" if said else ""
    lines: list[RenderableType] = [
        Item(one.handle, f"{subject}: {sentence}{mark}", 9, "bold"),
        Padding(Text(figures_line), (0, 0, 0, 9)),
    ]
    if pattern.explains:
        named = ", ".join(claims.plainly(name) for name in pattern.explains[:4])
        notes.append(f"told with it, as another side of the same: {named}")
    if one.cases:
        notes.append("such as " + ", ".join(one_line(ref, 24) for ref in one.cases[:3]))
    lines += [Padding(Text(note, "dim"), (0, 0, 0, 9)) for note in notes]
    return lines


def _said(one: Told) -> str:
    """What people said of it, and of which cases."""
    if not (one.said and one.under):
        return one.said
    return f"{one.said} on cases {one_line(str(one.under), 60)}"


def _pattern(pattern: Pattern, found: Patterns) -> tuple[str, str]:
    effect = pattern.effect
    if isinstance(effect, RankEffect):
        return claims.better(pattern.consequent, effect.cliffs_delta), claims.amount(pattern)
    plain = pattern.consequent in claims.FLAGS
    what = (
        pattern.consequent
        if plain
        else claims.level(pattern.consequent, pattern.level, found.names)
    )
    return f"{what} {claims.often(effect.lift)}", claims.amount(pattern)


def _notes(pattern: Pattern) -> list[str]:
    notes = []
    life = pattern.lifetime
    if life.state is State.RETIRED:
        notes.append(f"no longer holds: {claims.span(pattern)} only")
    elif life.state is State.ENDED:
        notes.append(f"cases from {claims.span(pattern)}; none since")
    else:
        notes.append(f"holds since {month_of(life.first):%Y-%m}")
    if pattern.reversal:
        notes.append("looks the other way round until like is compared with like")
    if pattern.aliases:
        notes.append(f"cannot be told apart from {', '.join(pattern.aliases[:4])}")
    return notes


def _apparent(found: Patterns) -> Sequence[RenderableType]:
    if not found.apparent:
        return []
    lines: list[RenderableType] = [Text(""), Text("Only seems so", "bold")]
    for one in found.apparent[:3]:
        named = found.names.get(one.level, "")
        level = one_line(one.level, 30) + (f" ‘{one_line(named, 44)}’" if named else "")
        lines.append(
            Padding(
                Text(
                    f"{one_line(one.antecedent, 40)} and {one.consequent} {level}: vanishes within"
                    f" the same {one_line(one.because)}",
                    "dim",
                ),
                (0, 0, 0, 2),
            )
        )
    return lines
