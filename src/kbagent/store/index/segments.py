"""Extending the lexical index: a new state beside the former one, then the switch.

The former state's segments are immutable: they are linked into a new folder, a segment is added
there, and `current.json` is switched over. So a writer that dies leaves the former state, and a
reader is never disturbed.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import tantivy

from kbagent.errors import Damaged, Locked, UnreadableFile
from kbagent.store.index.lexical import (
    ANALYSER,
    CURRENT,
    LexicalIndex,
    LexicalManifest,
    open_lexical,
    schema,
)
from kbagent.store.index.manifests import Footprint, flush, footprint, write_json

Rows = Callable[[int], Iterable[tuple[int, Sequence[str]]]]

LOCK_TIMEOUT = 60.0  # seconds
NOTIFY_EVERY = 50_000  # rows
_HEAP = 96 << 20  # bytes the writer collects before it writes a segment


def extend_lexical(
    folder: Path,
    newer: Rows,
    *,
    tokeniser: str,
    notify: Callable[[int], None] | None = None,
    lock_timeout: float = LOCK_TIMEOUT,
) -> LexicalManifest:
    """Bring the index in `folder` up to date, making it if there is none that is usable.

    newer    given an id, yields (id, tokens) of all documents beyond it, ids ascending from 1;
             tokens hold no white space
    notify   is told how many documents are in the index, now and then

    May be killed at any moment: the former state stays. Readers are not disturbed.

    Raises: Locked when another process extends it for longer than `lock_timeout` seconds; Damaged
    when ids do not ascend.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with FileLock(folder / ".lock", timeout=lock_timeout, mode=0o600):
            return _extend(folder, newer, tokeniser, notify or (lambda _rows: None))
    except ValueError as error:  # what tantivy raises for a full disk, and everything else
        hint = "The former index stays; free some space, then `kbagent reindex`."
        raise UnreadableFile(path=folder, reason=str(error), hint=hint) from error
    except Timeout as error:
        raise Locked(path=folder, seconds=f"{lock_timeout:g}") from error


def _extend(
    folder: Path, newer: Rows, tokeniser: str, notify: Callable[[int], None]
) -> LexicalManifest:
    former = open_lexical(folder, tokeniser)
    base = former.manifest if isinstance(former, LexicalIndex) else None
    _remove_others(folder, base)
    number = int(base.state.removeprefix("state-")) + 1 if base else _next_number(folder)
    state = folder / f"state-{number}"
    state.mkdir(mode=0o700)
    if base:
        _link(folder / base.state, state, base)
    index = _open_for_writing(state)
    counts = _write(index, newer, base, notify)
    if base and counts[0] == base.count:
        shutil.rmtree(state, ignore_errors=True)
        return base
    manifest = LexicalManifest(tokeniser, state.name, *counts, files=_files(state))
    for name, _print in manifest.files:
        flush(state / name)
    for lock in state.glob(".*.lock"):  # tantivy's own
        lock.chmod(0o600)
    flush(state)
    write_json(folder / CURRENT, asdict(manifest))
    _remove_others(folder, manifest)
    return manifest


def _write(
    index: tantivy.Index,
    newer: Rows,
    base: LexicalManifest | None,
    notify: Callable[[int], None],
) -> tuple[int, int, int]:
    """Add the newer documents; (documents, tokens, last id) of the whole index then."""
    count, total, last = (base.count, base.tokens, base.last_id) if base else (0, 0, 0)
    writer = index.writer(_HEAP, 1)
    for identity, tokens in newer(last):
        if identity <= last:
            raise Damaged(
                what=f"documents for the lexical index do not ascend after {last}",
                hint="Run `kbagent doctor`.",
            )
        document = tantivy.Document()
        document.add_unsigned("id", identity)
        document.add_text("text", " ".join(tokens))
        writer.add_document(document)
        count, total, last = count + 1, total + len(tokens), identity
        if count % NOTIFY_EVERY == 0:
            notify(count)
    writer.commit()
    writer.wait_merging_threads()
    notify(count)
    return count, total, last


def _open_for_writing(state: Path) -> tantivy.Index:
    if (state / "meta.json").exists():
        index = tantivy.Index.open(str(state))
    else:
        index = tantivy.Index(schema(), str(state))
    splitter = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    index.register_tokenizer(ANALYSER, splitter)
    return index


def _link(former: Path, state: Path, manifest: LexicalManifest) -> None:
    """Give the new state the former one's files: segments linked, what is rewritten copied."""
    for name, _print in manifest.files:
        if name.endswith(".json"):
            shutil.copyfile(former / name, state / name)
            continue
        try:
            os.link(former / name, state / name)
        except OSError:  # a file system without hard links
            shutil.copyfile(former / name, state / name)


def _files(state: Path) -> tuple[tuple[str, Footprint], ...]:
    """Every file that the state consists of; lock files are none."""
    meta = json.loads((state / "meta.json").read_text("utf-8"))
    segments = {str(each["segment_id"]).replace("-", "") for each in meta["segments"]}
    named = (
        path
        for path in sorted(state.iterdir())
        if path.suffix == ".json" or path.name.split(".")[0] in segments
    )
    return tuple((path.name, footprint(path)) for path in named)


def _remove_others(folder: Path, kept: LexicalManifest | None) -> None:
    for state in folder.glob("state-*"):
        if kept is None or state.name != kept.state:
            shutil.rmtree(state, ignore_errors=True)


def _next_number(folder: Path) -> int:
    """A number that no folder has, even one that could not be removed."""
    numbers = [path.name.removeprefix("state-") for path in folder.glob("state-*")]
    return 1 + max((int(number) for number in numbers if number.isdecimal()), default=0)
