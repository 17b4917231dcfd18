"""What `kbagent learn` fitted, what it kept, and why."""

from dataclasses import asdict
from typing import Any

from kbagent.cli.page import Group, RenderableType, Text
from kbagent.cli.screens import figures
from kbagent.core.learning.adapter import Effect
from kbagent.usecases.learn.fitting import LEAST_LINKED, Learned


def format_learned(found: Learned) -> RenderableType:
    """The screen of a run of learning."""
    lines = [
        Text(
            f"Learned from {figures.cases(found.cases)} up to {(found.until or '')[:10]}",
            style="bold",
        ),
        *_adapter(found),
        Text(f"  share of dense similarity  {_fusion(found)}"),
        Text(f"  κ                          {found.prior_strength:g} from {found.cells:,} cells"),
    ]
    if found.policy is None:
        lines.append(Text("Nothing is worth a candidate yet; the live policy stays."))
    else:
        version = found.policy.version
        lines.append(
            Text(f"policy {version} is a candidate; test it: kbagent policy promote {version}")
        )
    return Group(*lines)


def learned_json(found: Learned) -> dict[str, Any]:
    """The same for a script."""
    return {**asdict(found), "policy": found.policy.version if found.policy else None}


def _adapter(found: Learned) -> list[Text]:
    validation = found.validation
    if validation is None:
        told = f"{found.linked:,} cases are linked, {LEAST_LINKED} are needed"
        return [Text(f"  adapter                    not tried: {told}")]
    kept = f"kept as {found.adapter}" if found.adapter else "refused"
    return [
        Text(f"  adapter                    {kept}"),
        Text(f"    issues it was taught     {_effect(validation.known)}", style="dim"),
        Text(f"    issues it never saw      {_effect(validation.unseen)}", style="dim"),
    ]


def _effect(one: Effect) -> str:
    return (
        f"R-precision {one.before:.3f} to {one.after:.3f},"
        f" {100 * one.change:+.1f} [{100 * one.low:+.1f}, {100 * one.high:+.1f}] points"
        f" on {figures.cases(one.queries)}"
    )


def _fusion(found: Learned) -> str:
    fusion = found.fusion
    change = f"MRR {100 * fusion.change:+.1f} [{100 * fusion.low:+.1f}, {100 * fusion.high:+.1f}]"
    kept = "kept" if fusion.accepted else "stays"
    return f"{fusion.dense_weight:g} {kept}; {change} on later ones of {fusion.lookups:,} lookups"
