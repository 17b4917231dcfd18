"""Writes cases as the other systems export them: Jira (second level), ServiceNow (hosting
customers), GitHub (the open connectors) and Tackle (field service and billing, home-grown).

Shapes as documented by the vendors: Jira Cloud CSV with repeated columns, ServiceNow list CSV and
Table API JSON with `sysparm_display_value=all`, GitHub REST issues and issue comments.
"""

import csv
import io
import json
from datetime import datetime, timedelta
from zlib import crc32

from sample_data import catalogue
from sample_data.desks import Json, identity, known, priority, stamp
from sample_data.plan import PlannedCase, utc
from sample_data.sketches import COMPANY_ZONE
from sample_data.wording import WrittenCase

_COMMENTS = 6
_JIRA_COLUMNS = [
    "Summary", "Issue key", "Issue id", "Issue Type", "Status", "Project key", "Project name",
    "Priority", "Resolution", "Assignee", "Assignee Id", "Reporter", "Reporter Id", "Creator", "Created", "Updated",
    "Resolved", "Affects versions", "Affects versions", "Components", "Labels", "Labels", "Labels",
    "Description", "Environment", "Inward issue link (Duplicate)", "Outward issue link (Duplicate)",
    "Custom field (Industry)", "Custom field (Plan)", "Custom field (Operating system)",
    "Satisfaction rating", *["Comment"] * _COMMENTS,
]  # fmt: skip


def _jira_date(moment: datetime | None) -> str:
    if moment is None:
        return ""
    local = moment.astimezone(COMPANY_ZONE)
    return f"{local.day:02d}/{local:%b/%y} {local.hour % 12 or 12}:{local:%M %p}"


def _jira_row(words: WrittenCase, inward: dict[str, str]) -> list[str]:
    case, values = words.facts, known(words.facts)
    status, resolution = {
        "solved": ("Done", "Done"),
        "duplicate": ("Done", "Duplicate"),
        "unanswered": ("Done", "Cannot Reproduce"),
        "reopened": ("Reopened", ""),
    }.get(case.state, ("In Progress", ""))
    labels = [
        label
        for label in ("escalated" if case.escalated else "", values["plan"].lower(), "customer")
        if label
    ]
    comments = [
        f"{_jira_date(m.at)};{'712020:' if m.is_agent else 'qm:'}{identity(m.author):x};{m.text}"
        for m in [each for each in words.thread if each.public][:_COMMENTS]
    ]
    versions = [
        values["product_version"],
        "4.2.1" if case.version == "4.2" and case.number % 5 == 0 else "",
    ]
    return [
        words.title, case.external_id, str(10_000 + int(case.external_id[4:])), "Bug", status, "BWS",
        "Binwright Support L2", priority(case, ("Low", "Medium", "High", "Highest")), resolution,
        case.agent, f"712020:{identity(case.agent):x}", words.person, f"qm:{identity(words.person):x}", words.person,
        _jira_date(case.opened), _jira_date(words.closed or case.opened), _jira_date(words.closed),
        *versions, values["component"], *([*labels, "", "", ""])[:3], words.body,
        values["operating_system"], inward.get(case.external_id, ""), case.duplicate_of,
        values["industry"], values["plan"], values["operating_system"],
        "" if case.satisfied is None else "5" if case.satisfied else "2",
        *(comments + [""] * _COMMENTS)[:_COMMENTS],
    ]  # fmt: skip


def jira_csv(cases: list[WrittenCase]) -> str:
    """The export of a Jira filter; three rows are damaged."""
    inward = {w.facts.duplicate_of: w.facts.external_id for w in cases if w.facts.duplicate_of}
    rows = [_jira_row(words, inward) for words in cases]
    keyless = list(rows[5])
    keyless[0], keyless[1] = "Row that lost its key", ""
    undated = list(rows[6])
    undated[0:2], undated[_JIRA_COLUMNS.index("Created")] = (
        ["created on a day that never was", "BWS-9001"],
        "31/Feb/26 10:00 AM",
    )
    link = _JIRA_COLUMNS.index("Inward issue link (Duplicate)")
    keyless[link] = undated[link] = ""
    rows.insert(25, keyless)
    rows.insert(50, undated)
    rows.insert(60, ["cut off here", "BWS-9002"])
    return _table(_JIRA_COLUMNS, rows)


