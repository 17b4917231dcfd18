"""What a report says in plain sentences; each claims no more than its interval shows."""

from datetime import datetime, timedelta

from kbagent.cli.screens import figures
from kbagent.core.patterns.contingency import Difference
from kbagent.model.case import Verdict
from kbagent.usecases.evaluate.evaluation import NO_FEEDBACK
from kbagent.usecases.report.compounding import Report
from kbagent.usecases.report.curve import Success, Week
from kbagent.usecases.report.duration import FEWEST, Minutes
from kbagent.usecases.report.knowledge import Gone, Prevented, Story
from kbagent.usecases.report.replaying import FIRST, RECENT, THEN
from kbagent.usecases.report.uplift import Because, Reason, Uplift

NOTHING = "Nothing could be looked up again: no case tells what worked, or none had a predecessor."
ONE_MONTH = "All of it is from one month, so nothing can be said of getting better."
UNTOLD = "Of no case is it known what worked, so nothing can be said of getting better."
WEEKS = 13
"""Weeks, a quarter, over which new problems are averaged."""


def sentences(found: Report) -> list[str]:
    """Whether it gets better since the first month; then on what that rests, and the rest."""
    success = found.success
    if success is None:
        return [NOTHING]
    first = [_uplift(one) for one in found.uplifts if one.over == FIRST]
    rest = [_uplift(one) for one in found.uplifts if one.over != FIRST]
    lead = first or [ONE_MONTH if found.uplifts else UNTOLD]
    drift = _drift(found)
    return [*lead, _basis(found, success), *rest, *([drift] if drift else [])]


def _basis(found: Report, success: Success) -> str:
    asked = f"{success.questions:,} case{_s(success.questions)}"
    if success.questions < found.eligible:
        asked = f"{asked} (evenly spread, of {found.eligible:,})"
    basis = (
        f"Looked up again with only what was known before each: {asked};"
        f" {_percent(success.answered / success.questions)} were answered, the others abstained on."
    )
    if success.at_1 is None or success.at_3 is None or success.exactly_at_1 is None:
        return f"{basis} Of none is it known what worked, so success cannot be told."
    reachable = _percent(success.possible / success.known)
    return (
        f"{basis} Of the {success.known:,} of which it is known what worked, that stood first in"
        f" {_percent(success.at_1)} and among the first three in {_percent(success.at_3)}; more"
        f" than {reachable} was not possible, for on the others nothing worked that had worked"
        f" before. The very fix stood first in {_percent(success.exactly_at_1)}, else one in nearly"
        " the same words; one in quite other words counts as another until somebody joins the two"
        " (`kbagent review`)."
    )


def _uplift(one: Uplift) -> str:
    gap = one.difference
    if gap is None or one.ours is None or one.theirs is None:
        return f"Nothing can be said of a gain {_since(one)}: no case tells what worked."
    points = f"{abs(100 * gap.estimate):.1f} points ({interval(gap)})"
    n = f"on {figures.cases(one.questions)}"
    if one.over == THEN:
        return (
            f"With the knowledge base as it stood at the end of {_month_before(one.since)} what"
            f" worked would have stood first in {_percent(one.theirs)} of the {one.questions:,}"
            f" cases since; it did in {_percent(one.ours)} ({_signed(gap)}): what cases and"
            " outcomes together have brought."
        )
    if gap.low > 0:
        return f"Better than {_against(one)} by {points}, {n}."
    if gap.high < 0:
        return f"Worse than {_against(one)} by {points}, {n}: see `kbagent policy`."
    few = one.because[0].reason is Reason.TOO_FEW  # then nothing else can be told either
    why = " and ".join(_because(reason) for reason in one.because[: 1 if few else 2])
    return f"No improvement {_since(one)} ({_signed(gap)}, {n}), because {why}."


def _against(one: Uplift) -> str:
    if one.over == NO_FEEDBACK:
        return "without feedback"
    return f"in {_month_before(one.since)}"


def _since(one: Uplift) -> str:
    if one.over == NO_FEEDBACK:
        return "by feedback"
    if one.over == RECENT and one.since is not None:
        return f"since the beginning of {one.since:%B %Y}"
    return f"since {_month_before(one.since)}"


