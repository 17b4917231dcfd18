"""Whatever is learned, reported, imported or encoded anew: what people set stays.

Search and `solve` are asked. Hypothesis draws what happens; the indexes and the learning are real.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kbagent.model.lookup import LookupResult
from kbagent.store import adapters, models, policies
from kbagent.usecases.learn.fitting import learn
from kbagent.usecases.maintain.reencoding import use_model
from kbagent.usecases.revise import freezing, rules
from kbagent.usecases.revise.rules import Remark
from kbagent.usecases.solve.problem import Problem
from kbagent.usecases.solve.running import solve
from kbagent.usecases.solve.trace import Ending
from tests.fakes.desk import Desk, odd_words, same_as, ticket, tried
from tests.fakes.encoder import FakeEncoder

FIXES = ("replace the toner drum", "reinstall the label driver", "switch the spooler port")
CURES = ("restart the relay", "renew the certificate", "raise the quota")
PRINTER = "label printer prints blank labels"
MAIL = "mail gateway refuses every attachment"
PINNED, FORBIDDEN = FIXES[2], FIXES[1]
QUIET: Callable[..., None] = lambda *_told: None  # noqa: E731

DEEDS = st.one_of(
    st.tuples(st.just("report"), st.sampled_from(FIXES + CURES), st.booleans(), st.integers(1, 12)),
    st.tuples(st.just("import"), st.sampled_from(FIXES + CURES), st.booleans(), st.integers(1, 30)),
    st.tuples(st.just("import again"), st.booleans()),
    st.tuples(st.just("link"), st.sampled_from(["p1", "m1"])),
    st.tuples(st.just("learn")),
    st.tuples(
        st.just("promote"),
        st.builds(
            dict,
            dense_weight=st.floats(0, 1),
            evidence_bound=st.floats(0, 1),
            gate=st.floats(-1, 3),
            choice_bonus=st.floats(0, 20),
            prior_strength=st.floats(0.1, 50),
            exploration=st.booleans(),
            exploration_floor=st.floats(0, 0.5),
            votes_per_source=st.integers(1, 50),
        ),
        st.none() | st.integers(0, 3),
    ),
    st.tuples(st.just("model"), st.sampled_from(["other", "third"])),
)


class Office(Desk):
    """A printer problem with a pin and a prohibition, a mail problem that is frozen."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.originals = [
            ticket(
                f"{letter}{n}",
                f"{title} {odd_words(n) if n else ''}",
                attempts=[tried(fixes[n % 3], "worked" if n % 4 else "failed")],
                links=same_as(f"{letter}0") if n and n < 5 else [],
            )
            for letter, title, fixes in (("p", PRINTER, FIXES), ("m", MAIL, CURES))
            for n in range(6)
        ]
        self.bring(*self.originals)
        self.printer, self.mail = self.issue_of("p0"), self.issue_of("m0")
        assert self.printer != self.mail
        rules.pin(self.kb, f"i{self.printer}", self.handle(PINNED), Remark())
        rules.forbid(self.kb, self.handle(FORBIDDEN), None, Remark())
        _, self.order = freezing.freeze(self.kb, f"i{self.mail}")
        self.members = self.mail_cases()
        self.since = self.one("SELECT coalesce(max(id), 0) FROM lookups")
        self.imported = 0

    def issue_of(self, case: str) -> int:
        return int(
            self.one(
                """SELECT issue_id FROM memberships JOIN cases ON cases.id = case_id
                WHERE external_id = ?""",
                case,
            )
        )

    def handle(self, text: str) -> str:
        return f"r{self.one('SELECT id FROM resolutions WHERE text = ?', text)}"

    def approach(self, text: str) -> int:
        return int(self.one("SELECT canonical_id FROM resolutions WHERE text = ?", text))

    def mail_cases(self) -> set[int]:
        return {
            row[0]
            for row in self.rows("SELECT case_id FROM memberships WHERE issue_id = ?", self.mail)
        }

    def do(self, deed: tuple[Any, ...]) -> None:
        match deed:
            case ("report", text, good, times):
                for n in range(times):
                    self.say("worked" if good else "failed", self.handle(text), by=f"hostile {n}")
            case ("import", text, good, times):
                title = PRINTER if text in FIXES else MAIL
                verdict = "worked" if good else "failed"
                names = range(self.imported, self.imported + times)
                self.bring(
                    *[ticket(f"n{n}", title, attempts=[tried(text, verdict)]) for n in names]
                )
                self.imported += times
            case ("import again", reopened):
                status = "open" if reopened else "resolved"
                self.bring(*[{**one, "status": status, "body": status} for one in self.originals])
            case ("link", case):
                name = f"l{self.imported}"
                self.imported += 1
                self.bring(ticket(name, "a bridge", links=same_as(case)))
                self.bring(ticket(name, "a bridge", links=same_as("p2", "m2")))
            case ("learn",):
                found = learn(self.kb, QUIET, QUIET)
                if found.policy is not None:
                    self.make_live(found.policy.version)
            case ("promote", changes, adapter):
                self.make_live(self.learned(changes, adapter))
            case ("model", name):
                self.encoder = FakeEncoder(name=name)
                use_model(self.kb, self.encoder, QUIET)

    def learned(self, changes: dict[str, Any], adapter: int | None) -> int:
        """A policy as learning might make it, with an adapter that turns every vector."""
        parameters = replace(policies.live(self.kb.connection).parameters, **changes)
        model = models.active(self.kb.connection)
        with self.kb.database.write() as connection:
            if adapter is not None and model is not None:
                rng = np.random.default_rng(adapter)
                matrix = np.eye(64) + 0.4 * rng.standard_normal((64, 64))
                name = f"turned {adapter} {model.id}"
                adapters.add(connection, name, model.id, matrix.astype(np.float32), self.clock())
                parameters = replace(parameters, adapter=name)
            return policies.add(connection, "learned", parameters, self.clock())

    def make_live(self, version: int) -> None:
        with self.kb.database.write() as connection:
            policies.make_live(connection, version, "promote", self.clock())


