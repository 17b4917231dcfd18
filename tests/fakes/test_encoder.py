"""The fake encoder keeps the promises of the real one."""

import numpy as np

from kbagent.store.encoder.session import Encoder
from tests.fakes.encoder import FakeEncoder


def test_it_is_an_encoder():
    encoder: Encoder = FakeEncoder()
    assert encoder.encode([]).shape == (0, encoder.dimension)


def test_vectors_are_of_unit_length_even_of_empty_text():
    vectors = FakeEncoder().encode(["mail lost", "", "!!!", "x" * 10_000])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_a_vector_does_not_depend_on_its_neighbours():
    encoder = FakeEncoder()
    together = encoder.encode(["mail", "printer jam", "mail"])
    assert np.array_equal(together[0], encoder.encode(["mail"])[0])
    assert np.array_equal(together[0], together[2])


def test_text_beyond_max_tokens_is_cut_off():
    encoder = FakeEncoder(max_tokens=4)
    assert np.array_equal(*encoder.encode(["a b", "a b c d"]))


def test_the_fingerprint_tells_models_apart():
    assert FakeEncoder().fingerprint != FakeEncoder(name="other").fingerprint


def test_spans_and_counts_agree():
    encoder = FakeEncoder()
    text = "Mail, lost!"
    assert [text[a:b] for a, b in encoder.spans(text)] == ["Mail", ",", "lost", "!"]
    assert encoder.count_tokens([text])[0] == len(encoder.spans(text)) + 2