def _table(columns: list[str], rows: list[list[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def _servicenow(words: WrittenCase) -> dict[str, str]:
    case, values = words.facts, known(words.facts)
    state = {
        "solved": "Closed",
        "duplicate": "Closed",
        "unanswered": "Canceled",
        "reopened": "In Progress",
    }.get(case.state, "In Progress")
    code = {
        "solved": "Solved (Permanently)",
        "duplicate": "Duplicate",
        "unanswered": "Not Solved (Not Reproducible)",
        "reopened": "Solved (Permanently)",
    }.get(case.state, "")
    if case.state == "solved" and crc32(case.ref.encode()) % 9 == 0:
        code = "Solved (Work Around)"
    earlier = "\n".join(f"Tried: {note}" for note in words.notes[:-1])
    moved = words.closed or (words.thread[-1].at if words.thread else case.opened)
    return {
        "number": case.external_id,
        "opened_at": _plain(case.opened),
        "short_description": words.title,
        "description": words.body,
        "caller_id": words.person,
        "company": words.customer,
        "contact_type": ("Email", "Phone", "Self-service")[crc32(words.title.encode()) % 3],
        "priority": priority(case, ("4 - Low", "3 - Moderate", "2 - High", "1 - Critical")),
        "state": state,
        "category": "Software",
        "subcategory": values["component"],
        "assignment_group": "Hosting Operations",
        "assigned_to": case.agent,
        "escalation": "High" if case.escalated else "Normal",
        "reopen_count": str(int(case.state == "reopened")),
        "resolved_at": _plain(words.closed),
        "resolved_by": case.agent if words.closed else "",
        "closed_at": _plain(words.closed + timedelta(days=3)) if words.closed else "",
        "sys_updated_on": _plain(moved),
        "close_code": code,
        "close_notes": words.notes[-1] if words.notes else "",
        "work_notes": earlier,
        "parent_incident": case.duplicate_of,
        "u_product_version": values["product_version"],
        "u_operating_system": values["operating_system"],
        "u_industry": values["industry"],
        "u_plan": values["plan"],
    }


def _plain(moment: datetime | None) -> str:
    return "" if moment is None else utc(moment).strftime("%Y-%m-%d %H:%M:%S")


def servicenow_csv(cases: list[WrittenCase]) -> str:
    """The list export (until 2025); two rows are damaged."""
    rows = [_servicenow(words) for words in cases]
    rows.insert(11, {**rows[2], "number": "", "short_description": "import set row without number"})
    rows.insert(
        30,
        {
            **rows[3],
            "number": "INC0990001",
            "opened_at": "yesterday",
            "short_description": "typed into the wrong column",
        },
    )
    return _table(list(rows[0]), [list(row.values()) for row in rows])


_REFERENCES = {
    "caller_id": "sys_user",
    "assigned_to": "sys_user",
    "resolved_by": "sys_user",
    "assignment_group": "sys_user_group",
    "company": "core_company",
    "parent_incident": "incident",
}


def servicenow_json(cases: list[WrittenCase]) -> Json:
    """The Table API's answer with display values (from 2026)."""
    return {
        "result": [
            {name: _cell(name, value) for name, value in _servicenow(words).items()}
            for words in cases
        ]
    }


def _cell(name: str, value: str) -> Json:
    if name not in _REFERENCES or not value:
        return {"display_value": value, "value": value}
    key = f"{crc32(value.encode()):08x}" * 4
    link = f"https://kelpfield.service-now.example/api/now/table/{_REFERENCES[name]}/{key}"
    return {"display_value": value, "link": link, "value": key}


_REPO = "https://api.github.example/repos/kelpfield/binwright-link"


def _login(name: str) -> str:
    return (
        name.lower()
        .replace(" ", "-")
        .replace("é", "e")
        .replace("í", "i")
        .replace("ü", "u")
        .replace("ä", "a")
    )


def github_issues(cases: list[WrittenCase]) -> list[Json]:
    """The issues of the connectors' repository, with two pull requests among them."""
    rows = [_github_issue(words) for words in cases]
    for at, (number, title) in enumerate(
        ((41, "Retry on 429 with Retry-After"), (90, "docs: signature is over the raw body"))
    ):
        pull = {
            **rows[0],
            "number": 9000 + number,
            "id": 19000 + number,
            "title": title,
            "pull_request": {
                "url": f"{_REPO}/pulls/{9000 + number}",
                "merged_at": "2025-11-02T09:00:00Z",
            },
        }
        rows.insert(6 + 9 * at, pull)
    return rows


def _github_issue(words: WrittenCase) -> Json:
    case = words.facts
    number = int(case.external_id)
    closed = case.state in {"solved", "duplicate", "unanswered"}
    reason = {
        "solved": "completed",
        "duplicate": "duplicate",
        "unanswered": "not_planned",
        "reopened": "reopened",
    }.get(case.state)
    labels = [
        "bug" if case.issue == "webhook-401" else "question",
        *(["escalated"] if case.escalated else []),
    ]
    body = words.body + (f"\n\nDuplicate of #{case.duplicate_of}" if case.duplicate_of else "")
    return {
        "url": f"{_REPO}/issues/{number}",
        "html_url": f"https://github.example/kelpfield/binwright-link/issues/{number}",
        "comments_url": f"{_REPO}/issues/{number}/comments",
        "id": 2_100_000_000 + number,
        "number": number,
        "title": words.title,
        "user": {"login": _login(words.person), "id": identity(words.person), "type": "User"},
        "labels": [
            {"id": crc32(label.encode()), "name": label, "color": "d73a4a"} for label in labels
        ],
        "state": "closed" if closed else "open",
        "state_reason": reason,
        "locked": False,
        "assignee": {"login": _login(case.agent), "id": identity(case.agent), "type": "User"},
        "milestone": None,
        "comments": len(words.thread),
        "created_at": stamp(case.opened),
        "updated_at": stamp(words.closed or case.opened),
        "closed_at": stamp(words.closed),
        "author_association": "NONE",
        "body": body,
    }


def github_comments(cases: list[WrittenCase]) -> list[Json]:
    """The comments of those issues."""
    return [
        {
            "url": f"{_REPO}/issues/comments/{int(words.facts.external_id) * 20 + at}",
            "issue_url": f"{_REPO}/issues/{words.facts.external_id}",
            "id": int(words.facts.external_id) * 20 + at,
            "user": {"login": _login(m.author), "id": identity(m.author), "type": "User"},
            "author_association": "MEMBER" if m.is_agent else "NONE",
            "created_at": stamp(m.at),
            "updated_at": stamp(m.at),
            "body": m.text,
        }
        for words in cases
        for at, m in enumerate(words.thread)
        if m.public
    ]


def tackle_lines(cases: list[WrittenCase]) -> str:
    """Tackle's dump, one JSON object a line; three lines are damaged."""
    lines = [json.dumps(_tackle(words), ensure_ascii=False) for words in cases]
    nameless = {**_tackle(cases[9]), "ref": "", "subject": "entry saved without a reference"}
    lines.insert(33, lines[12][: len(lines[12]) // 2])
    lines.insert(70, json.dumps(nameless, ensure_ascii=False))
    lines.insert(100, '["archived", 17, null]')
    return "\n".join(lines) + "\n"


def _tackle(words: WrittenCase) -> Json:
    case, values = words.facts, known(words.facts)
    step = timedelta(minutes=max(5, case.minutes // (len(case.tried) + 1)))
    return {
        "ref": case.external_id,
        "desk": "billing" if _component(case) == "Accounts" else "field",
        "subject": words.title,
        "report": words.body,
        "logged": case.opened.isoformat(),
        "done": words.closed.isoformat() if words.closed else None,
        "state": {"solved": "done", "reopened": "again"}.get(case.state, "waiting"),
        "customer": {"name": words.customer, "industry": values["industry"], "plan": values["plan"], "contact": words.person},
        "env": {"version": values["product_version"], "os": values["operating_system"], "component": values["component"]},
        "actions": [
            {
                "no": at + 1,
                "did": note,
                "result": "ok" if tried.worked else "no",
                "when": (case.opened + step * (at + 1)).isoformat(),
                "who": case.agent,
            }
            for at, (note, tried) in enumerate(zip(words.notes, case.tried, strict=True))
        ],
        "mark": None if case.satisfied is None else (5 if case.number % 3 else 4) if case.satisfied else (2 if case.number % 3 else 1),
        "spent_min": case.minutes if words.closed else None,
        "escalated": case.escalated,
    }  # fmt: skip


def _component(case: PlannedCase) -> str:
    return catalogue.issues()[case.issue].component
