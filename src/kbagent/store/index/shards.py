"""A shard: up to `SHARD_ROWS` vectors in one FAISS file, and their ids in another.

The FAISS index is a flat scan over scalar-quantised vectors by inner product: nothing to tune,
nothing lost. A full shard keeps 8 bits per component, with each component's own range over the
shard (deterministic: every row of the shard is in the training set, in order). A small one keeps
half-precision floats, which is what the database keeps. Files are memory-mapped.

Does not know of models, adapters or which shards make an index: see `dense`.
"""

from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from kbagent.errors import Damaged
from kbagent.store.index.manifests import (
    Footprint,
    Unusable,
    deep_mismatch,
    footprint,
    mismatch,
    put_in_place,
)

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]
Allowed = NDArray[np.bool_] | NDArray[np.int64]

SHARD_ROWS = 65_536  # 25 MB at 384 dimensions; two milliseconds of scanning on one core
MANY = 512  # queries from which blocks are decoded for all of them
DECODED = 8_192  # rows decoded at a time: 13 MB
EXACT_BELOW = 50_000  # rows; below, half precision costs little and nothing need be trained


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """What the manifest says of a shard: ids from `first` to `last`, ascending, `rows` of them."""

    name: str
    rows: int
    first: int
    last: int
    codec: str
    vectors: Footprint
    ids: Footprint

    @property
    def size(self) -> int:
        """Bytes of both files."""
        return self.vectors.size + self.ids.size


class Shard:
    """An open shard."""

    def __init__(self, index: faiss.Index, ids: Ids) -> None:
        self._index = index
        self._ids = ids

    @property
    def ids(self) -> Ids:
        """The ids of the rows, ascending."""
        return self._ids

    def search(self, queries: Vectors, k: int, allowed: Allowed | None) -> tuple[Vectors, Ids]:
        """(similarities, ids) of the k nearest of each query, each (n, k); (-inf, -1) pads."""
        selected = None
        if allowed is not None:
            positions = self._positions(allowed)
            if not positions.any():
                shape = (len(queries), k)
                return np.full(shape, -np.inf, np.float32), np.full(shape, -1, np.int64)
            bits = np.packbits(positions, bitorder="little")
            selector = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg,arg-type,unused-ignore]
            selected = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg,unused-ignore]
        if selected is None and len(queries) >= MANY:
            similarities, places = self._all_at_once(queries, k)
        else:
            similarities, places = self._index.search(queries, k, params=selected)
        ids = np.where(places >= 0, self._ids[np.maximum(places, 0)], -1)
        similarities[places < 0] = -np.inf
        return similarities, ids

    def _all_at_once(self, queries: Vectors, k: int) -> tuple[Vectors, Ids]:
        """The same by matrix products over decoded blocks: a third of the time for thousands."""
        best = faiss.ResultHeap(len(queries), k, keep_max=True)
        for start in range(0, self._index.ntotal, DECODED):
            rows = self._index.reconstruct_n(start, min(DECODED, self._index.ntotal - start))
            found, places = faiss.knn(queries, rows, min(k, len(rows)), metric=_INNER_PRODUCT)
            best.add_result(found, np.where(places >= 0, places + start, -1))
        best.finalize()
        return best.D, best.I

    def _positions(self, allowed: Allowed) -> NDArray[np.bool_]:
        """Which rows of the shard are among `allowed`."""
        if allowed.dtype == np.bool_:
            known = self._ids < len(allowed)
            inside: NDArray[np.bool_] = (allowed[np.where(known, self._ids, 0)] != 0) & known
            return inside
        low, high = np.searchsorted(allowed, [self._ids[0], self._ids[-1] + 1])
        wanted = allowed[low:high]
        mask = np.zeros(len(self._ids), dtype=np.bool_)
        if len(wanted):
            places = np.searchsorted(self._ids, wanted)
            mask[places[self._ids[places] == wanted]] = True
        return mask


def write_shard(folder: Path, ids: Ids, vectors: Vectors) -> ShardEntry:
    """Write one shard, flushed to disk; `ids` ascend strictly, `vectors` is (len(ids), d)."""
    codec = "fp16" if len(ids) < EXACT_BELOW else "int8"
    name = f"shard-{ids[0]}-{ids[-1]}-{len(ids)}"
    index = faiss.IndexScalarQuantizer(vectors.shape[1], _QUANTISERS[codec], _INNER_PRODUCT)
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    index.train(rows)
    index.add(rows)
    unfinished = folder / f".{name}.faiss.tmp"
    faiss.write_index(index, str(unfinished))
    put_in_place(unfinished, _vectors_file(folder, name))
    unfinished = folder / f".{name}.ids.tmp"  # a reader may have mapped a file of this name
    unfinished.write_bytes(ids.astype("<i8").tobytes())
    put_in_place(unfinished, _ids_file(folder, name))
    return ShardEntry(
        name=name,
        rows=len(ids),
        first=int(ids[0]),
        last=int(ids[-1]),
        codec=codec,
        vectors=footprint(_vectors_file(folder, name)),
        ids=footprint(_ids_file(folder, name)),
    )


def open_shard(folder: Path, entry: ShardEntry, dimension: int, *, whole: bool) -> Shard | Unusable:
    """Map a shard into memory after checking its files (all of them when `whole`)."""
    paths = (_vectors_file(folder, entry.name), _ids_file(folder, entry.name))
    for path, expected in zip(paths, (entry.vectors, entry.ids), strict=True):
        problem = mismatch(path, expected, whole=whole)
        if problem is not None:
            return Unusable(problem)
    try:
        index = faiss.read_index(str(paths[0]), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:  # what FAISS raises for everything
        return Unusable(f"FAISS cannot read {paths[0].name} ({error})")
    if (index.d, index.ntotal) != (dimension, entry.rows):
        return Unusable(f"{paths[0].name} holds {index.ntotal} vectors of {index.d} components")
    return Shard(index, np.memmap(paths[1], dtype="<i8", mode="r"))


def verify_shard(folder: Path, entry: ShardEntry) -> str | None:
    """What is wrong with the shard, reading every byte; None when it is whole."""
    return deep_mismatch(_vectors_file(folder, entry.name), entry.vectors) or deep_mismatch(
        _ids_file(folder, entry.name), entry.ids
    )


def remove_others(folder: Path, kept: tuple[ShardEntry, ...]) -> None:
    """Remove the files of shards that no longer count, and what interrupted writers left."""
    names = {f"{entry.name}{suffix}" for entry in kept for suffix in (".faiss", ".ids")}
    for path in [*folder.glob("shard-*"), *folder.glob(".*.tmp")]:
        if path.name not in names:
            try:
                path.unlink(missing_ok=True)
            except PermissionError:  # Windows, while a reader maps it: the next writer will
                continue


def check_ascending(ids: Ids, after: int) -> None:
    """Raise Damaged unless `ids` ascend strictly from beyond `after`."""
    if len(ids) and (ids[0] <= after or (np.diff(ids) <= 0).any()):
        raise Damaged(
            what=f"rows for the index do not ascend after {after}", hint="Run `kbagent doctor`."
        )


_QUANTISERS = {
    "fp16": faiss.ScalarQuantizer.QT_fp16,
    "int8": faiss.ScalarQuantizer.QT_8bit,
}
_INNER_PRODUCT = faiss.METRIC_INNER_PRODUCT


def _vectors_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.faiss"


def _ids_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.ids"
