"""Contradictions: what cannot both be right, as far as the figures bear it.

Two fixes of one issue that exclude each other; a case of which the opposite is said than of all
others on its version; a rule that what happened since gainsays.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from kbagent.core.verification.contradiction import (
    exclude_each_other,
    gainsays,
    surely_fails,
    surely_works,
)
from kbagent.model.case import Resolution, Verdict
from kbagent.model.outcome import REWARD
from kbagent.store import cases, decisions, resolutions
from kbagent.store.decisions import Decision
from kbagent.store.moments import known
from kbagent.usecases.retain.fixes import compared
from kbagent.usecases.reuse.boundaries import is_over
from kbagent.usecases.review.ground import Ground, Told, figures_of
from kbagent.usecases.review.items import (
    Answer,
    Choice,
    Deprecate,
    Item,
    Kind,
    LiftRule,
    PartCases,
    state_of,
)
from kbagent.usecases.revise.rules import DEPRECATE, FORBID, PIN

MOST_FIXES = 200  # of one issue that are compared word by word
OPPOSITE = {Verdict.WORKED: Verdict.FAILED, Verdict.FAILED: Verdict.WORKED}


def items(ground: Ground) -> Iterator[Item]:
    """Every contradiction of the three kinds."""
    yield from _opposite_cases(ground)
    yield from _excluding_fixes(ground)
    yield from _gainsaid_rules(ground)


def _opposite_cases(ground: Ground) -> Iterator[Item]:
    """Cases that say of a fix the opposite of what all others on their version say.

    A case of which both is said contradicts itself; a fix that stopped working is an alarm.
    """
    gone = {(one.issue_id, one.resolution_id) for one in ground.stopped}
    for (issue, approach), told in sorted(ground.cells.items()):
        if (issue, approach) in gone:
            continue
        for case, said in _by_case(told).items():
            if len({one.verdict for one in said}) > 1 or said[-1].verdict not in OPPOSITE:
                continue
            others = [o for o in told if o.case != case and o.verdict in OPPOSITE]
            agreeing = [o for o in others if o.verdict is OPPOSITE[said[-1].verdict]]
            remarkable = gainsays(agreeing=len(agreeing), others=len(others))
            if remarkable and _comparable(ground, said[-1], agreeing):
                yield _opposite(ground, issue, approach, said[-1], agreeing)


def _by_case(told: Sequence[Told]) -> dict[int, list[Told]]:
    found: defaultdict[int, list[Told]] = defaultdict(list)
    for one in told:
        found[one.case].append(one)
    return found


def _comparable(ground: Ground, one: Told, agreeing: Sequence[Told]) -> bool:
    """Whether the opposite is said on the case's own version, so that it cannot be the reason."""
    own = ground.version(one.case)
    return own is None or any(ground.version(other.case) == own for other in agreeing)


def _opposite(
    ground: Ground, issue: int, approach: int, one: Told, agreeing: Sequence[Told]
) -> Item:
    side = ground.case(one.case)
    fix, verb = f"r{approach}", "worked" if one.verdict is Verdict.FAILED else "failed"
    count = len(agreeing)
    stays = max(agreeing, key=lambda other: (other.at, other.case)).case
    kept = cases.by_ids(ground.connection, [stays])[stays]
    return Item(
        key=f"contradiction:c{one.case}:{fix}",
        kind=Kind.CONTRADICTION,
        question=f"Is {side.handle} another problem than i{issue}?",
        sides=(side, ground.fix(approach, [issue]), ground.issue(issue)),
        evidence=(
            f"on this case {fix} {one.verdict}; on {count} others of i{issue} it {verb}",
            "the version is the same" if ground.version(one.case) else "it states no version",
            *_instead(ground, issue, approach, one),
        ),
        accept=Choice(
            Answer.ACCEPT,
            "another",
            f"{side.handle} gets an issue of its own, apart from {kept.ref}; so does its outcome",
            PartCases(stays, one.case),
        ),
        reject=Choice(Answer.REJECT, "the same", "nothing changes; the outcome is believed"),
        state=state_of(issue, one.entry),
        weight=float(count),
        issues=(issue,),
    )


def _instead(ground: Ground, issue: int, approach: int, one: Told) -> Iterator[str]:
    """What worked on a case on which a fix failed that works on all others."""
    if one.verdict is Verdict.FAILED:
        for (of_issue, fix), told in sorted(ground.cells.items()):
            helped = any(o.case == one.case and o.verdict is Verdict.WORKED for o in told)
            if of_issue == issue and fix != approach and helped:
                yield f"what worked on it is r{fix}: {ground.fix(fix).text}"


