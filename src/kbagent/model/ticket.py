"""A new ticket that is no case yet: what `kbagent route` is asked about."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ticket:
    """Its words, what it calls itself (any value JSON can hold), and what is known of it.

    `facets` are pairs of name and value; a name with several values stands several times.
    """

    text: str
    name: object | None = None
    facets: tuple[tuple[str, str], ...] = ()
