"""What search, feedback and the ledger have to do with learning."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kbagent.model.case import Verdict
from kbagent.model.feedback import Remark
from kbagent.model.lookup import IssueHit, LookupResult, Request
from kbagent.model.policy import PolicyParameters
from kbagent.store import decisions, ledger, lookups, policies
from kbagent.usecases.retrieve.search import search
from kbagent.usecases.revise.importing import import_outcomes
from kbagent.usecases.revise.outcomes import give, undo
from tests.usecases.learn.conftest import Desk

QUERY = "label printer prints blank labels"
FIRST, SECOND = "restart the spooler", "switch to the raster path"


def _two_resolutions(desk: Desk) -> None:
    desk.case("A", QUERY, (FIRST, Verdict.UNKNOWN), (SECOND, Verdict.UNKNOWN))


def _import(desk: Desk, prefix: str, text: str, worked: int, failed: int, month: int = 2) -> None:
    rows = ["id,outcome,case,resolution,at"]
    verdicts = ["worked"] * worked + ["failed"] * failed
    order = np.random.default_rng(1).permutation(len(verdicts))
    rows += [
        f"{prefix}{i},{verdicts[k]},desk:A,{text},2026-{month:02d}-{1 + i // 5:02d}T{i % 5:02d}:00Z"
        for i, k in enumerate(order)
    ]
    done = import_outcomes(desk.kb, "\n".join(rows) + "\n")
    assert done.recorded == worked + failed, done.rejects[:3]


def _ask(desk: Desk, **changes: object) -> LookupResult:
    return search(desk.kb, desk.encoder, Request(query=QUERY, **changes))  # type: ignore[arg-type]


def _live(desk: Desk, **changes: object) -> int:
    parameters = dataclasses.replace(policies.live(desk.kb.connection).parameters, **changes)  # type: ignore[arg-type]
    with desk.kb.database.write() as connection:
        version = policies.add(connection, "test", parameters, desk.clock())
        policies.make_live(connection, version, "promote", desk.clock())
    return version


def test_the_better_of_two_comes_first_with_its_rate_and_interval(desk: Desk) -> None:
    _two_resolutions(desk)
    _import(desk, "a", FIRST, 80, 20)
    _import(desk, "b", SECOND, 90, 10)
    best, other = _ask(desk).issues[0].resolutions
    assert (best.text, best.evidence.worked, best.evidence.tried) == (SECOND, 90, 100)
    assert (other.text, other.evidence.worked, other.evidence.tried) == (FIRST, 80, 100)
    low, high = best.evidence.interval
    assert low < 0.9 < high
    assert 0.03 < high - low < 0.12  # sqrt(.9 * .1 / 100) * 1.645 * 2 = 0.099


def test_forty_failures_put_the_first_back_and_say_when_it_was_noticed(desk: Desk) -> None:
    _two_resolutions(desk)
    _import(desk, "a", FIRST, 80, 20)
    _import(desk, "b", SECOND, 90, 10)
    _import(desk, "c", SECOND, 0, 40, month=3)
    best, other = _ask(desk).issues[0].resolutions
    assert (best.text, other.text) == (FIRST, SECOND)
    broke = other.evidence.broke
    assert broke is not None
    assert broke.noticed_at is not None
    assert (broke.at.month, broke.tried_since, broke.worked_since) == (3, 40, 0)
    assert (broke.noticed_at - broke.at).days <= 3
    desk.clock.turn(days=90)
    given_ = give(desk.kb, Verdict.FAILED, [f"r{other.resolution_id}"], Remark())
    assert given_.broke is not None
    assert given_.broke.tried_since == 41


def test_pool_strength_of_the_policy_changes_the_rate(desk: Desk) -> None:
    _two_resolutions(desk)
    _import(desk, "a", FIRST, 3, 0)
    weak = _ask(desk).issues[0].resolutions[0].evidence.rate
    _live(desk, prior_strength=30.0)
    strong = _ask(desk).issues[0].resolutions[0].evidence.rate
    # m = (3 + 10·ḡ)/(3 + 10), ḡ = (3+1)/(3+2) = 0.8;  rate = (3 + κ·m)/(3 + κ)
    mean = (3 + 8) / 13
    assert weak == pytest.approx((3 + 4 * mean) / 7)
    assert strong == pytest.approx((3 + 30 * mean) / 33)


def test_a_distrusted_source_weighs_less_from_that_moment_on(desk: Desk) -> None:
    _two_resolutions(desk)
    found = _ask(desk)
    give(desk.kb, Verdict.WORKED, [found.handle, "2"], Remark(by="mallory"))
    before = {r.text: r.evidence.rate for r in _ask(desk).issues[0].resolutions}
    told = desk.clock.turn(hours=1)
    desk.clock.turn(hours=1)
    with desk.kb.database.write() as connection:
        data = {"source": "mallory", "weight": 0.1}
        decisions.add(connection, "trust", desk.clock(), data=data)
    after = {r.text: r.evidence.rate for r in _ask(desk).issues[0].resolutions}
    assert after[SECOND] < before[SECOND]
    earlier = {r.text: r.evidence.rate for r in _ask(desk, as_of=told).issues[0].resolutions}
    assert earlier == before


def test_satisfaction_breaks_a_tie_and_never_outvotes_success(desk: Desk) -> None:
    _two_resolutions(desk)
    ids = {r.text: r.resolution_id for r in _ask(desk).issues[0].resolutions}
    for text, csat in ((FIRST, 0.1), (SECOND, 1.0)):
        for _ in range(30):
            give(desk.kb, Verdict.WORKED, [f"r{ids[text]}"], Remark(csat=csat))
    _live(desk, gate=-1.0, choice_bonus=0.0)
    assert _ask(desk).issues[0].resolutions[0].text == SECOND
    for _ in range(3):
        give(desk.kb, Verdict.FAILED, [f"r{ids[SECOND]}"], Remark(csat=1.0))
    assert _ask(desk).issues[0].resolutions[0].text == FIRST


def test_exploring_repeats_itself_until_something_is_learned(desk: Desk) -> None:
    _two_resolutions(desk)
    _import(desk, "a", FIRST, 6, 2)
    _import(desk, "b", SECOND, 6, 3)
    _live(desk, exploration=True, exploration_reach=5.0)

    def first() -> int:
        return _ask(desk).issues[0].resolutions[0].resolution_id

    seen = set()
    for number in range(12):
        one = first()
        assert first() == one
        seen.add(one)
        _import(desk, f"c{number}-", FIRST, 1, 0)
        _import(desk, f"d{number}-", SECOND, 1, 0)
    assert len(seen) == 2  # it is not frozen for ever


def test_every_logged_propensity_is_a_probability_and_alternatives_sum_to_one(desk: Desk) -> None:
    texts = [f"way number {n}" for n in range(6)]
    desk.case("A", QUERY, *((text, Verdict.UNKNOWN) for text in texts))
    for number, text in enumerate(texts):
        _import(desk, f"x{number}-", text, 3 + number, 4)
    _live(desk, exploration=True, exploration_reach=2.0)
    rng = np.random.default_rng(3)
    explored = 0
    for _ in range(12):
        found = _ask(desk, everything=bool(rng.integers(2)))
        lookup = lookups.by_handle(desk.kb.connection, found.handle)
        assert lookup is not None
        for showing in lookups.showings(desk.kb.connection, lookup.id):
            assert showing.propensity is not None
            assert 0.0 < showing.propensity <= 1.0
            shares = dict(showing.alternatives)
            assert sum(shares.values()) == pytest.approx(1.0, abs=1e-9)
            assert shares[showing.resolution_id or 0] == showing.propensity
            explored += showing.explored
        rank = int(rng.integers(1, 4))
        verdict = Verdict.WORKED if rng.random() < 0.5 else Verdict.FAILED
        give(desk.kb, verdict, [found.handle, str(rank)], Remark())
    assert explored > 0
    marked = [json.dumps(r.explored) for r in found.issues[0].resolutions]
    assert len(marked) >= 3


_ACTION = st.one_of(
    st.tuples(st.just("outcome"), st.integers(1, 3), st.sampled_from(list(Verdict)[:3])),
    st.tuples(st.just("own case"), st.integers(1, 3), st.sampled_from(list(Verdict)[:3])),
    st.tuples(st.just("undo"), st.integers(0, 20), st.none()),
    st.tuples(st.just("policy"), st.integers(0, 3), st.none()),
    st.tuples(st.just("trust"), st.integers(0, 10), st.none()),
)
_POLICIES: tuple[dict[str, object], ...] = (
    {"exploration": True},
    {"exploration": False, "gate": 0.5},
    {"prior_strength": 12.0, "dense_weight": 0.5},
    {"evidence_bound": 0.2},
)


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # each example is a knowledge base
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(actions=st.lists(_ACTION, min_size=3, max_size=9))
def test_the_ranking_of_any_earlier_moment_is_reproduced(
    actions: list[tuple[str, int, Verdict | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder: Path = tmp_path_factory.mktemp("earlier")
    desk = Desk(folder / "kb")
    _two_resolutions(desk)
    desk.case("B", "printer prints nothing at all", ("change the cable", Verdict.WORKED))
    desk.case("C", "blank pages from the office printer", (FIRST, Verdict.FAILED))
    seen = []
    for number, (kind, which, verdict) in enumerate(actions):
        desk.clock.turn(minutes=5)
        seen.append((desk.clock(), _ask(desk, everything=True)))
        desk.clock.turn(minutes=5)
        _act(desk, kind, which, verdict, number)
    desk.clock.turn(minutes=5)
    for moment, before in seen:
        again = _ask(desk, everything=True, as_of=moment)
        assert again.policy_version == before.policy_version
        assert _ranking(again) == _ranking(before)
        named = _ask(desk, everything=True, as_of=moment, policy=before.policy_version)
        assert _ranking(named) == _ranking(before)
    desk.kb.close()


def _ranking(found: LookupResult) -> list[IssueHit]:
    """All of it, to the last digit, but the names that issues have today."""
    return [dataclasses.replace(issue, title="") for issue in found.issues]


def _act(desk: Desk, kind: str, which: int, verdict: Verdict | None, number: int) -> None:
    if kind in ("outcome", "own case"):
        assert verdict is not None
        case = None
        words = [str(which)]
        if kind == "own case":
            asked = _ask(desk, everything=True)
            case, words = f"desk:NEW-{number}", [asked.handle, str(which)]
            desk.case(f"NEW-{number}", f"blank labels once more {number}")
        give(desk.kb, verdict, words, Remark(by=f"p{which}"), case_ref=case)
    elif kind == "undo":
        entries = ledger.latest(desk.kb.connection, 50, explicit_only=True)
        able = [
            one
            for one in entries
            if one.verdict is not Verdict.UNKNOWN
            and not ledger.is_undone(desk.kb.connection, one.id)
        ]
        if able:
            undo(desk.kb, able[which % len(able)].id)
    elif kind == "policy":
        _live(desk, **_POLICIES[which])
    else:
        with desk.kb.database.write() as connection:
            data = {"source": f"p{1 + which % 4}", "weight": which / 5}
            decisions.add(connection, "trust", desk.clock(), data=data)


def test_a_parameter_added_later_takes_its_default(desk: Desk) -> None:
    with desk.kb.database.write() as connection:
        connection.execute("UPDATE policies SET parameters = '{}' WHERE version = 1")
    assert policies.live(desk.kb.connection).parameters == PolicyParameters()
