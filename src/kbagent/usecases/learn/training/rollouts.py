"""Rollouts: a lookup and all that followed, as it was logged by the commands themselves.

What is withdrawn is left out: a showing taken from a withdrawn case, and the whole rollout where an
outcome was reported on one (its text is the question's). Texts are as stored, that is redacted.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kbagent.model.case import Verdict
from kbagent.model.outcome import REWARD, Outcome
from kbagent.store import ledger, lookups, resolutions
from kbagent.store.lookups import Lookup, Showing
from kbagent.store.moments import known


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened in a rollout; `sequence` orders everything that ever happened."""

    sequence: int
    type: str
    at: datetime
    by: str | None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rollout:
    """A lookup, what it showed, every event in order, and every outcome with whether it stands."""

    lookup: Lookup
    shown: tuple[Showing, ...]
    entries: tuple[Entry, ...]
    outcomes: tuple[Outcome, ...]
    standing: frozenset[int]

    def rewards(self) -> dict[int, float]:
        """What became of each resolution, by id; the last word counts."""
        return {
            one.resolution_id: REWARD[one.verdict]
            for one in self.outcomes
            if one.id in self.standing and one.verdict is not Verdict.UNKNOWN
        }


@dataclass(frozen=True, slots=True)
class Decided:
    """A place of a lookup with a known reward: one round of a contextual bandit.

    `alternatives` are all (resolution, propensity) that could have stood there, by id.
    """

    rollout: Rollout
    position: int
    resolution_id: int
    reward: float
    pscore: float
    alternatives: tuple[tuple[int, float], ...]


def rollouts(connection: sqlite3.Connection, since: datetime | None) -> list[Rollout]:
    """Every lookup since a moment with what followed, oldest first."""
    withdrawn = _withdrawn(connection)
    outcomes = _outcomes(connection)
    gone = {one.undoes for some in outcomes.values() for one in some if one.undoes is not None}
    entries = _entries(connection)
    found = []
    for lookup in lookups.since(connection, since):
        mine = outcomes.get(lookup.id, [])
        if any(one.case_id in withdrawn for one in mine):
            continue
        shown = lookups.showings(connection, lookup.id)
        found.append(
            Rollout(
                lookup=lookup,
                shown=tuple(one for one in shown if one.case_id not in withdrawn),
                entries=tuple(entries.get(lookup.id, ())),
                outcomes=tuple(mine),
                standing=frozenset(one.id for one in mine) - gone,
            )
        )
    return found


def decided(found: list[Rollout]) -> Iterator[Decided]:
    """The places with a known reward and a logged propensity."""
    for rollout in found:
        rewards = rollout.rewards()
        for one in rollout.shown:
            if one.resolution_id in rewards and one.propensity and one.rank:
                alternatives = one.alternatives or ((one.resolution_id, one.propensity),)
                yield Decided(
                    rollout,
                    one.rank - 1,
                    one.resolution_id,
                    rewards[one.resolution_id],
                    one.propensity,
                    tuple(sorted(alternatives)),
                )


def texts_of(connection: sqlite3.Connection, resolution_ids: set[int]) -> dict[int, str]:
    """The texts of these resolutions."""
    return {key: one.text for key, one in resolutions.by_ids(connection, resolution_ids).items()}


def _withdrawn(connection: sqlite3.Connection) -> frozenset[int]:
    rows = connection.execute("SELECT id FROM cases WHERE withdrawn_at IS NOT NULL")
    return frozenset(row[0] for row in rows)


def _outcomes(connection: sqlite3.Connection) -> dict[int, list[Outcome]]:
    """By lookup; the resolution is the approach that was shown, whatever its wording."""
    canonical = dict(connection.execute("SELECT id, canonical_id FROM resolutions"))
    found: dict[int, list[Outcome]] = defaultdict(list)
    for one in ledger.every(connection):
        if one.lookup_id is not None:
            approach = canonical[one.resolution_id]
            found[one.lookup_id].append(replace(one, resolution_id=approach))
    return found


def _entries(connection: sqlite3.Connection) -> dict[int, list[Entry]]:
    found: dict[int, list[Entry]] = defaultdict(list)
    rows = connection.execute(
        "SELECT id, lookup_id, type, at, by, data FROM events WHERE lookup_id IS NOT NULL"
        " ORDER BY id"
    )
    for sequence, lookup_id, kind, at, by, data in rows:
        found[lookup_id].append(Entry(sequence, kind, known(at), by, json.loads(data)))
    return found
