"""What a process read of a knowledge base and still holds, until anybody changes the base.

A process that answers many queries meets the same issues again and again. What it read of them
stays here while SQLite's own signs say that nothing changed: `data_version` moves with every commit
of another connection (pragma.html#pragma_data_version), `total_changes` with every change of our
own. What is only logged about a lookup changes no answer and is discounted.
"""

import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar, cast

LIMIT = 50_000  # entries of one kind

Kept = TypeVar("Kept")


class Memory:
    """Dictionaries by kind. Forgets everything when the base has changed."""

    def __init__(self) -> None:
        self._kinds: dict[str, dict[Any, Any]] = {}
        self._seen: tuple[int, int] | None = None
        self._logged = 0
        self._active = False

    def refresh(self, connection: sqlite3.Connection, *, settled: bool) -> None:
        """To be called as a view begins; `settled` unless it sees changes not yet committed."""
        version = connection.execute("PRAGMA data_version").fetchone()[0]
        now = (version, connection.total_changes - self._logged)
        if now != self._seen or not settled:
            self._kinds.clear()
        self._seen = now
        self._active = settled

    def discount(self, changes: int) -> None:
        """So many changes of our own were no news."""
        self._logged += changes

    def of(self, kind: str) -> dict[Any, Any]:
        """What is remembered of a kind; a new dictionary where nothing may be remembered."""
        if not self._active:
            return {}
        kept = self._kinds.setdefault(kind, {})
        if len(kept) > LIMIT:
            kept.clear()
        return kept

    def one(self, kind: str, make: Callable[[], Kept]) -> Kept:
        """The one thing of a kind, made when it is not remembered."""
        kept = self.of(kind)
        if kind not in kept:
            kept[kind] = make()
        return cast("Kept", kept[kind])
