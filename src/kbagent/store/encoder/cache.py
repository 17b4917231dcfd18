"""The user's cache of exported models: one folder each, written whole or not at all.

A folder holds `model.onnx`, `tokenizer.json` and `manifest.json`. The format is part of its name,
so that two versions of kbagent on one computer do not replace each other's exports again and
again; `superseded` names what only older ones use. It is made under a temporary
name and renamed once it is flushed to disk, so that a reader sees all of it or none. Each load
checks the files' length and CRC-32 (4 ms for 23 MB); `verify` also checks SHA-256.

Does not: make exports (see `export`), run models (see `session`).
"""

import glob
import hashlib
import json
import os
import re
import shutil
import time
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

from kbagent.store.encoder.weights import sha256_of
from kbagent.store.seal import sealed, unsealed

FORMAT = 2  # of the manifest and the graph; part of the fingerprint, since vectors depend on it
ONNX = "model.onnx"
TOKENIZER = "tokenizer.json"
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """What a file of an export must be: length in bytes, CRC-32 and SHA-256."""

    name: str
    size: int
    crc32: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """An exported model.

    fingerprint   changes whenever the vectors would: weights, modules, tokeniser, precision
    precision     "int8", "int8-reduced" (7-bit weights, for processors without VNNI) or "fp32"
    max_tokens    most tokens of one text, special ones included
    prompt        put before each text, as the model's own configuration asks
    agreement     least cosine between its vectors and sentence-transformers', on fixed texts
    source        the folder that it was exported from
    weights       SHA-256 of the weights it was exported from
    """

    name: str
    fingerprint: str
    precision: str
    dimension: int
    max_tokens: int
    lower_case: bool
    prompt: str
    agreement: float
    source: str
    weights: str
    files: tuple[ExportedFile, ...]
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Broken:
    """An export that cannot be used, and why."""

    reason: str


def cache_root() -> Path:
    """`$KBAGENT_CACHE`, else the platform's cache folder for kbagent."""
    named = os.environ.get("KBAGENT_CACHE")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("kbagent", appauthor=False)


def folder_of(name: str) -> Path:
    """The cache folder of the model with this canonical name, for this format of exports.

    >>> folder_of("all-MiniLM-L6-v2").name
    'all-MiniLM-L6-v2-07db4e1f-f2'
    """
    return cache_root() / "models" / f"{_stem(name)}-f{FORMAT}"


def superseded(name: str) -> list[Path]:
    """Exports of the model in older formats, broken ones too, which this version never reads.

    Formats 1 and 2 were kept in a folder without a number, where whichever came last stayed.
    """
    stem = _stem(name)
    old = re.compile(rf"{re.escape(stem)}(-f(?P<format>\d+))?(\.broken-\d+)?")
    found = {
        path: match
        for path in (cache_root() / "models").glob(f"{glob.escape(stem)}*")
        if (match := old.fullmatch(path.name)) and path.is_dir()
    }
    return sorted(path for path, match in found.items() if int(match["format"] or 0) < FORMAT)


def _stem(name: str) -> str:
    readable = re.sub(r"[^\w.-]+", "-", name.rsplit("/", 1)[-1]).strip("-.")[:64] or "model"
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{readable}-{digest}"


def read_manifest(folder: Path) -> ModelManifest | Broken | None:
    """The manifest in `folder`; None when nothing was exported there."""
    try:
        raw = unsealed(json.loads((folder / MANIFEST).read_text("utf-8")))
        if raw is None:
            return Broken("its manifest is not what was written (checksum)")
        files = tuple(ExportedFile(**each) for each in raw.pop("files"))
        manifest = ModelManifest(**raw, files=files)
    except FileNotFoundError:
        return Broken("it has no manifest") if folder.exists() else None
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        return Broken(f"its manifest cannot be read ({error})")
    if manifest.format != FORMAT:
        return Broken(f"it is of format {manifest.format}, not {FORMAT}")
    return manifest


def read_file(folder: Path, manifest: ModelManifest, name: str) -> bytes | Broken:
    """The content of one file of the export, checked by length and CRC-32."""
    try:
        expected = next(file for file in manifest.files if file.name == name)
        content = (folder / name).read_bytes()
    except StopIteration:
        return Broken(f"its manifest does not name {name}")
    except OSError as error:
        return Broken(f"{name} cannot be read ({error})")
    if len(content) != expected.size:
        return Broken(f"{name} has {len(content):,} bytes instead of {expected.size:,}")
    if zlib.crc32(content) != expected.crc32:
        return Broken(f"{name} is not what was exported (checksum)")
    return content


def verify(folder: Path) -> str | None:
    """What is wrong with the export in `folder`, by full SHA-256; None when it is whole."""
    manifest = read_manifest(folder)
    if manifest is None:
        return "there is no export"
    if isinstance(manifest, Broken):
        return manifest.reason
    for file in manifest.files:
        path = folder / file.name
        if not path.is_file() or sha256_of(path) != file.sha256:
            return f"{file.name} is missing or is not what was exported"
    return None


def describe(path: Path) -> ExportedFile:
    """The length and checksums of an exported file."""
    content = path.read_bytes()
    return ExportedFile(
        name=path.name,
        size=len(content),
        crc32=zlib.crc32(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def write_manifest(folder: Path, manifest: ModelManifest) -> None:
    """Write the manifest last, when the files it names are on disk."""
    for file in manifest.files:
        _flush(folder / file.name)
    text = json.dumps(sealed(asdict(manifest)), indent=2, sort_keys=True)
    (folder / MANIFEST).write_text(text + "\n", "utf-8")
    _flush(folder / MANIFEST)
    _flush(folder)


def temporary_beside(folder: Path) -> Path:
    """A new empty folder next to `folder`; those that crashed exports left are removed.

    Only to be called by the holder of the lock.
    """
    for orphan in folder.parent.glob(f".{folder.name}.*.tmp"):
        shutil.rmtree(orphan, ignore_errors=True)
    made = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    made.mkdir(parents=True)
    return made


def put_in_place(made: Path, folder: Path) -> None:
    """Rename the finished folder to its name; the name must be free."""
    made.rename(folder)
    _flush(folder.parent)


def set_aside(folder: Path) -> None:
    """Move a broken export out of the way; only the latest broken one is kept."""
    for old in folder.parent.glob(f"{folder.name}.broken-*"):
        shutil.rmtree(old, ignore_errors=True)
    folder.rename(folder.with_name(f"{folder.name}.broken-{time.time_ns()}"))


def _flush(path: Path) -> None:
    """fsync a file or, where the platform allows it, a folder."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
