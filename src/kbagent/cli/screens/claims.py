"""What a pattern claims, and by which figures, in words a team lead understands."""

from collections.abc import Mapping

from kbagent.cli.output import one_line
from kbagent.cli.screens import figures
from kbagent.core.patterns.discovery import LevelEffect, Pattern, RankEffect
from kbagent.core.patterns.phrasing import Formulation
from kbagent.usecases.mine.patterns import month_of

FLAGS = ("escalated", "reopened")
"""Consequents that a case has or has not."""


def subject(antecedent: str, zone: str) -> str:
    """An antecedent as the beginning of a sentence.

    >>> subject("hour=18-24", "UTC"), subject("version=4.2", "UTC")
    ('Opened between 18 and 24 h UTC', 'version is 4.2')
    """
    name, sign, value = one_line(antecedent).partition("=")
    if not sign:
        return name[:1].upper() + name[1:]
    if name == "hour":
        return f"Opened between {value.replace('-', ' and ')} h {zone}"
    if name == "weekday":
        return f"Opened on {value[2:]} ({zone})"
    if name == "since release":
        return f"{value[:1].upper()}{value[1:]} after a release"
    return f"{name} is {value}"


def plainly(antecedent: str) -> str:
    """An antecedent among others, in a few words.

    >>> plainly("hour=06-12"), plainly("os=macOS 14")
    ('06 to 12 h', 'os macOS 14')
    """
    name, sign, value = one_line(antecedent, 30).partition("=")
    if name == "hour":
        return f"{value.replace('-', ' to ')} h"
    return f"{name} {value}" if sign else name


def often(lift: float) -> str:
    """A lift in words.

    >>> often(2.34), often(0.5)
    ('2.3 times as often as usual', '2.0 times as rarely as usual')
    """
    if lift >= 1:
        return f"{lift:.1f} times as often as usual"
    return f"{1 / max(lift, 1e-9):.1f} times as rarely as usual"


def better(consequent: str, excess: float) -> str:
    """Which way numbers, or a share within problems, differ."""
    more = "higher" if excess > 0 else "lower"
    if consequent == "minutes to resolve":
        return "slower" if excess > 0 else "faster"
    if consequent == "reopened":
        return "more reopened" if excess > 0 else "less reopened"
    return f"{more} {consequent}"


def level(consequent: str, code: str, names: Mapping[str, str]) -> str:
    """A level of a consequent by its name: an issue with its title, a queue as one; "" for none."""
    if not code:
        return ""
    named = names.get(code, "")
    label = "" if consequent in ("issue", "resolution") else f"{consequent} "
    return f"{label}{one_line(code, 30)}" + (f" ‘{one_line(named, 44)}’" if named else "")


def compared(one: Formulation) -> str:
    """How replies with it did beside those without: points of a share, or who stood higher."""
    if one.consequent in FLAGS:
        return f"{100 * one.excess:+.0f} points"
    return f"higher in {figures.percent((1 + one.excess) / 2)} of comparisons (half by chance)"


def amount(pattern: Pattern) -> str:
    """The counts, or the medians, and the effect within what it was compared in."""
    effect = pattern.effect
    if isinstance(effect, RankEffect):
        told = (
            f"median {effect.median_with:g} of {figures.cases(effect.exposed)},"
            f" {effect.median_without:g} of the others"
        )
        return f"{told}; effect {effect.cliffs_delta:+.2f}{_within(pattern)}"
    return _figures(effect) + _within(pattern)


def _figures(effect: LevelEffect) -> str:
    c = effect.counts
    rest, other = c.total - c.exposed, c.affected - c.both
    return (
        f"{c.both} of {c.exposed} ({_share(c.both, c.exposed)}), else {other} of"
        f" {rest} ({_share(other, rest)}); {100 * effect.adjusted.estimate:+.0f}"
        f" points [{100 * effect.adjusted.low:.0f}, {100 * effect.adjusted.high:.0f}]"
    )


def _share(part: int, whole: int) -> str:
    share = part / max(whole, 1)
    return "under 1 %" if 0 < share < 0.005 else figures.percent(share)


def _within(pattern: Pattern) -> str:
    return f" within the same {', '.join(pattern.confounders)}" if pattern.confounders else ""


def span(pattern: Pattern) -> str:
    """The months in which it held."""
    since, last = month_of(pattern.lifetime.first), month_of(pattern.lifetime.last)
    return f"{since:%Y-%m} to {last:%Y-%m}"
