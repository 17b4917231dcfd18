"""Facts about which cases end up in one issue, whatever the order in which they came."""

import random
from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kbagent.model.case import AttemptRecord, CaseRecord, LinkKind, LinkRecord, Verdict
from kbagent.store import issues
from kbagent.usecases.maintain.encoding import enrolled
from kbagent.usecases.retain import placing
from kbagent.usecases.retain.fixes import group_fixes
from kbagent.usecases.retain.intake import Intake
from kbagent.usecases.retain.placing import place_new_cases
from kbagent.usecases.revise import families, wordings
from tests.fakes.desk import Desk

FIX = "reinstall the label driver on the print server and restart its spooler"
PROBLEMS = {
    "labels": ("label printer prints blank labels since update", "reinstall the label driver"),
    "mail": ("outgoing mail rejected with smtp error five fifty", "renew the relay password"),
    "scale": ("bench scale shows ten times the weight", "set the serial line to seven bits"),
    "login": ("cannot log in after the password change", "clear the cached ticket"),
}


def take_in(desk: Desk, *records: CaseRecord) -> None:
    """Retain records as an import does, placing included."""
    model = enrolled(desk.kb, desk.encoder)
    intake = Intake(
        desk.kb,
        desk.encoder,
        model.id,
        redactor=None,
        on_reject=lambda _: None,
        progress=lambda _: None,
    )
    intake.run(records)
    place_new_cases(desk.kb, desk.encoder, model)


def record(number: int, problem: str, *, links: tuple[str, ...] = (), fixed: bool = True):
    text, fix = PROBLEMS[problem]
    return CaseRecord(
        source="desk",
        external_id=str(number),
        title=f"{text} {number}",
        body=f"{text} seen at site {number}",
        attempts=(AttemptRecord(fix, Verdict.WORKED),) if fixed else (),
        links=tuple(LinkRecord(LinkKind.DUPLICATE, other) for other in links),
    )


def a_history(count: int = 40) -> list[CaseRecord]:
    return [record(number, list(PROBLEMS)[number % 4]) for number in range(count)]


def families_of(desk: Desk) -> set[frozenset[str]]:
    found: dict[int, set[str]] = defaultdict(set)
    rows = desk.kb.connection.execute(
        "SELECT issue_id, external_id FROM memberships JOIN cases ON cases.id = case_id"
    )
    for issue_id, name in rows:
        found[issue_id].add(name)
    return {frozenset(some) for some in found.values()}


def test_cases_of_one_problem_are_one_issue_and_others_are_not(desk: Desk) -> None:
    take_in(desk, *a_history())
    by_problem = {frozenset(str(n) for n in range(40) if n % 4 == k) for k in range(4)}
    assert families_of(desk) == by_problem


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10_000))
def test_the_order_of_an_import_does_not_matter(tmp_path_factory, seed: int) -> None:
    straight = Desk(tmp_path_factory.mktemp("a"))
    shuffled = Desk(tmp_path_factory.mktemp("b"))
    history = [*a_history(), record(90, "mail", links=("3",)), record(91, "scale", fixed=False)]
    take_in(straight, *history)
    random.Random(seed).shuffle(history)
    take_in(shuffled, *history)
    assert families_of(straight) == families_of(shuffled)
    straight.kb.close()
    shuffled.kb.close()


def test_a_second_export_joins_the_issues_that_are_there(desk: Desk) -> None:
    take_in(desk, *a_history())
    before = {
        issue
        for (issue,) in desk.kb.connection.execute("SELECT DISTINCT issue_id FROM memberships")
    }
    take_in(desk, *[record(100 + n, list(PROBLEMS)[n % 4]) for n in range(8)])
    assert len(families_of(desk)) == 4
    after = {
        issue
        for (issue,) in desk.kb.connection.execute("SELECT DISTINCT issue_id FROM memberships")
    }
    assert after == before


def test_an_explicit_link_outranks_similarity(desk: Desk) -> None:
    take_in(desk, *a_history(), record(95, "login", links=("0",)))
    case = families.named_case(desk.kb, "desk:95")
    linked = families.named_case(desk.kb, "desk:0")
    assert case.issue_id == linked.issue_id
    membership = issues.membership_of(desk.kb.connection, case.id)
    assert membership is not None
    assert membership.kind == "linked"


