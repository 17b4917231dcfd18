"""What a fuzzer throws bytes at: one function a way in, which raises when it is not held.

Held means: an answer or one of our errors, what is stored unchanged unless it was accepted, and
nothing outside the folder. Run on a few bytes by `test_targets`, for long by `benchmarks/fuzz`.
"""

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from kbagent.cli.output import csv_cell, one_line, to_json, visible
from kbagent.core.retrieval.filters import parse_filter
from kbagent.core.retrieval.periods import parse_period
from kbagent.core.text.redaction import redact
from kbagent.core.text.tokens import identifiers, tokens
from kbagent.errors import KbagentError
from kbagent.model.case import CaseRecord, Reject
from kbagent.model.lookup import Request
from kbagent.store import spool
from kbagent.store.encoder import cache
from kbagent.store.index.acquaintance import facts_of, load
from kbagent.store.index.dense import open_generation
from kbagent.store.index.lexical import open_lexical
from kbagent.store.knowledge_base import KnowledgeBase, open_knowledge_base
from kbagent.store.readers import open_export
from kbagent.usecases.learn.policies import set_parameters
from kbagent.usecases.maintain.copies import export_lines, restore
from kbagent.usecases.retrieve.search import search
from kbagent.usecases.review.applying import apply as apply_records
from kbagent.usecases.review.applying import read_records
from kbagent.usecases.revise.charter.amendment import amendment_to
from kbagent.usecases.revise.charter.amendment import apply as amend
from kbagent.usecases.revise.charter.document import charter_of, written
from kbagent.usecases.revise.charter.reading import read_charter
from kbagent.usecases.revise.freezing import order_now
from kbagent.usecases.revise.importing import import_outcomes
from tests.fakes.bases import filled
from tests.fakes.encoder import FakeEncoder

SAMPLES = Path(__file__).parents[2] / "sample_data" / "exports"
PRESETS = Path(__file__).parents[2] / "src" / "kbagent" / "store" / "readers" / "presets"
NAMES = ["x.json", "x.jsonl", "x.csv", "x.tsv", "x.xml", "x.xlsx", "x", "x.csv.gz", "x.zip"]
TABLES = ("cases", "outcomes", "resolutions", "memberships", "policies", "lookups")

Target = Callable[[bytes], None]


