"""What a policy file would change is told before, and is what then happens."""

from kbagent.core.retrieval.filters import parse_filter
from kbagent.usecases.learn.confidence import Prospect, certain_of
from kbagent.usecases.revise.charter.amendment import amendment_to
from kbagent.usecases.revise.charter.foresight import Foreseen, foresee
from kbagent.usecases.solve.problem import Problem
from kbagent.usecases.solve.running import solve
from tests.fakes.desk import texts
from tests.usecases.revise.charter.conftest import FIXES, MAIL, QUERY, Office

PIN = '[[pin]]\nissue = "i1"\nresolution = "r3"\n'


def ahead(office: Office, text: str, *, last: int = 200) -> Foreseen:
    return foresee(office.kb, amendment_to(office.kb, office.read(text)), last=last)


def test_nothing_is_foreseen_without_lookups_and_nothing_is_written(office: Office) -> None:
    before = office.dump()
    assert ahead(office, PIN) == Foreseen(0, ())
    assert office.dump() == before


def test_another_first_resolution_is_foreseen_and_then_comes(office: Office) -> None:
    first = texts(office.ask(QUERY))[0]
    office.ask(MAIL)
    (one,) = ahead(office, PIN).found
    assert (one.query, one.moved, one.handed, one.lost) == (QUERY, True, False, False)
    assert (one.before.first, one.after.first) == (1, 3)
    assert first == FIXES[0]
    office.put(PIN)
    assert texts(office.ask(QUERY))[0] == FIXES[2]


def test_a_case_for_a_person_is_foreseen_by_keyword_facet_and_issue(office: Office) -> None:
    office.ask(QUERY)
    office.ask(MAIL)
    for text in ("keyword = 'GATEWAY'", "issue = 'i2'"):
        (one,) = ahead(office, f"[[require-human]]\n{text}\nqueue = 'mail'\n").found
        assert (one.query, one.handed) == (MAIL, True)
    office.ask(MAIL, filters=(parse_filter("team=Legal"),))
    found = ahead(office, "[[require-human]]\nfacet = 'team=legal'\n").found
    assert [one.handed for one in found] == [True]  # not the one that did not say the team


def test_an_answer_that_goes_and_comes_back_is_foreseen(office: Office) -> None:
    solve(office.kb, office.encoder, Problem(MAIL))
    (one,) = ahead(office, "[[forbid]]\nresolution = 'r4'\n").found
    assert (one.lost, one.after.first) == (True, None)
    office.put("[[forbid]]\nresolution = 'r4'\n")
    (one,) = ahead(office, "[limits]\n").found
    assert (one.gained, one.after.first) == (True, 4)
    assert texts(office.ask(MAIL, limit=1)) == []


def test_more_evidence_than_there_is_means_no_answer(office: Office) -> None:
    office.ask(MAIL)
    (one,) = ahead(office, "[limits]\nminimum-evidence = 2\n").found
    assert (one.lost, one.moved) == (True, False)
    assert ahead(office, "[limits]\nminimum-evidence = 1\n").found == ()


def test_a_promise_that_asks_for_more_confidence_takes_answers_away(office: Office) -> None:
    office.ask(MAIL)
    now = certain_of(office.kb)
    stricter = Prospect(("max-error", 0.01), type(now)(now.certainty, 1.1, "", learned=True), None)
    amendment = amendment_to(office.kb, office.read("[promise]\nmax-error = 0.01\n"))
    (one,) = foresee(office.kb, amendment, stricter).found
    assert one.lost


def test_distrust_changes_what_comes_first(office: Office) -> None:
    for name in "abcdef":
        for verdict, fix in (("worked", "r3"), ("failed", "r1"), ("failed", "r2")):
            office.say(verdict, fix, by=name)
    office.ask(QUERY)
    weights = "".join(f"{name} = 0\n" for name in "abcdef")
    (one,) = ahead(office, f"[trust]\n{weights}").found
    assert (one.before.first, one.after.first) == (3, 1)


def test_only_the_last_lookups_are_looked_at_newest_first(office: Office) -> None:
    for word in ("today", "again", "now"):
        office.ask(f"{QUERY} {word}")
    found = ahead(office, PIN, last=2)
    assert found.looked == 2
    assert [one.query.split()[-1] for one in found.found] == ["now", "again"]


def test_a_lookup_of_an_issue_that_is_gone_is_left_out(office: Office) -> None:
    office.ask(MAIL)
    case = office.one("SELECT id FROM cases WHERE title = ?", MAIL)
    office.kb.connection.execute("UPDATE cases SET withdrawn_at = 'x' WHERE id = ?", (case,))
    assert ahead(office, PIN).looked == 0
