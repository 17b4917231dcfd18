"""ServiceNow: list CSV by names and by labels, Table API JSON, the problem table."""

import json
from datetime import UTC, datetime

import pytest

from kbagent.model.case import CaseStatus, LinkKind, LinkRecord, Verdict

from .conftest import Reading, facets


def test_csv_with_column_names(read: Reading) -> None:
    text = (
        '"number","opened_at","short_description","description","state","caller_id","cmdb_ci",'
        '"close_code","close_notes","resolved_at","reopen_count"\n'
        '"INC0010001","2024-03-05 14:22:10","VPN down","No tunnel","Closed","Ann","vpn-01",'
        '"Solved (Permanently)","Renewed the certificate","2024-03-05 15:22:10","0"\n'
        '"INC0010002","2024-03-06 14:22:10","VPN down","No tunnel","In Progress","Bob","vpn-01",'
        '"","Renewed the certificate","","1"\n'
    )
    got = read("incident.csv", text)
    first, second = got.cases
    assert (got.export.format, first.ref) == ("servicenow", "servicenow:INC0010001")
    assert first.opened_at == datetime(2024, 3, 5, 14, 22, 10, tzinfo=UTC)
    assert (first.status, first.minutes) == (CaseStatus.RESOLVED, 60.0)
    assert facets(first, "product") == ["vpn-01"]
    assert facets(first, "caller_id") == ["Ann"]
    attempt = first.attempts[0]
    assert (attempt.verdict, attempt.code) == (Verdict.WORKED, "Solved (Permanently)")
    assert second.status is CaseStatus.REOPENED
    assert second.attempts[0].verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("Solved (Work Around)", Verdict.PARTLY),
        ("Not Solved (Not Reproducible)", Verdict.FAILED),
        ("No resolution provided", Verdict.UNKNOWN),
        ("A code of our own", Verdict.WORKED),
        ("", Verdict.WORKED),
    ],
)
def test_the_resolution_code_decides(read: Reading, code: str, verdict: Verdict) -> None:
    text = (
        "Number,Opened,Short description,State,Resolution code,Resolution notes\n"
        f"INC1,2024-03-05 14:22:10,VPN down,Resolved,{code},Something was done\n"
    )
    assert read("labels.csv", text).only.attempts[0].verdict is verdict


def test_table_api_references_are_what_they_show(read: Reading) -> None:
    link = "https://acme.service-now.com/api/now/table/sys_user/681"
    record = {
        "number": "INC0000060",
        "short_description": "Mail slow",
        "state": "7",
        "opened_at": "2016-12-12 15:19:57",
        "calendar_stc": "5400",
        "escalation": "0",
        "sys_id": "1c741bd7",
        "opened_by": {"link": link, "value": "681ccaf9"},
        "caller_id": {"display_value": "Joe Employee", "value": "681", "link": link},
        "problem_id": {"display_value": "PRB0000050", "link": link},
        "assigned_to": "",
        "close_notes": {"display_value": "Moved the mailbox", "value": "Moved the mailbox"},
    }
    case = read("incident.json", json.dumps({"result": [record]})).only
    assert facets(case, "opened_by") == ["681ccaf9"]
    assert facets(case, "caller_id") == ["Joe Employee"]
    assert facets(case, "assigned_to") == []
    assert (case.minutes, case.escalated) == (90.0, False)
    assert case.attempts[0].text == "Moved the mailbox"
    assert case.links == (LinkRecord(LinkKind.SAME_ISSUE, "PRB0000050"),)


def test_the_problem_table(read: Reading) -> None:
    record = {
        "number": "PRB0001", "short_description": "Leak", "state": "107", "sys_id": "1",
        "cause_notes": "A loop", "fix_notes": "Patch 7", "workaround": "Restart nightly",
        "duplicate_of": {"display_value": "PRB0000", "link": "https://x"},
    }  # fmt: skip
    case = read("problem.json", json.dumps({"result": [record]})).only
    assert [(a.text, a.verdict) for a in case.attempts] == [
        ("Restart nightly", Verdict.PARTLY),
        ("Patch 7", Verdict.WORKED),
    ]
    assert facets(case, "cause_notes") == ["A loop"]
    assert case.links == (LinkRecord(LinkKind.DUPLICATE, "PRB0000"),)
