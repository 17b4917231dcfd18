"""What was learned is worth: planted gains are found; where there is none the reason is true."""

from datetime import UTC, datetime, timedelta
from itertools import product

import numpy as np
import pytest

from kbagent.cli.screens.report_words import sentences
from kbagent.usecases.evaluate.evaluation import NO_FEEDBACK
from kbagent.usecases.learn.policies import freeze
from kbagent.usecases.report.compounding import Report, report
from kbagent.usecases.report.replaying import FIRST, RECENT, THEN
from kbagent.usecases.report.uplift import Reason, Uplift
from tests.fakes.desk import Desk, odd_words, same_as, ticket, tried

START = datetime(2025, 1, 6, 9, tzinfo=UTC)
OLD, NEW = "Reset the spooler port of the station.", "Switch the print path to raster."


def at(days: float) -> str:
    return (START + timedelta(days=days)).isoformat()


def weekly(number: int, *fixes: tuple[str, str], words: str = "", own: bool = False):
    """The case of a week, of the one problem that all weeks have (unless it is its `own`)."""
    done = at(7 * number + 1)
    return ticket(
        f"W{number}",
        f"labels stay blank {words}",
        opened_at=at(7 * number),
        closed_at=done,
        links=[] if own or not number else same_as("W0"),
        attempts=[tried(text, verdict, at=done) for text, verdict in fixes],
    )


def made(desk: Desk, **options: object) -> Report:
    return report(desk.kb, lambda *_: None, **options)  # type: ignore[arg-type]


def over(found: Report, name: str) -> Uplift:
    return next(one for one in found.uplifts if one.over == name)


def broken_fix(desk: Desk, weeks: int) -> None:
    """What worked in January fails from February on, where another fix works."""
    before = [weekly(n, (OLD, "worked"), (NEW, "failed")) for n in range(4)]
    desk.bring(*before, *(weekly(n, (OLD, "failed"), (NEW, "worked")) for n in range(4, weeks)))


def test_what_was_learned_since_january_is_told_with_its_interval(desk: Desk):
    broken_fix(desk, 60)
    found = made(desk)
    gain = over(found, FIRST)
    assert gain.since == datetime(2025, 2, 1, tzinfo=UTC)
    assert gain.questions == 56
    assert gain.difference is not None
    assert gain.better - gain.worse == round(gain.difference.estimate * gain.questions)
    assert gain.ours is not None and gain.theirs is not None
    assert gain.ours > 0.6 and gain.theirs == 0.0
    (told,) = [one for one in sentences(found) if one.startswith("Better than in January 2025 by")]
    assert f"{100 * gain.difference.estimate:.1f} points" in told
    assert "on 56 cases" in told


def test_one_problem_alone_gives_no_narrow_interval(desk: Desk):
    """All cases are of one issue: drawn whole, they are one observation."""
    broken_fix(desk, 60)
    gap = over(made(desk), FIRST).difference
    assert gap is not None
    assert gap.low == gap.high == pytest.approx(gap.estimate)


def test_the_interval_is_the_bootstrap_of_whole_issues(desk: Desk):
    """Against every way of drawing three issues out of three, each as likely as another."""
    tickets = []
    for issue, (old, new) in enumerate((("worked", "failed"), ("failed", "worked")) * 2):
        words = odd_words(issue)
        for number in range(14):
            happened = at(7 * number + 0.1 * issue)
            later = number >= 4 and issue % 2 == 1
            verdicts = (old, new) if later else ("worked", "failed")
            tickets.append(
                ticket(
                    f"{issue}-{number}", words, opened_at=happened, closed_at=happened,
                    links=same_as(f"{issue}-0") if number else [],
                    attempts=[
                        tried(f"{text} {issue}", verdict, at=happened)
                        for text, verdict in zip((OLD, NEW), verdicts, strict=True)
                    ],
                )
            )  # fmt: skip
    desk.bring(*tickets)
    gain = over(made(desk), FIRST)
    assert gain.difference is not None
    found = made_differences(desk, gain)
    ways = [np.mean([v for i in way for v in found[i]]) for way in product(range(4), repeat=4)]
    low, high = np.quantile(ways, [0.025, 0.975])
    assert (gain.difference.low, gain.difference.high) == pytest.approx((low, high), abs=0.02)


