"""A replay of the past as a table: the policy beside its baselines, and by how much it differs."""

from typing import Any

from kbagent.cli.page import Group, RenderableType, Text
from kbagent.cli.screens import figures
from kbagent.core.learning.offpolicy import Estimate, TooLittleData
from kbagent.core.learning.replay import Comparison, Measures
from kbagent.usecases.evaluate.evaluation import Evaluation

_HEAD = f"  {'':<14}{'success@1':>11}{'success@3':>11}{'MRR':>9}{'recall':>9}"

UNMEASURED = (
    "Nothing could be measured: of no case is it known what worked.\n"
    "Outcomes come with exports, or by: kbagent worked 1 --case CASE"
)


def format_evaluation(found: Evaluation) -> RenderableType:
    """The screen of an evaluation."""
    if not found.cases:
        return Text("There are no cases to replay yet. Bring some in: kbagent import FILE")
    if not found.questions:
        return Text(UNMEASURED)
    lines = [_about(found), Text(_HEAD, style="dim")]
    known = found.answerable > 0
    lines += [_standing(name, measures, known=known) for name, measures in found.standings]
    for name, differences in found.differences:
        lines.append(Text(f"  against {name} (95 % interval, in points):", style="dim"))
        lines += [_difference(one) for one in differences if known or one.measure == "recall"]
    logged = "  from logged lookups (off-policy, reward of the first shown):"
    lines.append(Text(logged, style="dim"))
    lines += [_estimate(one) for one in found.off_policy]
    return Group(*lines)


def evaluation_json(found: Evaluation) -> dict[str, Any]:
    """The same for a script."""
    return {
        "policy": found.policy.version,
        "cases": found.cases,
        "questions": found.questions,
        "answerable": found.answerable,
        "first": found.first,
        "last": found.last,
        "standings": {
            name: {
                "success@1": one.success_at_1 if found.answerable else None,
                "success@3": one.success_at_3 if found.answerable else None,
                "MRR": one.reciprocal_rank if found.answerable else None,
                "recall": one.recall if found.questions else None,
            }
            for name, one in found.standings
        },
        "differences": {
            name: {
                one.measure: {"difference": one.difference, "low": one.low, "high": one.high}
                for one in some
                if found.answerable or one.measure == "recall"
            }
            for name, some in found.differences
            if found.questions
        },
        "off_policy": [estimate_json(one) for one in found.off_policy],
    }


def estimate_json(one: Estimate | TooLittleData) -> dict[str, Any]:
    """An off-policy estimate, or that there is too little data for a number."""
    base = {"estimator": str(one.estimator), "n_rounds": one.rounds, "ess": one.effective}
    if isinstance(one, TooLittleData):
        return {**base, "value": None, "reason": "too little data", "needed": one.needed}
    return {**base, "value": one.value, "low": one.interval[0], "high": one.interval[1]}


def _about(found: Evaluation) -> Text:
    head = Text()
    head.append(f"Policy {found.policy.version}", style="bold")
    head.append(
        f" on {figures.cases(found.questions)} of {figures.period(found.first, found.last)},"
        " each with only what was known before it\n"
        f"  what worked had worked before on {found.answerable:,} of them: more cannot succeed"
    )
    return head


def _standing(name: str, one: Measures, *, known: bool) -> Text:
    """One line; where nothing had worked before, success was not measured and is a dash."""
    recall = "–" if one.recall is None else f"{one.recall:.3f}"
    if not known:
        return Text(f"  {name:<14}{'–':>11}{'–':>11}{'–':>9}{recall:>9}")
    return Text(
        f"  {name:<14}{one.success_at_1:>11.3f}{one.success_at_3:>11.3f}"
        f"{one.reciprocal_rank:>9.3f}{recall:>9}"
    )


def _difference(one: Comparison) -> Text:
    style = "green" if one.low > 0 else "red" if one.high < 0 else ""
    return Text(
        f"    {one.measure:<12}{100 * one.difference:>+7.1f}"
        f"  [{100 * one.low:+.1f}, {100 * one.high:+.1f}]",
        style=style,
    )


def _estimate(one: Estimate | TooLittleData) -> Text:
    if isinstance(one, TooLittleData):
        return Text(
            f"    {one.estimator:<6} too little data: {one.effective:.0f} effective rounds,"
            f" {one.needed:.0f} are needed"
        )
    low, high = one.interval
    return Text(
        f"    {one.estimator:<6} {one.value:.3f} [{low:.3f}, {high:.3f}]"
        f"  {one.rounds:,} rounds, effective {one.effective:.0f}"
    )
