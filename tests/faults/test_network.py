"""Nothing is fetched and nobody is told: everything works with sockets that cannot be made."""

import socket

import pytest

from kbagent.model.case import Verdict
from kbagent.usecases.maintain.copies import back_up
from kbagent.usecases.maintain.diagnosis import diagnose
from tests.fakes.bases import filled
from tests.fakes.encoder import FakeEncoder


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("a socket was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_import_search_feedback_and_copies(tmp_path, no_network):
    with filled(tmp_path / "kb", 12) as kb:  # imports, searches three times, gives three outcomes
        back_up(kb, tmp_path / "backup.gz")
        assert not diagnose(kb, FakeEncoder).damaged
        rows = kb.connection.execute("SELECT verdict FROM outcomes WHERE source = 'explicit'")
        assert [row[0] for row in rows] == [Verdict.WORKED, Verdict.FAILED, Verdict.PARTLY]


def test_the_packaged_model_is_found_without_a_network(no_network):
    from kbagent.store.encoder.weights import WEIGHTS, locate

    assert (locate().folder / WEIGHTS).exists()
