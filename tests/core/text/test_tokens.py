"""Tokens and identifiers: what support texts are full of, and what hostile texts try."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kbagent.core.text.tokens import MAX_TOKEN, identifiers, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("failed with 0x80070035.", "0x80070035"),
        ("ORA-01555: snapshot too old", "ora-01555"),
        ("(see TB-1234)", "tb-1234"),
        (r"delete C:\Users\x\prefs.js first", r"c:\users\x\prefs.js"),
        ("edit /etc/postfix/main.cf, then", "/etc/postfix/main.cf"),
        ("~/.thunderbird/profiles.ini", "~/.thunderbird/profiles.ini"),
        ("NS_ERROR_NET_INTERRUPT!", "ns_error_net_interrupt"),
        ("java.lang.NullPointerException: null", "java.lang.nullpointerexception"),
        ("std::vector::at threw", "std::vector::at"),
        ("since 115.3.1 it", "115.3.1"),
        ("v2.10b3 works", "v2.10b3"),
        ('user_pref("x", 1)', "user_pref"),
        ("error E1001 again", "e1001"),
        ("KB5034441 fails", "kb5034441"),
        ("mail.example.com refuses", "mail.example.com"),
        (r"\\server01\share is gone", "server01"),
    ],
)
def test_identifiers_are_found_whole(text, expected):
    assert expected in identifiers(text)
    assert expected in tokens(text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (r"C:\Users\x\prefs.js", "pref"),
        ("java.lang.NullPointerException", "nullpointerexception"),
        ("NS_ERROR_NET_INTERRUPT", "interrupt"),
        ("/etc/postfix/main.cf", "postfix"),
        ("ORA-01555", "01555"),
    ],
)
def test_identifiers_are_found_in_parts(text, part):
    assert part in tokens(text)


@pytest.mark.parametrize(
    "text",
    [
        "plain words only",
        "well-known",
        "e.g. this",
        "it broke.Then it worked",
        "it broke.then it worked",
        "it is 5 o'clock",
        "and/or",
        "a - b",
        "the 2nd 100mb file at 10am",
    ],
)
def test_ordinary_words_are_no_identifiers(text):
    assert identifiers(text) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Folders", "folder"),
        ("queries", "query"),
        ("connecting", "connected"),
        ("stopped", "stop"),
        ("updating", "updates"),
        ("the message", "messages"),
        ("crashes", "crash"),
        ("PASSWORD", "password"),
        ("Café", "cafe"),
        ("ﬁle", "file"),
        ("Straße".upper(), "strasse"),
        ("ｅｒｒｏｒ", "error"),
    ],
)
def test_spellings_of_one_word_are_one_token(one, other):
    assert tokens(one) == tokens(other)


@pytest.mark.parametrize("word", ["dns", "tls", "https", "status", "access", "virus", "process"])
def test_words_that_only_look_like_plurals_still_match_themselves(word):
    assert tokens(word) == tokens(word.upper())


def test_scripts_without_spaces_yield_characters():
    assert tokens("邮件丢失") == ["邮", "件", "丢", "失"]


def test_each_identifier_is_named_once():
    assert identifiers("115.3.1 or 115.3.1") == ["115.3.1"]


@settings(max_examples=300)
@given(st.text(max_size=300))
@example("\x1b[31mred\x1b[0m")
@example('=HYPERLINK("http://x")')
@example("a AND b OR NOT (c:d)")
@example("\ud800")
@example("C:\\x\ud800y")
@example("\0")
@example("İ")
def test_no_text_breaks_it(text):
    found = tokens(text)
    assert all(token and len(token) <= MAX_TOKEN for token in found)
    assert not any(character.isspace() for token in found for character in token)
    assert set(identifiers(text)) <= set(found)
    " ".join(found).encode("utf-8")


@given(st.text(max_size=200))
def test_letter_case_does_not_matter(text):
    ascii_only = text.encode("ascii", "ignore").decode()
    assert tokens(ascii_only.upper()) == tokens(ascii_only.lower())


@given(st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), max_size=20))
def test_tokens_come_in_order_one_for_a_word(words):
    assert tokens(" ".join(words)) == [token for word in words for token in tokens(word)]


@pytest.mark.parametrize(
    "unit",
    ["a", "a.", "1.", "a-", "a_", "/a", "C:\\", "0x", "a1", "é", "邮", "a::", "~", "a.a ", "1.1 "],
)
def test_a_megabyte_of_anything_takes_linear_time(unit):
    """Sixteen times the text takes about sixteen times as long, not 256."""

    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        started = time.process_time()
        tokens(text)
        identifiers(text)
        return time.process_time() - started

    small, large = seconds(62_500), seconds(1_000_000)
    assert large < 16 * max(small, 0.02) * 4  # sixteen times the text, with room for noise
