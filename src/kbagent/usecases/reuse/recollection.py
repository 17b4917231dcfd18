"""What a process knows of issues it met before: their members and the experience with them.

Gives what `evidence.experience` gives for the same issues now, put together from one piece for
each issue, of which only those that are not remembered are read (`store.memory`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from kbagent.model.case import Verdict
from kbagent.model.evidence import Pool, Tally
from kbagent.store import issues, resolutions
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.reuse.evidence import Experience, experience


def issue_members(
    kb: KnowledgeBase, candidates: Mapping[int, Sequence[int]]
) -> dict[int, list[int]]:
    """The cases of each issue; of a negative one, an unplaced case, those that are given."""
    known: dict[int, list[int]] = kb.memory.of("members")
    missing = [one for one in candidates if one > 0 and one not in known]
    if missing:
        known.update(issues.members_of_each(kb.connection, missing))
    return {
        issue_id: known[issue_id] if issue_id > 0 else list(given)
        for issue_id, given in candidates.items()
    }


def recalled(
    kb: KnowledgeBase,
    members: Mapping[int, Sequence[int]],
    *,
    strength: float | None = None,
    weights: Mapping[str, float] | None = None,
) -> Experience:
    """The experience with these issues, as it is now."""
    known: dict[int, Experience] = kb.memory.of(f"experience {sorted((weights or {}).items())}")
    missing = [one for one in members if one not in known]
    if missing:
        owner = {case: issue for issue in missing for case in members[issue]}
        whole = experience(kb.connection, owner, weights=weights, pooled=False)
        known.update(_apart(whole, missing))
    parts = [known[one] for one in members]
    texts = {key: text for part in parts for key, text in part.texts.items()}
    return Experience(
        trials={key: some for part in parts for key, some in part.trials.items()},
        attempts={key: some for part in parts for key, some in part.attempts.items()},
        told={key: verdict for part in parts for key, verdict in part.told.items()},
        texts=texts,
        pool=_pool(kb, list(texts), strength),
        unknown={key: number for part in parts for key, number in part.unknown.items()},
    )


def _apart(whole: Experience, issue_ids: Sequence[int]) -> dict[int, Experience]:
    """The experience with each issue by itself, without the pool, which is of all."""
    told: dict[int, dict[tuple[int, int], Verdict]] = defaultdict(dict)
    unknown: dict[int, dict[tuple[int, int], int]] = defaultdict(dict)
    for (issue_id, approach), verdict in whole.told.items():
        told[issue_id][issue_id, approach] = verdict
    for (issue_id, approach), number in whole.unknown.items():
        unknown[issue_id][issue_id, approach] = number
    parts = {}
    for one in issue_ids:
        attempts = whole.attempts.get(one, ())
        trials = whole.trials.get(one, ())
        used = {a.resolution_id for a in attempts} | {t.resolution_id for t in trials}
        parts[one] = Experience(
            trials={one: trials} if trials else {},
            attempts={one: attempts} if attempts else {},
            told=told[one],
            texts={key: whole.texts[key] for key in used},
            pool=Pool(),
            unknown=unknown[one],
        )
    return parts


def _pool(kb: KnowledgeBase, canonical_ids: Sequence[int], strength: float | None) -> Pool:
    """How these approaches do everywhere; those never reported on are left out."""
    known: dict[int, Tally | None] = kb.memory.of("tallies")
    missing = [one for one in canonical_ids if one not in known]
    if missing:
        known.update(dict.fromkeys(missing))
        found = resolutions.tallies(kb.connection, missing)
        known.update((key, Tally(one.tried, one.reward)) for key, one in found.items())
    totals: dict[str, Tally] = kb.memory.of("total")
    if "total" not in totals:
        total = resolutions.total(kb.connection)
        totals["total"] = Tally(total.tried, total.reward)
    own = ((one, known[one]) for one in canonical_ids)
    pool = Pool(totals["total"], {key: tally for key, tally in own if tally is not None})
    return pool if strength is None else replace(pool, strength=strength)
