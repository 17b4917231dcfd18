"""Agent Lightning: rollouts and events as of its 1.0 schema, spans as of 0.3.

1.0 (`agentlightning.schemas`): Rollout {rollout_id, input, is_train, config, metadata, status} and
Event {event_type, rollout_id, attempt_id, timestamp, data}, with reward data {value, message,
source, reason}. 0.3 (`agentlightning.types.Span`, `agentlightning.semconv`): annotation spans with
`agentlightning.reward.0.name` and `.value`, the first reward being the primary one.

A lookup is one rollout with one attempt. Each entry of the ledger is an event; only those that
stand are rewards.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from kbagent.model.case import Verdict
from kbagent.model.outcome import REWARD, Outcome
from kbagent.usecases.learn.training.rollouts import Rollout

ATTEMPT = "0"  # Agent Lightning's own default
ANNOTATION = "agentlightning.annotation"


def rollout_rows(found: list[Rollout]) -> Iterator[dict[str, Any]]:
    """One 1.0 `Rollout` a lookup."""
    for one in found:
        begun = one.lookup.at.timestamp()
        last = max((entry.at.timestamp() for entry in one.entries), default=begun)
        yield {
            "rollout_id": one.lookup.handle,
            "input": {"query": one.lookup.query, "kind": one.lookup.kind},
            "is_train": True,
            "config": {"timeout_seconds": 3600},
            "metadata": {"policy": one.lookup.policy_version, "by": one.lookup.by},
            "status": {
                "state": "succeeded",
                "last_attempt_id": ATTEMPT,
                "version": 1,
                "created_at": begun,
                "updated_at": max(begun, last),
            },
        }


def event_rows(found: list[Rollout], texts: dict[int, str]) -> Iterator[dict[str, Any]]:
    """Every 1.0 `Event`, rollout by rollout in order of what happened."""
    for one in found:
        outcomes = {outcome.id: outcome for outcome in one.outcomes}
        for entry in one.entries:
            data = {"sequence": entry.sequence, "by": entry.by, **entry.data}
            if entry.type == "lookup":
                data |= {"query": one.lookup.query, "showings": _showings(one, texts)}
            yield _event(one, entry.type, entry.at.timestamp(), data)
            outcome = outcomes.get(entry.data.get("outcome", -1))
            if entry.type == "outcome" and outcome is not None and _counts(one, outcome):
                yield _event(one, "reward", entry.at.timestamp(), reward_of(outcome))


def reward_of(outcome: Outcome) -> dict[str, Any]:
    """The 1.0 `RewardData` of an outcome."""
    return {
        "value": REWARD[outcome.verdict],
        "message": outcome.note,
        "source": str(outcome.source),
        "reason": outcome.reason or str(outcome.verdict),
    }


def span_rows(found: list[Rollout]) -> Iterator[dict[str, Any]]:
    """0.3 spans: one retrieval a rollout, one annotation for each reward below it."""
    for one in found:
        root = _span(one, 1, "retrieval", one.lookup.at.timestamp(), None, _retrieval(one))
        yield root
        counted = [outcome for outcome in one.outcomes if _counts(one, outcome)]
        for number, outcome in enumerate(counted, start=2):
            yield _span(
                one,
                number,
                ANNOTATION,
                outcome.recorded_at.timestamp(),
                root["span_id"],
                _reward_attributes(outcome),
            )


def hex_id(text: str, size: int) -> str:
    """A trace (16 bytes) or span (8 bytes) id made of a name."""
    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()


def _counts(rollout: Rollout, outcome: Outcome) -> bool:
    return outcome.id in rollout.standing and outcome.verdict is not Verdict.UNKNOWN


def _event(one: Rollout, kind: str, timestamp: float, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "event_type": kind,
        "rollout_id": one.lookup.handle,
        "attempt_id": ATTEMPT,
        "timestamp": timestamp,
        "data": data,
    }


def _showings(one: Rollout, texts: dict[int, str]) -> list[dict[str, Any]]:
    return [
        {
            "place": showing.place,
            "rank": showing.rank,
            "resolution": f"r{showing.resolution_id}",
            "text": texts.get(showing.resolution_id),
            "score": showing.score,
            "propensity": showing.propensity,
            "explored": showing.explored,
            "alternatives": [list(pair) for pair in showing.alternatives],
        }
        for showing in one.shown
        if showing.resolution_id is not None
    ]


def _retrieval(one: Rollout) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.retrieval.query.text": one.lookup.query,
        "kbagent.policy.version": one.lookup.policy_version,
        "kbagent.shown": [f"r{s.resolution_id}" for s in one.shown if s.resolution_id is not None],
    }


def _reward_attributes(outcome: Outcome) -> dict[str, Any]:
    """The primary reward, then satisfaction where it is known."""
    attributes: dict[str, Any] = {
        "agentlightning.reward.0.name": "outcome",
        "agentlightning.reward.0.value": REWARD[outcome.verdict],
        "kbagent.resolution": f"r{outcome.resolution_id}",
    }
    if outcome.csat is not None:
        attributes["agentlightning.reward.1.name"] = "satisfaction"
        attributes["agentlightning.reward.1.value"] = outcome.csat
    return attributes


def _span(
    one: Rollout,
    number: int,
    name: str,
    at: float,
    parent: str | None,
    attributes: dict[str, Any],
) -> dict[str, Any]:
    return {
        "rollout_id": one.lookup.handle,
        "attempt_id": ATTEMPT,
        "sequence_id": number,
        "trace_id": hex_id(one.lookup.handle, 16),
        "span_id": hex_id(f"{one.lookup.handle} {number}", 8),
        "parent_id": parent,
        "name": name,
        "status": {"status_code": "OK", "description": None},
        "attributes": attributes,
        "events": [],
        "links": [],
        "start_time": at,
        "end_time": at,
        "context": None,
        "parent": None,
        "resource": {"attributes": {"service.name": "kbagent"}, "schema_url": ""},
    }
