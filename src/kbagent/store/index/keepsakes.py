"""Disposable results in `index/`: arrays that were dear to compute, a file each.

A file is written beside, flushed and renamed; zip's own checksums are verified when it is read.
Whoever asks for it says whether it still fits. A missing or broken file is None: SQLite is the
truth, and what was in it is computed again.
"""

import hashlib
import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kbagent.store.index.manifests import flush

FOLDER = "keepsakes"
FORMAT = 1
_FACTS = "facts"

_UNREADABLE = (
    OSError, ValueError, KeyError, EOFError, RuntimeError, MemoryError,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip
"""What a broken file makes zip, its decompressors and numpy raise."""

Arrays = dict[str, npt.NDArray[Any]]


def save(
    index_folder: Path, name: str, arrays: Mapping[str, npt.NDArray[Any]], facts: Mapping[str, Any]
) -> None:
    """Keep these arrays, and facts that JSON can hold, under this name."""
    path = _path(index_folder, name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    told = json.dumps({**facts, "format": FORMAT, "name": name}).encode()
    partial = path.with_name(f".{path.stem}.tmp")
    kept = {**arrays, _FACTS: np.frombuffer(told, dtype=np.uint8)}
    with zipfile.ZipFile(partial, "w") as file:
        for key, array in kept.items():
            with file.open(f"{key}.npy", "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    flush(partial)
    partial.replace(path)


def broken(index_folder: Path) -> list[Path]:
    """The files that cannot be read, or are not what was written; those of other versions are."""
    files = sorted((index_folder / FOLDER).glob("*.npz"))
    return [path for path in files if not _is_whole(path)]


def _is_whole(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except _UNREADABLE:
        return False


def load(index_folder: Path, name: str) -> tuple[Arrays, dict[str, Any]] | None:
    """The arrays and facts that were kept under this name, or None."""
    try:
        with zipfile.ZipFile(_path(index_folder, name)) as file:
            arrays = {one.removesuffix(".npy"): _array(file.read(one)) for one in file.namelist()}
        facts = json.loads(arrays.pop(_FACTS).tobytes())
    except _UNREADABLE:
        return None
    if facts.get("format") != FORMAT or facts.get("name") != name:
        return None
    return arrays, facts


def _array(content: bytes) -> npt.NDArray[Any]:
    """An array of a member that was read whole: only then has zip compared its checksum."""
    array: npt.NDArray[Any] = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    return array


def _path(index_folder: Path, name: str) -> Path:
    """A file name that any facet's name can be made into."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return index_folder / FOLDER / f"{digest}.npz"
