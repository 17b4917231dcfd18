"""Importing: the same file changes nothing, a changed one changes what it says, once."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from kbagent.model.case import AttemptRecord, CaseRecord, CaseStatus, Verdict
from kbagent.store.knowledge_base import create_knowledge_base
from kbagent.store.readers import open_export
from kbagent.usecases.retain.attempts import told_attempts
from kbagent.usecases.retain.importing import ImportOptions, import_cases
from kbagent.usecases.revise.outcomes import undo
from tests.fakes.desk import Desk, odd_words, same_as, ticket, tried
from tests.fakes.encoder import FakeEncoder

RESET = tried("Reset the spooler")
TEXT = "Printer hangs\nIt hangs after the update"
PRINTER = ticket("1", "Printer hangs", "It hangs after the update", attempts=[RESET])


@dataclass(frozen=True, slots=True)
class Remembering(FakeEncoder):
    """The fake encoder with a list of what it was asked to encode."""

    asked: list[str] = field(default_factory=list)

    def encode(self, texts):
        self.asked.extend(texts)
        return FakeEncoder.encode(self, texts)


def ledger(desk: Desk) -> list[tuple[str, str, str | None, float | None]]:
    return desk.rows("SELECT verdict, source, reason, csat FROM outcomes ORDER BY id")


def standing(desk: Desk) -> list[str]:
    return [
        row[0]
        for row in desk.rows(
            "SELECT verdict FROM outcomes WHERE verdict != 'unknown' AND id NOT IN"
            " (SELECT undoes FROM outcomes WHERE undoes IS NOT NULL) ORDER BY id"
        )
    ]


def without_runs(desk: Desk) -> dict[str, list]:
    return {name: rows for name, rows in desk.dump().items() if name != "imports"}


def test_a_case_is_kept_with_its_columns_attempt_outcome_and_vector(desk):
    summary = desk.bring(ticket("1", "Printer hangs", attempts=[RESET], facets={"os": "01234"}))
    assert (summary.read, summary.new, summary.attempts, summary.outcomes) == (1, 1, 1, 1)
    assert desk.one("SELECT value FROM facet_values WHERE name = 'os'") == "01234"
    assert ledger(desk) == [("worked", "imported", None, None)]
    vector = np.frombuffer(desk.one("SELECT vector FROM passages"), dtype=np.float16)
    assert np.linalg.norm(vector.astype(np.float32)) == pytest.approx(1.0, abs=1e-2)


def test_importing_again_changes_nothing(desk):
    tickets = [
        PRINTER,
        ticket("2", "Mail lost", links=same_as("1"), attempts=[tried("x", "failed")]),
    ]
    desk.bring(*tickets)
    before = without_runs(desk)
    desk.clock.tick()
    summary = desk.bring(*tickets)
    assert (summary.new, summary.changed, summary.unchanged) == (0, 0, 2)
    assert (summary.attempts, summary.outcomes, summary.encoded) == (0, 0, 0)
    assert without_runs(desk) == before


def test_the_same_text_is_encoded_once_and_keeps_its_vector(tmp_path):
    desk = Desk(tmp_path, encoder=Remembering())
    desk.bring(PRINTER, {**PRINTER, "external_id": "2"})
    assert desk.encoder.asked.count(TEXT) == 1
    desk.bring({**PRINTER, "external_id": "3"})
    assert desk.encoder.asked.count(TEXT) == 1
    assert len({row[0] for row in desk.rows("SELECT vector FROM passages")}) == 1
    assert desk.one("SELECT count(*) FROM passages") == 3


def test_a_new_column_neither_encodes_nor_indexes_the_text_again(tmp_path):
    desk = Desk(tmp_path, encoder=Remembering())
    desk.bring(PRINTER)
    summary = desk.bring({**PRINTER, "facets": {"os": "Linux"}})
    assert (summary.changed, summary.encoded, desk.encoder.asked.count(TEXT)) == (1, 0, 1)
    assert desk.rows("SELECT retired FROM passages") == [(0,)]


def test_a_changed_text_replaces_the_old_one_and_the_history_keeps_it(desk):
    desk.bring(PRINTER)
    desk.clock.tick()
    summary = desk.bring({**PRINTER, "title": "Scanner beeps"})
    assert (summary.changed, summary.encoded) == (1, 1)
    assert desk.one("SELECT title FROM cases") == "Scanner beeps"
    kept = json.loads(desk.one("SELECT record FROM case_versions"))
    assert (kept["title"], kept["body"]) == ("Printer hangs", "It hangs after the update")
    assert desk.rows("SELECT retired FROM passages ORDER BY id") == [(1,), (0,)]


@pytest.mark.parametrize("told", ["reopened", "open"])
def test_a_resolved_case_that_comes_back_fails_its_attempt_once(desk, told):
    """Some systems say `reopened`, most simply set the case to open again."""
    desk.bring(PRINTER)
    back = {**PRINTER, "status": told, "attempts": [{**RESET, "verdict": ""}]}
    assert desk.bring(back).outcomes == 1
    assert desk.bring({**back, "facets": {"touched": "again"}}).outcomes == 0
    assert ledger(desk)[1:] == [("failed", "inferred", "reopened", None)]
    assert standing(desk) == ["failed"]
    assert desk.one("SELECT verdict FROM attempts") == "failed"
    assert desk.one("SELECT status FROM cases") == "reopened"


def test_a_reopened_case_whose_resolution_was_emptied_still_fails_it(desk):
    desk.bring(PRINTER)
    back = {**PRINTER, "status": "open", "attempts": []}
    desk.bring(back)
    desk.bring({**back, "facets": {"touched": "again"}})
    assert ledger(desk)[1:] == [("failed", "inferred", "reopened", None)]
    assert desk.rows("SELECT verdict, retired_at FROM attempts") == [("failed", None)]


def test_of_a_reopened_case_the_last_attempt_that_worked_did_not():
    attempts = (AttemptRecord("a", Verdict.WORKED), AttemptRecord("b", Verdict.WORKED))
    record = CaseRecord("s", "1", "t", status=CaseStatus.REOPENED, attempts=attempts)
    assert [one.verdict for one in told_attempts(record)] == ["worked", "failed"]
    assert told_attempts(replace(record, status=CaseStatus.RESOLVED)) == attempts
    assert told_attempts(replace(record, attempts=())) == ()


def test_a_case_that_is_open_from_the_start_says_nothing_of_its_answers(desk):
    desk.bring({**PRINTER, "status": "open", "attempts": [{**RESET, "verdict": ""}]})
    assert ledger(desk) == []


def test_a_reopened_case_that_is_resolved_anew_worked_after_all(desk):
    desk.bring(PRINTER)
    desk.bring({**PRINTER, "status": "reopened"})
    desk.bring({**PRINTER, "attempts": [RESET, tried("Changed the port")]})
    assert standing(desk) == ["worked", "worked"]


def test_satisfaction_that_comes_later_is_one_inferred_outcome(desk):
    desk.bring(PRINTER)
    rated = {**PRINTER, "csat": 0.0}
    assert desk.bring(rated).outcomes == 1
    assert desk.bring({**rated, "facets": {"a": "b"}}).outcomes == 0
    assert ledger(desk)[1:] == [("worked", "inferred", "satisfaction", 0.0)]
    assert standing(desk) == ["worked"]


def test_an_attempt_that_vanished_no_longer_counts_and_stays_stored(desk):
    desk.bring(PRINTER)
    assert desk.bring({**PRINTER, "attempts": []}).outcomes == 1
    assert standing(desk) == []
    assert desk.one("SELECT retired_at FROM attempts") is not None
    assert desk.rows("SELECT tried, reward FROM tallies") == [(0.0, 0.0)]
    desk.bring(PRINTER)
    assert standing(desk) == ["worked"]


def test_what_a_person_said_on_a_case_survives_its_next_import(desk):
    desk.bring({**PRINTER, "attempts": [tried("Reset the spooler", "")]})
    desk.ask("printer hangs")
    desk.say("worked", "1", case="desk:1")
    desk.bring({**PRINTER, "attempts": [tried("Reset the spooler", "")], "facets": {"a": "b"}})
    desk.bring({**PRINTER, "attempts": []})
    assert standing(desk) == ["worked"]
    assert desk.rows("SELECT verdict, retired_at FROM attempts") == [("worked", None)]


def test_what_a_person_took_back_is_not_said_again_by_the_same_export(desk):
    desk.bring(PRINTER)
    undo(desk.kb, 1)
    desk.bring({**PRINTER, "facets": {"a": "b"}})
    assert standing(desk) == []
    desk.bring({**PRINTER, "attempts": [{**RESET, "verdict": "failed"}]})
    assert standing(desk) == ["failed"]


def test_of_two_rows_with_one_id_the_last_counts(desk):
    summary = desk.bring(PRINTER, {**PRINTER, "title": "Printer burns"})
    assert (summary.new, summary.changed) == (1, 1)
    assert desk.rows("SELECT title FROM cases") == [("Printer burns",)]
    assert desk.one("SELECT count(*) FROM passages WHERE retired = 0") == 1


def test_a_row_that_comes_again_in_a_later_batch_is_one_case(desk):
    filler = [ticket(f"f{i}", odd_words(i)) for i in range(600)]
    summary = desk.bring(PRINTER, *filler[:300], PRINTER, *filler[300:], PRINTER)
    assert (summary.read, summary.new, summary.unchanged) == (603, 601, 2)
    assert desk.one("SELECT count(*) FROM attempts") == 1


def test_equal_resolutions_are_one_whatever_their_spacing_and_letter_case(desk):
    desk.bring(PRINTER, ticket("2", "Other", attempts=[tried(" reset  the Spooler. ")]))
    assert desk.one("SELECT count(*) FROM resolutions") == 1
    assert desk.rows("SELECT tried, reward FROM tallies") == [(2.0, 2.0)]


def test_a_link_to_a_case_that_comes_later_joins_both(desk):
    desk.bring(ticket("1", "alpha beta", links=same_as("2")))
    assert desk.one("SELECT count(*) FROM pending_links") == 1
    desk.bring(ticket("2", "wholly different words"))
    assert desk.one("SELECT count(*) FROM pending_links") == 0
    assert len({row[0] for row in desk.rows("SELECT issue_id FROM memberships")}) == 1


def test_bad_rows_are_counted_and_written_aside_and_the_rest_goes_on(desk):
    summary = desk.bring(PRINTER, "{broken", {**PRINTER, "external_id": ""}, ticket("9", "Fine"))
    assert (summary.read, summary.new, summary.rejected) == (4, 2, 2)
    with Path(summary.rejects_file).open() as file:
        rejects = [json.loads(line) for line in file]
    assert [one["place"] for one in rejects] == ["export.jsonl line 2", "export.jsonl line 3"]
    assert rejects[1]["field"] == "id"


def test_personal_data_are_gone_before_anything_is_stored_or_embedded(tmp_path):
    desk = Desk(tmp_path, encoder=Remembering())
    summary = desk.bring(
        ticket(
            "1",
            "Mail to ana@example.com bounces on 115.3.1",
            "Card 4111 1111 1111 1111",
            facets={"contact": "ben@example.com"},
            attempts=[tried("Wrote to chi@example.com", steps=["ask dee@example.com"])],
        )
    )
    assert dict(summary.redacted) == {"email": 4, "card": 1}
    stored = repr(desk.dump()) + repr(desk.encoder.asked)
    assert "example.com" not in stored and "4111" not in stored
    assert "115.3.1" in stored


def test_without_redaction_texts_are_kept_as_they_are(desk):
    desk.bring(ticket("1", "Mail to ana@example.com bounces"), redact=False)
    assert desk.one("SELECT title FROM cases") == "Mail to ana@example.com bounces"


def test_a_dry_run_tells_what_would_happen_and_leaves_every_byte(desk):
    desk.bring(PRINTER)
    desk.kb.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    files = {p: p.read_bytes() for p in sorted((desk.folder / "kb").rglob("*")) if p.is_file()}
    before = desk.dump()
    many = [ticket(f"n{i}", f"number {i}") for i in range(600)]
    summary = desk.bring({**PRINTER, "title": "New title"}, "{broken", *many, dry_run=True)
    assert (summary.new, summary.changed, summary.rejected) == (600, 1, 1)
    assert summary.dry_run and summary.rejects_file is None
    assert len(summary.samples) == 3
    assert desk.dump() == before
    desk.kb.close()
    after = {p: p.read_bytes() for p in sorted((desk.folder / "kb").rglob("*")) if p.is_file()}
    assert {p: b for p, b in after.items() if not p.name.endswith(("-wal", "-shm"))} == {
        p: b for p, b in files.items() if not p.name.endswith(("-wal", "-shm"))
    }


def test_an_interrupted_import_goes_on_where_it_stopped(tmp_path):
    tickets = [
        ticket(f"{i}", odd_words(i), attempts=[tried(f"do {odd_words(i)}")]) for i in range(300)
    ]
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole, cut = Desk(tmp_path / "whole"), Desk(tmp_path / "cut")
    whole.bring(*tickets)

    def stop(counts):
        raise KeyboardInterrupt

    path = cut.export(*tickets)
    with pytest.raises(KeyboardInterrupt):
        import_cases(cut.kb, cut.encoder, open_export([path]), ImportOptions(("x",), None), stop)
    kept = cut.one("SELECT count(*) FROM cases")
    assert kept == 256
    assert cut.ask(odd_words(7)).issues
    summary = cut.bring(*tickets)
    assert (summary.unchanged, summary.new) == (kept, 300 - kept)
    for table in ("cases", "attempts", "outcomes", "passages", "memberships"):
        assert cut.dump()[table] == whole.dump()[table]


def test_who_was_stopped_before_the_first_policy_was_stored_can_still_search(tmp_path):
    desk = Desk(tmp_path)
    desk.kb.connection.execute("PRAGMA foreign_keys = OFF")
    desk.kb.connection.execute("DELETE FROM policies")
    desk.kb.close()
    with create_knowledge_base(tmp_path / "kb") as kb:
        assert kb.connection.execute("SELECT version FROM policies").fetchall() == [(1,)]


@pytest.mark.parametrize(("redact", "kept"), [(True, False), (False, True)])
def test_rejected_rows_are_redacted_as_cases_are(desk, redact, kept):
    row = {**PRINTER, "external_id": "", "body": "call ana@example.com"}
    summary = desk.bring(row, ticket("9", "Fine"), redact=redact)
    assert ("ana@example.com" in Path(summary.rejects_file).read_text()) is kept


def test_issues_that_explicit_links_made_get_a_title_too(desk):
    desk.bring(
        ticket("1", "Printer hangs"), ticket("2", "Printer hangs again", links=same_as("desk:1"))
    )
    assert desk.rows(
        "SELECT count(*) FROM issues WHERE title IS NULL AND id IN"
        " (SELECT issue_id FROM memberships GROUP BY issue_id HAVING count(*) > 1)"
    ) == [(0,)]
