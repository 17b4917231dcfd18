"""GitHub issues: pull requests skipped, state reasons, duplicates, comments of their own file."""

import json

from kbagent.model.case import CaseStatus, LinkKind, LinkRecord, Verdict

from .conftest import Reading, facets

API = "https://api.github.com/repos/acme/app/issues"


def issue(number: int, **changes: object) -> dict[str, object]:
    return {
        "url": f"{API}/{number}", "html_url": f"https://github.com/acme/app/issues/{number}",
        "repository_url": "https://api.github.com/repos/acme/app", "node_id": "MDU6SXNzdWUx",
        "number": number, "title": "Crash on start", "body": "It crashes.", "state": "closed",
        "state_reason": "completed", "user": {"login": "ann", "id": 1}, "comments": 2,
        "labels": [{"id": 1, "name": "bug", "color": "f00"}], "author_association": "NONE",
        "created_at": "2024-01-05T10:00:00Z", "closed_at": "2024-01-06T10:00:00Z", **changes,
    }  # fmt: skip


def test_issues_but_no_pull_requests(read: Reading) -> None:
    got = read("i.json", json.dumps([issue(1), issue(2, pull_request={"url": "x"})]))
    case = got.only
    assert (got.export.format, case.ref) == ("github", "github:acme/app#1")
    assert case.url == "https://github.com/acme/app/issues/1"
    assert (case.status, case.minutes) == (CaseStatus.RESOLVED, 1440.0)
    assert facets(case, "label") == ["bug"]
    assert facets(case, "author") == ["ann"]


def test_not_planned_and_reopened_are_not_resolved(read: Reading) -> None:
    issues = [
        issue(1, state_reason="not_planned"),
        issue(2, state="open", state_reason="reopened"),
        issue(3, state="open", state_reason=None),
        issue(4, state_reason=None),
    ]
    assert [case.status for case in read("i.json", json.dumps(issues)).cases] == [
        CaseStatus.UNKNOWN,
        CaseStatus.REOPENED,
        CaseStatus.OPEN,
        CaseStatus.RESOLVED,
    ]


def test_mentions_of_duplicates_become_links(read: Reading) -> None:
    body = (
        "Duplicate of #12, also duplicate of other/repo#7 and "
        "duplicate of https://github.com/acme/web/issues/9. See #99."
    )
    case = read("i.json", json.dumps([issue(1, body=body)])).only
    assert set(case.links) == {
        LinkRecord(LinkKind.DUPLICATE, name)
        for name in ("acme/app#12", "other/repo#7", "acme/web#9")
    }


def test_comments_in_a_file_of_their_own(read: Reading) -> None:
    def comment(number: int, who: str, role: str, body: str) -> dict[str, object]:
        return {
            "id": number, "issue_url": f"{API}/1", "user": {"login": who}, "body": body,
            "author_association": role, "created_at": f"2024-01-05T1{number}:00:00Z",
        }  # fmt: skip

    comments = [
        comment(1, "bob", "MEMBER", "Delete the lock file"),
        comment(2, "ann", "NONE", "no luck"),
        comment(3, "eve", "NONE", "me too"),
        comment(4, "bob", "MEMBER", "Update to 2.1"),
    ]
    case = read("i.json", json.dumps([issue(1)]), "c.json", json.dumps(comments)).only
    assert [(a.text, a.by, a.verdict) for a in case.attempts] == [
        ("Delete the lock file", "bob", Verdict.UNKNOWN),
        ("Update to 2.1", "bob", Verdict.WORKED),
    ]
