"""Cases put right by hand: found at once, kept over imports until the source itself moves on."""

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kbagent.errors import BadValue, UnknownHandle, UsageError
from kbagent.model.case import Verdict
from kbagent.model.details import CaseDetails, Correction
from kbagent.usecases.retrieve.details import details_of
from kbagent.usecases.revise import editing
from kbagent.usecases.revise.casedraft import assigned, draft_of, read_draft
from kbagent.usecases.revise.editing import CaseText, Edited, TriedText
from kbagent.usecases.revise.withdrawal import remove_for_good
from tests.fakes.desk import Desk, refs, same_as, ticket, tried

CASE = "desk:1"
TOLD = ticket(
    "1",
    "Mail lost in outbox",
    "It stays there for hours.",
    facets={"version": "4.2", "os": "Windows"},
    attempts=[tried("Restart the service", "failed"), tried("Compact the folders")],
)
OTHER = ticket("2", "Mail lost in outbox", attempts=[tried("Compact the folders")])


@pytest.fixture
def office(desk: Desk) -> Desk:
    desk.bring(TOLD, {**OTHER, "links": same_as("1")})
    return desk


def put(desk: Desk, *assignments: str, by: str | None = None) -> Edited:
    before = editing.case_text(desk.kb, CASE)
    wanted = assigned(before, assignments, ["version", "os"])
    done = editing.edit(desk.kb, desk.encoder, CASE, wanted, base=before, by=by)
    assert done is not None
    return done


def text(desk: Desk) -> CaseText:
    return editing.case_text(desk.kb, CASE)


def corrections(desk: Desk) -> tuple[Correction, ...]:
    found = details_of(desk.kb, CASE)
    assert isinstance(found, CaseDetails)
    return found.corrections


def evidence(desk: Desk, fix: str) -> tuple[float, float]:
    found = desk.ask("mail lost outbox", limit=1, everything=True, log=False).issues[0].resolutions
    one = next((r.evidence for r in found if r.text == fix), None)
    return (0.0, 0.0) if one is None else (one.tried, one.worked)


def test_title_and_text_are_put_right_found_at_once_and_by_whom_is_told(office: Desk) -> None:
    done = put(
        office, "title=Calendar shows the wrong hour", "text=Since the clocks changed.", by="ana"
    )
    assert done.columns == ("title", "text")
    assert (text(office).title, text(office).body) == (
        "Calendar shows the wrong hour",
        "Since the clocks changed.",
    )
    found = office.ask("calendar wrong hour clocks", limit=1, log=False).issues[0]
    assert found.instances[0].ref == CASE
    assert office.ask("mail lost outbox", limit=1, log=False).issues[0].instances[0].ref != CASE
    assert [(one.by, one.columns) for one in corrections(office)] == [("ana", ("title", "text"))]
    assert office.one("SELECT json_extract(record, '$.title') FROM case_versions") == TOLD["title"]


def test_columns_are_put_right_and_filters_follow(office: Desk) -> None:
    put(office, "version=4.3", "os=", "column.team=mail")
    assert text(office).facets == (("version", "4.3"), ("team", "mail"))
    assert list(refs(office.ask("mail", filters=(_equal("version", "4.3"),), log=False))) == [CASE]


def test_a_verdict_is_put_right_in_the_ledger_by_its_author(office: Desk) -> None:
    assert evidence(office, "Compact the folders") == (2.0, 2.0)
    put(office, "r2.verdict=failed", by="ana")
    assert evidence(office, "Compact the folders") == (2.0, 1.0)
    last = office.rows("SELECT by, reason, source, verdict FROM outcomes ORDER BY id DESC")[0]
    assert last == ("ana", "corrected: worked became failed", "inferred", "failed")
    put(office, "r2.verdict=unknown")
    assert evidence(office, "Compact the folders") == (1.0, 1.0)
    put(office, "r2.verdict=worked")
    assert evidence(office, "Compact the folders") == (2.0, 2.0)


def test_a_verdict_that_a_colleague_reported_is_put_right_too(office: Desk) -> None:
    office.say("worked", "r1", case=CASE, by="bo")
    assert evidence(office, "Restart the service")[1] >= 1.0
    put(office, "r1.verdict=failed", by="ana")
    assert evidence(office, "Restart the service") == (1.0, 0.0)


