"""OpenTelemetry: GenAI retrieval spans and evaluation events, as OTLP JSON lines.

Each line of `traces.jsonl` is one OTLP export request with a retrieval span, each line of
`logs.jsonl` one with a `gen_ai.evaluation.result` event below it (OTLP file exporter; semantic
conventions for generative AI, status: development).
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from kbagent.model.case import Verdict
from kbagent.model.outcome import REWARD, Outcome
from kbagent.usecases.learn.training.agent_lightning import hex_id
from kbagent.usecases.learn.training.rollouts import Rollout

SOURCE = "kbagent"
CLIENT = 3  # SPAN_KIND_CLIENT
INFO = 9  # SEVERITY_NUMBER_INFO


def span_rows(found: list[Rollout]) -> Iterator[dict[str, Any]]:
    """One retrieval span a lookup."""
    for one in found:
        documents = [
            {"id": f"r{showing.resolution_id}", "score": showing.score}
            for showing in one.shown
            if showing.resolution_id is not None
        ]
        attributes = {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.provider.name": SOURCE,
            "gen_ai.data_source.id": SOURCE,
            "gen_ai.retrieval.query.text": one.lookup.query,
            "gen_ai.retrieval.top_k": len(documents),
            "gen_ai.retrieval.documents": documents,
            "kbagent.policy.version": one.lookup.policy_version,
            "kbagent.confident": one.lookup.confident,
        }
        span = {
            "traceId": hex_id(one.lookup.handle, 16),
            "spanId": hex_id(f"{one.lookup.handle} 1", 8),
            "name": f"retrieval {SOURCE}",
            "kind": CLIENT,
            "startTimeUnixNano": _nanoseconds(one.lookup.at),
            "endTimeUnixNano": _nanoseconds(one.lookup.at),
            "attributes": _attributes(attributes),
        }
        yield {"resourceSpans": [{**_resource(), "scopeSpans": [{**_scope(), "spans": [span]}]}]}


def event_rows(found: list[Rollout]) -> Iterator[dict[str, Any]]:
    """One evaluation event for each outcome that stands."""
    for one in found:
        for outcome in one.outcomes:
            if outcome.id in one.standing and outcome.verdict is not Verdict.UNKNOWN:
                record = _record(one, outcome)
                scope = {**_scope(), "logRecords": [record]}
                yield {"resourceLogs": [{**_resource(), "scopeLogs": [scope]}]}


def _record(one: Rollout, outcome: Outcome) -> dict[str, Any]:
    attributes = {
        "gen_ai.evaluation.name": "resolution outcome",
        "gen_ai.evaluation.score.value": REWARD[outcome.verdict],
        "gen_ai.evaluation.score.label": str(outcome.verdict),
        "gen_ai.evaluation.explanation": outcome.note or "",
        "kbagent.resolution": f"r{outcome.resolution_id}",
        "kbagent.source": str(outcome.source),
    }
    return {
        "timeUnixNano": _nanoseconds(outcome.happened_at),
        "observedTimeUnixNano": _nanoseconds(outcome.recorded_at),
        "severityNumber": INFO,
        "eventName": "gen_ai.evaluation.result",
        "traceId": hex_id(one.lookup.handle, 16),
        "spanId": hex_id(f"{one.lookup.handle} 1", 8),
        "attributes": _attributes({k: v for k, v in attributes.items() if v != ""}),
    }


def _resource() -> dict[str, Any]:
    return {"resource": {"attributes": _attributes({"service.name": SOURCE})}}


def _scope() -> dict[str, Any]:
    return {"scope": {"name": SOURCE}}


def _nanoseconds(moment: datetime) -> str:
    """Whole microseconds since 1970 times 1,000, as OTLP's JSON writes 64-bit numbers."""
    return str(round(moment.timestamp() * 1e6) * 1000)


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _any(value)} for key, value in values.items()]


def _any(value: Any) -> dict[str, Any]:
    """A value as OTLP's AnyValue."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any(one) for one in value]}}
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": _attributes(value)}}
    return {"stringValue": str(value)}
