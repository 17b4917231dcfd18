"""The report's screen, whole, and each sentence against the interval it rests on."""

from dataclasses import replace
from datetime import UTC, datetime
from textwrap import dedent

import pytest

from kbagent.cli.page import draw
from kbagent.cli.screens import report_words as words
from kbagent.cli.screens.report_page import report_page
from kbagent.cli.screens.reports import format_report
from kbagent.core.patterns.contingency import Difference
from kbagent.model.case import Verdict
from kbagent.model.evidence import Break
from kbagent.usecases.evaluate.evaluation import NO_FEEDBACK
from kbagent.usecases.report.compounding import Report
from kbagent.usecases.report.curve import Month, Success, Week
from kbagent.usecases.report.duration import Minutes
from kbagent.usecases.report.hazards import AtRisk, Stopped
from kbagent.usecases.report.knowledge import Contradiction, Gone, Kept, Prevented, Story
from kbagent.usecases.report.replaying import FIRST, RECENT, THEN
from kbagent.usecases.report.uplift import Because, Drift, Reason, Uplift


def day(year: int, month: int, number: int = 1) -> datetime:
    return datetime(year, month, number, tzinfo=UTC)


def success(at_1: float, plain: float, known: int = 40) -> Success:
    gap = Difference(at_1 - plain, at_1 - plain - 0.02, at_1 - plain + 0.02)
    return Success(
        50, 35, known, 36, at_1 - 0.05, at_1, at_1 + 0.1, 30, at_1 + 0.05, 0.8, 45, 0.9, plain, gap
    )


def month(name: str, at_1: float, plain: float, helped: Minutes | None = None) -> Month:
    alone = Minutes(20, 120.0, 80.0, 200.0)
    return Month(name, 1234, 12, 1222, 110.0, helped, alone, success(at_1, plain), 9, 6, 3)


FASTER = Minutes(7, 45.0, 30.0, 70.0)
REPORT = Report(
    name="all cases",
    since=day(2025, 1),
    until=day(2025, 3, 30),
    cases=3702,
    issues=154,
    issues_repeated=109,
    kept=Kept(3702, 154, 341, 788, 2),
    success=success(0.5, 0.44),
    eligible=60,
    uplifts=(
        Uplift(FIRST, day(2025, 2), 677, 0.5, 0.439, Difference(0.061, 0.042, 0.08), 60, 19, ()),
        Uplift(
            RECENT,
            day(2025, 3),
            20,
            0.5,
            0.5,
            Difference(0.0, -0.05, 0.05),
            1,
            1,
            (Because(Reason.TOO_FEW, 20, 30), Because(Reason.SAME, 0, 20)),
        ),
        Uplift(
            NO_FEEDBACK,
            None,
            696,
            0.5,
            0.52,
            Difference(-0.02, -0.04, 0.01),
            10,
            24,
            (Because(Reason.CANCELS, 10, 24),),
        ),
        Uplift(THEN, day(2025, 2), 677, 0.5, 0.1, Difference(0.4, 0.35, 0.45), 280, 9, ()),
    ),
    drift=Drift("2024-09 to 2024-11", "2025-01 to 2025-03", 67, 40, 0.09, 0.1, 0.09, 0.125),
    helped=FASTER,
    alone=Minutes(60, 120.0, 80.0, 200.0),
    shortened=Difference(-75.0, -110.0, -30.0),
    months=(
        month("2025-01", 0.4, 0.4),
        month("2025-02", 0.45, 0.4, FASTER),
        replace(month("2025-03", 0.5, 0.4), success=None),
    ),
    weeks=tuple(Week(f"2025-W{n:02}", 9, n % 5) for n in range(1, 14)),
    stories=(
        Story(
            "zendesk:9",
            "weight is ten times too high",
            day(2025, 3, 4),
            7,
            "snow:1",
            20,
            1,
            "Set",
            "Set",
        ),
        Story("jira:8", "virus scanner", day(2025, 3, 5), 8, "jira:1", 1, None, "Exclude", "Allow"),
    ),
    at_risk=(AtRisk(12, "EDI despatch advice", "Imbali Khoza", 7, 3),),
    stopped=(
        Gone(
            Stopped(
                5, "labels stay blank", 31, "Reset the port", Break(day(2025, 2, 17), 31, 33, 1, 7)
            ),
            44,
            "Print through the raster path",
            21,
            22,
        ),
    ),
    contradictions=(
        Contradiction(
            "c",
            "Is r1 right for i5, and r2 wrong?",
            (("r1", "On"), ("r2", "Off")),
            ("both worked",),
        ),
    ),
    deviations=(("check", "version", 5, 3),),
    prevented=(
        Prevented(
            "abc",
            day(2025, 3, 2),
            "version",
            "worked on 4.2",
            "never on 4.2",
            "r44",
            Verdict.WORKED,
        ),
    ),
)

