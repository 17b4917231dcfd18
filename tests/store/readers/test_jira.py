"""Jira CSV: repeated columns, comment cells, links, both date styles."""

from datetime import UTC, datetime

from kbagent.model.case import CaseStatus, LinkKind, LinkRecord, Verdict

from .conftest import Reading, facets

CLOUD = (
    "Summary,Issue key,Issue id,Issue Type,Status,Project key,Resolution,Reporter,Reporter Id,"
    "Created,"
    "Resolved,Affects versions,Affects versions,Components,Labels,Labels,Description,"
    "Outward issue link (Duplicate),Comment,Comment,Comment,Custom field (Satisfaction rating)\n"
    'Sync stops,APP-7,10007,Bug,Done,APP,Fixed,Ann,5b1,30/Jun/25 9:54 AM,01/Jul/25 12:05 AM,'
    '1.10,1.9,'
    'Sync,net,proxy,"It stops.\nEvery day.",APP-3,'
    '"30/Jun/25 10:00 AM;7c2;Restart the agent; then wait",'
    '"30/Jun/25 11:00 AM;5b1;Did not help; sorry",'
    '"30/Jun/25 11:30 PM;7c2;Clear the cache",4\n'
)  # fmt: skip


def test_cloud(read: Reading) -> None:
    got = read("jira.csv", CLOUD)
    case = got.only
    assert (got.export.format, case.ref) == ("jira", "jira:APP-7")
    assert case.body == "It stops.\nEvery day."
    assert case.opened_at == datetime(2025, 6, 30, 9, 54, tzinfo=UTC)
    assert case.closed_at == datetime(2025, 7, 1, 0, 5, tzinfo=UTC)
    assert case.minutes == 14 * 60 + 11
    assert facets(case, "labels") == ["net", "proxy"]
    assert facets(case, "version") == ["1.10", "1.9"]
    assert facets(case, "component") == ["Sync"]
    assert case.links == (LinkRecord(LinkKind.DUPLICATE, "APP-3"),)
    assert case.csat == 0.75
    assert [(a.text, a.by, a.verdict) for a in case.attempts] == [
        ("Restart the agent; then wait", "7c2", Verdict.UNKNOWN),
        ("Clear the cache", "7c2", Verdict.WORKED),
    ]
    assert case.attempts[1].at == datetime(2025, 6, 30, 23, 30, tzinfo=UTC)


def test_data_center(read: Reading) -> None:
    text = (
        "Issue key,Issue id,Summary,Issue Type,Status,Project key,Resolution,Created,Resolved,"
        "Affects Version/s,Component/s,Labels,Comment,Inward issue link (Duplicate)\n"
        "OLD-1,1,Mail lost,Bug,Closed,OLD,Won't Fix,30/Sep/21 17:20,01/Oct/21 08:00,2.0,Core,,"
        "30/Sep/21 18:00;jdoe;No idea,OLD-9\n"
        "OLD-2,2,Mail back,Bug,Reopened,OLD,,30/Sep/21 17:20,,2.0,Core,,"
        "30/Sep/21 18:00;jdoe;Reindex the box,\n"
    )
    won_t_fix, reopened = read("jira.csv", text).cases
    assert won_t_fix.status is CaseStatus.UNKNOWN
    assert won_t_fix.attempts[0].verdict is Verdict.UNKNOWN
    assert facets(won_t_fix, "version") == ["2.0"]
    assert won_t_fix.opened_at == datetime(2021, 9, 30, 17, 20, tzinfo=UTC)
    assert won_t_fix.links == (LinkRecord(LinkKind.DUPLICATE, "OLD-9"),)
    assert reopened.status is CaseStatus.REOPENED
    assert reopened.attempts[0].verdict is Verdict.FAILED


def test_a_comment_without_date_and_author_is_kept_whole(read: Reading) -> None:
    text = "Issue key,Issue id,Summary,Status,Comment\nA-1,1,Broken,Open,first; second; third\n"
    attempt = read("jira.csv", text).only.attempts[0]
    assert (attempt.text, attempt.at, attempt.by) == ("first; second; third", None, None)