def _excluding_fixes(ground: Ground) -> Iterator[Item]:
    """Fixes of an issue that say the contrary of each other and both worked."""
    by_issue: defaultdict[int, list[int]] = defaultdict(list)
    for (issue, approach), told in sorted(ground.cells.items()):
        if any(one.verdict is Verdict.WORKED for one in told):
            by_issue[issue].append(approach)
    for issue, approaches in by_issue.items():
        if not 1 < len(approaches) <= MOST_FIXES:
            continue
        known_fixes = resolutions.by_ids(ground.connection, approaches)
        texts = {one: compared(known_fixes[one]) for one in approaches}
        for place, one in enumerate(approaches):
            for other in approaches[place + 1 :]:
                if exclude_each_other(texts[one], texts[other]):
                    yield _excluding(ground, issue, known_fixes[one], known_fixes[other])


def _excluding(ground: Ground, issue: int, one: Resolution, other: Resolution) -> Item:
    told = {fix.id: ground.cells[issue, fix.id] for fix in (one, other)}
    weaker, better = sorted(told, key=lambda fix: (_mean(told[fix]), len(told[fix]), -fix))
    return Item(
        key=f"contradiction:r{one.id}:r{other.id}:i{issue}",
        kind=Kind.CONTRADICTION,
        question=f"Is r{better} right for i{issue}, and r{weaker} wrong?",
        sides=(
            ground.fix(better, [issue]),
            ground.fix(weaker, [issue]),
            ground.issue(issue),
        ),
        evidence=(
            "the two say the contrary of each other, and both are said to have worked",
            f"r{better} {figures_of(told[better])}, r{weaker} {figures_of(told[weaker])}",
        ),
        accept=Choice(
            Answer.ACCEPT,
            f"r{better}",
            f"r{weaker} comes last for i{issue}, with r{better} named instead of it",
            Deprecate(weaker, issue, f"contrary of r{better}", replaced_by=better),
        ),
        reject=Choice(Answer.REJECT, "both", "nothing changes; both stay and outcomes rank them"),
        state=state_of(weaker, better),
        weight=float(len(told[weaker])),
        issues=(issue,),
    )


def _gainsaid_rules(ground: Ground) -> Iterator[Item]:
    """Rules in force that what happened since gainsays."""
    for rule in decisions.standing(ground.connection, DEPRECATE, FORBID, PIN):
        if rule.resolution_id is None or is_over(rule, ground.kb.clock()):
            continue
        head = resolutions.by_ids(ground.connection, [rule.resolution_id])
        if rule.resolution_id not in head:
            continue
        approach = head[rule.resolution_id].canonical_id
        since = [
            one
            for (issue, fix), told in ground.cells.items()
            for one in told
            if fix == approach and rule.issue_id in (None, issue) and known(one.at) > rule.at
        ]
        worked = sum(REWARD[one.verdict] for one in since)
        against = surely_fails if rule.kind == PIN else surely_works
        if against(int(worked), len(since)):
            yield _gainsaid(ground, rule, approach, since)


def _gainsaid(ground: Ground, rule: Decision, approach: int, since: Sequence[Told]) -> Item:
    where = (rule.issue_id,) if rule.issue_id is not None else ()
    what = {PIN: "pinned", FORBID: "forbidden", DEPRECATE: "deprecated"}[rule.kind]
    reason = rule.data.get("reason")
    who = f" by {rule.by}" if rule.by else ""
    return Item(
        key=f"contradiction:rule{rule.id}",
        kind=Kind.CONTRADICTION,
        question=f"r{approach} is {what}; shall that end?",
        sides=(ground.fix(approach), *(ground.issue(one) for one in where)),
        evidence=(
            f"{what} since {rule.at:%Y-%m-%d}{who}" + (f": {reason}" if reason else ""),
            f"since then it {figures_of(since)}",
        ),
        accept=Choice(
            Answer.ACCEPT,
            "end it",
            f"r{approach} is {what} no longer; outcomes rank it again",
            LiftRule(rule.id),
        ),
        reject=Choice(Answer.REJECT, "keep it", f"nothing changes; r{approach} stays {what}"),
        state=state_of(rule.id, len(since).bit_length()),
        weight=float(len(since)),
        issues=where,
    )


def _mean(told: Sequence[Told]) -> float:
    return sum(REWARD[one.verdict] for one in told) / len(told)