def held(desk: Office, found: LookupResult) -> None:
    for issue in found.issues:
        shown = [one.resolution_id for one in issue.resolutions]
        assert desk.approach(FORBIDDEN) not in shown
        if issue.issue_id == desk.printer and shown:
            assert shown[0] == desk.approach(PINNED)
        if issue.issue_id == desk.mail:
            assert shown[: len(desk.order)] == list(desk.order)


def answered_as_told(desk: Office, text: str) -> None:
    run = solve(desk.kb, desk.encoder, Problem(text))
    if run.ending is not Ending.ANSWER or run.chosen is None or run.known is None:
        return  # asking or handing over answers nothing
    assert run.chosen.resolution_id != desk.approach(FORBIDDEN)
    if run.known.issue_id == desk.printer:
        assert run.chosen.resolution_id == desk.approach(PINNED)
    if run.known.issue_id == desk.mail:
        assert run.chosen.resolution_id == desk.order[0]


def nothing_else_was_shown(desk: Office) -> None:
    """The log has each place of each lookup, also of candidates that no screen shows."""
    shown = "FROM showings JOIN resolutions ON resolutions.id = resolution_id WHERE lookup_id > ?"
    forbidden = desk.approach(FORBIDDEN)
    assert desk.one(f"SELECT count(*) {shown} AND canonical_id = ?", desk.since, forbidden) == 0
    first = desk.rows(
        f"""SELECT DISTINCT canonical_id {shown} AND issue_id = ? AND place = (SELECT min(place)
        FROM showings AS all_places WHERE all_places.lookup_id = showings.lookup_id
        AND all_places.issue_id = showings.issue_id)""",
        desk.since,
        desk.printer,
    )
    assert first in ([], [(desk.approach(PINNED),)])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(deeds=st.lists(DEEDS, min_size=1, max_size=5))
def test_nothing_learned_reported_imported_or_encoded_crosses_what_people_set(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[tuple[Any, ...]]
) -> None:
    desk = Office(Path(tmp_path_factory.mktemp("desk")))
    for deed in deeds:
        desk.do(deed)
        for query in (PRINTER, MAIL, f"{FORBIDDEN} {PRINTER}"):
            held(desk, desk.ask(query, everything=True))
            held(desk, desk.ask(query, limit=2))
        for text in (PRINTER, f"{MAIL}, what can we do?"):
            answered_as_told(desk, text)
    nothing_else_was_shown(desk)
    assert desk.members <= desk.mail_cases()  # new cases may have joined, none has left
    assert desk.issue_of("p0") == desk.printer
    desk.kb.close()


def test_the_same_deeds_move_what_nobody_set(tmp_path: Path) -> None:
    """What the property above holds against is real: without rules all of it moves."""
    desk = Office(tmp_path)
    for rule in rules.standing(desk.kb):
        rules.undo(desk.kb, rule.id)
    for fix in (PINNED, FIXES[0]):
        desk.do(("report", fix, False, 12))
    desk.do(("report", FORBIDDEN, True, 12))
    desk.do(("report", CURES[2], True, 12))
    for cure in CURES[:2]:
        desk.do(("report", cure, False, 12))
    assert desk.ask(PRINTER).issues[0].resolutions[0].resolution_id == desk.approach(FORBIDDEN)
    assert desk.ask(MAIL).issues[0].resolutions[0].resolution_id == desk.approach(CURES[2])
    assert desk.order[0] != desk.approach(CURES[2])
