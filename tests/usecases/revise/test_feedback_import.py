"""Outcomes from a closing script: idempotent, and each bad row named by its line."""

import pytest

from kbagent.errors import UsageError
from kbagent.store import ledger
from kbagent.usecases.revise.importing import import_outcomes
from tests.fakes.desk import Desk, ticket, tried

HEADER = "id,case,resolution,outcome,lookup,rank,at,by,note,csat,minutes,escalated\n"


@pytest.fixture
def stocked(desk: Desk) -> Desk:
    desk.bring(ticket("1", "Printer hangs", attempts=[tried("Reset the spooler")]))
    return desk


def test_rows_name_a_case_and_resolution_or_a_lookup_and_rank(stocked):
    lookup = stocked.ask("printer").handle
    rows = (
        "a,desk:1,r1,worked,,,2026-02-01,ana,fine,0.5,12,yes\n"
        "b,desk:1, RESET the spooler.,Failed,,,,,,,,\n"
        f"c,,,partly,{lookup},1,,,,,,no\n"
    )
    done = import_outcomes(stocked.kb, HEADER + rows)
    assert (done.read, done.recorded, done.known, done.rejects) == (3, 3, 0, ())
    last, middle, first = ledger.latest(stocked.kb.connection, 3, explicit_only=True)
    assert (first.verdict, first.by, first.csat, first.minutes) == ("worked", "ana", 0.5, 12.0)
    assert (first.escalated, f"{first.happened_at:%Y-%m-%d}") == (True, "2026-02-01")
    assert (middle.verdict, middle.resolution_id) == ("failed", 1)
    assert (last.verdict, last.lookup_id, last.escalated) == ("partly", 1, False)


def test_importing_the_same_file_again_changes_nothing(stocked):
    text = HEADER + "a,desk:1,r1,worked,,,,,,,,\na,desk:1,r1,failed,,,,,,,,\n"
    first = import_outcomes(stocked.kb, text)
    before = stocked.dump()
    again = import_outcomes(stocked.kb, text)
    assert (first.recorded, first.known) == (1, 1)
    assert (again.recorded, again.known) == (0, 2)
    assert stocked.dump() == before


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (",desk:1,r1,worked,,,,,,,,", "id"),
        ("a,desk:1,r1,great,,,,,,,,", "outcome"),
        ("a,desk:9,r1,worked,,,,,,,,", "case"),
        ("a,,r1,worked,,,,,,,,", "case"),
        ("a,desk:1,r99,worked,,,,,,,,", "resolution"),
        ("a,desk:1,,worked,,,,,,,,", "resolution"),
        ("a,,,worked,zzzz,1,,,,,,", "lookup"),
        ("a,desk:1,r1,worked,,,yesterday,,,,,", "at"),
        ("a,desk:1,r1,worked,,,,,,7,,", "csat"),
        ("a,desk:1,r1,worked,,,,,,,nan,", "minutes"),
        ("a,desk:1,r1,worked,,,,,,,,perhaps", "escalated"),
    ],
)
def test_a_bad_row_is_named_by_line_and_field_and_the_rest_is_kept(stocked, row, field):
    text = HEADER + "ok,desk:1,r1,worked,,,,,,,,\n" + row + "\nok2,desk:1,r1,failed,,,,,,,,\n"
    done = import_outcomes(stocked.kb, text)
    assert done.recorded == 2
    assert [(line, name) for line, name, _ in done.rejects] == [(3, field)]


def test_a_rank_that_was_not_shown_is_refused(stocked):
    handle = stocked.ask("printer").handle
    done = import_outcomes(stocked.kb, HEADER + f"a,,,worked,{handle},7,,,,,,\n")
    assert [name for _, name, _ in done.rejects] == ["rank"]


def test_odd_line_breaks_within_a_note_cost_no_row(stocked):
    text = (
        HEADER + 'a,desk:1,r1,worked,,,,,"two\nlines\x0bhere\u2028and",,,\nb,desk:1,r1,x,,,,,,,,\n'
    )
    done = import_outcomes(stocked.kb, text)
    assert (done.recorded, [line for line, *_ in done.rejects]) == (1, [4])
    assert ledger.latest(stocked.kb.connection, 1, explicit_only=True)[0].note is not None


def test_semicolons_and_a_byte_order_mark_are_read_as_spreadsheets_write_them(stocked):
    done = import_outcomes(stocked.kb, "\ufeffID;Case;Resolution;Outcome\na;desk:1;r1;worked\n")
    assert done.recorded == 1


def test_a_cell_of_a_megabyte_is_read_or_refused_and_no_crash(stocked):
    text = HEADER + f"a,desk:1,r1,worked,,,,,{'x' * 1_000_000},,,\n"
    done = import_outcomes(stocked.kb, text)
    assert done.recorded + len(done.rejects) == 1


@pytest.mark.parametrize("text", ["", "case,resolution\n", "id\n", "nothing at all"])
def test_a_file_without_the_needed_columns_is_refused(stocked, text):
    with pytest.raises(UsageError, match="no column"):
        import_outcomes(stocked.kb, text)


def test_a_resolution_that_was_never_tried_on_the_case_counts_in_its_issue(stocked):
    stocked.bring(ticket("2", "Mail bounces", attempts=[tried("Renew the certificate")]))
    other = stocked.one("SELECT id FROM resolutions WHERE text LIKE 'Renew%'")
    rows = "".join(f"n{i},desk:1,r{other},failed,,,2026-02-0{i},p{i},,,,\n" for i in (1, 2))
    assert import_outcomes(stocked.kb, HEADER + rows).recorded == 2
    shown = stocked.ask("printer hangs", everything=True).issues[0].resolutions
    assert {one.text: one.evidence.tried for one in shown}["Renew the certificate"] == 2.0
