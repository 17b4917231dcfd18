"""What the earlier cases of an issue say to whoever takes a new one: how they went, what to ask.

Whether the issue is rising, what became of its cases, which fields they always ended up having.
Does not recognise issues.
"""

import re

import numpy as np

from kbagent.core.patterns.casetable import UNRECORDED, Codes, Factor
from kbagent.core.patterns.routing import NeededField, needed_fields
from kbagent.model.ticket import Ticket
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.mine.columns import CUSTOMER, Columns, cohort_factors, problem_facets
from kbagent.usecases.mine.emerging import Rising, emerging
from kbagent.usecases.mine.experience import Rows
from kbagent.usecases.mine.precedent import Precedent, precedent_of
from kbagent.usecases.retrieve.votes import Relatives


class Handling:
    """What is known of the issues there are, read when the first ticket is recognised as one."""

    def __init__(
        self,
        kb: KnowledgeBase,
        found: Columns,
        relatives: Relatives,
        queue: Factor | None,
        confident_at: float,
    ) -> None:
        self._kb = kb
        self._found = found
        self._relatives = relatives
        self._queue = queue
        self._confident_at = confident_at
        self._rising: list[Rising] | None = None
        self._fields: list[Factor] | None = None

    def precedent(self, issue_id: int) -> Precedent | None:
        """What became of its earlier cases and those of its relatives."""
        near = self._relatives.get(issue_id, frozenset()) - {issue_id}
        pooled = (issue_id, *sorted(near))
        return precedent_of(self._found, pooled, self._queue, self._confident_at)

    def rise(self, issue_id: int) -> Rising | None:
        """Its rise, if it lasts."""
        if self._rising is None:
            self._rising = list(emerging(self._kb, only_issues=True).rising)
        own = [one for one in self._rising if one.issue_id == issue_id and one.ended is None]
        return own[0] if own else None

    def collect(self, issue_id: int, ticket: Ticket) -> tuple[NeededField, ...]:
        """The fields that its resolved cases have, others less often; not what is told already."""
        if self._fields is None:
            every = cohort_factors(self._kb.connection, self._found)
            about = problem_facets(self._found, every)
            self._fields = [
                one for one in every if one.name not in about and not CUSTOMER.search(one.name)
            ]
        closed = self._found.reopened >= 0
        rows = np.flatnonzero((self._found.issue == issue_id) & closed)
        names = [one.name for one in self._fields]
        if not rows.size or not names:
            return ()
        filled = np.stack([one.codes[rows] != UNRECORDED for one in self._fields], axis=1)
        told, given = ticket.text.casefold(), {name.casefold() for name, _ in ticket.facets}
        already = {
            one.name for one in self._fields if one.name.casefold() in given or _is_told(one, told)
        }
        other = np.flatnonzero((self._found.issue != issue_id) & closed)
        usual = [
            _usually_filled(self._found.system.codes, one, rows, other) for one in self._fields
        ]
        return tuple(needed_fields(names, filled, frozenset(already), usual=usual))


def _usually_filled(system: Codes, factor: Factor, rows: Rows, other: Rows) -> float:
    """The share of other cases with this field, in the systems that these cases came from.

    A system fills its own fields, whatever the problem. Where it has no other cases nothing shows
    that these needed the field: 1.
    """
    width = int(system.max(initial=0)) + 1
    cases = np.bincount(system[other], minlength=width)
    filled = np.bincount(system[other[factor.codes[other] != UNRECORDED]], minlength=width)
    shares = np.where(cases > 0, filled / np.maximum(cases, 1), 1.0)
    return float(shares[system[rows]].mean())


def _is_told(factor: Factor, text: str) -> bool:
    """Whether one of its values stands in the text as a word of its own."""
    return any(
        re.search(rf"(?<!\w){re.escape(level.casefold())}(?!\w)", text) for level in factor.levels
    )
