"""What became of a confirmed pattern that is not found now, in words and by its figures."""

import shlex

from kbagent.cli.output import one_line
from kbagent.cli.page import Item, Padding, RenderableType, Text
from kbagent.cli.screens import claims
from kbagent.core.patterns.discovery import Pattern
from kbagent.usecases.mine.fates import Fate, Gone, is_retired
from kbagent.usecases.mine.patterns import Patterns, month_of
from kbagent.usecases.mine.verdicts import Conditions


def gone_lines(found: Patterns) -> list[RenderableType]:
    """What people confirmed and is not found now, each with what became of it."""
    lines: list[RenderableType] = []
    if found.gone:
        lines += [Text(""), Text("Confirmed by people, but not among those found now", "bold")]
    for one in found.gone:
        named = found.names.get(one.alone.level, "") if isinstance(one.alone, Pattern) else ""
        named = f" ‘{one_line(named, 44)}’" if named else ""
        lines.append(Item(one.handle, one_line(one.words, 160) + named, 9))
        became = _BECAME[one.fate].format(alone=_alone(one), under=claims.plainly(one.under))
        style = "yellow" if one.fate is Fate.ENDED else "dim"
        lines.append(Padding(Text(became, style), (0, 0, 0, 9)))
    return lines


_BECAME = {
    Fate.ENDED: "no longer holds: {alone}",
    Fate.FOLDED: "holds; it is told with {under}, as another side of the same",
    Fate.SAME: "holds, but says one thing twice: it is told under its other name",
    Fate.WEAK: "holds, too weakly to be told: {alone}",
    Fate.RARE: "holds, in too few cases to be told: {alone}",
    Fate.UNSURE: "holds by itself, not beyond doubt among all that is tested: {alone}",
    Fate.UNTESTED: "too few cases for any test now",
    Fate.UNKNOWN: "what it claims was not kept, so it cannot be tested; confirm it when shown",
}


def _alone(one: Gone) -> str:
    """How it does by itself; what held in some months only: how it did then, and since."""
    alone = one.alone
    if alone is None:
        return ""
    if not isinstance(alone, Pattern):
        return f"{claims.compared(alone)} within the same problem, {_chance(alone.p)}"
    if not is_retired(alone):
        return _tested(alone)
    since = f"since {month_of(alone.lifetime.last + 1):%Y-%m}: {_tested(one.since)}"
    return f"{since}; while it held, {claims.span(alone)}: {_tested(one.during)}"


def _tested(one: Pattern | None) -> str:
    return f"{claims.amount(one)}, {_chance(one.p)}" if one else "too few cases for any test"


def _chance(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def as_options(conditions: Conditions) -> str:
    """The conditions as one types them, behind a blank.

    >>> as_options(Conditions(("plan=Crew plus",), "2025-03-01"))
    " --where 'plan=Crew plus' --since 2025-03-01"
    """
    typed = [f" --where {shlex.quote(one_line(one))}" for one in conditions.where]
    return "".join(typed) + (f" --since {conditions.since}" if conditions.since else "")
