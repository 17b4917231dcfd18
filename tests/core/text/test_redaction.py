"""What is redacted, what survives, and that twice is once."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbagent.core.text.redaction import Redactor, custom_patterns, passes_luhn, redact
from kbagent.errors import BadValue

FOUND = [
    ("write to ann.smith+x@mail.example.co.uk.", "write to [email]."),
    ("<ann@example.org>", "<[email]>"),
    ("card 4111 1111 1111 1111 exp", "card [card] exp"),
    ("5500-0000-0000-0004", "[card]"),
    ("amex 378282246310005", "amex [card]"),
    ("call +49 30 901820 or +1-202-555-0143", "call [phone] or [phone]"),
    ("+442079460958", "[phone]"),
    ("(202) 555-0143", "[phone]"),
    ("202-555-0143", "[phone]"),
    ("Phone: 030 9018 2000", "Phone: [phone]"),
    ("tel. 5550143", "tel. [phone]"),
    ("password: hunter2", "password: [secret]"),
    ("Password=letmein", "Password=[secret]"),
    ('{"password": "s3cr3t!"}', '{"password": "[secret]"}'),
    ("DB_PASSWORD=Tr0ub4dor&3", "DB_PASSWORD=[secret]"),
    ("my password is Summer2024!", "my password is [secret]"),
    ("AKIAIOSFODNN7EXAMPLE", "[secret]"),
    ("ghp_" + "a1B2" * 9, "[secret]"),
    ("xoxb-123456789012-abcdefGHIJ", "[secret]"),
    ("Authorization: Bearer abcdef0123456789abcd", "Authorization: Bearer [secret]"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN", "[secret]"),
    ("api_key = 9f8e7d6c5b4a39281706", "api_key = [secret]"),
    ("postgres://app:pa55@db.local/x", "postgres://app:[secret]@db.local/x"),
]


@pytest.mark.parametrize(("text", "expected"), FOUND)
def test_found(text: str, expected: str) -> None:
    assert redact(text).text == expected


SURVIVORS = [
    "Thunderbird 115.10.1 (64-bit) build 20240509190246",
    "Windows 10.0.19045.4291",
    "error 0x80070035, 0x8004010F and 0x00000bc4",
    "ORA-01555: snapshot too old",
    "INC0010001, CS-2024-000123, APP-7 and #4711",
    "192.168.100.200:8080 and 10.10.10.10/24 and fe80::1ff:fe23:4567:890a",
    "2024-03-05 14:22:10.123456+00:00",
    "05.03.2024 14:22, 2024/03/05",
    "serial 5CG1234XYZ, S/N 8901234567890123",
    "IMEI 490154203237518",
    "order 1234567890123456",
    "epoch 1734537511000 and 1734537511000000",
    "lodash@4.17.21 and user@localhost",
    "password: incorrect",
    "Password is wrong and the password is not accepted",
    "forgot my password: can you reset it",
    "the token: expired",
    "GUID 3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "sha256 53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "KB5034441 and CVE-2024-21412",
    "RFC 822, port 993, size 1048576 bytes",
    "0800123456 is our ticket",
    "+1 for this, C++11, UTC+0200",
    "pid 12345-67890-1234",
    "Fax driver 10.0.19041.1806",
    "0000000012345678",
    "MAC 00-14-22-01-23-45",
    "SPF_HELO_PASS=-0.001, dkim=pass; X-Info: pass=pass; X-Da-Pass:W0T0",
    "contract ID '@mozilla.org/messenger/osintegration;1' and '@att.net'",
    "X-Cyrus-Session-Id: ngmbms24-1741510460-2105055-2",
    "11 2347595 12 2349363 13 2349369 14 2356489",
    "SSL/TLS; Password: Normal",
]


@pytest.mark.parametrize("text", SURVIVORS)
def test_survives(text: str) -> None:
    assert redact(text).text == text


def test_counts_by_kind() -> None:
    found = redact("a@b.org, c@d.org, password: hunter2")
    assert found.counts == (("email", 2), ("secret", 1))
    assert redact("nothing here").counts == ()


def test_a_wrong_check_digit_is_no_card() -> None:
    assert redact("4111 1111 1111 1112").text == "4111 1111 1111 1112"


@given(st.text("0123456789", min_size=1, max_size=18))
def test_exactly_one_check_digit_passes_luhn(digits: str) -> None:
    assert sum(passes_luhn(digits + check) for check in "0123456789") == 1


PIECES = st.sampled_from(
    [text for text, _ in FOUND] + SURVIVORS + ["[", "]", "[email]", "password:", "+", "0", "-", "@"]
)


@settings(max_examples=300)
@given(st.lists(PIECES | st.text(max_size=8), max_size=8), st.sampled_from(["", " ", "\n", "; "]))
def test_twice_is_once(pieces: list[str], between: str) -> None:
    once = redact(between.join(pieces)).text
    assert redact(once).text == once
    assert redact(once).counts == ()


@given(
    st.lists(PIECES, max_size=4),
    st.sampled_from([r"\w+", r"[a-z]*", r"\[", r".", r"(?P<value>\d)x"]),
)
def test_twice_is_once_with_patterns_of_ones_own(pieces: list[str], regex: str) -> None:
    redactor = Redactor(custom_patterns(f"own = {regex}"))
    once = redactor.redact(" ".join(pieces)).text
    assert redactor.redact(once).text == once


def test_own_patterns() -> None:
    redactor = Redactor(custom_patterns("# customers\ncustomer = CUST-\\d+\n\nSECRET-\\w+\n"))
    assert redactor.redact("CUST-17 said SECRET-x to a@b.org").text == (
        "[customer] said [redacted] to [email]"
    )


def test_a_bad_pattern_is_named() -> None:
    with pytest.raises(BadValue, match=re.escape("x(")):
        custom_patterns("name = x(")


def test_one_long_word_takes_linear_time() -> None:
    text = "a" * 1_000_000 + " " + "1" * 200_000 + " +1" * 1000 + "@" * 1000
    assert redact(text).text == text
