"""What people said of patterns: of which claim, and on which cases they saw it.

A verdict that was given on a part of the cases (`--where`, `--since`) is one on that part: what
is rejected for pharmacies is not rejected for everybody.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kbagent.core.retrieval.filters import name_key, parse_filter
from kbagent.model.lookup import Request
from kbagent.store import decisions
from kbagent.usecases.mine.claims import Claim, kept_claim

DECISION = "pattern"
CONFIRMED, REJECTED, MUTED = "confirmed", "rejected", "muted"

Key = tuple[frozenset[tuple[str, str, str]], str]


@dataclass(frozen=True, slots=True)
class Conditions:
    """Which cases were looked at: those with these facets, opened from that day on; else all.

    >>> str(Conditions(("os=mac",), "2025-03-01"))
    'where os=mac since 2025-03-01'
    """

    where: tuple[str, ...] = ()
    since: str = ""

    @classmethod
    def of(cls, request: Request) -> "Conditions":
        """Those of a request; what else narrows it is no condition."""
        since = f"{request.since:%Y-%m-%d}" if request.since is not None else ""
        return cls(tuple(str(one) for one in request.filters), since)

    def say_all_of(self, request: Request) -> bool:
        """Whether nothing else narrows the request."""
        return request == Request("", filters=request.filters, since=request.since)

    def __bool__(self) -> bool:
        return bool(self.where or self.since)

    def __str__(self) -> str:
        parts = [f"where {', '.join(self.where)}"] if self.where else []
        return " ".join(parts + ([f"since {self.since}"] if self.since else []))

    @property
    def key(self) -> Key:
        """The same for the same conditions, in whatever order and letter case they are written."""
        parsed = (parse_filter(one) for one in self.where)
        facets = ((name_key(one.name), str(one.operator), one.value.casefold()) for one in parsed)
        return frozenset(facets), self.since


ALL_CASES = Conditions()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The latest verdict on a pattern, what that says, and where it was seen.

    `claim` is None where only words were kept that cannot be read.
    """

    handle: str
    verdict: str
    words: str
    zone: str
    claim: Claim | None
    conditions: Conditions = ALL_CASES

    @property
    def data(self) -> dict[str, Any]:
        """As a decision keeps it."""
        kept = self.claim.data if self.claim is not None else {}
        data = {"pattern": self.handle, "verdict": self.verdict, "words": self.words, **kept}
        if self.conditions:
            data |= {"where": list(self.conditions.where), "since": self.conditions.since}
        return data | {"zone": self.zone}


@dataclass(frozen=True, slots=True)
class Verdicts:
    """All that was said, the latest of each pattern and conditions, oldest first."""

    every: Mapping[tuple[str, Key], Verdict]

    def exactly(self, handle: str, here: Conditions) -> Verdict | None:
        """What was said of it under just these conditions."""
        return self.every.get((handle, here.key))

    def on(self, handle: str, here: Conditions) -> Verdict | None:
        """What counts of it here: what was said here, else of all cases, else where confirmed."""
        own = self.exactly(handle, here) or self.exactly(handle, ALL_CASES)
        if own is not None:
            return own
        others = [one for one in self.confirmed() if one.handle == handle]
        return others[-1] if others else None

    def on_all_cases(self) -> dict[str, str]:
        """The verdict on each pattern that was given on all cases, by handle."""
        every = self.every.values()
        return {one.handle: one.verdict for one in every if not one.conditions}

    def confirmed(self, here: Conditions | None = None) -> list[Verdict]:
        """The confirmed ones, anywhere or under these conditions, by handle."""
        return [
            one
            for (_, key), one in sorted(self.every.items(), key=lambda item: item[0][0])
            if one.verdict == CONFIRMED and (here is None or key == here.key)
        ]


def verdicts_of(connection: sqlite3.Connection) -> Verdicts:
    """What people said and did not take back."""
    made: dict[tuple[str, Key], Verdict] = {}
    for row in decisions.standing(connection, DECISION):
        data = row.data
        one = Verdict(
            data["pattern"],
            data["verdict"],
            data.get("words", ""),
            data.get("zone", "UTC"),
            kept_claim(data),
            Conditions(tuple(data.get("where", ())), data.get("since", "")),
        )
        made.pop(key := (one.handle, one.conditions.key), None)
        made[key] = one
    return Verdicts(made)
