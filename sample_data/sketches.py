"""The stories planted in the data: what is laid down about a case before chance adds the rest.

Counts that `README.md` states exactly are made here, by listing the cases.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from sample_data.catalogue import Issue

SEED = "binwright-7"
COMPANY_ZONE = timezone(timedelta(hours=2))  # Cape Town, no summer time
FIRST_DAY = datetime(2024, 9, 2, tzinfo=COMPANY_ZONE)
LAST_DAY = datetime(2026, 10, 16, tzinfo=COMPANY_ZONE)
RELEASE_42 = datetime(2026, 2, 17, tzinfo=COMPANY_ZONE)
HOTFIX_421 = datetime(2026, 3, 10, tzinfo=COMPANY_ZONE)
_BROAD = ("Food wholesale", "Manufacturing", "Logistics", "Retail")  # have customers of all tongues
NEW_HELPDESK = datetime(2025, 3, 1, tzinfo=COMPANY_ZONE)  # Freshdesk before, Zendesk after


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt: which fix, and whether it worked."""

    fix: str
    worked: bool


@dataclass(frozen=True, slots=True)
class Sketch:
    """What a story fixes about a case; the rest is drawn."""

    first: datetime = FIRST_DAY
    last: datetime = LAST_DAY
    os: str = ""
    tried: tuple[Tried, ...] | None = None
    system: str = ""
    industry: str = ""
    on: datetime | None = None


def seeded(*names: object) -> random.Random:
    """A generator of its own for everything that has a name."""
    return random.Random(":".join(map(str, (SEED, *names))))


def _tries(*names: str) -> tuple[Tried, ...]:
    """`'a', '+b'`: a failed, then b worked."""
    return tuple(Tried(name.removeprefix("+"), name.startswith("+")) for name in names)


def day_of(text: str) -> datetime:
    """Midnight of a day, company time."""
    return datetime.fromisoformat(text).replace(tzinfo=COMPANY_ZONE)


def _repeat(times: int, **facts: object) -> list[Sketch]:
    return [Sketch(**facts) for _ in range(times)]  # type: ignore[arg-type]


def _broken_fix() -> list[Sketch]:
    """Resetting the port worked 31 of 33 times before 4.2 and 1 of 7 times after it."""
    spooler, raster, head = "reset-spooler-port", "raster-print-path", "replace-printhead"
    before = {"last": RELEASE_42 - timedelta(days=1), "system": "tackle"}
    soon = {"first": RELEASE_42 + timedelta(days=2), "last": RELEASE_42 + timedelta(days=50)}
    later = {"first": RELEASE_42 + timedelta(days=52), "system": "tackle"}
    return [
        *_repeat(19, tried=_tries("+" + spooler), **before),
        *_repeat(8, tried=_tries("swap-ribbon", "+" + spooler), **before),
        *_repeat(4, tried=_tries("clean-head", "+" + spooler), **before),
        *_repeat(2, tried=_tries(spooler, "+" + head), **before),
        *_repeat(6, tried=_tries("clean-head", "+" + head), **before),
        *_repeat(6, tried=_tries(spooler, "+" + raster), system="tackle", **soon),
        *_repeat(1, tried=_tries("+" + spooler), system="tackle", **soon),
        *_repeat(11, tried=_tries("+" + raster), **later),
        *_repeat(4, tried=_tries("swap-ribbon", "+" + raster), **later),
        *_repeat(1, tried=_tries(raster, "+" + head), **later),
    ]


def _android() -> list[Sketch]:
    """HID pairing works on Android 13 (14 of 15) and fails on Android 14 (1 of 9)."""
    hid, spp = "pair-hid-sheet", "spp-nearby-permission"
    old = {"os": "Android 13", "system": "tackle"}
    new = {"os": "Android 14", "system": "tackle"}
    return [
        *_repeat(9, tried=_tries("+" + hid), **old),
        *_repeat(2, tried=_tries("charge-battery", "+" + hid), **old),
        *_repeat(1, tried=_tries(hid, "+" + spp), **old),
        *_repeat(3, tried=_tries(spp, "+" + hid), **old),
        *_repeat(1, tried=_tries("+" + hid), **new),
        *_repeat(8, tried=_tries(hid, "+" + spp), **new),
        *_repeat(4, tried=_tries("+" + spp), **new),
        *_repeat(1, tried=_tries("charge-battery", "+" + spp), **new),
        *_repeat(1, tried=_tries(spp), **new),
        *_repeat(4, tried=(), system="zendesk", first=NEW_HELPDESK),
    ]


def _billing() -> list[Sketch]:
    """A discount settles 24 of 30, an explanation of the charges 36 of 40."""
    explain, discount = "explain-charges", "give-discount"
    return [
        *_repeat(29, tried=_tries("+" + explain), system="tackle"),
        *_repeat(3, tried=_tries("refer-to-terms", "+" + explain), system="tackle"),
        *_repeat(2, tried=_tries(explain, "+" + discount), system="tackle"),
        *_repeat(2, tried=_tries(explain, discount), system="tackle"),
        *_repeat(22, tried=_tries("+" + discount), system="tackle"),
        *_repeat(4, tried=_tries(discount, "+" + explain), system="tackle"),
    ]


def _release() -> list[Sketch]:
    """Nothing before 4.2, 34 cases in the fortnight after it, 12 in the months that follow."""
    days = [0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 5, 6, 6, 6, 6, 7, 7, 7, 7, 8, 8, 8, 8, 9, 9, 9]
    days += [10, 10, 11, 12, 13, 13, 13]
    wave = [Sketch(on=RELEASE_42 + timedelta(days=day)) for day in days]
    tail = _repeat(12, first=RELEASE_42 + timedelta(days=16), last=LAST_DAY)
    return [*wave, *tail]


def _industry() -> list[Sketch]:
    """24 of 36 questions about recalls come from pharmacies."""
    others = ("Food wholesale", "Brewery", "Veterinary", "Manufacturing")
    rest = [Sketch(industry=others[i % 4]) for i in range(12)]
    return [*_repeat(24, industry="Pharmacy"), *rest]


_STORIES = {
    "broken-fix": _broken_fix,
    "android": _android,
    "billing": _billing,
    "release": _release,
    "industry": _industry,
}


def _rare(issue: Issue) -> list[Sketch]:
    """Instances months apart, each in a stretch of its own."""
    if issue.dates:
        days = [day_of(day) for day in issue.dates]
    else:
        span = (LAST_DAY - FIRST_DAY).days // issue.count
        offset = seeded("rare", issue.key).randrange(span // 3)
        days = [FIRST_DAY + timedelta(days=offset + i * span) for i in range(issue.count)]
    none = ("",) * len(days)
    tries: list[tuple[Tried, ...] | None] = [_tries(*names) for names in issue.tries]
    tries = tries or [None] * len(days)
    industries = [
        issue.industry or seeded("rare", issue.key, i).choice(_BROAD) for i in range(len(days))
    ]
    facts = zip(days, issue.systems or none, industries, tries, strict=True)
    return [
        Sketch(on=on, system=system, industry=kind, tried=tried)
        for on, system, kind, tried in facts
    ]


def sketches(issue: Issue) -> list[Sketch]:
    """One sketch for each case of the issue, in the order of their numbers."""
    if issue.story:
        return _STORIES[issue.story]()
    if issue.rare:
        return _rare(issue)
    if issue.key in {"webhook-401", "rate-limit-429"}:
        return _repeat(issue.count, system="github")
    return _repeat(issue.count, system="jira" if issue.solver else "")
