"""A search: from a request to issues with their instances, resolutions and evidence.

The order of things: narrow (filters), match (lexical and dense, fused), group by issue, expand
each issue to all its instances, weigh the resolutions by evidence, cut, and log the lookup. What
decides is in the core; here it is put together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kbagent.errors import Locked, UnknownHandle, UnreadableFile
from kbagent.model.lookup import IssueHit, LookupResult, Request
from kbagent.model.policy import Policy
from kbagent.store import ledger, policies, settings
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.retrieve.gathering import Gathered, Sight, gather
from kbagent.usecases.retrieve.hits import hits_of, ranked
from kbagent.usecases.retrieve.lookup_log import log_without_waiting, new_handle, rng_of
from kbagent.usecases.retrieve.matching import Matches, match
from kbagent.usecases.retrieve.scope import scope_of
from kbagent.usecases.retrieve.stopwatch import Stopwatch
from kbagent.usecases.reuse.evidence import Experience

if TYPE_CHECKING:
    from kbagent.usecases.learn.confidence import Certain


def search(
    kb: KnowledgeBase,
    encoder: Encoder,
    request: Request,
    *,
    by: str | None = None,
    log: bool = True,
    kind: str = "search",
) -> LookupResult:
    """What is known of the problem in `request.query`; the lookup is logged unless told not to.

    Raises:
        BadFilter: a filter names a column that no case has.
        UnknownHandle: the request names a policy that does not exist.
    """
    watch = Stopwatch()
    sighting = look(kb, encoder, request, watch)
    result, found = sighting.result, sighting.found
    if log:
        result = _logged(kb, result, found, by=by, kind=kind)
    watch.lap("log")
    return _timed(result, watch)


@dataclass(frozen=True, slots=True)
class Sighting:
    """An answer that is not logged yet (no handle), with what it was made from.

    `members` has the cases of each issue that was looked into, `known` what was tried on them.
    """

    result: LookupResult
    found: Matches
    policy: Policy
    members: Mapping[int, Sequence[int]]
    known: Experience | None


def look(kb: KnowledgeBase, encoder: Encoder, request: Request, watch: Stopwatch) -> Sighting:
    """What `search` finds, without logging it.

    Raises:
        BadFilter: a filter names a column that no case has.
        UnknownHandle: the request names a policy that does not exist.
    """
    settled = not kb.connection.in_transaction
    with kb.database.read():
        kb.memory.refresh(kb.connection, settled=settled)
        scope = scope_of(kb.connection, request)
        watch.lap("filter")
        policy = policy_of(kb, request)
        sight = Sight(kb, request, policy, _rng(kb, request, policy), scope)
        found = match(kb, encoder, request, scope, sight.parameters, watch)
        gathered = gather(sight, found)
        watch.lap("evidence")
        hits = hits_of(sight, gathered, found)
        watch.lap("rank")
    shown = hits[request.offset : request.offset + request.limit]
    result = LookupResult(
        handle="",
        request=request,
        confident=bool(hits) and _is_confident(sight, gathered, found, hits[0]),
        hidden=max(0, len(gathered.groups) - request.offset - len(shown)),
        issues=ranked(shown),
        policy_version=sight.policy.version,
        notes=(*_scope_notes(scope.emptied_by), *_look_back_notes(sight), *found.notes),
    )
    return Sighting(result, found, policy, gathered.members, gathered.known)


def _rng(kb: KnowledgeBase, request: Request, policy: Policy) -> "np.random.Generator | None":
    """What exploration draws from; None where nothing is explored."""
    if not policy.parameters.exploration:
        return None
    learned = ledger.last_recorded(kb.connection, as_of=request.as_of)
    return rng_of(request, learned, policy.version)


def _is_confident(sight: Sight, gathered: Gathered, found: Matches, first: IssueHit) -> bool:
    """Whether the first issue may be called known: by what was learned here, else by the policy.

    Where it was learned, the nearest cases vote, and their winner must be the first issue.
    """
    learned = _certainty(sight)
    if learned is None or not learned.learned:
        return first.confidence >= sight.parameters.confident_at
    from kbagent.usecases.retrieve.votes import vote  # needs what verification needs

    owner = {one.case_id: group.issue_id for group in gathered.groups for one in group.members}
    votes = vote(found.terms, owner, learned.relatives)
    if votes is None or votes.winner.issue != first.issue_id:
        return False
    return learned.confidence(votes) >= learned.threshold


def _certainty(sight: Sight) -> "Certain | None":
    """What was learned of confidences by the time looked at; None where nothing ever was."""
    kb, as_of = sight.kb, sight.as_of
    if settings.get(kb.connection, settings.CONFIDENCE) is None:
        return None
    from kbagent.usecases.learn.confidence import certain_of  # imports what learning needs

    if as_of is not None:
        return certain_of(kb, as_of=as_of)
    return kb.memory.one("certainty", lambda: certain_of(kb))


def _logged(
    kb: KnowledgeBase, result: LookupResult, found: Matches, *, by: str | None, kind: str
) -> LookupResult:
    """The answer with its handle; without one where it cannot be written, and a note why."""
    named = replace(result, handle=new_handle(kb))
    try:
        log_without_waiting(kb, named, found, by=by, kind=kind)
    except (Locked, UnreadableFile) as error:
        note = f"this lookup was not kept, so `worked` cannot speak of it: {error}"
        return replace(result, notes=(*result.notes, note))
    return named


def policy_of(kb: KnowledgeBase, request: Request) -> Policy:
    """The policy a request is ranked by: the one it names, else the one in force at its time."""
    if request.policy is None and request.as_of is None:
        return kb.memory.one("live policy", lambda: policies.live(kb.connection))
    if request.policy is None:
        return policies.live(kb.connection, request.as_of)
    policy = policies.by_version(kb.connection, request.policy)
    if policy is None:
        raise UnknownHandle(
            handle=f"policy {request.policy}", hint="`kbagent policy list` names them."
        )
    return policy


def _look_back_notes(sight: Sight) -> tuple[str, ...]:
    """What of a look back is not as it was then."""
    if sight.as_of is None:
        return ()
    from kbagent.usecases.learn.confidence import is_known_at

    if is_known_at(sight.kb, sight.as_of):
        return ()
    return ("whether it is known is judged by today's confidence: that of then was not kept",)


def _scope_notes(emptied_by: str | None) -> tuple[str, ...]:
    if emptied_by is None:
        return ()
    return (f"no case is left after the condition {emptied_by}",)


def _timed(result: LookupResult, watch: Stopwatch) -> LookupResult:
    return replace(result, timings=tuple(watch.phases))
