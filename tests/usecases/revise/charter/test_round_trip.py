"""The file and the commands are one truth: printed and applied unchanged, nothing changes."""

import contextlib
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kbagent.errors import UsageError
from kbagent.usecases.learn.confidence import prospect
from kbagent.usecases.learn.policies import set_trust
from kbagent.usecases.reuse.boundaries import FREEZE
from kbagent.usecases.revise import freezing, rules
from kbagent.usecases.revise.charter.amendment import amendment_to, apply, versions
from kbagent.usecases.revise.charter.document import charter_of
from kbagent.usecases.revise.rules import Remark
from tests.usecases.revise.charter.conftest import Office

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda text: text.strip() == text
)
REASONS = st.none() | WORDS
HANDLES = st.sampled_from(["r1", "r2", "r3"])
ISSUES = st.sampled_from(["i1", "i2"])
MOMENTS = st.integers(0, 90_000_000).map(
    lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n)
)
ACTIONS = st.one_of(
    st.tuples(st.just("pin"), HANDLES, REASONS),
    st.tuples(st.just("forbid"), HANDLES, st.none() | ISSUES, REASONS),
    st.tuples(st.just("deprecate"), HANDLES, st.none() | ISSUES, REASONS, st.none() | MOMENTS),
    st.tuples(st.just("human"), WORDS, st.none() | WORDS),
    st.tuples(st.just("facet"), WORDS.map(lambda w: w.replace("=", "x"))),
    st.tuples(st.just("limit"), st.integers(0, 9), st.integers(0, 9), st.none() | ISSUES),
    st.tuples(st.just("trust"), WORDS, st.sampled_from([0.0, 0.25, 1.0, 3.0])),
    st.tuples(st.just("freeze"), ISSUES, REASONS),
    st.tuples(st.just("undo"), st.integers(0, 5)),
)


def act(desk: Office, action: tuple[Any, ...]) -> None:
    kb = desk.kb
    match action:
        case ("pin", str(fix), reason):
            with contextlib.suppress(UsageError):  # refused where it is forbidden
                rules.pin(kb, "i1", fix, Remark(reason=reason))
        case ("forbid", str(fix), issue, reason):
            rules.forbid(kb, fix, issue, Remark(reason=reason))
        case ("deprecate", str(fix), issue, reason, until):
            other = "r1" if fix != "r1" else "r2"
            rules.deprecate(kb, fix, issue, Remark(None, reason, other, until))
        case ("human", str(word), queue):
            rules.require_human(kb, Remark(queue=queue), keyword=word)
        case ("facet", str(name)):
            rules.require_human(kb, Remark(), facet=f"team={name or 'x'}")
        case ("limit", int(places), int(tried), issue):
            rules.limit(kb, Remark(), places=places, evidence=tried, issue=issue)
        case ("trust", str(source), float(weight)):
            set_trust(kb, source, weight)
        case ("freeze", str(issue), reason):
            if not any(r.kind == FREEZE and f"i{r.issue_id}" == issue for r in rules.standing(kb)):
                freezing.freeze(kb, issue, reason=reason)
        case ("undo", int(which)) if rules.standing(kb):
            standing = rules.standing(kb)
            rules.undo(kb, standing[which % len(standing)].id)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(actions=st.lists(ACTIONS, max_size=8), later=st.lists(ACTIONS, max_size=4))
def test_whatever_was_decided_the_file_says_it_and_brings_it_back(
    tmp_path_factory: pytest.TempPathFactory,
    actions: list[tuple[Any, ...]],
    later: list[tuple[Any, ...]],
) -> None:
    desk = Office(Path(tmp_path_factory.mktemp("desk")))
    for action in actions:
        act(desk, action)
    text, then = desk.text(), charter_of(desk.kb)
    tomllib.loads(text)
    assert text.isprintable() or all(c.isprintable() or c == "\n" for c in text)
    assert set(desk.read(text).rules) == set(then.rules)
    assert not amendment_to(desk.kb, desk.read(text)).changes
    before = desk.dump()
    assert desk.put(text) is None
    assert desk.dump() == before
    for action in later:
        act(desk, action)
    base = charter_of(desk.kb)
    apply(desk.kb, amendment_to(desk.kb, then), base=base)
    now = charter_of(desk.kb)
    assert set(now.rules) == set(then.rules)
    assert [r for r in now.rules if r.kind == "pin"] == [r for r in then.rules if r.kind == "pin"]
    desk.kb.close()


def test_a_rule_that_stays_keeps_its_number_and_author(office: Office) -> None:
    kept = rules.forbid(office.kb, "r2", None, Remark(by="ana"))
    office.put(office.text() + '\n[[pin]]\nissue = "i1"\nresolution = "r3"\n', by="bo")
    assert [one.by for one in rules.standing(office.kb)] == ["ana", "bo"]
    assert rules.standing(office.kb)[0].id == kept


def test_a_rule_made_by_a_command_is_in_the_file_and_one_of_the_file_in_the_list(
    office: Office,
) -> None:
    rules.pin(office.kb, "i1", "r3", Remark(by="ana", reason='say "hi"\x1b[31m'))
    assert 'resolution = "r3"  # switch the spooler port' in office.text()
    assert "\x1b" not in office.text()
    office.put("[limits]\nmax-displacement = 1\n")
    assert [one.kind for one in rules.standing(office.kb)] == ["max-displacement"]


def test_pins_of_an_issue_stand_in_the_order_of_the_file(office: Office) -> None:
    pin = '[[pin]]\nissue = "i1"\nresolution = "r{}"\n'
    office.put(pin.format(3) + pin.format(1))
    assert [one.resolution_id for one in rules.standing(office.kb)] == [3, 1]
    first = rules.standing(office.kb)[0].id
    office.put(pin.format(3) + pin.format(2) + pin.format(1))
    assert [one.resolution_id for one in rules.standing(office.kb)] == [3, 2, 1]
    assert rules.standing(office.kb)[0].id == first


def test_a_promise_is_put_in_force_and_taken_back(office: Office) -> None:
    for text, promise in (
        ("[promise]\nmax-error = 0.1\n", ("max-error", 0.1)),
        ("[limits]\n", None),
    ):
        base = charter_of(office.kb)
        amendment = amendment_to(office.kb, office.read(text))
        assert amendment.promise
        apply(office.kb, amendment, base=base, prospect=prospect(office.kb, promise))
        assert charter_of(office.kb).promise == promise


def test_every_version_is_kept_and_what_commands_did_between_as_well(office: Office) -> None:
    office.put("[limits]\nminimum-evidence = 3\n", by="ana")
    rules.forbid(office.kb, "r2", None, Remark())
    office.put("[limits]\nminimum-evidence = 4\n", by="bo")
    found = versions(office.kb)
    assert [(one.number, one.by, one.source, len(one.charter.rules)) for one in found] == [
        (4, "bo", "file", 1),
        (3, None, "single commands", 2),
        (2, "ana", "file", 1),
        (1, None, "single commands", 0),
    ]
    base = charter_of(office.kb)
    apply(office.kb, amendment_to(office.kb, found[1].charter), base=base)
    assert set(charter_of(office.kb).rules) == set(found[1].charter.rules)
