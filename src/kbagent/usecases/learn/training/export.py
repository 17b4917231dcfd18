"""`kbagent export training`: writes a folder with the files of one format and a manifest.

The manifest names the policy versions behind the lookups and how many rows each file has. Files
are written beside their place and moved there whole, readable by their owner alone.
"""

import io
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from kbagent.errors import UnreadableFile
from kbagent.model.training import TrainingFormat
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.evaluate.evaluation import history_of
from kbagent.usecases.learn.training import agent_lightning, obp, otel, preferences, vowpal
from kbagent.usecases.learn.training.rollouts import Rollout, decided, rollouts, texts_of
from kbagent.usecases.learn.training.triplets import triplets


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: rows by file name, the lookups behind them and their policies."""

    folder: Path
    format: TrainingFormat
    rows: dict[str, int]
    lookups: int
    policies: tuple[int, ...]


def export_training(
    kb: KnowledgeBase, form: TrainingFormat, folder: Path, *, since: datetime | None = None
) -> Exported:
    """Write what was logged since a moment in one format into a folder.

    Raises:
        UnreadableFile: the folder cannot be written.
    """
    with kb.database.read() as connection:
        found = rollouts(connection, since)
        files = _WRITERS[form](kb, found, since)
    done = Exported(
        folder=folder,
        format=form,
        rows={name: rows for name, (_, rows) in files.items()},
        lookups=len(found),
        policies=tuple(sorted({one.lookup.policy_version for one in found})),
    )
    manifest = {
        "format": str(form),
        "since": since.isoformat() if since else None,
        "made": kb.clock().isoformat(),
        "lookups": done.lookups,
        "policies": list(done.policies),
        "rows": done.rows,
    }
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, (content, _) in files.items():
            _write(folder / name, content)
        _write(folder / "manifest.json", json.dumps(manifest, indent=2).encode() + b"\n")
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableFile(path=folder, reason=reason, hint="Choose another --out.") from error
    return done


Files = dict[str, tuple[bytes, int]]
Writer = Callable[[KnowledgeBase, list[Rollout], datetime | None], Files]


def _agent_lightning(kb: KnowledgeBase, found: list[Rollout], _since: datetime | None) -> Files:
    shown = {s.resolution_id for one in found for s in one.shown if s.resolution_id is not None}
    texts = texts_of(kb.connection, shown)
    return {
        "rollouts.jsonl": _lines(agent_lightning.rollout_rows(found)),
        "events.jsonl": _lines(agent_lightning.event_rows(found, texts)),
        "spans.jsonl": _lines(agent_lightning.span_rows(found)),
    }


def _vw(kb: KnowledgeBase, found: list[Rollout], _since: datetime | None) -> Files:
    rounds = list(decided(found))
    texts = texts_of(kb.connection, {key for one in rounds for key, _ in one.alternatives})
    examples = list(vowpal.examples(rounds, texts))
    return {"train.dat": ("".join(examples).encode("utf-8", "replace"), len(examples))}


def _obp(_kb: KnowledgeBase, found: list[Rollout], _since: datetime | None) -> Files:
    rounds = list(decided(found))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **obp.arrays(rounds))  # type: ignore[arg-type]
    return {"bandit_feedback.npz": (buffer.getvalue(), len(rounds))}


def _dpo(kb: KnowledgeBase, _found: list[Rollout], since: datetime | None) -> Files:
    return {"train.jsonl": _lines(preferences.pairs(preferences.tried(kb.connection, since)))}


def _kto(kb: KnowledgeBase, _found: list[Rollout], since: datetime | None) -> Files:
    return {"train.jsonl": _lines(preferences.labels(preferences.tried(kb.connection, since)))}


def _triplets(kb: KnowledgeBase, _found: list[Rollout], since: datetime | None) -> Files:
    return {"train.jsonl": _lines(triplets(history_of(kb), since))}


def _otel(_kb: KnowledgeBase, found: list[Rollout], _since: datetime | None) -> Files:
    return {
        "traces.jsonl": _lines(otel.span_rows(found)),
        "logs.jsonl": _lines(otel.event_rows(found)),
    }


_WRITERS: dict[TrainingFormat, Writer] = {
    TrainingFormat.AGENT_LIGHTNING: _agent_lightning,
    TrainingFormat.VW: _vw,
    TrainingFormat.OBP: _obp,
    TrainingFormat.DPO: _dpo,
    TrainingFormat.KTO: _kto,
    TrainingFormat.TRIPLETS: _triplets,
    TrainingFormat.OTEL: _otel,
}


def _lines(rows: Iterable[dict[str, Any]]) -> tuple[bytes, int]:
    written = [json.dumps(row, ensure_ascii=False) for row in rows]
    return "".join(f"{line}\n" for line in written).encode("utf-8", "replace"), len(written)


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.tmp")
    unfinished.unlink(missing_ok=True)
    handle = os.open(unfinished, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    unfinished.replace(path)
