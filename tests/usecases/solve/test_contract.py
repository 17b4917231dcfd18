"""`solve --format json` is a contract: docs/solve.schema.json."""

import json
from pathlib import Path

import jsonschema
import pytest

from kbagent.cli.output import to_json
from kbagent.cli.page import draw
from kbagent.cli.screens.solving import format_run, solve_json
from kbagent.usecases.solve.problem import Problem
from kbagent.usecases.solve.running import solve
from tests.fakes.desk import Desk, same_as, ticket, tried

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "docs" / "solve.schema.json").read_text(encoding="utf-8")
)
HOSTILE = "\x1b[2J[bold]x\u202e"


@pytest.fixture
def stocked(desk: Desk) -> Desk:
    desk.bring(
        *[
            ticket(
                str(n),
                f"printer feeds blank labels {n} {HOSTILE}",
                attempts=[tried(f"reinstall the driver {HOSTILE}")],
                links=same_as("0") if n else [],
            )
            for n in range(6)
        ]
    )
    return desk


@pytest.mark.parametrize("text", ["printer feeds blank labels", "broken", "who won the match?"])
def test_every_ending_satisfies_the_schema_and_fits_the_screen(stocked, text):
    run = solve(stocked.kb, stocked.encoder, Problem(text))
    jsonschema.validate(json.loads(to_json(solve_json(run))), SCHEMA)
    drawn = draw(format_run(run, width=80), 80, colour=False)
    assert "\x1b" not in drawn and "\u202e" not in drawn
    assert max(map(len, drawn.splitlines())) <= 80


def test_an_empty_knowledge_base_satisfies_it_too(desk):
    run = solve(desk.kb, desk.encoder, Problem("printer feeds blank labels"))
    jsonschema.validate(json.loads(to_json(solve_json(run))), SCHEMA)
