"""What `worked 1`, `worked k3fp 2` and `worked r17` speak of."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kbagent.errors import UnknownHandle, UsageError
from kbagent.store import lookups, resolutions, runs, spool
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.lookups import Lookup, Showing

_RESOLUTION = re.compile(r"r(\d{1,18})", flags=re.ASCII | re.IGNORECASE)
_RANK = re.compile(r"\d{1,6}", flags=re.ASCII)
ANSWERED = "answer"  # how a run of `solve` ends that shows a resolution
_LOOKUP_HINT = "`kbagent feedback pending` lists the lookups that wait for an outcome."


@dataclass(frozen=True, slots=True)
class Target:
    """The resolution that is spoken of, the lookup that showed it, and the place it had there."""

    resolution_id: int
    text: str
    case_id: int
    lookup: Lookup | None
    showing: Showing | None


def target_of(kb: KnowledgeBase, words: Sequence[str]) -> Target:
    """The target named by one or two words: [LOOKUP] RANK_OR_ID.

    Raises:
        UnknownHandle: there is no such lookup, rank or resolution.
        UsageError: too few or too many words, or the number of what a run did not show.
    """
    if not 1 <= len(words) <= 2:
        raise UsageError(
            what="Name the resolution: `kbagent worked 1`, `kbagent worked LOOKUP 2` or"
            " `kbagent worked r17`."
        )
    spool.absorb(kb.database, kb.folder)
    told = len(words) == 2
    lookup = _lookup(kb, words[0] if told else None)
    named = words[-1]
    if _RESOLUTION.fullmatch(named):
        return _by_id(kb, int(named[1:]), lookup, told=told)
    if not _RANK.fullmatch(named):
        raise UnknownHandle(
            handle=named, hint="Give the number of a resolution as `kbagent search` showed it."
        )
    if lookup is None:
        raise UnknownHandle(handle=named, hint="Nothing was looked up yet: `kbagent search TEXT`.")
    return _by_rank(kb, lookup, int(named))


def resolution_number(handle: str) -> int | None:
    """17 for `r17`, None for anything else."""
    match = _RESOLUTION.fullmatch(handle.strip())
    return int(match[1]) if match else None


def _lookup(kb: KnowledgeBase, handle: str | None) -> Lookup | None:
    if handle is None:
        return lookups.last(kb.connection)
    found = lookups.by_handle(kb.connection, handle)
    if found is None:
        raise UnknownHandle(handle=handle, hint=_LOOKUP_HINT)
    return found


def _by_rank(kb: KnowledgeBase, lookup: Lookup, rank: int) -> Target:
    run = runs.of_lookup(kb.connection, lookup.id)
    if run is not None and (run.ending != ANSWERED or rank != 1):
        seen = "one resolution, [1]" if run.ending == ANSWERED else "no resolution"
        raise UsageError(
            what=f"Run {lookup.handle} showed {seen}. Name another by its id, with the case it"
            f" was tried on: {lookup.handle} r17 --case CASE."
        )
    shown = lookups.showings(kb.connection, lookup.id)
    for showing in shown:
        if showing.rank == rank and showing.resolution_id is not None:
            text = resolutions.by_ids(kb.connection, [showing.resolution_id])
            return Target(
                showing.resolution_id,
                text[showing.resolution_id].text,
                showing.case_id,
                lookup,
                showing,
            )
    ranks = sum(showing.rank is not None for showing in shown)
    hint = (
        f"Lookup {lookup.handle} showed resolutions 1 to {ranks}."
        if ranks
        else f"Lookup {lookup.handle} showed no resolution."
    )
    raise UnknownHandle(handle=str(rank), hint=hint)


def _by_id(kb: KnowledgeBase, resolution_id: int, lookup: Lookup | None, *, told: bool) -> Target:
    """A resolution by its id; what the lookup showed of it, or else its latest case.

    A lookup that was `told` is spoken of even where it did not show this resolution; the last one
    is not.
    """
    found = resolutions.by_ids(kb.connection, [resolution_id]).get(resolution_id)
    if found is None:
        raise UnknownHandle(handle=f"r{resolution_id}", hint="No resolution has this id.")
    shown = lookups.showings(kb.connection, lookup.id) if lookup else []
    for showing in shown:
        if showing.resolution_id in (resolution_id, found.canonical_id):
            return Target(resolution_id, found.text, showing.case_id, lookup, showing)
    case_id = resolutions.latest_case(kb.connection, resolution_id)
    if case_id is None:
        raise UnknownHandle(
            handle=f"r{resolution_id}", hint="It was tried on no case; name one with --case."
        )
    return Target(resolution_id, found.text, case_id, lookup if told else None, None)
