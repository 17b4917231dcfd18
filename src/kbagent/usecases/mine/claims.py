"""What a pattern claims, apart from all counts: its handle, its words, and how both are kept.

A verdict of a person is on a claim, which outlives the cases it was seen on. Tests nothing.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kbagent.core.patterns.casetable import Kind
from kbagent.core.patterns.discovery import Pattern
from kbagent.core.patterns.phrasing import Formulation

_PATTERN = re.compile(
    r"(?P<antecedent>.+), (?P<consequent>issue|resolution|escalated|reopened|queue|satisfaction"
    r"|minutes to resolve)(?: (?P<level>.+?))?(?P<less>, more rarely)?",
    re.DOTALL,
)
_REPLY = re.compile(
    r"replies with (?P<antecedent>.+), (?P<consequent>satisfaction|reopened)(?P<less>, lower)?",
    re.DOTALL,
)
_TIMES = ("hour=", "weekday=")


@dataclass(frozen=True, slots=True)
class Claim:
    """That the antecedent goes with the consequent: more often, or `less`.

    `level` is "" for numbers and for formulations of `reply`s.
    """

    antecedent: str
    consequent: str
    level: str
    kind: Kind
    less: bool
    reply: bool = False

    @classmethod
    def of(cls, one: Pattern | Formulation) -> "Claim":
        """What this one claims."""
        if isinstance(one, Pattern):
            return cls(one.antecedent, one.consequent, one.level, one.kind, one.z < 0)
        return cls(one.phrase, one.consequent, "", Kind.PHRASING, one.z < 0, reply=True)

    @property
    def words(self) -> str:
        """In a few words without figures: version=4.2, issue i94."""
        if self.reply:
            return f"replies with {self.antecedent}, {self.consequent}{', lower' * self.less}"
        more = f"{self.consequent} {self.level}".strip()
        return f"{self.antecedent}, {more}{', more rarely' * self.less}"

    def handle(self, zone: str) -> str:
        """`p` and six digits; the same hours in another time zone are other hours."""
        text = f"{self.antecedent}\0{self.consequent}\0{'reply' if self.reply else self.level}"
        if self.kind is Kind.TIMING and zone != "UTC":
            text += f"\0{zone}"
        text += "\0less" * self.less
        return "p" + hashlib.blake2b(text.encode(), digest_size=3).hexdigest()

    @property
    def data(self) -> dict[str, Any]:
        """As a decision keeps it."""
        return {
            "antecedent": self.antecedent,
            "consequent": self.consequent,
            "level": self.level,
            "kind": str(self.kind),
            "less": self.less,
            "reply": self.reply,
        }


def kept_claim(data: Mapping[str, Any]) -> Claim | None:
    """The claim that a decision was on; of old ones, which have its words only, read from them.

    None where the words are no claim with this handle.
    """
    if "antecedent" in data:
        return Claim(
            data["antecedent"],
            data["consequent"],
            data["level"],
            Kind(data["kind"]),
            data["less"],
            data["reply"],
        )
    words, handle, zone = data.get("words", ""), data["pattern"], data.get("zone", "UTC")
    claims = (_read(found) for one in (_REPLY, _PATTERN) if (found := one.fullmatch(words)))
    return next((claim for claim in claims if claim.handle(zone) == handle), None)


def _read(found: re.Match[str]) -> Claim:
    antecedent, reply = found["antecedent"], found.re is _REPLY
    level = "" if reply else found["level"] or ""
    kind = Kind.TIMING if antecedent.startswith(_TIMES) else Kind.COHORT
    kind = Kind.PHRASING if reply else kind
    return Claim(antecedent, found["consequent"], level, kind, bool(found["less"]), reply)
