"""Alarms on two and a half years of Thunderbird questions, with what is behind each."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from benchmarks.learning.table import Row
from kbagent.core.patterns.bursts import Burst, bursts
from kbagent.core.patterns.casetable import Codes, Kind, features_from
from kbagent.core.patterns.rises import Behind, attribute, behind
from kbagent.core.patterns.terms import term_rows, words

LEAST_CASES = 40
"""Cases in which a word must occur over the two and a half years to be watched."""
RELEASES = {"102.7": date(2023, 1, 17), "115.0": date(2023, 7, 11), "128.0": date(2024, 7, 11)}
"""Feature releases that Mozilla announced in the time of the data (102.7 broke sign-in)."""
WAVE = ("115", "supernova")
SAME_ALARM_DAYS = 21
"""Days by which an alarm may move when the method changes and still be the one judged."""
JUDGMENTS = Path(__file__).with_name("judgments.csv")


@dataclass(frozen=True)
class Alarm:
    """One event as a person would read it."""

    told: date
    began: date
    burst: Burst
    features: list[Behind]
    release: str
    verdict: str
    note: str


def alarms(texts: Sequence[str], created: Sequence[date]) -> list[Alarm]:
    """The events, in the order told; `created` ascends."""
    rows = term_rows((words(t) for t in texts), LEAST_CASES)
    first = created[0]
    days = np.array([(d - first).days for d in created])
    weekdays = (np.arange(days.max() + 1) + first.weekday()) % 7
    found = bursts(rows, days, weekdays)
    known = judgments()
    return [_alarm(b, rows, days, first, known) for b in found]


@dataclass(frozen=True)
class Judgment:
    """What a person who read the cases of an alarm thought of it."""

    told: date
    word: str
    verdict: str
    note: str


def judgments() -> list[Judgment]:
    """As written down by whoever read the list."""
    with JUDGMENTS.open(encoding="utf-8", newline="") as file:
        return [
            Judgment(date.fromisoformat(r["told"]), r["word"], r["verdict"], r["note"])
            for r in csv.DictReader(file)
        ]


def judged(told: date, word: str, known: Sequence[Judgment]) -> Judgment:
    """The judgment of this alarm: the same word, told within three weeks, the nearest one."""
    same = [j for j in known if j.word == word and abs((j.told - told).days) <= SAME_ALARM_DAYS]
    nearest = min(same, key=lambda j: abs((j.told - told).days), default=None)
    return nearest or Judgment(told, word, "", "not judged")


def _alarm(
    b: Burst,
    rows: dict[str, Codes],
    days: np.ndarray,
    first: date,
    known: Sequence[Judgment],
) -> Alarm:
    told = first + timedelta(b.told)
    read = judged(told, b.words[0], known)
    counts = np.bincount(days[rows[b.words[0]]], minlength=int(days.max()) + 1)
    release = attribute(counts, b.began, b.told, [(d - first).days for d in RELEASES.values()])
    return Alarm(
        told,
        first + timedelta(b.began),
        b,
        _behind(b, rows, days),
        list(RELEASES)[release.release] if release else "",
        read.verdict,
        read.note,
    )


def _behind(b: Burst, rows: dict[str, Codes], days: np.ndarray) -> list[Behind]:
    """The words that set its cases apart from the other cases of the same weeks."""
    near = np.flatnonzero((days >= b.began - 28) & (days <= b.latest))
    outside = np.setdiff1d(near, b.cases).astype(np.int32)
    others = [(w, Kind.KEYWORD, r) for w, r in rows.items() if w not in b.words]
    return behind(b.cases, outside, features_from(others))


def alarm_rows(found: list[Alarm]) -> list[Row]:
    wave = [a for a in found if any(p in WAVE for w in a.burst.words for p in w.split(" "))]
    after = [a for a in wave if a.told >= RELEASES["115.0"]]
    first = after[0] if after else None
    delay = (first.told - RELEASES["115.0"]).days if first else None
    months = (found[-1].told - found[0].told).days / 30.4 if found else 0
    verdicts = [a.verdict for a in found]
    shown = ", ".join(f"{v or 'not judged'} {verdicts.count(v)}" for v in sorted(set(verdicts)))
    return [
        Row(
            "real text: the release of 115.0 on 2023-07-11",
            "bursts of words",
            "told within 7 days, version or fitting words among its features",
            f"told {first.told} (day {delay}): {', '.join(first.burst.words[:5])}; behind it "
            f"{', '.join(x.feature for x in first.features)}"
            if first
            else "never told",
            delay is not None and delay <= 7,
        ),
        Row(
            "real text: alarms in the whole time",
            "bursts of words",
            "–",
            f"{len(found)} alarms in {months:.0f} months; judged: {shown}",
        ),
    ]


def alarm_list(found: list[Alarm]) -> str:
    """The list a person reads, as a Markdown table."""
    lines = [
        "| told | began | cases (expected) | words | behind it | release | judgment | why |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for a in found:
        shown = ", ".join(a.burst.words[:6])
        features = ", ".join(f"{x.feature} ×{x.lift:.1f}" for x in a.features)
        count = f"{a.burst.rise.observed} ({a.burst.rise.expected:.1f})"
        cells = (a.told, a.began, count, shown, features, a.release, a.verdict, a.note)
        lines.append("| " + " | ".join(str(c).replace("|", "/") for c in cells) + " |")
    return "\n".join(lines) + "\n"
