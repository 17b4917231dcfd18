"""A disposable folder of arrays in `index/`: what novelty is judged against.

Written whole or not at all, opened memory-mapped, so that a query reads only the rows it needs.
Knows nothing of what the arrays mean. SQLite is the truth: a missing, broken or outdated folder
is made again.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kbagent.store.index.manifests import Unusable, read_json, write_json

NAME = "acquaintance"
FORMAT = 1

Arrays = dict[str, npt.NDArray[Any]]


def save(index_folder: Path, arrays: Mapping[str, npt.NDArray[Any]], facts: dict[str, Any]) -> None:
    """Replace the folder's content; `facts` are kept in its manifest.

    Each writing has a folder of its own, and the manifest that names it is replaced last.
    """
    generation = f"{NAME}-{facts['stamp']}"
    folder = index_folder / generation
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    write_json(
        index_folder / f"{NAME}.json",
        {**facts, "format": FORMAT, "folder": generation, "shapes": shapes},
    )
    for other in index_folder.glob(f"{NAME}-*"):
        if other.name != generation:
            shutil.rmtree(other, ignore_errors=True)


def facts_of(index_folder: Path) -> dict[str, Any] | None:
    """The manifest, or None when there is none that can be used."""
    content = read_json(index_folder / f"{NAME}.json")
    if isinstance(content, Unusable) or content.get("format") != FORMAT:
        return None
    return content


def load(index_folder: Path, facts: Mapping[str, Any]) -> Arrays | None:
    """The arrays that the manifest names, memory-mapped; None when one is missing or cut short."""
    folder = index_folder / str(facts["folder"])
    arrays: Arrays = {}
    for name, shape in facts["shapes"].items():
        try:
            array = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError):
            return None
        if list(array.shape) != shape:
            return None
        arrays[name] = array
    return arrays
