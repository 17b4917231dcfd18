"""What a person would try on the sample data, with the real encoder."""

import re

import pytest

from kbagent.errors import BadValue, UsageError
from kbagent.model.case import Verdict
from kbagent.model.feedback import Remark
from kbagent.store import deviations, lookups, runs
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.demonstration import QUERY
from kbagent.usecases.revise import rules
from kbagent.usecases.revise.outcomes import give
from kbagent.usecases.solve.continuing import go_on
from kbagent.usecases.solve.problem import Problem
from kbagent.usecases.solve.running import solve
from kbagent.usecases.solve.trace import Ending, Run, run_from

pytestmark = pytest.mark.model

NEGATIVE = re.compile("minus|negative|less than (zero|nothing)")
TRIED = "labels still blank on 4.3, we already cleared the spooler and set up the port again"


def ask(kb: KnowledgeBase, encoder: Encoder, text: str, **options: object) -> Run:
    return solve(kb, encoder, Problem(text), **options)  # type: ignore[arg-type]


def chosen_text(run: Run) -> str:
    assert run.chosen is not None
    return run.chosen.text.lower()


def test_a_known_rare_issue_is_answered_with_its_evidence(sample, encoder):
    run = ask(sample, encoder, QUERY)
    assert run.ending is Ending.ANSWER
    assert run.known is not None and run.known.cases == 4
    assert "jira:BWS-161" in run.known.instances
    assert run.chosen is not None and (run.chosen.worked, run.chosen.tried) == (2.0, 2.0)
    assert re.search("daily columns|iso weeks", chosen_text(run))


def test_every_sentence_names_what_it_rests_on_and_that_is_stored(sample, encoder):
    for text in (QUERY, "stock is wrong", "smart glasses overlay drifts to the left"):
        for sentence in ask(sample, encoder, text).explanation:
            assert sentence.refs
            for ref in sentence.refs:
                if match := re.fullmatch(r"([ri])(\d+)", ref):
                    table = {"r": "resolutions", "i": "issues"}[match[1]]
                    sql = f"SELECT 1 FROM {table} WHERE id = ?"
                    assert sample.connection.execute(sql, (int(match[2]),)).fetchone()
                elif ":" in ref:
                    source, external_id = ref.split(":", 1)
                    sql = "SELECT 1 FROM cases WHERE source = ? AND external_id = ?"
                    assert sample.connection.execute(sql, (source, external_id)).fetchone()


def test_a_vague_one_is_asked_about_and_with_the_answers_gets_the_right_resolution(sample, encoder):
    """One question, or two where int8 kernels round otherwise: a facet's gain is at its bar."""
    run = ask(sample, encoder, "stock is wrong")
    first, questions = run, 0
    while run.ending is Ending.ASK:
        assert run.question is not None and len(run.question.choices) >= 2
        questions += 1
        run = go_on(sample, encoder, run.handle, [(run.question.facet, true_answer(run))])
    assert 1 <= questions <= 2
    assert run.ending is Ending.ANSWER and run.known is not None
    assert NEGATIVE.search(run.known.title)
    assert (run.continues == first.handle) == (questions == 1)


def true_answer(run: Run) -> str:
    """What somebody would say whose stock at a desk is below zero."""
    assert run.question is not None
    if run.question.facet == "component":
        return "Desk"
    pairs = zip(run.question.choices, run.question.labels, strict=True)
    return next(choice for choice, label in pairs if NEGATIVE.search(label))


@pytest.mark.parametrize(
    ("text", "ending"),
    [
        ("labels blank", Ending.ANSWER),  # two words, and no other problem fits
        ("labels come out blank on 4.1", Ending.ANSWER),
        ("labels wrong", Ending.ASK),  # they may be empty, or have a wrong code
        ("cannot log in", Ending.ASK),
    ],
)
def test_few_words_are_asked_about_only_where_other_problems_fit(sample, encoder, text, ending):
    assert ask(sample, encoder, text, log=False).ending is ending


