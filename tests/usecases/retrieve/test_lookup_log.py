"""What is asked is kept as cases are: without personal data and secrets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.text.redaction import redact
from kbagent.model.lookup import Request
from kbagent.store import lookups
from kbagent.usecases.retrieve.lookup_log import logged_text
from kbagent.usecases.retrieve.paging import continued
from kbagent.usecases.retrieve.search import search
from tests.fakes.bases import filled
from tests.fakes.encoder import FakeEncoder

PERSONAL = [
    "mail of ann@example.org is lost",
    "call +1 202 555 0143 about the printer",
    "call (202) 555-0143",
    "her phone 5550143 rings",
    "paid with 4111 1111 1111 1111",
    "password: hunter2x",
    "api_key=a1b2c3d4e5f6g7h8",
    "Authorization: Bearer abcdefghijklmnop1",
    "https://ann:hunter2x@example.org",
    "AKIAABCDEFGHIJKLMNOP",
    "token ghp_abcdefghijklmnopqrstuvwxyz0123456789",
]


@pytest.fixture(scope="module")
def kb(tmp_path_factory):
    with filled(tmp_path_factory.mktemp("log") / "kb", 12) as base:
        yield base


@pytest.mark.parametrize("text", PERSONAL)
def test_personal_data_is_not_logged(kb, text):
    assert redact(text).text != text
    found = search(kb, FakeEncoder(), Request(query=text))
    entry = lookups.by_handle(kb.connection, found.handle)
    assert entry is not None
    assert entry.query == redact(text).text
    assert text not in entry.request


def test_what_is_searched_for_is_the_text_as_it_was_given(kb):
    one = search(kb, FakeEncoder(), Request(query="printer of ann@example.org"), log=False)
    two = search(kb, FakeEncoder(), Request(query="printer of ann@example.org"))
    assert one.issues == two.issues
    assert two.request.query == "printer of ann@example.org"


def test_later_pages_belong_to_the_first_although_it_was_redacted(kb):
    text = "printer hangs for ann@example.org"
    first = search(kb, FakeEncoder(), Request(query=text, limit=2))
    entry = lookups.by_handle(kb.connection, first.handle)
    assert entry is not None
    assert continued(kb, Request(query=text, limit=2, offset=2)).as_of == entry.at


SECRETS = st.sampled_from([*PERSONAL, *(word for text in PERSONAL for word in text.split())])
TEXTS = st.lists(SECRETS | st.text(max_size=20), max_size=6).map(" ".join)


@given(TEXTS)
def test_the_quick_look_overlooks_nothing(text):
    assert logged_text(text) == redact(text).text
