"""A disposable folder of arrays in `index/`: what novelty is judged against.

Written whole or not at all, flushed, and with a checksum of each file; opened memory-mapped, so
that a query reads only the rows it needs. Knows nothing of what the arrays mean. SQLite is the
truth: a missing, broken or outdated folder is made again.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kbagent.store.index.manifests import (
    Footprint,
    Unusable,
    deep_mismatch,
    flush,
    footprint,
    mismatch,
    read_json,
    write_json,
)

NAME = "acquaintance"
MANIFEST = f"{NAME}.json"
FORMAT = 2  # 1 had no checksums
CHECKED_WHOLE_UP_TO = 64 << 20  # bytes a file: 3 ms at most; of larger ones pages are sampled

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
        flush(folder / f"{name}.npy")
    flush(folder)
    files = {
        name: {"shape": list(array.shape), "bytes": asdict(footprint(folder / f"{name}.npy"))}
        for name, array in arrays.items()
    }
    write_json(
        index_folder / MANIFEST,
        {**facts, "format": FORMAT, "folder": generation, "files": files},
    )
    for other in index_folder.glob(f"{NAME}-*"):
        if other.name != generation:
            shutil.rmtree(other, ignore_errors=True)


def facts_of(index_folder: Path) -> dict[str, Any] | None:
    """The manifest, or None when there is none that can be used."""
    content = read_json(index_folder / MANIFEST)
    if isinstance(content, Unusable) or content.get("format") != FORMAT:
        return None
    return content if _entries(content) is not None else None


def load(index_folder: Path, facts: Mapping[str, Any]) -> Arrays | None:
    """The arrays that the manifest names, memory-mapped; None when one is not what was written.

    Every byte is checked, of a file beyond `CHECKED_WHOLE_UP_TO` sampled pages.
    """
    if _problem(index_folder, facts, _at_opening) is not None:
        return None
    folder = index_folder / str(facts["folder"])
    arrays: Arrays = {}
    for name, shape, _print in _entries(facts) or ():
        try:
            array = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError):
            return None
        if list(array.shape) != shape:
            return None
        arrays[name] = array
    return arrays


def verify(index_folder: Path) -> str | None:
    """What is wrong with what is kept, reading every byte; None when it is whole."""
    content = read_json(index_folder / MANIFEST)
    if isinstance(content, Unusable):
        return content.reason
    if content.get("format") != FORMAT:
        return f"it is of format {content.get('format')}, not {FORMAT}"
    return _problem(index_folder, content, deep_mismatch)


def _problem(
    index_folder: Path,
    facts: Mapping[str, Any],
    compared: Callable[[Path, Footprint], str | None],
) -> str | None:
    entries = _entries(facts)
    if entries is None:
        return "its manifest cannot be read"
    folder = index_folder / str(facts["folder"])
    problems = (compared(folder / f"{name}.npy", expected) for name, _, expected in entries)
    return next((problem for problem in problems if problem), None)


def _at_opening(path: Path, expected: Footprint) -> str | None:
    return mismatch(path, expected, whole=expected.size <= CHECKED_WHOLE_UP_TO)


def _entries(facts: Mapping[str, Any]) -> list[tuple[str, list[int], Footprint]] | None:
    """(name, shape, footprint) of each array; None when the manifest does not say, or points out
    of its folder.
    """
    try:
        named = [str(facts["folder"]), *facts["files"]]
        if any(Path(name).name != name for name in named):
            return None
        return [
            (name, list(entry["shape"]), Footprint(**entry["bytes"]))
            for name, entry in facts["files"].items()
        ]
    except (KeyError, TypeError, AttributeError, ValueError):
        return None
