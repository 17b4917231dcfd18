"""What a check looks at."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase

Numbers = NDArray[np.int64]

NAMED = 5  # things that are wrong which a finding names


@dataclass(frozen=True, slots=True)
class Patient:
    """An open knowledge base, how to get its encoder, and randomness for samples."""

    kb: KnowledgeBase
    encoder: Callable[[], Encoder]
    rng: np.random.Generator

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """The rows of a query."""
        return self.kb.connection.execute(query, values).fetchall()

    def number(self, query: str, *values: object) -> int:
        """The one whole number that a query counts."""
        return int(self.kb.connection.execute(query, values).fetchone()[0] or 0)

    def numbers(self, query: str, *values: object) -> Numbers:
        """The one column of whole numbers that a query gives, however many rows."""
        rows = self.kb.connection.execute(query, values)
        return np.fromiter((row[0] for row in rows), dtype=np.int64)

    def sample(self, numbers: Numbers, size: int) -> list[int]:
        """At most `size` of these numbers, ascending."""
        if len(numbers) > size:
            numbers = self.rng.choice(numbers, size, replace=False)
        return sorted(int(one) for one in numbers)


def plural(number: int, name: str) -> str:
    """A count with its noun.

    >>> plural(1, "case"), plural(1200, "case")
    ('1 case', '1,200 cases')
    """
    return f"{number:,} {name}{'' if number == 1 else 's'}"
