"""Each check passes where it should, fails where it should, and says why."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.verification import checks
from kbagent.core.verification.checks import Severity, Standing
from kbagent.model.evidence import Evidence


def test_a_known_value_passes_without_regard_to_case():
    assert checks.in_vocabulary("os", "Linux", ["linux", "macos"]).ok
    assert checks.in_vocabulary("os", "anything", []).ok


def test_a_misspelt_value_gets_the_nearest_known_one():
    check = checks.in_vocabulary("product", "Thunderbrid", ["Firefox", "Thunderbird"])
    assert (check.ok, check.proposal) == (False, "Thunderbird")
    assert checks.in_vocabulary("product", "Excel", ["Firefox"]).proposal is None


@given(st.text("ab", max_size=8), st.text("ab", max_size=8), st.text("ab", max_size=8))
def test_edit_distance_is_symmetric_and_bounded(a, b, c):
    assert checks.edit_distance(a, b) == checks.edit_distance(b, a)
    assert (checks.edit_distance(a, b) == 0) == (a == b)
    assert abs(len(a) - len(b)) <= checks.edit_distance(a, b) <= max(len(a), len(b))
    assert checks.edit_distance(a + c, b + c) <= checks.edit_distance(a, b)


@pytest.mark.parametrize(
    ("a", "b", "edits"), [("kitten", "sitting", 3), ("ab", "ba", 1), ("ca", "abc", 3), ("", "", 0)]
)
def test_edit_distance_by_hand(a, b, edits):
    assert checks.edit_distance(a, b) == edits


def test_given_facets_are_held_against_the_text():
    given_ = [("os", "windows"), ("version", "115"), ("product", "mail")]
    read = [("os", "windows 11"), ("version", "102.1"), ("language", "en")]
    results = {c.expected.split("=")[0]: c.ok for c in checks.facets_agree(given_, read)}
    assert results == {"os": True, "version": False}


@pytest.mark.parametrize(
    ("a", "b", "ok"), [("115", "115.0", True), ("115", "1150", False), ("11", "windows 11", False)]
)
def test_facets_agree_at_the_end_of_words_and_numbers(a, b, ok):
    assert checks.facets_agree([("v", a)], [("v", b)])[0].ok is ok


def test_too_short_stops_unless_there_is_an_identifier():
    assert not checks.long_enough(2, 0).ok
    assert checks.long_enough(2, 0).severity is Severity.STOP
    assert checks.long_enough(0, 1).ok
    assert checks.long_enough(3, 0).ok


def test_margin_agreement_and_scope_compare_with_their_thresholds():
    assert checks.clear_margin(0.15).ok
    assert not checks.clear_margin(0.14).ok
    assert checks.neighbours_agree(1, [1, 1, 2]).ok
    assert not checks.neighbours_agree(1, [1, 2, 3]).ok
    assert not checks.neighbours_agree(1, []).ok
    assert checks.in_scope(0.4, most=0.5).ok
    assert not checks.in_scope(0.6, most=0.5).ok


def test_the_searches_agree_when_either_first_is_found_by_the_other():
    assert checks.searches_agree([1, 2], [3, 1]).ok
    assert checks.searches_agree([1, 3], [3]).ok
    assert not checks.searches_agree([1, 2], [3, 4]).ok
    assert checks.searches_agree([1], []).ok


def test_evidence_is_judged_by_the_interval_and_not_by_the_rate():
    lucky = Evidence(1, 1, 1, 0.75, (0.22, 0.99))
    proven = Evidence(2, 40, 24, 0.6, (0.47, 0.72))
    assert not checks.enough_evidence(lucky).ok
    assert checks.enough_evidence(proven).ok


def test_a_resolution_is_contradicted_only_where_it_only_failed():
    assert checks.fits_facet("version", "115.0", ["115"], ["115"]).ok
    assert not checks.fits_facet("version", "115.0", ["102"], ["115"]).ok
    assert checks.fits_facet("version", "128", ["102"], ["115"]).ok
    assert checks.fits_facet("os", None, [], ["linux"]).ok


def test_what_people_decided_stops():
    assert checks.allowed(Standing()).ok
    assert checks.allowed(Standing(deprecated=True, replaced_by=7)).proposal == "7"
    assert checks.allowed(Standing(replaced_by=7)).observed == "superseded"
    forbidden = checks.allowed(Standing(forbidden=True, deprecated=True))
    assert (forbidden.ok, forbidden.observed, forbidden.severity) == (
        False,
        "forbidden",
        Severity.STOP,
    )


def test_a_broken_resolution_stops_and_says_since_when():
    check = checks.not_broken(Standing(broke_at=datetime(2024, 5, 2, tzinfo=UTC)))
    assert (check.ok, check.observed) == (False, "stopped working about 2024-05-02")
    assert checks.not_broken(Standing()).ok


def test_what_was_tried_stops_with_the_writers_own_words():
    check = checks.not_tried("We already restarted the router.", "Restart the router")
    assert (check.ok, check.observed) == (False, "'We already restarted the router'")
    assert checks.not_tried("The router is new", "Restart the router").ok


def test_prerequisites_that_are_unknown_are_asked_for():
    unmet, unknown = checks.prerequisites_met({"os": "linux", "role": "admin"}, [("os", "macos")])
    assert (unmet.ok, unmet.severity) == (False, Severity.STOP)
    assert (unknown.ok, unknown.severity, unknown.proposal) == (
        False,
        Severity.NOTE,
        "ask for role",
    )
    assert all(c.ok for c in checks.prerequisites_met({"os": "linux"}, [("os", "Linux 6")]))


@pytest.mark.parametrize(
    ("worked", "failed", "others", "ok", "severity"),
    [
        (5, 5, 0, True, Severity.STOP),
        (4, 6, 0, False, Severity.STOP),
        (0, 1, 7, False, Severity.DOUBT),  # one failure alone
        (0, 0, 8, False, Severity.NOTE),  # nobody knows what it would have done
    ],
)
def test_what_is_chosen_again_must_have_worked_where_it_was_tried(
    worked, failed, others, ok, severity
):
    found = checks.found_again(worked, failed, others)
    assert found.ok is ok
    if not ok:
        assert found.severity is severity


def test_nothing_to_play_again_is_said():
    assert checks.found_again(0, 0, 0).observed == "no stored outcome to replay"
    assert checks.found_again(0, 0, 3).observed == "none of those played again"
    assert checks.found_again(0, 0, 3).value is None