def test_another_resolution_takes_the_evidence_of_this_case_only(office: Desk) -> None:
    put(office, "r2.resolution=Repair the index", by="ana")
    assert evidence(office, "Compact the folders") == (1.0, 1.0)
    assert evidence(office, "Repair the index") == (1.0, 1.0)
    assert [one.text for one in text(office).attempts] == [
        "Restart the service",
        "Repair the index",
    ]


def test_the_same_export_changes_nothing_of_it(office: Desk) -> None:
    put(
        office, "title=Calendar", "r2.resolution=Repair the index", "version=5", "r1.verdict=partly"
    )
    before = text(office)
    assert office.bring(TOLD).unchanged == 1
    assert text(office) == before
    assert evidence(office, "Repair the index") == (1.0, 1.0)


def test_what_the_source_does_not_change_stays_put_right(office: Desk) -> None:
    put(
        office, "title=Calendar", "r2.resolution=Repair the index", "version=5", "r1.verdict=partly"
    )
    before = text(office)
    later = {**TOLD, "body": "It stays there for days."}
    assert office.bring(later).changed == 1
    assert text(office) == dataclasses.replace(before, body="It stays there for days.")
    assert evidence(office, "Repair the index")[0] == 1.0
    assert [one.overtaken for one in corrections(office)] == [()]


def test_what_the_source_changes_is_believed_and_told(office: Desk) -> None:
    told: list[str] = []
    office.kb.notify = told.append
    put(office, "title=Calendar", "version=5", "r2.resolution=Repair the index")
    later = {
        **TOLD,
        "title": "Mail lost in outbox, again",
        "attempts": [tried("Restart the service", "failed"), tried("Delete the profile")],
    }
    office.bring(later)
    assert text(office).title == "Mail lost in outbox, again"
    assert text(office).facets[0] == ("version", "5")
    assert text(office).attempts[1].text == "Delete the profile"
    assert evidence(office, "Repair the index") == (0.0, 0.0)
    assert "desk:1: the source now says something else of title" in told[0]
    assert [one.overtaken for one in corrections(office)] == [("title", "resolution r2")]
    office.bring(TOLD)  # back to what was once corrected: the correction is not revived
    assert text(office).title == TOLD["title"]


def test_a_correction_of_a_correction_holds_against_what_the_source_said(office: Desk) -> None:
    for title, fix in (("Calendar", "Repair the index"), ("Diary", "Rebuild the index")):
        number = text(office).attempts[1].resolution_id
        put(office, f"title={title}", f"r{number}.resolution={fix}")
    office.bring({**TOLD, "body": "Longer."})
    assert (text(office).title, text(office).attempts[1].text) == ("Diary", "Rebuild the index")


def test_taken_back_everything_is_as_it_was_and_the_evidence_too(office: Desk) -> None:
    before, known = text(office), evidence(office, "Compact the folders")
    one = put(office, "title=A", "version=5", "os=", "r2.resolution=Repair the index", "text=B")
    two = put(office, "title=C")
    with pytest.raises(UsageError, match=f"kbagent case undo {two.decision}"):
        editing.undo(office.kb, office.encoder, one.decision)
    editing.undo(office.kb, office.encoder, two.decision)
    assert text(office).title == "A"
    editing.undo(office.kb, office.encoder, one.decision, by="ana")
    after = text(office)
    assert (after.title, after.body, sorted(after.facets)) == (
        before.title,
        before.body,
        sorted(before.facets),
    )
    assert after.attempts == before.attempts
    assert evidence(office, "Compact the folders") == known
    assert corrections(office) == ()
    office.bring({**TOLD, "title": "Mail"})
    assert text(office).title == "Mail"
    with pytest.raises(UnknownHandle):
        editing.undo(office.kb, office.encoder, one.decision)


def test_what_the_source_said_since_is_not_taken_back(office: Desk) -> None:
    one = put(office, "title=Calendar", "version=5")
    office.bring({**TOLD, "title": "New of the source"})
    editing.undo(office.kb, office.encoder, one.decision)
    assert text(office).title == "New of the source"
    assert text(office).facets[0] == ("version", "4.2")


