"""Wordings put right: the evidence stays, and both the former and the new text mean it."""

import numpy as np
import pytest

from kbagent.errors import UnknownHandle, UsageError
from kbagent.model.details import ResolutionDetails
from kbagent.model.health import State
from kbagent.usecases.maintain.checks.patient import Patient
from kbagent.usecases.maintain.checks.texts import fingerprints, mend_fingerprints
from kbagent.usecases.retrieve.details import details_of
from kbagent.usecases.revise import rewording, wordings
from kbagent.usecases.revise.withdrawal import remove_for_good
from tests.fakes.desk import Desk, texts, ticket, tried

OLD, NEW = "reset teh spooler", "reset the spooler"
QUERY = "printer hangs"


@pytest.fixture
def office(desk: Desk) -> Desk:
    desk.bring(
        ticket("1", QUERY, attempts=[tried(OLD)]),
        ticket("2", "mail is lost", attempts=[tried("compact the folders")]),
    )
    return desk


def tried_times(desk: Desk) -> float:
    return desk.ask(QUERY, limit=1, log=False).issues[0].resolutions[0].evidence.tried


def test_the_new_wording_is_shown_with_the_same_evidence_and_its_author(office: Desk) -> None:
    before = tried_times(office)
    done = rewording.reword(office.kb, "r1", NEW, by="ana")
    assert done is not None
    assert texts(office.ask(QUERY, limit=1)) == [NEW]
    assert tried_times(office) == before
    found = details_of(office.kb, "r1")
    assert isinstance(found, ResolutionDetails)
    assert [(one.by, one.number) for one in found.corrections] == [("ana", done.decision)]
    assert found.wordings == ()


@pytest.mark.parametrize("told", [OLD, NEW])
def test_an_export_that_tells_either_wording_means_it(office: Desk, told: str) -> None:
    rewording.reword(office.kb, "r1", NEW)
    office.bring(ticket("3", f"{QUERY} today", attempts=[tried(told)]))
    assert texts(office.ask(QUERY, limit=1)) == [NEW]
    head = "SELECT count(DISTINCT canonical_id) FROM resolutions WHERE text LIKE 'reset%'"
    assert office.one(head) == 1


def test_its_vector_is_made_anew(office: Desk) -> None:
    blob = "SELECT vector FROM fix_vectors WHERE resolution_id = 1"
    before = office.one(blob)
    rewording.reword(office.kb, "r1", "replace the power supply")
    assert office.rows(blob) == []
    office.bring(ticket("3", "the fan is loud", attempts=[tried("clean it")]))
    assert office.one(blob) != before


def test_it_can_be_taken_back_the_latest_first(office: Desk) -> None:
    one = rewording.reword(office.kb, "r1", NEW)
    two = rewording.reword(office.kb, "r1", "restart the spooler")
    assert one is not None
    assert two is not None
    with pytest.raises(UsageError, match="edited again since"):
        wordings.undo(office.kb, one.decision)
    wordings.undo(office.kb, two.decision)
    wordings.undo(office.kb, one.decision)
    assert texts(office.ask(QUERY, limit=1)) == [OLD]


def test_what_says_the_same_empty_or_nothing_is_refused(office: Desk) -> None:
    assert rewording.reword(office.kb, "r1", f" {OLD} ") is None
    with pytest.raises(UsageError, match="cannot be empty"):
        rewording.reword(office.kb, "r1", "  ")
    with pytest.raises(UsageError, match="r2 says just that"):
        rewording.reword(office.kb, "r1", "Compact the folders.")
    with pytest.raises(UnknownHandle):
        rewording.reword(office.kb, "r99", NEW)


def test_a_purge_takes_the_former_wordings_along(office: Desk) -> None:
    rewording.reword(office.kb, "r1", "a wording with a secret")
    rewording.reword(office.kb, "r1", NEW)
    wordings.rename(office.kb, "r1", "secret name")
    remove_for_good(office.kb, "desk:1")
    everything = str(office.rows("SELECT data FROM decisions"))
    assert "secret" not in everything
    assert OLD not in everything


def test_the_doctor_knows_an_edited_wording_from_a_damaged_one_and_mends_it(office: Desk) -> None:
    rewording.reword(office.kb, "r1", NEW)
    assert state(office) == State.SOUND
    office.kb.connection.execute("UPDATE resolutions SET text = 'rexet' WHERE id = 1")
    assert state(office) == State.DAMAGED
    mend_fingerprints(patient(office))
    assert state(office) == State.SOUND
    assert rewording.wording_of(office.kb, "r1") == NEW


def patient(desk: Desk) -> Patient:
    return Patient(desk.kb, lambda: desk.encoder, np.random.default_rng(0))


def state(desk: Desk) -> State:
    return fingerprints(patient(desk)).state