def _because(one: Because) -> str:
    count, total = f"{one.count:,}", f"{one.total:,}"
    tell = "tells" if one.count == 1 else "tell"
    of_all = f"{total} case{_s(one.total)}"
    match one.reason:
        case Reason.TOO_FEW:
            told = f"only {figures.cases(one.count)} {tell} what worked, and {total} are needed"
        case Reason.FROZEN:
            told = "people froze what is learned (`kbagent policy freeze --off` ends it)"
        case Reason.NO_EVIDENCE:
            told = f"only on {count} of {of_all} had an outcome come for their issue meanwhile"
        case Reason.SAME:
            moved = f"only {count}" if one.count else "none"
            told = f"what was learned moved what worked on {moved} of {of_all}"
        case Reason.OUT_OF_REACH:
            told = f"only on {count} of {of_all} worked anything that had worked before"
        case Reason.UNREPORTED:
            told = f"nobody reported an outcome (`kbagent worked`): all {total} came by import"
        case Reason.CANCELS:
            told = f"what worked came first on {figures.cases(one.count)} more and on {total} fewer"
    return told


def _drift(found: Report) -> str | None:
    one = found.drift
    if one is None:
        return None
    return (
        f"Raw success went from {_percent(one.early_success)} ({one.early}, {one.early_cases}"
        f" cases) to {_percent(one.late_success)} ({one.late}, {one.late_cases} cases). It moves"
        " with the mix of cases that come: without feedback it went from"
        f" {_percent(one.early_plain)} to {_percent(one.late_plain)} on the same cases."
    )


def interval(gap: Difference) -> str:
    """The interval of a gain in points: `4.2 to 8.0`, with signs where it reaches across zero."""
    low, high = 100 * gap.low, 100 * gap.high
    if gap.high < 0:
        return f"{-high:.1f} to {-low:.1f}"
    if gap.low > 0:
        return f"{low:.1f} to {high:.1f}"
    return f"{sign(low)} to {sign(high)}"


def _signed(gap: Difference) -> str:
    told = f"{sign(100 * gap.low)} to {sign(100 * gap.high)}"
    return f"{sign(100 * gap.estimate)} points, {told}"


def sign(points: float) -> str:
    """A number of points with its sign; what rounds to nothing has none.

    >>> sign(0.04), sign(-0.25), sign(1.0)
    ('0.0', '-0.2', '+1.0')
    """
    told = f"{points:+.1f}"
    return told[1:] if told in ("+0.0", "-0.0") else told


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _month_before(end: datetime | None) -> str:
    return f"{end - timedelta(days=1):%B %Y}" if end else "the beginning"


def _s(count: float) -> str:
    return "" if count == 1 else "s"


def time_sentence(found: Report) -> str:
    """How long cases took, with a lookup and without; only what was measured."""
    alone = _minutes(found.alone)
    if found.helped is None:
        if found.alone is None:
            return "No case tells how long it took, so nothing can be said of time."
        return (
            f"Without a lookup: {alone}. No case with a lookup tells how long it took (report with"
            " `kbagent worked 1 --case CASE --minutes N`), so what lookups save is not known."
        )
    if found.alone is None:
        return f"With a lookup: {_minutes(found.helped)}. No case without one tells its minutes."
    told = f"With a lookup: {_minutes(found.helped)}; without: {alone}."
    if found.shortened is None:
        return f"{told} Fewer than {FEWEST} on a side, so no difference is told."
    gap = found.shortened
    return (
        f"{told} Difference of the medians {gap.estimate:+.0f} min ({gap.low:+.0f} to"
        f" {gap.high:+.0f}). Not a randomised comparison: who looks up has other cases."
    )


def _minutes(some: Minutes | None) -> str:
    if some is None:
        return "not measured"
    return (
        f"median {some.median:,.0f} min, half of them {some.lower:,.0f} to {some.upper:,.0f}"
        f" (n = {some.cases:,})"
    )


