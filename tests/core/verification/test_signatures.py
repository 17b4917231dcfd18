"""What surrounds a problem is taken away, and nothing of the problem."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.verification.signatures import stripped


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Mail is stuck.\n-- \nJo Miller\nACME", "Mail is stuck."),
        ("Mail is stuck.\n\nThanks in advance,\nJo", "Mail is stuck."),
        ("Mail is stuck.\n\nSent from my iPhone", "Mail is stuck."),
        ("Hallo zusammen,\nMail hängt.\n\nMit freundlichen Grüßen\nJo", "Mail hängt."),
        ("> old words\nNew words here", "New words here"),
        ("Mine.\n-----Original Message-----\nFrom: x\nTheirs.", "Mine."),
        ("Mine.\nFrom: Jo <jo@acme.example>\nTheirs.", "Mine."),
        (
            "Broken.\n\nThis email is confidential and intended solely for the recipient.",
            "Broken.",
        ),
    ],
)  # fmt: skip
def test_boilerplate_goes(text, left):
    assert stripped(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "Thanks to the update my mail is stuck",
        "Best regards is printed on each page\nof the letter template",
        "From: field is empty when I reply",
        "Hello world program does not compile: linker error",
        "Works on Monday, fails on Tuesday",
    ],
)
def test_a_problem_that_looks_like_boilerplate_stays(text):
    assert stripped(text) == text


def test_a_delimiter_far_from_the_end_is_no_signature():
    text = "Log follows\n-----\n" + "\n".join(f"line {i}" for i in range(20))
    assert stripped(text) == text


def test_a_text_of_boilerplate_alone_is_kept():
    assert stripped("Best regards,\nJo") == "Best regards,\nJo"


@given(st.text(max_size=400))
def test_only_takes_away_and_never_leaves_nothing(text):
    left = stripped(text)
    assert len(left) <= len(text)
    assert bool(left) == bool(text.strip())
    assert set(left.split()) <= set(text.split())
