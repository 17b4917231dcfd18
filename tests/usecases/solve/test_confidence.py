"""Confidence from the history: what counts as right, promises, and what they rest on."""

import pytest

from kbagent.errors import BadValue
from kbagent.usecases.learn import confidence
from kbagent.usecases.maintain.reencoding import use_model
from tests.fakes.desk import Desk, same_as, ticket, tried
from tests.fakes.encoder import FakeEncoder

SYMPTOMS = (
    "printer feeds blank labels",
    "mail client loses its connection",
    "calendar shows the wrong hour",
    "backup stops halfway at night",
    "badge reader refuses every card",
)


@pytest.fixture
def history(desk: Desk) -> Desk:
    """Five problems of sixteen linked cases, one case a day in turn."""
    desk.bring(
        *[
            ticket(
                f"{problem}-{n}",
                f"{symptom}, room {n}",
                attempts=[tried(f"fix for {symptom}")],
                links=same_as(f"{problem}-0") if n else [],
                opened_at=f"2025-{1 + n // 2:02d}-{1 + problem + 10 * (n % 2):02d}T10:00:00Z",
            )
            for n in range(16)
            for problem, symptom in enumerate(SYMPTOMS)
        ]
    )
    return desk


def test_the_first_case_of_a_problem_can_only_be_recognised_wrongly(history):
    labels = confidence.replayed(history.kb)
    assert len(labels.right) == 79  # all but the very first
    assert labels.right[:4].tolist() == [0.0] * 4
    assert labels.right[4:].mean() == 1.0
    assert list(labels.moments) == sorted(labels.moments)


def test_titles_are_asked_too_where_an_encoder_is_at_hand(history):
    assert len(confidence.replayed(history.kb, history.encoder).right) == 2 * 79


def test_what_was_learned_is_in_force_and_search_uses_it(history):
    before = confidence.certain_of(history.kb)
    assert not before.learned
    learned = confidence.learn_confidence(history.kb, history.encoder)
    assert learned.learned and learned.threshold == confidence.DEFAULT_THRESHOLD
    assert history.ask(f"{SYMPTOMS[0]}, room 3").confident
    confidence.set_promise(history.kb, "max-error", 0.02)  # more than 79 outcomes can bear
    assert not history.ask(f"{SYMPTOMS[0]}, room 3").confident


def test_a_promise_sets_the_threshold_and_says_what_it_rests_on(history):
    strict = confidence.set_promise(history.kb, "max-error", 0.1, history.encoder)
    assert "max-error 0.1 set on 79 outcomes" in strict.basis
    wide = confidence.set_promise(history.kb, "min-coverage", 0.9, history.encoder)
    assert wide.threshold <= strict.threshold
    assert "min-coverage 0.9" in wide.basis


@pytest.mark.parametrize(
    ("name", "value"), [("max-error", 0.0), ("max-error", 1.5), ("speed", 0.1)]
)
def test_other_promises_are_refused(history, name, value):
    with pytest.raises(BadValue):
        confidence.set_promise(history.kb, name, value)


def test_with_too_little_history_the_defaults_stay(desk):
    desk.bring(ticket("1", "printer feeds blank labels"))
    assert not confidence.learn_confidence(desk.kb, desk.encoder).learned


def test_the_report_judges_on_later_answers_than_it_learned_from(history):
    found = confidence.calibration_report(history.kb, history.encoder)
    assert found.learned_on + found.judged_on == 2 * 79
    assert 0.0 <= found.error <= 1.0 and 0.0 <= found.brier <= 0.25
    assert sum(row.count for row in found.table) == found.judged_on
    assert confidence.certain_of(history.kb).learned is False  # it changes nothing


def test_a_look_back_uses_the_confidence_that_was_in_force_then(history):
    query = f"{SYMPTOMS[0]}, room 3"
    untaught = history.clock.tick()
    history.clock.tick()
    confidence.learn_confidence(history.kb, history.encoder)
    then = history.clock.tick()
    history.clock.tick()
    confidence.set_promise(history.kb, "max-error", 0.02)
    assert not history.ask(query).confident
    assert confidence.certain_of(history.kb, as_of=then).threshold == confidence.DEFAULT_THRESHOLD
    found = history.ask(query, as_of=then)
    assert (found.confident, found.notes) == (True, ())
    notes = history.ask(query, as_of=untaught).notes  # nothing was learned, or it was not kept
    assert any("today's confidence" in note for note in notes)


def test_a_look_back_beyond_what_was_kept_says_so(history):
    confidence.learn_confidence(history.kb, history.encoder)
    history.kb.connection.execute("DELETE FROM events WHERE type = ?", (confidence.EVENT,))
    found = history.ask(SYMPTOMS[0], as_of=history.clock.tick())
    assert any("today's confidence" in note for note in found.notes)


def test_another_encoder_asks_for_another_learning_and_has_the_fixes_too(history):
    confidence.learn_confidence(history.kb, history.encoder)
    assert confidence.is_current(history.kb)
    before = history.one("SELECT count(*) FROM fix_vectors")
    use_model(history.kb, FakeEncoder(name="other", dimension=32), lambda *_: None)
    assert not confidence.is_current(history.kb)
    assert history.one("SELECT count(*) FROM fix_vectors") == 2 * before > 0
