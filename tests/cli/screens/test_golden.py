"""Whole screens at 80 columns, and no line wider than the screen."""

from datetime import UTC, datetime
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from kbagent.cli.page import RenderableType, draw
from kbagent.cli.screens.details import format_details
from kbagent.cli.screens.feedback import format_given, format_outcomes
from kbagent.cli.screens.importing import format_import
from kbagent.cli.screens.search import format_search
from kbagent.model.case import Case, CaseStatus, Reject, Resolution, Verdict
from kbagent.model.details import CaseDetails, IssueDetails, ResolutionDetails
from kbagent.model.evidence import Break, Evidence
from kbagent.model.feedback import Given
from kbagent.model.importing import ImportSummary
from kbagent.model.lookup import (
    InstanceHit,
    IssueHit,
    LookupResult,
    Request,
    ResolutionHit,
    Terms,
)
from kbagent.model.outcome import Outcome, OutcomeSource


def day(month: int, number: int) -> datetime:
    return datetime(2026, month, number, 9, tzinfo=UTC)


TERMS = Terms(
    similarity=0.75,
    lexical=0.5,
    exact=0.0,
    dense_weight=0.5,
    exact_weight=0.0,
    closeness=0.0,
    closeness_weight=0.0,
    evidence=0.0,
)
LABELS = IssueHit(
    issue_id=17,
    title="Label printer prints blank labels",
    score=0.625,
    confidence=0.93,
    instance_count=41,
    first_seen=day(1, 5),
    last_seen=day(3, 9),
    versions=("4.0", "4.1", "4.2"),
    instances=(
        InstanceHit(1, "zendesk:20417", "labels come out empty", 0.81, day(3, 9), CaseStatus.OPEN),
        InstanceHit(2, "jira:BWS-262", "blank labels", 0.7, day(1, 5), CaseStatus.RESOLVED),
    ),
    resolutions=(
        ResolutionHit(
            resolution_id=340,
            rank=1,
            text="Switched the station to the raster path: Labels > Station > Print path ="
            " Raster (print engine 2). Labels print again.",
            evidence=Evidence(
                340, 22.0, 21.0, 0.91, (0.8, 0.98), last_worked=day(3, 1), within="version >= 4.2"
            ),
            score=0.9,
            propensity=1.0,
            source_case=1,
            pinned=True,
        ),
        ResolutionHit(
            resolution_id=12,
            rank=2,
            text="Reset the spooler port.",
            evidence=Evidence(
                12,
                7.0,
                1.0,
                0.25,
                (0.1, 0.45),
                broke=Break(day(2, 17), 31.0, 33.0, 1.0, 7.0),
            ),
            score=0.25,
            propensity=1.0,
            source_case=2,
        ),
    ),
    terms=TERMS,
)
LONELY = IssueHit(0 - 9, "x", 0.1, 0.004, 1, None, None, (), (LABELS.instances[1],), (), TERMS)
ANSWER = LookupResult("k3fp", Request("blank labels"), True, 3, (LABELS, LONELY), 1, ("a note",))


def drawn(screen: RenderableType, width: int = 80) -> str:
    return draw(screen, width) + "\n"


def golden(text: str) -> str:
    return dedent(text).removeprefix("\n")


def test_a_search_at_80_columns():
    assert drawn(format_search(ANSWER)) == golden("""
        Known problem · 2 issues shown, 3 weaker hidden · lookup k3fp
          note: a note

        1. Label printer prints blank labels                                  sure  93 %
           41 cases · 2026-01-05 to 2026-03-09 · versions 4.0 … 4.2 · issue i17
           [1] ███████▎ 21 of 22 worked, 91 % (80 to 98) · last 2026-03-01 · r340
               put here by a person
               counted only where version >= 4.2
               Switched the station to the raster path: Labels > Station > Print path =
               Raster (print engine 2). Labels print again.
           [2] ██······ 1 of 7 worked, 25 % (10 to 45) · r12
               worked 31/33 until 2026-02-17, then 1/7
               Reset the spooler port.
             zendesk:20417  2026-03-09  open  0.81  labels come out empty
             jira:BWS-262  2026-01-05  resolved  0.70  blank labels
             … and 39 more: kbagent search --all …

        2. x                                                                  sure   1 %
           1 case · no date known
           no resolution is recorded
             jira:BWS-262  2026-01-05  resolved  0.70  blank labels

        next: kbagent worked 1 | kbagent failed 1 | kbagent show r340 | --full --all
        """)


def test_a_search_explained_and_in_full():
    screen = drawn(format_search(ANSWER, full=True, explain=True))
    assert "     score                0.625\n" in screen
    assert "Switched the station to the raster path: Labels > Station > Print path =" in screen


def test_an_answer_that_nobody_is_sure_of_says_so():
    unsure = LookupResult("k3fp", Request("x"), False, 0, (LONELY,), 1)
    assert drawn(format_search(unsure)).splitlines()[0] == (
        "Not sure: the nearest are · 1 issue shown · lookup k3fp"
    )
    assert drawn(format_search(unsure)).splitlines()[-1].startswith("next: kbagent add")


def test_an_answer_without_a_handle_offers_nothing_that_needs_one():
    nameless = LookupResult("", Request("x"), True, 0, (LABELS,), 1)
    assert "lookup" not in drawn(format_search(nameless)).splitlines()[0]
    assert "worked 1" not in drawn(format_search(nameless))


