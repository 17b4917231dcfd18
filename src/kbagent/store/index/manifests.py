"""What every index writes down about itself, and files that are written whole or not at all.

Does not know what is inside an index.
"""

import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kbagent.store.seal import sealed, unsealed

Bytes = NDArray[np.uint8]

PAGE = 4096  # bytes; what file systems lose or corrupt at a time
SAMPLED_PAGES = 16


@dataclass(frozen=True, slots=True)
class Unusable:
    """An index that cannot be used: `reason` completes "the index is not used because …"."""

    reason: str


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a file must be.

    size     bytes
    parity   CRC-32 of the exclusive or of all pages: one pass at memory speed, finds any odd
             number of flipped bits in one place of the pages, and any lost page
    sample   CRC-32 of the first, the last and evenly spaced pages
    crc32    of the whole file
    """

    size: int
    parity: int
    sample: int
    crc32: int

    def __post_init__(self) -> None:
        if not all(type(value) is int for value in (self.size, self.parity, self.sample)):
            raise TypeError("a footprint is of whole numbers")


def footprint(path: Path) -> Footprint:
    """The footprint of a file as it is now."""
    content = _mapped(path)
    return Footprint(len(content), _parity(content), _sample(content), zlib.crc32(content.data))


def mismatch(path: Path, expected: Footprint, *, whole: bool) -> str | None:
    """What is wrong with the file; None when nothing is found.

    The check costs about 40 ms per GB with `whole`, else it reads `SAMPLED_PAGES` pages only.
    """
    try:
        size = path.stat().st_size
        if size != expected.size:
            return f"{path.name} has {size:,} bytes instead of {expected.size:,}"
        content = _mapped(path)
        same = _parity(content) == expected.parity if whole else _sample(content) == expected.sample
    except OSError as error:
        return f"{path.name} cannot be read ({error.strerror or error})"
    return None if same else f"{path.name} is not what was written (checksum)"


def deep_mismatch(path: Path, expected: Footprint) -> str | None:
    """Like `mismatch`, by the CRC-32 of every byte."""
    shallow = mismatch(path, expected, whole=True)
    if shallow is not None:
        return shallow
    same = zlib.crc32(_mapped(path).data) == expected.crc32
    return None if same else f"{path.name} is not what was written (checksum)"


def read_json(path: Path) -> dict[str, Any] | Unusable:
    """A manifest's content, or why there is none."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return Unusable("there is none yet")
    except (OSError, ValueError, RecursionError) as error:
        return Unusable(f"its manifest cannot be read ({error})")
    if not isinstance(content, dict):
        return Unusable("its manifest is not an object")
    whole = unsealed(content)
    return Unusable("its manifest is not what was written (checksum)") if whole is None else whole


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a manifest, sealed: a reader sees the former one or this one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(sealed(content), indent=1, sort_keys=True) + "\n", "utf-8")
    put_in_place(temporary, path)


def put_in_place(temporary: Path, path: Path) -> None:
    """Flush a finished file to disk and give it its name."""
    flush(temporary)
    temporary.replace(path)
    flush(path.parent)


def flush(path: Path) -> None:
    """fsync a file, and make it its owner's alone, or, where the platform can, a folder."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        if not path.is_dir():
            path.chmod(0o600)
        os.fsync(handle)
    finally:
        os.close(handle)


def _mapped(path: Path) -> Bytes:
    if path.stat().st_size == 0:
        return np.zeros(0, dtype=np.uint8)
    return np.memmap(path, dtype=np.uint8, mode="r")


def _parity(content: Bytes) -> int:
    pages = len(content) // PAGE
    body = content[: pages * PAGE].view(np.uint64).reshape(pages, PAGE // 8)
    folded = np.bitwise_xor.reduce(body, axis=0, initial=0)
    return zlib.crc32(content[pages * PAGE :].data, zlib.crc32(folded.data))


def _sample(content: Bytes) -> int:
    last = max(len(content) - PAGE, 0)
    check = 0
    for start in np.linspace(0, last, SAMPLED_PAGES).astype(np.int64):
        check = zlib.crc32(content[start : start + PAGE].data, check)
    return check