class Ground:
    """A small knowledge base, its export, and a folder for what is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kb: KnowledgeBase = filled(folder / "kb", 12)
        export_lines(self.kb, folder / "kb.jsonl")
        self.lines = (folder / "kb.jsonl").read_bytes().splitlines(keepends=True)

    def counts(self) -> list[int]:
        """How many rows there are of what counts."""
        execute = self.kb.connection.execute
        return [execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in TABLES]

    def written(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    # -- ways in --------------------------------------------------------------------------------

    def exports(self, data: bytes) -> None:
        name, data = _chosen(NAMES, data)
        packed = gzip.compress(data, 1) if name.endswith(".gz") else data
        self._read(self.written(name, packed))

    def mappings(self, data: bytes) -> None:
        mapping = self.written("mapping.toml", data)
        rows = self.written(
            "rows.jsonl", b'{"id": 1, "title": "x", "tags": ["a"], "d": {"e": 2}}\n'
        )
        self._read(rows, mapping)

    def queries(self, data: bytes) -> None:
        before = self.counts()
        try:
            found = search(self.kb, FakeEncoder(), Request(query=_text(data)), log=False)
        except KbagentError:
            return
        assert all(0.0 <= issue.confidence <= 1.0 for issue in found.issues)
        assert self.counts() == before

    def filters(self, data: bytes) -> None:
        before = self.counts()
        try:
            parse_period(_text(data))
            request = Request(query="printer", filters=(parse_filter(_text(data)),))
            search(self.kb, FakeEncoder(), request, log=False)
        except KbagentError:
            pass
        assert self.counts() == before

    def outcomes(self, data: bytes) -> None:
        explicit = "SELECT count(*) FROM outcomes WHERE source = 'explicit'"
        before = self.kb.connection.execute(explicit).fetchone()[0]
        try:
            done = import_outcomes(self.kb, _text(data))
        except KbagentError:
            return
        after = self.kb.connection.execute(explicit).fetchone()[0]
        assert after - before == done.recorded
        assert done.recorded + done.known + len(done.rejects) == done.read

    def rows(self, data: bytes) -> None:
        """A line of an exported knowledge base replaced, the checksum made right again."""
        place = int.from_bytes(data[:2], "big") % (len(self.lines) - 1)
        line = data[2:].replace(b"\n", b" ") + b"\n"
        self._restored([*self.lines[:place], line, *self.lines[place + 1 : -1]])

    def values(self, data: bytes) -> None:
        """A value within a line of an exported knowledge base replaced, the checksum right."""
        place = int.from_bytes(data[:2], "big") % (len(self.lines) - 1)
        entry = json.loads(self.lines[place])
        inner = entry if place == 0 else next(iter(entry.values()))
        names = sorted(inner)
        try:
            inner[names[(data[2] if len(data) > 2 else 0) % len(names)]] = json.loads(data[3:])
        except (ValueError, RecursionError):
            return
        line = json.dumps(entry).encode("ascii", "replace") + b"\n"
        self._restored([*self.lines[:place], line, *self.lines[place + 1 : -1]])

    def backups(self, data: bytes) -> None:
        packed = gzip.compress(data[1:], 1) if data[:1] > b"\x7f" else data[1:]
        target = self.folder / "again"
        shutil.rmtree(target, ignore_errors=True)
        try:
            restore(self.written("kb.gz", packed), target)
        except KbagentError:
            return
        raise AssertionError("bytes were restored")

    def parameters(self, data: bytes) -> None:
        before = self.counts()
        try:
            set_parameters(self.kb, _text(data).split("\n"))
        except KbagentError:
            assert self.counts() == before

    def policies(self, data: bytes) -> None:
        """The policy file as it is edited: TOML."""
        before, standing = self.counts(), charter_of(self.kb)
        try:
            wanted = read_charter(self.kb, _text(data), standing, order_now)
            amend(self.kb, amendment_to(self.kb, wanted), base=standing, by="fuzz")
        except KbagentError:
            assert self.counts() == before
            return
        assert set(charter_of(self.kb).rules) == set(wanted.rules)
        again = read_charter(self.kb, written(self.kb, wanted), charter_of(self.kb), order_now)
        assert set(again.rules) == set(wanted.rules)

    def reviews(self, data: bytes) -> None:
        """Decisions from a file: all of them, or none."""
        decisions = "SELECT count(*) FROM decisions"
        before = self.kb.connection.execute(decisions).fetchone()
        try:
            apply_records(self.kb, read_records(_text(data)))
        except KbagentError:
            assert self.kb.connection.execute(decisions).fetchone() == before

    def waiting(self, data: bytes) -> None:
        """A lookup in the spool: taken in or set aside, never in the way."""
        folder = self.folder / "kb" / spool.FOLDER
        folder.mkdir(exist_ok=True)
        (folder / "zzzz.json").write_bytes(data)
        spool.absorb(self.kb.database, self.kb.folder)
        assert not spool.waiting(self.kb.folder)
        for path in folder.glob("*.unreadable"):
            path.unlink()

    def manifests(self, data: bytes) -> None:
        """What stands beside an index, an export of a model and what is usual."""
        folder = self.folder / "index"
        for place in (folder / "dense", folder / "lexical", folder / "model"):
            place.mkdir(parents=True, exist_ok=True)
        (folder / "dense" / "manifest.json").write_bytes(data)
        (folder / "lexical" / "current.json").write_bytes(data)
        (folder / "model" / "manifest.json").write_bytes(data)
        (folder / "acquaintance.json").write_bytes(data)
        open_generation(folder / "dense", "x")
        open_lexical(folder / "lexical", "x")
        cache.read_manifest(folder / "model")
        facts = facts_of(folder)
        if facts is not None:
            load(folder, facts)

    def texts(self, data: bytes) -> None:
        """What every text passes: screens, tables, redaction, tokens."""
        text = _text(data)
        for shown in (visible(text), one_line(text), to_json({"x": text})):
            assert not set(shown) & {chr(code) for code in (*range(9), *range(11, 32), 127, 0x9B)}
        assert not csv_cell(text).lstrip(" \n").startswith(("=", "+", "-", "@", "\t", "\r"))
        once = redact(text).text
        assert redact(once).text == once
        tokens(text)
        identifiers(text)

    # -------------------------------------------------------------------------------------------

    def _read(self, path: Path, mapping: Path | None = None) -> None:
        try:
            for item in open_export([path], mapping=mapping):
                assert isinstance(item, CaseRecord | Reject)
        except KbagentError:
            pass

    def _restored(self, lines: list[bytes]) -> None:
        body = b"".join(lines)
        end = {"end": len(lines) - 1, "sha256": hashlib.sha256(body).hexdigest()}
        path = self.written("fuzzed.jsonl", body + json.dumps(end).encode() + b"\n")
        target = self.folder / "again"
        shutil.rmtree(target, ignore_errors=True)
        try:
            restore(path, target)
        except KbagentError:
            assert not target.exists() or not list(target.iterdir())
            return
        with open_knowledge_base(target) as kb:
            assert kb.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert kb.connection.execute("PRAGMA foreign_key_check").fetchall() == []
            with suppress(KbagentError):
                search(kb, FakeEncoder(), Request(query="printer hangs"), log=False)


TARGETS = (
    "exports",
    "mappings",
    "queries",
    "filters",
    "outcomes",
    "rows",
    "values",
    "backups",
    "parameters",
    "policies",
    "reviews",
    "waiting",
    "manifests",
    "texts",
)


def seeds(name: str, ground: Ground) -> list[bytes]:
    """Beginnings from which a fuzzer finds further: real inputs, cut to a few kilobytes."""
    match name:
        case "exports":
            files = sorted(SAMPLES.iterdir())
            return [bytes([_kind(path)]) + path.read_bytes()[:4000] for path in files] + [
                b"\x04<rows><row><id>1</id><title>x</title></row></rows>"
            ]
        case "mappings":
            files = [*PRESETS.glob("*.toml"), *SAMPLES.glob("*.toml")]
            return [path.read_bytes()[:6000] for path in sorted(files)]
        case "queries" | "texts":
            return [
                b"printer hangs on the client E0013",
                b'"a" AND NOT *',
                b"ann@example.org +1 202",
            ]
        case "filters":
            return [
                b"version>=4.2",
                b"os=linux",
                b"opened<2024-05",
                b"os!=linux",
                b"text~x",
                b"2024",
            ]
        case "outcomes":
            header = b"id,outcome,lookup,rank,case,resolution,csat,at,by,note,minutes,escalated\n"
            return [header + b"a,worked,,,desk:1,r1,5,2024-01-01,ana,x,3,no\n", header]
        case "rows":
            return [i.to_bytes(2, "big") + line[:2000] for i, line in enumerate(ground.lines)][::9]
        case "values":
            values = [b"1", b'"x"', b"null", b"1e999", b'{"base64": "AA=="}', b'{"float": "inf"}']
            return [i.to_bytes(2, "big") + b"\x01" + v for i in range(0, 200, 20) for v in values]
        case "backups":
            return [b"\x00" + b"".join(ground.lines)[:3000], b"\xffSQLite format 3\x00"]
        case "parameters":
            return [b"exploration=on", b"gate=bold", b"dense_weight=0.5\nplatt=1,2"]
        case "waiting":
            return [_spooled(ground)]
        case "manifests":
            found = [*ground.kb.index_folder.rglob("*.json")]
            return [path.read_bytes()[:4000] for path in sorted(found)]
        case "reviews":
            record = b'{"item": "duplicate:r1:r2", "decision": "accept", "by": "ana"}'
            return [record, b"[" + record + b"]", record + b"\n" + record]
        case _:
            return [
                b"[trust]\nana = 0.5\n[promise]\nmax-error = 0.05\n",
                b'[[pin]]\nissue = "i1"\nresolution = "r3"\nuntil = "2030-01-01"\nreason = "x"\n',
                b'[[deprecate]]\nresolution = "r1"\n[[forbid]]\nresolution = "r2"\n',
                b"[limits]\n",
                written(ground.kb, charter_of(ground.kb)).encode()[:6000],
            ]


def _spooled(ground: Ground) -> bytes:
    """What a search leaves for the next writer."""
    import sqlite3

    path = ground.kb.database.path
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        search(ground.kb, FakeEncoder(), Request(query="printer"))
        other.execute("ROLLBACK")
    file = spool.waiting(ground.kb.folder)[0]
    content = file.read_bytes()
    file.unlink()
    return content


def _kind(path: Path) -> int:
    return {".json": 0, ".jsonl": 1, ".csv": 2}.get(path.suffix, 6)


def _chosen(names: list[str], data: bytes) -> tuple[str, bytes]:
    return names[(data[0] if data else 0) % len(names)], data[1:]


def _text(data: bytes) -> str:
    """Text, with what no UTF-8 has where the bytes are none: halves of surrogate pairs."""
    return data.decode("utf-8", "surrogateescape")
