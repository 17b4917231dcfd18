"""Policies as people read them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from kbagent.cli.output import one_line
from kbagent.cli.page import Group, RenderableType, Text
from kbagent.cli.screens import figures
from kbagent.core.learning.replay import Measures
from kbagent.model.policy import Policy
from kbagent.store.decisions import Decision
from kbagent.store.policies import DEFAULT_VERSION, Change, Origin
from kbagent.usecases.learn.promotion import Trial


def rows(
    every: Sequence[Policy], log: Sequence[Change], origins: Mapping[int, Origin]
) -> list[dict[str, Any]]:
    """One row a policy: version, state (live, earlier, candidate), name, parent, dates."""
    lived = [one for one in log if "freeze" not in one.action]
    live = lived[-1].version if lived else DEFAULT_VERSION
    was = {one.version for one in lived} | {DEFAULT_VERSION}
    since = {one.version: one.at for one in lived}
    return [
        {
            "version": one.version,
            "state": "live"
            if one.version == live
            else "earlier"
            if one.version in was
            else "candidate",
            "name": one.name,
            "parent": one.parent,
            "made": origins[one.version].recorded_at,
            "by": origins[one.version].by,
            "live_since": since.get(one.version),
        }
        for one in every
    ]


def format_policies(found: Sequence[Mapping[str, Any]], *, frozen: bool) -> RenderableType:
    """The list of policies."""
    lines = [Text("frozen: nothing learned goes live", style="yellow")] if frozen else []
    for row in found:
        line = Text(f"{row['version']:>4}  ")
        line.append(f"{row['state']:<9}", style="bold green" if row["state"] == "live" else "dim")
        line.append(f"  {figures.day(row['made'])}  {one_line(str(row['name']), 44)}")
        if row["parent"] is not None:
            line.append(f"  from {row['parent']}", style="dim")
        lines.append(line)
    return Group(*lines)


def policy_json(
    policy: Policy,
    origin: Origin,
    said: Sequence[tuple[datetime, str, Mapping[str, Any]]],
    trusted: Sequence[Decision],
) -> dict[str, Any]:
    """All that is known of a policy."""
    return {
        "version": policy.version,
        "name": policy.name,
        "parent": policy.parent,
        "made": origin.recorded_at,
        "by": origin.by,
        "parameters": asdict(policy.parameters),
        "evidence": origin.evidence,
        "evaluations": [{"at": at, "kind": kind, **data} for at, kind, data in said],
        "trust": {str(one.data["source"]): one.data["weight"] for one in trusted},
    }


def format_policy(found: Mapping[str, Any]) -> RenderableType:
    """One policy in full."""
    head = Text(f"Policy {found['version']}", style="bold")
    head.append(f"  {one_line(str(found['name']), 50)}  made {figures.day(found['made'])}")
    lines = [head]
    lines += [Text(f"  {name:<18} {_value(value)}") for name, value in found["parameters"].items()]
    for title in ("evidence", "trust"):
        if found[title]:
            lines.append(Text(f"  {title}: {_pairs(found[title])}"))
    for one in found["evaluations"]:
        told = _pairs({k: v for k, v in one.items() if k not in ("at", "kind", "differences")})
        lines.append(Text(f"  {figures.day(one['at'])} {one['kind']}: {told}", style="dim"))
    return Group(*lines)


def format_trial(trial: Trial) -> RenderableType:
    """Candidate and live policy beside each other, and what follows."""
    candidate, live = trial.measures
    head = f"Policy {trial.candidate.version} beside live policy {trial.live.version}"
    since = f" since {figures.day(trial.after)}" if trial.after else ""
    return Group(
        Text(f"{head} on {figures.cases(trial.questions)}{since}", style="bold"),
        Text(f"  {'':<11}{'candidate':>10}{'live':>8}   difference (95 %)", style="dim"),
        *(
            Text(
                f"  {one.measure:<11}{_figure(candidate, one.measure):>10}"
                f"{_figure(live, one.measure):>8}   {100 * one.difference:+.1f}"
                f" [{100 * one.low:+.1f}, {100 * one.high:+.1f}]"
            )
            for one in trial.differences
        ),
        Text(f"  ruling: {trial.decision.ruling}; {trial.refusal}"),
    )


def format_difference(
    one: Policy, other: Policy, found: Sequence[tuple[str, Any, Any]]
) -> RenderableType:
    """Where two policies differ."""
    if not found:
        return Text(f"Policies {one.version} and {other.version} are alike.")
    head = Text(f"  {'':<18} {one.version:>12} {other.version:>12}", style="dim")
    return Group(
        head,
        *(Text(f"  {name:<18} {_value(a):>12} {_value(b):>12}") for name, a, b in found),
    )


def _figure(measures: Measures, name: str) -> str:
    value = {
        "success@1": measures.success_at_1,
        "success@3": measures.success_at_3,
        "MRR": measures.reciprocal_rank,
        "recall": measures.recall,
    }[name]
    return "–" if value is None else f"{value:.3f}"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{one_line(str(name), 30)} {_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    return one_line(str(value), 60)