def made_differences(desk: Desk, gain: Uplift) -> list[list[float]]:
    """By issue, live less frozen on each case since; read off the replay, not off the report."""
    from kbagent.usecases.mine.columns import load_columns
    from kbagent.usecases.report.replaying import looked_up_again

    ids = load_columns(desk.kb.connection).case_ids
    questions = looked_up_again(desk.kb, ids, lambda *_: None)
    assert questions is not None and gain.since is not None
    by_issue: dict[int, list[float]] = {}
    for row, opened in enumerate(questions.opened):
        if questions.known[row] and opened >= gain.since:
            ours = questions.place["live policy"][row] == 1
            theirs = questions.place[FIRST][row] == 1
            by_issue.setdefault(int(questions.issue[row]), []).append(float(ours) - float(theirs))
    assert len(by_issue) == 4
    return list(by_issue.values())


def test_the_knowledge_base_of_then_knew_less(desk: Desk):
    """A second problem comes in March; only who goes on keeping cases can answer it."""
    words = odd_words(5)
    first = [weekly(n, (OLD, "worked")) for n in range(4)]
    later = [
        ticket(
            f"M{n}", words, opened_at=at(60 + 7 * n), closed_at=at(61 + 7 * n),
            links=same_as("M0") if n else [], attempts=[tried(NEW, at=at(61 + 7 * n))],
        )
        for n in range(12)
    ]  # fmt: skip
    desk.bring(*first, *later)
    found = made(desk)
    then = over(found, THEN)
    assert (then.questions, then.theirs) == (12, 0.0)
    assert then.ours == pytest.approx(11 / 12)
    assert any("as it stood at the end of January 2025" in one for one in sentences(found))


def test_too_few_cases_are_called_so(desk: Desk):
    desk.bring(*(weekly(n, (OLD, "worked")) for n in range(9)))
    gain = over(made(desk), FIRST)
    assert not gain.shown
    assert gain.because[0].reason is Reason.TOO_FEW
    assert (gain.because[0].count, gain.questions) == (5, 5)
    assert "because only 5 cases tell what worked, and 30 are needed" in " ".join(
        sentences(made(desk))
    )


def test_lately_nothing_more_was_learned(desk: Desk):
    """The fix broke in February; what was learned by then still holds in the last quarter."""
    broken_fix(desk, 60)
    lately = over(made(desk), RECENT)
    assert lately.since == datetime(2025, 12, 1, tzinfo=UTC)
    assert (lately.better, lately.worse) == (0, 0)
    told = [one for one in sentences(made(desk)) if "beginning of December 2025" in one]
    assert told and told[0].startswith("No improvement since")


def test_without_new_outcomes_on_the_issues_nothing_can_improve(desk: Desk):
    """Every problem comes once only, so no outcome could have taught anything."""
    tickets = [
        ticket(
            f"S{n}", odd_words(n), opened_at=at(3 * n), closed_at=at(3 * n + 1),
            attempts=[tried(odd_words(500 + n), at=at(3 * n + 1))],
        )
        for n in range(60)
    ]  # fmt: skip
    desk.bring(*tickets)
    gain = over(made(desk), FIRST)
    reasons = {one.reason: one for one in gain.because}
    assert not gain.shown
    assert reasons[Reason.NO_EVIDENCE].count == 0
    assert reasons[Reason.OUT_OF_REACH].count == 0
    told = " ".join(sentences(made(desk)))
    assert "No improvement since January 2025" in told
    assert "because only on 0 of" in told


def test_a_frozen_policy_is_named_as_the_reason(desk: Desk):
    desk.bring(*(weekly(n, (OLD, "worked")) for n in range(50)))
    assert Reason.FROZEN not in {one.reason for one in over(made(desk), FIRST).because}
    freeze(desk.kb, frozen=True)
    assert Reason.FROZEN in {one.reason for one in over(made(desk), FIRST).because}


def test_one_month_alone_is_compared_with_nothing_earlier(desk: Desk):
    desk.bring(weekly(0, (OLD, "worked")), weekly(1, (OLD, "worked")))
    found = made(desk)
    assert [one.over for one in found.uplifts] == [NO_FEEDBACK]
    assert "one month" in sentences(found)[0]


def test_raw_success_is_told_with_what_the_cases_made_of_it(desk: Desk):
    broken_fix(desk, 40)
    found = made(desk)
    assert found.drift is not None
    assert (found.drift.early, found.drift.early_cases) == ("2025-01 to 2025-03", 13)
    assert "mix of cases" in sentences(found)[-1]


def test_a_case_of_unknown_outcome_is_no_failure(desk: Desk):
    desk.bring(*(weekly(n, (OLD, "worked")) for n in range(6)))
    before = made(desk).success
    desk.bring(*(weekly(n, (OLD, "")) for n in range(6, 12)))
    after = made(desk).success
    assert before is not None and after is not None
    assert (before.known, after.known) == (6, 6)
    assert before.at_1 == after.at_1
    assert after.questions == 12
