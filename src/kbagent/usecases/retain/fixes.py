"""Fixes: their vectors, and which wordings of an issue's fixes count as one approach."""

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from kbagent.core.linking.resolutions import CONTRARY_WORDS, FixText, group_resolutions
from kbagent.core.text.tokens import identifiers, tokens
from kbagent.core.verification.signatures import stripped
from kbagent.model.case import Resolution
from kbagent.store import decisions, fixes, resolutions
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.resolutions import Grouping
from kbagent.usecases.reuse.boundaries import named_resolutions
from kbagent.usecases.revise.wordings import KEEP_APART

BATCH = 256  # fixes a transaction
SIMILAR = "similar"  # `grouped_by` of what this module decides; people's word is `human`
_WORD = re.compile(r"\w+")
MOST_WORDINGS = 1500  # of one issue that are compared with each other


def encode_fixes(kb: KnowledgeBase, encoder: Encoder, model_id: int) -> int:
    """Give every fix with a known outcome its vector; how many were encoded."""
    done = 0
    while waiting := fixes.without_vector(kb.connection, model_id, BATCH):
        vectors = encoder.encode([stripped(text) or text for _, text in waiting])
        with kb.database.write() as connection:
            fixes.insert(connection, model_id, [one for one, _ in waiting], vectors)
        done += len(waiting)
    return done


def group_fixes(kb: KnowledgeBase, model_id: int, issue_ids: Iterable[int]) -> int:
    """Let wordings that say the same fix within an issue count as one; how many joined another.

    What people grouped or took apart is never touched, nor what one of their rules names: a
    prohibition would spread to another fix, or a pinned fix be shown under another's words.
    """
    joined, settled = 0, named_resolutions(kb.connection)
    for issue_id in sorted(set(issue_ids)):
        known = _fixes_of(kb.connection, issue_id)
        if 1 < len(known) <= MOST_WORDINGS:
            joined += _group(kb, model_id, known, settled=settled)
    return joined


def _fixes_of(connection: sqlite3.Connection, issue_id: int) -> list[Resolution]:
    rows = connection.execute(
        """SELECT DISTINCT resolution_id FROM memberships
        JOIN attempts ON attempts.case_id = memberships.case_id
        WHERE issue_id = ? AND verdict != 'unknown' AND retired_at IS NULL""",
        (issue_id,),
    )
    found = resolutions.by_ids(connection, [row[0] for row in rows])
    return sorted(found.values(), key=lambda one: (one.text, one.id))


def _group(
    kb: KnowledgeBase, model_id: int, known: Sequence[Resolution], *, settled: frozenset[int]
) -> int:
    vectors = fixes.vectors(kb.connection, model_id, [one.id for one in known])
    known = [one for one in known if one.id in vectors]
    before = {
        one.resolution_id: one
        for one in resolutions.groupings(kb.connection, [one.id for one in known])
    }
    free = [
        one
        for one in known
        if before[one.id].grouped_by != "human" and not settled & {one.id, one.canonical_id}
    ]
    if len(free) < 2:
        return 0
    roots = group_resolutions(
        fixes.unit(np.stack([vectors[one.id] for one in free])),
        [compared(one) for one in free],
        same=_already_one(free),
        apart=_kept_apart(kb.connection, free),
    )
    families: dict[int, list[int]] = defaultdict(list)
    for one, root in zip(free, roots.tolist(), strict=True):
        families[root].append(one.id)
    joined = 0
    for members in families.values():
        heads = [before[member].canonical_id for member in members]
        head = min(heads)
        for member in members:
            if before[member].canonical_id != head:
                resolutions.regroup(kb.connection, Grouping(member, head, SIMILAR))
                joined += 1
        for former in set(heads) & set(members) - {head}:
            _take_along(kb, former, head)
    return joined


def _take_along(kb: KnowledgeBase, former: int, head: int) -> None:
    """The other wordings of an approach that now counts as another go with it."""
    wordings = resolutions.wordings(kb.connection, former)
    for one in resolutions.groupings(kb.connection, [wording.id for wording in wordings]):
        grouped_by = one.grouped_by or SIMILAR
        resolutions.regroup(kb.connection, Grouping(one.resolution_id, head, grouped_by))


def _already_one(free: Sequence[Resolution]) -> list[tuple[int, int]]:
    """Pairs of rows that count as one approach by now; automatic groups only grow."""
    first: dict[int, int] = {}
    pairs = []
    for row, one in enumerate(free):
        if one.canonical_id in first:
            pairs.append((first[one.canonical_id], row))
        else:
            first[one.canonical_id] = row
    return pairs


def _kept_apart(
    connection: sqlite3.Connection, free: Sequence[Resolution]
) -> list[tuple[int, int]]:
    """Pairs of rows of approaches that people said are two."""
    rows: dict[int, list[int]] = defaultdict(list)
    for row, one in enumerate(free):
        rows[one.canonical_id].append(row)
    return [
        (row, other)
        for low, high in kept_apart(connection)
        for row in rows[low]
        for other in rows[high]
    ]


def kept_apart(connection: sqlite3.Connection) -> set[tuple[int, int]]:
    """Pairs of approaches that people said are two, lower first, as they are grouped now."""
    told = [
        (one.resolution_id, int(one.data["other"]))
        for one in decisions.standing(connection, KEEP_APART)
        if one.resolution_id is not None
    ]
    known = resolutions.by_ids(connection, {fix for pair in told for fix in pair})
    heads = [
        sorted((known[one].canonical_id, known[other].canonical_id))
        for one, other in told
        if one in known and other in known
    ]
    return {(low, high) for low, high in heads if low != high}


def compared(one: Resolution) -> FixText:
    """What is compared of a resolution: its words, identifiers and code, without a signature."""
    text = stripped(one.text) or one.text
    contrary = CONTRARY_WORDS.intersection(_WORD.findall(text.lower()))
    stems = {stem for word in contrary for stem in tokens(word)}
    words = frozenset(tokens(text)) - stems | contrary
    return FixText(words, frozenset(identifiers(text)), one.code)