@pytest.mark.parametrize(
    "text",
    [
        "smart glasses overlay drifts to the left after ten minutes",
        "payroll export for the tax adviser rejects my shift bonus",
        "drone inventory flight aborted because of low light",
    ],
)
def test_an_unknown_one_is_handed_over_as_new(sample, encoder, text):
    run = ask(sample, encoder, text)
    assert (run.ending, run.new) == (Ending.HAND_OVER, True)
    assert run.hidden > 0 and run.handed_to and run.known is not None


def test_a_ticket_that_says_the_first_fix_was_tried_gets_the_second(sample, encoder):
    run = ask(sample, encoder, TRIED)
    assert run.ending is Ending.ANSWER
    assert "raster" in chosen_text(run) and "spooler" not in chosen_text(run)


def test_going_on_gives_the_other_resolution_then_hands_over(sample, encoder):
    first = ask(sample, encoder, QUERY)
    second = go_on(sample, encoder, first.handle)
    assert second.ending is Ending.ANSWER
    assert second.chosen is not None and first.chosen is not None
    assert second.chosen.resolution_id != first.chosen.resolution_id
    assert go_on(sample, encoder, second.handle).ending is Ending.HAND_OVER


def test_a_pinned_a_forbidden_and_a_deprecated_resolution_behave_as_told(sample, encoder):
    first = ask(sample, encoder, QUERY, log=False)
    other = next(
        f"r{hit}"
        for (hit,) in sample.connection.execute(
            """SELECT DISTINCT canonical_id FROM attempts JOIN memberships USING (case_id)
            JOIN resolutions ON resolutions.id = resolution_id
            WHERE issue_id = ? AND verdict = 'worked'""",
            (first.known.issue_id,),
        )
        if hit != first.chosen.resolution_id
    )
    issue, leader = f"i{first.known.issue_id}", f"r{first.chosen.resolution_id}"
    pin = rules.pin(sample, issue, other, rules.Remark(by="ana"))
    assert f"r{ask(sample, encoder, QUERY).chosen.resolution_id}" == other
    rules.undo(sample, pin)
    old = rules.deprecate(sample, leader, None, rules.Remark(by="ana", replaced_by=other))
    assert f"r{ask(sample, encoder, QUERY).chosen.resolution_id}" == other
    rules.undo(sample, old)
    rules.forbid(sample, leader, None, rules.Remark(by="ana"))
    rules.forbid(sample, other, None, rules.Remark(by="ana"))
    run = ask(sample, encoder, QUERY)
    assert run.ending is Ending.HAND_OVER
    assert run.chosen is None


def test_what_people_want_a_human_for_is_handed_over_to_their_queue(sample, encoder):
    rules.require_human(sample, rules.Remark(queue="Legal"), keyword="erasure")
    run = ask(sample, encoder, "former worker demands erasure of his name under the GDPR")
    assert (run.ending, run.handed_to) == (Ending.HAND_OVER, "Legal")


def test_a_failed_answer_blames_the_step_and_becomes_a_contradiction(sample, encoder):
    run = ask(sample, encoder, QUERY)
    give(sample, Verdict.FAILED, [run.handle, "1"], Remark(by="ana"))
    stored = runs.stored_run(sample.connection, run.handle)
    assert stored is not None and stored.fault == "choose"
    found = deviations.of_run(sample.connection, stored.id)
    assert [(one.kind, one.step) for one in found if one.kind == "contradiction"] == [
        ("contradiction", "choose")
    ]
    give(sample, Verdict.WORKED, [run.handle, "1"], Remark(by="ben"))
    assert runs.stored_run(sample.connection, run.handle).fault is None


def test_a_stored_run_reads_back_as_it_was(sample, encoder):
    for text in (QUERY, TRIED, "cannot log in", "who won the football on Saturday"):
        run = ask(sample, encoder, text)
        stored = runs.stored_run(sample.connection, run.handle)
        assert stored is not None and run_from(stored.record) == run


