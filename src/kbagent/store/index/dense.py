"""The dense index: a disposable generation of shards, scanned whole.

A generation belongs to one model fingerprint and one adapter version. It grows by whole shards,
each of which counts from the moment the manifest names it: a build that is killed goes on where
it stopped, and adding rows never rewrites a full shard. Rows newer than `last_id` are not in it;
the caller scans those exactly. Retired rows stay in it; the caller leaves them out by `allowed`.

One query is scanned by as many threads as there are cores, a shard each (FAISS itself uses
threads across queries only). Similarities of full shards are approximate (8 bits per
component); with `exact`, the best are scored again with the true vectors.

Why flat: inverted lists lose the distant members of an issue. The scan of a million vectors of
384 components takes about 30 ms on two cores, and 366 MB of reclaimable, shared memory.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import faiss
import numpy as np

from kbagent.errors import Locked
from kbagent.store.index.manifests import Footprint, Unusable, read_json, write_json
from kbagent.store.index.shards import (
    SHARD_ROWS,
    Allowed,
    Ids,
    Shard,
    ShardEntry,
    Vectors,
    check_ascending,
    open_shard,
    remove_others,
    verify_shard,
    write_shard,
)

FORMAT = 1
MANIFEST = "manifest.json"
MOST_SMALL_SHARDS = 4  # before they are written again as one
CHECKED_WHOLE_UP_TO = 64 << 20  # bytes: 3 ms at open; larger generations are sampled
RESCORED = 100  # candidates beyond k that are scored exactly; see benchmarks/encoder
LOCK_TIMEOUT = 60.0  # seconds

Newer = Callable[[int], Iterable[tuple[Ids, Vectors]]]
Exact = Callable[[Ids], Vectors]


@dataclass(frozen=True, slots=True)
class DenseManifest:
    """What a generation is made of.

    fingerprint   of the encoder that made the vectors
    adapter       version of the learned adapter that was applied; None for none
    dimension     length of a vector
    faiss         version that wrote the latest shard
    """

    fingerprint: str
    adapter: str | None
    dimension: int
    faiss: str
    shards: tuple[ShardEntry, ...]
    format: int = FORMAT

    @property
    def count(self) -> int:
        """Rows in the index."""
        return sum(shard.rows for shard in self.shards)

    @property
    def first_id(self) -> int:
        """The smallest id in the index; 0 when it is empty."""
        return self.shards[0].first if self.shards else 0

    @property
    def last_id(self) -> int:
        """The largest id in the index: newer rows are not in it; 0 when it is empty."""
        return self.shards[-1].last if self.shards else 0

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(shard.size for shard in self.shards)


class DenseGeneration:
    """An open generation. Safe to use from several threads."""

    def __init__(self, manifest: DenseManifest, shards: Sequence[Shard]) -> None:
        self.manifest = manifest
        self._shards = tuple(shards)

    @property
    def count(self) -> int:
        """Rows in the index."""
        return self.manifest.count

    @property
    def last_id(self) -> int:
        """The largest id in the index: newer rows are not in it; 0 when it is empty."""
        return self.manifest.last_id

    def ids(self) -> Ids:
        """Every id in the index, ascending, those of retired rows too; reads all id files."""
        parts = [shard.ids for shard in self._shards]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)

    def search(
        self,
        queries: Vectors,
        k: int,
        allowed: Allowed | None = None,
        exact: Exact | None = None,
    ) -> tuple[Ids, Vectors]:
        """(ids, similarities) of the k most similar rows of each query, most similar first.

        queries   (n, dimension) float32
        allowed   None for all rows, else an ascending int64 array of ids, or a boolean mask by
                  id (ids beyond its end are not allowed); applied before ranking
        exact     gives the true vectors of ascending ids, (len(ids), dimension); with it,
                  `RESCORED` further candidates are fetched and the best are scored again

        Both results are (n, k); (-1, -inf) pads where there are fewer rows. Ties by id.
        """
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        wanted = k + RESCORED if exact else k
        ids, similarities = self._candidates(queries, min(wanted, self.count), allowed)
        if exact is not None and ids.size:
            similarities = _rescored(queries, ids, exact)
        return _best(ids, similarities, k)

    def _candidates(self, queries: Vectors, k: int, allowed: Allowed | None) -> tuple[Ids, Vectors]:
        if k == 0:
            return np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0), np.float32)

        def scan(shard: Shard) -> tuple[Vectors, Ids]:
            return shard.search(queries, k, allowed)

        many = len(self._shards) > 1
        found = list((self._pool.map if many else map)(scan, self._shards))
        similarities = np.concatenate([each[0] for each in found], axis=1)
        ids = np.concatenate([each[1] for each in found], axis=1)
        return _best(ids, similarities, k)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return ThreadPoolExecutor(
            cores, "dense", initializer=faiss.omp_set_num_threads, initargs=(1,)
        )


def open_generation(
    folder: Path, fingerprint: str, adapter: str | None = None
) -> DenseGeneration | Unusable:
    """The generation in `folder`, if it is whole and of this encoder and adapter.

    Checks manifest, length and checksums of every file (of large generations sampled pages;
    `verify_generation` reads all), and what FAISS says is in them.
    """
    for _attempt in range(3):  # a writer may replace small shards between two of our steps
        manifest = read_manifest(folder)
        if isinstance(manifest, Unusable):
            return manifest
        stale = _stale(manifest, fingerprint, adapter)
        if stale is not None:
            return stale
        whole = manifest.size <= CHECKED_WHOLE_UP_TO
        shards: list[Shard] = []
        for entry in manifest.shards:
            shard = open_shard(folder, entry, manifest.dimension, whole=whole)
            if isinstance(shard, Unusable):
                break
            shards.append(shard)
        else:
            return DenseGeneration(manifest, shards)
        if read_manifest(folder) == manifest:
            return shard
    return Unusable("it keeps changing while it is read")


def extend_generation(
    folder: Path,
    newer: Newer,
    *,
    fingerprint: str,
    adapter: str | None = None,
    dimension: int,
    notify: Callable[[int], None] | None = None,
    lock_timeout: float = LOCK_TIMEOUT,
) -> DenseManifest:
    """Bring the generation in `folder` up to date, making it if there is none that is usable.

    newer    given an id, yields (ids, vectors) of all rows beyond it: ids ascending, vectors
             (n, dimension) float32, in blocks of any size
    notify   is told how many rows are on disk after each shard

    May be killed at any moment; the next call goes on after the last finished shard. Readers
    of the former state are not disturbed.

    Raises: Locked when another process extends it for longer than `lock_timeout` seconds; Damaged
    when ids do not ascend.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with FileLock(folder / ".lock", timeout=lock_timeout, mode=0o600):
            manifest = _sound(folder, fingerprint, adapter) or DenseManifest(
                fingerprint, adapter, dimension, faiss.__version__, ()
            )
            return _extend(folder, manifest, newer, notify or (lambda _rows: None))
    except Timeout as error:
        raise Locked(path=folder, seconds=f"{lock_timeout:g}") from error


