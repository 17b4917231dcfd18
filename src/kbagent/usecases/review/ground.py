"""What the kinds of items stand on: the stored cases and outcomes, read once for all of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kbagent.core.retrieval.versions import has_number
from kbagent.core.verification.signatures import stripped
from kbagent.model.case import Case, Verdict
from kbagent.store import cases, columns, resolutions
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.mine.columns import Columns, load_columns
from kbagent.usecases.report.hazards import Stopped, stated_versions, stopped
from kbagent.usecases.retrieve.details import issue_titles
from kbagent.usecases.reuse.boundaries import held_issues
from kbagent.usecases.review.items import Side

Cell = tuple[int, int]
"""An issue and an approach."""


@dataclass(frozen=True, slots=True)
class Told:
    """One outcome that counts: on which case, what, and when (as it is stored)."""

    entry: int
    case: int
    verdict: Verdict
    at: str


class Ground:
    """The knowledge base as the kinds see it; nothing is read before it is asked for."""

    def __init__(self, kb: KnowledgeBase) -> None:
        self.kb = kb
        self.connection = kb.connection

    @cached_property
    def columns(self) -> Columns:
        """Every case, in order of opening."""
        return load_columns(self.connection)

    @cached_property
    def sizes(self) -> Mapping[int, int]:
        """How many cases each issue has."""
        return Counter(self.columns.issue.tolist())

    @cached_property
    def frozen(self) -> frozenset[int]:
        """The issues that people froze: nothing about them is put."""
        return held_issues(self.connection)[1]

    @cached_property
    def cells(self) -> Mapping[Cell, tuple[Told, ...]]:
        """What came of each approach within each issue, in order of time."""
        found: defaultdict[Cell, list[Told]] = defaultdict(list)
        rows = list(columns.outcomes(self.connection))
        places = self.columns.places(np.array([row[1] for row in rows], dtype=np.int64))
        for place, (entry, case, approach, verdict, at) in zip(places.tolist(), rows, strict=True):
            if place >= 0 and self.columns.issue[place] >= 0:
                issue = int(self.columns.issue[place])
                found[issue, approach].append(Told(entry, case, Verdict(verdict), at))
        return {cell: tuple(some) for cell, some in found.items()}

    @cached_property
    def stopped(self) -> tuple[Stopped, ...]:
        """The fixes that stopped working."""
        return stopped(self.kb, self.columns)

    def issue(self, issue_id: int, note: str = "") -> Side:
        """An issue by its title, with its size."""
        count = self.sizes.get(issue_id, 0)
        told = f"{count} case{'s' if count != 1 else ''}" + (f" · {note}" if note else "")
        return Side(f"i{issue_id}", issue_titles(self.kb, [issue_id]).get(issue_id, ""), told)

    def case(self, case_id: int, note: str = "") -> Side:
        """A case by its title and the beginning of its text, with day and version."""
        case = cases.by_ids(self.connection, [case_id])[case_id]
        facts = [f"{case.opened_at:%Y-%m-%d}" if case.opened_at else "", *self._versions(case)]
        told = " · ".join(one for one in (*facts, note) if one)
        return Side(case.ref, f"{case.title}\n{case.body[:400]}".strip(), told)

    def fix(self, resolution_id: int, issues: Iterable[int] = (), note: str = "") -> Side:
        """A resolution by its text, with what came of it on these issues."""
        whole = resolutions.by_ids(self.connection, [resolution_id])[resolution_id].text
        text = stripped(whole) or whole
        told = [one for issue in issues for one in self.cells.get((issue, resolution_id), ())]
        figures = figures_of(told) if told else ""
        return Side(f"r{resolution_id}", text, " · ".join(one for one in (figures, note) if one))

    def version(self, case_id: int) -> str | None:
        """The version that a case states."""
        return self._stated.get(case_id)

    @cached_property
    def _stated(self) -> Mapping[int, str]:
        return stated_versions(self.connection)

    def _versions(self, case: Case) -> list[str]:
        stated = self.version(case.id)
        return [f"version {stated}"] if stated and has_number(stated) else []


def figures_of(told: Iterable[Told]) -> str:
    """What came of a fix, in words.

    >>> figures_of([])
    'never tried'
    """
    verdicts = Counter(one.verdict for one in told)
    tried = sum(verdicts.values())
    if not tried:
        return "never tried"
    partly = f", partly {verdicts[Verdict.PARTLY]}" if verdicts[Verdict.PARTLY] else ""
    return f"worked {verdicts[Verdict.WORKED]} of {tried}{partly}"
