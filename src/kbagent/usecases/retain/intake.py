"""The import: from a stream of records to cases, attempts, outcomes and vectors.

Three things run beside each other: this thread reads, redacts and writes, another encodes. A
batch is written in one transaction with its vectors, so whatever was reported done is complete,
and the same command after an interruption finds it unchanged and goes on.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from kbagent.core.text.redaction import Redactor
from kbagent.model.case import CaseRecord, CaseStatus, Reject
from kbagent.model.importing import ImportCounts
from kbagent.store import cases, issues, passages
from kbagent.store.encoder.passages import passages as split_passages
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.retain.attempts import retain_attempts
from kbagent.usecases.retain.corrections import as_corrected, corrected_cases, note_overtaken

BATCH = 256  # records a transaction: about a second of encoding, 50 ms of writing
_RECENT_TEXTS = 20 * BATCH  # vectors kept for repeats in the batches under way
_SAMPLES = 3
_REJECTS_SHOWN = 20

Progress = Callable[[ImportCounts], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A record ready to be written: redacted, hashed, with the texts of its passages."""

    record: CaseRecord
    record_hash: bytes
    texts: tuple[str, ...]
    hashes: tuple[bytes, ...]


class Intake:
    """One run of an import over one stream of records."""

    def __init__(
        self,
        kb: KnowledgeBase,
        encoder: Encoder,
        model_id: int,
        *,
        redactor: Redactor | None,
        on_reject: Callable[[Reject], None],
        progress: Progress,
    ) -> None:
        self._kb = kb
        self._encoder = encoder
        self._model_id = model_id
        self._redactor = redactor
        self._on_reject = on_reject
        self._progress = progress
        self._recent: dict[bytes, bytes] = {}
        self.counts = ImportCounts()

    def run(self, records: Iterable[CaseRecord | Reject]) -> ImportCounts:
        """Store every record; rejects are counted and passed on."""
        with ThreadPoolExecutor(max_workers=1) as encoding:
            waiting: tuple[list[Prepared], Future[dict[bytes, bytes]]] | None = None
            try:
                for batch in _batches(records):
                    prepared = [self._prepare(item) for item in self._accepted(batch)]
                    future = encoding.submit(self._encode, self._unknown_texts(prepared))
                    if waiting is not None:
                        self._write(waiting[0], waiting[1].result())
                    waiting = (prepared, future)
                if waiting is not None:
                    self._write(waiting[0], waiting[1].result())
            except BaseException:
                encoding.shutdown(wait=False, cancel_futures=True)
                raise
        return self.counts

    def _accepted(self, batch: Sequence[CaseRecord | Reject]) -> Iterator[CaseRecord]:
        for item in batch:
            self.counts.read += 1
            if isinstance(item, CaseRecord):
                yield item
                continue
            self.counts.rejected += 1
            if len(self.counts.rejects) < _REJECTS_SHOWN:
                self.counts.rejects.append(item)
            self._on_reject(item)

    def _prepare(self, record: CaseRecord) -> Prepared:
        redacted = self._redact(record)
        record_hash = _hash_record(redacted)
        stored = cases.stored(self._kb.connection, record.source, record.external_id)
        if stored is not None and (stored.is_purged or stored.record_hash == record_hash):
            return Prepared(redacted, record_hash, (), ())
        texts = tuple(split_passages(redacted.title, redacted.body, self._encoder))
        return Prepared(
            redacted, record_hash, texts, tuple(passages.text_hash(text) for text in texts)
        )

    def _redact(self, record: CaseRecord) -> CaseRecord:
        if self._redactor is None:
            return record
        redact = self._redact_text
        return replace(
            record,
            title=redact(record.title),
            body=redact(record.body),
            facets=tuple((name, redact(value)) for name, value in record.facets),
            attempts=tuple(
                replace(
                    attempt,
                    text=redact(attempt.text),
                    steps=tuple(redact(step) for step in attempt.steps),
                )
                for attempt in record.attempts
            ),
        )

    def _redact_text(self, text: str) -> str:
        assert self._redactor is not None  # noqa: S101 -- checked by the only caller
        result = self._redactor.redact(text)
        for kind, number in result.counts:
            self.counts.redacted[kind] = self.counts.redacted.get(kind, 0) + number
        return result.text

    def _unknown_texts(self, prepared: Sequence[Prepared]) -> dict[bytes, str]:
        """The texts of which no vector is stored or under way; each once."""
        wanted = {
            text_hash: text
            for item in prepared
            for text_hash, text in zip(item.hashes, item.texts, strict=True)
        }
        known = passages.blobs_by_hash(self._kb.connection, self._model_id, list(wanted))
        self._recent.update(known)
        return {key: text for key, text in wanted.items() if key not in self._recent}

    def _encode(self, texts: dict[bytes, str]) -> dict[bytes, bytes]:
        started = time.perf_counter()
        vectors = self._encoder.encode(list(texts.values()))
        self.counts.encoding_seconds += time.perf_counter() - started
        self.counts.encoded += len(texts)
        return {key: passages.to_blob(vector) for key, vector in zip(texts, vectors, strict=True)}

    def _write(self, batch: Sequence[Prepared], encoded: dict[bytes, bytes]) -> None:
        self._recent.update(encoded)
        now = self._kb.clock()
        with self._kb.database.write():
            for item in batch:
                self._store(item, now)
        # Only what the batch under way may still need is kept, so memory stays bounded.
        self._recent = dict(list(self._recent.items())[-_RECENT_TEXTS:])
        self._progress(self.counts)

    def _store(self, item: Prepared, now: datetime) -> None:
        connection, record = self._kb.connection, item.record
        stored = cases.stored(connection, record.source, record.external_id)
        if stored is not None and (stored.is_purged or stored.record_hash == item.record_hash):
            self.counts.unchanged += 1
            return
        if stored is not None:
            item = self._corrected(item, stored.id, now)
            record = item.record
        record = _as_it_stands(record, stored)
        if stored is None:
            case_id = cases.insert(connection, record, item.record_hash, now)
            self.counts.new += 1
        else:
            case_id = stored.id
            cases.replace(connection, case_id, record, item.record_hash, now)
            self.counts.changed += 1
        if stored is None or (stored.title, stored.body) != (record.title, record.body):
            self._store_text(case_id, item, is_new=stored is None)
        changes = retain_attempts(connection, case_id, record, now)
        self.counts.attempts += changes.attempts
        self.counts.outcomes += changes.outcomes
        for link in record.links:
            issues.await_link(connection, case_id, record.source, link.external_id, link.kind)
        self._describe(record)

    def _corrected(self, item: Prepared, case_id: int, now: datetime) -> Prepared:
        """The record with what people corrected in it, as far as the source has not moved on."""
        connection, told = self._kb.connection, item.record
        if case_id not in corrected_cases(connection):
            return item
        record, overtaken = as_corrected(connection, case_id, told)
        if overtaken:
            note_overtaken(connection, case_id, overtaken, now)
            columns = ", ".join(overtaken)
            self._kb.notify(
                f"{told.ref}: the source now says something else of {columns} than when a person"
                f" corrected it; the source is followed (kbagent show {told.ref})"
            )
        if (record.title, record.body) == (told.title, told.body):
            return replace(item, record=record)
        return replace(item, record=record, texts=(), hashes=())

    def _store_text(self, case_id: int, item: Prepared, *, is_new: bool) -> None:
        connection = self._kb.connection
        if not is_new:
            passages.retire(connection, case_id)
        texts, hashes = item.texts, item.hashes
        if not texts:  # the record changed under us since it was prepared
            texts = tuple(split_passages(item.record.title, item.record.body, self._encoder))
            hashes = tuple(passages.text_hash(text) for text in texts)
        missing = [index for index, key in enumerate(hashes) if key not in self._recent]
        if missing:
            self._recent.update(self._encode({hashes[i]: texts[i] for i in missing}))
        blobs = [self._recent[key] for key in hashes]
        passages.insert(connection, self._model_id, case_id, hashes, blobs)
        passages.insert_document(connection, case_id)
        self.counts.passages += len(blobs)

    def _describe(self, record: CaseRecord) -> None:
        for name in {name for name, _ in record.facets}:
            self.counts.facets[name] = self.counts.facets.get(name, 0) + 1
        if len(self.counts.samples) < _SAMPLES:
            self.counts.samples.append(record)


def _as_it_stands(record: CaseRecord, stored: cases.Stored | None) -> CaseRecord:
    """The record, reopened when a resolved case is told to be open again."""
    if stored is None or record.status is not CaseStatus.OPEN:
        return record
    if stored.status not in (CaseStatus.RESOLVED, CaseStatus.REOPENED):
        return record
    return replace(record, status=CaseStatus.REOPENED)


def _batches(
    records: Iterable[CaseRecord | Reject],
) -> Iterator[list[CaseRecord | Reject]]:
    iterator = iter(records)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _hash_record(record: CaseRecord) -> bytes:
    """A key of all that a record tells, but for where it stood in its file."""
    told = (
        record.title,
        record.body,
        str(record.status),
        record.opened_at,
        record.closed_at,
        record.url,
        record.facets,
        [
            (a.text, str(a.verdict), a.at, a.by, a.code, a.external_id, a.steps)
            for a in record.attempts
        ],
        [(str(link.kind), link.external_id) for link in record.links],
        record.csat,
        record.minutes,
        record.escalated,
    )
    text = json.dumps(told, ensure_ascii=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
