"""The cards of a review, as they look at 80 columns."""

from datetime import UTC, datetime
from textwrap import dedent

from kbagent.cli.page import draw
from kbagent.cli.screens import review as screens
from kbagent.store.decisions import Decision
from kbagent.usecases.review.deciding import Reviewed
from kbagent.usecases.review.items import Answer, Choice, Item, JoinFixes, Kind, PartFixes, Side
from kbagent.usecases.review.queue import Queue

ITEM = Item(
    key="duplicate:r12:r40",
    kind=Kind.DUPLICATE,
    question="Are r12 and r40 the same approach?",
    sides=(
        Side("r12", "Reset the spooler port, then print\nten test labels. " * 9, "worked 9 of 9"),
        Side("r40", "Port set up afresh.", "worked 2 of 2"),
        Side("i5", "", "12 cases"),
    ),
    evidence=("the likeness of their texts is 0.66", "a\x1b[31m\n\u202ehostile line"),
    accept=Choice(Answer.ACCEPT, "the same", "r40 counts as r12; " * 9, JoinFixes(12, 40)),
    reject=Choice(Answer.REJECT, "two", "they stay two", PartFixes(12, 40)),
    state="1f0c9a2b",
    weight=0.66,
    issues=(5,),
)
FORMER = Decision(
    7,
    datetime(2026, 3, 1, tzinfo=UTC),
    "ana",
    "review",
    5,
    None,
    {"item": ITEM.key, "decision": "reject", "state": "0", "made": [6], "reason": "looked"},
    None,
)


def test_a_card_says_what_why_and_what_each_key_will_do() -> None:
    expected = """\
        ── suspected duplicate ───────────────────────────────────────────────── 3 of 41
        Are r12 and r40 the same approach?

        r12 · worked 9 of 9
            Reset the spooler port, then print — ten test labels. Reset the spooler
            port, then print ten test labels. Reset the spooler port, then print ten te…
        r40 · worked 2 of 2
            Port set up afresh.
        i5 · 12 cases
            no text

        why the likeness of their texts is 0.66
        why a hostile line
        was rejected by ana on 2026-03-01; what it rests on changed since

         y  the same: r40 counts as r12; r40 counts as r12; r40 counts as r12; r40
            counts as r12; r40 counts as r12; r40 counts as r12; r40 counts as r12; r40
            counts as r12; r40 counts as r12;
         n  two: they stay two"""
    assert draw(screens.format_card(ITEM, "3 of 41", FORMER), 80) == dedent(expected)


def test_the_queue_and_the_end_of_a_session_on_one_line() -> None:
    queue = Queue((ITEM,), {Kind.DUPLICATE: 3, Kind.ALARM: 1}, {})
    assert screens.format_queue(queue) == "1 alarm, 3 suspected duplicates; the first 1 now"
    assert screens.format_closing(0, 0, 0) == "0 decided, nothing left."
    assert screens.format_closing(2, 1, 3) == (
        "2 decided, 1 put off, 3 left.  go on: kbagent review  take back: kbagent review undo"
    )
    assert screens.format_nothing(Kind.RISK).startswith("Nothing to review (knowledge at risk).")


def test_the_log_says_who_why_and_what_was_taken_back() -> None:
    found = [Reviewed(FORMER, undone=False), Reviewed(FORMER, undone=True)]
    assert draw(screens.format_log(found), 80) == (
        "     7  2026-03-01  reject  duplicate:r12:r40 by ana (looked)\n"
        "     7  2026-03-01  reject  duplicate:r12:r40 taken back by ana (looked)"
    )
    assert "Nothing is decided yet" in draw(screens.format_log([]), 80)