def test_a_link_to_a_case_that_comes_later_waits_for_it(desk: Desk) -> None:
    take_in(desk, record(1, "mail", links=("2",)))
    take_in(desk, record(2, "scale"))
    assert families_of(desk) == {frozenset({"1", "2"})}


def test_what_a_person_decided_survives_every_later_import(desk: Desk) -> None:
    take_in(desk, *a_history())
    families.link(desk.kb, "desk:0", "desk:1")
    families.unlink(desk.kb, "desk:2", "desk:6")
    take_in(desk, *[record(200 + n, list(PROBLEMS)[n % 4]) for n in range(40)])
    placed = {name: families.named_case(desk.kb, f"desk:{name}").issue_id for name in "0126"}
    assert placed["0"] == placed["1"]
    assert placed["2"] != placed["6"]


def test_every_case_is_in_exactly_one_issue(desk: Desk) -> None:
    take_in(desk, *a_history(), *[record(300 + n, "mail", fixed=False) for n in range(5)])
    assert issues.unplaced(desk.kb.connection) == []


def test_the_same_fix_in_other_words_counts_as_one_approach(desk: Desk) -> None:
    said = [FIX, f"{FIX} again", f"please {FIX}"]
    take_in(
        desk,
        *[
            CaseRecord(
                "desk",
                str(n),
                f"label printer prints blank labels {n}",
                attempts=(AttemptRecord(said[n % 3], Verdict.WORKED),),
            )
            for n in range(6)
        ],
    )
    heads = {row[0] for row in desk.kb.connection.execute("SELECT canonical_id FROM resolutions")}
    assert len(heads) == 1


def test_wordings_that_a_person_took_apart_stay_apart(desk: Desk) -> None:
    take_in(
        desk,
        *[
            CaseRecord(
                "desk",
                str(n),
                f"label printer prints blank labels {n}",
                attempts=(AttemptRecord(text, Verdict.WORKED),),
            )
            for n, text in enumerate([FIX, f"{FIX} again"])
        ],
    )
    wordings.split(desk.kb, "r2")
    issue = families.named_case(desk.kb, "desk:0").issue_id
    with desk.kb.database.write():
        group_fixes(desk.kb, 1, [issue])
    heads = {row[0] for row in desk.kb.connection.execute("SELECT canonical_id FROM resolutions")}
    assert len(heads) == 2


class KilledError(Exception):
    """Ends a run in the middle."""


def test_many_new_cases_are_placed_a_few_at_a_time_whatever_their_order(
    tmp_path_factory, monkeypatch
) -> None:
    monkeypatch.setattr(placing, "REGROUP_MOST", 30)  # the first import alone is grouped anew
    monkeypatch.setattr(placing, "TOGETHER", 3)
    monkeypatch.setattr(placing, "_COMPARED", 6)
    more = [record(100 + number, list(PROBLEMS)[number % 4]) for number in range(20)]
    found = []
    for seed in range(3):
        desk = Desk(tmp_path_factory.mktemp("desk"))
        take_in(desk, *a_history(28))
        take_in(desk, *random.Random(seed).sample(more, len(more)))
        found.append(families_of(desk))
        if seed == 0:
            assert {len(some) for some in found[0]} == {12}
        desk.kb.close()
    assert found[0] == found[1] == found[2]


def test_a_placing_that_is_cut_off_ends_as_one_that_was_not(tmp_path_factory, monkeypatch) -> None:
    monkeypatch.setattr(placing, "REGROUP_MOST", 30)
    monkeypatch.setattr(placing, "TOGETHER", 3)
    monkeypatch.setattr(placing, "_COMPARED", 6)
    more = [record(100 + number, list(PROBLEMS)[number % 4]) for number in range(20)]
    whole, cut = (Desk(tmp_path_factory.mktemp(name)) for name in ("whole", "cut"))
    for desk in (whole, cut):
        take_in(desk, *a_history(28))
    take_in(whole, *more)
    keep, kept = placing._keep, list[int]()

    def dies(*arguments: object) -> None:
        if len(kept) == 3:
            raise KilledError
        kept.append(1)
        keep(*arguments)

    monkeypatch.setattr(placing, "_keep", dies)
    with pytest.raises(KilledError):
        take_in(cut, *more)
    monkeypatch.setattr(placing, "_keep", keep)
    take_in(cut, *more)
    assert families_of(cut) == families_of(whole)
    for desk in (whole, cut):
        desk.kb.close()
