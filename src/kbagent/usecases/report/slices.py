"""Which cases a report is about: a period, and conditions on their columns."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from kbagent.model.filters import Filter
from kbagent.model.lookup import Request
from kbagent.usecases.mine.columns import Columns
from kbagent.usecases.retrieve.scope import scope_of

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Slice:
    """The cases opened in [since, until) that satisfy every condition of `where`."""

    since: datetime | None = None
    until: datetime | None = None
    where: tuple[Filter, ...] = ()

    @property
    def name(self) -> str:
        """What it is in words, as one would ask for it.

        >>> Slice().name
        'all cases'
        """
        parts = [str(one) for one in self.where]
        if self.since is not None:
            parts.append(f"from {self.since:%Y-%m-%d}")
        if self.until is not None:
            parts.append(f"to {self.until - timedelta(seconds=1):%Y-%m-%d}")
        return " ".join(parts) or "all cases"

    def holds(self, at: datetime) -> bool:
        """Whether a moment lies within its period."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


def places_of(connection: sqlite3.Connection, found: Columns, one: Slice) -> Sequence[int]:
    """The places of its cases among the columns, ascending.

    Raises:
        BadFilter: a condition names a column that no case has.
    """
    inside = np.array([one.holds(at) for at in found.opened], dtype=np.bool_)
    admitted = scope_of(connection, Request("", filters=one.where)).case_ids
    if admitted is not None:
        inside &= np.isin(found.case_ids, admitted)
    return [int(place) for place in np.flatnonzero(inside)]
