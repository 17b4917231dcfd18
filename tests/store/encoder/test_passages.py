"""Passages lose no word and never exceed what the encoder reads."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.store.encoder.passages import MAX_PASSAGES, passages
from tests.fakes.encoder import FakeEncoder

ENCODER = FakeEncoder(max_tokens=32)


def test_a_short_case_is_one_passage():
    assert passages("Mail lost", "since today", ENCODER) == ["Mail lost\nsince today"]


@pytest.mark.parametrize(
    ("title", "body", "expected"),
    [("", "", ""), ("Mail lost", "", "Mail lost"), ("", "since today", "since today")],
)
def test_what_is_missing_adds_nothing(title, body, expected):
    assert passages(title, body, ENCODER) == [expected]


def test_each_window_bears_the_title_and_overlaps_the_one_before():
    body = " ".join(f"w{i}" for i in range(90))
    found = passages("Mail lost", body, ENCODER)
    assert len(found) > 3
    assert all(passage.startswith("Mail lost\n") for passage in found)
    for one, after in pairwise(found):
        assert after.split()[2] in one.split()


def test_a_long_title_leaves_room_for_the_body():
    found = passages("title " * 100, "body " * 100, ENCODER)
    assert found[0].split("\n")[0].split() == ["title"] * 8
    assert all("body" in passage for passage in found)


def test_a_title_alone_may_be_too_long():
    found = passages("title " * 100, "", ENCODER)
    assert len(found) == 1
    assert ENCODER.count_tokens(found)[0] <= ENCODER.max_tokens


def test_a_huge_body_yields_a_bounded_number():
    assert len(passages("t", "word " * 300_000, ENCODER)) == MAX_PASSAGES
    assert len(passages("t", "x" * 1_000_000, ENCODER)) == 1


@given(
    st.text(max_size=60),
    st.lists(st.sampled_from(["mail", "ß", "a.b", "0x80", "…", "\n", "日本"]), max_size=300),
)
def test_no_word_is_lost_and_no_passage_is_too_long(title, words):
    body = " ".join(words)
    found = passages(title, body, ENCODER)
    assert (ENCODER.count_tokens(found) <= ENCODER.max_tokens).all()
    kept = {word for passage in found for word in re.findall(r"\w+|[^\w\s]", passage)}
    if len(found) < MAX_PASSAGES:
        assert set(re.findall(r"\w+|[^\w\s]", body)) <= kept
