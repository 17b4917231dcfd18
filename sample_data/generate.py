"""Makes `sample_data/exports` and the tables beside it from the hand-written material.

`python -m sample_data.generate` writes the same bytes on every machine: no clock, no network, no
library but the standard one. What is planted in the data is described in `README.md`.
"""

import argparse
import csv
import io
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sample_data import desks, trackers
from sample_data.plan import PlannedCase, planned, utc
from sample_data.sketches import COMPANY_ZONE
from sample_data.stories import told
from sample_data.wording import WrittenCase, written

HERE = Path(__file__).parent
_TABLE_API_SINCE = datetime(2026, 1, 1, tzinfo=COMPANY_ZONE)


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def _json_lines(rows: list[desks.Json]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _of(cases: list[WrittenCase], system: str) -> list[WrittenCase]:
    return [words for words in cases if words.facts.system == system]


def _servicenow(cases: list[WrittenCase], *, table_api: bool) -> list[WrittenCase]:
    found = _of(cases, "servicenow")
    return [w for w in found if (w.facts.opened >= _TABLE_API_SINCE) == table_api]


_EXPORTS: dict[str, Callable[[list[WrittenCase]], bytes]] = {
    "freshdesk_tickets.json": lambda c: _json(desks.freshdesk_tickets(_of(c, "freshdesk"))),
    "freshdesk_ratings.json": lambda c: _json(desks.freshdesk_ratings(_of(c, "freshdesk"))),
    "zendesk_tickets.json": lambda c: _json(desks.zendesk_tickets(_of(c, "zendesk"))),
    "zendesk_comments.jsonl": lambda c: _json_lines(desks.zendesk_comments(_of(c, "zendesk"))),
    "zendesk_ratings.json": lambda c: _json(desks.zendesk_ratings(_of(c, "zendesk"))),
    "jira_bws.csv": lambda c: b"\xef\xbb\xbf" + trackers.jira_csv(_of(c, "jira")).encode(),
    "servicenow_2024_2025.csv": lambda c: trackers.servicenow_csv(
        _servicenow(c, table_api=False)
    ).encode("cp1252", "replace"),
    "servicenow_2026.json": lambda c: _json(
        trackers.servicenow_json(_servicenow(c, table_api=True))
    ),
    "github_issues.json": lambda c: _json(trackers.github_issues(_of(c, "github"))),
    "github_comments.json": lambda c: _json(trackers.github_comments(_of(c, "github"))),
    "tackle.jsonl": lambda c: trackers.tackle_lines(_of(c, "tackle")).encode(),
}


def _table(rows: list[dict[str, object]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def _truth(case: PlannedCase) -> dict[str, object]:
    return {
        "ref": case.ref,
        "issue": case.issue,
        "resolution": case.helped,
        "failed": " ".join(t.fix for t in case.tried if not t.worked),
        "opened_at": utc(case.opened).isoformat(),
        "local_hour": case.opened.hour,
        "version": case.version,
        "os": case.os,
        "industry": case.industry,
        "state": case.state,
        "escalated": int(case.escalated),
        "satisfied": "" if case.satisfied is None else int(case.satisfied),
        "says_what_to_expect": int(case.expects),
        "duplicate_of": case.duplicate_of,
        "special": case.special,
    }


def _outcomes(cases: list[WrittenCase]) -> list[dict[str, object]]:
    """What the closing script heard weeks later: most fixes held, some did not, one row is lost."""
    settled = [w for w in cases if w.facts.system == "tackle" and w.facts.helped]
    listed = [w for w in cases if w.facts.system == "servicenow" and w.facts.state == "solved"]
    rows = [_outcome(at, words) for at, words in enumerate([*settled[-28:], *listed[-8:]])]
    return [*rows, {**rows[0], "id": "CL-0999", "case": "tackle:TK-99", "note": "case unknown"}]


def _outcome(at: int, words: WrittenCase) -> dict[str, object]:
    case = words.facts
    held = at % 9 != 4
    return {
        "id": f"CL-{at + 1:04d}",
        "case": case.ref,
        "resolution": words.notes[-1],
        "outcome": "worked" if held else "partly" if at % 2 else "failed",
        "minutes": case.minutes + 5 * (at % 4),
        "csat": ("", 1.0 if held else 0.25, 0.75 if held else 0.0)[at % 3],
        "by": case.agent,
        "at": f"2026-10-{17 + at // 3:02d}T{7 + at % 9:02d}:30:00Z",
        "note": "asked again after some weeks" if held else "came back within a week",
        "escalated": "no" if held else "yes",
    }


def files() -> dict[str, bytes]:
    """Every generated file by its path below `sample_data`."""
    cases = planned()
    words = written(cases)
    made = {f"exports/{name}": make(words) for name, make in _EXPORTS.items()}
    made["truth.csv"] = _table([_truth(case) for case in cases])
    made["outcomes.csv"] = _table(_outcomes(words))
    made["stories.json"] = _json(told(cases))
    return made


def main() -> None:
    """Write all files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    out = parser.parse_args().out
    for name, content in files().items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        print(f"{len(content):>9,}  {name}")


if __name__ == "__main__":
    main()
