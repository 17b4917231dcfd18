"""Writes cases as two help desks export them: Freshdesk until February 2025, Zendesk afterwards.

Shapes as documented by the vendors: Zendesk incremental ticket export, ticket comments (with the
`ticket_id` that every exporter adds), satisfaction ratings; Freshdesk list of tickets with
`include=stats,requester,conversations`.
"""

import html
from datetime import datetime
from zlib import crc32

from sample_data.plan import PlannedCase, utc
from sample_data.wording import WrittenCase

Json = dict[str, object]
_HOST = "https://kelpfield.zendesk.example"
_ZENDESK_FIELDS = {
    "product_version": 360011200017,
    "operating_system": 360011200024,
    "industry": 360011200031,
    "component": 360011200048,
    "plan": 360011200055,
}


def identity(name: str) -> int:
    """A stable number for a person or company."""
    return 360_000_000 + crc32(name.encode()) % 9_000_000


def stamp(moment: datetime | None) -> str | None:
    """`2025-03-04T08:22:00Z`."""
    return None if moment is None else utc(moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def known(case: PlannedCase) -> dict[str, str]:
    """The attributes as somebody filled them in: with gaps, and now and then wrong."""
    from sample_data import catalogue

    issue = catalogue.issues().get(case.issue)
    component = issue.component if issue else ""
    values = {
        "product_version": "" if "version" in case.missing else case.version,
        "operating_system": "" if "os" in case.missing else case.os,
        "industry": "" if "industry" in case.missing else case.industry,
        "component": "" if "component" in case.missing else component,
        "plan": case.plan,
    }
    if "misfiled" in case.missing and component:
        values["component"] = "Desk" if component != "Desk" else "Server"
    return values


def priority(case: PlannedCase, names: tuple[str, str, str, str]) -> str:
    """One of four words, from low to urgent."""
    draw = crc32(case.ref.encode()) % 10
    return names[3 if case.escalated and draw > 3 else 2 if draw > 7 else 0 if draw < 2 else 1]


def _zendesk_tags(case: PlannedCase) -> list[str]:
    tags = [known(case)["component"].lower(), case.plan.lower()]
    tags += ["escalated"] if case.escalated else []
    tags += ["reopened"] if case.state == "reopened" else []
    tags += ["closed_by_merge"] if case.state == "duplicate" else []
    return [tag for tag in tags if tag]


def _zendesk_ticket(words: WrittenCase) -> Json:
    case = words.facts
    number = int(case.external_id)
    status = {"solved": "closed", "duplicate": "closed", "unanswered": "closed"}.get(
        case.state, "open"
    )
    score = {None: "unoffered" if case.state == "open" else "offered", True: "good", False: "bad"}
    values = known(case)
    moved = words.closed or (words.thread[-1].at if words.thread else case.opened)
    return {
        "url": f"{_HOST}/api/v2/tickets/{number}.json",
        "id": number,
        "external_id": None,
        "via": {"channel": ("email", "web", "api", "chat")[number % 4], "source": {"from": {}, "to": {}, "rel": None}},
        "created_at": stamp(case.opened),
        "updated_at": stamp(moved),
        "generated_timestamp": int(moved.timestamp()),
        "type": "problem" if case.escalated else "question" if number % 3 == 0 else "incident",
        "subject": words.title,
        "raw_subject": words.title,
        "description": words.body,
        "priority": priority(case, ("low", "normal", "high", "urgent")),
        "status": status,
        "recipient": "support@kelpfield.example" if number % 4 == 0 else None,
        "requester_id": identity(words.person + words.customer),
        "submitter_id": identity(words.person + words.customer),
        "assignee_id": identity(case.agent),
        "organization_id": identity(words.customer),
        "group_id": 360_000_101 if not case.escalated else 360_000_102,
        "problem_id": None,
        "has_incidents": False,
        "is_public": True,
        "due_at": None,
        "tags": _zendesk_tags(case),
        "custom_fields": [{"id": field, "value": values[name] or None} for name, field in _ZENDESK_FIELDS.items()],
        "satisfaction_rating": {"score": score[case.satisfied]},
        "metric_set": {
            "reopens": int(case.state == "reopened"),
            "replies": sum(m.is_agent and m.public for m in words.thread),
            "solved_at": stamp(words.closed),
            "full_resolution_time_in_minutes": {
                "calendar": case.minutes if words.closed else None,
                "business": None,
            },
        },
        "brand_id": 360_000_777,
        "allow_channelback": False,
        "ticket_form_id": 360_000_501,
    }  # fmt: skip


def zendesk_tickets(cases: list[WrittenCase]) -> Json:
    """A page of the incremental export; three of its tickets are damaged."""
    tickets: list[object] = [_zendesk_ticket(words) for words in cases]
    like = dict(_zendesk_ticket(cases[7]))
    tickets.insert(40, {**like, "id": None, "subject": "Ticket without a number"})
    tickets.insert(
        90, {**like, "id": 99000001, "subject": None, "raw_subject": None, "description": ""}
    )
    tickets.insert(
        150,
        {
            **like,
            "id": 99000002,
            "created_at": "0000-00-00T00:00:00Z",
            "subject": "dates lost in migration",
        },
    )
    end = max(int(w.facts.opened.timestamp()) for w in cases)
    return {"tickets": tickets, "count": len(tickets), "end_of_stream": True, "end_time": end, "next_page": f"{_HOST}/api/v2/incremental/tickets.json?start_time={end}"}  # fmt: skip


def zendesk_comments(cases: list[WrittenCase]) -> list[Json]:
    """The comments of all tickets; the first of a ticket repeats its description."""
    return [row for words in cases for row in _zendesk_thread(words)]


def _zendesk_thread(words: WrittenCase) -> list[Json]:
    case, requester = words.facts, identity(words.person + words.customer)
    number = int(case.external_id)
    entries = [(requester, words.body, True, case.opened)]
    entries += [
        (identity(m.author) if m.is_agent else requester, m.text, m.public, m.at)
        for m in words.thread
    ]
    if case.duplicate_of:
        text = f"This request was closed and merged into request #{case.duplicate_of}."
        entries.append((identity(case.agent), text, False, words.closed or case.opened))
    return [
        {
            "id": number * 100 + at,
            "ticket_id": number,
            "type": "Comment",
            "author_id": author,
            "body": text,
            "html_body": f'<div class="zd-comment">{html.escape(text)}</div>'
            if len(text) < 400
            else None,
            "plain_body": text,
            "public": public,
            "attachments": [],
            "via": {"channel": "email" if author == requester else "web"},
            "created_at": stamp(moment),
        }
        for at, (author, text, public, moment) in enumerate(entries)
    ]


def zendesk_ratings(cases: list[WrittenCase]) -> Json:
    """The satisfaction ratings, one for each customer who answered."""
    rated = [words for words in cases if words.facts.satisfied is not None]
    return {"satisfaction_ratings": [_zendesk_rating(words) for words in rated], "count": len(rated), "next_page": None, "previous_page": None}  # fmt: skip


def _zendesk_rating(words: WrittenCase) -> Json:
    case = words.facts
    number = int(case.external_id)
    at = words.closed or words.thread[-1].at
    return {
        "url": f"{_HOST}/api/v2/satisfaction_ratings/{number + 61000}.json",
        "id": number + 61000,
        "assignee_id": identity(case.agent),
        "group_id": 360_000_101,
        "requester_id": identity(words.person + words.customer),
        "ticket_id": number,
        "score": "good" if case.satisfied else "bad",
        "comment": words.rating_comment or None,
        "created_at": stamp(at),
        "updated_at": stamp(at),
    }


def freshdesk_tickets(cases: list[WrittenCase]) -> list[object]:
    """The list of tickets with statistics and conversations; two entries are damaged."""
    tickets: list[object] = [_freshdesk_ticket(words) for words in cases]
    like = _freshdesk_ticket(cases[3])
    tickets.insert(20, "rate limit exceeded")
    tickets.insert(
        45,
        {
            **like,
            "id": 990001,
            "created_at": "not a date",
            "subject": "created by a broken workflow",
        },
    )
    return tickets


def _freshdesk_ticket(words: WrittenCase) -> Json:
    case = words.facts
    number = int(case.external_id)
    values = known(case)
    status = {"solved": 5, "duplicate": 5, "unanswered": 5, "reopened": 2}.get(case.state, 2)
    tags = ["escalated"] if case.escalated else []
    return {
        "cc_emails": [],
        "fwd_emails": [],
        "spam": False,
        "email_config_id": 43,
        "group_id": 43000,
        "priority": {"Low": 1, "Medium": 2, "High": 3, "Urgent": 4}[priority(case, ("Low", "Medium", "High", "Urgent"))],
        "requester_id": identity(words.person + words.customer),
        "responder_id": identity(case.agent),
        "source": (1, 2, 7)[number % 3],
        "company_id": identity(words.customer),
        "status": status,
        "subject": words.title,
        "product_id": 43,
        "id": number,
        "type": "Question" if number % 3 else "Incident",
        "is_escalated": case.escalated,
        "description": "<div>" + html.escape(words.body).replace("\n", "<br>") + "</div>",
        "description_text": words.body,
        "custom_fields": {f"cf_{name}": value or None for name, value in values.items()},
        "created_at": stamp(case.opened),
        "updated_at": stamp(words.closed or case.opened),
        "tags": tags,
        "stats": {
            "agent_responded_at": stamp(words.thread[0].at) if words.thread else None,
            "first_responded_at": stamp(words.thread[0].at) if words.thread else None,
            "resolved_at": stamp(words.closed),
            "closed_at": stamp(words.closed),
            "reopened_at": stamp(words.thread[-1].at) if case.state == "reopened" else None,
        },
        "conversations": [
            {
                "id": number * 50 + at,
                "body": "<div>" + html.escape(m.text).replace("\n", "<br>") + "</div>",
                "body_text": m.text,
                "incoming": not m.is_agent,
                "private": not m.public,
                "user_id": identity(m.author if m.is_agent else words.person + words.customer),
                "ticket_id": number,
                "source": 0 if m.public else 2,
                "created_at": stamp(m.at),
                "updated_at": stamp(m.at),
            }
            for at, m in enumerate(words.thread)
        ],
    }  # fmt: skip


def freshdesk_ratings(cases: list[WrittenCase]) -> list[Json]:
    """The answers to the survey: 103 extremely happy to -103 extremely unhappy."""
    return [
        {
            "id": 7000 + int(words.facts.external_id),
            "survey_id": 43,
            "user_id": identity(words.person + words.customer),
            "agent_id": identity(words.facts.agent),
            "group_id": 43000,
            "ticket_id": int(words.facts.external_id),
            "feedback": words.rating_comment or None,
            "ratings": {"default_question": _happiness(words.facts)},
            "created_at": stamp(words.closed or words.thread[-1].at),
        }
        for words in cases
        if words.facts.satisfied is not None
    ]


def _happiness(case: PlannedCase) -> int:
    step = 103 - case.number % 2
    return step if case.satisfied else -step