def test_whatever_worked_may_be_pinned_and_is_answered(sample, encoder):
    """Pinning is no failure of the procedure, however seldom it was what worked."""
    known = ask(sample, encoder, "labels come out blank", log=False).known
    worked = [
        f"r{hit}"
        for (hit,) in sample.connection.execute(
            """SELECT DISTINCT canonical_id FROM attempts JOIN memberships USING (case_id)
            JOIN resolutions ON resolutions.id = resolution_id
            WHERE issue_id = ? AND verdict = 'worked' ORDER BY canonical_id""",
            (known.issue_id,),
        )
    ]
    assert len(worked) > 5
    for one in worked[:6]:
        pin = rules.pin(sample, f"i{known.issue_id}", one, rules.Remark(by="ana"))
        run = ask(sample, encoder, "labels come out blank", log=False)
        assert (run.ending, f"r{run.chosen.resolution_id}") == (Ending.ANSWER, one), run.reason
        rules.undo(sample, pin)


def test_a_hand_over_says_who_named_the_queue(sample, encoder):
    rules.require_human(sample, rules.Remark(queue="Legal"), keyword="erasure")
    told = ask(sample, encoder, "former worker demands erasure of his name under the GDPR")
    assert told.explanation[-1].text == "People decided that this goes to Legal."
    new = ask(sample, encoder, "smart glasses overlay drifts to the left after ten minutes")
    assert new.explanation[-1].text.startswith("The nearest cases, which are others, were with ")


def test_what_a_run_did_not_show_needs_a_case_and_blames_the_run(sample, encoder):
    run = ask(sample, encoder, "smart glasses overlay drifts to the left after ten minutes")
    lookup = runs.stored_run(sample.connection, run.handle).lookup_id
    shown = {one.resolution_id for one in lookups.showings(sample.connection, lookup)}
    other = next(n for n in range(1, 500) if n not in shown)
    with pytest.raises(UsageError, match="--case"):
        give(sample, Verdict.WORKED, [run.handle, f"r{other}"], Remark(by="ana"))
    given = give(
        sample, Verdict.WORKED, [run.handle, f"r{other}"], Remark(by="ana"), case_ref="local:new"
    )
    assert given.lookup == run.handle
    stored = runs.stored_run(sample.connection, run.handle)
    assert stored is not None and stored.fault == "recognise"
    home = sample.connection.execute(
        "SELECT kind FROM memberships JOIN cases ON cases.id = case_id WHERE external_id = 'new'"
    ).fetchone()
    assert home is None or home[0] != "linked"


def test_an_issue_that_there_is_not_is_no_answer(sample, encoder):
    run = ask(sample, encoder, "stock is wrong")
    with pytest.raises(BadValue, match="i9999"):
        go_on(sample, encoder, run.handle, [("issue", "i9999")])


def test_an_answer_that_no_case_has_is_refused_with_those_on_record(sample, encoder):
    run = ask(sample, encoder, "cannot log in")
    assert run.question is not None and run.question.facet != "issue"
    with pytest.raises(BadValue, match=run.question.choices[0]):
        go_on(sample, encoder, run.handle, [(run.question.facet, "Nix")])
    lower = run.question.choices[0].lower()
    assert go_on(sample, encoder, run.handle, [(run.question.facet, lower)]).continues == run.handle


@pytest.mark.parametrize(
    "tried",
    [
        "Setting the print path of the station to Raster instead of Native did not help.",
        "we already set print_path=raster in bw-print.ini and restarted, still blank",
        "We already switched the station to raster and restarted the print agent, no change",
        "tried: raster path. no luck",
    ],
)
def test_no_wording_of_what_the_ticket_says_was_tried_is_answered(sample, encoder, tried):
    run = ask(sample, encoder, f"labels are blank on 4.3. {tried}", log=False)
    assert run.chosen is None or "raster" not in chosen_text(run)
