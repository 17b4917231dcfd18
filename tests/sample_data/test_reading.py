"""The product's own readers find in the sample exports what was planted there."""

import csv
import io
from collections import Counter
from pathlib import Path

import pytest

from kbagent.core.text.redaction import Redactor
from kbagent.model.case import CaseRecord, CaseStatus, Reject, Verdict
from kbagent.store.readers import open_export
from sample_data import catalogue

HERE = Path(__file__).parents[2] / "sample_data"
SETS = {
    "freshdesk": ("freshdesk_tickets.json", "freshdesk_ratings.json"),
    "zendesk": ("zendesk_tickets.json", "zendesk_comments.jsonl", "zendesk_ratings.json"),
    "jira": ("jira_bws.csv",),
    "servicenow": ("servicenow_2024_2025.csv",),
    "servicenow table": ("servicenow_2026.json",),
    "github": ("github_issues.json", "github_comments.json"),
    "tackle": ("tackle.jsonl",),
}
REJECTED = {"freshdesk": 2, "zendesk": 2, "jira": 2, "servicenow": 2, "tackle": 3}
TOLERATED = {"zendesk:99000002", "jira:BWS-9002"}


def _read(name, *, mapped=True):
    mapping = HERE / "exports" / f"{name.split()[0]}.toml"
    export = open_export(
        [HERE / "exports" / file for file in SETS[name]],
        mapping=mapping if mapped and mapping.exists() else None,
    )
    found = list(export)
    cases = [each for each in found if isinstance(each, CaseRecord)]
    return cases, [each for each in found if isinstance(each, Reject)]


@pytest.fixture(scope="module")
def read():
    return {name: _read(name) for name in SETS}


@pytest.fixture(scope="module")
def truth():
    text = (HERE / "truth.csv").read_text(encoding="utf-8")
    return {row["ref"]: row for row in csv.DictReader(io.StringIO(text))}


def test_every_case_is_read_and_every_damaged_row_rejected_or_tolerated(read, truth):
    refs = [case.ref for cases, _ in read.values() for case in cases]
    assert len(refs) == len(set(refs))
    assert set(refs) - set(truth) == TOLERATED
    assert set(truth) <= set(refs)
    assert {name: len(rejects) for name, (_, rejects) in read.items() if rejects} == REJECTED


def test_a_case_has_an_attempt_that_worked_exactly_when_something_helped(read, truth):
    for cases, _ in read.values():
        for case in cases:
            if case.ref not in TOLERATED:
                helped = any(a.verdict in {Verdict.WORKED, Verdict.PARTLY} for a in case.attempts)
                assert helped == bool(truth[case.ref]["resolution"]), case.ref


def test_reopened_cases_are_read_as_reopened_with_a_failed_attempt(read, truth):
    for cases, _ in read.values():
        for case in cases:
            reopened = truth.get(case.ref, {}).get("state") == "reopened"
            assert (case.status is CaseStatus.REOPENED) == reopened, case.ref
            if reopened:
                assert case.attempts[-1].verdict is Verdict.FAILED


@pytest.mark.parametrize("name", ["freshdesk", "zendesk", "jira", "servicenow", "tackle"])
def test_mapped_facets_have_the_same_names_everywhere(read, name):
    names = Counter(facet for case in read[name][0] for facet, _ in case.facets)
    assert {"version", "os", "industry", "component", "plan"} <= set(names)


@pytest.mark.parametrize("name", ["freshdesk", "zendesk", "jira", "servicenow", "tackle"])
def test_escalation_and_satisfaction_are_read(read, truth, name):
    for case in read[name][0]:
        if case.ref in TOLERATED:
            continue
        assert case.escalated == (truth[case.ref]["escalated"] == "1"), case.ref
        if name != "servicenow" and truth[case.ref]["satisfied"]:
            assert case.csat is not None, case.ref
            assert (case.csat > 0.5) == (truth[case.ref]["satisfied"] == "1"), case.ref


def test_links_are_read_where_the_system_has_them(read):
    kinds = Counter(
        (case.source, link.kind.value)
        for cases, _ in read.values()
        for case in cases
        for link in case.links
    )
    assert kinds == {
        ("jira", "duplicate"): 16, ("github", "duplicate"): 4, ("servicenow", "related"): 2,
    }  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_presets_alone_read_the_same_cases(read, name):
    if name == "tackle":
        pytest.skip("home-grown: there is no preset")
    mapped = {case.ref: case.title for case in read[name][0]}
    assert {case.ref: case.title for case in _read(name, mapped=False)[0]} == mapped


def test_redaction_takes_out_every_planted_secret(read, truth):
    secrets = (
        "960123", "555-0143", "23125", "7946", "@example.com", "4111", "5555-5555", "Herring",
        "bwk_9f8e",
    )  # fmt: skip
    planted = [ref for ref, row in truth.items() if row["special"].startswith("pii")]
    bodies = {case.ref: case.body for cases, _ in read.values() for case in cases}
    assert len(planted) == len(catalogue.company()["pii"])
    for ref in planted:
        kept = Redactor().redact(bodies[ref]).text
        assert kept != bodies[ref]
        assert not [secret for secret in secrets if secret in kept], ref
