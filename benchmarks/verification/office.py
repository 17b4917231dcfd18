"""Synthetic offices: knowledge bases whose issues, fixes and outcomes are known.

Each office has families of problems in several phrasings, two or three fixes for each of which one
is best (on one version range another), a fix that broke with a release, a deprecated one. Another
seed draws other families; tuning and reporting use different seeds and disjoint families.
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase, create_knowledge_base
from kbagent.store.readers import open_export
from kbagent.usecases.retain.importing import ImportOptions, import_cases

THINGS = {
    "tuning": [
        ("mailbox", "messages stay in the outbox", "mail"),
        ("calendar", "meetings show at the wrong hour", "calendar"),
        ("wireless network", "laptops drop off every few minutes", "network"),
        ("backup job", "the nightly run stops halfway", "backup"),
        ("badge reader", "cards are refused at the door", "access"),
        ("scanner", "scanned pages come out black", "devices"),
        ("payroll", "overtime is counted twice", "payroll"),
        ("telephone", "callers hear no ringing tone", "phone"),
        ("web shop", "the basket empties itself at checkout", "shop"),
        ("video meeting", "the other side cannot hear anything", "meetings"),
        ("spreadsheet", "formulas turn into plain text", "office"),
        ("search page", "results are weeks out of date", "search"),
    ],
    "reporting": [
        ("label printer", "stickers come out without any text", "devices"),
        ("database server", "queries wait on a lock for minutes", "database"),
        ("mobile app", "the app closes itself right after start", "mobile"),
        ("file share", "folders cannot be opened from home", "files"),
        ("single sign on", "users are sent round in circles", "login"),
        ("invoice run", "tax is missing on foreign bills", "billing"),
        ("warehouse stock", "quantities fall below zero", "stock"),
        ("map view", "pins appear in the middle of the sea", "maps"),
        ("password reset", "the mail with the link never arrives", "accounts"),
        ("report builder", "charts are drawn with no bars", "reports"),
        ("temperature sensor", "readings jump by a hundred degrees", "sensors"),
        ("translation", "umlauts become question marks", "language"),
    ],
}
FRAMES = (
    "{thing}: {symptom}",
    "since this morning {symptom} ({thing})",
    "our customer says about the {thing} that {symptom}",
    "please help, {thing} problem, {symptom}",
    "{symptom} again with the {thing} in the branch office",
    "trouble with the {thing} after the weekend, {symptom}",
)
FIXES = (
    "cleared the cache of the {thing} and restarted it",
    "reinstalled the {thing} component from the package",
    "switched the {thing} to the alternative transport in its settings",
)
VERSIONS = ("4.1", "4.2", "4.3")
SYSTEMS = ("Windows 10", "Windows 11")
START = datetime(2025, 1, 6, 9, tzinfo=UTC)
MEMBERS = 10  # cases of a family
NEXT_RELEASE = timedelta(days=240)


@dataclass(frozen=True, slots=True)
class Family:
    """One problem: its words, and which of its fixes works on which version.

    `broken` is the fix that worked until the release and failed since, if there is one.
    """

    number: int
    thing: str
    symptom: str
    component: str
    best: dict[str, str]
    broken: str | None
    issue_id: int = 0


@dataclass(frozen=True, slots=True)
class Office:
    """An office with its knowledge base; `families` in the order of their numbers."""

    kb: KnowledgeBase
    families: tuple[Family, ...]


@dataclass
class Clock:
    now: datetime

    def __call__(self) -> datetime:
        return self.now


def make_office(folder: Path, encoder: Encoder, kind: str, rng: np.random.Generator) -> Office:
    """A knowledge base with one issue for each family, all linked, outcomes imported."""
    kb = create_knowledge_base(folder, clock=Clock(START + timedelta(days=400)))
    families, rows = [], []
    for number, (thing, symptom, component) in enumerate(THINGS[kind]):
        fixes = [f.format(thing=thing) for f in rng.permutation(np.array(FIXES)).tolist()]
        broken = fixes[2] if number % 3 == 0 else None
        best = dict.fromkeys(VERSIONS, fixes[0])
        if number % 3 == 1:
            best["4.3"] = fixes[1]
        family = Family(number, thing, symptom, component, best, broken)
        families.append(family)
        rows += cases_of(family, rng)
    path = folder.with_suffix(".jsonl")
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    export = open_export([path], format="kbagent")
    import_cases(kb, encoder, export, ImportOptions((path.name,), None), lambda _: None)
    return Office(kb, tuple(replace(one, issue_id=issue_of(kb, one)) for one in families))


def issue_of(kb: KnowledgeBase, family: Family) -> int:
    row = kb.connection.execute(
        """SELECT issue_id FROM memberships JOIN cases ON cases.id = case_id
        WHERE external_id = ?""",
        (f"{family.number}-0",),
    ).fetchone()
    return int(row[0])


def phrased(family: Family, frame: str) -> str:
    return frame.format(thing=family.thing, symptom=family.symptom)


def cases_of(family: Family, rng: np.random.Generator) -> list[dict[str, Any]]:
    """The family's cases as a `kbagent` export writes them."""
    rows = []
    for n in range(MEMBERS):
        version = VERSIONS[n % len(VERSIONS)]
        opened = START + timedelta(days=35 * n + family.number)
        after = opened >= START + NEXT_RELEASE
        attempts = []
        if family.broken is not None:
            attempts.append((family.broken, "failed" if after else "worked"))
        wrong = [f for f in _all_fixes(family) if f not in (family.best[version], family.broken)]
        if wrong and rng.random() < 0.5:
            attempts.append((wrong[0], "failed"))
        if family.broken is None or after:
            attempts.append((family.best[version], "worked"))
        rows.append(
            {
                "source": "office",
                "external_id": f"{family.number}-{n}",
                "title": phrased(family, FRAMES[n % len(FRAMES)]),
                "body": f"Version {version} on {SYSTEMS[n % 2]}.",
                "status": "resolved",
                "opened_at": opened.isoformat(),
                "facets": {
                    "version": version,
                    "os": SYSTEMS[n % 2],
                    "component": family.component,
                },
                "attempts": [
                    {"text": text, "verdict": verdict, "at": opened.isoformat()}
                    for text, verdict in attempts
                ],
                "links": [{"kind": "duplicate", "external_id": f"{family.number}-0"}] if n else [],
            }
        )
    return rows


def _all_fixes(family: Family) -> list[str]:
    return [f.format(thing=family.thing) for f in FIXES]