def verify_generation(folder: Path) -> str | None:
    """What is wrong with the generation, reading every byte; None when it is whole."""
    manifest = read_manifest(folder)
    if isinstance(manifest, Unusable):
        return manifest.reason
    problems = (verify_shard(folder, entry) for entry in manifest.shards)
    return next((problem for problem in problems if problem), None)


def read_manifest(folder: Path) -> DenseManifest | Unusable:
    """The manifest in `folder`, or why there is none."""
    raw = read_json(folder / MANIFEST)
    if isinstance(raw, Unusable):
        return raw
    if raw.get("format") != FORMAT:
        return Unusable(f"it is of format {raw.get('format')}, not {FORMAT}")
    try:
        shards = tuple(_entry(each) for each in raw.pop("shards"))
        return DenseManifest(**raw, shards=shards)
    except (KeyError, TypeError, AttributeError) as error:
        return Unusable(f"its manifest cannot be read ({error})")


def _entry(raw: dict[str, object]) -> ShardEntry:
    prints = {name: Footprint(**raw.pop(name)) for name in ("vectors", "ids")}  # type: ignore[arg-type]
    return ShardEntry(**raw, **prints)  # type: ignore[arg-type]


def _stale(manifest: DenseManifest, fingerprint: str, adapter: str | None) -> Unusable | None:
    if manifest.fingerprint != fingerprint:
        return Unusable(f"it is of the encoder {manifest.fingerprint}, not {fingerprint}")
    if manifest.adapter != adapter:
        return Unusable(f"it is of adapter {manifest.adapter}, not {adapter}")
    return None


