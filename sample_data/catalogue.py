"""The hand-written material as frozen dataclasses: issues, fixes, voices, the company.

Reads `material/*.toml` and nothing else. Does not choose anything; that is the plan's work.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

Table = dict[str, Any]
"""A TOML table: free in shape, checked by the tests that read all of it."""

FOLDER = Path(__file__).parent / "material"
_ISSUE_FILES = ("sync", "labels", "accounts", "server", "pocket", "reports", "link")
_LANGUAGES = ("de", "es", "fr")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A hand-written text and the language it is in (`[de] …` in the material)."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Fix:
    """One approach: its key, its wordings, and how often it is the one that helps (weight)."""

    key: str
    texts: tuple[Phrase, ...]
    share: int = 0


@dataclass(frozen=True, slots=True)
class Issue:
    """One underlying problem with everything that was written about it."""

    key: str
    component: str
    count: int
    rare: bool
    titles: tuple[Phrase, ...]
    bodies: tuple[Phrase, ...]
    fixes: tuple[Fix, ...]
    wrong: tuple[Fix, ...]
    sign: str
    story: str
    human: str
    os: tuple[str, ...]
    dates: tuple[str, ...]
    systems: tuple[str, ...]
    industry: str
    tries: tuple[tuple[str, ...], ...]
    linked: bool
    solver: str

    def fix(self, key: str) -> Fix:
        """The fix or wrong attempt of that key."""
        return next(fix for fix in (*self.fixes, *self.wrong) if fix.key == key)


def _phrase(text: str) -> Phrase:
    for language in _LANGUAGES:
        if text.startswith(f"[{language}] "):
            return Phrase(text[5:], language)
    return Phrase(text, "en")


def _fixes(tables: list[Table]) -> tuple[Fix, ...]:
    return tuple(
        Fix(table["key"], tuple(map(_phrase, table["texts"])), table.get("share", 0))
        for table in tables
    )


def _issue(table: Table) -> Issue:
    return Issue(
        key=table["key"],
        component=table["component"],
        count=table.get("count", 0) or table["rare"],
        rare="rare" in table,
        titles=tuple(map(_phrase, table["t"])),
        bodies=tuple(map(_phrase, table["b"])),
        fixes=_fixes(table["fix"]),
        wrong=_fixes(table.get("wrong", [])),
        sign=table.get("sign", ""),
        story=table.get("story", ""),
        human=table.get("human", ""),
        os=tuple(table.get("os", ())),
        dates=tuple(table.get("dates", ())),
        systems=tuple(table.get("systems", ())),
        industry=table.get("industry", ""),
        tries=tuple(map(tuple, table.get("tries", ()))),
        linked=table.get("linked", False),
        solver=table.get("risk", ""),
    )


def _toml(name: str) -> Table:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def issues() -> dict[str, Issue]:
    """All issues by key, in the order of the material."""
    found = [_issue(table) for name in _ISSUE_FILES for table in _toml(name)["issue"]]
    return {issue.key: issue for issue in found}


@cache
def company() -> Table:
    """Releases, agents, customers, operating systems, and the texts that belong to no issue."""
    return _toml("company")


@cache
def voices() -> Table:
    """Openers, closers, greetings and other fragments, by language."""
    return _toml("voices")


@cache
def languages() -> dict[str, str]:
    """The language a customer writes in besides English; customers not named have only English."""
    table = _toml("languages")
    return {customer: language for language in _LANGUAGES for customer in table[language]}
