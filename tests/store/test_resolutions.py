"""Attempts as ranking reads them: the same ones, in the same order, as in full."""

from datetime import UTC, datetime, timedelta

from kbagent.model.case import AttemptRecord, CaseRecord, Tried, Verdict
from kbagent.store import cases, resolutions
from kbagent.store.knowledge_base import create_knowledge_base

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


def test_what_ranking_reads_of_attempts_is_what_is_stored(tmp_path):
    with create_knowledge_base(tmp_path / "kb") as kb, kb.database.write() as connection:
        ids = []
        for number in range(3):
            record = CaseRecord(source="desk", external_id=str(number), title="t", body="b")
            ids.append(cases.insert(connection, record, b"%d" % number, NOW))
        kept = []
        for place, verdict in enumerate([Verdict.WORKED, Verdict.FAILED, Verdict.UNKNOWN]):
            told = AttemptRecord(f"fix {place}", verdict)
            fix = resolutions.intern(connection, told, b"%d" % place, NOW)
            kept += [
                resolutions.insert_attempt(connection, case_id, fix, place, told, NOW)
                for case_id in ids[:2]
            ]
        resolutions.retire_attempt(connection, kept[0], NOW + timedelta(days=1))
        for moment in (None, NOW, NOW - timedelta(days=1)):
            whole = resolutions.attempts_of(connection, ids, as_of=moment)
            some = resolutions.tried_on(connection, ids, as_of=moment)
            assert some == [Tried(a.case_id, a.resolution_id, a.ordinal, a.verdict) for a in whole]
        assert len(resolutions.tried_on(connection, ids)) == 5
        assert len(resolutions.tried_on(connection, ids, as_of=NOW)) == 6