def test_an_empty_answer():
    empty = LookupResult("k3fp", Request("x"), False, 0, (), 1)
    assert drawn(format_search(empty)) == golden("""
        Nothing similar is known.  (lookup k3fp)

        next: kbagent add  (to keep this case once it is solved)
        """)


def test_an_outcome_at_80_columns():
    given_ = Given(
        88, Verdict.WORKED, 340, "Switched to raster", "jira:X-1", True, "k3fp", 23.0, 22.0
    )
    assert drawn(format_given(given_)) == golden("""
        worked  r340  Switched to raster
          now 22 of 23 worked on this issue · outcome 88
          kept jira:X-1 as a new instance
          take it back: kbagent feedback undo 88
        """)


def test_the_ledger_at_80_columns():
    entry = Outcome(
        id=88,
        uid="u",
        recorded_at=day(3, 1),
        happened_at=day(3, 1),
        case_id=1,
        resolution_id=340,
        verdict=Verdict.FAILED,
        source=OutcomeSource.EXPLICIT,
        by="ana",
    )
    screen = drawn(format_outcomes([entry], {1: "jira:X-1"}, {340: "Switched to raster"}))
    assert screen == "    88  2026-03-01  failed    r340  jira:X-1  Switched to raster by ana\n"


SUMMARY = ImportSummary(
    source="zendesk",
    format="zendesk",
    read=1322,
    new=1320,
    changed=1,
    rejected=1,
    attempts=406,
    outcomes=291,
    encoded=1320,
    linked=12,
    redacted=(("card", 2), ("email", 91)),
    facets=tuple((f"custom_fields.{number}", 9) for number in range(14)),
    rejects=(Reject("tickets.json line 29", "id", "is empty", "{}"),),
    rejects_file="kb/rejects/1.jsonl",
    notes=("tickets.json: begins with a byte order mark, read as UTF-8",),
    seconds=10.0,
)


def test_an_import_at_80_columns():
    assert drawn(format_import(SUMMARY)) == golden("""
        Imported 1,322 rows of zendesk (zendesk)
          cases     1,320 new, 1 changed, 1 rejected
          attempts  406 new, 291 with a known outcome
          issues    12 cases share an issue with others
          redacted  2 card, 91 email
          columns   custom_fields.0, custom_fields.1, custom_fields.2, custom_fields.3,
                    custom_fields.4, custom_fields.5, custom_fields.6, custom_fields.7,
                    custom_fields.8, custom_fields.9, custom_fields.10, custom_fields.11
                    and 2 more
          note      tickets.json: begins with a byte order mark, read as UTF-8
          rejected  1 row was left out
                    tickets.json line 29: id: is empty
                    all of them: kb/rejects/1.jsonl
          took      10.0 s, 132 rows/s, 1,320 texts encoded
        next: kbagent search 'a problem in your own words'
        """)


CASE = Case(
    7,
    "jira",
    "BWS-262",
    "blank labels",
    "They come out empty.",
    CaseStatus.RESOLVED,
    day(1, 5),
    day(1, 6),
    None,
    None,
    None,
    None,
    17,
    day(1, 7),
)


def test_a_case_at_80_columns():
    details = CaseDetails(
        CASE, (("version", "4.2"),), (), (), "Blank labels", "linked", ("zendesk:20417",), 2
    )
    assert drawn(format_details(details)) == golden("""
        jira:BWS-262  blank labels
        resolved · opened 2026-01-05 · closed 2026-01-06 · issue i17 (linked)

        They come out empty.

        Same issue: zendesk:20417

        Columns
          version                       4.2
        changed 2 times; every version is kept
        """)


WORDS = st.text(
    st.one_of(st.sampled_from("ab \n\t\x1b[|印刷😀é\u202e"), st.characters()), max_size=120
)


@settings(max_examples=40, deadline=None)
@given(text=WORDS, width=st.sampled_from([60, 80, 120, 140]), full=st.booleans())
def test_no_line_is_wider_than_the_screen_and_none_acts_on_the_terminal(text, width, full):
    from dataclasses import replace

    resolution = replace(LABELS.resolutions[0], text=text)
    issue = replace(
        LABELS,
        title=text,
        versions=(text, text[::-1]),
        instances=tuple(replace(hit, title=text, ref=text) for hit in LABELS.instances),
        resolutions=(resolution,),
    )
    case = replace(CASE, title=text, body=text, source=text)
    screens = [
        format_search(replace(ANSWER, issues=(issue,), notes=(text,)), width=width, full=full),
        format_import(
            replace(SUMMARY, notes=(text,), facets=((text, 1),), rejects_file=text, source=text),
            width=width,
        ),
        format_details(
            CaseDetails(case, ((text, text),), (), (), text, "linked", (text,), 0), width=width
        ),
        format_details(
            ResolutionDetails(
                Resolution(1, text, text, 1), (), (), ((text, "worked", None),), 1.0, 1.0
            ),
            width=width,
        ),
        format_details(
            IssueDetails(
                1, text, ((case, "linked", 1.0),), ((Resolution(1, text, None, 1), 1, 1, 1),)
            ),
            width=width,
        ),
    ]
    for screen in screens:
        for line in drawn(screen, width).split("\n"):
            assert cell_len(line) <= width
            assert not any(sign < " " or "\x7f" <= sign <= "\x9f" for sign in line)


@pytest.mark.parametrize("width", [80, 120])
def test_what_is_sure_stands_at_the_right_edge(width):
    first = drawn(format_search(ANSWER, width=width), width).splitlines()[3]
    assert (len(first), first.endswith("sure  93 %")) == (width, True)
