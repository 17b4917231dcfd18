"""A deterministic encoder for tests: bags of hashed words, no model, no files."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class FakeEncoder:
    """Texts that share words are similar; a text's vector depends on its words alone.

    >>> one, other, far = FakeEncoder().encode(["mail lost", "lost mail", "printer"])
    >>> bool(np.allclose(one, other)), bool(one @ far < 0.5)
    (True, True)
    """

    name: str = "fake"
    dimension: int = 64
    max_tokens: int = 64

    @property
    def fingerprint(self) -> str:
        return f"{self.name}:{self.dimension}:{self.max_tokens}"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in _WORD.findall(text.lower())[: self.max_tokens - 2]:
                vectors[row] += _word_vector(self.name, word, self.dimension)
            if not vectors[row].any():
                vectors[row, 0] = 1.0
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        return np.array([len(_WORD.findall(text)) + 2 for text in texts], dtype=np.int64)

    def spans(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in _WORD.finditer(text)]


def _word_vector(name: str, word: str, dimension: int) -> NDArray[np.float32]:
    seed = int.from_bytes(hashlib.sha256(f"{name} {word}".encode("utf-8", "replace")).digest()[:8])
    rng = np.random.default_rng(seed)
    return rng.standard_normal(dimension).astype(np.float32)
