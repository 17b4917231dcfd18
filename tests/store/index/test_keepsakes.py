"""What was dear to compute comes back as it was, or not at all."""

import numpy as np
import pytest

from kbagent.store.index import keepsakes

ARRAYS = {"weights": np.arange(6.0).reshape(2, 3), "cases": np.array([3, 5], dtype=np.int64)}


def test_what_is_kept_comes_back(tmp_path):
    keepsakes.save(tmp_path, "router of queue", ARRAYS, {"labels": ["Ö", "b"]})
    arrays, facts = keepsakes.load(tmp_path, "router of queue")
    assert facts["labels"] == ["Ö", "b"]
    assert sorted(arrays) == ["cases", "weights"]
    assert np.array_equal(arrays["weights"], ARRAYS["weights"])
    assert arrays["cases"].dtype == np.int64


def test_the_later_one_takes_the_place_of_the_earlier(tmp_path):
    keepsakes.save(tmp_path, "x", ARRAYS, {"n": 1})
    keepsakes.save(tmp_path, "x", ARRAYS, {"n": 2})
    assert keepsakes.load(tmp_path, "x")[1]["n"] == 2
    assert [path.suffix for path in (tmp_path / keepsakes.FOLDER).iterdir()] == [".npz"]


def test_names_do_not_meet(tmp_path):
    keepsakes.save(tmp_path, "a/../b", ARRAYS, {})
    assert keepsakes.load(tmp_path, "b") is None
    assert keepsakes.load(tmp_path, "a/../b") is not None
    assert [path.name for path in tmp_path.iterdir()] == [keepsakes.FOLDER]


def test_a_bit_that_flipped_anywhere_is_found_or_means_nothing(tmp_path):
    keepsakes.save(tmp_path, "x", ARRAYS, {"n": 1})
    (path,) = (tmp_path / keepsakes.FOLDER).iterdir()
    content = path.read_bytes()
    assert keepsakes.broken(tmp_path) == []
    found = 0
    for place in range(2 * len(content)):
        flipped = bytearray(content)
        flipped[place // 2] ^= 1 << (place % 7 if place % 2 else 3)
        path.write_bytes(flipped)
        loaded = keepsakes.load(tmp_path, "x")
        assert loaded is None or (
            loaded[1]["n"] == 1 and all(np.array_equal(loaded[0][k], ARRAYS[k]) for k in ARRAYS)
        )
        found += keepsakes.broken(tmp_path) == [path]
    assert found > 1.5 * len(content)


@pytest.mark.parametrize("harm", ["missing", "empty", "cut", "flipped", "strange"])
def test_what_is_broken_is_as_if_it_were_not_there(tmp_path, harm):
    keepsakes.save(tmp_path, "x", ARRAYS, {})
    (path,) = (tmp_path / keepsakes.FOLDER).iterdir()
    content = bytearray(path.read_bytes())
    match harm:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "flipped":
            at = content.find(ARRAYS["weights"].tobytes())
            content[at + 20] ^= 0xFF
            path.write_bytes(content)
        case _:
            path.write_bytes(b"not an archive")
    assert keepsakes.load(tmp_path, "x") is None


def test_an_array_that_calls_itself_smaller_is_broken(tmp_path):
    """Numpy would read a part of it, and zip compare a checksum only at the end."""
    keepsakes.save(tmp_path, "x", {"weights": np.ones((4000, 3))}, {})
    (path,) = (tmp_path / keepsakes.FOLDER).iterdir()
    path.write_bytes(path.read_bytes().replace(b"(4000, 3)", b"(1000, 3)"))
    assert keepsakes.load(tmp_path, "x") is None
