"""Our way of taking values gives what Typer's gives; the oracle is Typer itself."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from kbagent.cli.parameters import take_plainly
from tests.cli.conftest import invoke


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def _application(seen: list[dict[str, Any]]) -> typer.Typer:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)

    @app.command()
    def run(
        words: Annotated[list[str] | None, typer.Argument()] = None,
        *,
        number: Annotated[int, typer.Option(min=1, max=9)] = 5,
        share: Annotated[float | None, typer.Option()] = None,
        file: Annotated[Path | None, typer.Option()] = None,
        colour: Annotated[Colour, typer.Option()] = Colour.RED,
        name: Annotated[str | None, typer.Option(envvar="NAME_OF_IT")] = None,
        where: Annotated[list[str] | None, typer.Option()] = None,
        yes: Annotated[bool, typer.Option("--yes")] = False,
        up: Annotated[bool | None, typer.Option("--up/--down")] = None,
    ) -> None:
        seen.append(dict(locals()))

    return app


CALLS = [
    [],
    ["a", "b"],
    ["--number", "9"],
    ["--number", "0"],
    ["--number", "10"],
    ["--number", "x"],
    ["--number", "1.5"],
    ["--number", ""],
    ["--share", "0.25"],
    ["--share", "1e3"],
    ["--share", "nan"],
    ["--share", "x"],
    ["--file", "some/where"],
    ["--file", ""],
    ["--colour", "blue"],
    ["--colour", "green"],
    ["--name", "-"],
    ["--name", ""],
    ["--where", "a=1", "--where", "b=2", "word"],
    ["--yes", "--up"],
    ["--down"],
    ["--nothing"],
]


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
@pytest.mark.parametrize("environment", [{}, {"NAME_OF_IT": "from outside"}])
def test_values_and_messages_are_typers(
    words: list[str],
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("os.environ", {**os.environ, **environment})
    outcomes = []
    for plain in (False, True):
        seen: list[dict[str, Any]] = []
        command = typer.main.get_command(_application(seen))
        if plain:
            take_plainly(command)
        with pytest.raises(SystemExit) as ended:
            command(args=words, prog_name="run")
        told = [{key: one[key] for key in one if key != "seen"} for one in seen]
        outcomes.append((repr(told), ended.value.code, capsys.readouterr()))
    assert outcomes[0] == outcomes[1]


def test_the_knowledge_base_may_be_named_before_the_command(kb, tmp_path):
    elsewhere = tmp_path / "nothing here"
    assert invoke("show", "desk:1", kb=elsewhere).code != 0
    before = invoke("--kb", str(kb), "show", "desk:1", kb=elsewhere)
    assert (before.code, before.out) == (0, invoke("show", "desk:1", kb=kb).out)
    both = invoke("--kb", str(elsewhere), "show", "desk:1", "--kb", str(kb), kb=elsewhere)
    assert both.out == before.out
