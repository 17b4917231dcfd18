"""Policies as people handle them."""

import pytest

from kbagent.errors import BadValue, UnknownHandle, UsageError
from kbagent.store import policies
from kbagent.usecases.learn.policies import difference, roll_back, set_parameters, set_trust
from kbagent.usecases.reuse.boundaries import trust
from tests.usecases.learn.conftest import Desk


def test_safe_parameters_go_live_others_wait(desk: Desk) -> None:
    assert set_parameters(desk.kb, ["exploration=on"]).went_live
    assert policies.live(desk.kb.connection).parameters.exploration
    assert set_parameters(desk.kb, ["gate=bold"]).went_live
    assert policies.live(desk.kb.connection).parameters.gate == 0.5
    assert not set_parameters(desk.kb, ["gate=0.1"]).went_live
    done = set_parameters(desk.kb, ["dense-weight=0.9", "exploration=off"])
    assert not done.went_live
    live = policies.live(desk.kb.connection)
    assert live.parameters.exploration
    assert difference(done.policy.parameters, live.parameters) == [
        ("dense_weight", 0.9, live.parameters.dense_weight),
        ("exploration", False, True),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "nonsense=1",
        "dense_weight",
        "dense_weight=2",
        "gate=brave",
        "exploration=maybe",
        "votes_per_source=1.5",
        "platt=1",
        "dense_weight=nan",
    ],
)
def test_nonsense_is_refused(desk: Desk, text: str) -> None:
    with pytest.raises(BadValue):
        set_parameters(desk.kb, [text])


def test_nothing_changed_is_told(desk: Desk) -> None:
    with pytest.raises(UsageError):
        set_parameters(desk.kb, ["exploration=off"])


def test_rolling_back_goes_to_what_was_live_and_only_there(desk: Desk) -> None:
    with pytest.raises(UsageError):
        roll_back(desk.kb)
    set_parameters(desk.kb, ["exploration=on"])
    candidate = set_parameters(desk.kb, ["dense_weight=0.5"]).policy.version
    with pytest.raises(UsageError, match="never live"):
        roll_back(desk.kb, candidate)
    with pytest.raises(UnknownHandle):
        roll_back(desk.kb, 99)
    assert roll_back(desk.kb).version == 1
    assert not policies.live(desk.kb.connection).parameters.exploration
    assert roll_back(desk.kb, 2).version == 2


def test_the_policy_of_an_earlier_day_is_known(desk: Desk) -> None:
    before = desk.clock()
    desk.clock.turn(days=1)
    set_parameters(desk.kb, ["exploration=on"])
    assert policies.live(desk.kb.connection).version == 2
    assert policies.live(desk.kb.connection, before).version == 1


def test_trust_is_a_decision_with_a_date(desk: Desk) -> None:
    before = desk.clock()
    desk.clock.turn(days=1)
    set_trust(desk.kb, "mallory", 0.2)
    set_trust(desk.kb, "mallory", 0.5)
    assert trust(desk.kb.connection) == {"mallory": 0.5}
    assert trust(desk.kb.connection, as_of=before) == {}
    with pytest.raises(BadValue):
        set_trust(desk.kb, "mallory", -1)