def test_what_is_written_by_hand_is_redacted_and_what_was_there_is_not_touched(
    office: Desk,
) -> None:
    put(office, "text=Call ana.lima@example.org about it")
    assert "example.org" not in text(office).body
    assert editing.edit(office.kb, office.encoder, CASE, text(office)) is None


def test_a_purged_case_leaves_nothing_of_its_corrections(office: Desk) -> None:
    put(office, "title=Calendar shows secrets", "column.team=hidden department")
    remove_for_good(office.kb, CASE)
    assert not any(
        word in str(office.rows("SELECT data FROM decisions"))
        for word in ("Mail lost", "Calendar", "hidden")
    )
    with pytest.raises(UsageError, match="purged"):
        editing.case_text(office.kb, CASE)


@pytest.mark.parametrize(
    ("assignment", "error", "said"),
    [
        ("verdict=worked", BadValue, "say which: r1.verdict, r2.verdict"),
        ("r9.verdict=worked", BadValue, "say which"),
        ("r1.verdict=fine", BadValue, "use worked, partly, failed, unknown"),
        ("vesion=4", BadValue, "no case has such a column"),
        ("title", BadValue, "write NAME=VALUE"),
        ("r1.resolution=", UsageError, "empty"),
        ("r1.resolution=compact  the folders.", UsageError, "r2 says just that"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_stored(
    office: Desk, assignment: str, error: type[UsageError], said: str
) -> None:
    before = office.dump()
    with pytest.raises(error, match=said):
        put(office, assignment)
    assert office.dump() == before


def test_a_case_without_any_text_is_refused(office: Desk) -> None:
    with pytest.raises(UsageError, match="needs a title or a description"):
        put(office, "title=", "text=")


def test_what_changed_meanwhile_is_not_overwritten(office: Desk) -> None:
    base = text(office)
    put(office, "title=Calendar")
    wanted = dataclasses.replace(base, body="x")
    with pytest.raises(UsageError, match="changed meanwhile"):
        editing.edit(office.kb, office.encoder, CASE, wanted, base=base)


@pytest.mark.parametrize(
    ("draft", "said"),
    [
        ("title = ", "no TOML"),
        ("titel = 'x'", "use title, text"),
        ("title = 3", "must be a text"),
        ("columns = 3", "one bracket"),
        ("[columns]\nos = 3", "column os must be a text"),
        ("tried = 3", "two brackets"),
        ("[[tried]]\nresolution = 'r9'", "only what was tried already"),
        ("[[tried]]\nresolution = 'r1'\nverdict = 'x'", "use worked"),
        ("[[tried]]\nresolution = 'r1'\nwhat = 'x'", "it takes resolution, verdict, text"),
    ],
)
def test_a_draft_that_makes_no_sense_is_refused(office: Desk, draft: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_draft(draft, text(office))


TEXTS = st.text(max_size=30)
NAMES = st.text(min_size=1, max_size=6)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    case=st.builds(
        CaseText,
        TEXTS,
        TEXTS,
        st.lists(st.tuples(NAMES, TEXTS), max_size=4).map(
            lambda pairs: tuple(
                sorted(pairs, key=lambda pair: [p[0] for p in pairs].index(pair[0]))
            )
        ),
        st.lists(
            st.builds(TriedText, st.integers(1, 9), TEXTS, st.sampled_from(Verdict)),
            max_size=3,
            unique_by=lambda one: one.resolution_id,
        ).map(tuple),
    )
)
def test_a_draft_that_nobody_changed_is_the_case_as_it_was(case: CaseText) -> None:
    written = "\n".join(line for line in draft_of("desk:\x1b1", case).splitlines())
    assert all(letter.isprintable() or letter == "\n" for letter in written)
    read = read_draft(draft_of("desk:1", case), case)
    stripped = tuple(pair for pair in case.facets if pair[1].strip())
    assert (read.title, read.body, read.attempts) == (case.title, case.body, case.attempts)
    assert tuple(pair for pair in read.facets if pair[1].strip()) == stripped


def _equal(name: str, value: str):  # type: ignore[no-untyped-def]
    from kbagent.core.retrieval.filters import parse_filter

    return parse_filter(f"{name}={value}")