def _sound(folder: Path, fingerprint: str, adapter: str | None) -> DenseManifest | None:
    """The manifest in `folder` without the shards from the first broken one on."""
    manifest = read_manifest(folder)
    if isinstance(manifest, Unusable) or _stale(manifest, fingerprint, adapter):
        return None
    sound = 0
    for entry in manifest.shards:
        if isinstance(open_shard(folder, entry, manifest.dimension, whole=True), Unusable):
            break
        sound += 1
    return _with_shards(manifest, manifest.shards[:sound])


def _extend(
    folder: Path, manifest: DenseManifest, newer: Newer, notify: Callable[[int], None]
) -> DenseManifest:
    kept = _before_merge(manifest.shards)
    base = _with_shards(manifest, kept)
    replaced = len(kept) < len(manifest.shards)
    for ids, vectors in _blocks(newer(base.last_id), base.last_id):
        base = _with_shards(base, (*base.shards, write_shard(folder, ids, vectors)))
        if replaced and base.last_id < manifest.last_id:
            continue  # until then the small shards cover more
        write_json(folder / MANIFEST, asdict(base))
        replaced = False
        notify(base.count)
    final = manifest if replaced else base
    write_json(folder / MANIFEST, asdict(final))
    remove_others(folder, final.shards)
    return final


def _before_merge(shards: tuple[ShardEntry, ...]) -> tuple[ShardEntry, ...]:
    """The shards that stay: all, or all before the small ones at the end if those are many."""
    full = len(shards)
    while full and shards[full - 1].rows < SHARD_ROWS:
        full -= 1
    return shards if len(shards) - full < MOST_SMALL_SHARDS else shards[:full]


def _with_shards(manifest: DenseManifest, shards: tuple[ShardEntry, ...]) -> DenseManifest:
    return DenseManifest(
        manifest.fingerprint, manifest.adapter, manifest.dimension, faiss.__version__, shards
    )


def _blocks(rows: Iterable[tuple[Ids, Vectors]], after: int) -> Iterator[tuple[Ids, Vectors]]:
    """The rows in blocks of `SHARD_ROWS`, the last one smaller; ids are checked to ascend."""
    held: list[tuple[Ids, Vectors]] = []
    count = 0
    for ids, vectors in rows:
        if not len(ids):
            continue
        check_ascending(ids, after)
        after = int(ids[-1])
        held.append((ids, vectors))
        count += len(ids)
        while count >= SHARD_ROWS:
            all_ids, all_vectors = _joined(held)
            yield all_ids[:SHARD_ROWS], all_vectors[:SHARD_ROWS]
            held = [(all_ids[SHARD_ROWS:], all_vectors[SHARD_ROWS:])]
            count -= SHARD_ROWS
    if count:
        yield _joined(held)


def _joined(held: list[tuple[Ids, Vectors]]) -> tuple[Ids, Vectors]:
    return np.concatenate([ids for ids, _ in held]), np.concatenate([rows for _, rows in held])


def _rescored(queries: Vectors, ids: Ids, exact: Exact) -> Vectors:
    """True similarities of the candidates, (n, c); -inf where there is none."""
    wanted = np.unique(ids[ids >= 0])
    similarities = np.full(ids.shape, -np.inf, dtype=np.float32)
    if not len(wanted):
        return similarities
    vectors = exact(wanted)
    for row, query in enumerate(queries):
        found = ids[row] >= 0
        places = np.searchsorted(wanted, ids[row, found])
        similarities[row, found] = vectors[places] @ query
    return similarities


def _best(ids: Ids, similarities: Vectors, k: int) -> tuple[Ids, Vectors]:
    """The k most similar of each row, ties by id, padded to k with (-1, -inf)."""
    order = np.lexsort((ids, -similarities), axis=1)[:, :k]
    ids = np.take_along_axis(ids, order, axis=1)
    similarities = np.take_along_axis(similarities, order, axis=1)
    short = k - ids.shape[1]
    if short > 0:
        ids = np.pad(ids, ((0, 0), (0, short)), constant_values=-1)
        similarities = np.pad(similarities, ((0, 0), (0, short)), constant_values=-np.inf)
    return ids, similarities
