"""Entries as ranking reads them: the same ones, in the same order, as in full."""

from datetime import UTC, datetime, timedelta

import pytest

from kbagent.model.case import AttemptRecord, CaseRecord, Verdict
from kbagent.model.outcome import Outcome, OutcomeSource, Told
from kbagent.store import cases, ledger, resolutions
from kbagent.store.knowledge_base import create_knowledge_base

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture
def connection(tmp_path):
    with create_knowledge_base(tmp_path / "kb") as kb, kb.database.write() as connection:
        yield connection


def add_case(connection, number: int, **facets: str) -> int:
    record = CaseRecord(
        source="desk", external_id=str(number), title="t", body="b", facets=tuple(facets.items())
    )
    return cases.insert(connection, record, b"%d" % number, NOW)


def test_what_ranking_reads_of_the_ledger_is_what_counts(connection):
    ids = [add_case(connection, number) for number in range(3)]
    fix = resolutions.intern(connection, AttemptRecord("fix", Verdict.WORKED), b"f", NOW)

    def told(number: int, case_id: int, verdict: Verdict, hours: int, **more: object) -> int:
        entry = Outcome(
            0, f"u{number}", NOW + timedelta(hours=hours), NOW, case_id, fix, verdict,
            OutcomeSource.EXPLICIT, by="ada", csat=0.5, minutes=12.0, **more,
        )  # fmt: skip
        return ledger.append(connection, entry) or 0

    first = told(1, ids[2], Verdict.WORKED, 0)
    told(2, ids[0], Verdict.FAILED, 0)
    told(3, ids[2], Verdict.PARTLY, 2, undoes=first)
    told(4, ids[1], Verdict.UNKNOWN, 2)
    for moment, number in ((None, 2), (NOW, 2), (NOW + timedelta(hours=3), 2)):
        whole = ledger.standing(connection, ids, as_of=moment)
        some = ledger.told_on(connection, ids, as_of=moment)
        assert len(some) == number
        assert some == [
            Told(o.id, o.case_id, o.resolution_id, o.verdict, o.source, o.happened_at, o.by,
                 o.csat, o.minutes)
            for o in whole
        ]  # fmt: skip
    assert ledger.told_on(connection, ids)[1].verdict is Verdict.PARTLY
    assert ledger.told_on(connection, ids, as_of=NOW)[0].id == first


def test_the_values_of_a_facet_are_looked_up_once_and_not_for_every_case(connection):
    ids = [
        add_case(connection, number, version=f"1.{number % 4}", os="linux") for number in range(12)
    ]
    asked: list[str] = []
    connection.set_trace_callback(asked.append)
    assert cases.values_among(connection, ids[:3], ["version"]) == {"1.0", "1.1", "1.2"}
    connection.set_trace_callback(None)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {asked[0]}")]
    assert any("facet_values USING INTEGER PRIMARY KEY" in step for step in plan)
    assert any("case_facets USING" in step and "case_id" in step for step in plan)
