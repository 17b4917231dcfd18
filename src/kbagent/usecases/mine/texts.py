"""The messages of the cases, streamed in their order."""

import sqlite3
from collections.abc import Iterator

from kbagent.store import columns
from kbagent.store.moments import to_text
from kbagent.usecases.mine.columns import Columns

MOST_CHARACTERS = 4_000
"""Characters of a message whose words are looked at."""


def texts_of(connection: sqlite3.Connection, found: Columns, first: int = 0) -> Iterator[str]:
    """The message of each case of the columns from place `first` on, in their order."""
    if first >= found.size:
        return
    wanted = iter(found.case_ids[first:].tolist())
    awaited = next(wanted, None)
    for case_id, title, body in columns.messages(connection, to_text(found.at(first))):
        if case_id == awaited:
            yield f"{title}\n{body}"[:MOST_CHARACTERS]
            awaited = next(wanted, None)
