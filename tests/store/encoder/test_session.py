"""The real model: quality, and the same vector whatever else is encoded."""

import numpy as np
import pytest

from kbagent.store.encoder.passages import passages
from kbagent.store.encoder.session import OnnxEncoder, load_encoder

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def encoder() -> OnnxEncoder:
    return load_encoder()


def test_what_it_says_of_itself(encoder):
    assert (encoder.name, encoder.dimension, encoder.max_tokens) == ("all-MiniLM-L6-v2", 384, 256)
    assert encoder.fingerprint.startswith("all-MiniLM-L6-v2:")
    assert encoder.manifest.agreement >= 0.97


def test_the_same_problem_in_other_words_is_nearer(encoder):
    query, same, other = encoder.encode(
        [
            "Thunderbird forgets my password every time I start it",
            "I have to type in my login again whenever the mail program is opened",
            "The printer prints blank pages",
        ]
    )
    assert query @ same > 0.4 > query @ other


def test_vectors_do_not_depend_on_the_batch(encoder):
    texts = [f"error {i} while sending " + "mail " * (i * 7 % 40) for i in range(24)]
    together = encoder.encode(texts)
    assert np.array_equal(together, encoder.encode(texts[::-1])[::-1])
    assert np.array_equal(together, np.concatenate([encoder.encode([text]) for text in texts]))
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_what_is_cut_off_does_not_count(encoder):
    short = "mail " * 300
    assert np.array_equal(*encoder.encode([short, short + "printer " * 50]))


def test_passages_fit(encoder):
    body = " ".join(f"Unzustellbarkeitsbenachrichtigung{i} error_{i}.log" for i in range(400))
    found = passages("Mail läuft nicht", body, encoder)
    assert len(found) > 8
    assert (encoder.count_tokens(found) <= encoder.max_tokens).all()


@pytest.mark.parametrize(
    "text", ["", " ", "\0", "\x1b[31m", "x" * 1_000_000, "🙂" * 999, "a\ud800b"]
)
def test_hostile_text_has_a_vector(encoder, text):
    assert encoder.count_tokens([text])[0] == len(encoder.spans(text)) + 2
    assert np.isfinite(encoder.encode([text])).all()
