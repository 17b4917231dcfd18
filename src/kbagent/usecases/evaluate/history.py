"""The knowledge base's own history, loaded once: cases in order of time, and all that happened.

Everything has the moment from which it was known: a case when it was opened, an attempt and its
outcome when they happened, a link when both cases were there (or when a person made it), an
automatic placement when both cases were closed. A withdrawn case is no part of it.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kbagent.core.text.tokens import tokens
from kbagent.model.case import Attempt, LinkKind, Verdict
from kbagent.model.outcome import Outcome
from kbagent.store import ledger, passages, resolutions
from kbagent.store.models import StoredModel
from kbagent.store.moments import known as moment_of
from kbagent.store.moments import to_moment

Vectors = NDArray[np.float32]
Ints = NDArray[np.int64]
QUERY_PASSAGES = 4  # as in a search
_JOINING = (str(LinkKind.DUPLICATE), str(LinkKind.SAME_ISSUE))


@dataclass(frozen=True, slots=True)
class Event:
    """Something that became known at `at`; what it says depends on its kind."""

    at: datetime
    kind: str
    place: int
    attempt: Attempt | None = None
    outcome: Outcome | None = None
    other: int = -1


@dataclass(frozen=True, slots=True)
class History:
    """All cases in order of opening (`place` 0, 1, …), and the events in order of time.

    vectors     (p, d) of all passages, case by case; `starts` (n,) where each case's begin
    issue       (n,) the issue each case is in today: the truth for recall, never an input
    linked      (n,) likewise where links or people put it there; -1 where similarity did
    worked      by place the approaches that worked, as known today
    canonical   resolution id to approach
    """

    case_ids: Ints
    opened: list[datetime]
    tokens: list[list[str]]
    texts: list[str]
    vectors: Vectors
    starts: Ints
    issue: Ints
    linked: Ints
    worked: Mapping[int, frozenset[int]]
    canonical: Mapping[int, int]
    events: list[Event]

    def passages_of(self, place: int) -> Vectors:
        """The first passages of a case, as a question would have had them."""
        end = int(self.starts[place + 1]) if place + 1 < len(self.starts) else len(self.vectors)
        return self.vectors[int(self.starts[place]) : end][:QUERY_PASSAGES]


def load_history(connection: sqlite3.Connection, model: StoredModel) -> History:
    """The history of every case that has a vector."""
    owners, vectors = _vectors(connection, model.id)
    rows = connection.execute(
        """SELECT cases.id, opened_at, closed_at, recorded_at, title, body,
            coalesce(issue_id, -cases.id), coalesce(kind, 'founder')
        FROM cases LEFT JOIN memberships ON memberships.case_id = cases.id
        WHERE withdrawn_at IS NULL ORDER BY coalesce(opened_at, recorded_at), cases.id"""
    ).fetchall()
    have = set(owners.tolist())
    rows = [row for row in rows if row[0] in have]
    place_of = {row[0]: place for place, row in enumerate(rows)}
    opened = [to_moment(row[1]) or moment_of(row[3]) for row in rows]
    closed = [max(to_moment(row[2]) or opened[i], opened[i]) for i, row in enumerate(rows)]
    order, starts = _grouped(owners, place_of)
    canonical = dict(connection.execute("SELECT id, canonical_id FROM resolutions"))
    entries = ledger.every(connection)
    texts = [f"{row[4]}\n{row[5]}" for row in rows]
    events = [
        *_attempts(connection, place_of, closed),
        *_outcomes(entries, place_of, opened),
        *_links(connection, place_of, opened),
        *_placements(rows, closed),
    ]
    return History(
        case_ids=np.array([row[0] for row in rows], dtype=np.int64),
        opened=opened,
        tokens=[tokens(text) for text in texts],
        texts=texts,
        vectors=vectors[order],
        starts=starts,
        issue=np.array([row[6] for row in rows], dtype=np.int64),
        linked=_linked(rows),
        worked=_worked(entries, place_of, canonical),
        canonical=canonical,
        events=sorted(events, key=lambda event: (event.at, event.kind, event.place)),
    )


def _vectors(connection: sqlite3.Connection, model_id: int) -> tuple[Ints, Vectors]:
    """(case of each live passage, vectors)."""
    ids: list[Ints] = []
    blocks: list[Vectors] = []
    for block, matrix in passages.stream(connection, model_id):
        ids.append(block)
        blocks.append(matrix)
    if not ids:
        return np.zeros(0, np.int64), np.zeros((0, 1), np.float32)
    owner = dict(connection.execute("SELECT id, case_id FROM passages WHERE retired = 0"))
    every = np.concatenate(ids)
    return np.array([owner[int(one)] for one in every], dtype=np.int64), np.concatenate(blocks)


def _grouped(owners: Ints, place_of: Mapping[int, int]) -> tuple[Ints, Ints]:
    """(rows in order of their case's place, where each case's rows begin)."""
    places = np.array([place_of.get(int(one), -1) for one in owners], dtype=np.int64)
    order = np.flatnonzero(places >= 0)
    order = order[np.argsort(places[order], kind="stable")]
    starts = np.searchsorted(places[order], np.arange(len(place_of)))
    return order, starts.astype(np.int64)


def _attempts(
    connection: sqlite3.Connection, place_of: Mapping[int, int], closed: list[datetime]
) -> Iterator[Event]:
    for attempt in resolutions.attempts_of(connection, sorted(place_of)):
        place = place_of[attempt.case_id]
        yield Event(attempt.at or closed[place], "attempt", place, attempt=attempt)


def _outcomes(
    entries: list[Outcome], place_of: Mapping[int, int], opened: list[datetime]
) -> Iterator[Event]:
    """Each outcome when it happened, and when another took its place."""
    by_id = {entry.id: entry for entry in entries}
    for entry in entries:
        place = place_of.get(entry.case_id, -1)
        if place < 0:
            continue
        at = max(entry.happened_at, opened[place])
        if entry.undoes is not None and entry.undoes in by_id:
            before = by_id[entry.undoes]
            yield Event(max(at, before.happened_at), "undone", place, outcome=before)
        if entry.verdict is not Verdict.UNKNOWN:
            yield Event(at, "outcome", place, outcome=entry)


def _links(
    connection: sqlite3.Connection, place_of: Mapping[int, int], opened: list[datetime]
) -> Iterator[Event]:
    rows = connection.execute(
        "SELECT case_id, other_id, source, at FROM links"
        f" WHERE undone_at IS NULL AND kind IN ({','.join('?' * len(_JOINING))})",
        _JOINING,
    )
    for one, other, source, at in rows:
        if one in place_of and other in place_of:
            a, b = place_of[one], place_of[other]
            moment = max(opened[a], opened[b])
            if source != "import":
                moment = max(moment, moment_of(at))
            yield Event(moment, "link", a, other=b)


def _placements(rows: list[tuple[Any, ...]], closed: list[datetime]) -> Iterator[Event]:
    """An automatic placement joins the earliest such case of its issue, once both are closed.

    Founders and explicitly linked cases are joined by their links alone.
    """
    first: dict[object, int] = {}
    for place, row in enumerate(rows):
        issue, kind = row[6], row[7]
        if issue in first and kind == "assigned":
            a = first[issue]
            yield Event(max(closed[a], closed[place]), "link", a, other=place)
        first.setdefault(issue, place)


def _linked(rows: list[tuple[Any, ...]]) -> Ints:
    """The issue of each case that a link or a person put there, its founder's included."""
    explicit = {row[6] for row in rows if row[7] in ("linked", "human")}
    return np.array(
        [row[6] if row[7] != "assigned" and row[6] in explicit else -1 for row in rows],
        dtype=np.int64,
    )


def _worked(
    entries: list[Outcome], place_of: Mapping[int, int], canonical: Mapping[int, int]
) -> dict[int, frozenset[int]]:
    gone = {entry.undoes for entry in entries if entry.undoes is not None}
    found: dict[int, set[int]] = {}
    for entry in entries:
        place = place_of.get(entry.case_id)
        if place is not None and entry.verdict is Verdict.WORKED and entry.id not in gone:
            found.setdefault(place, set()).add(canonical[entry.resolution_id])
    return {place: frozenset(some) for place, some in found.items()}
