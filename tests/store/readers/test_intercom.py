"""Intercom: conversations with parts, epoch seconds."""

import json
from datetime import UTC, datetime

from kbagent.model.case import CaseStatus, Verdict

from .conftest import Reading, facets


def conversation(**changes: object) -> dict[str, object]:
    def part(number: int, who: str, kind: str, body: str | None) -> dict[str, object]:
        return {
            "type": "conversation_part", "id": str(number), "part_type": kind, "body": body,
            "created_at": 1734537500 + number, "author": {"type": who, "id": "274", "name": "Op"},
        }  # fmt: skip

    parts = [
        part(1, "admin", "comment", "<p>Try &amp; log out</p>"),
        part(2, "user", "comment", "<p>no</p>"),
        part(3, "bot", "comment", "<p>beep</p>"),
        part(4, "admin", "note", "<p>private</p>"),
        part(5, "admin", "assignment", None),
        part(6, "admin", "comment", "<p>Delete the app data</p>"),
    ]
    return {
        "type": "conversation", "id": "515", "created_at": 1734537511, "updated_at": 1734537999,
        "title": None, "state": "closed", "open": False, "read": True, "waiting_since": None,
        "source": {"type": "email", "id": "3", "subject": "<p>App hangs</p>", "url": None,
                   "body": "<p>The app <b>hangs</b>.</p>", "author": {"type": "user", "id": "6"}},
        "tags": {"type": "tag.list", "tags": [{"type": "tag", "id": "1", "name": "mobile"}]},
        "conversation_rating": {"rating": 5, "remark": ""},
        "statistics": {"time_to_last_close": 3600, "last_close_at": 1734541111, "count_reopens": 0},
        "conversation_parts": {"type": "conversation_part.list", "conversation_parts": parts},
        **changes,
    }  # fmt: skip


def test_a_list_of_conversations(read: Reading) -> None:
    page = {"type": "conversation.list", "conversations": [conversation()], "total_count": 1}
    got = read("c.json", json.dumps(page))
    case = got.only
    assert (got.export.format, case.ref) == ("intercom", "intercom:515")
    assert (case.title, case.body) == ("App hangs", "The app hangs.")
    assert case.opened_at == datetime(2024, 12, 18, 15, 58, 31, tzinfo=UTC)
    assert (case.csat, case.minutes) == (1.0, 60.0)
    assert facets(case, "tags") == ["mobile"]
    assert facets(case, "channel") == ["email"]
    assert [(a.text, a.verdict) for a in case.attempts] == [
        ("Try & log out", Verdict.UNKNOWN),
        ("Delete the app data", Verdict.WORKED),
    ]


def test_one_conversation_alone_and_reopened(read: Reading) -> None:
    again = conversation(state="open", statistics={"count_reopens": 2, "last_close_at": 1734541111})
    case = read("c.json", json.dumps(again, indent=1)).only
    assert (case.status, case.closed_at) == (CaseStatus.REOPENED, None)
    assert case.attempts[-1].verdict is Verdict.FAILED
