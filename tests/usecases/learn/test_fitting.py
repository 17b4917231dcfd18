"""What outcomes and links teach, and that it is only a candidate."""

from datetime import timedelta

import numpy as np

from kbagent.model.case import Verdict
from kbagent.model.lookup import Request
from kbagent.store import adapters, models, policies
from kbagent.usecases.learn.fitting import learn
from kbagent.usecases.learn.policies import roll_back
from kbagent.usecases.learn.promotion import learned_until
from kbagent.usecases.maintain.indexing import extend_dense
from kbagent.usecases.maintain.spaces import space_of
from kbagent.usecases.retrieve.search import search
from tests.usecases.learn.conftest import START, Desk


def _quiet(*_told: object) -> None:
    pass


def _linked_history(desk: Desk, issues: int, cases: int) -> None:
    """Issues told apart by a few words among many that mean nothing, in turn."""
    rng = np.random.default_rng(5)
    noise = [f"noise{n}" for n in range(12)]
    for number in range(cases):
        for issue in range(issues):
            own = rng.choice([f"word{issue}x{n}" for n in range(4)], 2, replace=False)
            title = " ".join([*own, *rng.choice(noise, 5, replace=False)])
            desk.case(
                f"{issue}-{number}",
                title,
                (f"fix {issue}", Verdict.WORKED),
                opened=START + timedelta(days=3 * number, minutes=issue),
                same_as=f"{issue}-0" if number else None,
            )


def test_an_adapter_is_learned_from_links_and_waits_as_a_candidate(desk: Desk) -> None:
    _linked_history(desk, issues=12, cases=20)
    found = learn(desk.kb, _quiet, _quiet)
    assert found.validation is not None
    assert found.validation.known.change > 0.0
    assert found.validation.unseen.high >= 0.0
    assert found.adapter is not None
    assert found.policy is not None
    live = policies.live(desk.kb.connection)
    assert live.version == 1
    assert live.parameters.adapter is None
    assert found.policy.parameters.adapter == found.adapter
    assert found.policy.parent == 1
    until = learned_until(desk.kb, found.policy.version)
    assert until is not None
    # 70 % of the history; the rest is left to test it on
    assert until < START + timedelta(days=3 * 14)
    assert learn(desk.kb, _quiet, _quiet).adapter == found.adapter  # the same again


def test_without_links_and_outcomes_nothing_is_proposed(desk: Desk) -> None:
    desk.case("A", "labels come out blank")
    found = learn(desk.kb, _quiet, _quiet)
    assert found.policy is None
    assert found.validation is None
    assert len(policies.everyone(desk.kb.connection)) == 1


def test_an_adapter_turns_query_and_cases_and_costs_nothing_to_leave(desk: Desk) -> None:
    desk.case("A", "alpha beta", ("fix a", Verdict.WORKED))
    desk.case("B", "gamma delta", ("fix b", Verdict.WORKED))
    model = models.active(desk.kb.connection)
    assert model is not None
    rng = np.random.default_rng(1)
    matrix = (np.eye(64) + 0.5 * rng.standard_normal((64, 64))).astype(np.float32)
    from dataclasses import replace

    parameters = replace(policies.live(desk.kb.connection).parameters, adapter="turned")
    with desk.kb.database.write() as connection:
        adapters.add(connection, "turned", model.id, matrix, desk.clock())
        version = policies.add(connection, "turned", parameters, desk.clock())
    request = Request(query="alpha gamma")
    plain = search(desk.kb, desk.encoder, request)
    turned = search(desk.kb, desk.encoder, replace(request, policy=version))
    raw = dict(zip("AB", desk.encoder.encode(["alpha beta", "gamma delta"]), strict=True))
    query = desk.encoder.encode(["alpha gamma"])[0]
    for found, change in ((plain, np.eye(64)), (turned, matrix.astype(np.float64))):
        for issue in found.issues:
            case = raw[issue.instances[0].ref[-1]] @ change
            asked = query @ change
            cosine = case @ asked / np.linalg.norm(case) / np.linalg.norm(asked)
            assert abs(issue.terms.similarity - cosine) < 2e-3  # vectors are kept as float16
    # its own index beside the plain one, and the same answer from it
    extend_dense(desk.kb, space_of(desk.kb, model, "turned"))
    again = search(desk.kb, desk.encoder, replace(request, policy=version))
    assert again.issues == turned.issues
    with desk.kb.database.write() as connection:
        policies.make_live(connection, version, "promote", desk.clock())
    roll_back(desk.kb)
    assert search(desk.kb, desk.encoder, request).issues == plain.issues
