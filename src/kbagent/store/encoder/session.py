"""Runs an exported encoder: texts in, unit vectors out.

Imports numpy, onnxruntime and tokenizers, never torch, transformers or sentence-transformers.
Each text is one call of the model, in as many threads as there are cores. Dynamic quantisation
takes the range of the activations over the whole batch, so that in a batch a text's vector
depends on its neighbours; alone it does not, which is what a resumed import needs to end with
the vectors of an undisturbed one. It is also faster than batches: one thread per text needs no
padding and no barrier (see benchmarks/encoder).
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from kbagent.errors import ModelError
from kbagent.store.encoder import cache
from kbagent.store.encoder.cache import Broken, ModelManifest
from kbagent.store.encoder.weights import canonical_name

Vectors = NDArray[np.float32]
Notify = Callable[[str], None]


class Encoder(Protocol):
    """What turns texts into vectors; `OnnxEncoder` in the product, a fake in most tests.

    fingerprint   vectors may only be compared when this is the same
    dimension     length of a vector
    max_tokens    most tokens of one text, special ones included; more are cut off
    """

    @property
    def name(self) -> str:
        """What the user calls the model."""

    @property
    def fingerprint(self) -> str:
        """Identifies weights, tokeniser, modules and precision."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    @property
    def max_tokens(self) -> int:
        """Most tokens of one text, special ones included."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) unit vectors, row i for text i, whatever else is in `texts`."""

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """(n,) tokens of each text, special ones included, before anything is cut off."""

    def spans(self, text: str) -> list[tuple[int, int]]:
        """(start, end) in characters of each token of `text`, special ones left out."""


class OnnxEncoder:
    """An exported model, ready to encode. Safe to use from several threads."""

    def __init__(self, manifest: ModelManifest, onnx: bytes, tokenizer: bytes) -> None:
        self.manifest = manifest
        self._tokenizer_json = tokenizer.decode("utf-8")
        self._tokenizer = Tokenizer.from_str(self._tokenizer_json)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(manifest.max_tokens)
        self._session = onnxruntime.InferenceSession(
            onnx, _options(), providers=["CPUExecutionProvider"]
        )
        self._inputs = {
            each.name: np.int32 if "int32" in each.type else np.int64
            for each in self._session.get_inputs()
        }

    @property
    def name(self) -> str:
        """What the user calls the model."""
        return self.manifest.name

    @property
    def fingerprint(self) -> str:
        """Identifies weights, tokeniser, modules and precision."""
        return self.manifest.fingerprint

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.manifest.dimension

    @property
    def max_tokens(self) -> int:
        """Most tokens of one text, special ones included."""
        return self.manifest.max_tokens

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32 unit vectors, row i for text i; (0, dimension) for no text.

        A text's vector is bit for bit the same whatever else is in `texts`. Equal texts are
        encoded once.
        """
        rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        encodings = self._tokenizer.encode_batch([self._prepared(text) for text in rows])
        vectors = np.empty((len(rows), self.dimension), dtype=np.float32)

        def run(row: int) -> None:
            vectors[row] = self._vector(encodings[row])

        if len(rows) < 2:
            for row in range(len(rows)):
                run(row)
        else:
            longest_first = sorted(range(len(rows)), key=lambda row: -len(encodings[row]))
            list(self._pool.map(run, longest_first))
        return vectors[[rows[text] for text in texts]]

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """(n,) tokens of each text, special ones included, before anything is cut off."""
        prepared = [self._prepared(text) for text in texts]
        counts = [len(each) for each in self._tokenizer.encode_batch(prepared)]
        cut = [place for place, count in enumerate(counts) if count >= self.max_tokens]
        if cut:  # a query hardly ever is: it need not wait for a second tokeniser
            whole = self._uncut.encode_batch([prepared[place] for place in cut])
            for place, each in zip(cut, whole, strict=True):
                counts[place] = len(each)
        return np.array(counts, dtype=np.int64)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """(start, end) in characters of each token of `text`, special ones left out."""
        text = _encodable(text)
        lowered = text.lower() if self.manifest.lower_case else text
        if len(lowered) != len(text):  # a few letters grow when lower-cased
            lowered = text
        offsets = self._uncut.encode(lowered, add_special_tokens=False).offsets
        return [(start, end) for start, end in offsets]

    @cached_property
    def _uncut(self) -> Tokenizer:
        tokenizer = Tokenizer.from_str(self._tokenizer_json)
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_cores(), thread_name_prefix="encoder")

    def _prepared(self, text: str) -> str:
        text = self.manifest.prompt + _encodable(text)
        return text.lower() if self.manifest.lower_case else text

    def _vector(self, encoding: Encoding) -> Vectors:
        columns: dict[str, Any] = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        feed = {name: np.array([columns[name]], kind) for name, kind in self._inputs.items()}
        vector: Vectors = self._session.run(None, feed)[0][0]
        return vector


def load_encoder(
    model: str | None = None, notify: Notify | None = None, *, download: bool = False
) -> OnnxEncoder:
    """The encoder of `model` (None: the default), exported first if it is not in the cache.

    An export takes about half a minute, once; `notify` is told in one line each what is done and
    why. With `download`, a model named by its hub name may be fetched.

    Raises: ModelError when the model is not found, refused or cannot be exported.
    """
    tell = notify or (lambda _message: None)
    name = canonical_name(model)
    folder = cache.folder_of(name)
    encoder = open_export(folder)
    if isinstance(encoder, OnnxEncoder):
        return encoder
    from kbagent.store.encoder.export import export_model

    export_model(name, folder, tell, download=download)
    encoder = open_export(folder)
    if isinstance(encoder, OnnxEncoder):
        return encoder
    problem = encoder.reason if encoder else "it is gone"
    raise ModelError(
        model=name,
        reason=f"its export in {folder} cannot be used: {problem}",
        hint="Remove that folder and try again.",
    )


def open_export(folder: Path) -> OnnxEncoder | Broken | None:
    """The encoder exported to `folder`, all checks passed; None when there is no export."""
    manifest = cache.read_manifest(folder)
    if not isinstance(manifest, ModelManifest):
        return manifest
    onnx = cache.read_file(folder, manifest, cache.ONNX)
    tokenizer = cache.read_file(folder, manifest, cache.TOKENIZER)
    if isinstance(onnx, Broken):
        return onnx
    if isinstance(tokenizer, Broken):
        return tokenizer
    return OnnxEncoder(manifest, onnx, tokenizer)


def _encodable(text: str) -> str:
    """`text` with each half of a broken surrogate pair replaced by a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only: warnings about unused initialisers are noise
    return options


def _cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
