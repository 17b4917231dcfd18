"""Freshdesk and Freshservice: CSV in any letter case, JSON with stats and conversations."""

import json

import pytest

from kbagent.model.case import CaseStatus, Verdict

from .conftest import Reading, facets

CSV = (
    "Ticket ID,Subject,Status,Priority,Source,Type,Agent,Group,Created time,Resolved time,"
    "Resolution time (in hrs),Agent interactions,Tags,Survey results,Product\n"
    '0017,Login loop,Resolved,High,Portal,Problem,Ann,L2,2024-01-05 10:00:00,2024-01-05 11:30:00,'
    '1:30:00,2,"a,b c",Extremely Happy,Suite\n'
)  # fmt: skip


@pytest.mark.parametrize("header", [str, str.upper, str.lower])
def test_csv_in_any_letter_case(read: Reading, header: type[str]) -> None:
    first, rest = CSV.split("\n", 1)
    got = read("tickets.csv", header(first) + "\n" + rest)
    case = got.only
    assert (got.export.format, case.external_id) == ("freshdesk", "0017")
    assert (case.status, case.minutes, case.csat) == (CaseStatus.RESOLVED, 90.0, 1.0)
    assert facets(case, "tags") == ["a", "b c"]
    assert facets(case, "product") == ["Suite"]


def ticket(**changes: object) -> dict[str, object]:
    return {
        "id": 20, "subject": "Login loop", "description": "<div>It <b>loops</b></div>",
        "description_text": "It loops", "status": 4, "priority": 2, "responder_id": 5,
        "requester_id": 9, "spam": False, "is_escalated": True, "tags": ["x"],
        "created_at": "2024-01-05T10:00:00Z", "due_by": "2024-01-06T10:00:00Z",
        "custom_fields": {"cf_product": "Suite"},
        "stats": {"resolved_at": "2024-01-05T11:00:00Z", "reopened_at": None}, **changes,
    }  # fmt: skip


CONVERSATIONS = [
    {"id": 1, "ticket_id": 20, "incoming": False, "private": False, "user_id": 5,
     "body_text": "Clear cookies", "created_at": "2024-01-05T10:10:00Z"},
    {"id": 2, "ticket_id": 20, "incoming": True, "private": False, "user_id": 9,
     "body_text": "No", "created_at": "2024-01-05T10:20:00Z"},
    {"id": 3, "ticket_id": 20, "incoming": False, "private": True, "user_id": 5,
     "body_text": "hmm", "created_at": "2024-01-05T10:30:00Z"},
    {"id": 4, "ticket_id": 20, "incoming": False, "private": False, "user_id": 5,
     "body_text": "Fixed the clock", "created_at": "2024-01-05T10:40:00Z"},
]  # fmt: skip


def test_json_with_conversations_inside_or_beside(read: Reading) -> None:
    inside = read("a.json", json.dumps([ticket(conversations=CONVERSATIONS)])).only
    beside = read(
        "tickets.json", json.dumps([ticket()]), "conversations.json", json.dumps(CONVERSATIONS)
    ).only
    assert inside.attempts == beside.attempts
    assert [(a.text, a.verdict) for a in inside.attempts] == [
        ("Clear cookies", Verdict.UNKNOWN),
        ("Fixed the clock", Verdict.WORKED),
    ]
    assert (inside.body, inside.escalated, inside.minutes) == ("It loops", True, 60.0)
    assert facets(inside, "custom_fields.cf_product") == ["Suite"]
    assert not any(name.startswith("conversations") for name, _ in beside.facets)


def test_a_reopened_ticket(read: Reading) -> None:
    stats = {"resolved_at": None, "reopened_at": "2024-01-07T11:00:00Z"}
    again = ticket(status=2, stats=stats, conversations=CONVERSATIONS)
    case = read("a.json", json.dumps([again])).only
    assert case.status is CaseStatus.REOPENED
    assert case.attempts[-1].verdict is Verdict.FAILED


def test_freshservice_keeps_the_resolution_note(read: Reading) -> None:
    text = (
        "Ticket Id,Subject,Description,Status,Priority,Created Time,Resolved Time,"
        "Resolution Note,Agent\n"
        "SR-1,No VPN,It fails,Closed,Low,2024-01-05 10:00:00,2024-01-05 10:30:00,New token,Ann\n"
        "SR-2,No VPN,It fails,Open,Low,2024-01-05 10:00:00,,,Ann\n"
    )
    got = read("fs.csv", text)
    first, second = got.cases
    assert got.export.format == "freshservice"
    assert [(a.text, a.verdict, a.by) for a in first.attempts] == [
        ("New token", Verdict.WORKED, "Ann")
    ]
    assert second.attempts == ()
