"""Withdrawn cases count no longer; purged ones leave no trace of their text."""

import sqlite3
from contextlib import closing

import pytest

from kbagent.errors import UsageError
from kbagent.usecases.revise import families, withdrawal, wordings
from kbagent.usecases.solve.problem import Problem
from kbagent.usecases.solve.running import solve
from tests.fakes.desk import Desk, refs, same_as, ticket, tried

SECRET = "xylophone"


def a_desk(desk: Desk) -> Desk:
    desk.bring(
        ticket("1", f"the {SECRET} lost its keys", attempts=[tried(f"tune the {SECRET}")]),
        ticket("2", "printer is dead", attempts=[tried("turn it on")]),
    )
    return desk


def test_a_withdrawn_case_is_not_found_and_can_come_back(desk: Desk) -> None:
    a_desk(desk)
    withdrawal.withdraw(desk.kb, "desk:1", reason="wrong")
    assert "desk:1" not in list(refs(desk.ask(f"the {SECRET} lost its keys")))
    withdrawal.bring_back(desk.kb, "desk:1")
    assert "desk:1" in list(refs(desk.ask(f"the {SECRET} lost its keys")))


def test_withdrawing_twice_is_said(desk: Desk) -> None:
    a_desk(desk)
    withdrawal.withdraw(desk.kb, "desk:1")
    with pytest.raises(UsageError, match="withdrawn already"):
        withdrawal.withdraw(desk.kb, "desk:1")


def test_a_purged_case_leaves_no_text_in_any_file(desk: Desk) -> None:
    a_desk(desk)
    found = desk.ask(f"the {SECRET} lost its keys")
    desk.say("worked", found.handle, "1", note=f"{SECRET} again")
    withdrawal.remove_for_good(desk.kb, "desk:1", reason="erasure request 7")
    desk.kb.close()
    for path in (desk.folder / "kb").rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path


def test_lookups_that_asked_for_its_text_lose_it_even_those_that_wait(desk: Desk) -> None:
    a_desk(desk)
    desk.ask(f"the {SECRET} lost its keys")
    desk.ask(f"the {SECRET} lost its keys\nand more that `similar` would add")
    other = sqlite3.connect(desk.kb.database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    desk.ask(f"THE case: the {SECRET} lost its keys")
    other.execute("ROLLBACK")
    other.close()
    desk.ask("printer is dead")
    withdrawal.remove_for_good(desk.kb, "desk:1")
    desk.kb.close()
    for path in (desk.folder / "kb").rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
    with closing(sqlite3.connect(desk.folder / "kb" / "kb.db")) as connection:
        queries = [row[0] for row in connection.execute("SELECT query FROM lookups ORDER BY id")]
    assert sorted(queries) == ["[purged]"] * 3 + ["printer is dead"]


def test_what_is_called_after_it_or_quotes_it_loses_its_text(desk: Desk) -> None:
    a_desk(desk)
    desk.bring(ticket("3", "a quiet instrument", links=same_as("1")))
    (issue,) = desk.rows(
        "SELECT DISTINCT issue_id FROM memberships GROUP BY 1 HAVING count(*) > 1"
    )[0]
    families.rename(desk.kb, issue, f"the {SECRET} lost its keys")
    run = solve(desk.kb, desk.encoder, Problem(f"{SECRET} keys lost on stage", checked=False))
    assert SECRET in str(run)
    withdrawal.remove_for_good(desk.kb, "desk:1")
    held = desk.rows("SELECT coalesce(title, '') FROM issues") + desk.rows(
        "SELECT json_extract(record, '$.known.title') || json_extract(record, '$.chosen.text')"
        " FROM runs"
    )
    assert held
    assert not any(f"the {SECRET} lost" in text or f"tune the {SECRET}" in text for (text,) in held)


def test_an_approach_outlives_the_wording_that_stood_for_it(desk: Desk) -> None:
    desk.bring(
        ticket("1", "printer is dead", attempts=[tried(f"turn the {SECRET} printer on")]),
        ticket("2", "printer is dead again", attempts=[tried("switch the printer on")]),
    )
    one, other = (row[0] for row in desk.rows("SELECT id FROM resolutions ORDER BY id"))
    wordings.merge(desk.kb, f"r{one}", f"r{other}")
    withdrawal.remove_for_good(desk.kb, "desk:1")
    shown = desk.ask("printer is dead again").issues[0].resolutions
    assert [found.text for found in shown] == ["switch the printer on"]


def test_a_purge_is_logged_and_leaves_the_others_alone(desk: Desk) -> None:
    a_desk(desk)
    withdrawal.remove_for_good(desk.kb, "desk:1", reason="erasure request 7")
    assert desk.one("SELECT count(*) FROM decisions WHERE kind = 'purge'") == 1
    assert list(refs(desk.ask("printer is dead"))) == ["desk:2"]
    with pytest.raises(UsageError, match="purged"):
        withdrawal.bring_back(desk.kb, "desk:1")


def test_importing_a_purged_case_again_does_not_bring_it_back(desk: Desk) -> None:
    a_desk(desk)
    withdrawal.remove_for_good(desk.kb, "desk:1")
    a_desk(desk)
    assert desk.one("SELECT body || title FROM cases WHERE external_id = '1'") == "[purged]"
