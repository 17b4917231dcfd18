"""Every case with what was tried on it, one after the other, for other programs."""

from collections.abc import Iterator
from dataclasses import dataclass

from kbagent.model.case import Attempt, Case
from kbagent.store import cases, resolutions
from kbagent.store.knowledge_base import KnowledgeBase

_BLOCK = 500  # cases read at a time


@dataclass(frozen=True, slots=True)
class ExportedCase:
    """A case, its columns, and its attempts with their texts, in the order of trying."""

    case: Case
    facets: tuple[tuple[str, str], ...]
    attempts: tuple[tuple[Attempt, str], ...]


def exported_cases(kb: KnowledgeBase) -> Iterator[ExportedCase]:
    """All cases that are not withdrawn, by id, in one consistent state."""
    with kb.database.read() as connection:
        last = 0
        while True:
            ids = [
                row[0]
                for row in connection.execute(
                    "SELECT id FROM cases WHERE id > ? AND withdrawn_at IS NULL"
                    " ORDER BY id LIMIT ?",
                    (last, _BLOCK),
                )
            ]
            if not ids:
                return
            yield from _block(kb, ids)
            last = ids[-1]


def _block(kb: KnowledgeBase, ids: list[int]) -> Iterator[ExportedCase]:
    found = cases.by_ids(kb.connection, ids)
    facets = cases.facets_of(kb.connection, ids)
    attempts = resolutions.attempts_of(kb.connection, ids)
    texts = resolutions.by_ids(kb.connection, {one.resolution_id for one in attempts})
    tried: dict[int, list[tuple[Attempt, str]]] = {}
    for attempt in attempts:
        text = texts[attempt.resolution_id].text
        tried.setdefault(attempt.case_id, []).append((attempt, text))
    for case_id in ids:
        yield ExportedCase(found[case_id], facets[case_id], tuple(tried.get(case_id, [])))
