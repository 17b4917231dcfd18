"""Searching: filters before ranking, scores that can be computed again, the same answer twice."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kbagent.core.retrieval.filters import parse_filter
from kbagent.errors import BadFilter, UnknownHandle, UnreadableFile
from kbagent.model.lookup import LookupResult
from kbagent.store import ledger, lookups
from kbagent.usecases.revise.outcomes import undo
from tests.fakes.desk import Desk, odd_words, refs, same_as, texts, ticket, tried

HANGS = ticket(
    "1",
    "Printer hangs after update",
    attempts=[tried("Reset the spooler"), tried("Buy a new one", "failed")],
)
AGAIN = ticket("2", "Device silent", links=same_as("1"), attempts=[tried("Change the cable")])
MAIL = ticket("3", "Mail lost in outbox", attempts=[tried("Compact the folders")])


def shown(result: LookupResult) -> list[tuple]:
    """All that a person sees of an answer, without the handle."""
    return [
        (
            issue.issue_id,
            issue.score,
            issue.confidence,
            issue.instances,
            [
                (r.resolution_id, r.rank, r.score, r.evidence, r.propensity)
                for r in issue.resolutions
            ],
        )
        for issue in result.issues
    ]


@pytest.fixture
def stocked(desk: Desk) -> Desk:
    desk.bring(HANGS, AGAIN, MAIL)
    return desk


def test_one_problem_appears_once_with_all_its_instances_under_it(stocked):
    best = stocked.ask("printer hangs").issues[0]
    assert [hit.ref for hit in best.instances] == ["desk:1", "desk:2"]
    assert best.instance_count == 2
    assert [one.rank for one in best.resolutions] == [1, 2, 3]


def test_what_worked_stands_before_what_is_unknown_and_that_before_what_failed(desk):
    told = [tried("bad", "failed"), tried("maybe", ""), tried("good", "worked")]
    desk.bring(ticket("1", "printer hangs", attempts=told))
    assert texts(desk.ask("printer hangs", everything=True)) == ["good", "maybe", "bad"]


def test_mere_suggestions_are_left_out_where_something_worked(desk):
    desk.bring(ticket("1", "printer hangs", attempts=[tried("maybe", ""), tried("good")]))
    assert texts(desk.ask("printer hangs")) == ["good"]


def test_a_new_case_is_found_at_once_although_no_index_was_written(stocked):
    index = stocked.kb.index_folder
    before = {path: path.stat().st_mtime_ns for path in index.rglob("*")}
    stocked.ask("printer")
    made = {path: path.stat().st_mtime_ns for path in index.rglob("*")}
    stocked.kb.clock.tick()
    stocked.say("worked", "r1")
    from kbagent.model.case import CaseRecord
    from kbagent.usecases.retain.addition import add_case

    add_case(stocked.kb, CaseRecord("desk", "9", "Zebra ate the toner"), encoder=stocked.encoder)
    found = stocked.ask("zebra toner")
    assert next(refs(found)) == "desk:9"
    assert found.notes == ()
    assert {path: path.stat().st_mtime_ns for path in index.rglob("*")} == made
    assert before == made


def test_the_one_match_among_three_hundred_is_found_because_filters_come_first(desk):
    nearer = [ticket(f"n{i}", f"printer hangs after update {i}") for i in range(300)]
    far = ticket("odd", "completely different text", facets={"version": "7.1"})
    desk.bring(*nearer, far)
    found = desk.ask("printer hangs after update", filters=(parse_filter("version>=7"),))
    assert list(refs(found)) == ["desk:odd"]
    assert found.hidden == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"filters": (parse_filter("os=linux"),)}, {"desk:a"}),
        ({"filters": (parse_filter("OS != Linux"),)}, {"desk:b", "other:c"}),
        ({"filters": (parse_filter("title~silent"),)}, {"desk:b"}),
        ({"sources": ("OTHER",)}, {"other:c"}),
        ({"resolved": True}, {"desk:a"}),
        ({"resolved": False}, {"desk:b", "other:c"}),
        ({"since": datetime(2026, 1, 2, tzinfo=UTC)}, {"desk:b", "other:c"}),
        ({"until": datetime(2026, 1, 2, tzinfo=UTC)}, {"desk:a"}),
        ({"exclude": (1,)}, {"desk:b", "other:c"}),
    ],
)
def test_every_condition_narrows(desk, options, expected):
    desk.bring(
        ticket("a", "printer hangs", facets={"os": "Linux"}, opened_at="2026-01-01T00:00:00Z"),
        ticket("b", "printer silent", status="open", opened_at="2026-01-02T00:00:00Z"),
        ticket("c", "printer burns", source="other", status="", opened_at="2026-01-03T00:00:00Z"),
    )
    assert set(refs(desk.ask("printer", **options))) == expected


def test_conditions_narrow_together(desk):
    desk.bring(
        ticket("a", "printer hangs", facets={"os": "Linux", "version": "1"}),
        ticket("b", "printer silent", facets={"os": "Linux", "version": "2"}),
        ticket("c", "printer burns", facets={"os": "Mac", "version": "2"}),
    )
    filters = (parse_filter("version=2"), parse_filter("os=linux"))
    assert set(refs(desk.ask("printer", filters=filters))) == {"desk:b"}
    assert set(refs(desk.ask("printer", filters=filters[::-1]))) == {"desk:b"}


def test_conditions_hold_for_cases_that_are_in_no_index_yet(desk):
    desk.bring(ticket("a", "printer hangs"), ticket("b", "printer burns", source="other"))
    shutil.rmtree(desk.kb.index_folder)
    assert set(refs(desk.ask("printer", sources=("other",)))) == {"other:b"}


def test_an_issue_shows_only_its_instances_within_the_filters(stocked):
    best = stocked.ask("printer hangs", filters=(parse_filter("title~silent"),)).issues[0]
    assert [hit.ref for hit in best.instances] == ["desk:2"]
    assert best.instance_count == 1


def test_a_case_left_out_shows_neither_itself_nor_its_evidence(stocked):
    found = stocked.ask("printer hangs", exclude=(1,))
    assert "desk:1" not in set(refs(found))
    assert "Reset the spooler" not in texts(found)


def test_the_condition_that_leaves_nothing_is_named(stocked):
    filters = (parse_filter("status=resolved"), parse_filter("source=mars"))
    found = stocked.ask("printer", filters=filters)
    assert found.issues == () and not found.confident
    assert found.notes == ("no case is left after the condition source=mars",)


@pytest.mark.parametrize(
    ("narrowed", "named"),
    [
        ({"sources": ("mars",), "resolved": True}, "--source mars"),
        ({"sources": ("desk",), "until": datetime(2001, 1, 1, tzinfo=UTC)}, "--until"),
        ({"since": datetime(2999, 1, 1, tzinfo=UTC)}, "--since"),
        ({"as_of": datetime(2001, 1, 1, tzinfo=UTC)}, "--as-of"),
    ],
)
def test_of_several_options_the_one_that_emptied_the_result_is_named(stocked, narrowed, named):
    (note,) = stocked.ask("printer", **narrowed).notes
    assert note.startswith(f"no case is left after the condition {named}")


def test_an_unknown_column_is_an_error_that_names_the_nearest(stocked):
    with pytest.raises(BadFilter, match="did you mean status"):
        stocked.ask("printer", filters=(parse_filter("statos=x"),))


def test_an_unknown_policy_is_an_error(stocked):
    with pytest.raises(UnknownHandle, match="policy 7"):
        stocked.ask("printer", policy=7)


def test_the_score_follows_from_its_terms_to_the_last_digit(stocked):
    stocked.ask("printer hangs 0x80070035")
    stocked.say("worked", "1")
    for query in ("printer hangs", "mail", "printer error 0x80070035 desk-3"):
        for issue in stocked.ask(query).issues:
            assert issue.score == issue.terms.score


def test_the_same_lookup_gives_the_same_answer(stocked):
    assert shown(stocked.ask("printer mail")) == shown(stocked.ask("printer mail"))


def test_a_lookup_changes_nothing_but_the_log(stocked):
    before = stocked.dump()
    stocked.ask("printer")
    after = stocked.dump()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"lookups", "showings", "events"}


def test_a_lookup_logs_what_it_showed_at_which_place_with_which_propensity(stocked):
    result = stocked.ask("printer hangs")
    lookup = lookups.by_handle(stocked.kb.connection, result.handle)
    places = lookups.showings(stocked.kb.connection, lookup.id)
    ranked = [one for one in places if one.rank is not None]
    expected = [
        (one.rank, one.resolution_id, one.propensity)
        for issue in result.issues
        for one in issue.resolutions
    ]
    assert [(one.rank, one.resolution_id, one.propensity) for one in ranked] == expected
    assert [one.place for one in places] == list(range(1, len(places) + 1))
    assert all(0.0 < one.propensity <= 1.0 for one in ranked)
    considered = json.loads(lookup.candidates)
    assert considered["considered"] == len(considered["best"]) == 3


def test_pages_follow_each_other_without_gap_or_overlap(desk):
    desk.bring(
        *[
            ticket(
                f"{i}",
                f"printer {odd_words(i)}",
                attempts=[tried(f"fix {odd_words(i)}", "worked" if i % 3 else "failed")]
                * (i % 4 > 0),
            )
            for i in range(120)
        ]
    )
    whole = [issue.issue_id for issue in desk.ask("printer", limit=120).issues]
    assert len(whole) > 70
    for size in (13,):
        pages = [
            issue.issue_id
            for offset in range(0, len(whole), size)
            for issue in desk.ask("printer", limit=size, offset=offset).issues
        ]
        assert pages == whole


def test_hidden_counts_what_comes_after_the_page(stocked):
    total = len(stocked.ask("printer mail").issues)
    assert stocked.ask("printer mail", limit=1).hidden == total - 1
    assert stocked.ask("printer mail", limit=1, offset=1).hidden == total - 2
    assert stocked.ask("printer mail", limit=5, offset=50).hidden == 0


def test_resolutions_of_an_issue_far_down_the_list_are_shown_too(desk):
    desk.bring(
        *[ticket(f"{i}", odd_words(i), attempts=[tried(f"fix {odd_words(i)}")]) for i in range(90)]
    )
    found = desk.ask("printer", limit=90)
    assert len(found.issues) > 60
    last = desk.ask("printer", limit=1, offset=len(found.issues) - 1).issues[0]
    assert last.resolutions


@pytest.mark.parametrize("harm", ["gone", "garbage", "cut", "other model"])
def test_a_missing_or_broken_index_gives_the_same_answer(stocked, harm):
    right = shown(stocked.ask("printer hangs"))
    folder = stocked.kb.index_folder
    if harm == "gone":
        shutil.rmtree(folder)
    elif harm == "other model":
        for manifest in folder.rglob("*.json"):
            manifest.write_text(manifest.read_text().replace("fake", "elsewhere"))
    else:
        for path in folder.rglob("*"):
            if path.is_file():
                path.write_bytes(b"\0garbage" if harm == "garbage" else path.read_bytes()[:7])
    assert shown(stocked.ask("printer hangs")) == right
    assert shown(stocked.ask("printer hangs")) == right


def test_an_index_that_cannot_be_made_leaves_a_right_answer_and_a_note(stocked):
    right = shown(stocked.ask("printer hangs"))
    folder = stocked.kb.index_folder
    shutil.rmtree(folder)
    folder.write_text("a file where the folder should be")
    found = stocked.ask("printer hangs")
    assert [issue.issue_id for issue in found.issues] == [row[0] for row in right]
    assert any("index" in note for note in found.notes)


def test_an_answer_that_cannot_be_logged_is_given_all_the_same(stocked):
    right = shown(stocked.ask("printer hangs"))
    stocked.kb.connection.execute("PRAGMA query_only = ON")
    found = stocked.ask("printer hangs")
    assert shown(found) == right
    assert found.handle == ""
    assert "was not kept" in found.notes[0]
    with pytest.raises(UnreadableFile):
        stocked.say("worked", "1")


def test_nothing_is_known_in_an_empty_knowledge_base(desk):
    found = desk.ask("printer")
    assert (found.issues, found.confident, found.hidden) == ((), False, 0)


def test_only_what_was_known_then_is_shown_as_of_then(desk):
    desk.bring(HANGS)
    before = desk.clock.now
    desk.clock.tick()
    desk.bring(AGAIN)
    assert set(refs(desk.ask("printer hangs"))) == {"desk:1", "desk:2"}
    assert set(refs(desk.ask("printer hangs", as_of=before))) == {"desk:1"}


def test_an_attempt_retired_at_a_moment_is_gone_at_that_moment(stocked):
    stocked.clock.tick()
    stocked.bring({**HANGS, "attempts": HANGS["attempts"][:1]})
    now = texts(stocked.ask("printer hangs", everything=True))
    then = texts(stocked.ask("printer hangs", everything=True, as_of=stocked.clock.now))
    assert then == now
    assert "Buy a new one" not in now


def unscored(result: LookupResult) -> list[tuple]:
    """An answer without the time-bound parts of its request."""
    return shown(replace(result, handle=""))


SAYING = st.tuples(
    st.sampled_from(["worked", "failed", "partly"]),
    st.integers(1, 4),
    st.sampled_from([None, "ana", "ben"]),
)


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(st.one_of(SAYING, st.just("undo")), min_size=1, max_size=6))
def test_every_earlier_ranking_can_be_computed_again(tmp_path_factory, steps):
    desk = Desk(tmp_path_factory.mktemp("as-of"))
    desk.bring(HANGS, AGAIN, MAIL)
    history = []
    for step in steps:
        result = desk.ask("printer hangs")
        history.append((desk.clock.now, unscored(result)))
        desk.clock.tick()
        standing = list(ledger.latest(desk.kb.connection, 99, explicit_only=False))
        if step == "undo":
            able = [
                one
                for one in standing
                if one.verdict != "unknown" and not ledger.is_undone(desk.kb.connection, one.id)
            ]
            if able:
                undo(desk.kb, able[0].id)
        else:
            verdict, rank, by = step
            desk.say(verdict, result.handle, str(min(rank, len(texts(result)))), by=by)
        desk.clock.tick()
    for moment, then in history:
        assert unscored(desk.ask("printer hangs", as_of=moment, log=False)) == then
    desk.kb.close()


def test_an_export_column_called_like_a_field_of_the_case_does_not_hide_it(desk):
    desk.bring(HANGS, {**AGAIN, "facets": {"id": "77", "status": "Done"}})
    for text, found in (
        ("id=1", ["desk:1"]),
        ("id=77", ["desk:2"]),
        ("status=Done", ["desk:2"]),
        ("status=resolved", ["desk:1", "desk:2"]),
        ("status!=Done", ["desk:1"]),
    ):
        hits = refs(desk.ask("printer hangs", filters=(parse_filter(text),), everything=True))
        assert sorted(hits) == found, text
