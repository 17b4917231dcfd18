"""Recognising a ticket's issue: never of what is no nearer than unrelated cases are, or is new."""

import numpy as np
import pytest

from kbagent.usecases.mine import recognition
from kbagent.usecases.mine.columns import load_columns
from kbagent.usecases.mine.experience import experience_of
from kbagent.usecases.mine.recognition import Recogniser, unrelated_similarity
from kbagent.usecases.mine.routes import Ticket, routes
from kbagent.usecases.solve.familiarity import Novelty
from tests.fakes.desk import Desk, odd_words, ticket
from tests.fakes.encoder import FakeEncoder

JAMS = "printer jams in the lower tray"


def test_one_case_is_no_answer_to_everything(desk: Desk):
    desk.bring(ticket("1", JAMS))
    for asked in ("delete my personal data", "printer_jams", "the tray of the cat is empty"):
        (one,) = routes(desk.kb, FakeEncoder(), [Ticket(asked)]).routed
        assert one.issue is None
    (same,) = routes(desk.kb, FakeEncoder(), [Ticket(JAMS)]).routed
    assert same.issue is not None
    assert same.issue[1] == JAMS


def test_a_unanimous_vote_of_far_cases_names_nothing(desk: Desk, monkeypatch):
    """Confidence that was learned among lookalikes is sure of anything."""
    desk.bring(
        *(
            ticket(str(i), f"{JAMS if i % 2 else 'scanner slow after lunch'} {odd_words(i % 2)}")
            for i in range(60)
        )
    )
    past = experience_of(desk.kb.connection, load_columns(desk.kb.connection))
    recogniser = Recogniser(desk.kb, past)
    monkeypatch.setattr(type(recogniser._certain), "confidence", lambda *_: 1.0)
    encode = FakeEncoder().encode
    issue = recogniser.issue_of(JAMS, encode([JAMS])[0])
    assert issue is not None
    assert issue[2] == 1.0
    assert recogniser.issue_of("basil soup", encode(["basil soup recipe"])[0]) is None


def test_a_new_problem_has_no_issue(desk: Desk, monkeypatch):
    desk.bring(*(ticket(str(i), f"{JAMS} {i % 3}") for i in range(70)))
    (known,) = routes(desk.kb, FakeEncoder(), [Ticket(JAMS)]).routed
    assert known.issue is not None
    monkeypatch.setattr(recognition, "novelty_among", lambda *_: Novelty(0.9, 0.5))
    (new,) = routes(desk.kb, FakeEncoder(), [Ticket(JAMS)]).routed
    assert new.issue is None


@pytest.mark.parametrize(("size", "least"), [(20, 0.5), (80, 0.2)])
def test_few_cases_do_not_tell_how_alike_the_unrelated_are(size, least):
    angle = np.where(np.arange(size) % 2, 0.0, np.arccos(0.2))
    vectors = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    assert unrelated_similarity(vectors, np.arange(size) % 2) == pytest.approx(least, abs=1e-5)
    assert unrelated_similarity(vectors, np.zeros(size, dtype=np.int64)) == 0.5
