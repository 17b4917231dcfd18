"""The dense index against brute force, and every way in which its files can break."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from kbagent.errors import Damaged
from kbagent.store.index import dense, shards
from kbagent.store.index.dense import (
    DenseGeneration,
    extend_generation,
    open_generation,
    verify_generation,
)
from kbagent.store.index.manifests import Unusable

DIMENSION = 32


class Rows:
    """Rows with gaps in their ids, as a database would yield them."""

    def __init__(self, count: int, seed: int = 0) -> None:
        vectors = np.random.default_rng(seed).standard_normal((count, DIMENSION))
        self.vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("f4")
        self.ids = np.arange(1, count + 1, dtype=np.int64) * 3
        self.asked: list[int] = []

    def newer(self, upto: int | None = None, block: int = 700):
        def rows(after: int):
            self.asked.append(after)
            start = int(np.searchsorted(self.ids, after, side="right"))
            end = len(self.ids) if upto is None else upto
            for low in range(start, end, block):
                high = min(low + block, end)
                yield self.ids[low:high], self.vectors[low:high]

        return rows

    def exact(self, ids):
        return self.vectors[ids // 3 - 1]

    def nearest(self, queries, k, allowed=None):
        similarities = queries @ self.vectors.T
        if allowed is not None:
            similarities[:, ~np.isin(self.ids, allowed)] = -np.inf
        return self.ids[np.argsort(-similarities, axis=1, kind="stable")[:, :k]]


@pytest.fixture
def small_shards(monkeypatch):
    """Shards of a thousand rows, quantised from five hundred on; the code paths of a million."""
    monkeypatch.setattr(dense, "SHARD_ROWS", 1000)
    monkeypatch.setattr(shards, "EXACT_BELOW", 500)


def build(folder: Path, rows: Rows, upto: int | None = None, **options):
    return extend_generation(
        folder, rows.newer(upto), fingerprint="model", dimension=DIMENSION, **options
    )


def opened(folder: Path) -> DenseGeneration:
    generation = open_generation(folder, "model")
    assert isinstance(generation, DenseGeneration), generation
    return generation


def test_small_indexes_agree_with_brute_force(tmp_path):
    rows = Rows(3000)
    build(tmp_path, rows)
    queries = Rows(20, seed=1).vectors
    ids, similarities = opened(tmp_path).search(queries, 10, exact=rows.exact)
    assert np.array_equal(ids, rows.nearest(queries, 10))
    assert similarities[0, 0] == pytest.approx(queries[0] @ rows.exact(ids[0, :1])[0], abs=1e-6)


def test_quantised_shards_rescored_agree_with_brute_force(tmp_path, small_shards):
    rows = Rows(5400)
    manifest = build(tmp_path, rows)
    assert [(shard.rows, shard.codec) for shard in manifest.shards] == [
        *[(1000, "int8")] * 5,
        (400, "fp16"),
    ]
    queries = Rows(20, seed=1).vectors
    ids, _ = opened(tmp_path).search(queries, 10, exact=rows.exact)
    assert np.array_equal(ids, rows.nearest(queries, 10))


def test_many_queries_at_once_find_what_each_finds_alone(tmp_path, small_shards, monkeypatch):
    monkeypatch.setattr(shards, "MANY", 8)
    monkeypatch.setattr(shards, "DECODED", 300)
    rows = Rows(2600)
    build(tmp_path, rows)
    generation, queries = opened(tmp_path), Rows(20, seed=1).vectors
    ids, similarities = generation.search(queries, 10)
    alone = [generation.search(queries[row : row + 1], 10) for row in range(len(queries))]
    assert np.array_equal(ids, np.concatenate([one[0] for one in alone]))
    assert np.allclose(similarities, np.concatenate([one[1] for one in alone]), atol=1e-5)


def test_filters_apply_before_ranking(tmp_path, small_shards):
    rows = Rows(2500)
    build(tmp_path, rows)
    queries = rows.vectors[:5]
    allowed = rows.ids[1::97]
    mask = np.zeros(rows.ids[-1] + 1, dtype=bool)
    mask[allowed] = True
    expected = rows.nearest(queries, 8, allowed)
    for filtered in (allowed, mask, mask[: allowed[-1] + 1], np.append(allowed, [10**9])):
        ids, _ = opened(tmp_path).search(queries, 8, allowed=filtered, exact=rows.exact)
        assert np.array_equal(ids, expected)


def test_fewer_rows_than_asked_for_are_padded(tmp_path):
    rows = Rows(5)
    build(tmp_path, rows)
    ids, similarities = opened(tmp_path).search(rows.vectors[:1], 9, allowed=rows.ids[:2])
    assert sorted(ids[0, :2]) == [3, 6]
    assert (ids[0, 2:] == -1).all()
    assert np.isneginf(similarities[0, 2:]).all()


@pytest.mark.parametrize("nobody", [np.zeros(0, np.int64), np.zeros(9, bool), np.array([10**12])])
def test_a_filter_that_allows_nothing_finds_nothing(tmp_path, nobody):
    rows = Rows(5)
    build(tmp_path, rows)
    ids, _ = opened(tmp_path).search(rows.vectors[:1], 3, allowed=nobody)
    assert (ids == -1).all()


def test_an_empty_index_finds_nothing(tmp_path):
    build(tmp_path, Rows(0))
    ids, similarities = opened(tmp_path).search(np.ones((2, DIMENSION), "f4"), 3)
    assert ids.shape == similarities.shape == (2, 3)
    assert (ids == -1).all()


def test_equal_rows_come_by_id(tmp_path):
    rows = Rows(4)
    rows.vectors[:] = rows.vectors[0]
    build(tmp_path, rows)
    ids, _ = opened(tmp_path).search(rows.vectors[:1], 4)
    assert ids[0].tolist() == [3, 6, 9, 12]


def test_extending_asks_only_for_newer_rows(tmp_path, small_shards):
    rows = Rows(2600)
    build(tmp_path, rows, 2300)
    manifest = build(tmp_path, rows)
    assert rows.asked == [0, rows.ids[2299]]
    assert (manifest.count, manifest.last_id) == (2600, rows.ids[-1])
    ids, _ = opened(tmp_path).search(rows.vectors[2500:2501], 1)
    assert ids[0, 0] == rows.ids[2500]


def test_many_small_shards_become_one(tmp_path, small_shards):
    rows = Rows(1700)
    for upto in (1200, 1300, 1400, 1500, 1600):
        manifest = build(tmp_path, rows, upto)
    assert [shard.rows for shard in manifest.shards] == [1000, 600]
    assert len(list(tmp_path.glob("shard-*"))) == 4
    assert opened(tmp_path).count == 1600


def test_nothing_new_changes_nothing(tmp_path):
    rows = Rows(100)
    first = build(tmp_path, rows)
    assert build(tmp_path, rows) == first


def test_a_killed_build_goes_on_after_the_last_finished_shard(tmp_path, small_shards):
    rows = Rows(3500)

    class Killed(BaseException):
        pass

    def dies(count: int) -> None:
        if count >= 2000:
            raise Killed

    with pytest.raises(Killed):
        build(tmp_path, rows, notify=dies)
    assert opened(tmp_path).last_id == rows.ids[1999]
    (tmp_path / ".shard-1-2-3.faiss.tmp").write_bytes(b"half")
    resumed = build(tmp_path, rows)
    assert rows.asked == [0, rows.ids[1999]]
    assert not list(tmp_path.glob(".*.tmp"))
    undisturbed = build(tmp_path.with_name("undisturbed"), Rows(3500))
    assert resumed == undisturbed
    for entry in resumed.shards:
        name = f"{entry.name}.faiss"
        other = tmp_path.with_name("undisturbed") / name
        assert (tmp_path / name).read_bytes() == other.read_bytes()


def test_a_reader_is_not_disturbed_by_a_writer(tmp_path, small_shards):
    rows = Rows(1700)
    for upto in (1200, 1300, 1400, 1500):
        build(tmp_path, rows, upto)
    reader = opened(tmp_path)
    build(tmp_path, rows)
    ids, _ = reader.search(rows.vectors[1450:1451], 1)
    assert ids[0, 0] == rows.ids[1450]


def test_another_model_or_adapter_makes_it_stale(tmp_path):
    build(tmp_path, Rows(5))
    assert "encoder model, not other" in reason(open_generation(tmp_path, "other"))
    assert "adapter None, not v2" in reason(open_generation(tmp_path, "model", "v2"))


def test_building_for_another_model_starts_afresh(tmp_path):
    build(tmp_path, Rows(5))
    extend_generation(tmp_path, Rows(7).newer(), fingerprint="other", dimension=DIMENSION)
    generation = open_generation(tmp_path, "other")
    assert isinstance(generation, DenseGeneration)
    assert generation.count == 7
    assert len(list(tmp_path.glob("shard-*"))) == 2


def test_a_missing_index_is_said_to_be_missing(tmp_path):
    assert reason(open_generation(tmp_path / "nowhere", "model")) == "there is none yet"


@pytest.mark.parametrize("suffix", ["faiss", "ids"])
@pytest.mark.parametrize("harm", ["remove", "cut", "empty", "flip first", "flip last", "flip mid"])
def test_every_harm_to_a_file_is_found_and_mended(tmp_path, small_shards, suffix, harm):
    rows = Rows(1400)
    whole = build(tmp_path, rows)
    damage(next(tmp_path.glob(f"shard-*-1000.{suffix}")), harm)
    assert f".{suffix}" in reason(open_generation(tmp_path, "model"))
    assert verify_generation(tmp_path) is not None
    assert build(tmp_path, rows) == whole
    assert opened(tmp_path).count == 1400
    assert verify_generation(tmp_path) is None


def test_harm_to_a_late_shard_costs_only_that_shard(tmp_path, small_shards):
    rows = Rows(2400)
    build(tmp_path, rows)
    damage(next(tmp_path.glob("shard-*-400.faiss")), "cut")
    build(tmp_path, rows)
    assert rows.asked == [0, rows.ids[1999]]


def test_of_a_large_index_sampled_pages_are_checked(tmp_path, monkeypatch):
    monkeypatch.setattr(dense, "CHECKED_WHOLE_UP_TO", 0)
    build(tmp_path, Rows(1400))
    assert opened(tmp_path).count == 1400
    damage(next(tmp_path.glob("shard-*.faiss")), "flip last")
    assert "checksum" in reason(open_generation(tmp_path, "model"))


@pytest.mark.parametrize(
    "manifest", ["", "{", "[]", "{}", '{"format": 99}', '{"format": 1, "shards": [3]}', "\0"]
)
def test_a_broken_manifest_is_found_and_mended(tmp_path, manifest):
    rows = Rows(5)
    build(tmp_path, rows)
    (tmp_path / dense.MANIFEST).write_text(manifest)
    assert reason(open_generation(tmp_path, "model"))
    build(tmp_path, rows)
    assert opened(tmp_path).count == 5


def test_a_manifest_that_lies_about_its_shards_is_found(tmp_path):
    build(tmp_path, Rows(5))
    path = tmp_path / dense.MANIFEST
    raw = json.loads(path.read_text())
    raw["dimension"] = 16
    path.write_text(json.dumps(raw))
    assert "checksum" in reason(open_generation(tmp_path, "model"))
    del raw["checksum"]
    path.write_text(json.dumps(raw))
    assert "vectors of 32 components" in reason(open_generation(tmp_path, "model"))


def test_rows_that_do_not_ascend_are_refused(tmp_path):
    def unordered(_after: int):
        yield np.array([5, 4]), np.zeros((2, DIMENSION), "f4")

    with pytest.raises(Damaged, match="do not ascend"):
        extend_generation(tmp_path, unordered, fingerprint="model", dimension=DIMENSION)


def test_files_are_their_owners_alone(tmp_path):
    build(tmp_path / "index", Rows(5))
    files = list((tmp_path / "index").glob("shard-*"))
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert (tmp_path / "index").stat().st_mode & 0o777 == 0o700


def reason(result: object) -> str:
    assert isinstance(result, Unusable)
    return result.reason


def damage(path: Path, harm: str) -> None:
    """What a disk or a person does to a file."""
    content = bytearray(path.read_bytes())
    if harm == "remove":
        path.unlink()
        return
    if harm in ("cut", "empty"):
        content = content[: len(content) // 2] if harm == "cut" else bytearray()
    else:
        place = {"flip first": 0, "flip last": len(content) - 1, "flip mid": len(content) // 2}
        content[place[harm]] ^= 0x10
    shutil.copy(path, path.with_suffix(".copy"))  # a new inode: readers keep the old one
    path.unlink()
    path.write_bytes(content)
    path.with_suffix(".copy").unlink()
