"""Kept arrays: whole or not there, whatever happens to a byte of them."""

import json

import numpy as np
import pytest

from kbagent.store.index import acquaintance
from kbagent.store.index.acquaintance import facts_of, load, save, verify

ARRAYS = {
    "cases": np.arange(4000, dtype=np.int64),
    "density": np.linspace(0, 1, 4000),
    "none": np.zeros(0, dtype=np.int32),
}
FACTS = {"stamp": "1-4000-1", "model": 1, "cases": 4000, "novelty": {"most": 3.0}}


@pytest.fixture
def kept(tmp_path):
    save(tmp_path, ARRAYS, FACTS)
    return tmp_path


def test_what_is_kept_comes_back(kept):
    facts = facts_of(kept)
    assert facts is not None
    assert facts["novelty"] == {"most": 3.0}
    arrays = load(kept, facts)
    assert arrays is not None
    assert {name: array.tolist() for name, array in arrays.items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }
    assert verify(kept) is None
    assert {path.stat().st_mode & 0o777 for path in kept.rglob("*.*") if path.is_file()} == {0o600}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_a_harmed_array_is_not_used(kept, name, harm):
    path = next(kept.glob(f"*/{name}.npy"))
    content = bytearray(path.read_bytes())
    if harm == "flip":
        content[-1] ^= 1
        path.write_bytes(content)
    elif harm == "cut":
        path.write_bytes(content[:-1])
    else:
        path.unlink()
    facts = facts_of(kept)
    assert facts is not None
    assert load(kept, facts) is None
    assert path.name in (verify(kept) or "")


def test_of_a_large_array_sampled_pages_are_checked_at_opening_and_all_by_verify(kept, monkeypatch):
    monkeypatch.setattr(acquaintance, "CHECKED_WHOLE_UP_TO", 0)
    facts = facts_of(kept)
    assert load(kept, facts) is not None
    path = next(kept.glob("*/density.npy"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert load(kept, facts) is None
    assert verify(kept) is not None


def test_a_manifest_with_a_changed_value_is_not_used(kept):
    path = kept / acquaintance.MANIFEST
    raw = json.loads(path.read_text())
    path.write_text(json.dumps(raw | {"novelty": {"most": 9.0}}))
    assert facts_of(kept) is None
    assert "checksum" in (verify(kept) or "")


@pytest.mark.parametrize(
    "change",
    [
        {"format": 1},
        {"files": None},
        {"files": {"../x": {"shape": [1], "bytes": {}}}},
        {"files": {"cases": {"shape": 3, "bytes": {"size": "x"}}}},
        {"folder": "../elsewhere"},
    ],
)
def test_a_manifest_that_makes_no_sense_is_not_used(kept, change):
    path = kept / acquaintance.MANIFEST
    raw = json.loads(path.read_text())
    del raw["checksum"]
    path.write_text(json.dumps(raw | change))
    assert facts_of(kept) is None
    assert verify(kept) is not None


def test_only_the_latest_is_kept(kept):
    save(kept, {"cases": np.arange(3)}, FACTS | {"stamp": "2"})
    facts = facts_of(kept)
    assert load(kept, facts)["cases"].tolist() == [0, 1, 2]
    assert [path.name for path in kept.iterdir() if path.is_dir()] == ["acquaintance-2"]