def feedback_sentence(found: Report) -> str:
    """How many lookups there were, and of how many an outcome came back."""
    if any(one.lookups is None for one in found.months):
        return "Lookups have no columns, so of a part of the cases no feedback rate can be told."
    lookups = sum(one.lookups or 0 for one in found.months)
    if not lookups:
        return "Nothing was looked up in this period, so no feedback rate can be told."
    told = sum(one.with_outcome or 0 for one in found.months)
    confident = sum(one.confident or 0 for one in found.months)
    return (
        f"{lookups:,} lookup{_s(lookups)}: {figures.percent(confident / lookups)} answered with"
        f" confidence, {figures.percent(told / lookups)} with an outcome reported."
    )


def weeks_sentence(weeks: tuple[Week, ...]) -> str:
    """New problems per week, lately and before; the last week may be a part of one."""
    fresh = [one.fresh for one in weeks]
    if len(fresh) < 2 * WEEKS:
        return f"{sum(fresh) / max(len(fresh), 1):.1f} new problems a week, {len(fresh)} week" + _s(
            len(fresh)
        )
    late, before = fresh[-WEEKS:], fresh[-2 * WEEKS : -WEEKS]
    return (
        f"{sum(late) / WEEKS:.1f} new problems a week in the last {WEEKS} weeks,"
        f" {sum(before) / WEEKS:.1f} in the {WEEKS} before, {sum(fresh) / len(fresh):.1f} over all"
        f" {len(fresh)}"
    )


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"


def kept_sentence(found: Report) -> str:
    """What is kept now."""
    kept = found.kept
    withdrawn = f"; {kept.withdrawn:,} withdrawn by people" if kept.withdrawn else ""
    return (
        f"Kept now, dated or not: {_many(kept.cases, 'case')} of {_many(kept.issues, 'issue')},"
        f" {_many(kept.approaches, 'fix', 'fixes')}, {_many(kept.outcomes, 'outcome')};"
        f" nothing forgotten{withdrawn}."
    )


def story(one: Story) -> str:
    """What came of an earlier instance, in a clause."""
    months = "within a month" if not one.months_later else f"{one.months_later} months later"
    if one.months_later == 1:
        months = "a month later"
    if one.place is None:
        return f"{months} {one.earlier} was shown, with what had worked then"
    place = "stood first" if one.place == 1 else f"stood at place {one.place}"
    return f"{months} the fix of {one.earlier} {place}, and worked again"


def gone(one: Gone) -> str:
    """When a fix stopped, and what works instead."""
    broke = one.stopped.broke
    before = f"{figures.number(broke.worked_before)} of {figures.number(broke.tried_before)}"
    since = f"{figures.number(broke.worked_since)} of {figures.number(broke.tried_since)}"
    told = f"worked {before} times before {figures.day(broke.at)}, {since} since"
    others = ", ".join(f"i{i}" for i in one.stopped.issues if i != one.stopped.issue_id)
    if others:
        told += f" (counted together with {others}, where it failed too)"
    if one.instead_id is None:
        return f"{told}; nothing else is known to work since"
    rate = f"{figures.number(one.worked)} of {figures.number(one.tried)}"
    return f"{told}; instead r{one.instead_id} worked {rate}"


def prevented(one: Prevented) -> str:
    """What a check put right, and whether that proved right."""
    proof = {
        None: "no outcome reported since",
        Verdict.WORKED: "what was answered instead worked",
        Verdict.PARTLY: "what was answered instead helped in part",
        Verdict.FAILED: "what was answered instead failed too",
    }.get(one.verdict, "no outcome reported since")
    correction = one.correction.replace("-", " ")
    return f"expected: {one.expected}; saw: {one.observed}; put right: {correction} ({proof})"


def prevented_sentence(found: Report) -> str:
    """What all checks together caught, and how much of it is proved."""
    caught = sum(row[2] for row in found.deviations)
    kept = sum(row[3] for row in found.deviations)
    if not caught:
        return "nothing was caught in this period (`kbagent solve TEXT` answers with checks)."
    known = [one for one in found.prevented if one.verdict is not None]
    right = sum(one.verdict is Verdict.WORKED for one in known)
    proof = (
        f"of {len(known)} with an outcome since, {right} worked"
        if known
        else "no outcome came since, so what they prevented is not proved"
    )
    return f"{caught:,} deviations caught, {kept:,} put right; {proof}."
