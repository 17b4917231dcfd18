"""Disposable results in `index/`: arrays that were dear to compute, a file each.

A file is written beside, flushed and renamed; zip's own checksums are verified when it is read.
Whoever asks for it says whether it still fits. A missing or broken file is None: SQLite is the
truth, and what was in it is computed again.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kbagent.store.index.manifests import flush

FOLDER = "keepsakes"
FORMAT = 1
_FACTS = "facts"

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


def load(index_folder: Path, name: str) -> tuple[Arrays, dict[str, Any]] | None:
    """The arrays and facts that were kept under this name, or None."""
    try:
        with np.load(_path(index_folder, name), allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        facts = json.loads(arrays.pop(_FACTS).tobytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    if facts.get("format") != FORMAT or facts.get("name") != name:
        return None
    return arrays, facts


def _path(index_folder: Path, name: str) -> Path:
    """A file name that any facet's name can be made into."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return index_folder / FOLDER / f"{digest}.npz"
