"""The log of lookups: every candidate, its score, the order shown, and each place's propensity.

What was asked is kept as texts of cases are: without personal data and secrets.
"""

import hashlib
import re
import secrets
from dataclasses import asdict, replace

import numpy as np

from kbagent.errors import Locked
from kbagent.model.lookup import LookupResult, Request
from kbagent.store import ledger, lookups, models, spool
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.lookups import Showing
from kbagent.usecases.retrieve.matching import Matches

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that are mistaken for another
_HANDLE_LENGTH = 4  # 700,000 handles; grows when they run out
_TRIES = 20
_CANDIDATES_LOGGED = 50
PATIENCE = 0.5  # seconds a search waits for the write lock before it answers without it
_MAY_BE_PERSONAL = re.compile(
    r"(?i)@|\d(?:[ ()./-]{0,2}\d){6}|pass|pwd|kennwort|contrase|key|token|secret|bearer"
    r"|authorization|://|\S{16}"
)
"""What any text has from which something would be taken out; most queries have none of it, and
need not load what looks closer (15 ms)."""


def new_handle(kb: KnowledgeBase) -> str:
    """A short free name for a lookup, easy to type and never a number or a word of the CLI."""
    length = _HANDLE_LENGTH
    while True:
        for _ in range(_TRIES):
            handle = secrets.choice(_LETTERS[:23]) + "".join(
                secrets.choice(_LETTERS) for _ in range(length - 1)
            )
            taken = lookups.handle_taken(kb.connection, handle)
            if not taken and not spool.holds(kb.folder, handle):
                return handle
        length += 1


def rng_of(request: Request, learned: int, policy_version: int) -> "np.random.Generator":
    """Randomness that is a function of what is asked, of what is known, and of the policy.

    `learned` is the ledger's last entry that counts: the same lookup explores the same way until
    something is learned. What only cuts the answer, or looks back at an earlier day, changes
    nothing.
    """
    asked = replace(request, as_of=None, policy=None, limit=0, offset=0, everything=False)
    text = f"{learned} {policy_version} {request_text(asked)}"
    seed = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8)
    return np.random.default_rng(int.from_bytes(seed.digest(), "big"))


def logged_text(text: str) -> str:
    """A text as it is logged: redacted like the text of a case.

    >>> logged_text("login fails for ann@example.org"), logged_text("error 0x80070035")
    ('login fails for [email]', 'error 0x80070035')
    """
    if _MAY_BE_PERSONAL.search(text) is None:
        return text
    from kbagent.core.text.redaction import redact

    return redact(text).text


def as_logged(request: Request) -> Request:
    """A request with its query as it is logged."""
    return replace(request, query=logged_text(request.query))


def request_text(request: Request) -> str:
    """A request as it is logged."""
    values = asdict(request)
    values["filters"] = [str(condition) for condition in request.filters]
    for name in ("since", "until", "as_of"):
        moment = values[name]
        values[name] = moment.isoformat() if moment else None
    return lookups.as_json(values)


def log_lookup(
    kb: KnowledgeBase,
    result: LookupResult,
    found: Matches,
    *,
    by: str | None,
    kind: str,
    timeout: float | None = None,
) -> int:
    """Store a lookup with all that it showed; its id. Those that wait are taken in before it.

    Raises:
        Locked: another process keeps the write lock for longer than `timeout` seconds.
    """
    entry = _entry(kb, result, found, by, kind)
    model = models.active(kb.connection)
    before = kb.connection.total_changes
    spool.absorb(kb.database, kb.folder, timeout=timeout)
    with kb.database.write(timeout=timeout) as connection:
        lookup_id = lookups.add(
            connection,
            entry,
            showings_of(result),
            model_id=model.id if model else None,
            generation=found.generation,
        )
        shown = {"shown": len(result.issues)}
        ledger.record_event(connection, lookup_id, "lookup", entry.at, by, shown)
    kb.memory.discount(kb.connection.total_changes - before)
    return lookup_id


def log_without_waiting(
    kb: KnowledgeBase, result: LookupResult, found: Matches, *, by: str | None, kind: str
) -> None:
    """Store a lookup, or leave it for the next writer when the write lock is not soon free.

    Raises:
        UnreadableFile: the folder cannot be written.
    """
    try:
        log_lookup(kb, result, found, by=by, kind=kind, timeout=PATIENCE)
    except Locked:
        model = models.active(kb.connection)
        spool.put(
            kb.folder,
            _entry(kb, result, found, by, kind),
            showings_of(result),
            shown=len(result.issues),
            model_id=model.id if model else None,
            generation=found.generation,
        )


def _entry(
    kb: KnowledgeBase, result: LookupResult, found: Matches, by: str | None, kind: str
) -> lookups.Lookup:
    return lookups.Lookup(
        id=0,
        handle=result.handle,
        kind=kind,
        at=kb.clock(),
        query=logged_text(result.request.query),
        request=request_text(as_logged(result.request)),
        policy_version=result.policy_version,
        confident=result.confident,
        confidence=result.issues[0].confidence if result.issues else None,
        hidden=result.hidden,
        by=by,
        candidates=_candidates(found),
    )


def showings_of(result: LookupResult) -> list[Showing]:
    """What was shown, place by place: each resolution, and issues of which none is known."""
    shown: list[Showing] = []
    for issue in result.issues:
        nearest = max(issue.instances, key=lambda one: (one.similarity, -one.case_id), default=None)
        similarity = nearest.similarity if nearest else 0.0
        if not issue.resolutions:
            case_id = nearest.case_id if nearest else 0
            shown.append(
                Showing(
                    place=len(shown) + 1,
                    rank=None,
                    issue_id=issue.issue_id,
                    case_id=case_id,
                    resolution_id=None,
                    score=issue.score,
                    similarity=similarity,
                    confidence=issue.confidence,
                    propensity=None,
                )
            )
        above = len(shown)
        shown.extend(
            Showing(
                place=above + number,
                rank=resolution.rank,
                issue_id=issue.issue_id,
                case_id=resolution.source_case,
                resolution_id=resolution.resolution_id,
                score=resolution.score,
                similarity=similarity,
                confidence=issue.confidence,
                propensity=resolution.propensity,
                explored=resolution.explored,
                alternatives=resolution.alternatives,
            )
            for number, resolution in enumerate(issue.resolutions, start=1)
        )
    return shown


def _candidates(found: Matches) -> str:
    return lookups.as_json(
        {
            "considered": len(found.terms),
            "best": [
                [terms.case_id, terms.similarity, terms.lexical, terms.exact]
                for terms in found.terms[:_CANDIDATES_LOGGED]
            ],
        }
    )
