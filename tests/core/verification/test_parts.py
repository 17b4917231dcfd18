"""Two problems in one ticket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.verification.parts import MOST_PARTS, one_problem, parts
from kbagent.core.verification.recognition import Recognised


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1. The mail does not arrive\n2. The calendar shows no events",
         ("The mail does not arrive", "The calendar shows no events")),
        ("Mail does not arrive today. Another issue: calendar shows no events",
         ("Mail does not arrive today.", "Another issue: calendar shows no events")),
        ("Mail does not arrive today.\n\nCalendar shows no events either",
         ("Mail does not arrive today.", "Calendar shows no events either")),
        ("Mail does not arrive", ("Mail does not arrive",)),
        ("Hi all\n\nMail does not arrive today", ("Hi all Mail does not arrive today",)),
    ],
)  # fmt: skip
def test_cuts(text, expected):
    assert tuple(" ".join(p.split()) for p in parts(text)) == expected


@given(st.text(max_size=300))
def test_parts_keep_every_word_but_the_bullets(text):
    found = parts(text)
    assert 1 <= len(found) <= MOST_PARTS


def test_many_points_end_in_one_rest():
    text = "\n".join(f"- this is the point number {i}" for i in range(7))
    assert len(parts(text)) == MOST_PARTS
    assert "number 6" in parts(text)[-1]


def test_two_clear_issues_are_two_problems():
    check = one_problem([Recognised(1, 0.9, 2, 0.1), Recognised(2, 0.8, 1, 0.2)])
    assert not check.ok
    assert check.proposal == "split"


def test_an_unclear_part_or_the_same_issue_is_no_second_problem():
    assert one_problem([Recognised(1, 0.9, 2, 0.1), Recognised(2, 0.5, 1, 0.4)]).ok
    assert one_problem([Recognised(1, 0.9, 2, 0.1), Recognised(1, 0.8, 2, 0.2)]).ok
    assert one_problem([]).ok
