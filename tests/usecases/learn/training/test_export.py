"""Training data in the formats of others, read back as they would."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kbagent.model.case import Verdict
from kbagent.model.feedback import Remark
from kbagent.model.lookup import Request
from kbagent.store import policies
from kbagent.usecases.learn.training.export import Exported, TrainingFormat, export_training
from kbagent.usecases.retrieve.search import search
from kbagent.usecases.revise.outcomes import give, undo
from tests.usecases.learn.conftest import START, Desk

QUERY = "label printer prints: blank | labels"
WAYS = ("restart the spooler", "switch to the raster path", "change: the | print head")


def _busy(desk: Desk, lookups: int = 12) -> None:
    """Lookups while exploring, each with an outcome; one of them taken back."""
    desk.case("A", QUERY, *((way, Verdict.UNKNOWN) for way in WAYS))
    desk.case("B", "the office printer eats paper", ("clean the rollers", Verdict.WORKED))
    parameters = replace(
        policies.live(desk.kb.connection).parameters, exploration=True, exploration_reach=3.0
    )
    with desk.kb.database.write() as connection:
        version = policies.add(connection, "exploring", parameters, desk.clock())
        policies.make_live(connection, version, "set", desk.clock())
    rng = np.random.default_rng(2)
    for number in range(lookups):
        desk.clock.turn(minutes=10)
        found = search(desk.kb, desk.encoder, Request(query=QUERY, limit=1))
        verdict = Verdict.WORKED if rng.random() < 0.6 else Verdict.FAILED
        remark = Remark(by=f"p{number}", note="as told", csat=0.5)
        given = give(desk.kb, verdict, [found.handle, "1"], remark)
        if number == 3:
            undo(desk.kb, given.outcome_id)


def _export(desk: Desk, folder: Path, form: TrainingFormat, **options: Any) -> Exported:
    done = export_training(desk.kb, form, folder / form, **options)
    manifest = json.loads((folder / form / "manifest.json").read_text())
    assert manifest["rows"] == done.rows
    assert manifest["policies"] == list(done.policies)
    return done


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_agent_lightning_has_the_whole_rollout_in_order(desk: Desk, tmp_path: Path) -> None:
    _busy(desk)
    done = _export(desk, tmp_path, TrainingFormat.AGENT_LIGHTNING)
    assert (done.lookups, done.policies) == (12, (2,))
    folder = done.folder
    rollouts, events = _rows(folder / "rollouts.jsonl"), _rows(folder / "events.jsonl")
    assert len({one["rollout_id"] for one in rollouts}) == 12
    for one in events:
        assert set(one) == {"event_type", "rollout_id", "attempt_id", "timestamp", "data"}
        assert isinstance(one["timestamp"], float)
    for one in rollouts:
        assert set(one) == {"rollout_id", "input", "is_train", "config", "metadata", "status"}
        mine = [event for event in events if event["rollout_id"] == one["rollout_id"]]
        assert mine[0]["event_type"] == "lookup"
        numbers = [e["data"]["sequence"] for e in mine if e["event_type"] != "reward"]
        assert numbers == sorted(numbers)
    rewards = [one["data"] for one in events if one["event_type"] == "reward"]
    assert len(rewards) == 11  # one was taken back; its outcome and the undo are still told
    assert all(set(one) == {"value", "message", "source", "reason"} for one in rewards)
    assert sum(one["event_type"] == "outcome" for one in events) == 12
    assert sum(one["event_type"] == "undo" for one in events) == 1
    spans = _rows(folder / "spans.jsonl")
    annotations = [one for one in spans if one["name"] == "agentlightning.annotation"]
    assert len(annotations) == 11
    for one in annotations:
        assert one["attributes"]["agentlightning.reward.0.name"] == "outcome"
        assert one["attributes"]["agentlightning.reward.0.value"] in (0.0, 1.0)
        assert len(one["trace_id"]) == 32
        assert len(one["span_id"]) == 16
        assert one["parent_id"] in {other["span_id"] for other in spans}


def test_vowpal_wabbit_reads_it_back(desk: Desk, tmp_path: Path) -> None:
    vw = pytest.importorskip("vowpalwabbit")
    _busy(desk)
    done = _export(desk, tmp_path, TrainingFormat.VW)
    text = (done.folder / "train.dat").read_text()
    blocks = [block.split("\n") for block in text.strip().split("\n\n")]
    assert len(blocks) == done.rows["train.dat"] == 11
    workspace = vw.Workspace("--cb_explore_adf --quiet")
    for block in blocks:
        examples = workspace.parse(block, vw.LabelType.CONTEXTUAL_BANDIT)
        costs = [
            (label.cost, label.probability)
            for example in examples
            for label in vw.CBLabel.from_example(example).costs
            if 0.0 < label.probability <= 1.0
        ]
        written = [line for line in block[1:] if line[0].isdigit()]
        assert len(costs) == len(written) == 1
        _action, cost, probability = written[0].split(" ")[0].split(":")
        assert costs[0] == pytest.approx((float(cost), float(probability)))
        workspace.learn(examples)
        shares = workspace.predict(block)
        assert len(shares) == len(block) - 1  # one for each alternative
        assert sum(shares) == pytest.approx(1.0, abs=1e-4)
        workspace.finish_example(examples)
    workspace.finish()


def test_open_bandit_pipeline_gets_its_arrays(desk: Desk, tmp_path: Path) -> None:
    _busy(desk)
    done = _export(desk, tmp_path, TrainingFormat.OBP)
    with np.load(done.folder / "bandit_feedback.npz") as file:
        feedback = dict(file)
    count, actions = int(feedback["n_rounds"]), int(feedback["n_actions"])
    assert count == 11
    assert feedback["context"].shape == (count, 64)
    for name in ("action", "position", "reward", "pscore"):
        assert feedback[name].shape == (count,)
    assert set(feedback["action"].tolist()) <= set(range(actions))
    assert ((feedback["pscore"] > 0) & (feedback["pscore"] <= 1)).all()
    assert set(feedback["reward"].tolist()) <= {0.0, 0.5, 1.0}
    assert (feedback["position"] == 0).all()


def test_preferences_pair_only_what_was_tried_on_one_issue(desk: Desk, tmp_path: Path) -> None:
    worked, failed = Verdict.WORKED, Verdict.FAILED
    desk.case("A", "blank labels", ("good", worked), ("bad", failed))
    desk.case("B", "blank labels too", ("good", worked), same_as="A")
    desk.case("C", "other trouble entirely", ("elsewhere", failed), ("fine", worked))
    rows = _rows(_export(desk, tmp_path, TrainingFormat.DPO).folder / "train.jsonl")
    assert {(r["prompt"], r["chosen"], r["rejected"]) for r in rows} == {
        ("blank labels", "good", "bad"),
        ("blank labels too", "good", "bad"),
        ("other trouble entirely", "fine", "elsewhere"),
    }
    rows = _rows(_export(desk, tmp_path, TrainingFormat.KTO).folder / "train.jsonl")
    assert len(rows) == 5
    assert all(isinstance(one["label"], bool) for one in rows)
    assert sum(one["label"] for one in rows) == 3


def test_triplets_come_from_links_alone(desk: Desk, tmp_path: Path) -> None:
    desk.case("A", "blank labels")
    desk.case("B", "labels stay white", same_as="A")
    desk.case("C", "paper jam in tray two")
    desk.case("D", "tray two jams again", same_as="C")
    desk.case("E", "blank labels")  # alike, but nobody said so
    rows = _rows(_export(desk, tmp_path, TrainingFormat.TRIPLETS).folder / "train.jsonl")
    assert {(one["anchor"], one["positive"]) for one in rows} == {
        ("blank labels", "labels stay white"),
        ("labels stay white", "blank labels"),
        ("paper jam in tray two", "tray two jams again"),
        ("tray two jams again", "paper jam in tray two"),
    }
    for one in rows:
        assert ("tray" in one["anchor"]) != ("tray" in one["negative"])


def test_opentelemetry_lines_are_otlp(desk: Desk, tmp_path: Path) -> None:
    _busy(desk, lookups=5)
    folder = _export(desk, tmp_path, TrainingFormat.OTEL).folder
    spans = [
        one["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
        for one in _rows(folder / "traces.jsonl")
    ]
    assert len(spans) == 5
    attributes = {one["key"]: one["value"] for one in spans[0]["attributes"]}
    assert attributes["gen_ai.operation.name"] == {"stringValue": "retrieval"}
    assert attributes["gen_ai.retrieval.query.text"] == {"stringValue": QUERY}
    document = attributes["gen_ai.retrieval.documents"]["arrayValue"]["values"][0]
    assert {one["key"] for one in document["kvlistValue"]["values"]} == {"id", "score"}
    records = [
        one["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
        for one in _rows(folder / "logs.jsonl")
    ]
    assert len(records) == 4
    assert {one["eventName"] for one in records} == {"gen_ai.evaluation.result"}
    assert {one["traceId"] for one in records} <= {one["traceId"] for one in spans}
    assert all(one["startTimeUnixNano"].isdigit() for one in spans)


@pytest.mark.parametrize("form", list(TrainingFormat))
def test_withdrawn_cases_are_left_out(desk: Desk, tmp_path: Path, form: TrainingFormat) -> None:
    _busy(desk, lookups=4)
    desk.case("S", "a secret matter", ("hush", Verdict.WORKED), same_as="A")
    with desk.kb.database.write() as connection:
        connection.execute(
            "UPDATE cases SET withdrawn_at = recorded_at WHERE external_id IN ('A', 'S')"
        )
    done = _export(desk, tmp_path, form)
    written = b"".join(path.read_bytes() for path in done.folder.iterdir() if path.is_file())
    for text in ("secret matter", "hush", *WAYS):
        assert text.encode() not in written


def test_since_leaves_earlier_lookups_out(desk: Desk, tmp_path: Path) -> None:
    _busy(desk, lookups=6)
    middle = START + timedelta(minutes=35)
    done = _export(desk, tmp_path, TrainingFormat.AGENT_LIGHTNING, since=middle)
    assert done.lookups == 3
