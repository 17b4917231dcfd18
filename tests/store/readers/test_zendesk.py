"""Zendesk: API pages, incremental exports, JSON lines, view CSV, joined files."""

import json
from datetime import UTC, datetime

from kbagent.model.case import CaseStatus, LinkKind, LinkRecord, Verdict

from .conftest import Reading, facets


def ticket(**changes: object) -> dict[str, object]:
    return {
        "url": "https://acme.zendesk.com/api/v2/tickets/35436.json",
        "id": 35436,
        "external_id": None,
        "via": {"channel": "web", "source": {"from": {}, "to": {}, "rel": None}},
        "created_at": "2024-07-20T22:55:29Z",
        "updated_at": "2024-07-21T05:05:38Z",
        "type": "incident",
        "subject": "Printer on fire",
        "raw_subject": "Printer on fire",
        "description": "The fire is very colorful.",
        "priority": "high",
        "status": "solved",
        "requester_id": 20978392,
        "submitter_id": 76872,
        "assignee_id": 235323,
        "organization_id": 509974,
        "problem_id": 9873764,
        "tags": ["enterprise", "printers"],
        "custom_fields": [{"id": 27642, "value": "745"}, {"id": 27648, "value": None}],
        "fields": [{"id": 27642, "value": "745"}],
        "satisfaction_rating": {"id": 1234, "score": "good", "comment": "Great!"},
        "followup_ids": [],
        "brand_id": 123,
        **changes,
    }


COMMENTS = [
    {"id": 1, "ticket_id": 35436, "author_id": 20978392, "public": True,
     "plain_body": "The fire is very colorful.", "body": "The fire…",
     "created_at": "2024-07-20T22:55:29Z"},
    {"id": 2, "ticket_id": 35436, "author_id": 235323, "public": True,
     "body": "Pull the plug.", "created_at": "2024-07-20T23:00:00Z"},
    {"id": 3, "ticket_id": 35436, "author_id": 235323, "public": False,
     "body": "Customer is odd.", "created_at": "2024-07-20T23:10:00Z"},
    {"id": 4, "ticket_id": 35436, "author_id": 235323, "public": True,
     "body": "Use the extinguisher.", "created_at": "2024-07-21T04:00:00Z"},
]  # fmt: skip


def test_a_page_of_the_api(read: Reading) -> None:
    page = {"next_page": None, "count": 1, "tickets": [ticket()], "users": [{"id": 1, "name": "A"}]}
    got = read("page.json", json.dumps(page))
    case = got.only
    assert (got.export.format, got.export.source, case.ref) == (
        "zendesk",
        "zendesk",
        "zendesk:35436",
    )
    assert case.title == "Printer on fire"
    assert case.body == "The fire is very colorful."
    assert case.status is CaseStatus.RESOLVED
    assert case.opened_at == datetime(2024, 7, 20, 22, 55, 29, tzinfo=UTC)
    assert case.csat == 1.0
    assert case.url == "https://acme.zendesk.com/agent/tickets/35436"
    assert case.links == (LinkRecord(LinkKind.SAME_ISSUE, "9873764"),)
    assert facets(case, "tags") == ["enterprise", "printers"]
    assert facets(case, "custom_fields.27642") == ["745"]
    assert facets(case, "via.channel") == ["web"]
    assert facets(case, "priority") == ["high"]
    assert case.attempts == ()


def test_comments_and_ratings_in_files_of_their_own_are_joined(read: Reading) -> None:
    bare = ticket(satisfaction_rating={"score": "offered"})
    got = read(
        "tickets.json", json.dumps({"tickets": [bare, ticket(id=2, status="open")]}),
        "comments.json", json.dumps({"comments": COMMENTS}),
        "ratings.json", json.dumps({"satisfaction_ratings": [
            {"id": 5, "ticket_id": 35436, "score": "offered"},
            {"id": 6, "ticket_id": 35436, "score": "bad", "comment": "slow"},
            {"id": 7, "ticket_id": 99, "score": "good"},
        ]}),
    )  # fmt: skip
    case = got.case("35436")
    assert [(a.text, a.verdict) for a in case.attempts] == [
        ("Pull the plug.", Verdict.UNKNOWN),
        ("Use the extinguisher.", Verdict.WORKED),
    ]
    assert case.csat == 0.0
    assert got.case("2").attempts == ()
    assert any("1 satisfaction_ratings belong to no case" in note for note in got.export.notes)


def test_the_order_of_the_files_does_not_matter(read: Reading) -> None:
    got = read(
        "comments.jsonl", "\n".join(map(json.dumps, COMMENTS)),
        "tickets.jsonl", "\n".join(json.dumps(ticket(id=i)) for i in (35436, 7)),
    )  # fmt: skip
    assert len(got.case("35436").attempts) == 2


def test_a_reopened_ticket_turns_its_last_answer_into_a_failure(read: Reading) -> None:
    again = ticket(status="open", metric_set={"reopens": 1, "solved_at": None}, comments=COMMENTS)
    case = read("t.json", json.dumps({"tickets": [again]})).only
    assert case.status is CaseStatus.REOPENED
    assert [a.verdict for a in case.attempts] == [Verdict.UNKNOWN, Verdict.FAILED]


def test_a_view_as_csv(read: Reading) -> None:
    text = (
        "\ufeffID,Subject,Requester,Requester id,Assignee,Status,Ticket type,Created at,Solved at,"
        "Satisfaction Score,Full resolution time in minutes,Reopens,Tags\r\n"
        '00042,"Cannot print, again",Ann,9,Bob,Solved,Incident,2024-07-20 22:55:29,'
        "2024-07-21 22:55:29,Good,90,0,red blue\r\n"
        "43,Late,Ann,9,Bob,Open,Incident,2024-07-20 22:55:29,,Offered,,1,\r\n"
    )
    got = read("view.csv", text)
    first, second = got.cases
    assert got.export.format == "zendesk"
    assert first.external_id == "00042"
    assert (first.csat, first.minutes) == (1.0, 90.0)
    assert facets(first, "tags") == ["red", "blue"]
    assert (second.status, second.csat, second.minutes) == (CaseStatus.REOPENED, None, None)
    assert any("byte order mark" in note for note in got.export.notes)
