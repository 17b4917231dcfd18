"""The patterns behind a routed ticket, in words and for scripts."""

from collections.abc import Mapping, Sequence
from typing import Any

from kbagent.cli.screens import claims, figures
from kbagent.usecases.mine.routes import Routed, Routes
from kbagent.usecases.mine.signs import Sign

MOST_LINES = 4
MOST_WORDS = 4
"""Signs of one thing that a line names."""
_POINTING = ("issue", "queue", "resolution")
"""Consequents that are one of many: what makes one of them rarer is no news."""


def sign_lines(one: Routed, found: Routes, *, alone: bool = True) -> list[str]:
    """A line for each thing that the ticket's patterns point to, the strongest first.

    Where it is not `alone`, what every ticket shows by the moment it comes is left out.
    """
    own = [sign for sign in one.signs if alone or not sign.is_of_moment]
    issue = f"i{one.issue[0]}" if one.issue is not None else None
    return _lines([sign for sign in own if _is_told(sign, one)], found, issue)


def lines_of_moment(found: Routes) -> list[str]:
    """What every ticket shows by the moment it comes."""
    like = [one for one in found.routed if not one.unlike]
    return _lines([one for one in like[0].signs if one.is_of_moment], found) if like else []


def _lines(signs: Sequence[Sign], found: Routes, recognised: str | None = None) -> list[str]:
    pointed: dict[tuple[str, str, bool], list[Sign]] = {}
    for sign in signs:
        pointed.setdefault((sign.consequent, sign.level, sign.is_more), []).append(sign)
    return [_line(own, found, recognised) for own in list(pointed.values())[:MOST_LINES]]


def signs_json(signs: Sequence[Sign], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """All of them, also those that a screen does not name."""
    return [
        {
            "id": one.handle,
            "antecedent": one.antecedent,
            "consequent": one.consequent,
            "level": one.level or None,
            "name": names.get(one.level),
            "lift": round(one.strength, 3) if one.cases is not None else None,
            "cliffs_delta": round(one.strength, 3) if one.cases is None else None,
            "count": one.count,
            "cases": one.cases,
            "said": one.said or None,
        }
        for one in signs
    ]


def _is_told(sign: Sign, one: Routed) -> bool:
    """Whether it bears on what is said of the ticket, or on how it will go."""
    if sign.consequent not in _POINTING:
        return True
    if not sign.is_more:
        return False
    if sign.consequent == "issue" and one.issue is not None:
        near = one.precedent.issues if one.precedent is not None else (one.issue[0],)
        return sign.level in {f"i{key}" for key in near}
    return True


def _line(signs: Sequence[Sign], found: Routes, recognised: str | None) -> str:
    """Several signs of one thing name that thing once; a single one has its counts."""
    first = signs[0]
    known = first.level == recognised  # its title was just told
    what = first.level if known else claims.level(first.consequent, first.level, found.names)
    if len(signs) == 1:
        return (
            f"{claims.subject(first.antecedent, found.zone)}: {_told(first, what)} {_handle(first)}"
        )
    several = ", ".join(
        f"{claims.plainly(one.antecedent)} {_strength(one)} {_handle(one)}"
        for one in signs[:MOST_WORDS]
    )
    named = what if first.consequent in _POINTING else _often(first)
    return f"{named}: {several}"


def _told(one: Sign, what: str) -> str:
    if one.cases is None or one.count is None:
        return claims.better(one.consequent, one.strength)
    named = one.consequent if one.consequent in claims.FLAGS else what
    return f"{named} {claims.often(one.strength)}, {one.count} of {one.cases}"


def _often(one: Sign) -> str:
    if one.cases is None:
        return claims.better(one.consequent, one.strength)
    return f"{one.consequent} more {'often' if one.is_more else 'rarely'}"


def _strength(one: Sign) -> str:
    """In a list: 12×, or the share of comparisons in which numbers are higher."""
    if one.cases is None:
        return figures.percent((1 + one.strength) / 2)
    return f"{one.strength:.0f}×" if one.strength >= 10 else f"{one.strength:.1f}×"


def _handle(one: Sign) -> str:
    return f"({one.handle}{f', {one.said}' if one.said else ''})"
