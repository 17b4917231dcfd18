"""Minutes with a lookup and without: only what was measured, and whose it is."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from kbagent.cli.screens.report_words import time_sentence
from kbagent.usecases.report.compounding import report
from kbagent.usecases.report.duration import Durations, Minutes, minutes_of, shortened
from tests.fakes.desk import Desk, odd_words, ticket, tried

START = datetime(2026, 1, 5, 10, tzinfo=UTC)
FIX = "Reset the spooler port."


def shop(desk: Desk, count: int = 6) -> None:
    """Cases that took 100, 110, … minutes and nobody looked anything up for."""
    desk.bring(
        *(
            ticket(
                str(n), f"blank labels {odd_words(n)}", minutes=100 + 10 * n,
                attempts=[tried(FIX)], opened_at=(START + timedelta(days=n)).isoformat(),
            )
            for n in range(count)
        )
    )  # fmt: skip


def own_cases(desk: Desk, count: int = 1) -> None:
    """Cases on somebody's desk, still open, of which nobody measured anything."""
    desk.bring(*(ticket(f"own{n}", odd_words(90 + n), status="open") for n in range(count)))


def test_cases_with_a_lookup_stand_apart(desk: Desk):
    shop(desk)
    own_cases(desk)
    asked = desk.ask("blank labels")
    desk.say("worked", asked.handle, "1", case="desk:own0", minutes=12.0, by="ana")
    found = report(desk.kb, lambda *_: None)
    assert found.helped == Minutes(1, 12.0, 12.0, 12.0)
    assert found.alone == Minutes(6, 125.0, 112.5, 137.5)
    assert found.shortened is None
    assert "no difference is told" in time_sentence(found)
    (month,) = [one for one in found.months if one.helped]
    assert month.month == "2026-01"


def test_an_outcome_on_the_instance_shown_is_not_that_instances_time(desk: Desk):
    shop(desk)
    asked = desk.ask("blank labels")
    desk.say("worked", asked.handle, "1", by="ana")
    found = report(desk.kb, lambda *_: None)
    assert found.helped is None
    assert found.alone is not None and found.alone.cases == 6
    desk.say("worked", desk.ask("blank labels").handle, "1", by="bo", minutes=9.0)
    again = report(desk.kb, lambda *_: None)
    assert again.helped == Minutes(1, 9.0, 9.0, 9.0)
    assert again.alone is not None and again.alone.cases == 6


def test_what_is_taken_back_is_no_lookup(desk: Desk):
    from kbagent.usecases.revise.outcomes import undo

    shop(desk)
    own_cases(desk)
    asked = desk.ask("blank labels")
    given = desk.say("worked", asked.handle, "1", case="desk:own0", minutes=12.0, by="ana")
    undo(desk.kb, given.outcome_id)
    found = report(desk.kb, lambda *_: None)
    assert found.helped is None


def test_a_difference_is_told_with_its_reservation(desk: Desk):
    shop(desk, 12)
    own_cases(desk, 6)
    for number in range(6):
        asked = desk.ask("blank labels")
        case = f"desk:own{number}"
        desk.say("worked", asked.handle, "1", case=case, minutes=10.0 + number, by="ana")
    found = report(desk.kb, lambda *_: None)
    assert found.shortened is not None
    assert found.shortened.estimate == pytest.approx(12.5 - 155.0)
    assert found.shortened.high < 0
    told = time_sentence(found)
    assert "(n = 6)" in told and "(n = 12)" in told
    assert "Not a randomised comparison" in told


def test_no_minutes_no_number(desk: Desk):
    desk.bring(ticket("1", "blank labels", attempts=[tried(FIX)], opened_at=None))
    found = report(desk.kb, lambda *_: None)
    assert found.helped is None and found.alone is None
    assert minutes_of([]) is None
    assert shortened(Durations((), ()), np.random.default_rng(0)) is None
    assert "nothing can be said of time" in time_sentence(found)
