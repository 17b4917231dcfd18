"""What a pattern claims, in words a team lead understands; for `patterns` and for `route`."""

from collections.abc import Mapping

from kbagent.cli.output import one_line

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
