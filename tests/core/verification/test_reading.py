"""What a text says by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.verification.reading import LANGUAGES, language, read, systems, versions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I cannot send mail when the server is not reachable", "en"),
        ("Ich kann keine Mail senden und der Server ist nicht da", "de"),
        ("Je ne peux pas envoyer les messages avec mon compte", "fr"),
        ("No puedo enviar los mensajes y el servidor no responde", "es"),
        ("Non posso inviare il messaggio e il server non risponde per la rete", "it"),
        ("Não consigo enviar as mensagens e o servidor não responde", "pt"),
        ("Ik kan het bericht niet verzenden en de server is weg", "nl"),
        ("0x80070035", None),
        ("", None),
    ],
)
def test_language(text, expected):
    assert language(text) == expected


def test_every_language_named_is_covered():
    assert set(LANGUAGES) == {"en", "de", "fr", "es", "it", "pt", "nl"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("since version 115 and v102.15.1", ("115", "102.15.1")),
        ("updated to 128.0b2 yesterday", ("128.0b2",)),
        ("server 192.168.0.10 is down", ()),
        ("Windows 10 with Office 2019.1", ("2019.1",)),
        ("macOS 14.2 breaks it", ()),
        ("it took 2.5% longer, at 10:30", ()),
        ("from 115.3.1 to 115.3.1", ("115.3.1",)),
    ],
)
def test_versions(text, expected):
    assert versions(text) == expected


def test_a_number_after_a_known_product_is_a_version():
    assert read("Thunderbird 115 hangs").versions == ()
    assert read("thunderbird 115 hangs", products=["Thunderbird"]).versions == ("115",)


def test_products_are_whole_words():
    assert read("Wordpad and Word", products=["Word", "Excel"]).products == ("Word",)
    assert read("Wordpad", products=["Word", ""]).products == ()


def test_systems_are_named_once_and_win_is_a_verb():
    text = "You win: Ubuntu 22.04, iOS 17 and Windows, then windows"
    assert systems(text) == ("linux 22.04", "ios 17", "windows")


def test_a_version_is_not_reported_as_an_identifier_too():
    reading = read("Version 115.3.1 says NS_ERROR_FAILURE")
    assert reading.identifiers == ("ns_error_failure",)
    assert reading.words == 5


@given(st.text(max_size=300), st.lists(st.text(max_size=5), max_size=3))
def test_any_text_can_be_read(text, products):
    reading = read(text, products=products)
    assert len(set(reading.versions)) == len(reading.versions)
    assert all(v in text for v in reading.versions)
