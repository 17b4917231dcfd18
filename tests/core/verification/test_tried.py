"""What was already tried, and what was not."""

import pytest

from kbagent.core.verification.tried import already_tried, tried_clauses

RESOLUTIONS = [
    "Reinstall the add-on",
    "Restart the router",
    "Clear the browser cache and cookies",
    "Rebuild the index",
]


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        ("We already reinstalled the add-on.", [0]),
        ("I have restarted the router twice, no change", [1]),
        ("After clearing cache and cookies it still fails", [2]),
        ("Reinstalling the addon did not help. I tried to restart the router.", [0, 1]),
        ("I tried restarting the router and reinstalling the add-on, no luck.", [0, 1]),
        ("Cleared browser cache already, without success", [2]),
        ("He rebuilt the index yesterday but search is empty", [3]),
        ("I have not restarted the router yet", []),
        ("Should I reinstall the add-on?", []),
        ("I don't want to clear the browser cache and cookies", []),
        ("I can't restart the router", []),
        ("Before I reinstall the add-on, is there another way?", []),
        ("The router is broken and the index is slow", []),
        ("", []),
    ],
)
def test_what_the_ticket_rules_out(text, positions):
    assert [t.position for t in already_tried(text, RESOLUTIONS)] == positions


def test_a_clause_left_undone_does_not_hide_one_that_was_done():
    text = "I have not restarted the router, but I already reinstalled the add-on."
    assert [t.position for t in already_tried(text, RESOLUTIONS)] == [0]


def test_the_words_of_the_ticket_are_given_as_the_reason():
    [found] = already_tried("Hello. We already reinstalled the add-on!", RESOLUTIONS)
    assert found.clause == "We already reinstalled the add-on"
    assert found.overlap == 1.0


def test_same_thing_other_act_is_not_ruled_out():
    assert already_tried("We already updated the add-on", RESOLUTIONS[:1]) == ()


def test_no_resolution_is_tried_by_a_text_without_reports():
    assert tried_clauses("The mail is stuck; the screen is black") == ()
    assert already_tried("We already did everything", ["", "the and of"]) == ()


RASTER = "Set the print path of the station to Raster instead of Native. Image is there."


@pytest.mark.parametrize(
    "text",
    [
        "Setting the print path of the station to Raster instead of Native did not help.",
        "blank labels on 4.3; tried: raster path. no luck",
        "We tried the raster path.",
    ],
)
def test_what_did_not_help_or_is_named_in_short_was_tried(text):
    assert already_tried(text, [RASTER, "Swap the print head"])[0].position == 0


@pytest.mark.parametrize(
    "text",
    [
        "We have not set the path to Raster instead of Native yet.",
        "We tried labels.",  # one telling word names no fix
        "We used the queue instead of the raster path.",
    ],
)
def test_what_was_not_done_or_not_named_was_not_tried(text):
    assert already_tried(text, [RASTER]) == ()
