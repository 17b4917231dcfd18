"""A real knowledge base, made once through the real command line and copied for each test."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kbagent.cli.app import app
from tests.fakes.desk import same_as, ticket, tried

HOSTILE = '\x1b[2J\x1b]0;owned\x07[red]paid[/red] =HYPERLINK("http://x","y") \u202eevil'
CASES = (
    ticket(
        "1",
        "Printer hangs after the update to 4.2",
        "Labels stay in the queue.",
        facets={"version": "4.2", "os": "Windows"},
        opened_at="2026-01-05T10:00:00Z",
        attempts=[
            tried("Reset the spooler and restart the station.", at="2026-01-06T10:00:00Z"),
            tried("Reinstall the printer driver.", "failed"),
        ],
    ),
    ticket(
        "2",
        "No labels since the update",
        links=same_as("1"),
        facets={"version": "4.2.1"},
        opened_at="2026-02-07T10:00:00Z",
        attempts=[tried("Reset the spooler and restart the station.", at="2026-02-08T10:00:00Z")],
    ),
    ticket(
        "3",
        "Invoices are sent to the wrong address",
        status="open",
        opened_at="2025-11-20T10:00:00Z",
        attempts=[tried("Correct the address of the customer.", "")],
    ),
    ticket("4", HOSTILE, HOSTILE, attempts=[tried(HOSTILE)], facets={"=cmd": "@SUM(1)"}),
    ticket(
        "5", "印刷できません、ラベルが出てこないので困っています、至急対応をお願いします、よろしく"
    ),
)


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


Kbagent = Callable[..., Ran]


def invoke(*arguments: str, kb: Path, stdin: str | None = None, **environment: str) -> Ran:
    """One command in this process."""
    env = {"KBAGENT_KB": str(kb), "COLUMNS": "80", "NO_COLOR": "1", **environment}
    result = CliRunner().invoke(app, list(arguments), input=stdin, env=env, prog_name="kbagent")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def spawn(*arguments: str, kb: Path, timeout: float = 120, **options) -> Ran:
    """One command in a process of its own, as a user runs it."""
    environment = {**os.environ, "KBAGENT_KB": str(kb), "COLUMNS": "80", "OMP_NUM_THREADS": "1"}
    environment.update(options.pop("environment", {}))
    done = subprocess.run(
        [sys.executable, "-m", "kbagent", *arguments],
        capture_output=True,
        timeout=timeout,
        env=environment,
        check=False,
        **options,
    )
    out, err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    assert "Traceback" not in err, err
    return Ran(done.returncode, out, err)


def write_export(path: Path, *tickets) -> Path:
    lines = [one if isinstance(one, str) else json.dumps(one) for one in tickets]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    export = write_export(folder / "desk.jsonl", *CASES)
    ran = invoke("import", str(export), kb=folder / "kb")
    assert ran.code == 0, ran.err
    return folder / "kb"


@pytest.fixture
def kb(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "kb"))


@pytest.fixture
def kbagent(kb: Path) -> Kbagent:
    return lambda *arguments, **options: invoke(*arguments, kb=kb, **options)