SCREEN = dedent("""\
    3,702 cases, 2025-01-01 to 2025-03-30; 154 issues, 109 of them seen more than
    once

    Does it get better?
      Better than in January 2025 by 6.1 points (4.2 to 8.0), on 677 cases.
      Looked up again with only what was known before each: 50 cases (evenly spread,
      of 60); 70.0 % were answered, the others abstained on. Of the 40 of which it
      is known what worked, that stood first in 50.0 % and among the first three in
      60.0 %; more than 90.0 % was not possible, for on the others nothing worked
      that had worked before. The very fix stood first in 45.0 %, else one in nearly
      the same words; one in quite other words counts as another until somebody
      joins the two (`kbagent review`).
      No improvement since the beginning of March 2025 (0.0 points, -5.0 to +5.0, on
      20 cases), because only 20 cases tell what worked, and 30 are needed.
      No improvement by feedback (-2.0 points, -4.0 to +1.0, on 696 cases), because
      what worked came first on 10 cases more and on 24 fewer.
      With the knowledge base as it stood at the end of January 2025 what worked
      would have stood first in 10.0 % of the 677 cases since; it did in 50.0 %
      (+40.0 points, +35.0 to +45.0): what cases and outcomes together have brought.
      Raw success went from 9.0 % (2024-09 to 2024-11, 67 cases) to 10.0 % (2025-01
      to 2025-03, 40 cases). It moves with the mix of cases that come: without
      feedback it went from 9.0 % to 12.5 % on the same cases.

    What worked stood first: ● live policy  ○ without feedback  ◉ the same
       50 % │
            │ ◉   ◉
            │
            │
            │
            │
            │
        0 % │
            └─────────────
              2025-01

    Month by month
      month    cases   new asked answered    @1    @3 plain@1 recall minutes  lookup
      2025-01  1,234    12    50     70 %  40 %  50 %    40 %   90 %     120       –
      2025-02  1,234    12    50     70 %  45 %  55 %    40 %   90 %     120  45 (7)
      2025-03  1,234    12     –        –     –     –       –      –     120       –
      asked: looked up again; plain@1: without feedback, on the same cases;
      minutes, lookup: without a lookup, and with one (cases)

    New problems per week
      ▂▄▆█·▂▄▆█·▂▄▆
      2.0 new problems a week, 13 weeks
      27 lookups: 67 % answered with confidence, 33 % with an outcome reported.

    Time to resolve (measured)
      With a lookup: median 45 min, half of them 30 to 70 (n = 7); without: median
      120 min, half of them 80 to 200 (n = 60). Difference of the medians -75 min
      (-110 to -30). Not a randomised comparison: who looks up has other cases.

    Knowledge
      Kept now, dated or not: 3,702 cases of 154 issues, 341 fixes, 788 outcomes;
      nothing forgotten; 2 withdrawn by people.

    Rare problems solved again thanks to an earlier instance (by the replay)
      2025-03-04 zendesk:9 weight is ten times too high
        20 months later the fix of snow:1 stood first, and worked again

    Rare problems whose earlier instance was shown, solved in other words (replay)
      2025-03-05 jira:8 virus scanner
        a month later jira:1 was shown, with what had worked then

    Fixes that stopped working
      r31 for i5 labels stay blank
        worked 31 of 33 times before 2025-02-17, 1 of 7 since; instead r44 worked 21
        of 22: Print through the raster path

    Contradictions (settle them: kbagent review)
      Is r1 right for i5, and r2 wrong?
        both worked

    Knowledge at risk: solved by one person only
      i12 EDI despatch advice
        Imbali Khoza, 7 cases

    Caught by the checks of `solve`
      5 deviations caught, 3 put right; of 1 with an outcome since, 1 worked.
      2025-03-02 abc version
        expected: worked on 4.2; saw: never on 4.2; put right: r44 (what was
        answered instead worked)
    """)[:-1]


