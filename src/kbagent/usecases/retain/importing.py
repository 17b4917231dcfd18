"""`kbagent import`: one command from export files to searchable cases."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from kbagent.core.text.redaction import Redactor
from kbagent.errors import UnreadableFile
from kbagent.model.case import Reject
from kbagent.model.importing import ImportCounts, ImportSummary
from kbagent.store import moments
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.readers import Export
from kbagent.usecases.maintain.encoding import enrolled
from kbagent.usecases.maintain.indexing import refresh_indexes
from kbagent.usecases.retain.intake import Intake
from kbagent.usecases.retain.placing import place_new_cases

REJECTS_NAME = "rejects"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How an import is run. `redactor` None stores texts as they are."""

    files: tuple[str, ...]
    redactor: Redactor | None
    rejects_file: Path | None = None
    dry_run: bool = False


def import_cases(
    kb: KnowledgeBase,
    encoder: Encoder,
    export: Export,
    options: ImportOptions,
    progress: Callable[[ImportCounts], None],
) -> ImportSummary:
    """Store every case of an export, then place them in issues and extend the indexes.

    A dry run does all of it but the encoding, in one transaction that is rolled back.
    """
    started = time.perf_counter()
    if options.dry_run:
        return _rehearse(kb, encoder, export, options, progress, started)
    model = enrolled(kb, encoder)
    run_id = _note_start(kb, export, options)
    with _Rejects(options.rejects_file or _rejects_path(kb), options.redactor) as rejects:
        intake = Intake(
            kb,
            encoder,
            model.id,
            redactor=options.redactor,
            on_reject=rejects.add,
            progress=progress,
        )
        counts = intake.run(export)
        linked = place_new_cases(kb, encoder, model)
        refresh_indexes(kb, model)
        written = rejects.path if counts.rejected else None
    summary = _summary(export, counts, started, linked=linked, rejects_file=written)
    _note_end(kb, run_id, summary)
    return summary


class _NoVectors:
    """Stands in for the encoder in a dry run: vectors play no part in what is counted."""

    def __init__(self, encoder: Encoder) -> None:
        self.name = encoder.name
        self.fingerprint = encoder.fingerprint
        self.dimension = encoder.dimension
        self.max_tokens = encoder.max_tokens
        self.count_tokens = encoder.count_tokens
        self.spans = encoder.spans

    def encode(self, texts: Sequence[str]) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
        """Zeros, (n, dimension)."""
        return np.zeros((len(texts), self.dimension), dtype=np.float32)


class _RolledBackError(Exception):
    """Ends the transaction of a dry run."""


def _rehearse(
    kb: KnowledgeBase,
    encoder: Encoder,
    export: Export,
    options: ImportOptions,
    progress: Callable[[ImportCounts], None],
    started: float,
) -> ImportSummary:
    counts = ImportCounts()
    linked = 0
    try:
        with kb.database.write():
            stand_in = _NoVectors(encoder)
            model = enrolled(kb, stand_in)
            intake = Intake(
                kb,
                stand_in,
                model.id,
                redactor=options.redactor,
                on_reject=lambda _reject: None,
                progress=progress,
            )
            counts = intake.run(export)
            raise _RolledBackError
    except _RolledBackError:
        return _summary(export, counts, started, linked=linked, dry_run=True)


class _Rejects:
    """The file of rejected rows, made when the first one comes; one JSON object a line.

    Rows are redacted as cases are: the file stays beside the knowledge base.
    """

    def __init__(self, path: Path, redactor: Redactor | None) -> None:
        self.path = path
        self._redactor = redactor
        self._file: IO[str] | None = None

    def __enter__(self) -> "_Rejects":
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, reject: Reject) -> None:
        """Write one rejected row."""
        if self._file is None:
            self._file = self._open()
        entry = {
            "place": reject.place,
            "field": reject.field,
            "reason": self._clean(reject.reason),
            "row": self._clean(reject.row),
        }
        self._file.write(json.dumps(entry, ensure_ascii=True) + "\n")

    def _clean(self, text: str) -> str:
        return text if self._redactor is None else self._redactor.redact(text).text

    def _open(self) -> IO[str]:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = self.path.open("w", encoding="utf-8")
            self.path.chmod(0o600)
        except OSError as error:
            raise UnreadableFile(
                path=self.path,
                reason=error.strerror or str(error),
                hint="Name another file with --rejects.",
            ) from error
        return file


def _rejects_path(kb: KnowledgeBase) -> Path:
    return kb.folder / REJECTS_NAME / f"{kb.clock():%Y%m%d-%H%M%S}.jsonl"


def _note_start(kb: KnowledgeBase, export: Export, options: ImportOptions) -> int:
    with kb.database.write() as connection:
        cursor = connection.execute(
            "INSERT INTO imports (source, format, files, started_at) VALUES (?, ?, ?, ?)",
            (
                export.source,
                export.format,
                json.dumps(options.files),
                moments.to_text(kb.clock()),
            ),
        )
    return int(cursor.lastrowid or 0)


def _note_end(kb: KnowledgeBase, run_id: int, summary: ImportSummary) -> None:
    counts = {
        "new": summary.new,
        "changed": summary.changed,
        "unchanged": summary.unchanged,
        "rejected": summary.rejected,
    }
    with kb.database.write() as connection:
        connection.execute(
            "UPDATE imports SET finished_at = ?, counts = ? WHERE id = ?",
            (moments.to_text(kb.clock()), json.dumps(counts), run_id),
        )


def _summary(
    export: Export,
    counts: ImportCounts,
    started: float,
    *,
    linked: int,
    rejects_file: Path | None = None,
    dry_run: bool = False,
) -> ImportSummary:
    return ImportSummary(
        source=export.source,
        format=export.format,
        read=counts.read,
        new=counts.new,
        changed=counts.changed,
        unchanged=counts.unchanged,
        rejected=counts.rejected,
        attempts=counts.attempts,
        outcomes=counts.outcomes,
        passages=counts.passages,
        encoded=0 if dry_run else counts.encoded,
        linked=linked,
        redacted=tuple(sorted(counts.redacted.items())),
        facets=tuple(sorted(counts.facets.items(), key=lambda item: (-item[1], item[0]))),
        samples=tuple(counts.samples),
        rejects=tuple(counts.rejects),
        rejects_file=str(rejects_file) if rejects_file else None,
        notes=tuple(export.notes),
        seconds=time.perf_counter() - started,
        encoding_seconds=counts.encoding_seconds,
        dry_run=dry_run,
    )