def test_the_whole_screen():
    assert draw(format_report(REPORT, 80), 80) == SCREEN


def lead(estimate: float, low: float, high: float, *because: Because) -> str:
    one = Uplift(
        FIRST, day(2025, 2), 500, 0.5, 0.5, Difference(estimate, low, high), 30, 10, because
    )
    return words.sentences(replace(REPORT, uplifts=(one,)))[0]


def test_what_is_kept_is_counted_as_one_says_it():
    one = words.kept_sentence(replace(REPORT, kept=Kept(1, 1, 1, 1, 0)))
    assert "1 case of 1 issue, 1 fix, 1 outcome; nothing" in one
    two = words.kept_sentence(replace(REPORT, kept=Kept(2, 2, 2, 0, 0)))
    assert "2 cases of 2 issues, 2 fixes, 0 outcomes; nothing" in two


def test_a_gain_is_claimed_only_above_zero():
    assert lead(0.05, 0.01, 0.09) == (
        "Better than in January 2025 by 5.0 points (1.0 to 9.0), on 500 cases."
    )
    cancels = Because(Reason.CANCELS, 30, 10)
    assert lead(0.04, 0.0, 0.08, cancels).startswith("No improvement since January 2025")
    assert lead(-0.05, -0.09, -0.01).startswith(
        "Worse than in January 2025 by 5.0 points (1.0 to 9.0), on 500 cases"
    )


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_its_words(reason: Reason):
    told = lead(0.0, -0.01, 0.01, Because(reason, 12, 500))
    assert told.startswith("No improvement since January 2025 (0.0 points, -1.0 to +1.0")
    _, _, why = told.partition(", because ")
    assert len(why) > 20
    assert "500" in why or "freeze --off" in why


def test_a_reason_of_one_case_says_case():
    def told(reason: Reason, total: int) -> str:
        said = lead(0.0, -0.01, 0.01, Because(reason, 1, total))
        return said.partition(", because ")[2]

    assert told(Reason.TOO_FEW, 30).startswith("only 1 case tells what worked, and 30 are")
    assert told(Reason.SAME, 1).startswith("what was learned moved what worked on only 1 of 1 case")
    assert "1 cases" not in "".join(told(reason, 1) for reason in Reason)


def test_what_was_not_measured_is_not_told():
    bare = replace(
        REPORT, helped=None, shortened=None, prevented=(), deviations=(), uplifts=(), drift=None
    )
    assert "not known" in words.time_sentence(bare)
    assert words.time_sentence(replace(bare, alone=None)).startswith("No case tells how long")
    assert "nothing was caught" in words.prevented_sentence(bare)
    assert words.sentences(replace(bare, success=None)) == [words.NOTHING]
    assert words.sentences(bare)[0] == words.UNTOLD


def test_the_page_draws_minutes_only_where_both_were_measured():
    assert 'id="minutes-t"' in report_page(REPORT)
    months = tuple(replace(one, helped=None) for one in REPORT.months)
    assert 'id="minutes-t"' not in report_page(replace(REPORT, months=months))


def test_a_month_that_was_not_measured_is_a_gap_and_not_a_zero():
    months = tuple(month(f"2025-{n:02}", 0.5, 0.4) for n in range(1, 6))
    gap = (*months[:2], replace(months[2], success=None), *months[3:])
    page = report_page(replace(REPORT, months=gap))
    curve = page[page.index('id="success-t"') : page.index("</svg>", page.index('id="success-t"'))]
    lines = [part.split('"', 1)[0] for part in curve.split('class="one" points="')[1:]]
    assert [len(line.split()) for line in lines] == [2, 2]
